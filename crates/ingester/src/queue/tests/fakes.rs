//! A queue that behaves like SQS and a store that misbehaves on request.

use std::collections::BTreeMap;
use std::sync::Mutex;

use keyvigil_connector::call::{BoxFuture, CallContext};
use keyvigil_connector::object_log::{FetchedObject, ListPage, ObjectSource, ObjectStore, Receipt};
use keyvigil_model::id::SourceId;
use keyvigil_model::provider::Provider;
use keyvigil_model::time::Day;
use tokio::time::Instant;

use super::super::*;
use crate::bytes::ByteBudget;
use crate::clock::TokioClock;
use crate::fakes::{Life, START, Words, World};
use crate::object::{ObjectSettings, Place};

pub(super) const VISIBILITY: Duration = Duration::from_secs(30);

pub(super) struct Message {
    body: MessageBody,
    visible_at: Instant,
    deliveries: u32,
    acknowledged: bool,
}

/// Delivers again what was not acknowledged in time.
pub(super) struct FakeQueue {
    world: World,
    messages: Mutex<BTreeMap<String, Message>>,
    extensions: AtomicUsize,
}

impl FakeQueue {
    pub(super) fn of(world: &World, bodies: Vec<(&str, MessageBody)>) -> Arc<Self> {
        let mut messages = BTreeMap::new();
        for (id, body) in bodies {
            let message = Message {
                body,
                visible_at: Instant::now(),
                deliveries: 0,
                acknowledged: false,
            };
            messages.insert(id.to_owned(), message);
        }
        Arc::new(Self {
            world: world.clone(),
            messages: Mutex::new(messages),
            extensions: AtomicUsize::new(0),
        })
    }

    pub(super) fn visible(&self) -> Vec<QueueMessage> {
        let now = Instant::now();
        let mut list = Vec::new();
        for (id, message) in self.messages.lock().unwrap().iter_mut() {
            if message.acknowledged || message.visible_at > now || list.len() == 10 {
                continue;
            }
            message.deliveries += 1;
            message.visible_at = now + VISIBILITY;
            list.push(QueueMessage {
                id: id.as_str().into(),
                receipt: Receipt(id.as_str().into()),
                deliveries: message.deliveries,
                body: message.body.clone(),
            });
        }
        list
    }

    pub(super) fn open(&self) -> Vec<String> {
        let messages = self.messages.lock().unwrap();
        let open = messages.iter().filter(|(_, message)| !message.acknowledged);
        open.map(|(id, _)| id.clone()).collect()
    }

    pub(super) fn deliveries(&self, id: &str) -> u32 {
        self.messages.lock().unwrap()[id].deliveries
    }
}

impl ObjectQueue for FakeQueue {
    fn receive<'a>(&'a self, call: &'a CallContext) -> BoxFuture<'a, Result<Vec<QueueMessage>, CallError>> {
        Box::pin(async move {
            let end = Instant::now() + call.timeout;
            loop {
                let list = self.visible();
                if !list.is_empty() || Instant::now() >= end {
                    return Ok(list);
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        })
    }

    fn extend<'a>(
        &'a self,
        _call: &'a CallContext,
        receipt: &'a Receipt,
        span: Duration,
    ) -> BoxFuture<'a, Result<(), CallError>> {
        let mut messages = self.messages.lock().unwrap();
        messages.get_mut(receipt.0.as_ref()).unwrap().visible_at = Instant::now() + span;
        self.extensions.fetch_add(1, Ordering::Relaxed);
        Box::pin(std::future::ready(Ok(())))
    }

    fn acknowledge<'a>(
        &'a self,
        _call: &'a CallContext,
        receipt: &'a Receipt,
    ) -> BoxFuture<'a, Result<(), CallError>> {
        let mut messages = self.messages.lock().unwrap();
        messages.get_mut(receipt.0.as_ref()).unwrap().acknowledged = true;
        self.world.trace(format!("ack {}", receipt.0));
        Box::pin(std::future::ready(Ok(())))
    }

    fn visibility(&self) -> Duration {
        VISIBILITY
    }
}

