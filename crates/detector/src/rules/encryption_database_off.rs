//! # A database without encryption
//!
//! Finds: a database, cluster or snapshot that is created, copied or restored with encryption switched off.
//!
//! Severity: high. An attempt is one step lower.
//!
//! How it can be wrong: a development account with no real data. Write an exception for the account. A call that leaves
//! the choice to the provider's default is not reported here; the control on storage encryption looks at the result.
//!
//! What to do: encryption of a database cannot be switched on later: copy it into an encrypted one and delete this.

use keyvigil_model::action::{Action, ActionSet};
use keyvigil_model::facts::Facts;
use keyvigil_model::resource::ResourceKind;
use keyvigil_model::severity::Severity;

use crate::advice;
use crate::check::CheckMeta;
use crate::rule::{Naming, Rule, Scene};

/// What it is.
pub const META: CheckMeta = CheckMeta {
    id: "encryption.database_off",
    title: "A database without encryption was created",
    severity: Severity::High,
    references: &["SOC2 CC6.1", "ATT&CK T1562"],
    source: include_str!("encryption_database_off.rs"),
};

/// The rule.
pub struct EncryptionDatabaseOff;

impl Rule for EncryptionDatabaseOff {
    fn meta(&self) -> &'static CheckMeta {
        &META
    }

    fn actions(&self) -> ActionSet {
        ActionSet::of(&[Action::StorageCreate])
    }

    fn event(&self, scene: &mut Scene<'_>) {
        let Facts::Storage {
            encrypted: Some(false),
            copied_from,
            ..
        } = &scene.event.facts
        else {
            return;
        };
        let kind = scene.event.resource.as_ref().map(|resource| resource.kind);
        let Some(ResourceKind::Database | ResourceKind::DatabaseCluster | ResourceKind::DatabaseSnapshot) =
            kind
        else {
            return;
        };
        let mut draft = scene
            .resource_draft(&META)
            .advise(advice::who_did_it(&scene.event.principal));
        if let Some(origin) = copied_from {
            draft = draft
                .titled("A copy of a database without encryption was made")
                .fact("made from", origin.raw());
        }
        draft.naming = Naming::Chosen;
        scene.report(draft);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check, ev, policy};

    #[test]
    fn fires_on_databases_that_are_not_encrypted() {
        let create = |encrypted, kind| {
            ev(Action::StorageCreate)
                .no_key()
                .resource("db-1")
                .kind(kind)
                .facts(Facts::Storage {
                    encrypted,
                    key: None,
                    copied_from: None,
                })
        };
        let fires = &["high encryption.database_off"];
        check(policy(), &[create(Some(false), ResourceKind::Database)], fires);
        check(
            policy(),
            &[create(Some(false), ResourceKind::DatabaseSnapshot)],
            fires,
        );
        check(
            policy(),
            &[create(Some(false), ResourceKind::Database).denied()],
            &["medium encryption.database_off"],
        );
        check(policy(), &[create(Some(true), ResourceKind::Database)], &[]);
        check(policy(), &[create(None, ResourceKind::Database)], &[]);
        check(policy(), &[create(Some(false), ResourceKind::Disk)], &[]);
    }
}
