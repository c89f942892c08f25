//! The net under lost messages: every hour, list the log objects of the last 26 hours and read those that are not in
//! the ledger.
//!
//! Whole days are listed, never "after the last key": two objects of the same minute differ by a random suffix, and
//! the later one may sort before the earlier.

use std::sync::Arc;
use std::time::Duration;

use keyvigil_connector::failure::{CallError, FailureClass};
use keyvigil_connector::object_log::{ListPage, ObjectRef};
use keyvigil_model::time::{Day, Timestamp};

use crate::driver::{Step, wait_after};
use crate::object::{Finished, ObjectLog, Unfinished};

/// How the objects are listed.
#[derive(Clone, Debug)]
pub struct ListingSettings {
    /// Between two listings.
    pub every: Duration,
    /// How far back a listing looks; whole days are listed.
    pub lookback: Duration,
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
            for day in days(self.log.driver.now(), self.settings.lookback) {
                // A day that could not be listed to its end is told as blindness; its turn comes again.
                if self.list_day(day).await.is_err() {
                    break;
                }
            }
            tokio::time::sleep_until(started + self.settings.every).await;
        }
    }

    async fn list_day(&self, day: Day) -> Result<(), CallError> {
        let mut token: Option<Arc<str>> = None;
        for _ in 0..self.settings.max_pages {
            let page = self.page(day, token.as_deref()).await?;
            for object in &page.objects {
                self.read(object).await;
            }
            if page.next.is_none() {
                self.log.sight.seeing(&self.log.driver, Step::List).await;
                return Ok(());
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

    /// What cannot be read now is tried at the next turn, as long as the day is listed.
    async fn read(&self, object: &ObjectRef) {
        match self.log.read(object).await {
            Ok(Finished::Read) => {
                self.log.driver.metrics.objects_listed.add(1);
                tracing::info!(key = %object.key, "an object was found by listing");
            }
            Ok(Finished::Known | Finished::Quarantined) | Err(Unfinished::Busy) => {}
            Err(unfinished) => {
                tracing::warn!(key = %object.key, %unfinished, "a listed object could not be read");
                if let Unfinished::NotCommitted | Unfinished::Memory(_) = unfinished {
                    tokio::time::sleep(wait_after(FailureClass::Transient, 3)).await;
                }
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
}
