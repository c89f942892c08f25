//! `keyvigil replay`: what would have been found in these files. No store, no notification, no clock but the events'.

mod folded;
mod seen;

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use keyvigil_detector::{Detector, Input, Policy};
use keyvigil_ingester::files::expand::expand;
use keyvigil_ingester::files::{FilePart, FileResult, FileSettings, decode_files};
use keyvigil_model::batch::Quarantined;
use keyvigil_model::event::AuditEvent;
use keyvigil_model::finding::FindingChange;
use keyvigil_model::id::SourceId;
use keyvigil_model::severity::Severity;
use keyvigil_model::time::Timestamp;
use serde::Serialize;
use tokio::time::Instant;

use self::folded::Folded;
use self::seen::Seen;
use crate::cli::{Output, Replay as Arguments};
use crate::config;
use crate::exit::Exit;
use crate::output::{clean, write_human, write_ndjson};
use crate::registry;

/// A person is told how far it is this often.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);
/// At most so many unreadable records are described one by one.
const UNREADABLE_SHOWN: u64 = 20;

/// Numbers of a replay: the last line of NDJSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Files read to their end.
    pub files: u64,
    /// Records in them.
    pub records: u64,
    /// Records that can matter and were new.
    pub events: u64,
    /// Records that can matter and were seen before.
    pub duplicates: u64,
    /// Records and files that could not be read.
    pub malformed: u64,
    /// Findings.
    pub findings: u64,
    /// Findings that are not alerted: still learning, or excepted.
    pub suppressed: u64,
    /// Uncompressed bytes.
    pub bytes: u64,
    /// Wall time.
    pub seconds: f64,
}

/// Reads the files and prints what was found.
pub fn run(arguments: &Arguments) -> Result<Exit> {
    let mut policy = match &arguments.policy {
        Some(file) => match std::fs::read_to_string(file) {
            Ok(text) => match config::parse_policy(file, &text) {
                Ok(policy) => policy,
                Err(bad) => return Ok(report_bad(&bad)),
            },
            Err(error) => {
                tracing::error!(file = %file.display(), %error, "the policy file cannot be read");
                return Ok(Exit::Configuration);
            }
        },
        None => Policy::default(),
    };
    if arguments.no_learning {
        policy.learning_days = 0;
    }
    let given: Vec<PathBuf> = arguments.paths.iter().map(PathBuf::from).collect();
    let (files, problems) = expand(&given);
    for problem in &problems {
        tracing::error!(%problem, "a path is left out");
    }
    if files.is_empty() {
        tracing::error!("no files to read; accepted: files, folders and patterns such as logs/**/*.json.gz");
        return Ok(Exit::Runtime);
    }
    let workers = arguments.threads.unwrap_or_else(available_threads);
    let stdout = io::stdout().lock();
    let mut replay = Replay::new(policy, arguments.output, io::BufWriter::new(stdout));
    replay.read(&files, workers)?;
    let worst = replay.finish()?;
    let found = worst.is_some_and(|severity| severity >= arguments.fail_on);
    Ok(Exit::of_look(
        found,
        replay.summary.malformed == 0 && problems.is_empty(),
    ))
}

fn report_bad(bad: &config::BadConfig) -> Exit {
    tracing::error!("{bad}");
    Exit::Configuration
}

fn available_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// A replay under way.
pub struct Replay<Out: Write> {
    detector: Detector,
    source: SourceId,
    seen: Seen,
    /// The newest event time so far: the only clock.
    now: Timestamp,
    findings: Folded,
    output: Output,
    out: Out,
    /// Numbers so far.
    pub summary: Summary,
    started: Instant,
    last_progress: Instant,
    failed: Option<io::Error>,
}

impl<Out: Write> Replay<Out> {
    /// A replay that prints to `out`.
    pub fn new(policy: Policy, output: Output, out: Out) -> Self {
        let started = Instant::now();
        Self {
            detector: Detector::unsaved(policy),
            source: SourceId::from("replay"),
            seen: Seen::default(),
            now: Timestamp::EPOCH,
            findings: Folded::default(),
            output,
            out,
            summary: Summary::default(),
            started,
            last_progress: started,
            failed: None,
        }
    }

    /// Reads files, in their order, decoding on `workers` threads.
    pub fn read(&mut self, files: &[PathBuf], workers: usize) -> io::Result<()> {
        let decoder = registry::cloudtrail_files();
        let settings = FileSettings::new(workers, self.detector.wanted());
        let total = files.len();
        decode_files(files, decoder.as_ref(), settings, |result| {
            self.take(result, total)
        });
        self.failed.take().map_or(Ok(()), Err)
    }

