//! A small HTTP server on a free loopback port that hands every request, body read, to one function.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Request;
use axum::response::Response;
use http::request::Parts;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A running server. It ends when this is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    task: JoinHandle<()>,
}

/// Requests with a larger body are refused: nothing that keyvigil sends comes near.
const MAX_BODY: usize = 16 * 1024 * 1024;

impl Server {
    /// Starts a server on a free port of the loopback interface.
    pub async fn start<Handler, Answer>(handler: Handler) -> std::io::Result<Self>
    where
        Handler: Fn(Parts, Bytes) -> Answer + Send + Sync + 'static,
        Answer: Future<Output = Response> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let handler = Arc::new(handler);
        let router = Router::new().fallback(move |request: Request| {
            let handler = Arc::clone(&handler);
            async move {
                let (parts, body) = request.into_parts();
                match axum::body::to_bytes(body, MAX_BODY).await {
                    Ok(bytes) => handler(parts, bytes).await,
                    Err(error) => text(http::StatusCode::PAYLOAD_TOO_LARGE, error.to_string()),
                }
            }
        });
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "fake server ended");
            }
        });
        Ok(Self { address, task })
    }

    /// `http://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A plain-text answer.
pub fn text(status: http::StatusCode, body: impl Into<String>) -> Response {
    answer(status, "text/plain", body)
}

/// A JSON answer.
pub fn json(status: http::StatusCode, body: &serde_json::Value) -> Response {
    answer(status, "application/json", body.to_string())
}

/// An answer with a content type.
pub fn answer(status: http::StatusCode, content_type: &'static str, body: impl Into<String>) -> Response {
    let mut response = Response::new(axum::body::Body::from(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(
        http::header::CONTENT_TYPE,
        http::HeaderValue::from_static(content_type),
    );
    response
}
