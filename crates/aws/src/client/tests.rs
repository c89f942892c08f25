//! Calls over the wire, against a server that gives one fixed answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use keyvigil_connector::call::{BoxFuture, Budget};
use keyvigil_model::time::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// Counts what was asked of it.
#[derive(Default)]
struct Counting {
    acquired: AtomicU32,
    throttled: AtomicU32,
}

impl Budget for Counting {
    fn acquire<'a>(&'a self, request: ApiRequest<'a>) -> BoxFuture<'a, ()> {
        assert_eq!((request.account, request.region), ("111122223333", "eu-west-1"));
        self.acquired.fetch_add(1, Ordering::Relaxed);
        Box::pin(std::future::ready(()))
    }

    fn throttled(&self, _request: ApiRequest<'_>) {
        self.throttled.fetch_add(1, Ordering::Relaxed);
    }
}

/// Answers every request with the same text, and never again once dropped.
async fn server(answer: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut request = [0; 16 * 1024];
                if stream.read(&mut request).await.is_ok() {
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            });
        }
    });
    format!("http://{address}")
}

fn http(status: &str, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n{body}",
        body.len()
    )
}

async fn scope(endpoint: &str) -> Scope {
    let config: AccountConfig = serde_json::from_value(serde_json::json!({
        "name": "prod", "account_id": "111122223333", "regions": ["eu-west-1"], "endpoint_url": endpoint,
    }))
    .unwrap();
    let account = Account::connect_with_key(&config, "AKIDEXAMPLE", &Secret::new("hunter2"))
        .await
        .unwrap();
    account.scope(&Region::from("eu-west-1"))
}

fn call(budget: &Arc<Counting>) -> CallContext {
    CallContext {
        now: Timestamp::EPOCH,
        timeout: Duration::from_secs(10),
        budget: Arc::clone(budget) as Arc<dyn Budget>,
    }
}

async fn kms_failure(answer: String) -> (AwsError, u32, u32) {
    let scope = scope(&server(answer).await).await;
    let budget = Arc::new(Counting::default());
    let request = scope.kms().list_keys().send();
    let error = scope
        .call(&call(&budget), "kms:ListKeys", request)
        .await
        .unwrap_err();
    (
        error,
        budget.acquired.load(Ordering::Relaxed),
        budget.throttled.load(Ordering::Relaxed),
    )
}

#[tokio::test]
async fn json_errors_are_classified_from_the_wire() {
    let json = |code: &str| format!(r#"{{"__type":"{code}","message":"said so"}}"#);
    for (status, body, class, code) in [
        (
            "400 Bad Request",
            json("AccessDeniedException"),
            FailureClass::Denied,
            "AccessDeniedException",
        ),
        (
            "400 Bad Request",
            json("com.amazonaws.kms#NotFoundException"),
            FailureClass::NotFound,
            "NotFoundException",
        ),
        (
            "400 Bad Request",
            json("UnrecognizedClientException"),
            FailureClass::Unauthenticated,
            "UnrecognizedClientException",
        ),
        (
            "500 Internal Server Error",
            "<!doctype html><h1>oops</h1>".to_owned(),
            FailureClass::Transient,
            "",
        ),
        ("200 OK", "<html>".to_owned(), FailureClass::Unreadable, ""),
        ("403 Forbidden", String::new(), FailureClass::Denied, ""),
    ] {
        let (error, acquired, throttled) = kms_failure(http(status, "", &body)).await;
        assert_eq!(error.class, class, "{error}");
        assert_eq!(error.code(), code, "{error}");
        // One request each: the SDK does not retry.
        assert_eq!((acquired, throttled), (1, 0), "{error}");
    }
}

#[tokio::test]
async fn throttling_is_reported_to_the_budget_with_its_wait() {
    let body = r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#;
    let answer = http("400 Bad Request", "retry-after: 7\r\n", body);
    let (error, acquired, throttled) = kms_failure(answer).await;
    assert_eq!(error.class, FailureClass::Throttled(Some(Duration::from_secs(7))));
    assert_eq!((acquired, throttled), (1, 1));
}

#[tokio::test]
async fn query_errors_are_classified_from_the_wire() {
    let xml = |code: &str| {
        format!(
            "<Response><Errors><Error><Code>{code}</Code><Message>no</Message></Error></Errors></Response>"
        )
    };
    for (status, body, class) in [
        (
            "503 Service Unavailable",
            xml("RequestLimitExceeded"),
            FailureClass::Throttled(None),
        ),
        (
            "403 Forbidden",
            xml("UnauthorizedOperation"),
            FailureClass::Denied,
        ),
        (
            "401 Unauthorized",
            xml("AuthFailure"),
            FailureClass::Unauthenticated,
        ),
        ("200 OK", "<!doctype html>".to_owned(), FailureClass::Unreadable),
        (
            "500 Internal Server Error",
            "<!doctype html>".to_owned(),
            FailureClass::Transient,
        ),
    ] {
        let scope = scope(&server(http(status, "", &body)).await).await;
        let budget = Arc::new(Counting::default());
        let outcome = scope
            .query(&call(&budget), QueryService::Ec2, "DescribeVolumes", &[])
            .await;
        let error = outcome.unwrap_err();
        assert_eq!(error.class, class, "{error}");
        assert_eq!(error.call, "ec2:DescribeVolumes");
    }
}

#[tokio::test]
async fn a_good_query_answer_is_handed_over_whole() {
    let body = "<DescribeVolumesResponse><volumeSet/></DescribeVolumesResponse>";
    let scope = scope(&server(http("200 OK", "", body)).await).await;
    let budget = Arc::new(Counting::default());
    let answer = scope
        .query(&call(&budget), QueryService::Ec2, "DescribeVolumes", &[])
        .await;
    assert_eq!(answer.unwrap(), body);
    assert_eq!(budget.acquired.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn nobody_there_and_no_answer_are_transient() {
    let (error, ..) = kms_failure(String::new()).await;
    assert_eq!(error.class, FailureClass::Transient, "{error}");

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = format!("http://{}", listener.local_addr().unwrap());
    let scope = scope(&silent).await;
    let budget = Arc::new(Counting::default());
    let call = CallContext {
        timeout: Duration::from_millis(50),
        ..call(&budget)
    };
    let error = scope
        .call(&call, "kms:ListKeys", scope.kms().list_keys().send())
        .await
        .unwrap_err();
    assert_eq!(error.class, FailureClass::Transient, "{error}");
    assert!(error.message.contains("no answer within"), "{error}");
}

#[tokio::test]
async fn nothing_prints_the_secret() {
    let scope = scope("http://127.0.0.1:1").await;
    assert!(!format!("{scope:?}").contains("hunter2"));
}
