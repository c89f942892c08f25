//! `keyvigil findings`: what the daemon's store holds. Reads beside a running daemon.

use std::io::{self, Write};
use std::path::Path;

use anyhow::Result;
use keyvigil_store::Store;
use keyvigil_store::read::Reader;
use keyvigil_store::view::{FindingFilter, FindingStatus, JudgementFilter, QuarantineFilter};
use serde_json::json;

use crate::cli::{Findings as Arguments, Listing, Output};
use crate::config;
use crate::exit::Exit;
use crate::output::{clean, write_human, write_ndjson};

/// Lists what was asked for.
pub async fn run(config_file: &Path, arguments: &Arguments) -> Result<Exit> {
    let config = match config::load(config_file) {
        Ok(config) => config,
        Err(bad) => {
            tracing::error!("{bad}");
            return Ok(Exit::Configuration);
        }
    };
    let reader = Store::open_read_only(&config.daemon.state_dir).await?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    match arguments.list {
        Listing::Findings => list_findings(&reader, arguments, &mut out).await?,
        Listing::Verdicts => list_verdicts(&reader, arguments, &mut out).await?,
        Listing::Quarantine => list_quarantine(&reader, arguments, &mut out).await?,
    }
    out.flush()?;
    reader.close().await;
    Ok(Exit::Clean)
}

async fn list_findings(reader: &Reader, arguments: &Arguments, out: &mut dyn Write) -> Result<()> {
    let filter = FindingFilter {
        min_severity: Some(arguments.severity),
        ..FindingFilter::default()
    };
    for view in reader.findings(&filter).await? {
        let over = match view.status {
            FindingStatus::Open => false,
            FindingStatus::Suppressed
            | FindingStatus::Resolved
            | FindingStatus::Reverted
            | FindingStatus::Excepted => true,
        };
        if over && !arguments.all {
            continue;
        }
        match arguments.output {
            Output::Human => write_human(out, &view.finding, view.status.as_str())?,
            Output::Ndjson => write_ndjson(out, &view.finding, view.status.as_str())?,
        }
    }
    Ok(())
}

async fn list_verdicts(reader: &Reader, arguments: &Arguments, out: &mut dyn Write) -> Result<()> {
    for view in reader.judgements(&JudgementFilter::default()).await? {
        let judgement = view.judgement;
        let account = judgement
            .resource
            .account
            .as_ref()
            .map_or("-", |account| account.as_str());
        let region = judgement
            .resource
            .region
            .as_ref()
            .map_or("-", |region| region.as_str());
        let verdict = judgement.verdict.as_str();
        match arguments.output {
            Output::Human => {
                let resource = clean(judgement.resource.id.as_str());
                writeln!(
                    out,
                    "{verdict:<14} {} {account} {region} {resource}",
                    judgement.control
                )?;
                writeln!(out, "               {}", clean(&judgement.observed))?;
            }
            Output::Ndjson => {
                let line = json!({
                    "control": judgement.control.as_str(),
                    "verdict": verdict,
                    "account": account,
                    "region": region,
                    "resource": judgement.resource.id.as_str(),
                    "observed": judgement.observed,
                    "at": judgement.at.to_string(),
                    "since": view.since.to_string(),
                });
                serde_json::to_writer(&mut *out, &line)?;
                out.write_all(b"\n")?;
            }
        }
    }
    Ok(())
}

async fn list_quarantine(reader: &Reader, arguments: &Arguments, out: &mut dyn Write) -> Result<()> {
    for row in reader.quarantine(&QuarantineFilter::default()).await? {
        let reason = row.reason.as_str();
        match arguments.output {
            Output::Human => {
                writeln!(
                    out,
                    "{reason:<18} {} times, last {}  {}",
                    row.count,
                    row.last_at,
                    clean(&row.origin)
                )?;
                writeln!(out, "                   {}", clean(&row.detail))?;
            }
            Output::Ndjson => {
                let line = json!({
                    "source": row.source.as_str(),
                    "origin": row.origin,
                    "reason": reason,
                    "detail": row.detail,
                    "count": row.count,
                    "first": row.first_at.to_string(),
                    "last": row.last_at.to_string(),
                    "kept_bytes": row.bytes.as_ref().map_or(0, Vec::len),
                });
                serde_json::to_writer(&mut *out, &line)?;
                out.write_all(b"\n")?;
            }
        }
    }
    Ok(())
}
