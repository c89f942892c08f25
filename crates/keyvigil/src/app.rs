//! The daemon: what it is built from, what it runs, how it stops.

mod export;
mod gate;
mod orphans;
mod polling;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use keyvigil_bus::{Publisher, Subscriber, topic};
use keyvigil_connector::call::{Budget, Clock};
use keyvigil_connector::notifier::Notifier;
use keyvigil_detector::Detector;
use keyvigil_ingester::bytes::ByteBudget;
use keyvigil_ingester::clock::SystemClock;
use keyvigil_ingester::driver::Driver;
use keyvigil_ingester::folder::FolderSettings;
use keyvigil_ingester::metrics::SourceMetrics;
use keyvigil_ingester::object::{ObjectLog, ObjectSettings};
use keyvigil_ingester::{folder, listing, pull, queue};
use keyvigil_model::action::ActionSet;
use keyvigil_model::id::{ReceiverId, SourceId};
use keyvigil_model::provider::Provider;
use keyvigil_model::resource::RepollRequest;
use keyvigil_poller::budget::ApiBudget;
use keyvigil_store::commit::AuditRow;
use keyvigil_store::{Commit, Opened, Store, StoreOptions};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, Notify, mpsc, watch};

use self::gate::Gate;
use crate::admin::{self, AdminState, Readiness};
use crate::config::{self, Config};
use crate::delivery::Delivery;
use crate::metrics::Metrics;
use crate::pipeline::{Command, Pipeline};
use crate::registry::{self, AwsCredentials, Sources};
use crate::supervisor::{ShutDown, Supervisor, stopped};

/// Observations that may wait for the pipeline. Each can hold a thousand events; sources wait when it is full.
const TOPIC_CAPACITY: usize = 16;
/// Commands that may wait.
const COMMAND_CAPACITY: usize = 64;

/// The daemon, built and not yet running.
pub struct App {
    config_file: PathBuf,
    config: Config,
    store: Store,
    sources: Sources,
    notifiers: Vec<Arc<dyn Notifier>>,
    metrics: Metrics,
    listener: Arc<TcpListener>,
    stop: watch::Sender<bool>,
}

/// Stops a running daemon as SIGTERM would.
#[derive(Clone, Debug)]
pub struct StopHandle(watch::Sender<bool>);

impl StopHandle {
    /// Asks it to stop.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

/// What the parts of the running daemon share.
struct Shared {
    publisher: Publisher,
    clock: Arc<dyn Clock>,
    budget: Arc<ApiBudget>,
    wanted: watch::Sender<ActionSet>,
    commands: mpsc::Sender<Command>,
    outbox_filled: Arc<Notify>,
    readiness: Arc<Readiness>,
    bytes: ByteBudget,
    keys_seen: watch::Sender<BTreeSet<SourceId>>,
}

impl App {
    /// Opens the store, connects the sources, opens the admin socket. Nothing is called at a provider yet.
    pub async fn build(
        config_file: PathBuf,
        config: Config,
        notifiers: Vec<Arc<dyn Notifier>>,
        credentials: AwsCredentials,
    ) -> Result<Self> {
        let sources = registry::connect(&config.aws, credentials).await?;
        let state_dir = &config.daemon.state_dir;
        let store = Store::open(state_dir, StoreOptions::default())
            .await
            .with_context(|| format!("daemon.state_dir {} cannot be used", state_dir.display()))?;
        match store.opened() {
            Opened::Created => tracing::info!(state_dir = %state_dir.display(), "new store"),
            Opened::Existing => {}
            Opened::Recovered(recovery) => tracing::error!(
                moved_to = %recovery.moved_to.display(),
                problem = %recovery.problem,
                "the database was damaged and is kept aside"
            ),
        }
        let listener = admin::listen(config.admin.listen)
            .await
            .with_context(|| format!("admin.listen {} cannot be opened", config.admin.listen))?;
        tracing::info!(address = %listener.local_addr()?, "admin server");
        let metrics = Metrics::new()?;
        let (listener, stop) = (Arc::new(listener), watch::Sender::new(false));
        Ok(Self {
            config_file,
            config,
            store,
            sources,
            notifiers,
            metrics,
            listener,
            stop,
        })
    }

