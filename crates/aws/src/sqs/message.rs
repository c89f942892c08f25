//! What a message of the queue announces. Pure: bytes in, objects or a reason out.
//!
//! Four shapes are known: S3's event notification, CloudTrail's own SNS message, S3's EventBridge event, and each of
//! them inside an SNS envelope. Messages can be forged by anybody who may write to the queue, so every object is held
//! against the allow-list; a forged message can at most make keyvigil read a log file once more.

use std::sync::Arc;

use keyvigil_connector::object_log::{MessageBody, ObjectRef};
use keyvigil_model::batch::{QuarantineReason, Quarantined};
use serde_json::{Map, Value};

use crate::s3::log_key::{AllowList, LogKey};
use crate::s3::unquoted;

/// CloudTrail sends this text, not JSON, to a topic when the topic is set on a trail.
const VALIDATION: &str = "CloudTrail validation message.";
/// More objects than this in one message are not believed. S3 sends one, CloudTrail a handful.
const MAX_OBJECTS: usize = 1000;

/// Reads the body of a message.
///
/// If one of several objects in a message is refused, the message is quarantined whole, because it is acknowledged
/// whole; its other objects are found by the hourly listing.
pub fn parse_message(body: &str, allow: &AllowList) -> MessageBody {
    match read(body, allow) {
        Ok(announced) if announced.objects.is_empty() => MessageBody::Nothing(announced.other),
        Ok(announced) => MessageBody::Objects(announced.objects),
        Err((reason, detail)) => MessageBody::Quarantined(Quarantined {
            origin: "sqs".into(),
            reason,
            detail: detail.into(),
            bytes: kept(body),
        }),
    }
}

/// The first bytes of a body.
fn kept(body: &str) -> Arc<[u8]> {
    let bytes = body.as_bytes();
    bytes.get(..Quarantined::MAX_KEPT).unwrap_or(bytes).into()
}

type Refusal = (QuarantineReason, String);

struct Announced {
    objects: Vec<ObjectRef>,
    /// Why something in the message was passed over.
    other: &'static str,
}

impl Announced {
    fn nothing(other: &'static str) -> Self {
        Self {
            objects: Vec::new(),
            other,
        }
    }
}

fn read(body: &str, allow: &AllowList) -> Result<Announced, Refusal> {
    let outer = object_of(body)?;
    let Some(kind) = outer.get("Type").and_then(Value::as_str) else {
        return read_shape(&outer, allow);
    };
    match (kind, outer.get("Message").and_then(Value::as_str)) {
        ("Notification", Some(message)) if message.trim() == VALIDATION => {
            Ok(Announced::nothing("CloudTrail's validation message"))
        }
        ("Notification", Some(message)) => read_shape(&object_of(message)?, allow),
        ("SubscriptionConfirmation" | "UnsubscribeConfirmation", _) => {
            Ok(Announced::nothing("an SNS subscription message"))
        }
        _ => read_shape(&outer, allow),
    }
}

fn object_of(text: &str) -> Result<Map<String, Value>, Refusal> {
    match serde_json::from_str(text) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err((
            QuarantineReason::NotAnObject,
            "the message is not a JSON object".to_owned(),
        )),
        Err(error) if error.to_string().starts_with("recursion limit") => Err((
            QuarantineReason::TooDeep,
            "the message is nested too deep".to_owned(),
        )),
        Err(error) => Err((
            QuarantineReason::NotJson,
            format!("the message is not JSON: {error}"),
        )),
    }
}

fn read_shape(message: &Map<String, Value>, allow: &AllowList) -> Result<Announced, Refusal> {
    if message.get("Event").and_then(Value::as_str) == Some("s3:TestEvent") {
        return Ok(Announced::nothing("S3's test message"));
    }
    let mut reader = Reader {
        allow,
        announced: Announced::nothing("an empty announcement"),
    };
    if let Some(records) = message.get("Records").and_then(Value::as_array) {
        for record in records {
            reader.notification(record)?;
        }
    } else if let Some(keys) = message.get("s3ObjectKey") {
        reader.cloudtrail(message.get("s3Bucket"), keys)?;
    } else if let Some(detail_type) = message.get("detail-type") {
        reader.event_bridge(detail_type, message.get("detail").unwrap_or(&Value::Null))?;
    } else {
        return Err(bad("the message has no known shape"));
    }
    Ok(reader.announced)
}

