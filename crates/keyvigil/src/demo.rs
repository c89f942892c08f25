//! `keyvigil demo`: the daemon as it is, on a made-up company in a made-up AWS. Nothing outside this machine is called.
//!
//! The fakes speak the providers' wire formats; between them and the alerts is the same code that runs in production:
//! SQS, S3, the pollers, the pipeline, the store, the outbox, Slack's blocks and PagerDuty's events.

mod company;
mod incident;
mod show;

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use keyvigil_aws::config::AccountConfig;
use keyvigil_connector::call::Clock;
use keyvigil_connector::secret::Secret;
use keyvigil_ingester::clock::SystemClock;
use keyvigil_testkit::aws::FakeAws;
use keyvigil_testkit::aws::world::access_key_of;
use keyvigil_testkit::pagerduty::FakePagerDuty;
use keyvigil_testkit::slack::FakeSlack;
use tokio::time::Instant;

use crate::app::App;
use crate::cli::Demo as Arguments;
use crate::config;
use crate::exit::Exit;
use crate::receivers;
use crate::registry::AwsCredentials;

/// Everything must have been shown by then.
const LIMIT: Duration = Duration::from_secs(50);

/// Nothing arrived for so long: the step is over.
const QUIET: Duration = Duration::from_millis(2_500);

/// Plays the company and its incident.
pub async fn run(arguments: &Arguments) -> Result<Exit> {
    let mut out = io::stdout();
    let now = SystemClock.now().as_secs();
    let aws = FakeAws::start(company::world(now))
        .await
        .context("the made-up AWS cannot start")?;
    let slack = FakeSlack::start().await?;
    let pagerduty = FakePagerDuty::start().await?;
    let folder = DemoFolder::make()?;
    let text = company::configuration(&aws, &slack, &pagerduty, &folder.path);
    let config_file = folder.path.join("keyvigil.toml");
    std::fs::write(&config_file, &text)?;
    let config = config::load(&config_file)?;
    write!(out, "{}", show::introduction(&config_file))?;
    let notifiers = receivers::build(&config_file, &config)?;
    let credentials = AwsCredentials::Given(made_up_key);
    let app = Box::pin(App::build(config_file.clone(), config, notifiers, credentials)).await?;
    let metrics = format!("http://{}", app.admin_address()?);
    let stop = app.stop_handle();
    let daemon = tokio::spawn(Box::pin(app.run()));
    let result = Box::pin(play(&mut out, &aws, &slack, &pagerduty, now)).await;
    if result.is_ok() {
        write!(
            out,
            "{}",
            show::conclusion(&metrics, &config_file, arguments.stay)
        )?;
        out.flush()?;
        if arguments.stay {
            tokio::signal::ctrl_c().await?;
        }
    }
    stop.stop();
    daemon.await??;
    result.map(|()| Exit::Clean)
}

/// The incident, step by step; each step is followed by what keyvigil made of it.
async fn play(
    out: &mut dyn Write,
    aws: &FakeAws,
    slack: &FakeSlack,
    pagerduty: &FakePagerDuty,
    now: i64,
) -> Result<()> {
    let started = Instant::now();
    let mut shown = show::Shown::default();
    write!(
        out,
        "{}",
        show::chapter(
            "An ordinary morning",
            "keyvigil reads the configuration of the account."
        )
    )?;
    wait_for(started, || slack.messages().len() >= company::POSTURE_MESSAGES).await?;
    until_quiet(slack).await;
    shown.new_messages(out, slack, pagerduty)?;
    for step in incident::steps(now) {
        write!(out, "{}", show::chapter(step.title, step.story))?;
        let messages = slack.messages().len();
        aws.change(|world| incident::happen(world, &step, now));
        wait_for(started, || slack.messages().len() > messages).await?;
        until_quiet(slack).await;
        shown.new_messages(out, slack, pagerduty)?;
    }
    write!(out, "{}", show::incidents(pagerduty))?;
    let refused: Vec<String> = slack.refused().into_iter().chain(pagerduty.refused()).collect();
    if !refused.is_empty() {
        bail!("a receiver refused messages: {refused:?}");
    }
    write!(out, "{}", show::read_only(aws))?;
    Ok(())
}

/// What belongs together arrives one after the other, a second apart, as Slack wants it: a finding, the chain that it
/// completes, the drift that it caused. Waits until nothing more comes.
async fn until_quiet(slack: &FakeSlack) {
    let mut known = 0;
    let mut quiet_since = Instant::now();
    while quiet_since.elapsed() < QUIET {
        let now = slack.messages().len();
        if now != known {
            known = now;
            quiet_since = Instant::now();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn wait_for(started: Instant, condition: impl Fn() -> bool) -> Result<()> {
    while !condition() {
        if started.elapsed() > LIMIT {
            bail!(
                "nothing was alerted within {} s: this is a defect, please report it",
                LIMIT.as_secs()
            );
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// The made-up AWS recognises accounts by their access keys and checks no signature.
fn made_up_key(account: &AccountConfig) -> (String, Secret) {
    (access_key_of(&account.account_id), Secret::new("made-up"))
}

/// A folder for the state of the demo, removed at the end.
struct DemoFolder {
    path: PathBuf,
}

impl DemoFolder {
    fn make() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("keyvigil-demo-{}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(Self { path })
    }
}

impl Drop for DemoFolder {
    fn drop(&mut self) {
        // A folder that cannot be removed is left to the system's cleaning of temporary files.
        let _removed = std::fs::remove_dir_all(&self.path).is_ok();
    }
}
