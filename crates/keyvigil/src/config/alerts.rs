//! The part of the configuration that says who is told what.

use std::time::Duration;

use keyvigil_alerting::{AlertSettings, CheckGlob, ConsoleLinks, LinkSettings, RepeatAfter, Route};
use keyvigil_model::id::ReceiverId;
use keyvigil_model::severity::Severity;
use keyvigil_notifiers::config::{PagerDutyConfig, PagerDutyRegion, SecretSource, SlackConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Config, Problem, is_short_name};

/// When alerts are repeated and what they link to.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AlertsConfig {
    /// The name of the receiver that gets what another one could not be given.
    pub fallback: Option<String>,
    /// Hours after which an open alert is told again; 0: never.
    pub repeat_hours: RepeatHours,
    /// The address of runbooks; the rule's id is appended.
    pub runbooks_url: Option<String>,
}

/// Hours after which an open alert is told again; 0: never.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RepeatHours {
    /// Critical alerts.
    pub critical: u32,
    /// High alerts.
    pub high: u32,
    /// Medium alerts.
    pub medium: u32,
    /// Low alerts.
    pub low: u32,
}

impl Default for RepeatHours {
    fn default() -> Self {
        Self {
            critical: 4,
            high: 24,
            medium: 168,
            low: 0,
        }
    }
}

/// The severity from which on a receiver is told.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SeverityName {
    /// Everything.
    Info,
    /// Low and worse.
    Low,
    /// Medium and worse.
    Medium,
    /// High and worse.
    High,
    /// Critical only.
    Critical,
}

impl SeverityName {
    fn severity(self) -> Severity {
        match self {
            Self::Info => Severity::Info,
            Self::Low => Severity::Low,
            Self::Medium => Severity::Medium,
            Self::High => Severity::High,
            Self::Critical => Severity::Critical,
        }
    }
}

/// What one receiver gets.
#[derive(Clone, Copy, Debug)]
pub struct ReceiverRoute<'a> {
    /// Its name.
    pub name: &'a str,
    /// The lowest severity.
    pub min_severity: Severity,
    /// Rules and controls; empty: all.
    pub checks: &'a [String],
}

/// A Slack channel.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlackReceiver {
    /// A short name: lower-case letters, digits, `-` and `_`. Unique among all receivers.
    pub name: String,
    /// The address of the incoming webhook: `{ file = "/path" }`, `{ env = "NAME" }` or the address itself. It is a
    /// credential.
    pub webhook_url: SecretSource,
    /// The lowest severity that it gets. Default: medium.
    #[serde(default = "SlackReceiver::default_severity")]
    pub min_severity: SeverityName,
    /// The rules and controls that it gets, with `*` for any text. Default: all.
    #[serde(default)]
    pub checks: Vec<String>,
}

impl SlackReceiver {
    fn default_severity() -> SeverityName {
        SeverityName::Medium
    }

    /// As the notifier wants it.
    pub fn notifier(&self) -> SlackConfig {
        SlackConfig {
            webhook_url: self.webhook_url.clone(),
        }
    }
}

/// A PagerDuty service.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PagerDutyReceiver {
    /// A short name: lower-case letters, digits, `-` and `_`. Unique among all receivers.
    pub name: String,
    /// The integration key of the service: `{ file = "/path" }`, `{ env = "NAME" }` or the 32 characters themselves.
    pub routing_key: SecretSource,
    /// Where the PagerDuty account lives: `us` or `eu`.
    #[serde(default)]
    pub region: PagerDutyRegion,
    /// Another address than the region's, for a relay or a test: `https://host/v2/enqueue`.
    #[serde(default)]
    pub url: Option<String>,
    /// The lowest severity that it gets. Default: high.
    #[serde(default = "PagerDutyReceiver::default_severity")]
    pub min_severity: SeverityName,
    /// The rules and controls that it gets, with `*` for any text. Default: all.
    #[serde(default)]
    pub checks: Vec<String>,
}

impl PagerDutyReceiver {
    fn default_severity() -> SeverityName {
        SeverityName::High
    }

    /// As the notifier wants it.
    pub fn notifier(&self) -> PagerDutyConfig {
        PagerDutyConfig {
            routing_key: self.routing_key.clone(),
            region: self.region,
            url: self.url.clone(),
        }
    }
}

impl Config {
    /// Every receiver and what it gets.
    pub fn routes(&self) -> Vec<ReceiverRoute<'_>> {
        let slack = self.slack.iter().map(|receiver| ReceiverRoute {
            name: &receiver.name,
            min_severity: receiver.min_severity.severity(),
            checks: &receiver.checks,
        });
        let pagerduty = self.pagerduty.iter().map(|receiver| ReceiverRoute {
            name: &receiver.name,
            min_severity: receiver.min_severity.severity(),
            checks: &receiver.checks,
        });
        slack.chain(pagerduty).collect()
    }

    /// As the alert book wants it.
    pub fn alert_settings(&self) -> AlertSettings {
        let hours = |count: u32| (count > 0).then(|| Duration::from_secs(u64::from(count) * 3_600));
        let repeat = &self.alerts.repeat_hours;
        AlertSettings {
            routes: self
                .routes()
                .into_iter()
                .map(|route| Route {
                    receiver: ReceiverId::from(route.name),
                    min_severity: route.min_severity,
                    checks: route
                        .checks
                        .iter()
                        .map(|pattern| CheckGlob::new(pattern.as_str()))
                        .collect(),
                })
                .collect(),
            fallback: self.alerts.fallback.as_deref().map(ReceiverId::from),
            repeat_after: RepeatAfter {
                critical: hours(repeat.critical),
                high: hours(repeat.high),
                medium: hours(repeat.medium),
                low: hours(repeat.low),
                info: None,
            },
            links: LinkSettings {
                console: ConsoleLinks::On,
                findings: None,
                runbooks: self.alerts.runbooks_url.clone(),
            },
            ..AlertSettings::default()
        }
    }
}

/// Names that are wrong or used twice, and a fallback that does not exist.
pub(super) fn problems(config: &Config) -> Vec<Problem> {
    let mut problems = Vec::new();
    let slack = config
        .slack
        .iter()
        .enumerate()
        .map(|(index, it)| (format!("slack[{index}].name"), &it.name));
    let pagerduty = config
        .pagerduty
        .iter()
        .enumerate()
        .map(|(index, it)| (format!("pagerduty[{index}].name"), &it.name));
    let mut known: Vec<&str> = Vec::new();
    for (key, name) in slack.chain(pagerduty) {
        let problem = if known.contains(&name.as_str()) {
            format!("`{name}` is used twice")
        } else if !is_short_name(name) {
            String::from("not a short name")
        } else {
            known.push(name);
            continue;
        };
        let accepted = String::from("lower-case letters, digits, - and _, unique among all receivers");
        problems.push(Problem {
            key,
            problem,
            accepted,
        });
    }
    if let Some(fallback) = &config.alerts.fallback
        && !known.contains(&fallback.as_str())
    {
        problems.push(Problem {
            key: String::from("alerts.fallback"),
            problem: format!("there is no receiver `{fallback}`"),
            accepted: known.join(", "),
        });
    }
    problems
}
