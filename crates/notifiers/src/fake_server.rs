//! A server of a few lines for tests: it answers every request with the same bytes and tells what it was asked.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use keyvigil_connector::call::{CallContext, Unlimited};
use keyvigil_http::{HttpClient, HttpOptions};
use keyvigil_model::time::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// What the server does with a request.
#[derive(Clone, Copy)]
pub(crate) enum Answer {
    /// Status, extra header lines, body.
    Reply(u16, &'static str, &'static str),
    /// It reads and says nothing.
    Silence,
}

/// Its address (`http://127.0.0.1:port`) and the requests it read.
pub(crate) async fn serve(answer: Answer) -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (asked, requests) = mpsc::channel(8);
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !whole(&request) {
                let mut buffer = [0; 8192];
                match socket.read(&mut buffer).await {
                    Ok(0) | Err(_) => break,
                    Ok(count) => request.extend_from_slice(&buffer[..count]),
                }
            }
            asked
                .try_send(String::from_utf8(request).unwrap())
                .expect("a test asks less than eight times");
            match answer {
                Answer::Reply(status, headers, body) => {
                    let reply = format!(
                        "HTTP/1.1 {status} X\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n{body}",
                        body.len()
                    );
                    let _gone = socket.write_all(reply.as_bytes()).await.is_err();
                }
                Answer::Silence => kept.push(socket),
            }
        }
    });
    (address, requests)
}

fn whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .and_then(|value| value.trim().parse::<usize>().ok());
    length.is_some_and(|length| body.len() >= length)
}

/// The body of a request.
pub(crate) fn body_of(request: &str) -> &str {
    request.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

/// One client for all tests: reading the system's certificates takes its time.
pub(crate) fn client() -> HttpClient {
    static CLIENT: OnceLock<HttpClient> = OnceLock::new();
    CLIENT
        .get_or_init(|| HttpClient::new(&HttpOptions::default()).unwrap())
        .clone()
}

pub(crate) fn call(timeout: Duration) -> CallContext {
    CallContext {
        now: Timestamp::from_secs(1_766_620_853),
        timeout,
        budget: Arc::new(Unlimited),
    }
}
