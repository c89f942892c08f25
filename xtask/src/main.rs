//! Project automation: `cargo xtask test | tidy | gen | bench | fuzz`.

mod docs;
mod peers;
mod test;
mod tidy;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

const USAGE: &str = "usage: cargo xtask <command>

  test            installs what the tests need, then runs every test
  test --core     only the tests that need no peers
  tidy            checks the shape of the tree: crate edges, file sizes, names, links
  gen [--check]   writes (or compares) docs and files that are generated from the code
  bench           measures the replay path against bare gunzip, in one run
  fuzz [COUNT]    the long form of the mutation test (default 1000000 records)
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&format!("xtask: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<()> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["test"] => test::everything(),
        ["test", "--core"] => test::core(),
        ["tidy"] => tidy::run(),
        ["gen"] => test::binary(&["gen"]),
        ["gen", "--check"] => test::binary(&["gen", "--check"]),
        ["bench", rest @ ..] => test::bench(rest),
        ["fuzz"] => test::fuzz("1000000"),
        ["fuzz", count] => test::fuzz(count),
        _ => bail!("{USAGE}"),
    }
}

/// The root of the workspace.
fn root() -> Result<PathBuf> {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let root = manifest.parent().context("xtask has no parent folder")?;
    Ok(root.to_path_buf())
}

#[expect(clippy::print_stderr, reason = "a command-line tool talks to its user")]
fn report(line: &str) {
    eprintln!("{line}");
}
