//! Drives a [`LogReader`]: windows by schedule, page by page, the position stored with the last page only.
//!
//! Two loops share one reader: the regular windows, and the re-scans, which take at most a quarter of the time so that
//! fresh records never wait for old ones.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keyvigil_bus::{Committed, NotCommitted};
use keyvigil_connector::failure::{CallError, FailureClass};
use keyvigil_connector::log_reader::{LogPage, LogReader, PageQuery};
use keyvigil_model::batch::{Batch, CheckpointUpdate};
use keyvigil_store::failpoint::hit;
use tokio::time::Instant;

use crate::driver::{Driver, Sight, Step, wait_after};
use crate::pull::stored::{Stored, load};
use crate::window::lateness::Recent;
use crate::window::rescan::{DueRescan, RescanState};
use crate::window::{HOLD_BACK, Pace, Trust, Window, WindowState};

pub(crate) mod stored;

/// How a log is read.
#[derive(Clone, Debug)]
pub struct PullSettings {
    /// For one page.
    pub page_timeout: Duration,
    /// Longer windows are split.
    pub max_window: Duration,
    /// The settle time never grows beyond this.
    pub settle_max: Duration,
    /// A page that fails is asked for so often before its window is started anew.
    pub page_attempts: u32,
    /// A window of more pages is given up as a loop in the source's tokens.
    pub max_pages: u32,
}

impl Default for PullSettings {
    fn default() -> Self {
        Self {
            page_timeout: Duration::from_secs(30),
            max_window: Duration::from_secs(3_600),
            settle_max: Duration::from_secs(2 * 3_600),
            page_attempts: 6,
            max_pages: 100_000,
        }
    }
}

/// Reads the log until shutdown.
pub async fn run(reader: Arc<dyn LogReader>, settings: PullSettings, driver: Driver) {
    let source = reader.source();
    let pace = Pace::of(source, settings.settle_max, settings.max_window);
    let work = async {
        let now = driver.now();
        let state = match load(&driver, &source.scope, WindowState::decode).await {
            Stored::Nothing => WindowState::first(&pace, now),
            Stored::Position(state) => state,
            Stored::Unusable => WindowState::lost(&pace, now),
        };
        let recent = Recent::default();
        let puller = Puller {
            sight: Sight::new(source.id.clone(), source.provider),
            shared: Mutex::new(Shared { state, recent }),
            reader: Arc::clone(&reader),
            driver: driver.clone(),
            pace,
            settings,
        };
        tokio::join!(puller.regular_loop(), puller.rescan_loop());
    };
    driver.until_shutdown(Box::pin(work)).await;
}

struct Puller {
    reader: Arc<dyn LogReader>,
    settings: PullSettings,
    pace: Pace,
    driver: Driver,
    sight: Sight,
    shared: Mutex<Shared>,
}

/// What the two loops know of each other.
struct Shared {
    /// The committed position.
    state: WindowState,
    recent: Recent,
}

/// Why a pass ended early. It starts again from the stored position.
enum Trouble {
    Call(CallError),
    NotCommitted,
}

/// What a window is read for, and which position its last page stores.
enum Purpose<'a> {
    Regular,
    Rescan {
        state: &'a RescanState,
        due: &'a DueRescan,
        closes: Closes,
    },
}

/// Whether a window is the last one of a re-scan.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Closes {
    Rescan,
    Nothing,
}

impl Puller {
    async fn regular_loop(&self) {
        let mut failures = 0;
        loop {
            let started = Instant::now();
            match self.regular_pass().await {
                Ok(()) => {
                    failures = 0;
                    tokio::time::sleep_until(started + self.reader.source().poll_interval).await;
                }
                Err(trouble) => {
                    failures += 1;
                    tokio::time::sleep(trouble.wait(failures)).await;
                }
            }
        }
    }

