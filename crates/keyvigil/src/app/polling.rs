//! Starts the pollers, and feeds them the requests for targeted looks.

use std::sync::Arc;
use std::time::Duration;

use keyvigil_connector::call::Budget;
use keyvigil_connector::poller::Poller;
use keyvigil_model::id::hash_parts;
use keyvigil_model::resource::RepollRequest;
use keyvigil_poller::metrics::PollMetrics;
use keyvigil_poller::schedule::PollSchedule;
use keyvigil_poller::settings::{PollLink, PollSettings};
use tokio::sync::{Mutex, mpsc};

use super::{App, Shared, export};
use crate::supervisor::Supervisor;

/// Targeted re-polls that may wait.
pub(super) const REPOLL_CAPACITY: usize = 256;
/// After a start, pollers begin so far apart, those after the fiftieth closer together.
const FIRST_POLLS_APART: Duration = Duration::from_millis(200);

impl App {
    pub(super) fn start_pollers(
        &self,
        supervisor: &mut Supervisor,
        shared: &Shared,
        repolls: mpsc::Receiver<RepollRequest>,
        exported: &mut export::Exported,
    ) {
        let metrics = Arc::new(PollMetrics::default());
        exported.polls = Some(Arc::clone(&metrics));
        let seed = hash_parts(&[self.config.daemon.state_dir.as_os_str().as_encoded_bytes()]);
        let seed = u64::from_le_bytes([
            seed[0], seed[1], seed[2], seed[3], seed[4], seed[5], seed[6], seed[7],
        ]);
        let settings = PollSettings {
            schedule: PollSchedule {
                first_within: FIRST_POLLS_APART
                    * u32::try_from(self.sources.pollers.len())
                        .unwrap_or(u32::MAX)
                        .min(50),
                ..self.config.polling.schedule(seed)
            },
            ..PollSettings::default()
        };
        let link = PollLink {
            publisher: shared.publisher.clone(),
            clock: Arc::clone(&shared.clock),
            budget: Arc::clone(&shared.budget) as Arc<dyn Budget>,
            metrics,
            shutdown: supervisor.stop_signal(),
        };
        let pollers = self.sources.pollers.clone();
        // The queue of re-polls outlives a panic of the task; each start takes it over.
        let repolls = Arc::new(Mutex::new(repolls));
        supervisor.keep_running("pollers", move || {
            poll(
                pollers.clone(),
                settings.clone(),
                link.clone(),
                Arc::clone(&repolls),
            )
        });
    }
}

/// Polls, with requests for targeted looks taken from a queue that outlives a panic of this task.
async fn poll(
    pollers: Vec<Arc<dyn Poller>>,
    settings: PollSettings,
    link: PollLink,
    repolls: Arc<Mutex<mpsc::Receiver<RepollRequest>>>,
) {
    let mut repolls = repolls.lock().await;
    let (forward, requests) = mpsc::channel(REPOLL_CAPACITY);
    let pump = async {
        while let Some(request) = repolls.recv().await {
            if forward.send(request).await.is_err() {
                break;
            }
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = keyvigil_poller::run::run(pollers, settings, link, requests) => {}
        () = pump => {}
    }
}
