//! The printed result: every run with its median, and what follows from them.

use std::fmt::{Display, Formatter};
use std::io::{self, Write};

use crate::measure::{Measured, Part, What};

/// A measurement that is made in every round.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Run {
    pub(crate) what: What,
    pub(crate) threads: usize,
    pub(crate) part: Part,
}

impl Display for Run {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let part = match self.part {
            Part::Whole => "",
            Part::Half => ", half the files",
        };
        write!(f, "{}{part}", self.what.name())
    }
}

/// Results by run.
pub(crate) struct Table {
    runs: Vec<Run>,
    results: Vec<Vec<Measured>>,
}

impl Table {
    /// Nothing measured yet.
    pub(crate) fn new(runs: Vec<Run>) -> Self {
        let results = runs.iter().map(|_| Vec::new()).collect();
        Self { runs, results }
    }

    /// What is to be measured.
    pub(crate) fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// Adds a result of the run with this index.
    pub(crate) fn add(&mut self, index: usize, measured: Measured) {
        self.results[index].push(measured);
    }

    /// The median of each number, by itself.
    fn median(&self, index: usize) -> Measured {
        let results = &self.results[index];
        let middle = |value: fn(&Measured) -> f64| {
            let mut values: Vec<f64> = results.iter().map(value).collect();
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied().unwrap_or(0.0)
        };
        Measured {
            wall: middle(|measured| measured.wall),
            cpu: middle(|measured| measured.cpu),
            peak_kib: results
                .iter()
                .map(|measured| measured.peak_kib)
                .max()
                .unwrap_or(0),
            ..results.first().copied().unwrap_or_default()
        }
    }

    fn find(&self, what: What, threads: usize, part: Part) -> Measured {
        let wanted = Run { what, threads, part };
        let index = self.runs.iter().position(|run| *run == wanted);
        index.map_or_else(Measured::default, |index| self.median(index))
    }

    /// Prints everything.
    pub(crate) fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let rounds = self.results.first().map_or(0, Vec::len);
        writeln!(
            out,
            "Median of {rounds} rounds. CPU counts all threads, user and system. One thread: the whole process on one processor."
        )?;
        writeln!(
            out,
            "{:28}{:>8}{:>9}{:>9}{:>12}{:>9}{:>12}{:>11}{:>10}",
            "", "threads", "wall s", "CPU s", "records/s", "MB/s", "of gunzip:", "by CPU", "peak MB"
        )?;
        for (index, run) in self.runs.iter().enumerate() {
            let median = self.median(index);
            let bound = self.find(What::Gunzip, run.threads, Part::Whole);
            // Half the files are compared by bytes.
            let share = median.bytes as f64 / bound.bytes.max(1) as f64;
            writeln!(
                out,
                "{:28}{:>8}{:>9.2}{:>9.2}{:>12.0}{:>9.0}{:>12.2}{:>11.2}{:>10.1}",
                run.to_string(),
                run.threads,
                median.wall,
                median.cpu,
                median.records as f64 / median.wall,
                median.bytes as f64 / 1e6 / median.wall,
                bound.wall * share / median.wall,
                bound.cpu * share / median.cpu,
                median.peak_kib as f64 / 1024.0,
            )?;
        }
        self.conclude(out)
    }

    fn conclude(&self, out: &mut impl Write) -> io::Result<()> {
        let gunzip = self.find(What::Gunzip, 1, Part::Whole);
        let one = self.find(What::Replay, 1, Part::Whole);
        let two = self.find(What::Replay, 2, Part::Whole);
        let half = self.find(What::Replay, 2, Part::Half);
        writeln!(out)?;
        writeln!(
            out,
            "One thread: {:.2} of bare gunzip by wall time, {:.2} by CPU time (aim: at least 0.65)",
            gunzip.wall / one.wall,
            gunzip.cpu / one.cpu
        )?;
        writeln!(
            out,
            "Two threads: {:.2} times as fast as one (aim: 1.8); CPU time grows by {:.0} %",
            one.wall / two.wall,
            (two.cpu / one.cpu - 1.0) * 100.0
        )?;
        writeln!(
            out,
            "Peak memory: {:.1} MB, {:.1} MB for half the files (aim: under 100 MB and flat)",
            two.peak_kib as f64 / 1024.0,
            half.peak_kib as f64 / 1024.0
        )?;
        writeln!(
            out,
            "Found: {} events that concern keys, {} findings, alerted or learned",
            one.events, one.findings
        )
    }
}
