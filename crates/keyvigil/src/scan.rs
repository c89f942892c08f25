//! `keyvigil scan`: reads the configuration of every account once and prints what breaks the policy. Never notifies.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use keyvigil_connector::call::{Budget, CallContext, Clock};
use keyvigil_connector::failure::CallError;
use keyvigil_connector::poller::Poller;
use keyvigil_detector::{Detector, Input};
use keyvigil_ingester::clock::SystemClock;
use keyvigil_model::finding::{Finding, FindingChange};
use keyvigil_model::id::Fingerprint;
use keyvigil_model::snapshot::{BlindSpot, Family, Snapshot};
use keyvigil_model::verdict::{Judgement, UnknownReason};
use keyvigil_poller::budget::ApiBudget;
use serde::Serialize;
use tokio::task::JoinSet;

use crate::cli::{Output, Scan as Arguments};
use crate::config::{self, Config};
use crate::exit::Exit;
use crate::output::{clean, write_human, write_ndjson};
use crate::registry::{self, AwsCredentials};

/// The rule about keyvigil's own sight.
const SIGHT_LOST: &str = "sight.lost";
/// Pollers at work at the same time.
const AT_ONCE: usize = 8;
/// One request may take this long.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// AWS makes a credential report within seconds; it is asked for again this often and this many times.
const REPORT_PAUSE: Duration = Duration::from_secs(2);
const REPORT_ATTEMPTS: u32 = 10;

/// What a scan saw.
#[derive(Default)]
pub struct Seen {
    findings: BTreeMap<Fingerprint, Finding>,
    judgements: BTreeMap<(String, String), Judgement>,
    blind: Vec<BlindSpot>,
    failed: Vec<(String, CallError)>,
}

/// The last line of NDJSON.
#[derive(Serialize, Default)]
struct Summary {
    findings: usize,
    pass: usize,
    fail: usize,
    unknown: usize,
    not_applicable: usize,
    excepted: usize,
    blind_spots: usize,
    failed_polls: usize,
}

/// A verdict that could not be reached, as a line of NDJSON.
#[derive(Serialize)]
struct UnknownLine<'a> {
    unknown: &'a str,
    account: Option<&'a str>,
    region: Option<&'a str>,
    resource: &'a str,
    reason: &'static str,
    observed: &'a str,
}

/// Scans every account of the configuration.
pub async fn run(config_file: &Path, arguments: &Arguments) -> Result<Exit> {
    let config = match config::load(config_file) {
        Ok(config) => config,
        Err(bad) => {
            tracing::error!("{bad}");
            return Ok(Exit::Configuration);
        }
    };
    let seen = look(&config).await?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    seen.write(&mut out, arguments.output)?;
    out.flush()?;
    // What could not be seen is told by the exit code of its own, not as a finding about the accounts.
    let found = seen
        .findings
        .values()
        .any(|finding| finding.severity >= arguments.fail_on && finding.check.as_str() != SIGHT_LOST);
    Ok(Exit::of_look(found, seen.is_complete()))
}

/// Polls everything once and judges it.
pub async fn look(config: &Config) -> Result<Seen> {
    let sources = registry::connect(&config.aws, AwsCredentials::DefaultChain).await?;
    let budget: Arc<dyn Budget> = Arc::new(ApiBudget::new(config.budget()));
    let (mut detector, _nothing_saved) = Detector::new(config.policy.clone(), []);
    let mut seen = Seen::default();
    let mut snapshots = Vec::new();
    let mut waiting = sources.pollers.into_iter();
    let mut running = JoinSet::new();
    loop {
        while running.len() < AT_ONCE
            && let Some(poller) = waiting.next()
        {
            running.spawn(poll(poller, Arc::clone(&budget)));
        }
        let Some(ended) = running.join_next().await else {
            break;
        };
        let (name, result) = ended?;
        match result {
            Ok(snapshot) => {
                tracing::info!(source = name, resources = snapshot.resources.len(), "read");
                snapshots.push(snapshot);
            }
            Err(error) => {
                tracing::error!(source = name, %error, "could not be read");
                seen.failed.push((name, error));
            }
        }
    }
    // What a resource is encrypted with is judged by the key, so keys come first.
    snapshots.sort_by_key(|snapshot| !snapshot.resources.iter().any(is_key));
    let now = SystemClock.now();
    for snapshot in snapshots {
        seen.blind.extend(snapshot.blind.iter().cloned());
        let step = detector.step(now, Input::Snapshot(&snapshot));
        seen.add(step);
    }
    Ok(seen)
}

fn is_key(resource: &keyvigil_model::snapshot::Resource) -> bool {
    resource.reference.kind == keyvigil_model::resource::ResourceKind::Key
}

async fn poll(poller: Arc<dyn Poller>, budget: Arc<dyn Budget>) -> (String, Result<Snapshot, CallError>) {
    let scope = poller.scope();
    let name = scope.source.to_string();
    let attempts = if scope.family == Family::Identities {
        REPORT_ATTEMPTS
    } else {
        1
    };
    let mut attempt = 1;
    loop {
        let call = CallContext {
            now: SystemClock.now(),
            timeout: REQUEST_TIMEOUT,
            budget: Arc::clone(&budget),
        };
        let result = poller.poll(&call).await;
        let unfinished = result.as_ref().is_ok_and(|snapshot| {
            snapshot
                .blind
                .iter()
                .any(|blind| blind.reason == UnknownReason::NotYetRead)
        });
        if !unfinished || attempt >= attempts {
            return (name, result);
        }
        attempt += 1;
        tokio::time::sleep(REPORT_PAUSE).await;
    }
}

