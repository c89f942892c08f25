//! The net under lost messages: every hour, list the log objects of the last 26 hours and read those that are not in
//! the ledger.
//!
//! As long as a listing or an object in it fails, the next one looks back further: to 26 hours before the last listing
//! in which everything was read, up to 35 days. A message is given up after its fifth delivery; what it announced is
//! found here when access is back.
//!
//! Whole days are listed, never "after the last key": two objects of the same minute differ by a random suffix, and
//! the later one may sort before the earlier.

use std::sync::Arc;
use std::time::Duration;

use keyvigil_connector::failure::{CallError, FailureClass};
use keyvigil_connector::object_log::{ListPage, ObjectRef};
use keyvigil_model::batch::{Batch, CheckpointUpdate};
use keyvigil_model::time::{Day, Timestamp};

use crate::driver::{Step, wait_after};
use crate::object::{Finished, ObjectLog, Unfinished};
use crate::pull::stored::{Stored, load};

/// How the objects are listed.
#[derive(Clone, Debug)]
pub struct ListingSettings {
    /// Between two listings.
    pub every: Duration,
    /// How far back a listing looks before the last complete one; whole days are listed.
    pub lookback: Duration,
    /// No listing looks back further.
    pub most_lookback: Duration,
    /// For one page.
    pub page_timeout: Duration,
    /// A page that fails is asked for so often before the listing is given up until its next turn.
    pub page_attempts: u32,
    /// A day of more pages is given up as a loop in the store's tokens.
    pub max_pages: u32,
}

impl Default for ListingSettings {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(3_600),
            lookback: Duration::from_secs(26 * 3_600),
            most_lookback: Duration::from_secs(35 * 24 * 3_600),
            page_timeout: Duration::from_secs(30),
            page_attempts: 6,
            max_pages: 100_000,
        }
    }
}

/// Lists and reads until shutdown; the first time at once.
pub async fn run(log: Arc<ObjectLog>, settings: ListingSettings) {
    let driver = log.driver.clone();
    let lister = Lister {
        log: Arc::clone(&log),
        settings,
    };
    driver.until_shutdown(Box::pin(lister.forever())).await;
    log.forgive().await;
}

struct Lister {
    log: Arc<ObjectLog>,
    settings: ListingSettings,
}

/// What became of a listing, or of an object in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Sweep {
    /// Everything is read, or in quarantine for good.
    Complete,
    /// Something is left for the next listing.
    Partial,
}

/// How far back a listing looks that follows a complete one of then.
fn lookback(settings: &ListingSettings, now: Timestamp, complete: &Stored<Timestamp>) -> Duration {
    match complete {
        Stored::Nothing => settings.lookback,
        Stored::Position(then) => now
            .since(*then)
            .saturating_add(settings.lookback)
            .min(settings.most_lookback),
        Stored::Unusable => settings.most_lookback,
    }
}

fn decode(text: &str) -> Result<Timestamp, std::num::ParseIntError> {
    text.parse().map(Timestamp::from_micros)
}

/// The days that hold the last `lookback`, oldest first.
fn days(now: Timestamp, lookback: Duration) -> Vec<Day> {
    let mut day = now.minus(lookback).day();
    let mut days = Vec::new();
    while day <= now.day() {
        days.push(day);
        day = day.next();
    }
    days
}

impl Lister {
    async fn forever(&self) {
        loop {
            let started = tokio::time::Instant::now();
            self.list().await;
            tokio::time::sleep_until(started + self.settings.every).await;
        }
    }

    async fn list(&self) {
        let now = self.log.driver.now();
        let complete = load(&self.log.driver, &self.scope(), decode).await;
        if matches!(complete, Stored::Nothing) {
            // The first listing of all: what fails from now on is looked for from here.
            self.remember(now).await;
        }
        let mut sweep = Sweep::Complete;
        for day in days(now, lookback(&self.settings, now, &complete)) {
            match self.list_day(day).await {
                Ok(Sweep::Complete) => {}
                Ok(Sweep::Partial) => sweep = Sweep::Partial,
                Err(_) => {
                    // A day that could not be listed to its end is told as blindness; its turn comes again.
                    sweep = Sweep::Partial;
                    break;
                }
            }
        }
        match sweep {
            Sweep::Complete => self.remember(now).await,
            Sweep::Partial => tracing::warn!(
                source = %self.log.source().id,
                "not every listed object could be read: the next listing looks back as far again"
            ),
        }
    }

