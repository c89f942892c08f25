//! When each poller runs: an interval by family, spread out by a seeded hash so that restarts do not align.

use std::time::Duration;

use keyvigil_connector::failure::FailureClass;
use keyvigil_connector::poller::PollScope;
use keyvigil_model::id::hash_parts;
use keyvigil_model::snapshot::Family;

/// Between two full polls, by family.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PollSchedule {
    /// Keys.
    pub keys: Duration,
    /// Buckets.
    pub buckets: Duration,
    /// Block storage.
    pub disks: Duration,
    /// Databases.
    pub databases: Duration,
    /// Audit-log configuration: keyvigil's own sight depends on it.
    pub audit_logs: Duration,
    /// Identities; AWS makes a new credential report at most every four hours.
    pub identities: Duration,
    /// After a start, the first polls are spread over this long.
    pub first_within: Duration,
    /// Makes the spread differ between installations and restarts.
    pub seed: u64,
}

impl Default for PollSchedule {
    fn default() -> Self {
        const MINUTE: u64 = 60;
        Self {
            keys: Duration::from_secs(30 * MINUTE),
            buckets: Duration::from_secs(30 * MINUTE),
            disks: Duration::from_secs(60 * MINUTE),
            databases: Duration::from_secs(30 * MINUTE),
            audit_logs: Duration::from_secs(5 * MINUTE),
            identities: Duration::from_secs(240 * MINUTE),
            first_within: Duration::from_secs(10),
            seed: 0,
        }
    }
}

impl PollSchedule {
    /// Between two full polls of the family.
    pub fn interval(&self, family: Family) -> Duration {
        let configured = match family {
            Family::Keys => self.keys,
            Family::Buckets => self.buckets,
            Family::Disks => self.disks,
            Family::Databases => self.databases,
            Family::AuditLogs => self.audit_logs,
            Family::Identities => self.identities,
        };
        // A zero would make a busy loop of a slip of the pen.
        configured.max(Duration::from_secs(1))
    }

    /// How long after the start the first poll is.
    pub fn first_delay(&self, scope: &PollScope) -> Duration {
        self.first_within.mul_f64(self.spread(scope, 0))
    }

    /// From the `round`-th poll (from 1) to the next: the interval, a tenth more or less.
    pub fn next_delay(&self, scope: &PollScope, round: u64) -> Duration {
        self.interval(scope.family)
            .mul_f64(0.9 + 0.2 * self.spread(scope, round))
    }

    /// At least 0, below 1; the same for the same seed, scope and round.
    fn spread(&self, scope: &PollScope, round: u64) -> f64 {
        let hash = hash_parts(&[
            &self.seed.to_le_bytes(),
            &round.to_le_bytes(),
            scope.source.as_str().as_bytes(),
            scope.account.as_str().as_bytes(),
            scope.region.as_str().as_bytes(),
            scope.family.as_str().as_bytes(),
        ]);
        let number = u32::from_le_bytes([hash[0], hash[1], hash[2], hash[3]]);
        f64::from(number) / (f64::from(u32::MAX) + 1.0)
    }
}

/// What to do after a failed call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reaction {
    /// Try again after this long, or at the next turn if that is sooner.
    RetryAfter(Duration),
    /// Try again at the next turn: sooner cannot help.
    KeepSchedule,
}

/// Waits that a provider asks for are honoured up to this; beyond it they are taken for a mistake.
pub(crate) const MOST_ASKED: Duration = Duration::from_secs(3_600);

/// What to do after the `attempt`-th failure in a row (from 1).
pub fn reaction(class: FailureClass, attempt: u32) -> Reaction {
    match class {
        FailureClass::Throttled(asked) => {
            let own = backoff(Duration::from_secs(5), Duration::from_secs(300), attempt);
            Reaction::RetryAfter(own.max(asked.unwrap_or_default().min(MOST_ASKED)))
        }
        FailureClass::Transient => {
            Reaction::RetryAfter(backoff(Duration::from_secs(2), Duration::from_secs(300), attempt))
        }
        // A credential that was renewed is to be noticed within a minute.
        FailureClass::Unauthenticated => Reaction::RetryAfter(Duration::from_secs(30)),
        FailureClass::Denied
        | FailureClass::NotFound
        | FailureClass::Permanent
        | FailureClass::Unreadable => Reaction::KeepSchedule,
    }
}

fn backoff(first: Duration, most: Duration, attempt: u32) -> Duration {
    first
        .saturating_mul(1 << attempt.saturating_sub(1).min(20))
        .min(most)
}

#[cfg(test)]
mod tests {
    use keyvigil_model::id::{AccountId, Region, SourceId};
    use keyvigil_model::provider::Provider;

    use super::*;

    fn scope(region: &str) -> PollScope {
        PollScope {
            source: SourceId::from("aws/prod/kms"),
            provider: Provider::Aws,
            account: AccountId::from("111122223333"),
            region: Region::from(region),
            family: Family::Keys,
        }
    }

    #[test]
    fn polls_are_spread_and_stay_near_their_interval() {
        let schedule = PollSchedule::default();
        let mut first = std::collections::BTreeSet::new();
        for number in 0..50 {
            let scope = scope(&format!("region-{number}"));
            first.insert(schedule.first_delay(&scope));
            assert!(schedule.first_delay(&scope) < schedule.first_within);
            for round in 1..20 {
                let delay = schedule.next_delay(&scope, round);
                assert!(delay >= schedule.keys.mul_f64(0.9) && delay <= schedule.keys.mul_f64(1.1));
            }
        }
        assert!(first.len() > 45, "{} different delays", first.len());
    }

    #[test]
    fn another_seed_spreads_differently() {
        let one = PollSchedule::default();
        let other = PollSchedule {
            seed: 1,
            ..PollSchedule::default()
        };
        assert_eq!(one.first_delay(&scope("r")), one.first_delay(&scope("r")));
        assert_ne!(one.first_delay(&scope("r")), other.first_delay(&scope("r")));
    }

    #[test]
    fn every_class_has_its_reaction() {
        let check = |class, attempt, expected| {
            assert_eq!(reaction(class, attempt), expected, "{class:?} {attempt}");
        };
        let after = |seconds| Reaction::RetryAfter(Duration::from_secs(seconds));
        check(FailureClass::Throttled(None), 1, after(5));
        check(
            FailureClass::Throttled(Some(Duration::from_secs(900))),
            1,
            after(900),
        );
        check(FailureClass::Throttled(Some(Duration::MAX)), 1, after(3_600));
        check(FailureClass::Throttled(None), 90, after(300));
        check(FailureClass::Transient, 1, after(2));
        check(FailureClass::Transient, 3, after(8));
        check(FailureClass::Unauthenticated, 7, after(30));
        check(FailureClass::Denied, 1, Reaction::KeepSchedule);
        check(FailureClass::NotFound, 1, Reaction::KeepSchedule);
        check(FailureClass::Permanent, 1, Reaction::KeepSchedule);
        check(FailureClass::Unreadable, 1, Reaction::KeepSchedule);
    }
}