    async fn regular_pass(&self) -> Result<(), Trouble> {
        let now = self.driver.now();
        let (mut pass, trust) = self.with_state(|state| state.plan(&self.pace, now));
        if trust == Trust::ClockWasWrong {
            tracing::warn!(source = %self.reader.source().id, "the stored position lay in the future: a clock was wrong; looking back far");
        }
        while let Some(window) = pass.next_window() {
            self.read_window(&window, &Purpose::Regular).await?;
        }
        let mut shared = self.lock();
        let next_start = shared.state.floor.minus(self.pace.overlap);
        shared.recent.pass_finished(now.minus(HOLD_BACK), next_start);
        Ok(())
    }

    async fn rescan_loop(&self) {
        let source = self.reader.source();
        let scope = format!("{}/rescan", source.scope);
        let mut state = match load(&self.driver, &scope, RescanState::decode).await {
            Stored::Position(state) => state,
            Stored::Nothing => RescanState::first(&source.rescans, self.driver.now()),
            // Everything is due at once: a scan too many does no harm.
            Stored::Unusable => RescanState::default(),
        };
        let mut failures = 0;
        loop {
            let now = self.driver.now();
            let due = self.with_state(|regular| state.due(&source.rescans, regular, &self.pace, now));
            let Some(due) = due else {
                tokio::time::sleep(Duration::from_secs(60)).await;
                continue;
            };
            match self.rescan(&state, &due).await {
                Ok(()) => {
                    failures = 0;
                    state = state.after(&source.rescans, &due);
                }
                Err(trouble) => {
                    failures += 1;
                    tokio::time::sleep(trouble.wait(failures)).await;
                }
            }
        }
    }

    async fn rescan(&self, state: &RescanState, due: &DueRescan) -> Result<(), Trouble> {
        let mut pass = due.pass.clone();
        while let Some(window) = pass.next_window() {
            let closes = if pass.is_done() {
                Closes::Rescan
            } else {
                Closes::Nothing
            };
            self.read_window(&window, &Purpose::Rescan { state, due, closes })
                .await?;
        }
        Ok(())
    }

    /// Reads a frozen window to its last page. A token that is no longer accepted starts it anew, once.
    async fn read_window(&self, window: &Window, purpose: &Purpose<'_>) -> Result<(), Trouble> {
        match self.read_pages(window, purpose).await {
            Err(Trouble::Call(error)) if token_lost(error.class) => self.read_pages(window, purpose).await,
            other => other,
        }
    }

    async fn read_pages(&self, window: &Window, purpose: &Purpose<'_>) -> Result<(), Trouble> {
        let mut query = PageQuery {
            start: window.start,
            end: window.end,
            token: None,
            wanted: self.driver.wanted(),
        };
        for _ in 0..self.settings.max_pages {
            let asked = Instant::now();
            let page = self.page(&query).await?;
            let next = page.next.clone();
            if next.is_some() && next == query.token {
                return Err(Trouble::Call(bad_token(
                    "the next page has the token of this one",
                )));
            }
            self.commit_page(page, window, purpose).await?;
            if next.is_none() {
                return Ok(());
            }
            query.token = next;
            if matches!(purpose, Purpose::Rescan { .. }) {
                tokio::time::sleep(asked.elapsed() * 3).await;
            }
        }
        Err(Trouble::Call(bad_token("the window has no end")))
    }

    /// One page; failures that may pass are waited out, so that a long window need not begin again.
    async fn page(&self, query: &PageQuery) -> Result<LogPage, Trouble> {
        let mut attempt = 0;
        loop {
            let call = self.driver.call(self.settings.page_timeout);
            let answer = tokio::time::timeout(
                // The connector keeps the limit; waiting for the budget comes on top.
                self.settings.page_timeout * 4,
                self.reader.read(&call, query),
            );
            let error = match answer.await {
                Ok(Ok(page)) => {
                    self.sight.seeing(&self.driver, Step::Read).await;
                    return Ok(page);
                }
                Ok(Err(error)) => error,
                Err(_) => CallError::new(FailureClass::Transient, "read", "no answer in time"),
            };
            self.sight.failed(&self.driver, Step::Read, &error).await;
            attempt += 1;
            if !error.class.may_pass() || attempt >= self.settings.page_attempts {
                return Err(Trouble::Call(error));
            }
            tokio::time::sleep(wait_after(error.class, attempt)).await;
        }
    }

