//! One measurement, made in this process: read files, do something with them, look at the clocks.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use keyvigil::cli::Output;
use keyvigil::registry;
use keyvigil::replay::Replay;
use keyvigil_connector::object_log::EncodedObject;
use keyvigil_detector::{Detector, Policy};
use keyvigil_ingester::files::whole::{FileLimits, read_whole};
use keyvigil_ingester::files::{FilePart, FileSettings, decode_files};
use keyvigil_model::action::ActionSet;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::corpus::files_of;

/// What is done with the files.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum What {
    /// Only unpacked: the lower bound of everything else.
    Gunzip,
    /// Unpacked, split into records, and looked at by bytes; nothing is wanted, so nearly nothing is parsed.
    Split,
    /// Decoded into events, which are dropped at once.
    Decode,
    /// Decoded by workers and handed to the main thread, which drops the events.
    Hand,
    /// All of `keyvigil replay`, printing to nowhere.
    Replay,
}

/// How much of the corpus.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Part {
    /// Every file.
    Whole,
    /// Every second file.
    Half,
}

impl What {
    /// As on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gunzip => "gunzip",
            Self::Split => "split",
            Self::Decode => "decode",
            Self::Hand => "hand",
            Self::Replay => "replay",
        }
    }
}

impl Part {
    /// As on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Half => "half",
        }
    }
}

/// What a measurement gave.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Measured {
    /// Wall time in seconds, without starting and listing files.
    pub(crate) wall: f64,
    /// Processor time of all threads in seconds, likewise; to a hundredth.
    pub(crate) cpu: f64,
    /// The most memory that was ever resident (`VmHWM`), in KiB.
    pub(crate) peak_kib: u64,
    /// Records read; 0 where they are not counted.
    pub(crate) records: u64,
    /// Unpacked bytes.
    pub(crate) bytes: u64,
    /// Events that can matter.
    pub(crate) events: u64,
    /// Findings, alerted or not.
    pub(crate) findings: u64,
}

/// Measures in this process.
pub(crate) fn measure(what: What, threads: usize, part: Part, folder: &Path) -> Result<Measured> {
    let mut files = files_of(folder)?;
    if part == Part::Half {
        files = files.into_iter().step_by(2).collect();
    }
    let cpu_before = cpu_seconds()?;
    let started = Instant::now();
    let mut measured = match what {
        What::Gunzip => gunzip(&files, threads)?,
        What::Split => decode(&files, ActionSet::EMPTY)?,
        What::Decode => decode(&files, wanted())?,
        What::Hand => hand(&files, threads),
        What::Replay => replay(&files, threads)?,
    };
    measured.wall = started.elapsed().as_secs_f64();
    measured.cpu = cpu_seconds()? - cpu_before;
    measured.peak_kib = peak_kib()?;
    Ok(measured)
}

fn wanted() -> ActionSet {
    Detector::unsaved(Policy::default()).wanted()
}

/// Reads each file as the replay does and unpacks it with libdeflate into a buffer that is kept.
fn gunzip(files: &[PathBuf], threads: usize) -> Result<Measured> {
    let next = AtomicUsize::new(0);
    let total = AtomicU64::new(0);
    let work = || -> Result<()> {
        let mut unpacker = libdeflater::Decompressor::new();
        let (mut packed, mut plain) = (Vec::new(), Vec::new());
        while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            read_whole(file, FileLimits::default(), &mut packed)?;
            let size = packed.last_chunk().context("a file without an end")?;
            let length = u32::from_le_bytes(*size) as usize;
            if plain.len() < length {
                plain.resize(length, 0);
            }
            let written = unpacker.gzip_decompress(&packed, &mut plain[..length])?;
            ensure!(written == length, "a file is shorter than it says");
            total.fetch_add(written as u64, Ordering::Relaxed);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            worker.join().expect("unpacking does not panic")?;
        }
        Ok::<(), anyhow::Error>(())
    })?;
    Ok(Measured {
        bytes: total.into_inner(),
        ..Measured::default()
    })
}

/// Decodes on this thread.
fn decode(files: &[PathBuf], wanted: ActionSet) -> Result<Measured> {
    let decoder = registry::cloudtrail_files();
    let mut measured = Measured::default();
    let mut packed = Vec::new();
    for file in files {
        read_whole(file, FileLimits::default(), &mut packed)?;
        let object = EncodedObject {
            origin: "bench",
            bytes: &packed,
            account: None,
            wanted,
        };
        let summary = decoder.decode(&object, &mut |piece| {
            measured.events += piece.events.len() as u64;
        });
        measured.records += summary.records;
        measured.bytes += summary.bytes;
    }
    Ok(measured)
}

/// Decodes on other threads and lets this one drop the events.
fn hand(files: &[PathBuf], threads: usize) -> Measured {
    let decoder = registry::cloudtrail_files();
    let settings = FileSettings::new(threads, wanted());
    let mut measured = Measured::default();
    decode_files(files, decoder.as_ref(), settings, |result| match result.part {
        FilePart::Piece(piece) => measured.events += piece.events.len() as u64,
        FilePart::Done(summary) => {
            measured.records += summary.records;
            measured.bytes += summary.bytes;
        }
        FilePart::Unreadable(_) | FilePart::Died => {}
    });
    measured
}

fn replay(files: &[PathBuf], threads: usize) -> Result<Measured> {
    let mut replay = Replay::new(Policy::default(), Output::Ndjson, io::sink());
    replay.read(files, threads)?;
    replay.finish()?;
    let summary = &replay.summary;
    ensure!(
        summary.malformed == 0,
        "the corpus has records that cannot be read"
    );
    Ok(Measured {
        records: summary.records,
        bytes: summary.bytes,
        events: summary.events,
        findings: summary.findings + summary.suppressed,
        ..Measured::default()
    })
}

/// User and system time of this process, its ended threads included: fields 14 and 15 of `/proc/self/stat` (proc(5)).
fn cpu_seconds() -> Result<f64> {
    /// Linux counts them in hundredths of a second wherever keyvigil runs (`USER_HZ`).
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, after_name) = stat.rsplit_once(')').context("/proc/self/stat")?;
    let mut ticks = 0u64;
    for field in after_name.split_whitespace().skip(11).take(2) {
        ticks += field.parse::<u64>()?;
    }
    Ok(ticks as f64 / TICKS)
}

fn peak_kib() -> Result<u64> {
    let text = status("VmHWM:")?;
    let number = text.split_whitespace().next().context("VmHWM")?;
    Ok(number.parse()?)
}

/// The first processor that this process may use.
pub(crate) fn first_processor() -> Result<String> {
    let list = status("Cpus_allowed_list:")?;
    let first = list.split([',', '-']).next().unwrap_or_default();
    Ok(first.to_owned())
}

fn status(name: &str) -> Result<String> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    Ok(line
        .with_context(|| format!("/proc/self/status has no {name}"))?
        .trim()
        .to_owned())
}
