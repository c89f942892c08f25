//! What commands print: findings as NDJSON (the promised fields of DESIGN §8) or for people.

use std::io::{self, Write};

use keyvigil_model::event::Outcome;
use keyvigil_model::finding::{Finding, Suppression};
use keyvigil_model::severity::Severity;
use serde::Serialize;

/// One finding as a line of NDJSON. Fields may be added, never renamed or removed.
#[derive(Serialize)]
struct FindingLine<'a> {
    id: &'a str,
    rule: &'a str,
    kind: &'static str,
    title: &'a str,
    summary: &'a str,
    severity: &'static str,
    status: &'a str,
    outcome: &'static str,
    provider: &'static str,
    account: &'a str,
    region: &'a str,
    time: String,
    principal: Option<&'a str>,
    principal_kind: Option<&'static str>,
    session: Option<&'a str>,
    key: Option<&'a str>,
    resource: Option<&'a str>,
    source_address: Option<&'a str>,
    event_ids: Vec<&'a str>,
    controls: &'a [&'static str],
    source: &'a str,
    evidence: Vec<EvidenceLine<'a>>,
    fingerprint: String,
}

#[derive(Serialize)]
struct EvidenceLine<'a> {
    label: &'static str,
    value: &'a str,
}

/// Writes one finding as NDJSON. `status` is `open`, `suppressed` or a state of the alert.
pub fn write_ndjson(out: &mut dyn Write, finding: &Finding, status: &str) -> io::Result<()> {
    let line = FindingLine {
        id: finding.id.as_str(),
        rule: finding.check.as_str(),
        kind: finding.kind.as_str(),
        title: &finding.title,
        summary: finding.summary.raw(),
        severity: finding.severity.as_str(),
        status,
        outcome: finding.outcome.as_str(),
        provider: finding.provider.as_str(),
        account: finding.account.as_str(),
        region: finding.region.as_str(),
        time: finding.time.to_string(),
        principal: finding.principal.as_ref().map(|principal| principal.id.as_str()),
        principal_kind: finding
            .principal
            .as_ref()
            .map(|principal| principal.kind.as_str()),
        session: finding
            .principal
            .as_ref()
            .and_then(|principal| principal.session.as_ref())
            .map(|session| session.raw()),
        key: finding.key.as_ref().map(|key| key.id.as_str()),
        resource: finding.resource.as_ref().map(|resource| resource.id.as_str()),
        source_address: finding
            .network
            .as_ref()
            .and_then(|network| network.source.as_ref())
            .map(|source| source.raw()),
        event_ids: finding.event_ids.iter().map(|id| id.as_str()).collect(),
        controls: &finding.references,
        source: finding.source.as_str(),
        evidence: finding
            .evidence
            .iter()
            .map(|fact| EvidenceLine {
                label: fact.label,
                value: fact.value.raw(),
            })
            .collect(),
        fingerprint: finding.fingerprint.to_string(),
    };
    serde_json::to_writer(&mut *out, &line)?;
    out.write_all(b"\n")
}

/// Writes one finding for people. Attacker-chosen text is stripped of everything that a terminal would obey.
pub fn write_human(out: &mut dyn Write, finding: &Finding, status: &str) -> io::Result<()> {
    let label = finding.severity.as_str().to_uppercase();
    writeln!(
        out,
        "{label:<8}  {}  [{}] {}",
        finding.title, finding.check, finding.id
    )?;
    writeln!(out, "          {}", finding.summary.one_line(400))?;
    let mut facts = vec![format!("{} {} {}", finding.time, finding.account, finding.region)];
    if let Some(principal) = &finding.principal {
        facts.push(format!("by {}", clean(principal.id.as_str())));
    }
    if let Some(source) = finding
        .network
        .as_ref()
        .and_then(|network| network.source.as_ref())
    {
        facts.push(format!("from {}", source.one_line(60)));
    }
    if finding.outcome != Outcome::Success {
        facts.push(finding.outcome.as_str().to_owned());
    }
    if status != "open" {
        facts.push(status.to_owned());
    }
    writeln!(out, "          {}", facts.join(" · "))?;
    if finding.severity >= Severity::High {
        for advice in &finding.advice {
            match &advice.command {
                Some(command) => {
                    writeln!(
                        out,
                        "          → {} ({})\n              {command}",
                        advice.text,
                        advice.effect.as_str()
                    )?;
                }
                None => writeln!(out, "          → {}", advice.text)?,
            }
        }
    }
    writeln!(out)
}

/// How a finding stands that no alert book has seen.
pub fn status_of(suppression: Option<&Suppression>) -> &'static str {
    match suppression {
        None => "open",
        Some(Suppression::Learning { .. }) => "learning",
        Some(Suppression::Exception { .. }) => "excepted",
    }
}

/// An identifier as it may be printed: providers' identifiers can hold names that callers chose.
pub fn clean(text: &str) -> String {
    keyvigil_model::untrusted::Untrusted::from(text).one_line(200)
}