/// What a fetch of an object answers.
#[derive(Clone)]
pub(super) enum Answer {
    Words(&'static str),
    Slowly(Duration, &'static str),
    Fails(FailureClass),
    /// Fails so often, then answers.
    FailsFirst(usize, FailureClass, &'static str),
}

pub(super) struct FakeStore {
    source: ObjectSource,
    answers: BTreeMap<&'static str, Answer>,
    fetches: Mutex<Vec<String>>,
}

impl FakeStore {
    pub(super) fn of(answers: &[(&'static str, Answer)]) -> Arc<Self> {
        Arc::new(Self {
            source: ObjectSource {
                id: SourceId::from("aws/test/s3"),
                provider: Provider::Aws,
                max_object_bytes: 1_000_000,
            },
            answers: answers.iter().cloned().collect(),
            fetches: Mutex::default(),
        })
    }

    pub(super) fn fetched(&self, key: &str) -> usize {
        self.fetches
            .lock()
            .unwrap()
            .iter()
            .filter(|of| *of == key)
            .count()
    }
}

impl ObjectStore for FakeStore {
    fn source(&self) -> &ObjectSource {
        &self.source
    }

    fn fetch<'a>(
        &'a self,
        _call: &'a CallContext,
        object: &'a ObjectRef,
    ) -> BoxFuture<'a, Result<FetchedObject, CallError>> {
        let before = self.fetched(&object.key);
        self.fetches.lock().unwrap().push(object.key.to_string());
        let found = |text: &str| {
            Ok(FetchedObject {
                bytes: text.as_bytes().to_vec(),
                version: "v1".into(),
            })
        };
        let failed = |class| Err(CallError::new(class, "s3:GetObject", "no"));
        Box::pin(async move {
            match self.answers.get(object.key.as_ref()) {
                None => failed(FailureClass::NotFound),
                Some(Answer::Words(text)) => found(text),
                Some(Answer::Slowly(wait, text)) => {
                    tokio::time::sleep(*wait).await;
                    found(text)
                }
                Some(Answer::Fails(class)) => failed(*class),
                Some(Answer::FailsFirst(times, class, _)) if before < *times => failed(*class),
                Some(Answer::FailsFirst(_, _, text)) => found(text),
            }
        })
    }

    fn list<'a>(
        &'a self,
        _call: &'a CallContext,
        day: Day,
        token: Option<&'a str>,
    ) -> BoxFuture<'a, Result<ListPage, CallError>> {
        // One object a page, all of them of the first day.
        let page: usize = token.map_or(0, |token| token.parse().unwrap());
        let keys: Vec<&str> = self.answers.keys().copied().collect();
        let mut objects = Vec::new();
        if day == START.day() {
            objects.extend(keys.get(page).map(|key| object(key)));
        }
        let more = page + 1 < keys.len() && day == START.day();
        let next = more.then(|| (page + 1).to_string().into());
        Box::pin(std::future::ready(Ok(ListPage { objects, next })))
    }
}

pub(super) fn object(key: &str) -> ObjectRef {
    ObjectRef {
        bucket: "logs".into(),
        key: key.into(),
        version: Some("v1".into()),
        size: Some(100),
    }
}

pub(super) fn objects(keys: &[&str]) -> MessageBody {
    MessageBody::Objects(keys.iter().map(|key| object(key)).collect())
}

pub(super) fn settings() -> ObjectSettings {
    let place = Place {
        origin: |object| format!("s3://{}/{}", object.bucket, object.key),
        account: |_| None,
    };
    ObjectSettings {
        fetch_patience: Duration::from_secs(20),
        ..ObjectSettings::new(ByteBudget::default(), place)
    }
}

pub(super) fn object_log(life: &Life, store: &Arc<FakeStore>) -> Arc<ObjectLog> {
    let store: Arc<dyn ObjectStore> = Arc::clone(store) as Arc<dyn ObjectStore>;
    ObjectLog::new(store, Arc::new(Words), settings(), life.driver.clone())
}

/// Runs a process for so long, then stops it as SIGTERM does.
pub(super) async fn run_for(
    world: &World,
    queue: &Arc<FakeQueue>,
    store: &Arc<FakeStore>,
    span: Duration,
) -> Life {
    let life = world.live(TokioClock::starting_at(START));
    let log = object_log(&life, store);
    let queue: Arc<dyn ObjectQueue> = Arc::clone(queue) as Arc<dyn ObjectQueue>;
    let running = tokio::spawn(run(queue, log, QueueSettings::default()));
    tokio::time::sleep(span).await;
    life.stop.send(true).unwrap();
    running.await.unwrap();
    life
}

pub(super) fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}
