//! The task that drives all pollers: full polls by schedule, targeted looks at once, both with bounded concurrency.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use keyvigil_bus::{NotCommitted, Observation};
use keyvigil_connector::call::CallContext;
use keyvigil_connector::failure::{CallError, FailureClass};
use keyvigil_connector::poller::{PollScope, Poller};
use keyvigil_model::resource::RepollRequest;
use keyvigil_model::snapshot::Snapshot;
use tokio::sync::mpsc;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;

use crate::repoll::{Look, PollerIndex, RepollBook, Routed};
use crate::schedule::{MOST_ASKED, Reaction, reaction};
use crate::settings::{PollLink, PollSettings};
use crate::sight::Sight;
use turn::Turn;

mod turn;

/// A failed look is repeated so often; after that the next full poll must do.
const LOOK_ATTEMPTS: u32 = 4;

/// Drives the pollers until shutdown. Requests for targeted looks come through `repolls`.
///
/// Polls under way at shutdown are dropped: they change nothing, and nothing is acknowledged.
pub async fn run(
    pollers: Vec<Arc<dyn Poller>>,
    settings: PollSettings,
    link: PollLink,
    repolls: mpsc::Receiver<RepollRequest>,
) {
    let mut shutdown = link.shutdown.clone();
    let mut driver = Driver::new(pollers, settings, link);
    tokio::select! {
        biased;
        // An error means that nobody is left who could ask: the same thing.
        _stop = shutdown.wait_for(|stop| *stop) => {}
        () = driver.forever(repolls) => {}
    }
}

struct Driver {
    settings: PollSettings,
    link: PollLink,
    turns: Vec<Turn>,
    book: RepollBook,
    tasks: JoinSet<Result<(), Failed>>,
    work: HashMap<Id, (Work, Instant)>,
    full_running: usize,
    looks_running: usize,
}

#[derive(Clone, Debug)]
enum Work {
    Full(PollerIndex),
    Look(Look, u32),
}

enum Failed {
    Call(CallError),
    NotCommitted,
}

/// How a task ended: with its id and what became of its work, or by a panic.
type Ended = Result<(Id, Result<(), Failed>), JoinError>;

enum Event {
    Request(Option<RepollRequest>),
    Ended(Option<Ended>),
    Due,
}

impl Driver {
    fn new(pollers: Vec<Arc<dyn Poller>>, settings: PollSettings, link: PollLink) -> Self {
        let now = Instant::now();
        let mut turns = Vec::new();
        for poller in pollers {
            let scope = poller.scope().clone();
            turns.push(Turn {
                sight: Arc::new(Sight::new(scope.clone())),
                due: now + settings.schedule.first_delay(&scope),
                scope,
                poller,
                started: None,
                not_before: None,
                running: false,
                again: false,
                round: 0,
                failures: 0,
            });
        }
        let scopes: Vec<PollScope> = turns.iter().map(|turn| turn.scope.clone()).collect();
        link.metrics.start(&scopes);
        Self {
            book: RepollBook::new(scopes, settings.look_delay, settings.storm),
            settings,
            link,
            turns,
            tasks: JoinSet::new(),
            work: HashMap::new(),
            full_running: 0,
            looks_running: 0,
        }
    }

    async fn forever(&mut self, mut repolls: mpsc::Receiver<RepollRequest>) {
        let mut open = true;
        loop {
            self.start_what_is_due();
            let due = self.next_due();
            let event = tokio::select! {
                biased;
                ended = self.tasks.join_next_with_id(), if !self.tasks.is_empty() => Event::Ended(ended),
                request = repolls.recv(), if open => Event::Request(request),
                () = sleep_until(due) => Event::Due,
            };
            match event {
                Event::Request(Some(request)) => self.take_request(&request),
                Event::Request(None) => open = false,
                Event::Ended(Some(Ok((id, result)))) => self.ended(id, result),
                Event::Ended(Some(Err(error))) => self.died(&error),
                Event::Ended(None) | Event::Due => {}
            }
        }
    }