    /// Where the admin server listens; the configuration may say port 0.
    pub fn admin_address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// What stops the daemon from inside the process.
    pub fn stop_handle(&self) -> StopHandle {
        StopHandle(self.stop.clone())
    }

    /// Runs until SIGTERM or SIGINT, then drains.
    pub async fn run(self) -> Result<()> {
        let mut supervisor = Supervisor::new();
        let (publisher, subscriber) = topic(TOPIC_CAPACITY);
        let (commands, command_queue) = mpsc::channel(COMMAND_CAPACITY);
        let (repolls, repoll_queue) = mpsc::channel(polling::REPOLL_CAPACITY);
        let wanted = Detector::new(self.config.policy.clone(), []).0.wanted();
        let shared = Shared {
            publisher,
            clock: Arc::new(SystemClock),
            budget: Arc::new(ApiBudget::new(self.config.budget())),
            wanted: watch::Sender::new(wanted),
            commands,
            outbox_filled: Arc::new(Notify::new()),
            readiness: Arc::new(Readiness::default()),
            bytes: ByteBudget::new(ByteBudget::DEFAULT),
            keys_seen: watch::Sender::new(BTreeSet::new()),
        };
        self.start_up(&shared).await?;
        self.start_pipeline(&mut supervisor, &shared, subscriber, command_queue, repolls);
        self.start_deliveries(&mut supervisor, &shared);
        let configured: Vec<ReceiverId> = self
            .notifiers
            .iter()
            .map(|notifier| notifier.receiver().id.clone())
            .collect();
        orphans::give_up(&self.store, shared.clock.as_ref(), &configured, &shared.commands).await?;
        let exported = self.start_sources(&mut supervisor, &shared, repoll_queue);
        self.start_admin(&mut supervisor, &shared, exported);
        self.metrics.config_last_reload_successful.set(1);
        let store = self.store.clone();
        let stop_limit = self.config.daemon.stop_limit();
        self.obey_signals(&shared).await?;
        // The pipeline ends when the last publisher is gone; this one publishes nothing any more.
        drop(shared);
        tracing::info!("stopping");
        if let ShutDown::TimedOut { left } = supervisor.shut_down(stop_limit).await {
            tracing::warn!(
                left,
                "some tasks did not stop in time; what they had not committed is delivered again"
            );
        }
        store.close().await?;
        tracing::info!("stopped");
        Ok(())
    }

    /// What must be right before anything runs.
    async fn start_up(&self, shared: &Shared) -> Result<()> {
        let now = shared.clock.now();
        let recovered = self.store.recover_outbox(now).await?;
        if recovered > 0 {
            tracing::warn!(
                recovered,
                "messages were being sent when keyvigil ended; they are sent again"
            );
        }
        let mut commit = Commit::at(now);
        commit.self_audit.push(AuditRow {
            time: now,
            actor: String::from("keyvigil"),
            action: String::from("start"),
            data: format!("version {}", env!("CARGO_PKG_VERSION")),
        });
        self.store.commit(commit).await?;
        self.metrics
            .config_last_reload_success_timestamp
            .set(now.as_secs() as f64);
        self.metrics
            .rules_loaded
            .with_label_values(&["event"])
            .set(keyvigil_detector::rules().len() as i64);
        self.metrics
            .rules_loaded
            .with_label_values(&["posture"])
            .set(keyvigil_detector::controls().len() as i64);
        for notifier in &self.notifiers {
            let receiver = notifier.receiver();
            self.metrics
                .notifications
                .with_label_values(&[receiver.integration, receiver.id.as_str()]);
            self.metrics
                .notification_dead_letters
                .with_label_values(&[receiver.id.as_str()])
                .set(0);
        }
        Ok(())
    }

