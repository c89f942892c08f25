//! # First use of a key by this principal
//!
//! Finds: a principal that decrypts, re-encrypts, signs or makes a code with a key that it did not use in the last
//! `thresholds.first_use.forget_days`. For a role session the principal is the role, so a new session is not news.
//!
//! Severity: medium; high for one of the policy's `critical_keys`. One step lower when a service made the call on the
//! principal's behalf, and when nobody used the key before (a new key has a first user).
//!
//! How it can be wrong: new applications. During the learning window (`learning_days`) findings are recorded as
//! suppressed. At most 100,000 pairs are remembered; the longest unused go first.
//!
//! What to do: if the principal has a reason, list it under `authorised`; if not, take the right away.

use std::time::Duration;

use keyvigil_model::action::{Action, ActionSet};
use keyvigil_model::event::Outcome;
use keyvigil_model::severity::Severity;

use crate::advice;
use crate::check::CheckMeta;
use crate::rule::{Learns, Rule, Scene};
use crate::state::first_seen::Sighting;

/// What it is.
pub const META: CheckMeta = CheckMeta {
    id: "use.first_by_principal",
    title: "First use of a key by this principal",
    severity: Severity::Medium,
    references: &["SOC2 CC6.1", "SOC2 CC7.2", "ATT&CK T1078.004", "ATT&CK T1552"],
    source: include_str!("use_first_by_principal.rs"),
};

/// The rule.
pub struct UseFirstByPrincipal;

impl Rule for UseFirstByPrincipal {
    fn meta(&self) -> &'static CheckMeta {
        &META
    }

    fn actions(&self) -> ActionSet {
        ActionSet::of(&[
            Action::KeyDecrypt,
            Action::KeyReEncrypt,
            Action::KeySign,
            Action::KeyMac,
        ])
    }

    fn event(&self, scene: &mut Scene<'_>) {
        if scene.event.outcome != Outcome::Success || scene.key.is_none() || scene.is_service() {
            return;
        }
        let days = scene.policy.thresholds.first_use.forget_days;
        let remembered = Duration::from_secs(u64::from(days) * 86_400);
        let users = scene.state.key_use.partners_of_right(&scene.which);
        let keys = scene.state.key_use.partners_of_left(&scene.who);
        let since = match scene
            .state
            .key_use
            .see(&scene.who, &scene.which, scene.event.time, remembered)
        {
            Sighting::Known => return,
            Sighting::New => "never before".to_owned(),
            Sighting::Forgotten { last } => format!("last on {}", last.day()),
        };
        let mut severity = scene.raised_if_critical(META.severity);
        if scene.is_through_service() {
            severity = severity.lowered();
        }
        if users == 0 {
            severity = severity.lowered();
        }
        let principal = scene.event.principal.id.as_str();
        let mut draft = scene
            .draft(&META)
            .severe(severity)
            .about(&[scene.target(), principal])
            .normally(format!(
                "This principal used this key {since}; it uses {keys} other keys, and {users} other principals use this key."
            ))
            .advise(advice::review_use(scene.event.provider, scene.key));
        draft.learns = Learns::Yes;
        scene.report(draft);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check, check_apart, ev, learned, policy};

    fn decrypt(principal: &str) -> crate::testing::Ev {
        ev(Action::KeyDecrypt).by(principal)
    }

    #[test]
    fn learns_then_fires_once() {
        let known = decrypt("app").day(0);
        check(
            policy(),
            &[known.clone(), decrypt("app").day(20)],
            &["learning low use.first_by_principal"],
        );
        check(
            policy(),
            &[
                known.clone(),
                decrypt("mallory").day(20),
                decrypt("mallory").day(21),
            ],
            &[
                "learning low use.first_by_principal",
                "medium use.first_by_principal",
            ],
        );
        check(
            policy(),
            &[known.clone(), decrypt("mallory").day(20).via("s3.amazonaws.com")],
            &[
                "learning low use.first_by_principal",
                "low use.first_by_principal",
            ],
        );
        check(
            policy(),
            &[known.clone(), decrypt("mallory").day(13)],
            &[
                "learning low use.first_by_principal",
                "learning medium use.first_by_principal",
            ],
        );
        check(
            policy(),
            &[
                known.clone(),
                decrypt("x").day(20).service("s3.amazonaws.com"),
                decrypt("y").day(20).denied(),
            ],
            &["learning low use.first_by_principal"],
        );
    }

    #[test]
    fn a_long_absence_is_forgotten() {
        check(
            learned(),
            &[decrypt("app").day(0), decrypt("app").day(31)],
            &["low use.first_by_principal", "medium use.first_by_principal"],
        );
    }

    #[test]
    fn late_records_are_not_news() {
        check_apart(
            learned(),
            &[&[decrypt("app").minute(60)], &[decrypt("app").minute(31)]],
            &["low use.first_by_principal"],
        );
    }
}
