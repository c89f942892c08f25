//! From configuration to notifiers; the only place that reads secrets from the environment and from files.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use keyvigil_connector::notifier::Notifier;
use keyvigil_connector::secret::Secret;
use keyvigil_http::{HttpClient, HttpOptions};
use keyvigil_model::id::ReceiverId;
use keyvigil_notifiers::config::SecretSource;
use keyvigil_notifiers::{PagerDuty, Slack};

use crate::config::Config;

/// Makes every configured receiver.
pub fn build(config: &Config) -> Result<Vec<Arc<dyn Notifier>>> {
    let http = HttpClient::new(&HttpOptions::default())?;
    let mut receivers: Vec<Arc<dyn Notifier>> = Vec::new();
    for (index, slack) in config.slack.iter().enumerate() {
        let key = format!("slack[{index}].webhook_url");
        let webhook = secret(&slack.webhook_url).with_context(|| key.clone())?;
        let id = ReceiverId::from(slack.name.as_str());
        receivers.push(Arc::new(
            Slack::new(id, &webhook, http.clone()).with_context(|| format!("slack[{index}]"))?,
        ));
    }
    for (index, pagerduty) in config.pagerduty.iter().enumerate() {
        let key =
            secret(&pagerduty.routing_key).with_context(|| format!("pagerduty[{index}].routing_key"))?;
        let id = ReceiverId::from(pagerduty.name.as_str());
        let settings = pagerduty.notifier();
        let receiver = PagerDuty::new(id, &key, settings.endpoint(), http.clone())
            .with_context(|| format!("pagerduty[{index}]"))?;
        receivers.push(Arc::new(receiver));
    }
    Ok(receivers)
}

fn secret(source: &SecretSource) -> Result<Secret> {
    let env = |name: &str| std::env::var(name).ok();
    let file = |path: &Path| std::fs::read_to_string(path);
    Ok(source.resolve(env, file)?)
}
