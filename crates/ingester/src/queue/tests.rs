//! The queue driver under paused time.

use keyvigil_model::batch::Quarantined;
use keyvigil_model::health::SightState;
use keyvigil_model::verdict::UnknownReason;

use super::*;
use crate::clock::TokioClock;
use crate::fakes::{Mood, START, World};
use crate::listing::{self, ListingSettings};
use crate::memory::Memory;
use fakes::{Answer, FakeQueue, FakeStore, object, object_log, objects, run_for, seconds};

mod fakes;

#[tokio::test(start_paused = true)]
async fn a_message_is_acknowledged_after_the_commit_of_all_its_objects() {
    let world = World::default();
    let store = FakeStore::of(&[("a", Answer::Words("1 2 3 4 5")), ("b", Answer::Words("6"))]);
    let queue = FakeQueue::of(&world, vec![("m", objects(&["a", "b"]))]);
    let life = run_for(&world, &queue, &store, seconds(5)).await;
    let expected = [
        "commit 1", "commit 2", "commit 3", "commit 4", "commit 5", "object a", "commit 6", "object b",
        "ack m",
    ];
    assert_eq!(world.lock().trace, expected);
    assert_eq!(
        (life.metrics.objects.get(), life.metrics.acknowledged.get()),
        (2, 1)
    );
    assert_eq!(life.metrics.in_flight.get(), 0);
    assert!(world.memory.open_attempts().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_not_committed_is_not_acknowledged() {
    let world = World::default();
    let store = FakeStore::of(&[("a", Answer::Words("1 2 3"))]);
    let junk = Quarantined {
        origin: "m2".into(),
        reason: QuarantineReason::BadMessage,
        detail: "?".into(),
        bytes: Arc::from([]),
    };
    let bodies = vec![("m1", objects(&["a"])), ("m2", MessageBody::Quarantined(junk))];
    let queue = FakeQueue::of(&world, bodies);
    world.set(Mood::Refuses);
    run_for(&world, &queue, &store, seconds(300)).await;
    assert_eq!(queue.open(), ["m1", "m2"]);
    assert!(queue.deliveries("m1") >= 3);
    world.set(Mood::Commits);
    run_for(&world, &queue, &store, seconds(60)).await;
    assert!(queue.open().is_empty());
    assert_eq!(world.seen(), ["1", "2", "3"]);
    assert_eq!(world.reasons(), [QuarantineReason::BadMessage]);
}

#[tokio::test(start_paused = true)]
async fn a_known_object_is_acknowledged_without_reading() {
    let world = World::default();
    let store = FakeStore::of(&[("a", Answer::Words("1"))]);
    let first = FakeQueue::of(&world, vec![("m1", objects(&["a"]))]);
    run_for(&world, &first, &store, seconds(5)).await;
    let bodies = vec![
        ("m2", objects(&["a"])),
        ("m3", MessageBody::Nothing("s3:TestEvent")),
    ];
    let again = FakeQueue::of(&world, bodies);
    let life = run_for(&world, &again, &store, seconds(5)).await;
    assert!(again.open().is_empty());
    assert_eq!(store.fetched("a"), 1);
    assert_eq!(life.metrics.objects_known.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_object_without_a_version_is_fetched_but_not_decoded_again() {
    let world = World::default();
    let store = FakeStore::of(&[("a", Answer::Words("1"))]);
    let unversioned = MessageBody::Objects(vec![ObjectRef {
        version: None,
        size: None,
        ..object("a")
    }]);
    let bodies = vec![("m1", unversioned.clone()), ("m2", unversioned)];
    let queue = FakeQueue::of(&world, bodies);
    run_for(&world, &queue, &store, seconds(60)).await;
    assert!(queue.open().is_empty());
    assert_eq!(world.lock().seen["1"], 1);
}

#[tokio::test(start_paused = true)]
async fn an_announced_size_refuses_nothing() {
    let world = World::default();
    let store = FakeStore::of(&[("a", Answer::Words("1"))]);
    let forged = MessageBody::Objects(vec![ObjectRef {
        size: Some(u64::MAX),
        ..object("a")
    }]);
    let queue = FakeQueue::of(&world, vec![("m1", forged), ("m2", objects(&["a"]))]);
    run_for(&world, &queue, &store, seconds(60)).await;
    assert_eq!(world.seen(), ["1"]);
    assert!(world.reasons().is_empty());
    assert!(queue.open().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_slow_object_is_kept_hidden_and_read_once() {
    let world = World::default();
    let store = FakeStore::of(&[("a", Answer::Slowly(seconds(600), "1"))]);
    let queue = FakeQueue::of(&world, vec![("m", objects(&["a"]))]);
    let life = run_for(&world, &queue, &store, seconds(700)).await;
    assert_eq!((queue.deliveries("m"), store.fetched("a")), (1, 1));
    let beats = life.metrics.heartbeats.get();
    assert!(
        (58..=61).contains(&beats),
        "{beats} heartbeats in 600 s at 30 s of visibility"
    );
    assert!(queue.open().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_object_beyond_the_hard_limit_is_parked() {
    let world = World::default();
    let store = FakeStore::of(&[
        ("a", Answer::Words("1")),
        ("b", Answer::Slowly(seconds(1_100), "2")),
        ("c", Answer::Words("3")),
    ]);
    let queue = FakeQueue::of(&world, vec![("m", objects(&["a", "b", "c"]))]);
    let life = world.live(TokioClock::starting_at(START));
    let log = object_log(&life, &store);
    let limits = QueueSettings {
        hard_limit: seconds(900),
        ..QueueSettings::default()
    };
    let running = tokio::spawn(run(Arc::clone(&queue) as Arc<dyn ObjectQueue>, log, limits));
    tokio::time::sleep(seconds(1_000)).await;
    life.stop.send(true).unwrap();
    running.await.unwrap();
    assert_eq!(world.reasons(), [QuarantineReason::TooLarge]);
    assert_eq!(world.seen(), ["1", "3"]);
    assert!(queue.open().is_empty());
    assert!(world.memory.open_attempts().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_object_that_kills_three_times_goes_to_quarantine() {
    let world = World::default();
    let store = FakeStore::of(&[("bad", Answer::Words("boom")), ("good", Answer::Words("1"))]);
    let queue = FakeQueue::of(
        &world,
        vec![("m1", objects(&["bad"])), ("m2", objects(&["good"]))],
    );
    run_for(&world, &queue, &store, seconds(200)).await;
    assert_eq!(world.reasons(), [QuarantineReason::Poison]);
    assert_eq!(store.fetched("bad"), 3);
    assert_eq!(world.seen(), ["1"]);
    assert!(queue.open().is_empty());
}

#[tokio::test(start_paused = true)]
async fn objects_that_cannot_be_fetched_end_in_quarantine() {
    let check = async |answer: Option<Answer>, reason: QuarantineReason, deliveries: u32| {
        let world = World::default();
        let answers: Vec<_> = answer.into_iter().map(|answer| ("a", answer)).collect();
        let store = FakeStore::of(&answers);
        let queue = FakeQueue::of(&world, vec![("m", objects(&["a"]))]);
        run_for(&world, &queue, &store, seconds(1_200)).await;
        assert_eq!(world.reasons(), [reason]);
        assert_eq!(queue.deliveries("m"), deliveries, "{reason:?}");
        assert!(queue.open().is_empty(), "{reason:?}");
        assert!(world.memory.open_attempts().is_empty(), "{reason:?}");
    };
    check(None, QuarantineReason::ObjectMissing, 1).await;
    check(
        Some(Answer::Fails(FailureClass::Permanent)),
        QuarantineReason::TooLarge,
        1,
    )
    .await;
    check(
        Some(Answer::Fails(FailureClass::Denied)),
        QuarantineReason::ObjectDenied,
        5,
    )
    .await;
    check(
        Some(Answer::Fails(FailureClass::Transient)),
        QuarantineReason::ObjectDenied,
        5,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_throttled_fetch_is_waited_out_while_the_message_stays_hidden() {
    let world = World::default();
    let throttled = FailureClass::Throttled(Some(seconds(1)));
    let store = FakeStore::of(&[("a", Answer::FailsFirst(3, throttled, "1"))]);
    let queue = FakeQueue::of(&world, vec![("m", objects(&["a"]))]);
    let life = run_for(&world, &queue, &store, seconds(60)).await;
    assert_eq!((queue.deliveries("m"), store.fetched("a")), (1, 4));
    assert_eq!(life.metrics.errors(throttled), 3);
    assert_eq!(world.seen(), ["1"]);
}

#[tokio::test(start_paused = true)]
async fn blindness_is_told_and_so_is_its_end() {
    let world = World::default();
    let store = FakeStore::of(&[("a", Answer::FailsFirst(2, FailureClass::Denied, "1"))]);
    let queue = FakeQueue::of(&world, vec![("m", objects(&["a"]))]);
    run_for(&world, &queue, &store, seconds(200)).await;
    let blind = SightState::Blind {
        call: "s3:GetObject".into(),
        reason: UnknownReason::Denied,
    };
    assert_eq!(
        world.lock().health,
        [SightState::Seeing, blind, SightState::Seeing]
    );
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_instant_loses_nothing() {
    let steps = [
        0, 1, 40, 99, 100, 101, 140, 199, 200, 201, 250, 300, 399, 400, 401,
    ];
    for first in steps {
        for second in steps {
            let world = World::default();
            let wait = Duration::from_millis(100);
            let store = FakeStore::of(&[
                ("a", Answer::Slowly(wait, "1 2 3")),
                ("b", Answer::Slowly(wait, "4 5 6 7")),
                ("c", Answer::Slowly(wait, "8")),
            ]);
            let bodies = vec![("m1", objects(&["a", "b"])), ("m2", objects(&["c"]))];
            let queue = FakeQueue::of(&world, bodies);
            for lives in [first, second] {
                let life = world.live(TokioClock::starting_at(START));
                let log = object_log(&life, &store);
                let dies = Duration::from_millis(lives);
                let one_slot = QueueSettings {
                    slots: 1,
                    ..QueueSettings::default()
                };
                let process = run(Arc::clone(&queue) as Arc<dyn ObjectQueue>, log, one_slot);
                assert!(tokio::time::timeout(dies, process).await.is_err());
            }
            run_for(&world, &queue, &store, seconds(120)).await;
            let expected: Vec<String> = (1..=8).map(|id| id.to_string()).collect();
            assert_eq!(world.seen(), expected, "killed after {first} and {second} ms");
            assert!(queue.open().is_empty(), "killed after {first} and {second} ms");
            assert!(world.reasons().is_empty());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_gives_back_what_was_not_begun() {
    let world = World::default();
    let slow = Answer::Slowly(seconds(5), "1");
    let store = FakeStore::of(&[("a", slow.clone()), ("b", slow.clone()), ("c", slow)]);
    let bodies = vec![
        ("m1", objects(&["a"])),
        ("m2", objects(&["b"])),
        ("m3", objects(&["c"])),
    ];
    let queue = FakeQueue::of(&world, bodies);
    let life = world.live(TokioClock::starting_at(START));
    let log = object_log(&life, &store);
    let one_slot = QueueSettings {
        slots: 1,
        ..QueueSettings::default()
    };
    let running = tokio::spawn(run(Arc::clone(&queue) as Arc<dyn ObjectQueue>, log, one_slot));
    tokio::time::sleep(seconds(2)).await;
    life.stop.send(true).unwrap();
    running.await.unwrap();
    assert_eq!(queue.open().len(), 2, "what was in work was finished");
    assert_eq!(queue.visible().len(), 2, "the others are visible at once");
}

#[tokio::test(start_paused = true)]
async fn the_listing_finds_what_no_message_announced() {
    let world = World::default();
    let store = FakeStore::of(&[
        ("a", Answer::Words("1")),
        ("b", Answer::Words("2")),
        ("c", Answer::FailsFirst(1, FailureClass::Denied, "3")),
    ]);
    let queue = FakeQueue::of(&world, vec![("m", objects(&["a"]))]);
    run_for(&world, &queue, &store, seconds(5)).await;
    let life = world.live(TokioClock::starting_at(START));
    let log = object_log(&life, &store);
    let running = tokio::spawn(listing::run(log, ListingSettings::default()));
    tokio::time::sleep(seconds(60)).await;
    assert_eq!(world.seen(), ["1", "2"]);
    tokio::time::sleep(seconds(3_600)).await;
    assert_eq!(world.seen(), ["1", "2", "3"], "tried again an hour later");
    assert_eq!((store.fetched("a"), store.fetched("b")), (1, 1));
    assert_eq!(life.metrics.objects_listed.get(), 2);
    life.stop.send(true).unwrap();
    running.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_was_denied_for_days_is_read_when_access_is_back() {
    let world = World::default();
    let answer = Answer::FailsFirst(70, FailureClass::Denied, "1");
    let store = FakeStore::of(&[("a", answer)]);
    let queue = FakeQueue::of(&world, vec![("m", objects(&["a"]))]);
    let scope = "aws/test/s3/listing";
    let begun = Some(START.as_micros().to_string());
    let mut at = START;
    // Two lives: what is not read yet is known after a restart too.
    for hours in [30, 50] {
        let life = world.live(TokioClock::starting_at(at));
        let log = object_log(&life, &store);
        let listed = tokio::spawn(listing::run(Arc::clone(&log), ListingSettings::default()));
        let read = tokio::spawn(run(
            Arc::clone(&queue) as Arc<dyn ObjectQueue>,
            log,
            QueueSettings::default(),
        ));
        tokio::time::sleep(seconds(3_600)).await;
        // Its polling over days would only take time.
        read.abort();
        tokio::time::sleep(seconds((hours - 1) * 3_600)).await;
        at = at.plus(seconds(hours * 3_600));
        life.stop.send(true).unwrap();
        listed.await.unwrap();
        assert!(queue.open().is_empty(), "the message was given up");
        assert_eq!(world.reasons(), [QuarantineReason::ObjectDenied]);
        if hours == 30 {
            assert!(world.seen().is_empty());
            assert_eq!(world.memory.checkpoint(scope).await.unwrap(), begun);
        }
    }
    assert_eq!(world.seen(), ["1"]);
    assert_eq!(store.fetched("a"), 71, "known since");
    let moved = world.memory.checkpoint(scope).await.unwrap().unwrap();
    let last: i64 = moved.parse().unwrap();
    assert!(at.as_micros() - last <= 3_601_000_000, "{last}");
}
