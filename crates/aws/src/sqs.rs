//! The queue that announces CloudTrail's log files.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use keyvigil_connector::call::{BoxFuture, CallContext};
use keyvigil_connector::failure::CallError;
use keyvigil_connector::object_log::{MessageBody, ObjectQueue, QueueMessage, Receipt};

use crate::client::Scope;
use crate::client::failure::AwsError;
use crate::config::TrailConfig;
use crate::s3::log_key::AllowList;
use crate::sqs::message::parse_message;

pub mod message;

/// SQS hands out at most this many messages at once.
const MAX_MESSAGES: i32 = 10;
/// SQS hides a message for at most twelve hours.
const MAX_HIDDEN: Duration = Duration::from_hours(12);
/// A long poll ends this long before the call's time limit, so that messages are not handed out to nobody.
const MARGIN: Duration = Duration::from_secs(3);

/// The queue of one trail.
pub struct CloudTrailQueue {
    scope: Arc<Scope>,
    allow: AllowList,
    url: String,
    visibility: Duration,
    wait: Duration,
}

impl CloudTrailQueue {
    /// The queue of a trail, read with the credentials of `scope`, which must be in the queue's region.
    pub fn new(scope: Arc<Scope>, trail: &TrailConfig, allow: AllowList) -> Self {
        Self {
            scope,
            allow,
            url: trail.queue_url.clone(),
            visibility: Duration::from_secs(trail.visibility_seconds.into()),
            wait: Duration::from_secs(trail.wait_seconds.into()),
        }
    }

    async fn receive_batch(&self, call: &CallContext) -> Result<Vec<QueueMessage>, AwsError> {
        let request = self
            .scope
            .sqs()
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(MAX_MESSAGES)
            .wait_time_seconds(seconds(self.wait.min(call.timeout.saturating_sub(MARGIN))))
            .visibility_timeout(seconds(self.visibility))
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .send();
        let answer = self.scope.call(call, "sqs:ReceiveMessage", request).await?;
        let mut messages = Vec::new();
        for message in answer.messages() {
            match self.read(message) {
                Some(read) => messages.push(read),
                None => tracing::warn!("a message without a receipt came and cannot be acknowledged"),
            }
        }
        Ok(messages)
    }

    fn read(&self, message: &Message) -> Option<QueueMessage> {
        let receipt = message.receipt_handle()?;
        let id: Arc<str> = message.message_id().unwrap_or(receipt).into();
        let count = message
            .attributes()
            .and_then(|attributes| attributes.get(&MessageSystemAttributeName::ApproximateReceiveCount));
        let mut body = parse_message(message.body().unwrap_or_default(), &self.allow);
        if let MessageBody::Quarantined(quarantined) = &mut body {
            quarantined.origin = format!("{}#{id}", self.url).into();
        }
        Some(QueueMessage {
            id,
            receipt: Receipt(receipt.into()),
            deliveries: count.and_then(|count| count.parse().ok()).unwrap_or(1),
            body,
        })
    }
}

impl ObjectQueue for CloudTrailQueue {
    fn receive<'a>(&'a self, call: &'a CallContext) -> BoxFuture<'a, Result<Vec<QueueMessage>, CallError>> {
        Box::pin(async move { Ok(self.receive_batch(call).await?) })
    }

    fn extend<'a>(
        &'a self,
        call: &'a CallContext,
        receipt: &'a Receipt,
        span: Duration,
    ) -> BoxFuture<'a, Result<(), CallError>> {
        let request = self
            .scope
            .sqs()
            .change_message_visibility()
            .queue_url(&self.url)
            .receipt_handle(&*receipt.0)
            .visibility_timeout(seconds(span.min(MAX_HIDDEN)));
        Box::pin(async move {
            let operation = "sqs:ChangeMessageVisibility";
            self.scope.call(call, operation, request.send()).await?;
            Ok(())
        })
    }

    fn acknowledge<'a>(
        &'a self,
        call: &'a CallContext,
        receipt: &'a Receipt,
    ) -> BoxFuture<'a, Result<(), CallError>> {
        let request = self
            .scope
            .sqs()
            .delete_message()
            .queue_url(&self.url)
            .receipt_handle(&*receipt.0);
        Box::pin(async move {
            self.scope.call(call, "sqs:DeleteMessage", request.send()).await?;
            Ok(())
        })
    }

    fn visibility(&self) -> Duration {
        self.visibility
    }
}

fn seconds(span: Duration) -> i32 {
    i32::try_from(span.as_secs()).unwrap_or(i32::MAX)
}
