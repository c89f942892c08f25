//! The client against a server of a few lines that answers with given bytes.

use std::net::SocketAddr;
use std::sync::OnceLock;

use keyvigil_connector::call::Unlimited;
use keyvigil_connector::secret::Secret;
use keyvigil_model::time::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// In every address and body of these tests; in no error.
const CANARY: &str = "CANARY0123456789";

fn call(timeout: Duration) -> CallContext {
    CallContext {
        now: Timestamp::from_secs(784_111_740),
        timeout,
        budget: Arc::new(Unlimited),
    }
}

/// One for all tests: reading the system's certificates takes its time.
fn client() -> HttpClient {
    static CLIENT: OnceLock<HttpClient> = OnceLock::new();
    CLIENT
        .get_or_init(|| HttpClient::new(&HttpOptions::default()).unwrap())
        .clone()
}

/// What the server does once it has read a request.
#[derive(Clone)]
enum Answer {
    Bytes(Vec<u8>),
    Silence,
    HangUp,
}

fn http(status: u16, headers: &str, body: &str) -> Answer {
    let head = format!(
        "HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\n\r\n",
        body.len()
    );
    Answer::Bytes([head.as_bytes(), body.as_bytes()].concat())
}

/// Serves one answer to every connection; returns its address and what it was asked.
async fn serve(answer: Answer) -> (SocketAddr, tokio::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (asked, requests) = tokio::sync::mpsc::channel(8);
    tokio::spawn(async move {
        // Connections that stay silent must stay open.
        let mut kept = Vec::new();
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut request = String::new();
            // A TLS client greets with byte 22 and waits; it gets an answer that is not TLS.
            while !request.ends_with('}') && !request.starts_with('\u{16}') {
                let mut buffer = [0; 4096];
                match socket.read(&mut buffer).await {
                    Ok(0) | Err(_) => break,
                    Ok(count) => request.push_str(&String::from_utf8_lossy(&buffer[..count])),
                }
            }
            let _full = asked.try_send(request).is_err();
            match &answer {
                Answer::Bytes(bytes) => {
                    let _gone = socket.write_all(bytes).await.is_err();
                }
                Answer::Silence => kept.push(socket),
                Answer::HangUp => {}
            }
        }
    });
    (address, requests)
}