    fn start_pipeline(
        &self,
        supervisor: &mut Supervisor,
        shared: &Shared,
        observations: Subscriber,
        commands: mpsc::Receiver<Command>,
        repolls: mpsc::Sender<RepollRequest>,
    ) {
        let pipeline = Arc::new(Pipeline {
            store: self.store.clone(),
            clock: Arc::clone(&shared.clock),
            settings: Mutex::new((self.config.policy.clone(), self.config.alert_settings())),
            observations: Mutex::new(observations),
            commands: Mutex::new(commands),
            repolls,
            outbox_filled: Arc::clone(&shared.outbox_filled),
            keys_seen: shared.keys_seen.clone(),
            metrics: self.metrics.clone(),
            readiness: Arc::clone(&shared.readiness),
        });
        let stop = supervisor.stop_signal();
        supervisor.keep_running("pipeline", move || Arc::clone(&pipeline).run(stop.clone()));
    }

    fn start_deliveries(&self, supervisor: &mut Supervisor, shared: &Shared) {
        for notifier in &self.notifiers {
            let delivery = Arc::new(Delivery {
                notifier: Arc::clone(notifier),
                store: self.store.clone(),
                clock: Arc::clone(&shared.clock),
                outbox_filled: Arc::clone(&shared.outbox_filled),
                pipeline: shared.commands.clone(),
                metrics: self.metrics.clone(),
                readiness: Arc::clone(&shared.readiness),
            });
            let stop = supervisor.stop_signal();
            let name = format!("delivery/{}", notifier.receiver().id);
            supervisor.keep_running(&name, move || Arc::clone(&delivery).run(stop.clone()));
        }
    }

    fn start_sources(
        &self,
        supervisor: &mut Supervisor,
        shared: &Shared,
        repolls: mpsc::Receiver<RepollRequest>,
    ) -> export::Exported {
        let mut exported = export::Exported::default();
        let gate = self.gate(shared);
        for reader in &self.sources.readers {
            let source = reader.source();
            let driver = self.driver(supervisor, shared, &source.id, source.provider, &mut exported);
            let reader = Arc::clone(reader);
            let gate = gate.clone();
            supervisor.keep_running(source.id.as_str(), move || {
                let (gate, reader, driver) = (gate.clone(), Arc::clone(&reader), driver.clone());
                async move {
                    gate.wait().await;
                    pull::run(reader, pull::PullSettings::default(), driver).await;
                }
            });
        }
        for parts in &self.sources.object_logs {
            let source = parts.store.source();
            let driver = self.driver(supervisor, shared, &source.id, source.provider, &mut exported);
            let settings = ObjectSettings::new(shared.bytes.clone(), parts.place);
            let log = ObjectLog::new(
                Arc::clone(&parts.store),
                Arc::clone(&parts.decoder),
                settings,
                driver,
            );
            let (listed, queue) = (Arc::clone(&log), Arc::clone(&parts.queue));
            let (gate, listing_gate) = (gate.clone(), gate.clone());
            supervisor.keep_running(source.id.as_str(), move || {
                let (gate, queue, log) = (gate.clone(), Arc::clone(&queue), Arc::clone(&log));
                async move {
                    gate.wait().await;
                    queue::run(queue, log, queue::QueueSettings::default()).await;
                }
            });
            supervisor.keep_running(&format!("{}/listing", source.id), move || {
                let (gate, listed) = (listing_gate.clone(), Arc::clone(&listed));
                async move {
                    gate.wait().await;
                    listing::run(listed, listing::ListingSettings::default()).await;
                }
            });
        }
        self.start_folders(supervisor, shared, &mut exported);
        self.start_pollers(supervisor, shared, repolls, &mut exported);
        exported
    }

    /// What log sources wait for after a start.
    fn gate(&self, shared: &Shared) -> Gate {
        Gate::new(
            shared.keys_seen.subscribe(),
            self.sources.pollers.iter().map(|poller| &**poller),
        )
    }

    fn start_folders(&self, supervisor: &mut Supervisor, shared: &Shared, exported: &mut export::Exported) {
        for folder_config in &self.config.folders {
            let source = SourceId::new(format!("folder/{}", folder_config.name));
            let driver = self.driver(supervisor, shared, &source, Provider::Aws, exported);
            let settings = FolderSettings {
                source: source.clone(),
                provider: Provider::Aws,
                path: folder_config.path.clone(),
                every: Duration::from_secs(u64::from(folder_config.scan_seconds)),
                bytes: shared.bytes.clone(),
            };
            let decoder = registry::cloudtrail_files();
            let gate = self.gate(shared);
            supervisor.keep_running(source.as_str(), move || {
                let (gate, decoder) = (gate.clone(), Arc::clone(&decoder));
                let (settings, driver) = (settings.clone(), driver.clone());
                async move {
                    gate.wait().await;
                    folder::run(decoder, settings, driver).await;
                }
            });
        }
    }

