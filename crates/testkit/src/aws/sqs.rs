//! SQS, JSON 1.0 (`AmazonSQS`). Source of the shapes: Amazon SQS API Reference. `MD5OfBody` is left out: no client of ours
//! reads it.

use std::sync::Mutex;
use std::time::Duration;

use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::world::{Queue, World};
use super::{Call, Fault, json_body, json_fault, lock, recorded, required};
use crate::server;

/// `ReceiveMessage` waits for messages as it was asked to.
pub(super) async fn receive(world: &Mutex<World>, call: &Call<'_>) -> Response {
    let seconds = json_body(call)
        .ok()
        .and_then(|body| body.get("WaitTimeSeconds").and_then(Value::as_u64));
    let end = Instant::now() + Duration::from_secs(seconds.unwrap_or(0).min(20));
    // One request is one entry in the log, however long it waits.
    let mut result = recorded(world, call, "sqs", "ReceiveMessage", |world| take(world, call));
    loop {
        match result {
            Ok(messages) if messages.is_empty() && Instant::now() < end => {
                tokio::time::sleep(Duration::from_millis(50)).await;
                result = take(&mut lock(world), call);
            }
            Ok(messages) => {
                let body = if messages.is_empty() {
                    json!({})
                } else {
                    json!({"Messages": messages})
                };
                return server::answer(StatusCode::OK, "application/x-amz-json-1.0", body.to_string());
            }
            Err(fault) => return json_fault(&fault),
        }
    }
}

pub(super) fn answer(world: &mut World, call: &Call<'_>, operation: &str) -> Result<Value, Fault> {
    let body = json_body(call)?;
    let queue = queue(world, &body)?;
    match operation {
        "DeleteMessage" => {
            let receipt = required(&body, "ReceiptHandle")?;
            // A handle of an earlier delivery deletes nothing, and that is no error.
            queue
                .messages
                .retain(|message| message.receipt.as_deref() != Some(receipt));
            Ok(json!({}))
        }
        "ChangeMessageVisibility" => {
            let receipt = required(&body, "ReceiptHandle")?;
            let seconds = body
                .get("VisibilityTimeout")
                .and_then(Value::as_u64)
                .ok_or_else(|| Fault::new(400, "MissingParameter", "VisibilityTimeout"))?;
            let message = queue
                .messages
                .iter_mut()
                .find(|message| message.receipt.as_deref() == Some(receipt))
                .ok_or_else(|| {
                    Fault::new(400, "ReceiptHandleIsInvalid", "the receipt handle is not valid")
                })?;
            message.hidden_until = Some(Instant::now() + Duration::from_secs(seconds));
            Ok(json!({}))
        }
        "GetQueueAttributes" => {
            let visible = queue
                .messages
                .iter()
                .filter(|message| is_visible(message.hidden_until))
                .count();
            Ok(json!({"Attributes": {"ApproximateNumberOfMessages": visible.to_string()}}))
        }
        other => Err(Fault::new(
            400,
            "UnsupportedOperation",
            format!("sqs:{other} is not part of this fake"),
        )),
    }
}

fn take(world: &mut World, call: &Call<'_>) -> Result<Vec<Value>, Fault> {
    let body = json_body(call)?;
    let most = body
        .get("MaxNumberOfMessages")
        .and_then(Value::as_u64)
        .unwrap_or(1) as usize;
    if !(1..=10).contains(&most) {
        return Err(Fault::new(
            400,
            "InvalidParameterValue",
            "MaxNumberOfMessages must be 1 to 10",
        ));
    }
    let visibility = body
        .get("VisibilityTimeout")
        .and_then(Value::as_u64)
        .unwrap_or(30);
    let queue = queue(world, &body)?;
    let mut received = Vec::new();
    for message in queue
        .messages
        .iter_mut()
        .filter(|message| is_visible(message.hidden_until))
        .take(most)
    {
        message.deliveries += 1;
        message.hidden_until = Some(Instant::now() + Duration::from_secs(visibility));
        let receipt = format!("receipt-{}-{}", message.id, message.deliveries);
        message.receipt = Some(receipt.clone());
        received.push(json!({
            "MessageId": message.id,
            "ReceiptHandle": receipt,
            "Body": message.body,
            "Attributes": {"ApproximateReceiveCount": message.deliveries.to_string()},
        }));
    }
    Ok(received)
}

fn is_visible(hidden_until: Option<Instant>) -> bool {
    hidden_until.is_none_or(|until| until <= Instant::now())
}

/// The queue that a `QueueUrl` names: its last two segments are account and name.
fn queue<'a>(world: &'a mut World, body: &Value) -> Result<&'a mut Queue, Fault> {
    let url = required(body, "QueueUrl")?;
    let mut segments = url.rsplit('/');
    let (name, account) = (
        segments.next().unwrap_or_default(),
        segments.next().unwrap_or_default(),
    );
    world
        .accounts
        .get_mut(account)
        .and_then(|account| account.queues.get_mut(name))
        .ok_or_else(|| Fault::new(400, "QueueDoesNotExist", "the specified queue does not exist"))
}