fn body() -> String {
    format!(r#"{{"key":"{CANARY}"}}"#)
}

async fn post(url: &str, timeout: Duration) -> Result<HttpReply, CallError> {
    let endpoint = Endpoint::new("test:post", &Secret::new(url))
        .unwrap()
        .hiding(Secret::new(CANARY));
    client().post_json(&call(timeout), &endpoint, body()).await
}

const LONG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_request_is_sent_as_json_and_the_answer_returned() {
    let (address, mut requests) = serve(http(202, "", "taken")).await;
    let reply = post(&format!("http://{address}/hook/{CANARY}?x=1"), LONG)
        .await
        .unwrap();
    assert_eq!((reply.status, reply.body.as_str()), (202, "taken"));
    let request = requests.recv().await.unwrap();
    let lower = request.to_ascii_lowercase();
    assert!(
        request.starts_with(&format!("POST /hook/{CANARY}?x=1 HTTP/1.1\r\n")),
        "{request}"
    );
    assert!(lower.contains("content-type: application/json\r\n"), "{request}");
    assert!(lower.contains("user-agent: keyvigil/"), "{request}");
    assert!(request.ends_with(&body()), "{request}");
}

#[tokio::test]
async fn statuses_become_classes_and_quote_the_answer() {
    let wait = |seconds| FailureClass::Throttled(Some(Duration::from_secs(seconds)));
    for (status, headers, class) in [
        (400, "", FailureClass::Permanent),
        (401, "", FailureClass::Unauthenticated),
        (403, "", FailureClass::Denied),
        (404, "", FailureClass::NotFound),
        (429, "", FailureClass::Throttled(None)),
        (429, "retry-after: 30\r\n", wait(30)),
        (429, "retry-after: Sun, 06 Nov 1994 08:49:37 GMT\r\n", wait(37)),
        (503, "retry-after: 5\r\n", wait(5)),
        (500, "", FailureClass::Transient),
    ] {
        let (address, _requests) = serve(http(status, headers, "no\nway")).await;
        let error = post(&format!("http://{address}/{CANARY}"), LONG)
            .await
            .unwrap_err();
        assert_eq!(error.class, class, "{status}");
        assert_eq!(error.message, format!("HTTP {status}: noway"));
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let (target, mut reached) = serve(http(200, "", "ok")).await;
    for status in [301, 302, 303, 307, 308] {
        let location = format!("location: http://{target}/{CANARY}\r\n");
        let (address, _requests) = serve(http(status, &location, "")).await;
        let error = post(&format!("http://{address}/{CANARY}"), LONG)
            .await
            .unwrap_err();
        assert_eq!(error.class, FailureClass::Permanent, "{status}");
    }
    assert!(reached.try_recv().is_err(), "nobody called the target");
}

#[tokio::test]
async fn answers_are_read_up_to_a_limit() {
    let (address, _requests) = serve(http(200, "", &"x".repeat(10 * MAX_BODY))).await;
    let reply = post(&format!("http://{address}/"), LONG).await.unwrap();
    assert_eq!(reply.body.len(), MAX_BODY);
}

/// Errors of every kind: none holds the address, the token or the body.
#[tokio::test]
async fn no_error_holds_a_secret() {
    let echo = format!("bad request POST /{CANARY} with {}", body());
    let (echoing, _a) = serve(http(400, "", &echo)).await;
    let (broken, _b) = serve(Answer::Bytes(
        format!("HTTP/1.1 abc {CANARY}\r\n\r\n").into_bytes(),
    ))
    .await;
    let (silent, _c) = serve(Answer::Silence).await;
    let (hanging, _d) = serve(Answer::HangUp).await;
    let short = Answer::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nshort".to_vec());
    let (cut, _e) = serve(short).await;
    let (away, _f) = serve(http(302, &format!("location: https://{CANARY}.example/\r\n"), "")).await;
    let refused = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    for (name, url, class, part) in [
        (
            "echo",
            format!("http://{echoing}"),
            FailureClass::Permanent,
            "HTTP 400: bad request",
        ),
        (
            "broken",
            format!("http://{broken}"),
            FailureClass::Transient,
            "connection broke",
        ),
        (
            "timeout",
            format!("http://{silent}"),
            FailureClass::Transient,
            "no complete answer within 0.2 s",
        ),
        (
            "hang-up",
            format!("http://{hanging}"),
            FailureClass::Transient,
            "connection broke",
        ),
        (
            "cut short",
            format!("http://{cut}"),
            FailureClass::Transient,
            "connection broke",
        ),
        (
            "redirect",
            format!("http://{away}"),
            FailureClass::Permanent,
            "a redirect, which is never followed",
        ),
        (
            "refused",
            format!("http://{refused}"),
            FailureClass::Transient,
            "cannot connect: ",
        ),
        (
            "TLS",
            format!("https://{echoing}"),
            FailureClass::Transient,
            "cannot connect: received corrupt message",
        ),
    ] {
        let timeout = if name == "timeout" {
            Duration::from_millis(200)
        } else {
            LONG
        };
        let url = format!("{url}/services/{CANARY}?token={CANARY}");
        let error = post(&url, timeout).await.unwrap_err();
        assert_eq!(error.class, class, "{name}: {error}");
        let shown = format!("{error} {error:?} {:?}", error.source());
        let lower = shown.to_ascii_lowercase();
        assert!(!lower.contains(&CANARY.to_ascii_lowercase()), "{name}: {shown}");
        assert!(!lower.contains("://"), "{name}: {shown}");
        assert!(error.message.contains(part), "{name}: {shown}");
    }
}

#[test]
fn bad_certificates_are_named_by_their_place() {
    let options = HttpOptions {
        extra_ca: vec![b"not a certificate".to_vec()],
        proxy: ProxyUse::Never,
    };
    assert_eq!(
        HttpClient::new(&options).err(),
        Some(HttpSetupError::BadCertificate(0))
    );
}
