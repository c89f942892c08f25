//! # A key was opened to everyone
//!
//! Finds: a key policy that lets anybody with an account of the provider use or administer the key, evaluated with its
//! conditions, lists, negations and denials; not by searching for `*`.
//!
//! Severity: critical when everybody may decrypt with the key or administer it; high when they may only use it in other
//! ways, medium when they may only look at it. An attempt is one step lower. A policy that cannot be judged (it was cut
//! out of the record, is no policy, or rests on conditions that keyvigil does not know) is a low finding: whoever sets
//! policies must not be able to hide behind one that nobody can read.
//!
//! How it can be wrong: a policy that rests on a condition which keyvigil does not know may be closed all the same; the
//! control on the key policy then says UNKNOWN. `kms:ViaService` alone does not close a key.
//!
//! What to do: put the previous policy back, then look for uses of the key by strangers since the change.
//!
//! Closes: when a policy that is not open is set, or the control on the key policy passes again.

use keyvigil_model::action::{Action, ActionSet};
use keyvigil_model::facts::Facts;
use keyvigil_model::severity::Severity;

use crate::advice;
use crate::check::CheckMeta;
use crate::iam::{self, PublicAccess};
use crate::rule::{Rule, Scene};

/// What it is.
pub const META: CheckMeta = CheckMeta {
    id: "key.opened_to_everyone",
    title: "A key was opened to everyone",
    severity: Severity::Critical,
    references: &["SOC2 CC6.1", "SOC2 CC6.3", "ATT&CK T1098", "ATT&CK T1537"],
    source: include_str!("key_opened_to_everyone.rs"),
};

/// The rule.
pub struct KeyOpenedToEveryone;

impl Rule for KeyOpenedToEveryone {
    fn meta(&self) -> &'static CheckMeta {
        &META
    }

    fn actions(&self) -> ActionSet {
        ActionSet::of(&[Action::KeyPolicySet])
    }

    fn event(&self, scene: &mut Scene<'_>) {
        let Facts::Policy {
            policy,
            lockout_check_bypassed,
        } = &scene.event.facts
        else {
            return;
        };
        let grants = match policy.as_ref().map(iam::public_access) {
            Some(PublicAccess::Public(grants)) => grants,
            Some(PublicAccess::WithinNetwork(_) | PublicAccess::NotPublic) => return,
            Some(PublicAccess::NotConcluded(reasons)) => {
                let reasons: Vec<String> = reasons.iter().take(3).map(ToString::to_string).collect();
                return report_unjudged(scene, &reasons.join("; "));
            }
            None => return report_unjudged(scene, "the policy was cut out of the record"),
        };
        let severity = grants
            .iter()
            .map(|grant| grant.power.severity())
            .max()
            .unwrap_or(META.severity);
        let mut draft = scene
            .draft(&META)
            .severe(severity)
            .advise(advice::review_policy(scene.event.provider, scene.key));
        for grant in grants.iter().take(5) {
            draft = draft.fact("grants", grant.to_string());
        }
        if *lockout_check_bypassed {
            draft = draft.fact("lock-out check", "bypassed by the caller");
        }
        scene.report(draft);
    }
}

fn report_unjudged(scene: &mut Scene<'_>, why: &str) {
    // A refused attempt to set a policy that nobody can judge has changed nothing and says nothing.
    if !scene.event.succeeded() {
        return;
    }
    let draft = scene
        .draft(&META)
        .titled("A key policy was set that cannot be judged")
        .severe(Severity::Low)
        .fact("not judged because", why)
        .advise(advice::review_policy(scene.event.provider, scene.key));
    scene.report(draft);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check, ev, key_policy, policy};

    const OPEN: &str =
        r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"kms:Decrypt","Resource":"*"}}"#;
    const CLOSED: &str = r#"{"Statement":{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"kms:*","Resource":"*",
        "Condition":{"StringEquals":{"kms:CallerAccount":"111111111111"}}}}"#;

    #[test]
    fn fires_on_what_is_open_and_closes_with_a_closed_policy() {
        let set = |text| ev(Action::KeyPolicySet).facts(key_policy(text));
        check(policy(), &[set(OPEN)], &["critical key.opened_to_everyone"]);
        check(policy(), &[set(OPEN).denied()], &["high key.opened_to_everyone"]);
        check(policy(), &[set(CLOSED)], &[]);
        check(
            policy(),
            &[set(OPEN), set(CLOSED).minute(2)],
            &["critical key.opened_to_everyone", "cleared reverted"],
        );
        check(
            policy(),
            &[set(OPEN), set("not json").minute(2)],
            &["critical key.opened_to_everyone", "low key.opened_to_everyone"],
        );
        check(policy(), &[set("not json")], &["low key.opened_to_everyone"]);
        check(policy(), &[set("not json").denied()], &[]);
    }
}
