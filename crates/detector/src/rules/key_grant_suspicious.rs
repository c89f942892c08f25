//! # A suspicious grant on a key was created
//!
//! Finds: a grant that a person or workload gave (not a service for itself) and that lets the grantee decrypt, move data
//! to another key or hand the right on, without an encryption-context constraint to bound it. Grants outlive changes of
//! the key policy and are seen in no policy review, which is why attackers like them.
//!
//! Severity: high; a call that came through a service (EBS, RDS, Auto Scaling) is left alone. An attempt is one step
//! lower. Grants to accounts outside the organisation are `key.shared_outside`.
//!
//! How it can be wrong: applications that use grants on purpose. Write an exception for the grantor and the key.
//!
//! What to do: list the grants of the key, revoke this one, and look for uses of the key by the grantee.

use keyvigil_model::action::{Action, ActionSet};
use keyvigil_model::facts::Facts;
use keyvigil_model::severity::Severity;

use crate::advice;
use crate::check::CheckMeta;
use crate::rule::{Naming, Rule, Scene};

/// What it is.
pub const META: CheckMeta = CheckMeta {
    id: "key.grant_suspicious",
    title: "An unconstrained grant on a key was created",
    severity: Severity::High,
    references: &["SOC2 CC6.1", "SOC2 CC6.3", "ATT&CK T1098.003"],
    source: include_str!("key_grant_suspicious.rs"),
};

/// Operations that give the data or the right itself away, as KMS writes them.
const POWERFUL: [&str; 4] = ["Decrypt", "CreateGrant", "ReEncryptFrom", "ReEncryptTo"];

/// The rule.
pub struct KeyGrantSuspicious;

impl Rule for KeyGrantSuspicious {
    fn meta(&self) -> &'static CheckMeta {
        &META
    }

    fn actions(&self) -> ActionSet {
        ActionSet::of(&[Action::KeyGrantCreate])
    }

    fn event(&self, scene: &mut Scene<'_>) {
        let Facts::Grant(grant) = &scene.event.facts else {
            return;
        };
        if scene.is_service() || scene.is_through_service() || grant.grantee_is_service || grant.constrained {
            return;
        }
        let powerful: Vec<&str> = grant
            .operations
            .iter()
            .map(|operation| &**operation)
            .filter(|name| POWERFUL.contains(name))
            .collect();
        if powerful.is_empty() {
            return;
        }
        let mut draft = scene
            .draft(&META)
            .severe(scene.raised_if_critical(META.severity))
            .about(&[scene.target(), grant.grantee.raw()])
            .fact("grantee", grant.grantee.raw())
            .fact("operations", grant.operations.join(", "))
            .fact("constraint", "none")
            .advise(advice::revoke_grant(scene.event.provider, scene.key));
        draft.naming = Naming::Chosen;
        scene.report(draft);
    }
}

#[cfg(test)]
mod tests {
    use keyvigil_model::facts::Grant;
    use keyvigil_model::untrusted::Untrusted;

    use super::*;
    use crate::testing::{check, ev, policy};

    fn grant(operation: &str, constrained: bool) -> Facts {
        Facts::Grant(Grant {
            grantee: Untrusted::from("arn:aws:iam::111111111111:user/mallory"),
            grantee_account: Some("111111111111".into()),
            grantee_is_service: false,
            operations: vec!["Encrypt".into(), operation.into()],
            constrained,
        })
    }

    #[test]
    fn fires_on_unbounded_power_only() {
        let create = |facts| ev(Action::KeyGrantCreate).facts(facts);
        check(
            policy(),
            &[create(grant("Decrypt", false))],
            &["high key.grant_suspicious"],
        );
        check(
            policy(),
            &[create(grant("CreateGrant", false)).denied()],
            &["medium key.grant_suspicious"],
        );
        check(policy(), &[create(grant("Decrypt", true))], &[]);
        check(policy(), &[create(grant("DescribeKey", false))], &[]);
        check(
            policy(),
            &[create(grant("Decrypt", false)).via("ec2.amazonaws.com")],
            &[],
        );
        check(
            policy(),
            &[create(grant("Decrypt", false)).service("rds.amazonaws.com")],
            &[],
        );
    }
}
