//! The corpus: CloudTrail's files as S3 delivers them, made from a seed and kept for later runs.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use anyhow::{Context, Result};
use keyvigil_ingester::files::expand::expand;
use libdeflater::{CompressionLvl, Compressor};

use crate::random::Random;
use crate::record::{ACCOUNTS, Place, REGIONS, incident, write_record};

/// Written last, with the version of the maker: a corpus without it is made again.
const COMPLETE: &str = "complete";
/// Changes with every change of what the maker makes.
const VERSION: &str = "1";
/// As many as a busy file has.
const RECORDS_IN_A_FILE: u64 = 3_000;
/// The files of each account and region are spread over so many days.
const DAYS: u64 = 28;

/// A corpus on disk.
pub(crate) struct Corpus {
    files: usize,
    packed: u64,
    unpacked: u64,
}

/// One file to be made.
#[derive(Clone, Copy)]
struct Plan {
    place: Place,
    /// Its number among the files of its place.
    number: u64,
    /// How many files its place has.
    of: u64,
    records: u64,
}

/// The files of a corpus, in the order of a replay.
pub(crate) fn files_of(folder: &Path) -> Result<Vec<PathBuf>> {
    let (files, problems) = expand(&[folder.join("AWSLogs")]);
    match problems.into_iter().next() {
        Some(problem) => Err(problem).context("reading the corpus"),
        None => Ok(files),
    }
}

impl Corpus {
    /// The corpus in this folder; made if it is not there yet.
    pub(crate) fn open_or_make(folder: &Path, records: u64, seed: u64, out: &mut impl Write) -> Result<Self> {
        let marker = folder.join(COMPLETE);
        let known = fs::read_to_string(&marker).unwrap_or_default();
        let unpacked = match known.split_once(' ') {
            Some((VERSION, unpacked)) => unpacked.parse()?,
            Some(_) | None => {
                writeln!(out, "making the corpus in {}", folder.display())?;
                let old = folder.join("AWSLogs");
                if old.exists() {
                    fs::remove_dir_all(&old)?;
                }
                let unpacked = make(folder, records, seed)?;
                fs::write(&marker, format!("{VERSION} {unpacked}"))?;
                unpacked
            }
        };
        let mut corpus = Self {
            files: 0,
            packed: 0,
            unpacked,
        };
        // Reads everything once, so that the first measurement does not wait for the disk.
        for file in files_of(folder)? {
            corpus.files += 1;
            corpus.packed += fs::read(file)?.len() as u64;
        }
        Ok(corpus)
    }

    /// Tells its size.
    pub(crate) fn describe(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(
            out,
            "{} files, {:.1} MB, unpacked {:.1} MB ({:.1} to one)",
            self.files,
            self.packed as f64 / 1e6,
            self.unpacked as f64 / 1e6,
            self.unpacked as f64 / self.packed.max(1) as f64
        )
    }
}

/// Makes all files. Returns their unpacked bytes.
fn make(folder: &Path, records: u64, seed: u64) -> Result<u64> {
    let plans = plan(records);
    let next = AtomicUsize::new(0);
    let total = AtomicU64::new(0);
    let work = || -> Result<()> {
        let mut maker = Maker::new(folder, seed);
        while let Some(plan) = plans.get(next.fetch_add(1, Ordering::Relaxed)) {
            total.fetch_add(maker.make(*plan)?, Ordering::Relaxed);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            worker.join().expect("making a file does not panic")?;
        }
        Ok::<(), anyhow::Error>(())
    })?;
    Ok(total.into_inner())
}

fn plan(records: u64) -> Vec<Plan> {
    let places = (ACCOUNTS * REGIONS.len()) as u64;
    let files = records.div_ceil(RECORDS_IN_A_FILE);
    let mut plans = Vec::new();
    let mut left = records;
    for index in 0..files {
        let (place, number) = (index % places, index / places);
        plans.push(Plan {
            place: Place {
                account: place as usize / REGIONS.len(),
                region: place as usize % REGIONS.len(),
            },
            number,
            of: (files - place).div_ceil(places),
            records: left.min(RECORDS_IN_A_FILE),
        });
        left -= left.min(RECORDS_IN_A_FILE);
    }
    plans
}

/// Makes files, with buffers that are kept.
struct Maker<'a> {
    folder: &'a Path,
    seed: u64,
    text: String,
    packed: Vec<u8>,
    compressor: Compressor,
}

impl<'a> Maker<'a> {
    fn new(folder: &'a Path, seed: u64) -> Self {
        Self {
            folder,
            seed,
            text: String::new(),
            packed: Vec::new(),
            compressor: Compressor::new(CompressionLvl::default()),
        }
    }

    /// Makes a file and returns its unpacked bytes.
    fn make(&mut self, plan: Plan) -> Result<u64> {
        self.text.clear();
        self.text.push_str("{\"Records\":[");
        for index in 0..plan.records {
            if index > 0 {
                self.text.push(',');
            }
            self.record(plan, index);
        }
        self.text.push_str("]}");
        let bytes = self.text.as_bytes();
        self.packed
            .resize(self.compressor.gzip_compress_bound(bytes.len()), 0);
        let length = self.compressor.gzip_compress(bytes, &mut self.packed)?;
        let (account, region) = (plan.place.account_id(), plan.place.region_name());
        let (day, minute) = day_and_minute(plan, 0);
        let folder = self
            .folder
            .join(format!("AWSLogs/{account}/CloudTrail/{region}/2026/01/{day:02}"));
        fs::create_dir_all(&folder)?;
        let unique = Random::at([self.seed, u64::MAX, plan.place.number(), plan.number]).next();
        let (hour, minute) = (minute / 60, minute % 60);
        let name = format!(
            "{account}_CloudTrail_{region}_202601{day:02}T{hour:02}{minute:02}Z_{unique:016x}.json.gz"
        );
        fs::write(folder.join(name), &self.packed[..length])?;
        Ok(bytes.len() as u64)
    }

    fn record(&mut self, plan: Plan, index: u64) {
        let random = |number: u64, index: u64| Random::at([self.seed, plan.place.number(), number, index]);
        // One record in a hundred was delivered before, in the file before.
        if plan.number > 0 && random(plan.number, index).below(100) == 0 {
            let before = Plan {
                number: plan.number - 1,
                ..plan
            };
            let mut random = random(before.number, index);
            random.next();
            write_record(&mut self.text, plan.place, &time(before, index), &mut random);
            return;
        }
        let mut random = random(plan.number, index);
        random.next();
        let time = time(plan, index);
        let planted = plan.number == plan.of / 2;
        if planted && incident(&mut self.text, plan.place, index, &time, &mut random) {
            return;
        }
        write_record(&mut self.text, plan.place, &time, &mut random);
    }
}

/// The day of the month, and the minute of that day.
fn day_and_minute(plan: Plan, index: u64) -> (u64, u64) {
    let minutes = DAYS * 24 * 60;
    let at = (plan.number * minutes + index * minutes / plan.records) / plan.of;
    (1 + at / (24 * 60), at % (24 * 60))
}

/// `eventTime`, in seconds.
fn time(plan: Plan, index: u64) -> String {
    let (day, minute) = day_and_minute(plan, index);
    let (hour, minute) = (minute / 60, minute % 60);
    format!("2026-01-{day:02}T{hour:02}:{minute:02}:{:02}Z", index % 60)
}
