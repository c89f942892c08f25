//! Tests of the delivery: its reactions, and what it makes up for.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use keyvigil_connector::call::BoxFuture;
use keyvigil_model::alert::{Message, Notification, NotifyAction};
use keyvigil_model::id::{FindingId, Fingerprint, ReceiverId};
use keyvigil_model::severity::Severity;
use keyvigil_model::untrusted::Untrusted;
use keyvigil_store::view::OutboxState;
use keyvigil_store::{Commit, StoreOptions};
use tokio::sync::watch;

use super::*;

fn receiver() -> Receiver {
    Receiver {
        id: ReceiverId::from("r"),
        integration: "slack",
        min_interval: Duration::from_secs(1),
        on_ambiguous: OnAmbiguous::RepeatMarked,
        first_backoff: Duration::from_secs(5),
        max_backoff: Duration::from_secs(300),
    }
}

#[test]
fn every_class_has_its_reaction() {
    let now = Timestamp::from_secs(1_000);
    let check = |class, attempts, expected: &str| {
        let error = CallError::new(class, "slack:webhook", "x");
        let shown = match after_failure(&error, attempts, &receiver(), now) {
            Reaction::GiveUp => String::from("give up"),
            Reaction::Later {
                settlement: Settlement::Retry { at, .. },
                pause,
            } => {
                format!("retry at {} pause {}", at.as_secs(), pause.as_secs())
            }
            Reaction::Later {
                settlement: Settlement::Unknown { at, .. },
                pause,
            } => {
                format!("unknown until {} pause {}", at.as_secs(), pause.as_secs())
            }
            Reaction::Later { settlement, .. } => format!("{settlement:?}"),
        };
        assert_eq!(shown, expected, "{class:?} attempt {attempts}");
    };
    check(
        FailureClass::Throttled(Some(Duration::from_secs(90))),
        1,
        "retry at 1090 pause 90",
    );
    check(FailureClass::Throttled(None), 1, "retry at 1005 pause 5");
    check(FailureClass::Throttled(None), 3, "retry at 1020 pause 20");
    check(FailureClass::Throttled(None), 60, "retry at 1300 pause 300");
    check(FailureClass::Transient, 1, "unknown until 1005 pause 1");
    check(FailureClass::Unreadable, 2, "unknown until 1010 pause 1");
    check(FailureClass::Transient, MAX_ATTEMPTS, "give up");
    for class in [
        FailureClass::Permanent,
        FailureClass::Denied,
        FailureClass::Unauthenticated,
        FailureClass::NotFound,
    ] {
        check(class, 1, "give up");
    }
}

const NOW: Timestamp = Timestamp::from_secs(1_000);

struct StillClock;

impl Clock for StillClock {
    fn now(&self) -> Timestamp {
        NOW
    }
}

/// What happens while the first message is on its way.
enum Mishap {
    Panic,
    /// The database goes away.
    StoreGone(Store, PathBuf),
}

/// Takes every message but the first, and the first as [`Mishap`] says.
struct Fragile {
    receiver: Receiver,
    mishap: Mutex<Option<Mishap>>,
    seen: Mutex<Vec<NotifyReason>>,
    stop: watch::Sender<bool>,
}

impl Notifier for Fragile {
    fn receiver(&self) -> &Receiver {
        &self.receiver
    }

    fn notify<'a>(
        &'a self,
        _call: &'a CallContext,
        notification: &'a Notification,
    ) -> BoxFuture<'a, Result<(), CallError>> {
        Box::pin(async move {
            self.seen.lock().unwrap().push(notification.reason);
            let mishap = self.mishap.lock().unwrap().take();
            match mishap {
                Some(Mishap::Panic) => panic!("the receiver's code has a bug"),
                Some(Mishap::StoreGone(store, path)) => {
                    store.close().await.unwrap();
                    std::fs::rename(&path, aside(&path)).unwrap();
                }
                None => {
                    self.stop.send_replace(true);
                }
            }
            Ok(())
        })
    }

    fn render(&self, _notification: &Notification) -> String {
        String::new()
    }
}

fn aside(path: &Path) -> PathBuf {
    path.with_extension("aside")
}

/// A state directory of its own, removed at the end.
struct TempDir(PathBuf);