fn bad(detail: &str) -> Refusal {
    (QuarantineReason::BadMessage, detail.to_owned())
}

struct Reader<'a> {
    allow: &'a AllowList,
    announced: Announced,
}

impl Reader<'_> {
    /// One record of S3's event notification (structure 2.x); the key is form-encoded.
    fn notification(&mut self, record: &Value) -> Result<(), Refusal> {
        let name = record.get("eventName").and_then(Value::as_str);
        let name = name.ok_or_else(|| bad("a record has no eventName"))?;
        if !name.trim_start_matches("s3:").starts_with("ObjectCreated:") {
            self.announced.other = "not the creation of an object";
            return Ok(());
        }
        let bucket = record.pointer("/s3/bucket/name").and_then(Value::as_str);
        let object = record.pointer("/s3/object").unwrap_or(&Value::Null);
        let key = object.get("key").and_then(Value::as_str);
        let (Some(bucket), Some(key)) = (bucket, key) else {
            return Err(bad("a record names no bucket or no key"));
        };
        let key = decoded(key).ok_or_else(|| bad("a key is not UTF-8 after decoding"))?;
        let etag = object.get("eTag").and_then(Value::as_str);
        self.add(bucket, &key, etag, object.get("size"))
    }

    /// CloudTrail's own message: one bucket and several keys, as they are.
    fn cloudtrail(&mut self, bucket: Option<&Value>, keys: &Value) -> Result<(), Refusal> {
        let bucket = bucket.and_then(Value::as_str);
        let bucket = bucket.ok_or_else(|| bad("s3ObjectKey without s3Bucket"))?;
        let list = match keys {
            Value::Array(list) => list.as_slice(),
            single => std::slice::from_ref(single),
        };
        for key in list {
            let key = key.as_str().ok_or_else(|| bad("an s3ObjectKey is not text"))?;
            self.add(bucket, key, None, None)?;
        }
        Ok(())
    }

    /// S3's event on EventBridge; the key is as it is.
    fn event_bridge(&mut self, detail_type: &Value, detail: &Value) -> Result<(), Refusal> {
        if detail_type.as_str() != Some("Object Created") {
            self.announced.other = "not the creation of an object";
            return Ok(());
        }
        let bucket = detail.pointer("/bucket/name").and_then(Value::as_str);
        let object = detail.get("object").unwrap_or(&Value::Null);
        let key = object.get("key").and_then(Value::as_str);
        let (Some(bucket), Some(key)) = (bucket, key) else {
            return Err(bad("the event names no bucket or no key"));
        };
        self.add(
            bucket,
            key,
            object.get("etag").and_then(Value::as_str),
            object.get("size"),
        )
    }

    fn add(
        &mut self,
        bucket: &str,
        key: &str,
        etag: Option<&str>,
        size: Option<&Value>,
    ) -> Result<(), Refusal> {
        let refuse = |why: &str| {
            let start: String = key.chars().take(200).collect();
            let detail = format!("object {start:?} in bucket {bucket:?}: {why}");
            (QuarantineReason::NotAllowed, detail)
        };
        if bucket != &*self.allow.bucket {
            return Err(refuse("the bucket is not configured"));
        }
        if self.announced.objects.len() >= MAX_OBJECTS {
            return Err(bad("the message names more than 1000 objects"));
        }
        match self.allow.judge(key) {
            LogKey::Refused(why) => return Err(refuse(&why)),
            LogKey::Other(what) => self.announced.other = what,
            LogKey::Log(_) => self.announced.objects.push(ObjectRef {
                bucket: Arc::clone(&self.allow.bucket),
                key: key.into(),
                version: etag.filter(|etag| !etag.is_empty()).map(unquoted),
                size: size.and_then(Value::as_u64),
            }),
        }
        Ok(())
    }
}

/// Undoes form encoding: `+` is a space, `%2F` a slash. A `%` without two digits stands for itself.
fn decoded(key: &str) -> Option<String> {
    let bytes = key.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match (byte, tail) {
            (b'+', _) => out.push(b' '),
            (b'%', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                out.push(hex(*high) << 4 | hex(*low));
                rest = after;
            }
            _ => out.push(byte),
        }
    }
    String::from_utf8(out).ok()
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        b'A'..=b'F' => digit - b'A' + 10,
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
