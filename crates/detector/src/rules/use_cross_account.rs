//! # A key was used across the boundary of the organisation
//!
//! Finds: a principal of an account outside the organisation that uses one of our keys, and one of our principals that
//! uses a key of an account outside: the latter is how data is re-encrypted so that only somebody else can read it.
//! Accounts of `organisation.accounts` and unexpired `partners` are inside. With an empty list only the account of the
//! log is.
//!
//! Severity: high; critical for one of the policy's `critical_keys`. An attempt is one step lower.
//!
//! How it can be wrong: `organisation.accounts` lacks an account. Services of the provider are left out.
//!
//! What to do: if the account is a partner's, list it with an owner and an end; otherwise close the key policy and
//! find out what was encrypted or read.
//!
//! Such a call is logged in both accounts; the two records share an id and make one finding.

use keyvigil_model::action::{Action, ActionSet};
use keyvigil_model::severity::Severity;

use crate::advice;
use crate::check::CheckMeta;
use crate::policy::trust::Trust;
use crate::rule::{Fold, Rule, Scene};

/// What it is.
pub const META: CheckMeta = CheckMeta {
    id: "use.cross_account",
    title: "A key was used across the boundary of the organisation",
    severity: Severity::High,
    references: &["SOC2 CC6.1", "SOC2 CC6.6", "ATT&CK T1537"],
    source: include_str!("use_cross_account.rs"),
};

/// The rule.
pub struct UseCrossAccount;

/// Which side of a use is outside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outside {
    /// The caller.
    Caller,
    /// The key.
    Key,
}

/// Which side of the event is outside, if one is.
pub fn outside(scene: &Scene<'_>) -> Option<Outside> {
    let caller = scene.event.principal.account.as_ref()?;
    let holder = scene.key?.account.as_ref()?;
    if caller == holder || scene.is_service() {
        return None;
    }
    // An account whose log is read is not ours for that reason alone, once ours are listed.
    let log = scene
        .policy
        .organisation
        .accounts
        .is_empty()
        .then_some(&scene.event.account);
    let time = scene.event.time;
    if scene.policy.trust(caller, log, time) == Trust::Outside {
        return Some(Outside::Caller);
    }
    (scene.policy.trust(holder, log, time) == Trust::Outside).then_some(Outside::Key)
}

impl Rule for UseCrossAccount {
    fn meta(&self) -> &'static CheckMeta {
        &META
    }

    fn actions(&self) -> ActionSet {
        ActionSet::of(&[
            Action::KeyEncrypt,
            Action::KeyDecrypt,
            Action::KeyReEncrypt,
            Action::KeyDataKey,
            Action::KeySign,
            Action::KeyMac,
        ])
    }

    fn event(&self, scene: &mut Scene<'_>) {
        let Some(side) = outside(scene) else {
            return;
        };
        let (Some(caller), Some(holder)) = (
            &scene.event.principal.account,
            scene.key.and_then(|key| key.account.as_ref()),
        ) else {
            return;
        };
        let title = match side {
            Outside::Caller => "A principal from outside the organisation used a key",
            Outside::Key => "A key outside the organisation was used",
        };
        let mut draft = scene
            .draft(&META)
            .titled(title)
            .severe(scene.raised_if_critical(META.severity))
            .about(&[caller.as_str(), holder.as_str()])
            .fact("account of the caller", caller.as_str())
            .fact("account of the key", holder.as_str())
            .advise(advice::review_use(scene.event.provider, scene.key));
        if scene.policy.organisation.accounts.is_empty() {
            draft = draft.normally(
                "No accounts are listed in policy.organisation.accounts, so every other account is outside.",
            );
        }
        draft.fold = Fold::Hourly;
        scene.report(draft);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check_rule, ev, learned};

    #[test]
    fn fires_on_either_side_outside() {
        let call = |caller: &str, holder: &str| ev(Action::KeyDecrypt).caller_in(caller).key_in(holder);
        let fires = &["high use.cross_account"];
        check_rule(&META, learned(), &[call("111111111111", "111111111111")], &[]);
        check_rule(&META, learned(), &[call("111111111111", "222222222222")], &[]);
        check_rule(&META, learned(), &[call("999999999999", "111111111111")], fires);
        check_rule(&META, learned(), &[call("111111111111", "999999999999")], fires);
        check_rule(
            &META,
            learned(),
            &[call("999999999999", "111111111111").denied()],
            &["medium use.cross_account"],
        );
        check_rule(
            &META,
            learned(),
            &[call("999999999999", "111111111111").service("s3.amazonaws.com")],
            &[],
        );
    }

    #[test]
    fn repeats_fold_by_the_hour_and_the_copies_of_one_call_are_one() {
        let call = |minute| {
            ev(Action::KeyDecrypt)
                .caller_in("999999999999")
                .key_in("111111111111")
                .minute(minute)
        };
        let one = &["high use.cross_account"];
        check_rule(&META, learned(), &[call(0), call(5), call(59)], one);
        check_rule(&META, learned(), &[call(0), call(60)], &[one[0], one[0]]);
        let copy = |log: &str| call(0).shared("s-1").in_log(log);
        check_rule(
            &META,
            learned(),
            &[copy("111111111111"), copy("999999999999")],
            one,
        );
        check_rule(
            &META,
            learned(),
            &[copy("999999999999"), copy("111111111111")],
            one,
        );
    }
}
