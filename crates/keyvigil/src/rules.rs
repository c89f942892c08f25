//! `keyvigil rules`: lists rules and controls, and tests rules against fixture folders of raw records.
//!
//! A fixture folder holds one folder a rule: `<rule>/fires/*.json` with `<case>.expected` beside each, and
//! `<rule>/quiet/*.json`. `policy.toml` in the rule's folder, or `<case>.policy.toml`, is the policy table.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use keyvigil_connector::object_log::EncodedObject;
use keyvigil_detector::{Detector, Input, Policy};
use keyvigil_model::finding::{Finding, FindingChange};
use keyvigil_model::id::SourceId;
use keyvigil_model::time::Timestamp;
use serde_json::json;

use crate::cli::{Output, RulesCommand};
use crate::config;
use crate::exit::Exit;
use crate::registry;

/// Runs a verb of `rules`.
pub fn run(verb: &RulesCommand) -> Result<Exit> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let exit = match verb {
        RulesCommand::List { output } => list(*output, &mut out)?,
        RulesCommand::Test { path } => {
            let report = test(path, Bless::No)?;
            for failure in &report.failures {
                writeln!(out, "{failure}")?;
            }
            writeln!(out, "{} passed, {} failed", report.passed, report.failures.len())?;
            if report.failures.is_empty() {
                Exit::Clean
            } else {
                Exit::Configuration
            }
        }
    };
    out.flush()?;
    Ok(exit)
}

fn list(output: Output, out: &mut dyn Write) -> Result<Exit> {
    let rules = keyvigil_detector::rules()
        .iter()
        .map(|rule| ("rule", *rule.meta()));
    let controls = keyvigil_detector::controls()
        .iter()
        .map(|control| ("control", control.meta().check));
    for (kind, meta) in rules.chain(controls) {
        match output {
            Output::Human => {
                writeln!(
                    out,
                    "{:<34} {kind:<8} {:<9} {}",
                    meta.id,
                    meta.severity.as_str(),
                    meta.title
                )?;
            }
            Output::Ndjson => {
                let line = json!({
                    "id": meta.id,
                    "kind": kind,
                    "severity": meta.severity.as_str(),
                    "title": meta.title,
                    "references": meta.references,
                    "doc": meta.doc(),
                });
                serde_json::to_writer(&mut *out, &line)?;
                out.write_all(b"\n")?;
            }
        }
    }
    Ok(Exit::Clean)
}

/// Whether expectations are compared or written anew.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bless {
    /// Compared.
    No,
    /// Written. Read the difference before committing it.
    Yes,
}

/// How a test of fixtures went.
#[derive(Default, Debug)]
pub struct Report {
    /// Cases that behaved.
    pub passed: usize,
    /// What the others did.
    pub failures: Vec<String>,
}

/// Runs every case below `folder`.
pub fn test(folder: &Path, bless: Bless) -> Result<Report> {
    let mut report = Report::default();
    for rule_folder in folders(folder)? {
        let rule = name_of(&rule_folder);
        if !keyvigil_detector::rules()
            .iter()
            .any(|known| known.meta().id == rule)
        {
            report.failures.push(format!("{rule}: there is no such rule"));
            continue;
        }
        for case in cases(&rule_folder.join("fires"))? {
            match check_fires(&rule_folder, &rule, &case, bless)? {
                None => report.passed += 1,
                Some(failure) => report.failures.push(failure),
            }
        }
        for case in cases(&rule_folder.join("quiet"))? {
            let found = findings_of(&rule_folder, &rule, &case)?;
            if found.is_empty() {
                report.passed += 1;
            } else {
                report
                    .failures
                    .push(format!("{}: must be quiet, but raised\n{found}", case.display()));
            }
        }
    }
    Ok(report)
}

fn check_fires(rule_folder: &Path, rule: &str, case: &Path, bless: Bless) -> Result<Option<String>> {
    let found = findings_of(rule_folder, rule, case)?;
    let expected_file = case.with_extension("expected");
    if bless == Bless::Yes {
        fs::write(&expected_file, &found)?;
    }
    let expected = fs::read_to_string(&expected_file)
        .with_context(|| format!("{} is missing: what must be found?", expected_file.display()))?;
    if found == expected && !found.is_empty() {
        return Ok(None);
    }
    Ok(Some(format!(
        "{}: expected\n{expected}found\n{found}",
        case.display()
    )))
}

