//! # A source of events fell silent
//!
//! Finds: an account and region from which a source delivered records regularly and now delivers none, or delivers others
//! but none of the key service. An attacker who switches a log off makes this silence; so does a broken delivery.
//!
//! The deadline is `silence.pause_factor` times the longest pause of the recent past, between `silence.min_minutes` and
//! `silence.max_minutes`; a fixed one for a source can be set in `silence.sources`. Without a fixed one, a source is
//! watched once it spoke at least ten times over a day; its key records once there were fifty such deliveries.
//!
//! Severity: high; medium if only the key records are missing.
//!
//! How it can be wrong: regions with hardly any traffic. Give such a source a fixed, longer deadline. After a break of
//! keyvigil itself, waiting starts again.
//!
//! What to do: check that the audit log still runs and delivers; `keyvigil doctor` tests the way.
//!
//! Closes: when records arrive again.

use keyvigil_model::batch::Coverage;
use keyvigil_model::id::{AccountId, Region, SourceId};
use keyvigil_model::provider::Provider;
use keyvigil_model::severity::Severity;
use keyvigil_model::time::Timestamp;

use crate::advice;
use crate::check::CheckMeta;
use crate::engine::report::fingerprint;
use crate::policy::Policy;
use crate::rule::{Draft, Rule, Stage};
use crate::state::coverage::{Heard, Pulse};
use crate::state::{Hash, hash_all};

/// What it is.
pub const META: CheckMeta = CheckMeta {
    id: "audit.source_silent",
    title: "A source of events fell silent",
    severity: Severity::High,
    references: &["SOC2 CC6.8", "SOC2 CC7.2", "ATT&CK T1562.008"],
    source: include_str!("audit_source_silent.rs"),
};

const MINUTE: i64 = 60_000_000;
const DAY: i64 = 86_400_000_000;

/// The rule.
pub struct AuditSourceSilent;

impl Rule for AuditSourceSilent {
    fn meta(&self) -> &'static CheckMeta {
        &META
    }

    fn coverage(&self, stage: &mut Stage<'_>, source: &SourceId, provider: Provider, seen: &Coverage) {
        if seen.records == 0 {
            return;
        }
        let id = row_id(source, seen);
        let now = stage.now.as_micros();
        let heard = stage.state.heard.entry(id, || Heard {
            source: source.as_str().into(),
            provider: provider.as_str().into(),
            account: seen.account.as_str().into(),
            region: seen.region.as_str().into(),
            any: Pulse::default(),
            keys: Pulse::default(),
        });
        heard.any.beat(now);
        if std::mem::take(&mut heard.any.silent) {
            let draft = draft(heard, What::Any, stage.now);
            stage.returned.push(fingerprint(&draft));
        }
        if seen.key_records > 0 {
            heard.keys.beat(now);
            if std::mem::take(&mut heard.keys.silent) {
                let draft = draft(heard, What::Keys, stage.now);
                stage.returned.push(fingerprint(&draft));
            }
        }
    }

    fn tick(&self, stage: &mut Stage<'_>) {
        let now = stage.now.as_micros();
        let resumed = stage.resumed.as_micros();
        let mut silent: Vec<(Hash, What)> = Vec::new();
        for (id, heard) in stage.state.heard.values() {
            if let Some(deadline) = deadline(stage.policy, heard, What::Any)
                && now - heard.any.last.max(resumed) > deadline
            {
                if !heard.any.silent {
                    silent.push((*id, What::Any));
                }
                // Whoever says nothing at all says nothing about keys either: once is enough.
                continue;
            }
            if !heard.keys.silent
                && let Some(deadline) = deadline(stage.policy, heard, What::Keys)
                && now - heard.keys.last.max(resumed) > deadline
            {
                silent.push((*id, What::Keys));
            }
        }
        silent.sort_unstable();
        for (id, what) in silent {
            let Some(heard) = stage.state.heard.get_mut(&id) else {
                continue;
            };
            match what {
                What::Any => heard.any.silent = true,
                What::Keys => heard.keys.silent = true,
            }
            let draft = draft(heard, what, stage.now);
            stage.drafts.push(draft);
        }
    }
}

/// What is missing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum What {
    Any,
    Keys,
}

fn row_id(source: &SourceId, seen: &Coverage) -> Hash {
    hash_all(&[source.as_str(), seen.account.as_str(), seen.region.as_str()])
}