    fn scope(&self) -> String {
        format!("{}/listing", self.log.source().id)
    }

    /// Commits that everything before `then` is read.
    async fn remember(&self, then: Timestamp) {
        let source = self.log.source();
        let mut batch = Batch::empty(source.id.clone(), source.provider);
        batch.checkpoints.push(CheckpointUpdate {
            scope: self.scope().into(),
            value: then.as_micros().to_string().into(),
        });
        if let Err(error) = self.log.driver.commit(batch).await {
            tracing::warn!(source = %source.id, %error, "a listing could not be noted; the next looks back further");
        }
    }

    async fn list_day(&self, day: Day) -> Result<Sweep, CallError> {
        let mut token: Option<Arc<str>> = None;
        let mut sweep = Sweep::Complete;
        for _ in 0..self.settings.max_pages {
            let page = self.page(day, token.as_deref()).await?;
            for object in &page.objects {
                if self.read(object).await == Sweep::Partial {
                    sweep = Sweep::Partial;
                }
            }
            if page.next.is_none() {
                self.log.sight.seeing(&self.log.driver, Step::List).await;
                return Ok(sweep);
            }
            if page.next == token {
                break;
            }
            token = page.next;
        }
        let error = CallError::new(FailureClass::Unreadable, "list", "the listing has no end");
        self.log.sight.failed(&self.log.driver, Step::List, &error).await;
        Err(error)
    }

    async fn page(&self, day: Day, token: Option<&str>) -> Result<ListPage, CallError> {
        let mut attempt = 0;
        loop {
            let call = self.log.driver.call(self.settings.page_timeout);
            let listing = self.log.store().list(&call, day, token);
            let error = match tokio::time::timeout(self.settings.page_timeout * 4, listing).await {
                Ok(Ok(page)) => return Ok(page),
                Ok(Err(error)) => error,
                Err(_) => CallError::new(FailureClass::Transient, "list", "no answer in time"),
            };
            self.log.sight.failed(&self.log.driver, Step::List, &error).await;
            attempt += 1;
            if !error.class.may_pass() || attempt >= self.settings.page_attempts {
                return Err(error);
            }
            tokio::time::sleep(wait_after(error.class, attempt)).await;
        }
    }

    /// What cannot be read now is tried at the next turn.
    async fn read(&self, object: &ObjectRef) -> Sweep {
        match self.log.read(object).await {
            Ok(Finished::Read) => {
                self.log.driver.metrics.objects_listed.add(1);
                tracing::info!(key = %object.key, "an object was found by listing");
                Sweep::Complete
            }
            Ok(Finished::Known | Finished::Quarantined) => Sweep::Complete,
            // Nobody knows yet how that ends.
            Err(Unfinished::Busy) => Sweep::Partial,
            Err(unfinished) => {
                tracing::warn!(key = %object.key, %unfinished, "a listed object could not be read");
                if let Unfinished::NotCommitted | Unfinished::Memory(_) = unfinished {
                    tokio::time::sleep(wait_after(FailureClass::Transient, 3)).await;
                }
                Sweep::Partial
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_days_are_listed() {
        let check = |now: &str, expected: &[&str]| {
            let now = Timestamp::parse_rfc3339(now).unwrap();
            let listed = days(now, Duration::from_secs(26 * 3_600));
            let listed: Vec<String> = listed.iter().map(ToString::to_string).collect();
            assert_eq!(listed, expected, "{now}");
        };
        check("2026-03-10T12:00:00Z", &["2026-03-09", "2026-03-10"]);
        check(
            "2026-03-10T01:00:00Z",
            &["2026-03-08", "2026-03-09", "2026-03-10"],
        );
    }
    #[test]
    fn a_listing_looks_back_to_before_the_last_complete_one() {
        let now = Timestamp::from_secs(1_700_000_000);
        let check = |complete: Stored<Timestamp>, hours: u64| {
            let looked = lookback(&ListingSettings::default(), now, &complete);
            assert_eq!(looked, Duration::from_secs(hours * 3_600));
        };
        let ago = |hours: u64| Stored::Position(now.minus(Duration::from_secs(hours * 3_600)));
        check(Stored::Nothing, 26);
        check(ago(1), 27);
        check(ago(72), 98);
        check(ago(24 * 400), 35 * 24);
        check(Stored::Unusable, 35 * 24);
        // The clock was set back.
        check(Stored::Position(now.plus(Duration::from_secs(9_000))), 26);
    }
}
