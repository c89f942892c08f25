//! Writes everything that is generated from the code: `cargo xtask gen` writes, `cargo xtask gen --check` compares and
//! names every file that is stale.

mod configuration;
mod example_file;
mod pages;
mod permissions;
mod schema;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use keyvigil::config;
use keyvigil::metrics::Metrics;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("generate: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[String]) -> Result<()> {
    let check = match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["gen"] => false,
        ["gen", "--check"] => true,
        _ => bail!("usage: generate gen [--check]"),
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut stale = Vec::new();
    for (name, content) in files()? {
        let path: PathBuf = root.join(name);
        if std::fs::read_to_string(&path).is_ok_and(|present| present == content) {
            continue;
        }
        if check {
            stale.push(name);
            continue;
        }
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
        say(&format!("wrote {name}"));
    }
    if !stale.is_empty() {
        bail!(
            "stale: {}; run `cargo xtask gen` and commit the result",
            stale.join(", ")
        );
    }
    Ok(())
}

/// Every generated file, by its path in the repository.
fn files() -> Result<Vec<(&'static str, String)>> {
    let schema = config::schema();
    let entries = schema::entries(&schema)?;
    let metrics = Metrics::new()?;
    Ok(vec![
        ("config/keyvigil.toml", example_file::checked(&entries)?),
        (
            "config/schema.json",
            format!("{}\n", serde_json::to_string_pretty(&schema)?),
        ),
        ("docs/configuration.md", configuration::page(&entries)),
        ("docs/rules.md", pages::rules()),
        ("docs/controls.md", pages::controls()),
        ("docs/metrics.md", pages::metrics(metrics.described())),
        ("docs/permissions.md", permissions::page()),
    ])
}

/// The first line of every generated page.
fn banner(from: &str) -> String {
    format!("<!-- Generated from {from} by `cargo xtask gen`. Do not edit. -->\n\n")
}

/// Makes text safe for a cell of a Markdown table.
fn cell(text: &str) -> String {
    text.trim().replace('|', "\\|").replace('\n', " ")
}

#[expect(clippy::print_stderr, reason = "a developer's tool talks to its user")]
fn say(line: &str) {
    eprintln!("{line}");
}
