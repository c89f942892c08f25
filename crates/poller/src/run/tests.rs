//! The driver under paused time, with pollers that answer as told.

use std::sync::Mutex;

use keyvigil_bus::{Committed, topic};
use keyvigil_connector::call::{BoxFuture, Clock, Unlimited};
use keyvigil_connector::poller::Poller;
use keyvigil_model::health::{SightState, SourceHealth};
use keyvigil_model::id::{AccountId, Region, ResourceId, SourceId};
use keyvigil_model::provider::Provider;
use keyvigil_model::resource::{ResourceKind, ResourceRef};
use keyvigil_model::snapshot::{Family, SnapshotScope};
use keyvigil_model::time::Timestamp;
use keyvigil_model::verdict::UnknownReason;
use tokio::sync::watch;

use super::*;
use crate::metrics::PollMetrics;
use crate::schedule::PollSchedule;

/// How a poller answers.
#[derive(Clone)]
enum Answer {
    After(Duration),
    Fails(FailureClass),
    Panics,
}

struct FakePoller {
    scope: PollScope,
    /// What full polls answer, one after the other; the last one for good.
    full: Vec<Answer>,
    look: Answer,
    began: Instant,
    /// Seconds after the start at which polls and looks began.
    fulls: Mutex<Vec<u64>>,
    looks: Mutex<Vec<(u64, String)>>,
}

impl FakePoller {
    fn of(region: &str, full: &[Answer], look: Answer) -> Arc<Self> {
        Arc::new(Self {
            scope: PollScope {
                source: SourceId::from("aws/test/kms"),
                provider: Provider::Aws,
                account: AccountId::from("111122223333"),
                region: Region::from(region),
                family: Family::Keys,
            },
            full: full.to_vec(),
            look,
            began: Instant::now(),
            fulls: Mutex::default(),
            looks: Mutex::default(),
        })
    }

    fn fulls(&self) -> Vec<u64> {
        self.fulls.lock().unwrap().clone()
    }

    fn looks(&self) -> Vec<(u64, String)> {
        self.looks.lock().unwrap().clone()
    }

    async fn answer(&self, answer: Answer, scope: SnapshotScope) -> Result<Snapshot, CallError> {
        match answer {
            Answer::After(wait) => tokio::time::sleep(wait).await,
            Answer::Fails(class) => return Err(CallError::new(class, "kms:ListKeys", "no")),
            Answer::Panics => panic!("a bug in a poller"),
        }
        Ok(Snapshot {
            source: self.scope.source.clone(),
            provider: self.scope.provider,
            account: self.scope.account.clone(),
            region: self.scope.region.clone(),
            taken_at: Timestamp::EPOCH,
            scope,
            resources: Vec::new(),
            blind: Vec::new(),
        })
    }
}

impl Poller for FakePoller {
    fn scope(&self) -> &PollScope {
        &self.scope
    }

    fn poll<'a>(&'a self, _call: &'a CallContext) -> BoxFuture<'a, Result<Snapshot, CallError>> {
        let mut fulls = self.fulls.lock().unwrap();
        let answer = self.full[fulls.len().min(self.full.len() - 1)].clone();
        fulls.push(self.began.elapsed().as_secs());
        Box::pin(self.answer(answer, SnapshotScope::Complete(vec![Family::Keys])))
    }

    fn poll_one<'a>(
        &'a self,
        _call: &'a CallContext,
        resource: &'a ResourceRef,
    ) -> BoxFuture<'a, Result<Snapshot, CallError>> {
        let id = resource.id.to_string();
        self.looks
            .lock()
            .unwrap()
            .push((self.began.elapsed().as_secs(), id));
        Box::pin(self.answer(self.look.clone(), SnapshotScope::One(resource.clone())))
    }
}

struct StillClock;

impl Clock for StillClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(1_700_000_000)
    }
}

struct Running {
    requests: mpsc::Sender<RepollRequest>,
    metrics: Arc<PollMetrics>,
    health: Arc<Mutex<Vec<SourceHealth>>>,
    stop: watch::Sender<bool>,
    driver: tokio::task::JoinHandle<()>,
}

impl Running {
    async fn ask(&self, region: &str, id: &str) {
        let request = RepollRequest {
            provider: Provider::Aws,
            account: AccountId::from("111122223333"),
            region: Region::from(region),
            resource: ResourceRef {
                id: ResourceId::from(id),
                kind: ResourceKind::Key,
                account: None,
                region: None,
            },
        };
        self.requests.send(request).await.unwrap();
    }

    async fn stop(self) {
        self.stop.send(true).unwrap();
        self.driver.await.unwrap();
    }
}

