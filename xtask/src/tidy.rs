//! The shape of the tree, checked: which crate may use which, how long a file may be, what a file may be
//! called; and what documents may say (`docs.rs`).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{docs, report, root};

/// The allowed edges between our crates (docs/ARCHITECTURE.md). A missing one is a decision, not an oversight: an edit
/// to a rule must not recompile code that instantiates cloud SDKs. Development dependencies are not counted.
const EDGES: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("connector", &["model"]),
    ("http", &["model", "connector"]),
    ("bus", &["model"]),
    ("store", &["model"]),
    ("detector", &["model"]),
    ("alerting", &["model"]),
    ("poller", &["model", "connector", "bus"]),
    ("ingester", &["model", "connector", "bus", "store"]),
    ("notifiers", &["model", "connector", "http"]),
    ("aws", &["model", "connector"]),
    ("testkit", &["model", "connector"]),
    (
        "keyvigil",
        &[
            "model",
            "connector",
            "http",
            "bus",
            "store",
            "detector",
            "alerting",
            "poller",
            "ingester",
            "notifiers",
            "aws",
            "testkit",
        ],
    ),
    ("tests", &[]),
    ("xtask", &[]),
];

/// Crates that may not even be able to do I/O: dependencies that would let them.
const PURE: &[&str] = &["model", "detector", "alerting"];
const IMPURE_DEPENDENCIES: &[&str] = &["tokio", "reqwest", "sqlx", "axum", "keyvigil-connector"];

/// Names that say nothing about what is in a file.
const EMPTY_NAMES: &[&str] = &["utils", "util", "helpers", "helper", "common", "misc", "mod"];

/// A file longer than this must be split.
const MAX_LINES: usize = 500;

/// Runs every check and reports all problems at once.
pub(crate) fn run() -> Result<()> {
    let root = root()?;
    let mut problems = Vec::new();
    edges(&root, &mut problems)?;
    docs::check(&root, &mut problems)?;
    for file in rust_files(&root)? {
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let shown = file.strip_prefix(&root).unwrap_or(&file).display().to_string();
        check_file(&shown, &file, &text, &mut problems);
    }
    for problem in &problems {
        report(problem);
    }
    if !problems.is_empty() {
        bail!("tidy: {} problems", problems.len());
    }
    report("tidy: in order");
    Ok(())
}

fn check_file(shown: &str, file: &Path, text: &str, problems: &mut Vec<String>) {
    if !text.starts_with("//!") {
        problems.push(format!(
            "{shown}: the first line must say what the file is for (`//! …`)"
        ));
    }
    let lines = text.lines().count();
    if lines > MAX_LINES {
        problems.push(format!(
            "{shown}: {lines} lines; split it by responsibility (at most {MAX_LINES})"
        ));
    }
    let stem = file
        .file_stem()
        .and_then(|stem| stem.to_str())
        .unwrap_or_default();
    if EMPTY_NAMES.contains(&stem) {
        problems.push(format!(
            "{shown}: `{stem}` says nothing about what is in the file"
        ));
    }
    // Spelt in two halves, so that this file does not report itself.
    for marker in [
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("#[", "ignore"),
        concat!("#[", "allow("),
    ] {
        if text.contains(marker) {
            problems.push(format!("{shown}: `{marker}` is not accepted here"));
        }
    }
}

/// Compares the dependencies that Cargo sees with the list.
fn edges(root: &Path, problems: &mut Vec<String>) -> Result<()> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root)
        .output()
        .context("cannot run cargo metadata")?;
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).context("cargo metadata is not JSON")?;
    for package in metadata["packages"]
        .as_array()
        .context("cargo metadata lists no packages")?
    {
        let name = short_name(package["name"].as_str().unwrap_or_default());
        let Some((_, allowed)) = EDGES.iter().find(|(known, _)| *known == name) else {
            problems.push(format!(
                "crate {name}: not in the list of crates in xtask/src/tidy.rs"
            ));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            if dependency["kind"] == "dev" {
                continue;
            }
            let full = dependency["name"].as_str().unwrap_or_default();
            if full.starts_with("keyvigil") && !allowed.contains(&short_name(full)) {
                problems.push(format!(
                    "crate {name}: may not depend on {full}; allowed: {allowed:?}"
                ));
            }
            if PURE.contains(&name) && IMPURE_DEPENDENCIES.contains(&full) {
                problems.push(format!("crate {name}: is pure and may not depend on {full}"));
            }
        }
    }
    Ok(())
}

fn short_name(package: &str) -> &str {
    package.strip_prefix("keyvigil-").unwrap_or(package)
}

fn rust_files(root: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![root.join("crates"), root.join("tests"), root.join("xtask")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_is_tidy() {
        run().unwrap();
    }

    #[test]
    fn a_file_without_a_purpose_is_reported() {
        let mut problems = Vec::new();
        check_file(
            "a/utils.rs",
            Path::new("a/utils.rs"),
            "fn main() {}",
            &mut problems,
        );
        assert_eq!(problems.len(), 2, "{problems:?}");
    }
}
