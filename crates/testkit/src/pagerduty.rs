//! PagerDuty's Events API v2 with its real deduplication: a trigger with a key that is open adds to that incident; after
//! a resolve the same key opens a new one; a resolve without an open incident is accepted and dropped.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode};
use serde_json::{Value, json};

use crate::server::{self, Server};

/// A running fake of PagerDuty.
#[derive(Debug)]
pub struct FakePagerDuty {
    server: Server,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    incidents: Vec<Incident>,
    refused: Vec<String>,
    script: VecDeque<PagerDutyReply>,
}

/// An incident as PagerDuty would show it.
#[derive(Clone, PartialEq, Debug)]
pub struct Incident {
    /// The key by which events are joined.
    pub dedup_key: String,
    /// Whether it is still open.
    pub open: bool,
    /// The event that opened it.
    pub opened_by: Value,
    /// Further triggers with the same key while it was open.
    pub repeats: u32,
}

/// What the fake does with the next request instead of accepting it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PagerDutyReply {
    /// Accept as usual.
    Accept,
    /// 429, with `Retry-After` in seconds if given.
    Throttle(Option<u32>),
    /// Another status.
    Status(u16),
    /// Accept the event, but never answer.
    AcceptAndHang,
}

impl FakePagerDuty {
    /// Starts it.
    pub async fn start() -> std::io::Result<Self> {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let server = Server::start(move |parts, body| {
            let shared = Arc::clone(&shared);
            async move { handle(&shared, &parts, &body).await }
        })
        .await?;
        Ok(Self { server, state })
    }

    /// The address to configure as endpoint.
    pub fn url(&self) -> String {
        format!("{}/v2/enqueue", self.server.url())
    }

    /// Every incident ever opened, oldest first.
    pub fn incidents(&self) -> Vec<Incident> {
        lock(&self.state).incidents.clone()
    }

    /// Requests refused because they broke a rule of PagerDuty's, with the reason.
    pub fn refused(&self) -> Vec<String> {
        lock(&self.state).refused.clone()
    }

    /// Tells what to do with the next requests.
    pub fn script(&self, replies: &[PagerDutyReply]) {
        lock(&self.state).script.extend(replies);
    }
}

fn lock(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn handle(state: &Mutex<State>, parts: &Parts, body: &Bytes) -> Response {
    let reply = lock(state).script.pop_front().unwrap_or(PagerDutyReply::Accept);
    match reply {
        PagerDutyReply::Throttle(retry_after) => {
            let mut response = server::json(
                StatusCode::TOO_MANY_REQUESTS,
                &json!({"status": "throttle exceeded", "message": "Requests for this service are arriving too quickly."}),
            );
            if let Some(value) =
                retry_after.and_then(|seconds| HeaderValue::from_str(&seconds.to_string()).ok())
            {
                response.headers_mut().insert(http::header::RETRY_AFTER, value);
            }
            response
        }
        PagerDutyReply::Status(code) => server::text(
            StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            "",
        ),
        PagerDutyReply::Accept => accept(state, parts, body),
        PagerDutyReply::AcceptAndHang => {
            let _answer = accept(state, parts, body);
            std::future::pending().await
        }
    }
}

fn accept(state: &Mutex<State>, parts: &Parts, body: &Bytes) -> Response {
    let mut state = lock(state);
    match check(parts, body) {
        Ok(event) => {
            let key = record(&mut state, &event);
            server::json(
                StatusCode::ACCEPTED,
                &json!({"status": "success", "message": "Event processed", "dedup_key": key}),
            )
        }
        Err(reason) => {
            state.refused.push(reason.clone());
            server::json(
                StatusCode::BAD_REQUEST,
                &json!({"status": "invalid event", "message": "Event object is invalid", "errors": [reason]}),
            )
        }
    }
}

fn record(state: &mut State, event: &Value) -> String {
    let generated = format!("generated-{}", state.incidents.len());
    let key = event
        .get("dedup_key")
        .and_then(Value::as_str)
        .unwrap_or(&generated)
        .to_owned();
    let open = state
        .incidents
        .iter_mut()
        .rev()
        .find(|incident| incident.open && incident.dedup_key == key);
    match (event.get("event_action").and_then(Value::as_str), open) {
        (Some("trigger"), Some(incident)) => incident.repeats += 1,
        (Some("trigger"), None) => state.incidents.push(Incident {
            dedup_key: key.clone(),
            open: true,
            opened_by: event.clone(),
            repeats: 0,
        }),
        (Some("resolve"), Some(incident)) => incident.open = false,
        // Acknowledgements change nothing here; a late resolve is accepted and dropped.
        _ => {}
    }
    key
}

fn check(parts: &Parts, body: &Bytes) -> Result<Value, String> {
    if parts.method != Method::POST || parts.uri.path() != "/v2/enqueue" {
        return Err(format!("no such endpoint: {} {}", parts.method, parts.uri.path()));
    }
    if body.len() > 512 * 1024 {
        return Err(String::from("event is larger than 512 KB"));
    }
    let event: Value = serde_json::from_slice(body).map_err(|error| format!("not JSON: {error}"))?;
    let word = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
    let key_length = word("/routing_key").map_or(0, str::len);
    if key_length != 32 {
        return Err(String::from("'routing_key' must be 32 characters"));
    }
    let action = word("/event_action").unwrap_or_default();
    if !["trigger", "acknowledge", "resolve"].contains(&action) {
        return Err(String::from("'event_action' is missing or not a known value"));
    }
    if word("/dedup_key").is_some_and(|key| key.chars().count() > 255) {
        return Err(String::from("'dedup_key' is longer than 255 characters"));
    }
    if action != "trigger" {
        return if word("/dedup_key").is_some() {
            Ok(event)
        } else {
            Err(String::from("'dedup_key' is missing"))
        };
    }
    let summary = word("/payload/summary").unwrap_or_default().chars().count();
    if summary == 0 || summary > 1_024 {
        return Err(String::from("'payload.summary' must have 1 to 1024 characters"));
    }
    if word("/payload/source").unwrap_or_default().is_empty() {
        return Err(String::from("'payload.source' is missing or blank"));
    }
    if !["critical", "error", "warning", "info"].contains(&word("/payload/severity").unwrap_or_default()) {
        return Err(String::from("'payload.severity' is missing or not a known value"));
    }
    Ok(event)
}