fn start(pollers: &[Arc<FakePoller>], change: impl FnOnce(&mut PollSettings)) -> Running {
    let (publisher, mut subscriber) = topic(4);
    let health = Arc::new(Mutex::new(Vec::new()));
    let reports = Arc::clone(&health);
    tokio::spawn(async move {
        while let Some(delivery) = subscriber.next().await {
            if let Observation::Health(report) = &delivery.observation {
                reports.lock().unwrap().push(report.clone());
            }
            delivery.acknowledge(Committed::default());
        }
    });
    let (stop, shutdown) = watch::channel(false);
    let (requests, receiver) = mpsc::channel(64);
    let metrics = Arc::new(PollMetrics::default());
    let link = PollLink {
        publisher,
        clock: Arc::new(StillClock),
        budget: Arc::new(Unlimited),
        metrics: Arc::clone(&metrics),
        shutdown,
    };
    let mut settings = PollSettings {
        schedule: PollSchedule {
            keys: seconds(1_000),
            first_within: Duration::ZERO,
            ..PollSchedule::default()
        },
        ..PollSettings::default()
    };
    change(&mut settings);
    let list = pollers.iter().map(|poller| Arc::clone(poller) as Arc<dyn Poller>);
    let driver = tokio::spawn(run(list.collect(), settings, link, receiver));
    Running {
        requests,
        metrics,
        health,
        stop,
        driver,
    }
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

const AT_ONCE: Answer = Answer::After(Duration::ZERO);

#[tokio::test(start_paused = true)]
async fn every_poller_is_polled_by_its_interval() {
    let pollers = [
        FakePoller::of("a", &[AT_ONCE], AT_ONCE),
        FakePoller::of("b", &[AT_ONCE], AT_ONCE),
    ];
    let running = start(&pollers, |_| {});
    tokio::time::sleep(seconds(10_500)).await;
    for poller in &pollers {
        let fulls = poller.fulls();
        assert!((10..=12).contains(&fulls.len()), "{fulls:?}");
        for pair in fulls.windows(2) {
            assert!((899..=1_101).contains(&(pair[1] - pair[0])), "{fulls:?}");
        }
    }
    let statuses = running.metrics.scopes();
    assert!(
        statuses
            .iter()
            .all(|status| status.last_success.is_some() && status.failures == 0)
    );
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn failures_are_answered_by_their_class() {
    let check = async |class: FailureClass, expected: &[u64]| {
        let poller = FakePoller::of(
            "a",
            &[Answer::Fails(class), Answer::Fails(class), AT_ONCE],
            AT_ONCE,
        );
        let running = start(std::slice::from_ref(&poller), |_| {});
        tokio::time::sleep(seconds(880)).await;
        assert_eq!(poller.fulls(), expected, "{class:?}");
        assert_eq!(
            running.metrics.errors(class),
            expected.len().min(2) as u64,
            "{class:?}"
        );
        let states: Vec<SightState> = running
            .health
            .lock()
            .unwrap()
            .iter()
            .map(|report| report.state.clone())
            .collect();
        let blind = SightState::Blind {
            call: "kms:ListKeys".into(),
            reason: class.unknown_reason(),
        };
        let seeing = (expected.len() > 2).then_some(SightState::Seeing);
        let told: Vec<SightState> = std::iter::once(blind).chain(seeing).collect();
        assert_eq!(states, told, "{class:?}");
        running.stop().await;
    };
    check(FailureClass::Transient, &[0, 2, 6]).await;
    check(FailureClass::Throttled(None), &[0, 5, 15]).await;
    check(FailureClass::Throttled(Some(seconds(300))), &[0, 300, 600]).await;
    check(FailureClass::Unauthenticated, &[0, 30, 60]).await;
    check(FailureClass::Denied, &[0]).await;
    check(FailureClass::Unreadable, &[0]).await;
}

#[tokio::test(start_paused = true)]
async fn a_changed_resource_is_looked_at_at_once_and_once() {
    // The full poll of the other region takes an hour and holds nothing up.
    let slow = FakePoller::of("b", &[Answer::After(seconds(3_600))], AT_ONCE);
    let poller = FakePoller::of("a", &[AT_ONCE], AT_ONCE);
    let running = start(&[Arc::clone(&slow), Arc::clone(&poller)], |settings| {
        settings.full_slots = 2
    });
    tokio::time::sleep(seconds(100)).await;
    for _ in 0..10 {
        running.ask("a", "key").await;
    }
    running.ask("c", "key").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(poller.looks(), [(100, "key".to_owned())]);
    let metrics = &running.metrics;
    assert_eq!(metrics.repolls_requested.get(), 11);
    assert_eq!(metrics.repolls_coalesced.get(), 9);
    assert_eq!(metrics.repolls_unmatched.get(), 1);
    assert_eq!(metrics.repolls.get(), 1);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_storm_becomes_one_full_poll() {
    let poller = FakePoller::of("a", &[AT_ONCE], AT_ONCE);
    let running = start(std::slice::from_ref(&poller), |settings| {
        settings.look_delay = seconds(1);
        settings.storm = 10;
    });
    tokio::time::sleep(seconds(100)).await;
    for number in 0..300 {
        running.ask("a", &format!("key-{number}")).await;
    }
    tokio::time::sleep(seconds(10)).await;
    assert!(poller.looks().len() <= 10, "{:?}", poller.looks());
    assert!(
        poller.fulls().len() >= 2 && poller.fulls()[1] == 100,
        "{:?}",
        poller.fulls()
    );
    // Another storm right after it waits for the gap.
    for number in 0..300 {
        running.ask("a", &format!("other-{number}")).await;
    }
    tokio::time::sleep(seconds(100)).await;
    let fulls = poller.fulls();
    assert!(fulls.windows(2).all(|pair| pair[1] - pair[0] >= 60), "{fulls:?}");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_look_that_fails_is_repeated_and_then_left_to_a_full_poll() {
    let poller = FakePoller::of("a", &[AT_ONCE], Answer::Fails(FailureClass::Transient));
    let running = start(std::slice::from_ref(&poller), |_| {});
    tokio::time::sleep(seconds(100)).await;
    running.ask("a", "key").await;
    tokio::time::sleep(seconds(100)).await;
    let times: Vec<u64> = poller.looks().iter().map(|(at, _)| *at).collect();
    assert_eq!(times, [100, 102, 106, 114]);
    assert_eq!(running.metrics.repolls_given_up.get(), 1);
    assert_eq!(poller.fulls(), [0, 114]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_changes_during_a_full_poll_is_looked_at_again_after_it() {
    let poller = FakePoller::of("a", &[Answer::After(seconds(300))], AT_ONCE);
    let running = start(std::slice::from_ref(&poller), |_| {});
    tokio::time::sleep(seconds(100)).await;
    running.ask("a", "key").await;
    tokio::time::sleep(seconds(300)).await;
    let times: Vec<u64> = poller.looks().iter().map(|(at, _)| *at).collect();
    assert_eq!(times, [100, 300]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_poller_that_dies_is_told_as_blind_and_polled_again() {
    let poller = FakePoller::of("a", &[Answer::Panics, AT_ONCE], AT_ONCE);
    let other = FakePoller::of("b", &[AT_ONCE], AT_ONCE);
    let running = start(&[Arc::clone(&poller), Arc::clone(&other)], |_| {});
    tokio::time::sleep(seconds(60)).await;
    assert_eq!(poller.fulls(), [0, 2]);
    assert_eq!(other.fulls(), [0]);
    let health = running.health.lock().unwrap().clone();
    let of_poller = health
        .iter()
        .filter(|report| report.region == Some(Region::from("a")));
    let states: Vec<SightState> = of_poller.map(|report| report.state.clone()).collect();
    let blind = SightState::Blind {
        call: "poll".into(),
        reason: UnknownReason::Unreachable,
    };
    assert_eq!(states, [blind, SightState::Seeing]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_full_poll_without_end_is_given_up() {
    let forever = Answer::After(seconds(1_000_000));
    let poller = FakePoller::of("a", &[forever, AT_ONCE], AT_ONCE);
    let running = start(std::slice::from_ref(&poller), |settings| {
        settings.full_limit = seconds(100)
    });
    tokio::time::sleep(seconds(200)).await;
    assert_eq!(poller.fulls(), [0, 102]);
    assert_eq!(running.metrics.errors(FailureClass::Transient), 1);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_the_provider_asked_for_holds_against_schedule_and_storms() {
    for requests in [0, 300] {
        let throttled = Answer::Fails(FailureClass::Throttled(Some(seconds(2_500))));
        let poller = FakePoller::of("a", &[throttled, AT_ONCE], AT_ONCE);
        let running = start(std::slice::from_ref(&poller), |settings| settings.storm = 10);
        tokio::time::sleep(seconds(100)).await;
        for number in 0..requests {
            running.ask("a", &format!("key-{number}")).await;
        }
        tokio::time::sleep(seconds(2_500)).await;
        assert_eq!(poller.fulls(), [0, 2_500], "{requests} requests");
        running.stop().await;
    }
}