/// Microseconds of silence that are too many; `None` while it is not known what is usual.
fn deadline(policy: &Policy, heard: &Heard, what: What) -> Option<i64> {
    let (pulse, enough) = match what {
        What::Any => (&heard.any, 10),
        What::Keys => (&heard.keys, 50),
    };
    if what == What::Any
        && let Some(minutes) = policy.silence.fixed_minutes(&heard.source)
    {
        return Some(i64::from(minutes) * MINUTE);
    }
    if pulse.times < enough || pulse.last - pulse.first < DAY {
        return None;
    }
    let (low, high) = (
        i64::from(policy.silence.min_minutes) * MINUTE,
        i64::from(policy.silence.max_minutes) * MINUTE,
    );
    let usual = pulse.pause.saturating_mul(i64::from(policy.silence.pause_factor));
    Some(usual.max(low).min(high.max(low)))
}

fn draft(heard: &Heard, what: What, now: Timestamp) -> Draft {
    let (title, severity, word, pulse) = match what {
        What::Any => (META.title, META.severity, "records", &heard.any),
        What::Keys => (
            "Records of the key service stopped while others arrive",
            Severity::Medium,
            "key records",
            &heard.keys,
        ),
    };
    let provider = Provider::parse(&heard.provider).unwrap_or(Provider::Saas);
    let place = (
        provider,
        AccountId::from(&*heard.account),
        Region::from(&*heard.region),
    );
    let quiet = (now.as_micros() - pulse.last) / MINUTE;
    Draft::of_state(&META, &SourceId::from(&*heard.source), place, now)
        .titled(title)
        .severe(severity)
        .about(&[&heard.source, &heard.region, word])
        .saying(&format!(
            "Source {} delivered no {word} of account {} in {} for {quiet} minutes.",
            heard.source, heard.account, heard.region
        ))
        .fact("last arrival", Timestamp::from_micros(pulse.last).to_string())
        .normally(format!(
            "It spoke {} times before; the longest recent pause was {} minutes.",
            pulse.times,
            pulse.pause / MINUTE
        ))
        .advise(advice::check_source())
}

#[cfg(test)]
mod tests {
    use crate::policy::settings::SourceDeadline;
    use crate::testing::{World, policy};

    /// A source that speaks every ten minutes for two days, then stops; ticks every ten minutes.
    fn world() -> World {
        let mut world = World::new(policy());
        for minute in (0..2880).step_by(10) {
            world.tick_minute(minute);
            world.covered(minute, 5, 1);
        }
        world
    }

    fn wait(world: &mut World, from: i64, to: i64) {
        for minute in (from..=to).step_by(5) {
            world.tick_minute(minute);
        }
    }

    #[test]
    fn silence_is_told_once_and_ends_with_speech() {
        let mut world = world();
        wait(&mut world, 2875, 2930);
        assert_eq!(world.log(), Vec::<String>::new());
        wait(&mut world, 2935, 3100);
        assert_eq!(world.log(), ["high audit.source_silent"]);
        world.covered(3105, 5, 1);
        assert_eq!(
            world.log(),
            ["high audit.source_silent", "cleared source_returned"]
        );
    }

    #[test]
    fn missing_key_records_are_told_apart() {
        let mut world = world();
        for minute in (2880..3000).step_by(10) {
            world.tick_minute(minute);
            world.covered(minute, 5, 0);
        }
        assert_eq!(world.log(), ["medium audit.source_silent"]);
    }

    #[test]
    fn a_break_of_keyvigil_is_not_silence_of_the_source() {
        let mut world = world();
        wait(&mut world, 9000, 9055);
        assert_eq!(world.log(), Vec::<String>::new());
        wait(&mut world, 9060, 9070);
        assert_eq!(world.log(), ["high audit.source_silent"]);
    }

    #[test]
    fn a_fixed_deadline_needs_no_learning() {
        let mut policy = policy();
        policy.silence.sources = vec![SourceDeadline {
            source: "test*".to_owned(),
            minutes: 30,
        }];
        let mut world = World::new(policy);
        world.tick_minute(0);
        world.covered(0, 1, 0);
        wait(&mut world, 5, 30);
        assert_eq!(world.log(), Vec::<String>::new());
        wait(&mut world, 35, 60);
        assert_eq!(world.log(), ["high audit.source_silent"]);
    }
}