/// What the rule raises on the case: one line a finding, folded by what it is about, the last word counting.
fn findings_of(rule_folder: &Path, rule: &str, case: &Path) -> Result<String> {
    let policy = policy_for(rule_folder, case)?;
    let (mut detector, _nothing_saved) = Detector::new(policy, []);
    let bytes = fs::read(case)?;
    let origin = case.display().to_string();
    let object = EncodedObject {
        origin: &origin,
        bytes: &bytes,
        account: None,
        wanted: detector.wanted(),
    };
    let mut events = Vec::new();
    let mut unreadable = 0;
    registry::cloudtrail_files().decode(&object, &mut |piece| {
        events.extend(piece.events);
        unreadable += piece.quarantined.len();
    });
    anyhow::ensure!(unreadable == 0, "{origin}: {unreadable} records cannot be read");
    let mut seen = std::collections::HashSet::new();
    events.retain(|event| seen.insert(event.dedupe));
    let source = SourceId::from("fixture");
    let mut now = Timestamp::EPOCH;
    let mut raised = Vec::<Finding>::new();
    for event in &events {
        now = now.max(event.time);
        let step = detector.step(
            now,
            Input::Events {
                source: &source,
                events: std::slice::from_ref(event),
            },
        );
        for change in step.findings {
            if let FindingChange::Raised(finding) = change
                && finding.check.as_str() == rule
            {
                raised.retain(|known| known.fingerprint != finding.fingerprint);
                raised.push(*finding);
            }
        }
    }
    let mut lines: Vec<String> = raised.iter().map(line_of).collect();
    lines.sort();
    Ok(lines.concat())
}

fn line_of(finding: &Finding) -> String {
    let principal = finding
        .principal
        .as_ref()
        .map_or("-", |principal| principal.id.as_str());
    let key = finding.key.as_ref().map(|key| key.id.as_str());
    let resource = finding.resource.as_ref().map(|resource| resource.id.as_str());
    let subject = key.or(resource).unwrap_or("-");
    let (severity, outcome) = (finding.severity.as_str(), finding.outcome.as_str());
    format!(
        "{severity} {outcome} | {} | {principal} | {subject}\n",
        finding.title
    )
}

fn policy_for(rule_folder: &Path, case: &Path) -> Result<Policy> {
    for file in [
        case.with_extension("policy.toml"),
        rule_folder.join("policy.toml"),
    ] {
        if let Ok(text) = fs::read_to_string(&file) {
            let says_learning = text.contains("learning_days");
            let mut policy = config::parse_policy(&file, &text)?;
            if !says_learning {
                policy.learning_days = 0;
            }
            return Ok(policy);
        }
    }
    Ok(Policy {
        learning_days: 0,
        ..Policy::default()
    })
}

fn folders(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The `.json` files of a folder; none if the folder does not exist.
fn cases(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_fires_where_it_must_and_stays_quiet_where_it_must() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../detector/fixtures");
        let bless = if std::env::var_os("KEYVIGIL_BLESS").is_some() {
            Bless::Yes
        } else {
            Bless::No
        };
        let report = test(&folder, bless).unwrap();
        assert!(report.failures.is_empty(), "{}", report.failures.join("\n"));
        assert!(report.passed > 0);
    }

    /// Cases that are known to go wrong. Each says what should happen; a fix moves its case to `fixtures`.
    #[test]
    fn open_defects_are_still_open() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../detector/fixtures-open");
        let report = test(&folder, Bless::No).unwrap();
        assert_eq!(
            report.passed, 0,
            "a defect was fixed: move its case to crates/detector/fixtures"
        );
    }

    #[test]
    fn every_rule_has_both_kinds_of_cases() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../detector/fixtures");
        for rule in keyvigil_detector::rules() {
            let id = rule.meta().id;
            for kind in ["fires", "quiet"] {
                let cases = cases(&folder.join(id).join(kind)).unwrap();
                // Rules about silence, timers and keyvigil's own sight have no record to show; they are tested beside
                // their code.
                let timed = ["audit.source_silent", "rotation.overdue", "sight.lost"].contains(&id);
                assert!(timed || !cases.is_empty(), "{id} has no {kind} case");
            }
        }
    }
}
