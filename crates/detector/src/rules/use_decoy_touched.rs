//! # A decoy was touched
//!
//! Finds: anything done to a key or secret of `decoys`: used, described, listed, also when it was refused. Nobody has a
//! reason to touch a decoy; whoever does is looking around.
//!
//! Severity: critical, for attempts too.
//!
//! How it can be wrong: inventory scanners describe every key. List them in `decoys.scanners` (keyvigil's own role too);
//! they may look, but not use.
//!
//! What to do: treat the credential as stolen: stop it, then look at everything that it did today.

use keyvigil_model::action::{Action, ActionSet};
use keyvigil_model::facts::Facts;
use keyvigil_model::severity::Severity;

use crate::advice;
use crate::check::CheckMeta;
use crate::policy::selector;
use crate::rule::{Attempts, Fold, Rule, Scene};

/// What it is.
pub const META: CheckMeta = CheckMeta {
    id: "use.decoy_touched",
    title: "A decoy key or secret was touched",
    severity: Severity::Critical,
    references: &["SOC2 CC7.2", "ATT&CK T1555", "ATT&CK T1580"],
    source: include_str!("use_decoy_touched.rs"),
};

/// The rule.
pub struct UseDecoyTouched;

impl Rule for UseDecoyTouched {
    fn meta(&self) -> &'static CheckMeta {
        &META
    }

    fn actions(&self) -> ActionSet {
        ActionSet::keys_and_secrets()
    }

    fn event(&self, scene: &mut Scene<'_>) {
        if !scene.class.decoy && !names_decoy_secret(scene) {
            return;
        }
        let looks = matches!(
            scene.event.action,
            Action::KeyRead | Action::KeyOther | Action::SecretList | Action::SecretOther
        );
        let principal = scene.event.principal.id.as_str();
        if looks && selector::any(&scene.policy.decoys.scanners, principal) {
            return;
        }
        let mut draft = scene
            .draft(&META)
            .about(&[scene.target(), principal])
            .fact("operation", scene.event.action.as_str())
            .advise(advice::stop_principal(&scene.event.principal));
        draft.attempts = Attempts::Same;
        draft.fold = Fold::Hourly;
        scene.report(draft);
    }
}

/// A secret's name without the six characters that AWS appends to it in ARNs.
fn without_suffix(name: &str) -> &str {
    match name.rsplit_once('-') {
        Some((bare, suffix))
            if suffix.len() == 6 && suffix.bytes().all(|byte| byte.is_ascii_alphanumeric()) =>
        {
            bare
        }
        _no_suffix => name,
    }
}

fn names_decoy_secret(scene: &Scene<'_>) -> bool {
    let decoys = &scene.policy.decoys.secrets;
    if decoys.is_empty() || !scene.event.action.is_secret() {
        return false;
    }
    let matches = |name: &str| {
        let last = name.rsplit(':').next().unwrap_or(name);
        selector::any(decoys, name)
            || selector::any(decoys, last)
            || selector::any(decoys, without_suffix(last))
    };
    if scene
        .event
        .resource
        .as_ref()
        .is_some_and(|resource| matches(resource.id.as_str()))
    {
        return true;
    }
    match &scene.event.facts {
        Facts::SecretRead { secrets, .. } => secrets.iter().any(|secret| matches(secret.raw())),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check_rule, ev, learned, secrets};

    #[test]
    fn any_touch_is_an_alarm_and_scanners_may_look() {
        let mut policy = learned();
        policy.decoys.keys = vec!["*key/trap".to_owned()];
        policy.decoys.secrets = vec!["prod/root*".to_owned()];
        policy.decoys.scanners = vec!["*user/scanner".to_owned()];
        let fires = &["critical use.decoy_touched"];
        let touch = |action| ev(action).key("trap");
        check_rule(&META, policy.clone(), &[touch(Action::KeyRead)], fires);
        check_rule(
            &META,
            policy.clone(),
            &[touch(Action::KeyDecrypt).denied()],
            fires,
        );
        check_rule(
            &META,
            policy.clone(),
            &[touch(Action::KeyRead).by("scanner")],
            &[],
        );
        check_rule(
            &META,
            policy.clone(),
            &[touch(Action::KeyDecrypt).by("scanner")],
            fires,
        );
        check_rule(&META, policy.clone(), &[ev(Action::KeyDecrypt)], &[]);
        let read = |name: &str| ev(Action::SecretRead).no_key().facts(secrets(&[name]));
        check_rule(&META, policy.clone(), &[read("prod/root-password")], fires);
        let arn = "arn:aws:secretsmanager:eu-west-1:111111111111:secret:prod/root-AbCdEf";
        check_rule(&META, policy.clone(), &[read(arn)], fires);
        check_rule(&META, policy, &[read("prod/db")], &[]);
    }
}
