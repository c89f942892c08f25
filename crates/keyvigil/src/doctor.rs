//! `keyvigil doctor`: which permissions are there, which are not, which cannot be told, and what goes blind without them.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use keyvigil_connector::call::{Budget, CallContext, Clock};
use keyvigil_connector::preflight::{PermissionCheck, PermissionStatus};
use keyvigil_ingester::clock::SystemClock;
use keyvigil_poller::budget::ApiBudget;
use serde_json::json;

use crate::cli::{Doctor as Arguments, Output};
use crate::config;
use crate::exit::Exit;
use crate::output::clean;
use crate::receivers;
use crate::registry::{self, AwsCredentials};

/// One trial may take this long.
const TRIAL_TIMEOUT: Duration = Duration::from_secs(20);

/// Tries everything that the configuration needs.
pub async fn run(config_file: &Path, arguments: &Arguments) -> Result<Exit> {
    let config = match config::load(config_file) {
        Ok(config) => config,
        Err(bad) => {
            tracing::error!("{bad}");
            return Ok(Exit::Configuration);
        }
    };
    let receivers = match receivers::build(config_file, &config) {
        Ok(receivers) => receivers,
        Err(bad) => {
            tracing::error!("{bad}");
            return Ok(Exit::Configuration);
        }
    };
    let sources = registry::connect(&config.aws, AwsCredentials::DefaultChain).await?;
    let budget: Arc<dyn Budget> = Arc::new(ApiBudget::new(config.budget()));
    let mut checks = Vec::new();
    for preflight in &sources.preflights {
        let call = CallContext {
            now: SystemClock.now(),
            timeout: TRIAL_TIMEOUT,
            budget: Arc::clone(&budget),
        };
        checks.extend(preflight.check(&call).await);
    }
    let mut out = io::BufWriter::new(io::stdout().lock());
    match arguments.output {
        Output::Ndjson => write_ndjson(&mut out, &checks)?,
        Output::Human => {
            write_people(&mut out, &checks)?;
            let count = receivers.len();
            writeln!(
                out,
                "{count} receivers configured; `keyvigil doctor` sends nothing to them"
            )?;
        }
    }
    out.flush()?;
    let complete = checks
        .iter()
        .all(|check| check.status == PermissionStatus::Granted);
    Ok(Exit::of_look(false, complete))
}

fn words(status: &PermissionStatus) -> (&'static str, String) {
    match status {
        PermissionStatus::Granted => ("granted", String::new()),
        PermissionStatus::Denied(message) => ("denied", message.clone()),
        PermissionStatus::CannotTell(reason, message) => ("cannot_tell", format!("{reason}: {message}")),
    }
}

fn write_ndjson(out: &mut dyn Write, checks: &[PermissionCheck]) -> Result<()> {
    for check in checks {
        let (status, detail) = words(&check.status);
        let line = json!({
            "account": check.account.as_str(),
            "region": check.region.as_str(),
            "permission": check.permission,
            "status": status,
            "detail": detail,
            "needed_by": check.needed_by,
        });
        serde_json::to_writer(&mut *out, &line)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

fn write_people(out: &mut dyn Write, checks: &[PermissionCheck]) -> Result<()> {
    let mut places: BTreeMap<(&str, &str), Vec<&PermissionCheck>> = BTreeMap::new();
    for check in checks {
        places
            .entry((check.account.as_str(), check.region.as_str()))
            .or_default()
            .push(check);
    }
    for ((account, region), checks) in places {
        let granted = checks
            .iter()
            .filter(|check| check.status == PermissionStatus::Granted)
            .count();
        writeln!(
            out,
            "{account} {region}: {granted} of {} permissions granted",
            checks.len()
        )?;
        for check in checks {
            let (label, detail) = match words(&check.status) {
                ("granted", _) => continue,
                ("denied", detail) => ("DENIED     ", detail),
                (_cannot_tell, detail) => ("CANNOT TELL", detail),
            };
            writeln!(out, "  {label} {}", check.permission)?;
            writeln!(out, "              {}", clean(&detail))?;
            writeln!(
                out,
                "              blind without it: {}",
                blind_without(check.needed_by)
            )?;
        }
    }
    Ok(())
}

fn blind_without(needed_by: &[&str]) -> String {
    if needed_by.is_empty() {
        return String::from("nothing by itself");
    }
    if needed_by.contains(&"*") {
        return String::from("everything that reads this log");
    }
    needed_by.join(", ")
}
