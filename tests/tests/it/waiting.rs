//! Waiting for a state, with a limit. No test waits for a time to pass.

use std::time::Duration;

use tokio::time::Instant;

/// A state is looked at this often.
const EVERY: Duration = Duration::from_millis(50);

/// Waits until `probe` returns something; panics with `what` when the limit is over.
pub(crate) async fn until<T>(what: &str, limit: Duration, mut probe: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(started.elapsed() < limit, "not within {limit:?}: {what}");
        tokio::time::sleep(EVERY).await;
    }
}

/// Waits until `probe` is true.
pub(crate) async fn until_true(what: &str, limit: Duration, mut probe: impl FnMut() -> bool) {
    until(what, limit, || probe().then_some(())).await;
}

/// So many seconds.
pub(crate) const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}
