//! The pull driver under paused time, against a log whose tokens are strict and whose pages fail.

use std::sync::atomic::{AtomicUsize, Ordering};

use keyvigil_connector::call::{BoxFuture, CallContext};
use keyvigil_connector::log_reader::{LogSource, Rescan};
use keyvigil_model::event::AuditEvent;
use keyvigil_model::health::SightState;
use keyvigil_model::id::SourceId;
use keyvigil_model::provider::Provider;
use keyvigil_model::time::Timestamp;
use keyvigil_model::verdict::UnknownReason;

use super::*;
use crate::clock::TokioClock;
use crate::fakes::{Life, Mood, START, World, event};

const SCOPE: &str = "aws/test/lookup/111122223333/eu-west-1";

/// An event and when it becomes visible.
struct Planned {
    event: AuditEvent,
    visible: Timestamp,
}

/// A failure at the n-th call (from 0).
#[derive(Clone, Copy)]
struct Fault {
    at: usize,
    times: usize,
    class: FailureClass,
}

struct FakeLog {
    source: LogSource,
    events: Vec<Planned>,
    faults: Vec<Fault>,
    calls: AtomicUsize,
    asked: Mutex<Vec<PageQuery>>,
}

impl FakeLog {
    /// Events as (id, seconds after the start, seconds late).
    fn of(events: &[(&str, u64, u64)], faults: &[Fault]) -> Arc<Self> {
        let mut planned = Vec::new();
        for (id, at, late) in events {
            let time = START.plus(Duration::from_secs(*at));
            planned.push(Planned {
                event: event(id, time),
                visible: time.plus(Duration::from_secs(*late)),
            });
        }
        let hour = Duration::from_secs(3_600);
        Arc::new(Self {
            source: LogSource {
                id: SourceId::from("aws/test/lookup"),
                provider: Provider::Aws,
                scope: SCOPE.into(),
                poll_interval: Duration::from_secs(30),
                settle: Duration::from_secs(1_200),
                overlap: Duration::from_secs(1_800),
                first_lookback: Duration::from_secs(600),
                rescans: vec![Rescan {
                    every: hour,
                    lookback: hour * 6,
                }],
            },
            events: planned,
            faults: faults.to_vec(),
            calls: AtomicUsize::new(0),
            asked: Mutex::default(),
        })
    }

    fn fault(&self, call: usize) -> Option<FailureClass> {
        let hit = |fault: &&Fault| call >= fault.at && call < fault.at + fault.times;
        self.faults.iter().find(hit).map(|fault| fault.class)
    }
}

impl LogReader for FakeLog {
    fn source(&self) -> &LogSource {
        &self.source
    }

    fn read<'a>(
        &'a self,
        call: &'a CallContext,
        query: &'a PageQuery,
    ) -> BoxFuture<'a, Result<LogPage, CallError>> {
        self.asked.lock().unwrap().push(query.clone());
        assert!(
            query.end <= call.now.minus(HOLD_BACK),
            "a window reaches into the present"
        );
        let call_number = self.calls.fetch_add(1, Ordering::Relaxed);
        if let Some(class) = self.fault(call_number) {
            let error = CallError::new(class, "cloudtrail:LookupEvents", "no");
            return Box::pin(std::future::ready(Err(error)));
        }
        // A token is only good with the window that it was made for.
        let window = format!("{}-{}", query.start.as_micros(), query.end.as_micros());
        let from: usize = match &query.token {
            None => 0,
            Some(token) => {
                let (of, number) = token.split_once('/').unwrap();
                assert_eq!(of, window, "a token was used with another window");
                number.parse().unwrap()
            }
        };
        let mut events = Vec::new();
        let mut index = from;
        while index < self.events.len() && events.len() < 2 {
            let planned = &self.events[index];
            let inside = planned.event.time >= query.start && planned.event.time < query.end;
            if inside && planned.visible <= call.now {
                events.push(planned.event.clone());
            }
            index += 1;
        }
        let next = (index < self.events.len()).then(|| format!("{window}/{index}").into());
        let page = LogPage {
            events,
            quarantined: Vec::new(),
            coverage: Vec::new(),
            next,
        };
        Box::pin(std::future::ready(Ok(page)))
    }
}

