//! Runs tests, benchmarks and generators: everything that starts cargo again.

use std::process::Command;

use anyhow::Result;

use crate::peers::{self, succeed};
use crate::{report, root};

/// Installs the peers and runs every test of the workspace.
pub(crate) fn everything() -> Result<()> {
    let root = root()?;
    let peers = peers::install(&root)?;
    report("peers are installed; building and running the tests");
    // The binary that the system tests start is built with them: see crates/keyvigil/tests/command.rs.
    succeed(
        cargo()
            .args([
                "test",
                "--workspace",
                "--features",
                "keyvigil/failpoints",
                "--no-fail-fast",
            ])
            .env("KEYVIGIL_PEERS", &peers),
    )
}

/// Runs the tests that need no peers.
pub(crate) fn core() -> Result<()> {
    succeed(cargo().args([
        "test",
        "--workspace",
        "--exclude",
        "keyvigil-tests",
        "--no-fail-fast",
    ]))
}

/// Runs a developer's verb of the binary itself: what is generated is generated from its types.
pub(crate) fn binary(verb: &[&str]) -> Result<()> {
    succeed(
        cargo()
            .args([
                "run",
                "--quiet",
                "--package",
                "keyvigil",
                "--example",
                "generate",
                "--",
            ])
            .args(verb),
    )
}

/// Measures, in release.
pub(crate) fn bench(rest: &[&str]) -> Result<()> {
    succeed(
        cargo()
            .args([
                "run",
                "--release",
                "--quiet",
                "--package",
                "keyvigil",
                "--example",
                "bench",
                "--",
            ])
            .args(rest),
    )
}

/// The long form of the mutation test, in release.
pub(crate) fn fuzz(count: &str) -> Result<()> {
    succeed(
        cargo()
            .args([
                "test",
                "--release",
                "--package",
                "keyvigil-aws",
                "mutat",
                "--",
                "--nocapture",
            ])
            .env("KEYVIGIL_MUTATIONS", count),
    )
}

fn cargo() -> Command {
    let mut command = Command::new(env!("CARGO"));
    if let Ok(root) = root() {
        command.current_dir(root);
    }
    command
}