impl TempDir {
    fn new(name: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!(
            "keyvigil-delivery-{}-{number}-{name}",
            std::process::id()
        ));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn state(&self) -> PathBuf {
        self.0.join("state")
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        // A directory that stays behind harms nobody.
        let _kept = std::fs::remove_dir_all(&self.0);
    }
}

fn notification() -> Notification {
    Notification {
        fingerprint: Fingerprint([1; 16]),
        episode: 1,
        finding: FindingId::of(&[b"1"]),
        receiver: ReceiverId::from("r"),
        reason: NotifyReason::New,
        action: NotifyAction::Trigger,
        severity: Severity::High,
        message: Message {
            headline: String::from("a key will be destroyed"),
            who: Vec::new(),
            what: Untrusted::new("x"),
            subject: Vec::new(),
            from: Vec::new(),
            normal: String::new(),
            blast_radius: String::new(),
            next_steps: Vec::new(),
            links: Vec::new(),
            controls: Vec::new(),
            event_time: NOW,
            alerted_at: NOW,
            lifecycle: Vec::new(),
        },
    }
}

/// A delivery with one message in its outbox.
async fn delivery(dir: &TempDir, mishap: fn(Store, PathBuf) -> Mishap) -> (Arc<Delivery>, Arc<Fragile>) {
    let store = Store::open(&dir.state(), StoreOptions::default()).await.unwrap();
    let commit = Commit {
        outbox: vec![notification()],
        ..Commit::at(NOW)
    };
    store.commit(commit).await.unwrap();
    let notifier = Arc::new(Fragile {
        receiver: receiver(),
        mishap: Mutex::new(Some(mishap(store.clone(), dir.state()))),
        seen: Mutex::default(),
        stop: watch::Sender::new(false),
    });
    let delivery = Delivery {
        notifier: notifier.clone(),
        store,
        clock: Arc::new(StillClock),
        outbox_filled: Arc::new(Notify::new()),
        pipeline: mpsc::channel(1).0,
        metrics: Metrics::new().unwrap(),
        readiness: Arc::new(Readiness::default()),
    };
    (Arc::new(delivery), notifier)
}

async fn states(dir: &TempDir) -> Vec<(OutboxState, u64)> {
    let reader = Store::open_read_only(&dir.state()).await.unwrap();
    let counts = reader.outbox_counts().await.unwrap();
    counts
        .into_iter()
        .map(|count| (count.state, count.rows))
        .collect()
}

#[tokio::test]
async fn a_settlement_that_could_not_be_written_is_written_later() {
    let dir = TempDir::new("owed");
    let (delivery, notifier) = delivery(&dir, Mishap::StoreGone).await;
    let mut owed = Owed::Recovery;
    let pause = delivery.step(&mut owed).await.unwrap();
    assert_eq!(pause, Some(Duration::from_secs(1)));
    assert!(matches!(owed, Owed::Settlement(_, Settlement::Sent, NOW)));

    std::fs::rename(aside(&dir.state()), dir.state()).unwrap();
    assert_eq!(states(&dir).await, [(OutboxState::Sending, 1)]);
    // The connections for reading stay closed: this step ends after it has settled.
    assert!(delivery.step(&mut owed).await.is_err());
    assert!(matches!(owed, Owed::Nothing));
    assert_eq!(states(&dir).await, [(OutboxState::Sent, 1)]);
    assert_eq!(*notifier.seen.lock().unwrap(), [NotifyReason::New]);
}

#[tokio::test]
async fn a_delivery_that_died_in_an_attempt_repeats_it_when_it_runs_again() {
    let dir = TempDir::new("panic");
    let (delivery, notifier) = delivery(&dir, |_, _| Mishap::Panic).await;
    let first = tokio::spawn(Arc::clone(&delivery).run(notifier.stop.subscribe())).await;
    assert!(first.is_err(), "it panicked");
    assert_eq!(states(&dir).await, [(OutboxState::Sending, 1)]);

    let again = delivery.run(notifier.stop.subscribe());
    tokio::time::timeout(Duration::from_secs(20), again)
        .await
        .unwrap();
    assert_eq!(
        *notifier.seen.lock().unwrap(),
        [NotifyReason::New, NotifyReason::PossibleDuplicate]
    );
    assert_eq!(states(&dir).await, [(OutboxState::Sent, 1)]);
}
