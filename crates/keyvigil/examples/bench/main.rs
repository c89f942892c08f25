//! `cargo xtask bench`: how fast a replay reads CloudTrail's files, against the bare unpacking of the same files.
//!
//! Makes a corpus from a seed (reused by later runs), then measures in alternating rounds, each measurement in a process
//! of its own: so that peak memory and processor time are those of that one thing. "One thread" means that the whole
//! process, decoding and rules together, is held to one processor with `taskset`.

mod corpus;
mod measure;
mod random;
mod record;
mod table;

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Parser;

use crate::corpus::Corpus;
use crate::measure::{Measured, Part, What};
use crate::table::{Run, Table};

/// Measures how fast a replay is.
#[derive(Debug, Parser)]
struct Arguments {
    /// Records of the corpus.
    #[arg(long, default_value_t = 1_000_000)]
    records: u64,
    /// The corpus of another seed has other contents of the same kind.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Each measurement is made so often; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Also measure how far each stage of the replay gets.
    #[arg(long)]
    stages: bool,
    /// Where the corpora are kept. Default: target/bench.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Only make this one measurement, in this process, and print its numbers.
    #[arg(long, value_enum)]
    measure: Option<What>,
    /// Threads of that one measurement.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// How much of the corpus that one measurement reads.
    #[arg(long, value_enum, default_value_t = Part::Whole)]
    part: Part,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let folder = arguments.folder.clone().unwrap_or_else(|| {
        PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("../../target/bench")
            .join(format!("{}-{}", arguments.records, arguments.seed))
    });
    let mut out = io::stdout().lock();
    if let Some(what) = arguments.measure {
        let measured = measure::measure(what, arguments.threads, arguments.part, &folder)?;
        writeln!(out, "{}", serde_json::to_string(&measured)?)?;
        return Ok(());
    }
    let corpus = Corpus::open_or_make(&folder, arguments.records, arguments.seed, &mut out)?;
    corpus.describe(&mut out)?;
    let terminal = out.is_terminal();
    let mut table = Table::new(plan(arguments.stages));
    for round in 1..=arguments.rounds.max(1) {
        for index in 0..table.runs().len() {
            let run = table.runs()[index];
            if terminal {
                write!(out, "\rround {round}: {:40}", run.to_string())?;
                out.flush()?;
            }
            let measured = child(&arguments, &folder, run)?;
            table.add(index, measured);
        }
    }
    if terminal {
        writeln!(out, "\r{:60}", "")?;
    }
    table.print(&mut out)?;
    Ok(())
}

fn plan(stages: bool) -> Vec<Run> {
    let mut runs = Vec::new();
    for threads in [1, 2] {
        for (what, part) in [
            (What::Gunzip, Part::Whole),
            (What::Replay, Part::Whole),
            (What::Replay, Part::Half),
        ] {
            runs.push(Run { what, threads, part });
        }
    }
    if stages {
        for what in [What::Split, What::Decode, What::Hand] {
            runs.push(Run {
                what,
                threads: 1,
                part: Part::Whole,
            });
        }
    }
    runs
}

/// Makes one measurement in a process of its own.
fn child(arguments: &Arguments, folder: &std::path::Path, run: Run) -> Result<Measured> {
    let own = std::env::current_exe().context("the path of this program")?;
    let mut command = if run.threads == 1 {
        let mut command = Command::new("taskset");
        command
            .args(["--cpu-list", &measure::first_processor()?])
            .arg(own);
        command
    } else {
        Command::new(own)
    };
    command
        .arg("--folder")
        .arg(folder)
        .args(["--seed", &arguments.seed.to_string()])
        .args(["--measure", run.what.name(), "--part", run.part.name()])
        .args(["--threads", &run.threads.to_string()]);
    let output = command
        .output()
        .context("starting a measurement (taskset of util-linux is needed)")?;
    if !output.status.success() {
        bail!(
            "{run} failed ({}): {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    serde_json::from_slice(&output.stdout).context("the numbers of a measurement")
}
