//! An AWS that speaks the documented wire formats: STS, KMS, S3, SQS, CloudTrail, EC2, RDS and IAM, as far as keyvigil
//! calls them. Strict: no signature header, no answer; page tokens are only valid with the parameters they came from.
//!
//! What happens in it is decided by the test or the demo through [`FakeAws::change`]; every request is recorded, so that
//! a test can prove that keyvigil only reads.

mod cloudtrail;
mod iam;
mod kms;
mod query;
mod rest;
mod sqs;
mod storage;
mod sts;
pub mod world;

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use axum::response::Response;
use http::StatusCode;
use http::request::Parts;
use serde_json::{Value, json};

use crate::server::{self, Server};
use world::World;

/// A running fake of AWS.
#[derive(Debug)]
pub struct FakeAws {
    server: Server,
    world: Arc<Mutex<World>>,
}

/// One request as it was received.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recorded {
    /// The operation in permission words: `kms:DescribeKey`.
    pub operation: String,
    /// The account whose credentials signed it.
    pub account: String,
    /// The region in the signature.
    pub region: String,
    /// The error code that it was answered with.
    pub error: Option<String>,
}

/// Who calls, from the signature.
#[derive(Clone, Debug)]
struct Caller {
    account: String,
    region: String,
    service: String,
}

/// An error as AWS would return it. Each protocol writes it in its own form.
#[derive(Clone, Debug)]
struct Fault {
    status: u16,
    code: String,
    message: String,
}

impl Fault {
    fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.into(),
        }
    }
}

/// The request, understood as far as the protocol goes.
struct Call<'a> {
    parts: &'a Parts,
    body: &'a Bytes,
    caller: Caller,
}

/// The protocols that AWS speaks.
enum Protocol {
    /// JSON with the operation in `X-Amz-Target`.
    Json {
        service: &'static str,
        operation: String,
    },
    /// A form with the operation in `Action`; XML comes back.
    Query {
        service: &'static str,
        operation: String,
    },
    /// S3.
    Rest,
}

impl FakeAws {
    /// Starts it with a world.
    pub async fn start(world: World) -> std::io::Result<Self> {
        let world = Arc::new(Mutex::new(world));
        let shared = Arc::clone(&world);
        let server = Server::start(move |parts, body| {
            let shared = Arc::clone(&shared);
            async move { handle(&shared, &parts, &body).await }
        })
        .await?;
        Ok(Self { server, world })
    }

    /// The address to configure as `endpoint_url`.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// The address of a queue.
    pub fn queue_url(&self, account: &str, queue: &str) -> String {
        format!("{}/{account}/{queue}", self.server.url())
    }

    /// Changes the world, as a person or an attacker would.
    pub fn change<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        change(&mut lock(&self.world))
    }

    /// Every request received so far.
    pub fn requests(&self) -> Vec<Recorded> {
        lock(&self.world).requests.clone()
    }
}

fn lock(world: &Mutex<World>) -> std::sync::MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn handle(world: &Mutex<World>, parts: &Parts, body: &Bytes) -> Response {
    let caller = match caller(parts) {
        Ok(caller) => caller,
        Err(fault) => return server::text(status(&fault), fault.message),
    };
    let protocol = match protocol(parts, body, &caller) {
        Ok(protocol) => protocol,
        Err(fault) => return json_fault(&fault),
    };
    let call = Call { parts, body, caller };
    match protocol {
        Protocol::Json {
            service: "sqs",
            operation,
        } if operation == "ReceiveMessage" => sqs::receive(world, &call).await,
        Protocol::Json { service, operation } => {
            let result = recorded(world, &call, service, &operation, |world| match service {
                "kms" => kms::answer(world, &call, &operation),
                "sqs" => sqs::answer(world, &call, &operation),
                _ => cloudtrail::answer(world, &call, &operation),
            });
            match result {
                Ok(value) => server::answer(StatusCode::OK, "application/x-amz-json-1.1", value.to_string()),
                Err(fault) => json_fault(&fault),
            }
        }
        Protocol::Query { service, operation } => query::handle(world, &call, service, &operation),
        Protocol::Rest => rest::handle(world, &call),
    }
}

/// Checks denials and faults, answers, and writes the request down.
fn recorded<T>(
    world: &Mutex<World>,
    call: &Call<'_>,
    service: &str,
    operation: &str,
    answer: impl FnOnce(&mut World) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let mut world = lock(world);
    let name = format!("{service}:{operation}");
    let result = match world.obstacle(&call.caller.account, &call.caller.region, &name) {
        Some(fault) => Err(Fault::new(fault.0, &fault.1, fault.2)),
        None => answer(&mut world),
    };
    world.requests.push(Recorded {
        operation: name,
        account: call.caller.account.clone(),
        region: call.caller.region.clone(),
        error: result.as_ref().err().map(|fault| fault.code.clone()),
    });
    result
}