async fn run_for(world: &World, log: &Arc<FakeLog>, clock: TokioClock, span: Duration) -> Life {
    let life = world.live(clock);
    let reader = Arc::clone(log) as Arc<dyn LogReader>;
    let running = tokio::spawn(run(reader, PullSettings::default(), life.driver.clone()));
    tokio::time::sleep(span).await;
    life.stop.send(true).unwrap();
    running.await.unwrap();
    life
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

async fn floor(world: &World) -> Option<Timestamp> {
    let memory: &dyn crate::memory::Memory = &world.memory;
    let text = memory.checkpoint(SCOPE).await.unwrap()?;
    Some(WindowState::decode(&text).unwrap().floor)
}

#[tokio::test(start_paused = true)]
async fn every_event_is_published_and_the_floor_follows_behind() {
    let world = World::default();
    let log = FakeLog::of(
        &[("1", 5, 0), ("2", 50, 300), ("3", 100, 900), ("4", 2_000, 1_000)],
        &[],
    );
    let life = run_for(&world, &log, TokioClock::starting_at(START), seconds(3_605)).await;
    assert_eq!(world.seen(), ["1", "2", "3", "4"]);
    let expected = START.plus(seconds(3_600)).minus(HOLD_BACK).minus(seconds(1_200));
    assert_eq!(floor(&world).await, Some(expected));
    assert_eq!(life.metrics.checkpoint(), Some(expected));
    assert!(
        life.metrics.duplicates.get() > 0,
        "the overlap is read again and recognised"
    );
}

#[tokio::test(start_paused = true)]
async fn the_floor_moves_only_with_the_last_page() {
    // The first page works, every later call fails.
    let down = Fault {
        at: 1,
        times: usize::MAX - 1,
        class: FailureClass::Transient,
    };
    let world = World::default();
    let log = FakeLog::of(&[("1", 5, 0), ("2", 5, 0), ("3", 6, 0)], &[down]);
    let clock = TokioClock::starting_at(START.plus(seconds(60)));
    run_for(&world, &log, clock, seconds(600)).await;
    assert_eq!(world.seen(), ["1", "2"]);
    assert_eq!(floor(&world).await, None);
    let blind = SightState::Blind {
        call: "cloudtrail:LookupEvents".into(),
        reason: UnknownReason::Unreachable,
    };
    assert_eq!(world.lock().health[..2], [SightState::Seeing, blind]);
}

#[tokio::test(start_paused = true)]
async fn what_the_pipeline_does_not_commit_is_read_again() {
    let world = World::default();
    let log = FakeLog::of(&[("1", 5, 0), ("2", 5, 0), ("3", 6, 0)], &[]);
    let clock = TokioClock::starting_at(START.plus(seconds(60)));
    world.set(Mood::Refuses);
    let life = run_for(&world, &log, clock, seconds(300)).await;
    assert!(life.metrics.not_committed.get() > 3);
    assert_eq!(floor(&world).await, None);
    world.set(Mood::Commits);
    run_for(&world, &log, clock, seconds(60)).await;
    assert_eq!(world.seen(), ["1", "2", "3"]);
}

#[tokio::test(start_paused = true)]
async fn a_page_that_may_pass_is_asked_for_again_and_a_lost_token_starts_the_window_anew() {
    let check = async |class: FailureClass, restarted: bool| {
        let world = World::default();
        let fault = Fault {
            at: 1,
            times: 1,
            class,
        };
        let log = FakeLog::of(
            &[("1", 5, 0), ("2", 5, 0), ("3", 6, 0), ("4", 6, 0), ("5", 6, 0)],
            &[fault],
        );
        let clock = TokioClock::starting_at(START.plus(seconds(60)));
        run_for(&world, &log, clock, seconds(25)).await;
        assert_eq!(world.seen(), ["1", "2", "3", "4", "5"], "{class:?}");
        let asked = log.asked.lock().unwrap();
        assert_eq!(asked[2].token.is_none(), restarted, "{class:?}");
        let frozen = |query: &PageQuery| (query.start, query.end);
        assert!(
            asked.iter().all(|query| frozen(query) == frozen(&asked[0])),
            "{class:?}"
        );
    };
    check(FailureClass::Transient, false).await;
    check(FailureClass::Throttled(None), false).await;
    check(FailureClass::Throttled(Some(seconds(9))), false).await;
    check(FailureClass::Permanent, true).await;
    check(FailureClass::NotFound, true).await;
}

#[tokio::test(start_paused = true)]
async fn nobody_is_called_again_before_the_wait_that_was_asked_for() {
    let storm = Fault {
        at: 0,
        times: 20,
        class: FailureClass::Throttled(Some(seconds(90))),
    };
    let world = World::default();
    let log = FakeLog::of(&[("1", 5, 0)], &[storm]);
    run_for(
        &world,
        &log,
        TokioClock::starting_at(START.plus(seconds(60))),
        seconds(900),
    )
    .await;
    assert!(log.calls.load(Ordering::Relaxed) <= 10, "900 s, 90 s each");
}

#[tokio::test(start_paused = true)]
async fn very_late_events_are_found_by_a_rescan() {
    let world = World::default();
    // Visible three hours late: long behind every regular window.
    let log = FakeLog::of(&[("1", 100, 0), ("late", 200, 10_800)], &[]);
    let clock = TokioClock::starting_at(START);
    run_for(&world, &log, clock, seconds(10_700)).await;
    assert_eq!(world.seen(), ["1"]);
    let life = run_for(&world, &log, clock, seconds(4_000)).await;
    assert_eq!(world.seen(), ["1", "late"]);
    assert_eq!(life.metrics.late_hits.get(), 1);
    assert!(life.metrics.settle() > seconds(1_200), "lateness was measured");
    assert!(life.metrics.settle() <= seconds(7_200));
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_instant_loses_nothing() {
    let events: Vec<(String, u64, u64)> = (0..60)
        .map(|number| (format!("{number:02}"), number * 97 % 3_000, number * 53 % 1_200))
        .collect();
    let events: Vec<(&str, u64, u64)> = events
        .iter()
        .map(|(id, at, late)| (id.as_str(), *at, *late))
        .collect();
    let world = World::default();
    let log = FakeLog::of(&events, &[]);
    let clock = TokioClock::starting_at(START);
    for life_number in 0..200u64 {
        let life = world.live(clock);
        let reader = Arc::clone(&log) as Arc<dyn LogReader>;
        let process = run(reader, PullSettings::default(), life.driver.clone());
        // From before the first page to well into the second window.
        let dies = Duration::from_millis(life_number * 317 % 45_000);
        assert!(tokio::time::timeout(dies, process).await.is_err());
        drop(life);
        tokio::time::sleep(Duration::from_secs(life_number % 17)).await;
    }
    run_for(&world, &log, clock, seconds(60)).await;
    assert_eq!(world.seen().len(), 60);
}