    /// What a source driver works with.
    fn driver(
        &self,
        supervisor: &Supervisor,
        shared: &Shared,
        source: &SourceId,
        provider: Provider,
        exported: &mut export::Exported,
    ) -> Driver {
        let metrics = Arc::new(SourceMetrics::default());
        self.metrics.initialise_source(source.as_str(), provider);
        exported
            .sources
            .push((source.clone(), provider, Arc::clone(&metrics)));
        Driver {
            publisher: shared.publisher.clone(),
            memory: Arc::new(self.store.clone()),
            clock: Arc::clone(&shared.clock),
            budget: Arc::clone(&shared.budget) as Arc<dyn Budget>,
            wanted: shared.wanted.subscribe(),
            shutdown: supervisor.stop_signal(),
            metrics,
        }
    }

    fn start_admin(&self, supervisor: &mut Supervisor, shared: &Shared, exported: export::Exported) {
        let state = AdminState {
            metrics: self.metrics.clone(),
            readiness: Arc::clone(&shared.readiness),
            clock: Arc::clone(&shared.clock),
        };
        let stop = supervisor.stop_signal();
        let listener = Arc::clone(&self.listener);
        supervisor.keep_running("admin", move || {
            admin::serve(Arc::clone(&listener), state.clone(), stop.clone())
        });
        let exporter = Arc::new(export::Exporter::new(
            exported,
            Arc::clone(&shared.budget),
            self.metrics.clone(),
            shared.publisher.depth_handle(),
        ));
        let stop = supervisor.stop_signal();
        supervisor.keep_running("metrics", move || Arc::clone(&exporter).run(stop.clone()));
    }

    /// Waits for the signal to stop; reloads the configuration on SIGHUP and keeps the old one if the new one is bad.
    async fn obey_signals(&self, shared: &Shared) -> Result<()> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hangup = signal(SignalKind::hangup())?;
        let mut stop = self.stop.subscribe();
        loop {
            tokio::select! {
                _ = terminate.recv() => return Ok(()),
                _ = interrupt.recv() => return Ok(()),
                () = stopped(&mut stop) => return Ok(()),
                _ = hangup.recv() => self.reload(shared).await,
            }
        }
    }

    /// Whether the receivers of a configuration are those for which messages are delivered. A route to another one would
    /// lead into an outbox that nobody empties.
    fn has_receivers_of(&self, config: &Config) -> bool {
        let new: BTreeSet<&str> = config.routes().iter().map(|route| route.name).collect();
        let running: BTreeSet<&str> = self
            .notifiers
            .iter()
            .map(|notifier| notifier.receiver().id.as_str())
            .collect();
        new == running
    }

    /// Takes over policy and alert settings. Accounts, receivers and addresses need a restart, and that is said.
    async fn reload(&self, shared: &Shared) {
        let config = match config::load(&self.config_file) {
            Ok(config) => config,
            Err(bad) => {
                tracing::error!(%bad, "the new configuration is bad; the old one stays in effect");
                self.metrics.config_last_reload_successful.set(0);
                return;
            }
        };
        if !self.has_receivers_of(&config) {
            tracing::error!(
                "the new configuration names other receivers: that needs a restart; the old one stays"
            );
            self.metrics.config_last_reload_successful.set(0);
            return;
        }
        let settings = config.alert_settings();
        let (detector, _none) = Detector::new(config.policy.clone(), []);
        shared.wanted.send_replace(detector.wanted());
        let command = Command::Reload(Box::new(config.policy), Box::new(settings));
        if shared.commands.send(command).await.is_ok() {
            self.metrics.config_last_reload_successful.set(1);
            self.metrics
                .config_last_reload_success_timestamp
                .set(shared.clock.now().as_secs() as f64);
            tracing::info!(
                "policy and alerts reloaded; changes of accounts, folders and receivers need a restart"
            );
        }
    }
}
