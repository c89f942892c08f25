//! A Slack incoming webhook that enforces the documented limits of Block Kit and can be told to throttle or fail.
//!
//! Limits: 50 blocks a message; section text 3,000 characters; 10 fields of 2,000; header 150; the whole of the blocks
//! about 13,000 characters (`msg_blocks_too_long`, undocumented but observed by users).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode};
use serde_json::Value;

use crate::server::{Server, text};

/// A running fake of Slack.
#[derive(Debug)]
pub struct FakeSlack {
    server: Server,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    messages: Vec<Value>,
    refused: Vec<String>,
    script: VecDeque<SlackReply>,
}

/// What the fake does with the next request instead of accepting it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SlackReply {
    /// Accept as usual.
    Accept,
    /// 429 with `Retry-After` in seconds.
    Throttle(u32),
    /// Another status, with an empty body.
    Status(u16),
    /// Accept the message, but never answer: the sender cannot know.
    AcceptAndHang,
}

impl FakeSlack {
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

    /// The address to configure as webhook.
    pub fn webhook_url(&self) -> String {
        format!("{}/services/T0/B0/secret-token", self.server.url())
    }

    /// Messages accepted so far, as they were posted.
    pub fn messages(&self) -> Vec<Value> {
        lock(&self.state).messages.clone()
    }

    /// Requests refused because they broke a rule of Slack's, with the reason.
    pub fn refused(&self) -> Vec<String> {
        lock(&self.state).refused.clone()
    }

    /// Tells what to do with the next requests.
    pub fn script(&self, replies: &[SlackReply]) {
        lock(&self.state).script.extend(replies);
    }
}

fn lock(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    // A test that panicked while holding the lock has failed already; the others may go on.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn handle(state: &Mutex<State>, parts: &Parts, body: &Bytes) -> Response {
    let reply = lock(state).script.pop_front().unwrap_or(SlackReply::Accept);
    match reply {
        SlackReply::Throttle(seconds) => {
            let mut response = text(StatusCode::TOO_MANY_REQUESTS, "rate_limited");
            if let Ok(value) = HeaderValue::from_str(&seconds.to_string()) {
                response.headers_mut().insert(http::header::RETRY_AFTER, value);
            }
            response
        }
        SlackReply::Status(code) => text(
            StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            "",
        ),
        SlackReply::Accept => accept(state, parts, body),
        SlackReply::AcceptAndHang => {
            let _answer = accept(state, parts, body);
            std::future::pending().await
        }
    }
}

fn accept(state: &Mutex<State>, parts: &Parts, body: &Bytes) -> Response {
    let mut state = lock(state);
    match check(parts, body) {
        Ok(message) => {
            state.messages.push(message);
            text(StatusCode::OK, "ok")
        }
        Err(reason) => {
            state.refused.push(reason.clone());
            text(StatusCode::BAD_REQUEST, reason)
        }
    }
}

fn check(parts: &Parts, body: &Bytes) -> Result<Value, String> {
    if parts.method != Method::POST {
        return Err(String::from("invalid_method"));
    }
    let content_type = parts
        .headers
        .get(http::header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    if !content_type.is_some_and(|value| value.starts_with("application/json")) {
        return Err(String::from("invalid_content_type"));
    }
    let message: Value = serde_json::from_slice(body).map_err(|_| String::from("invalid_payload"))?;
    if message.get("text").is_none() && message.get("blocks").is_none() {
        return Err(String::from("no_text"));
    }
    let blocks = message
        .get("blocks")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    if blocks.len() > 50 {
        return Err(String::from("invalid_blocks: more than 50"));
    }
    if message
        .get("blocks")
        .is_some_and(|blocks| blocks.to_string().chars().count() > 13_000)
    {
        return Err(String::from("msg_blocks_too_long"));
    }
    for block in blocks {
        check_block(block)?;
    }
    Ok(message)
}

fn check_block(block: &Value) -> Result<(), String> {
    let kind = block.get("type").and_then(Value::as_str).unwrap_or_default();
    let refuse = |what: &str| Err(format!("invalid_blocks: {kind}: {what}"));
    match kind {
        "header" => {
            if block.pointer("/text/type").and_then(Value::as_str) != Some("plain_text") {
                return refuse("text must be plain_text");
            }
            bounded(block.pointer("/text/text"), 150).or_else(|what| refuse(&what))
        }
        "section" => {
            let fields = block.get("fields").and_then(Value::as_array);
            if block.get("text").is_none() && fields.is_none() {
                return refuse("neither text nor fields");
            }
            if let Some(text) = block.get("text") {
                bounded(text.get("text"), 3_000).or_else(|what| refuse(&what))?;
            }
            for field in fields.into_iter().flatten() {
                bounded(field.get("text"), 2_000).or_else(|what| refuse(&what))?;
            }
            if fields.is_some_and(|fields| fields.len() > 10 || fields.is_empty()) {
                return refuse("one to ten fields");
            }
            Ok(())
        }
        "context" => {
            let elements = block
                .get("elements")
                .and_then(Value::as_array)
                .map_or(0, Vec::len);
            if elements == 0 || elements > 10 {
                refuse("one to ten elements")
            } else {
                Ok(())
            }
        }
        "actions" => {
            let elements = block
                .get("elements")
                .and_then(Value::as_array)
                .map_or(0, Vec::len);
            if elements == 0 || elements > 25 {
                refuse("one to 25 elements")
            } else {
                Ok(())
            }
        }
        "rich_text" => match block.get("elements").and_then(Value::as_array) {
            Some(elements) if !elements.is_empty() => Ok(()),
            _ => refuse("elements missing"),
        },
        "divider" => Ok(()),
        _ => refuse("unsupported type"),
    }
}

fn bounded(text: Option<&Value>, most: usize) -> Result<(), String> {
    let Some(text) = text.and_then(Value::as_str) else {
        return Err(String::from("text missing"));
    };
    let length = text.chars().count();
    if length == 0 || length > most {
        return Err(format!("text has {length} characters, 1 to {most} accepted"));
    }
    Ok(())
}