impl Seen {
    fn add(&mut self, step: keyvigil_detector::Step) {
        for change in step.findings {
            match change {
                FindingChange::Raised(finding) => {
                    self.findings.insert(finding.fingerprint, *finding);
                }
                FindingChange::Cleared { fingerprint, .. } => {
                    self.findings.remove(&fingerprint);
                }
                FindingChange::Suppressed { .. } => {}
            }
        }
        for (control, resource) in step.withdrawn {
            self.judgements
                .remove(&(control.to_string(), format!("{resource:?}")));
        }
        for judgement in step.judgements {
            let subject = (judgement.control.to_string(), format!("{:?}", judgement.resource));
            self.judgements.insert(subject, judgement);
        }
    }

    /// Whether everything could be seen.
    pub fn is_complete(&self) -> bool {
        self.failed.is_empty() && self.blind.is_empty() && self.summary().unknown == 0
    }

    fn summary(&self) -> Summary {
        let mut summary = Summary {
            findings: self.findings.len(),
            blind_spots: self.blind.len(),
            failed_polls: self.failed.len(),
            ..Summary::default()
        };
        for judgement in self.judgements.values() {
            match judgement.verdict.as_str() {
                "pass" => summary.pass += 1,
                "fail" => summary.fail += 1,
                "unknown" => summary.unknown += 1,
                "excepted" => summary.excepted += 1,
                _not_applicable => summary.not_applicable += 1,
            }
        }
        summary
    }

    fn unknown(&self) -> impl Iterator<Item = (&Judgement, UnknownReason)> {
        self.judgements
            .values()
            .filter_map(|judgement| match judgement.verdict {
                keyvigil_model::verdict::Verdict::Unknown(reason) => Some((judgement, reason)),
                keyvigil_model::verdict::Verdict::Pass
                | keyvigil_model::verdict::Verdict::Fail
                | keyvigil_model::verdict::Verdict::NotApplicable(_)
                | keyvigil_model::verdict::Verdict::Excepted { .. } => None,
            })
    }

    fn write(&self, out: &mut dyn Write, output: Output) -> Result<()> {
        let mut findings: Vec<&Finding> = self.findings.values().collect();
        findings.sort_by(|left, right| {
            (right.severity, &left.check, left.fingerprint).cmp(&(
                left.severity,
                &right.check,
                right.fingerprint,
            ))
        });
        match output {
            Output::Ndjson => {
                for finding in findings {
                    write_ndjson(out, finding, "open")?;
                }
                for (judgement, reason) in self.unknown() {
                    let line = UnknownLine {
                        unknown: judgement.control.as_str(),
                        account: judgement
                            .resource
                            .account
                            .as_ref()
                            .map(|account| account.as_str()),
                        region: judgement.resource.region.as_ref().map(|region| region.as_str()),
                        resource: judgement.resource.id.as_str(),
                        reason: reason.as_str(),
                        observed: &judgement.observed,
                    };
                    serde_json::to_writer(&mut *out, &line)?;
                    out.write_all(b"\n")?;
                }
                serde_json::to_writer(&mut *out, &serde_json::json!({ "summary": self.summary() }))?;
                out.write_all(b"\n")?;
            }
            Output::Human => self.write_people(out, &findings)?,
        }
        Ok(())
    }

    fn write_people(&self, out: &mut dyn Write, findings: &[&Finding]) -> Result<()> {
        for finding in findings {
            write_human(out, finding, "open")?;
        }
        let mut unknown: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for (judgement, reason) in self.unknown() {
            *unknown
                .entry((judgement.control.as_str(), reason.as_str()))
                .or_default() += 1;
        }
        if !unknown.is_empty() || !self.failed.is_empty() || !self.blind.is_empty() {
            writeln!(
                out,
                "NOT SEEN  what follows is neither good nor bad: keyvigil could not look"
            )?;
        }
        for ((control, reason), count) in unknown {
            writeln!(out, "          {control}: {count} resources, {reason}")?;
        }
        let mut calls: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for blind in &self.blind {
            *calls.entry((&blind.call, blind.reason.as_str())).or_default() += 1;
        }
        for ((call, reason), count) in calls {
            writeln!(out, "          {call}: {count} times, {reason}")?;
        }
        for (source, error) in &self.failed {
            writeln!(out, "          {source}: {}", clean(&error.to_string()))?;
        }
        let Summary {
            findings,
            pass,
            fail,
            unknown,
            not_applicable,
            excepted,
            ..
        } = self.summary();
        writeln!(
            out,
            "\n{findings} findings · verdicts: {pass} pass, {fail} fail, {unknown} unknown, {excepted} excepted, {not_applicable} not applicable"
        )?;
        Ok(())
    }
}
