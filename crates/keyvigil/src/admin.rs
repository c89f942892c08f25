//! The admin server: `/metrics`, `/healthz`, `/readyz`. Loopback by default; read-only; no names or ARNs in it.
//!
//! It brings its own accept loop, because a plain `axum::serve` has no timer and lets a client hold a socket forever
//! by sending headers slowly.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use keyvigil_connector::call::Clock;
use keyvigil_model::time::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::metrics::Metrics;
use crate::supervisor::{Stop, stopped};

/// Headers must be complete within this time.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection is closed after this time, whatever it does.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);
/// Connections at the same time; further ones wait.
const MAX_CONNECTIONS: usize = 64;

/// What the server tells.
#[derive(Clone)]
pub struct AdminState {
    /// The metrics.
    pub metrics: Metrics,
    /// Whether the daemon can do its work.
    pub readiness: Arc<Readiness>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
}

/// Whether the daemon can do its work. Written by the pipeline and the delivery, read by `/readyz`.
#[derive(Debug, Default)]
pub struct Readiness {
    /// Last time the pipeline committed or found nothing to commit, in seconds; 0 before the first.
    pipeline: AtomicU64,
    /// Since when every receiver fails, in seconds; 0 if one of them works.
    deaf_since: AtomicU64,
}

/// The pipeline must have shown life within this time.
const PIPELINE_STALE: Duration = Duration::from_secs(120);
/// Receivers may all fail for this long.
const DEAF_LIMIT: Duration = Duration::from_secs(300);

impl Readiness {
    /// The pipeline works.
    pub fn pipeline_alive(&self, now: Timestamp) {
        self.pipeline.store(seconds(now), Ordering::Relaxed);
    }

    /// At least one receiver accepts messages, or none has anything to send.
    pub fn delivery_works(&self) {
        self.deaf_since.store(0, Ordering::Relaxed);
    }

    /// A receiver failed. The time of the first failure in a row counts.
    pub fn delivery_fails(&self, now: Timestamp) {
        // Only the first failure is kept: losing the race means that another one was first.
        let _kept = self
            .deaf_since
            .compare_exchange(0, seconds(now), Ordering::Relaxed, Ordering::Relaxed)
            .is_ok();
    }

    /// Reasons not to be ready; empty if ready.
    pub fn problems(&self, now: Timestamp) -> Vec<&'static str> {
        let mut problems = Vec::new();
        let now = seconds(now);
        let pipeline = self.pipeline.load(Ordering::Relaxed);
        if pipeline == 0 {
            problems.push("pipeline: not started yet");
        } else if now.saturating_sub(pipeline) > PIPELINE_STALE.as_secs() {
            problems.push("pipeline: no progress for two minutes");
        }
        let deaf_since = self.deaf_since.load(Ordering::Relaxed);
        if deaf_since != 0 && now.saturating_sub(deaf_since) > DEAF_LIMIT.as_secs() {
            problems.push("delivery: no receiver has accepted a message for five minutes");
        }
        problems
    }
}

fn seconds(time: Timestamp) -> u64 {
    u64::try_from(time.as_secs()).unwrap_or(0)
}

/// Opens the socket. Separate from [`serve`], so that the address is known before the daemon is ready.
pub async fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Serves until the daemon stops.
pub async fn serve(listener: Arc<TcpListener>, state: AdminState, mut stop: Stop) {
    let service = TowerToHyperService::new(router(state));
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopped(&mut stop) => return,
        };
        while connections.try_join_next().is_some() {}
        let stream = match accepted {
            Ok((stream, _peer)) => stream,
            Err(error) => {
                tracing::warn!(%error, "admin server could not accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let service = service.clone();
        connections.spawn(async move {
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service);
            // A client that breaks off or dawdles is its own problem.
            let _finished = tokio::time::timeout(CONNECTION_TIMEOUT, connection).await.is_ok();
            drop(place);
        });
    }
}

fn router(state: AdminState) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .with_state(state)
}

async fn metrics(State(state): State<AdminState>) -> Response {
    match state.metrics.render() {
        Ok(page) => (
            [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
            page,
        )
            .into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

async fn ready(State(state): State<AdminState>) -> Response {
    let problems = state.readiness.problems(state.clock.now());
    if problems.is_empty() {
        return "ready\n".into_response();
    }
    (
        StatusCode::SERVICE_UNAVAILABLE,
        format!("{}\n", problems.join("\n")),
    )
        .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_names_what_is_wrong() {
        let readiness = Readiness::default();
        let start = Timestamp::from_secs(1_000_000);
        let later = |seconds| start.plus(Duration::from_secs(seconds));
        assert_eq!(readiness.problems(start), ["pipeline: not started yet"]);
        readiness.pipeline_alive(start);
        assert!(readiness.problems(later(60)).is_empty());
        assert_eq!(
            readiness.problems(later(121)),
            ["pipeline: no progress for two minutes"]
        );
        readiness.pipeline_alive(later(400));
        readiness.delivery_fails(start);
        readiness.delivery_fails(later(390));
        assert_eq!(
            readiness.problems(later(401)).len(),
            1,
            "the first failure counts, not the last"
        );
        readiness.delivery_works();
        assert!(readiness.problems(later(401)).is_empty());
    }
}
