//! # Power over all keys was given to an identity
//!
//! Finds: an identity policy that allows decrypting with, or administering, keys in general (`kms:*` or `kms:Decrypt` on
//! `*`), evaluated as a policy; and the attachment of a managed policy that is known to do so.
//!
//! Severity: high. An attempt is one step lower.
//!
//! How it can be wrong: pipelines that build administrator roles. Write an exception for the pipeline. A managed policy
//! of your own is judged when it is created, not when it is attached.
//!
//! What to do: name the keys in the policy instead of `*`, or require the encryption context.

use keyvigil_model::action::{Action, ActionSet};
use keyvigil_model::facts::Facts;
use keyvigil_model::severity::Severity;

use crate::advice;
use crate::check::CheckMeta;
use crate::iam::{self, KeyPowers, Power};
use crate::policy::selector;
use crate::rule::{Naming, Rule, Scene};

/// What it is.
pub const META: CheckMeta = CheckMeta {
    id: "key.role_powerful",
    title: "Power over all keys was given to an identity",
    severity: Severity::High,
    references: &["SOC2 CC6.1", "SOC2 CC6.3", "ATT&CK T1098.003"],
    source: include_str!("key_role_powerful.rs"),
};

/// Managed policies and roles that give decryption or administration of every key.
/// AWS managed policy reference: `AWSKeyManagementServicePowerUser` creates keys and is not one of them.
const KNOWN: [&str; 2] = [
    "arn:aws*:iam::aws:policy/AdministratorAccess",
    "arn:aws*:iam::aws:policy/PowerUserAccess",
];

/// The rule.
pub struct KeyRolePowerful;

impl Rule for KeyRolePowerful {
    fn meta(&self) -> &'static CheckMeta {
        &META
    }

    fn actions(&self) -> ActionSet {
        ActionSet::of(&[Action::PermissionGrant])
    }

    fn event(&self, scene: &mut Scene<'_>) {
        let Facts::Permissions {
            grantee,
            policy,
            role,
        } = &scene.event.facts
        else {
            return;
        };
        let mut facts = Vec::new();
        if let Some(policy) = policy
            && let KeyPowers::Given {
                actions,
                power,
                statements,
            } = iam::powerful_key_permissions(policy)
            && power >= Power::Reads
        {
            facts.push(("actions", actions.join(", ")));
            facts.push(("statements", statements.join(", ")));
        }
        if let Some(role) = role
            && KNOWN.iter().any(|known| selector::matches(known, role.raw()))
        {
            facts.push(("managed policy", role.raw().to_owned()));
        }
        if facts.is_empty() {
            return;
        }
        let mut draft = scene
            .draft(&META)
            .about(&[grantee.raw()])
            .fact("given to", grantee.raw())
            .advise(advice::narrow_identity_policy());
        for (label, value) in facts {
            draft = draft.fact(label, value);
        }
        draft.naming = Naming::Chosen;
        scene.report(draft);
    }
}

#[cfg(test)]
mod tests {
    use keyvigil_model::policy_text::{PolicyLanguage, PolicyText};
    use keyvigil_model::untrusted::Untrusted;

    use super::*;
    use crate::testing::{check, ev, policy};

    fn given(action: &str, resource: &str) -> Facts {
        let document = format!(
            r#"{{"Statement":[{{"Effect":"Allow","Action":["{action}"],"Resource":"{resource}"}}]}}"#
        );
        Facts::Permissions {
            grantee: Untrusted::from("role/x"),
            policy: Some(PolicyText {
                language: PolicyLanguage::AwsIdentity,
                document: document.into(),
            }),
            role: None,
        }
    }

    fn attached(role: &str) -> Facts {
        Facts::Permissions {
            grantee: Untrusted::from("role/x"),
            policy: None,
            role: Some(Untrusted::from(role)),
        }
    }

    #[test]
    fn fires_on_power_over_all_keys() {
        let grant = |facts| ev(Action::PermissionGrant).no_key().facts(facts);
        let fires = &["high key.role_powerful"];
        check(policy(), &[grant(given("kms:*", "*"))], fires);
        check(policy(), &[grant(given("kms:Decrypt", "*"))], fires);
        check(policy(), &[grant(given("kms:DescribeKey", "*"))], &[]);
        check(policy(), &[grant(given("s3:*", "*"))], &[]);
        check(
            policy(),
            &[grant(given(
                "kms:Decrypt",
                "arn:aws:kms:eu-west-1:111111111111:key/1234abcd-12ab-34cd-56ef-1234567890ab",
            ))],
            &[],
        );
        check(
            policy(),
            &[grant(attached("arn:aws:iam::aws:policy/AdministratorAccess"))],
            fires,
        );
        check(
            policy(),
            &[grant(attached("arn:aws:iam::aws:policy/ReadOnlyAccess"))],
            &[],
        );
    }
}
