//! Every task of the daemon: named, restarted when it panics, joined at the end.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Tells every task that the daemon is stopping. `false` until then.
pub type Stop = watch::Receiver<bool>;

/// Returns when the daemon stops. A closed channel means the same: nobody is left who could ask.
pub async fn stopped(stop: &mut Stop) {
    let _closed = stop.wait_for(|stopping| *stopping).await.is_err();
}

/// After a panic a task waits this long, doubled with every further panic.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest wait before a restart.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A task that ran this long without a panic starts again with the first pause.
const HEALTHY_AFTER: Duration = Duration::from_secs(300);

/// Owns the tasks of the daemon.
pub struct Supervisor {
    tasks: JoinSet<Arc<str>>,
    stop: watch::Sender<bool>,
}

impl Default for Supervisor {
    fn default() -> Self {
        Self::new()
    }
}

impl Supervisor {
    /// A supervisor without tasks.
    pub fn new() -> Self {
        Self {
            tasks: JoinSet::new(),
            stop: watch::Sender::new(false),
        }
    }

    /// What tells a task that the daemon is stopping.
    pub fn stop_signal(&self) -> Stop {
        self.stop.subscribe()
    }

    /// Starts a task that runs until the daemon stops. If it panics or ends early it is started again.
    pub fn keep_running<F, Work>(&mut self, name: &str, make: F)
    where
        F: Fn() -> Work + Send + 'static,
        Work: Future<Output = ()> + Send + 'static,
    {
        let name: Arc<str> = name.into();
        let stop = self.stop.subscribe();
        self.tasks.spawn(restarting(name, stop, make));
    }

    /// Asks every task to stop and waits for them, at most `limit`. Tells which did not make it.
    pub async fn shut_down(mut self, limit: Duration) -> ShutDown {
        self.stop.send_replace(true);
        let all = async {
            while let Some(ended) = self.tasks.join_next().await {
                match ended {
                    Ok(name) => tracing::debug!(task = &*name, "task ended"),
                    Err(error) => tracing::error!(%error, "task ended badly"),
                }
            }
        };
        match tokio::time::timeout(limit, all).await {
            Ok(()) => ShutDown::Complete,
            Err(_) => {
                let left = self.tasks.len();
                self.tasks.abort_all();
                ShutDown::TimedOut { left }
            }
        }
    }
}

/// How the daemon's tasks ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ShutDown {
    /// All of them ended.
    Complete,
    /// Some did not end in time and were cut off; what they had not committed will be delivered again.
    TimedOut {
        /// How many.
        left: usize,
    },
}

async fn restarting<F, Work>(name: Arc<str>, mut stop: Stop, make: F) -> Arc<str>
where
    F: Fn() -> Work + Send + 'static,
    Work: Future<Output = ()> + Send + 'static,
{
    let mut pause = FIRST_PAUSE;
    while !*stop.borrow() {
        let started = Instant::now();
        // A task of its own contains a panic.
        let mut inner = JoinSet::new();
        inner.spawn(make());
        match inner.join_next().await {
            Some(Ok(())) if *stop.borrow() => break,
            Some(Ok(())) => tracing::warn!(task = &*name, "task ended early; it is started again"),
            Some(Err(error)) => tracing::error!(task = &*name, %error, "task panicked; it is started again"),
            None => {}
        }
        if started.elapsed() >= HEALTHY_AFTER {
            pause = FIRST_PAUSE;
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stopped(&mut stop) => break,
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    name
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_task_that_panics_is_started_again_and_joined() {
        let starts = Arc::new(AtomicU32::new(0));
        let mut supervisor = Supervisor::new();
        let stop = supervisor.stop_signal();
        let counted = Arc::clone(&starts);
        supervisor.keep_running("fragile", move || {
            let attempt = counted.fetch_add(1, Ordering::SeqCst);
            let mut stop = stop.clone();
            async move {
                assert!(attempt >= 2, "the first two attempts panic");
                let _stopped = stop.wait_for(|stopping| *stopping).await.is_ok();
            }
        });
        while starts.load(Ordering::SeqCst) < 3 {
            tokio::time::advance(Duration::from_millis(100)).await;
            tokio::task::yield_now().await;
        }
        assert_eq!(
            supervisor.shut_down(Duration::from_secs(5)).await,
            ShutDown::Complete
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_does_not_stop_is_reported() {
        let mut supervisor = Supervisor::new();
        supervisor.keep_running("deaf", std::future::pending);
        tokio::task::yield_now().await;
        assert_eq!(
            supervisor.shut_down(Duration::from_secs(1)).await,
            ShutDown::TimedOut { left: 1 }
        );
    }
}