/// Reads the credential scope of Signature Version 4. The signature itself cannot be checked: the fake knows no secrets.
fn caller(parts: &Parts) -> Result<Caller, Fault> {
    let missing = || {
        Fault::new(
            403,
            "MissingAuthenticationToken",
            "Request is missing Authentication Token",
        )
    };
    let header = parts
        .headers
        .get(http::header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let header = header.ok_or_else(missing)?;
    let scope = header
        .strip_prefix("AWS4-HMAC-SHA256 ")
        .and_then(|rest| {
            rest.split(',')
                .find_map(|part| part.trim().strip_prefix("Credential="))
        })
        .ok_or_else(missing)?;
    for needed in ["SignedHeaders=", "Signature="] {
        if !header.contains(needed) {
            return Err(Fault::new(
                400,
                "IncompleteSignature",
                format!("{needed} missing"),
            ));
        }
    }
    let fields: Vec<&str> = scope.split('/').collect();
    let [access_key, _date, region, service, "aws4_request"] = fields.as_slice() else {
        return Err(Fault::new(
            400,
            "IncompleteSignature",
            "credential scope is malformed",
        ));
    };
    Ok(Caller {
        account: world::account_of(access_key),
        region: (*region).to_owned(),
        service: (*service).to_owned(),
    })
}

fn protocol(parts: &Parts, body: &Bytes, caller: &Caller) -> Result<Protocol, Fault> {
    if let Some(target) = parts
        .headers
        .get("x-amz-target")
        .and_then(|value| value.to_str().ok())
    {
        let (prefix, operation) = target.rsplit_once('.').unwrap_or((target, ""));
        let service = match prefix {
            "TrentService" => "kms",
            "AmazonSQS" => "sqs",
            "CloudTrail_20131101" | "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101" => "cloudtrail",
            _ => {
                return Err(Fault::new(
                    400,
                    "UnknownOperationException",
                    format!("unknown target {target}"),
                ));
            }
        };
        return Ok(Protocol::Json {
            service,
            operation: operation.to_owned(),
        });
    }
    let form = parts
        .headers
        .get(http::header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    if !form {
        return Ok(Protocol::Rest);
    }
    let service = match caller.service.as_str() {
        "sts" => "sts",
        "ec2" => "ec2",
        "rds" => "rds",
        "iam" => "iam",
        other => {
            return Err(Fault::new(
                400,
                "InvalidAction",
                format!("no Query service {other}"),
            ));
        }
    };
    let operation = query::parameter(body, "Action").ok_or_else(|| {
        Fault::new(
            400,
            "MissingAction",
            "the request must contain the parameter Action",
        )
    })?;
    if query::parameter(body, "Version").is_none() {
        return Err(Fault::new(
            400,
            "MissingParameter",
            "the request must contain the parameter Version",
        ));
    }
    Ok(Protocol::Query { service, operation })
}

fn status(fault: &Fault) -> StatusCode {
    StatusCode::from_u16(fault.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn json_fault(fault: &Fault) -> Response {
    let body = json!({"__type": fault.code, "message": fault.message});
    server::answer(status(fault), "application/x-amz-json-1.1", body.to_string())
}

/// The JSON body of a request; an empty one is an empty object.
fn json_body(call: &Call<'_>) -> Result<Value, Fault> {
    if call.body.is_empty() {
        return Ok(json!({}));
    }
    serde_json::from_slice(call.body)
        .map_err(|error| Fault::new(400, "SerializationException", error.to_string()))
}

/// A required string of a JSON body.
fn required<'a>(body: &'a Value, name: &str) -> Result<&'a str, Fault> {
    body.get(name).and_then(Value::as_str).ok_or_else(|| {
        Fault::new(
            400,
            "ValidationException",
            format!("1 validation error detected: '{name}' must not be null"),
        )
    })
}

/// One page of a list: the items and the next token. A token is the parameters and the offset, so that it cannot be used
/// with other parameters.
fn page<'a, T>(
    items: &'a [T],
    size: usize,
    parameters: &str,
    token: Option<&str>,
) -> Result<(&'a [T], Option<String>), Fault> {
    let start = match token {
        None => 0,
        Some(token) => match token.rsplit_once('#') {
            Some((of, offset)) if of == parameters => offset.parse().unwrap_or(usize::MAX),
            _ => {
                return Err(Fault::new(
                    400,
                    "InvalidNextTokenException",
                    "token does not belong to these parameters",
                ));
            }
        },
    };
    if start > items.len() {
        return Err(Fault::new(
            400,
            "InvalidMarkerException",
            "marker is out of range",
        ));
    }
    let end = (start + size).min(items.len());
    let next = (end < items.len()).then(|| format!("{parameters}#{end}"));
    Ok((&items[start..end], next))
}