    fn take_request(&mut self, request: &RepollRequest) {
        let metrics = &self.link.metrics;
        metrics.repolls_requested.add(1);
        match self.book.request(Instant::now(), request) {
            Routed::Queued => {}
            Routed::Coalesced => metrics.repolls_coalesced.add(1),
            Routed::Unmatched => metrics.repolls_unmatched.add(1),
            Routed::Storm(index) => {
                metrics.storms.add(1);
                self.storm(index);
            }
        }
    }

    /// Single looks do not do: the full poll comes forward, but not so far that this makes a busy loop.
    fn storm(&mut self, index: PollerIndex) {
        let turn = &mut self.turns[index];
        tracing::info!(source = %turn.scope.source, "single looks do not do: making a full poll");
        if turn.running {
            turn.again = true;
        } else {
            turn.bring_forward(self.settings.storm_gap);
        }
    }

    fn start_what_is_due(&mut self) {
        let now = Instant::now();
        while self.full_running < self.settings.full_slots.max(1) {
            let mut first: Option<PollerIndex> = None;
            for (index, turn) in self.turns.iter().enumerate() {
                let sooner = first.is_none_or(|other| turn.due < self.turns[other].due);
                if !turn.running && turn.due <= now && sooner {
                    first = Some(index);
                }
            }
            let Some(index) = first else { break };
            self.start_full(index, now);
        }
        while self.looks_running < self.settings.look_slots.max(1) {
            let Some((look, attempt)) = self.book.take_due(now) else {
                break;
            };
            self.start_look(look, attempt, now);
        }
        let running = self.full_running + self.looks_running;
        self.link.metrics.running.set(running as u64);
        self.link.metrics.repolls_waiting.set(self.book.depth() as u64);
    }

    fn start_full(&mut self, index: PollerIndex, now: Instant) {
        self.book.full_started(index);
        let turn = &mut self.turns[index];
        turn.running = true;
        turn.again = false;
        turn.started = Some(now);
        turn.round += 1;
        self.full_running += 1;
        let (poller, sight) = (Arc::clone(&turn.poller), Arc::clone(&turn.sight));
        let (link, call) = (self.link.clone(), self.call());
        let limit = self.settings.full_limit;
        let task = self.tasks.spawn(async move {
            let result = limited(limit, poller.poll(&call)).await;
            match &result {
                Ok(_) => sight.seeing(&link).await,
                Err(error) => sight.failed(&link, error).await,
            }
            publish(&link, result).await
        });
        self.work.insert(task.id(), (Work::Full(index), now));
    }

    fn start_look(&mut self, look: Look, attempt: u32, now: Instant) {
        let turn = &self.turns[look.poller];
        self.looks_running += 1;
        let (poller, sight) = (Arc::clone(&turn.poller), Arc::clone(&turn.sight));
        let (link, call) = (self.link.clone(), self.call());
        let limit = self.settings.look_limit;
        let resource = look.resource.clone();
        let task = self.tasks.spawn(async move {
            let result = limited(limit, poller.poll_one(&call, &resource)).await;
            match &result {
                // One look proves little about the whole: only a lost permission is worth telling at once.
                Err(error) if lost_permission(error.class) => sight.failed(&link, error).await,
                Ok(_) | Err(_) => {}
            }
            publish(&link, result).await
        });
        self.work.insert(task.id(), (Work::Look(look, attempt), now));
    }

    fn call(&self) -> CallContext {
        CallContext {
            now: self.link.clock.now(),
            timeout: self.settings.request_timeout,
            budget: Arc::clone(&self.link.budget),
        }
    }

    /// A task panicked: its work failed, everything else goes on.
    fn died(&mut self, error: &JoinError) {
        tracing::error!(%error, "a poller died");
        let died = CallError::new(
            FailureClass::Transient,
            "poll",
            "the poller died; see the log for the panic",
        );
        if let Some((Work::Full(index) | Work::Look(Look { poller: index, .. }, _), _)) =
            self.work.get(&error.id())
        {
            let (sight, link) = (Arc::clone(&self.turns[*index].sight), self.link.clone());
            let told = died.clone();
            let _told = self.tasks.spawn(async move {
                sight.failed(&link, &told).await;
                Ok(())
            });
        }
        self.ended(error.id(), Err(Failed::Call(died)));
    }

