//! # A key was shared outside the organisation
//!
//! Finds: a key policy or a grant that lets an account, identity, organisation or identity provider use the key that is
//! neither the key's own account, nor one of `organisation.accounts`, nor a partner whose trust has not expired.
//!
//! Severity: high; critical for one of the policy's `critical_keys`. An attempt is one step lower.
//!
//! How it can be wrong: `organisation.accounts` is empty or lacks an account: list your accounts. A vendor that really
//! has to use the key belongs into `partners`, with an owner and an end.
//!
//! What to do: take the access back, then look for uses of the key from that account.
//!
//! Closes: when a policy without the outsider is set, or the control on cross-account access passes again. A grant is
//! closed by hand: the record of its revocation does not say to whom it was given.

use keyvigil_model::action::{Action, ActionSet};
use keyvigil_model::facts::Facts;
use keyvigil_model::severity::Severity;

use crate::advice;
use crate::check::CheckMeta;
use crate::iam::{self, Boundary, OutsideAccess, Outsider};
use crate::policy::trust::Trust;
use crate::rule::{Naming, Rule, Scene};

/// What it is.
pub const META: CheckMeta = CheckMeta {
    id: "key.shared_outside",
    title: "A key was shared outside the organisation",
    severity: Severity::High,
    references: &[
        "SOC2 CC6.1",
        "SOC2 CC6.3",
        "SOC2 CC6.6",
        "ATT&CK T1098",
        "ATT&CK T1537",
    ],
    source: include_str!("key_shared_outside.rs"),
};

/// The rule.
pub struct KeySharedOutside;

impl Rule for KeySharedOutside {
    fn meta(&self) -> &'static CheckMeta {
        &META
    }

    fn actions(&self) -> ActionSet {
        ActionSet::of(&[Action::KeyPolicySet, Action::KeyGrantCreate])
    }

    fn event(&self, scene: &mut Scene<'_>) {
        match &scene.event.facts {
            Facts::Policy {
                policy: Some(policy), ..
            } => {
                let access = outside(scene, policy);
                by_policy(scene, &access);
            }
            Facts::Grant(grant) if !grant.grantee_is_service => {
                let Some(account) = &grant.grantee_account else {
                    return;
                };
                if scene.policy.trust(account, Some(scene.home()), scene.event.time) != Trust::Outside {
                    return;
                }
                let mut draft = scene
                    .draft(&META)
                    .titled("A grant on a key was given to an account outside the organisation")
                    .severe(scene.raised_if_critical(META.severity))
                    .about(&[scene.target(), "grant", account.as_str()])
                    .fact("grantee", grant.grantee.raw())
                    .fact("operations", grant.operations.join(", "))
                    .advise(advice::revoke_grant(scene.event.provider, scene.key));
                draft.naming = Naming::Chosen;
                scene.report(draft);
            }
            _ => {}
        }
    }
}

/// Who outside the organisation the policy lets in; everybody is another rule's matter.
pub fn outside(scene: &Scene<'_>, policy: &keyvigil_model::policy_text::PolicyText) -> OutsideAccess {
    let mut boundary = Boundary::default();
    boundary.accounts.insert(scene.home().as_str().to_owned());
    boundary
        .accounts
        .extend(scene.policy.organisation.accounts.iter().cloned());
    for partner in &scene.policy.partners {
        let account = partner.account.as_str().into();
        if scene.policy.trust(&account, None, scene.event.time) != Trust::Outside {
            boundary.accounts.insert(partner.account.clone());
        }
    }
    boundary
        .organisations
        .extend(scene.policy.organisation.ids.iter().cloned());
    let mut access = iam::outside_principals(policy, &boundary);
    access.grants.retain(|grant| match grant.who {
        Outsider::Anonymous | Outsider::AnyAccount | Outsider::AnyService => false,
        Outsider::Account(_)
        | Outsider::Identity { .. }
        | Outsider::Organisation(_)
        | Outsider::Service(_)
        | Outsider::ServiceFor(_)
        | Outsider::Federated(_) => true,
    });
    access
}

fn by_policy(scene: &mut Scene<'_>, access: &OutsideAccess) {
    if access.grants.is_empty() {
        return;
    }
    let mut draft = scene
        .draft(&META)
        .severe(scene.raised_if_critical(META.severity))
        .advise(advice::review_policy(scene.event.provider, scene.key));
    for grant in access.grants.iter().take(10) {
        draft = draft.fact("grants", grant.to_string());
    }
    scene.report(draft);
}

#[cfg(test)]
mod tests {
    use keyvigil_model::facts::Grant;
    use keyvigil_model::untrusted::Untrusted;

    use super::*;
    use crate::testing::{check, ev, key_policy, policy};

    fn shared_with(account: &str) -> String {
        format!(
            r#"{{"Statement":{{"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{account}:root"}},"Action":"kms:Decrypt","Resource":"*"}}}}"#
        )
    }

    #[test]
    fn policies() {
        let set = |account: &str| ev(Action::KeyPolicySet).facts(key_policy(&shared_with(account)));
        check(policy(), &[set("999999999999")], &["high key.shared_outside"]);
        check(policy(), &[set("111111111111")], &[]);
        check(policy(), &[set("222222222222")], &[]);
        check(
            policy(),
            &[set("999999999999"), set("111111111111").minute(1)],
            &["high key.shared_outside", "cleared reverted"],
        );
    }

    #[test]
    fn grants() {
        let grant = |account: &str, grantee_is_service| {
            ev(Action::KeyGrantCreate).facts(Facts::Grant(Grant {
                grantee: Untrusted::new(format!("arn:aws:iam::{account}:role/x")),
                grantee_account: Some(account.into()),
                grantee_is_service,
                operations: vec!["Encrypt".into()],
                constrained: true,
            }))
        };
        check(
            policy(),
            &[grant("999999999999", false)],
            &["high key.shared_outside"],
        );
        check(policy(), &[grant("999999999999", true)], &[]);
        check(policy(), &[grant("222222222222", false)], &[]);
    }
}