    async fn commit_page(
        &self,
        page: LogPage,
        window: &Window,
        purpose: &Purpose<'_>,
    ) -> Result<(), Trouble> {
        let source = self.reader.source();
        let last = page.next.is_none();
        let mut batch = Batch::empty(source.id.clone(), source.provider);
        batch.events = page.events;
        batch.quarantined = page.quarantined;
        batch.coverage = page.coverage;
        let nothing = batch.events.is_empty() && batch.quarantined.is_empty() && batch.coverage.is_empty();
        if !last && nothing {
            return Ok(());
        }
        match purpose {
            Purpose::Regular => self.commit_regular(batch, window, last).await,
            Purpose::Rescan { state, due, closes } => {
                if last && *closes == Closes::Rescan {
                    batch.checkpoints.push(CheckpointUpdate {
                        scope: format!("{}/rescan", source.scope).into(),
                        value: state.after(&source.rescans, due).encode().into(),
                    });
                }
                self.commit_rescan(batch, window).await
            }
        }
    }

    async fn commit_regular(&self, mut batch: Batch, window: &Window, last: bool) -> Result<(), Trouble> {
        self.measure(&batch, window);
        let mut moved = None;
        if last {
            let after = self.with_state(|state| state.after(&self.pace, window));
            batch.checkpoints.push(CheckpointUpdate {
                scope: Arc::clone(&self.reader.source().scope),
                value: after.encode().into(),
            });
            moved = Some(after);
            hit("floor_before");
        }
        self.driver.commit(batch).await?;
        if let Some(after) = moved {
            hit("floor_after");
            self.driver.metrics.checkpointed(after.floor, after.settle);
            let mut shared = self.lock();
            // The re-scans may have measured something meanwhile: only the position is taken over.
            shared.state.floor = after.floor;
            shared.state.settle = after.settle;
        }
        Ok(())
    }

    /// A new event in a re-scan is one that the regular windows missed.
    async fn commit_rescan(&self, batch: Batch, window: &Window) -> Result<(), Trouble> {
        let newest = batch.events.iter().map(|event| event.time).max();
        let Committed { new_events, .. } = self.driver.commit(batch).await?;
        let Some(newest) = newest.filter(|_| new_events > 0) else {
            return Ok(());
        };
        self.driver.metrics.late_hits.add(new_events);
        tracing::warn!(source = %self.reader.source().id, new_events, "a re-scan found events that appeared late");
        // Which of the page's events were new is not known: all were at least as late as the newest one.
        let late = window.limit.since(newest);
        self.with_state(|state| state.lateness.observe(late, new_events));
        Ok(())
    }

    fn measure(&self, batch: &Batch, window: &Window) {
        let mut shared = self.lock();
        let Shared { state, recent } = &mut *shared;
        for event in &batch.events {
            if let Some(late) = recent.lateness(event.dedupe, event.time, window.start) {
                state.lateness.observe(late, 1);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_state<T>(&self, use_it: impl FnOnce(&mut WindowState) -> T) -> T {
        use_it(&mut self.lock().state)
    }
}

impl Trouble {
    fn wait(&self, failures: u32) -> Duration {
        match self {
            Self::Call(error) => wait_after(error.class, failures),
            Self::NotCommitted => wait_after(FailureClass::Transient, failures),
        }
    }
}

impl From<NotCommitted> for Trouble {
    fn from(NotCommitted: NotCommitted) -> Self {
        Self::NotCommitted
    }
}

fn bad_token(message: &str) -> CallError {
    CallError::new(FailureClass::Unreadable, "read", message)
}

/// How a provider says that it no longer accepts a token.
fn token_lost(class: FailureClass) -> bool {
    match class {
        FailureClass::NotFound | FailureClass::Permanent | FailureClass::Unreadable => true,
        FailureClass::Throttled(_)
        | FailureClass::Transient
        | FailureClass::Denied
        | FailureClass::Unauthenticated => false,
    }
}

#[cfg(test)]
mod tests;
