//! From configuration to notifiers; the only place that reads secrets from the environment and from files.

use std::path::Path;
use std::sync::Arc;

use keyvigil_connector::notifier::Notifier;
use keyvigil_connector::secret::Secret;
use keyvigil_http::{HttpClient, HttpOptions};
use keyvigil_model::id::ReceiverId;
use keyvigil_notifiers::config::{SecretProblem, SecretSource};
use keyvigil_notifiers::{PagerDuty, Slack};

use crate::config::{BadConfig, Config, Problem};

/// Makes every configured receiver. A secret that is not there and an address that is refused are errors of the
/// configuration, all of them told at once and none of them with the secret.
pub fn build(file: &Path, config: &Config) -> Result<Vec<Arc<dyn Notifier>>, BadConfig> {
    let mut problems = Vec::new();
    let mut receivers: Vec<Arc<dyn Notifier>> = Vec::new();
    match HttpClient::new(&HttpOptions::default()) {
        Ok(http) => {
            for (index, _) in config.slack.iter().enumerate() {
                keep(slack(config, index, &http), &mut receivers, &mut problems);
            }
            for (index, _) in config.pagerduty.iter().enumerate() {
                keep(pagerduty(config, index, &http), &mut receivers, &mut problems);
            }
        }
        Err(error) => problems.push(problem(
            "(environment)",
            &error,
            "usable TLS roots and proxy settings",
        )),
    }
    if problems.is_empty() {
        return Ok(receivers);
    }
    let file = file.to_owned();
    Err(BadConfig { file, problems })
}

fn keep(
    made: Result<Arc<dyn Notifier>, Problem>,
    receivers: &mut Vec<Arc<dyn Notifier>>,
    problems: &mut Vec<Problem>,
) {
    match made {
        Ok(receiver) => receivers.push(receiver),
        Err(problem) => problems.push(problem),
    }
}

fn slack(config: &Config, index: usize, http: &HttpClient) -> Result<Arc<dyn Notifier>, Problem> {
    let slack = &config.slack[index];
    let key = format!("slack[{index}].webhook_url");
    let webhook = secret(&slack.webhook_url).map_err(|error| problem(&key, &error, WHERE_SECRETS_ARE))?;
    let id = ReceiverId::from(slack.name.as_str());
    match Slack::new(id, &webhook, http.clone()) {
        Ok(receiver) => Ok(Arc::new(receiver)),
        Err(error) => Err(problem(&key, &error, "https://hooks.slack.com/services/…")),
    }
}

fn pagerduty(config: &Config, index: usize, http: &HttpClient) -> Result<Arc<dyn Notifier>, Problem> {
    let pagerduty = &config.pagerduty[index];
    let key = format!("pagerduty[{index}].routing_key");
    let routing_key =
        secret(&pagerduty.routing_key).map_err(|error| problem(&key, &error, WHERE_SECRETS_ARE))?;
    let id = ReceiverId::from(pagerduty.name.as_str());
    let settings = pagerduty.notifier();
    match PagerDuty::new(id, &routing_key, settings.endpoint(), http.clone()) {
        Ok(receiver) => Ok(Arc::new(receiver)),
        Err(error) => Err(problem(&format!("pagerduty[{index}]"), &error, "")),
    }
}

const WHERE_SECRETS_ARE: &str = "the secret itself, { env = \"NAME\" } or { file = \"/path\" }";

fn problem(key: &str, error: &dyn std::fmt::Display, accepted: &str) -> Problem {
    Problem {
        key: key.to_owned(),
        problem: error.to_string(),
        accepted: accepted.to_owned(),
    }
}

fn secret(source: &SecretSource) -> Result<Secret, SecretProblem> {
    let env = |name: &str| std::env::var(name).ok();
    let file = |path: &Path| std::fs::read_to_string(path);
    source.resolve(env, file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    #[test]
    fn secrets_that_are_not_there_are_named_all_at_once() {
        let file = Path::new("keyvigil.toml");
        let config = parse(
            file,
            r#"
            [[slack]]
            name = "a"
            webhook_url = { env = "KEYVIGIL_TEST_NOT_SET" }
            [[pagerduty]]
            name = "b"
            routing_key = { file = "/does/not/exist" }
            "#,
        )
        .unwrap();
        let Err(bad) = build(file, &config) else {
            panic!("both secrets are missing");
        };
        let keys: Vec<&str> = bad.problems.iter().map(|problem| problem.key.as_str()).collect();
        assert_eq!(keys, ["slack[0].webhook_url", "pagerduty[0].routing_key"]);
    }
}
