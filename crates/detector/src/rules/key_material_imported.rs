//! # Key material from outside was brought in
//!
//! Finds: a key whose material the provider did not make: created for import or in an external key store, import
//! prepared, or material imported. Whoever brings a key can also take it away: it is the first step of a ransom.
//!
//! Severity: high; medium for the preparation alone. An attempt is one step lower.
//!
//! How it can be wrong: a programme that brings its own keys on purpose. Write an exception for its role.
//!
//! What to do: ask who brought the key and what is encrypted with it; keep copies under a key of the provider until
//! that is answered.

use keyvigil_model::action::{Action, ActionSet};
use keyvigil_model::facts::Facts;
use keyvigil_model::key::KeyOrigin;
use keyvigil_model::severity::Severity;

use crate::advice;
use crate::check::CheckMeta;
use crate::rule::{Rule, Scene};

/// What it is.
pub const META: CheckMeta = CheckMeta {
    id: "key.material_imported",
    title: "Key material from outside was brought in",
    severity: Severity::High,
    references: &["SOC2 CC6.1", "ATT&CK T1486", "ATT&CK T1608"],
    source: include_str!("key_material_imported.rs"),
};

/// The rule.
pub struct KeyMaterialImported;

impl Rule for KeyMaterialImported {
    fn meta(&self) -> &'static CheckMeta {
        &META
    }

    fn actions(&self) -> ActionSet {
        ActionSet::of(&[Action::KeyCreate, Action::KeyImportPrepare, Action::KeyImport])
    }

    fn event(&self, scene: &mut Scene<'_>) {
        let event = scene.event;
        let mut draft = scene.draft(&META);
        if event.action == Action::KeyImportPrepare {
            draft = draft
                .titled("The import of key material was prepared")
                .severe(META.severity.lowered());
        }
        match &event.facts {
            Facts::Creation {
                origin: Some(KeyOrigin::Imported),
                ..
            } => {
                draft = draft.titled("A key for imported material was created");
            }
            Facts::Creation {
                origin: Some(KeyOrigin::ExternalStore),
                ..
            } => {
                draft = draft.titled("A key in an external key store was created");
            }
            Facts::Import {
                expires: Some(expires),
            } => draft = draft.fact("expires", expires.to_string()),
            _ if event.action == Action::KeyCreate => return,
            _ => {}
        }
        scene.report(draft.advise(advice::look_at_key(event.provider, scene.key)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check, ev, policy};

    #[test]
    fn fires_on_outside_material_only() {
        let create = |origin| {
            ev(Action::KeyCreate).facts(Facts::Creation {
                origin,
                replica_region: None,
            })
        };
        check(
            policy(),
            &[create(Some(KeyOrigin::Imported))],
            &["high key.material_imported"],
        );
        check(
            policy(),
            &[create(Some(KeyOrigin::ExternalStore))],
            &["high key.material_imported"],
        );
        check(policy(), &[create(Some(KeyOrigin::Provider))], &[]);
        check(policy(), &[create(None)], &[]);
        check(
            policy(),
            &[ev(Action::KeyImportPrepare)],
            &["medium key.material_imported"],
        );
        check(
            policy(),
            &[ev(Action::KeyImport)],
            &["high key.material_imported"],
        );
        check(
            policy(),
            &[ev(Action::KeyImport).denied()],
            &["medium key.material_imported"],
        );
    }
}