    fn take(&mut self, result: FileResult<'_>, total: usize) {
        match result.part {
            FilePart::Piece(piece) => {
                for record in &piece.quarantined {
                    self.unreadable(record);
                }
                self.observe(piece.events);
            }
            FilePart::Done(summary) => {
                self.summary.files += 1;
                self.summary.records += summary.records;
                self.summary.bytes += summary.bytes;
            }
            FilePart::Unreadable(unreadable) => {
                self.summary.malformed += 1;
                tracing::warn!(file = %result.path.display(), %unreadable, "a file cannot be read");
            }
            FilePart::Died => {
                self.summary.malformed += 1;
                tracing::error!(file = %result.path.display(), "the decoder died on a file: please report this");
            }
        }
        self.show_progress(total);
    }

    fn unreadable(&mut self, record: &Quarantined) {
        self.summary.malformed += 1;
        if self.summary.malformed <= UNREADABLE_SHOWN {
            let (origin, detail) = (clean(&record.origin), clean(&record.detail));
            tracing::warn!(
                origin,
                reason = record.reason.as_str(),
                detail,
                "a record cannot be read"
            );
        }
    }

    fn observe(&mut self, events: Vec<AuditEvent>) {
        let before = events.len() as u64;
        let fresh: Vec<AuditEvent> = events
            .into_iter()
            .filter(|event| self.seen.is_new(event.dedupe))
            .collect();
        self.summary.events += fresh.len() as u64;
        self.summary.duplicates += before - fresh.len() as u64;
        let Some(newest) = fresh.iter().map(|event| event.time).max() else {
            return;
        };
        self.now = self.now.max(newest);
        let step = self.detector.step(
            self.now,
            Input::Events {
                source: &self.source,
                events: &fresh,
            },
        );
        for change in step.findings {
            match change {
                FindingChange::Raised(finding) => {
                    if let Some(full) = self.findings.add(*finding) {
                        self.print(full);
                    }
                }
                FindingChange::Suppressed { .. } => self.summary.suppressed += 1,
                FindingChange::Cleared {
                    fingerprint, reason, ..
                } => self.findings.clear(fingerprint, &reason),
            }
        }
    }

    fn print(&mut self, findings: Folded) {
        for (finding, status) in findings.in_order() {
            self.summary.findings += 1;
            let written = match self.output {
                Output::Human => write_human(&mut self.out, &finding, status),
                Output::Ndjson => write_ndjson(&mut self.out, &finding, status),
            };
            if let Err(error) = written {
                self.failed.get_or_insert(error);
                return;
            }
        }
    }

    /// Prints what is left and the summary. Returns the worst severity found.
    pub fn finish(&mut self) -> io::Result<Option<Severity>> {
        let rest = std::mem::take(&mut self.findings);
        let worst = rest.worst();
        self.print(rest);
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        self.summary.seconds = self.started.elapsed().as_secs_f64();
        match self.output {
            Output::Ndjson => {
                serde_json::to_writer(&mut self.out, &serde_json::json!({ "summary": self.summary }))?;
                self.out.write_all(b"\n")?;
            }
            Output::Human => self.write_summary()?,
        }
        self.out.flush()?;
        Ok(worst)
    }

    fn write_summary(&mut self) -> io::Result<()> {
        let Summary {
            files,
            records,
            events,
            duplicates,
            malformed,
            findings,
            suppressed,
            seconds,
            ..
        } = self.summary;
        writeln!(self.out, "{records} records in {files} files in {seconds:.1} s")?;
        writeln!(
            self.out,
            "{events} concern keys, secrets or what protects them; {duplicates} of those came twice"
        )?;
        if malformed > 0 {
            writeln!(
                self.out,
                "{malformed} could not be read: what they held was not looked at"
            )?;
        }
        writeln!(self.out, "{findings} findings")?;
        if suppressed > 0 {
            writeln!(
                self.out,
                "{suppressed} more were not alerted (learning or excepted); see --no-learning"
            )?;
        }
        Ok(())
    }

    fn show_progress(&mut self, total: usize) {
        if self.last_progress.elapsed() < PROGRESS_EVERY || !io::stderr().is_terminal() {
            return;
        }
        self.last_progress = Instant::now();
        let Summary { files, records, .. } = self.summary;
        tracing::info!(
            "{files} of {total} files, {records} records, {} findings so far",
            self.findings.len()
        );
    }
}