    fn ended(&mut self, id: Id, result: Result<(), Failed>) {
        let Some((work, started)) = self.work.remove(&id) else {
            return;
        };
        let class = match &result {
            Ok(()) => None,
            Err(Failed::Call(error)) => {
                self.link.metrics.failed(error.class);
                Some(error.class)
            }
            Err(Failed::NotCommitted) => {
                self.link.metrics.not_committed.add(1);
                Some(FailureClass::Transient)
            }
        };
        match work {
            Work::Full(index) => self.full_ended(index, started, class),
            Work::Look(look, attempt) => self.look_ended(look, attempt + 1, class),
        }
    }

    fn full_ended(&mut self, index: PollerIndex, started: Instant, class: Option<FailureClass>) {
        let now = Instant::now();
        self.full_running -= 1;
        self.book.full_ended(index, now);
        let turn = &mut self.turns[index];
        turn.running = false;
        // Counted from the start, so that a long poll does not make the interval longer.
        let scheduled = started + self.settings.schedule.next_delay(&turn.scope, turn.round);
        turn.due = scheduled.max(now);
        match class {
            None => {
                turn.failures = 0;
                turn.not_before = None;
                let at = self.link.clock.now();
                self.link.metrics.polls.add(1);
                self.link.metrics.update(index, |status| {
                    status.last_success = Some(at);
                    status.last_duration = now.duration_since(started);
                    status.failures = 0;
                });
            }
            Some(class) => {
                turn.failures = turn.failures.saturating_add(1);
                if let FailureClass::Throttled(Some(asked)) = class {
                    turn.not_before = Some(now + asked.min(MOST_ASKED));
                }
                match reaction(class, turn.failures) {
                    Reaction::RetryAfter(wait) => turn.due = turn.due.min(now + wait),
                    Reaction::KeepSchedule => {}
                }
                let failures = turn.failures;
                self.link
                    .metrics
                    .update(index, |status| status.failures = failures);
            }
        }
        if turn.again {
            turn.bring_forward(self.settings.storm_gap);
        }
        turn.keep_off();
    }

    fn look_ended(&mut self, look: Look, failures: u32, class: Option<FailureClass>) {
        self.looks_running -= 1;
        let Some(class) = class else {
            self.link.metrics.repolls.add(1);
            return;
        };
        let index = look.poller;
        match reaction(class, failures) {
            Reaction::RetryAfter(wait) if failures < LOOK_ATTEMPTS => {
                if let Routed::Storm(index) = self.book.again(Instant::now() + wait, look, failures) {
                    self.link.metrics.storms.add(1);
                    self.storm(index);
                }
            }
            Reaction::RetryAfter(_) => {
                self.link.metrics.repolls_given_up.add(1);
                self.storm(index);
            }
            Reaction::KeepSchedule => self.link.metrics.repolls_given_up.add(1),
        }
    }

    fn next_due(&self) -> Option<Instant> {
        let mut next = None;
        if self.full_running < self.settings.full_slots.max(1) {
            next = self
                .turns
                .iter()
                .filter(|turn| !turn.running)
                .map(|turn| turn.due)
                .min();
        }
        if self.looks_running < self.settings.look_slots.max(1) {
            next = next.into_iter().chain(self.book.next_due()).min();
        }
        next
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

async fn limited(
    limit: Duration,
    poll: impl Future<Output = Result<Snapshot, CallError>>,
) -> Result<Snapshot, CallError> {
    match tokio::time::timeout(limit, poll).await {
        Ok(result) => result,
        Err(_) => Err(CallError::new(
            FailureClass::Transient,
            "poll",
            format!("did not end within {limit:?}"),
        )),
    }
}

fn lost_permission(class: FailureClass) -> bool {
    matches!(class, FailureClass::Denied | FailureClass::Unauthenticated)
}

/// Hands the snapshot over and waits for its commit.
async fn publish(link: &PollLink, result: Result<Snapshot, CallError>) -> Result<(), Failed> {
    let snapshot = result.map_err(Failed::Call)?;
    let committed = link
        .publisher
        .publish(Observation::Snapshot(Box::new(snapshot)))
        .await;
    committed
        .map(|_counts| ())
        .map_err(|NotCommitted| Failed::NotCommitted)
}

#[cfg(test)]
mod tests;
