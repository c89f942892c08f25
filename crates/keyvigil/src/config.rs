//! The configuration file: one TOML file for everything. Every error is reported at once, with file, key and accepted
//! values; a bad configuration never replaces a good one.

mod alerts;
mod schema_check;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use keyvigil_aws::config::AwsConfig;
use keyvigil_detector::Policy;
use keyvigil_poller::budget::BudgetSettings;
use keyvigil_poller::quota::Quota;
use keyvigil_poller::schedule::PollSchedule;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use alerts::{AlertsConfig, PagerDutyReceiver, ReceiverRoute, SlackReceiver};

/// Everything that an operator decides.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The daemon itself.
    pub daemon: DaemonConfig,
    /// The admin server: metrics and health.
    pub admin: AdminConfig,
    /// What is allowed in the organisation.
    pub policy: Policy,
    /// When alerts are repeated and what they link to.
    pub alerts: AlertsConfig,
    /// Slack channels.
    pub slack: Vec<SlackReceiver>,
    /// PagerDuty services.
    pub pagerduty: Vec<PagerDutyReceiver>,
    /// Amazon Web Services.
    pub aws: AwsConfig,
    /// Folders in which CloudTrail log files appear.
    pub folders: Vec<FolderConfig>,
    /// How configuration is polled.
    pub polling: PollingConfig,
}

/// The daemon itself.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DaemonConfig {
    /// The folder that holds what keyvigil remembers. Only one daemon can use it at a time.
    pub state_dir: PathBuf,
    /// Seconds that a stop may take, 1 to 300. What is not finished then is done after the next start.
    #[schemars(range(min = 1, max = 300))]
    pub stop_seconds: u32,
}

impl Default for DaemonConfig {
    fn default() -> Self {
        Self {
            state_dir: PathBuf::from("/var/lib/keyvigil"),
            stop_seconds: 20,
        }
    }
}

impl DaemonConfig {
    /// How long a stop may take.
    pub fn stop_limit(&self) -> Duration {
        Duration::from_secs(u64::from(self.stop_seconds))
    }
}

/// The admin server.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AdminConfig {
    /// Where it listens. It has no authentication: keep it on the loopback interface, or put a proxy in front of it.
    pub listen: SocketAddr,
    /// Accept an address that is not loopback. Names and numbers of keys are not shown, but sources and rules are.
    pub allow_non_loopback: bool,
}

impl Default for AdminConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 9650)),
            allow_non_loopback: false,
        }
    }
}

/// A folder in which CloudTrail log files appear.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FolderConfig {
    /// A short name for messages and metrics: lower-case letters, digits, `-` and `_`.
    pub name: String,
    /// The folder. Files in folders below it are read too.
    pub path: PathBuf,
    /// Seconds between two looks, 1 to 3600.
    #[serde(default = "FolderConfig::default_scan_seconds")]
    #[schemars(range(min = 1, max = 3600))]
    pub scan_seconds: u32,
}

impl FolderConfig {
    fn default_scan_seconds() -> u32 {
        5
    }
}

/// How configuration is polled.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PollingConfig {
    /// Minutes between two readings of the keys, 1 to 1440.
    #[schemars(range(min = 1, max = 1440))]
    pub keys_minutes: u32,
    /// Minutes between two readings of buckets, 1 to 1440.
    #[schemars(range(min = 1, max = 1440))]
    pub buckets_minutes: u32,
    /// Minutes between two readings of volumes and snapshots, 1 to 1440.
    #[schemars(range(min = 1, max = 1440))]
    pub disks_minutes: u32,
    /// Minutes between two readings of databases, 1 to 1440.
    #[schemars(range(min = 1, max = 1440))]
    pub databases_minutes: u32,
    /// Minutes between two readings of the audit-log configuration, 1 to 1440.
    #[schemars(range(min = 1, max = 1440))]
    pub audit_logs_minutes: u32,
    /// Minutes between two readings of users and root, 1 to 1440. AWS makes a new report every four hours at most.
    #[schemars(range(min = 1, max = 1440))]
    pub identities_minutes: u32,
    /// The part of each provider quota that keyvigil may use, 0.01 to 1: the quota is shared with your applications.
    #[schemars(range(min = 0.01, max = 1.0))]
    pub quota_share: f64,
}

impl Default for PollingConfig {
    fn default() -> Self {
        Self {
            keys_minutes: 30,
            buckets_minutes: 30,
            disks_minutes: 60,
            databases_minutes: 30,
            audit_logs_minutes: 5,
            identities_minutes: 240,
            quota_share: 0.1,
        }
    }
}

impl PollingConfig {
    /// As the poller wants it. `seed` spreads the polls of different installations.
    pub fn schedule(&self, seed: u64) -> PollSchedule {
        let minutes = |count: u32| Duration::from_secs(u64::from(count) * 60);
        PollSchedule {
            keys: minutes(self.keys_minutes),
            buckets: minutes(self.buckets_minutes),
            disks: minutes(self.disks_minutes),
            databases: minutes(self.databases_minutes),
            audit_logs: minutes(self.audit_logs_minutes),
            identities: minutes(self.identities_minutes),
            seed,
            ..PollSchedule::default()
        }
    }
}

/// One thing that is wrong with the configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// The key, as a path: `aws.accounts[0].regions`.
    pub key: String,
    /// What is wrong with it.
    pub problem: String,
    /// What is accepted there.
    pub accepted: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.problem)?;
        if !self.accepted.is_empty() {
            write!(f, "; accepted: {}", self.accepted)?;
        }
        Ok(())
    }
}

/// A configuration that cannot be used: every reason at once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadConfig {
    /// The file.
    pub file: PathBuf,
    /// What is wrong.
    pub problems: Vec<Problem>,
}

impl fmt::Display for BadConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.problems.len();
        let noun = if count == 1 { "problem" } else { "problems" };
        write!(f, "{}: {count} {noun}", self.file.display())?;
        self.problems
            .iter()
            .try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl std::error::Error for BadConfig {}

/// The JSON Schema of the configuration.
pub fn schema() -> Value {
    schemars::schema_for!(Config).to_value()
}

/// Reads and checks a configuration file.
pub fn load(file: &Path) -> Result<Config, BadConfig> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        single(
            file,
            "(file)",
            format!("cannot be read: {error}"),
            "a readable TOML file; see `keyvigil config example`",
        )
    })?;
    parse(file, &text)
}

/// Checks the text of a configuration file.
pub fn parse(file: &Path, text: &str) -> Result<Config, BadConfig> {
    let value = parse_toml(file, text)?;
    let json =
        serde_json::to_value(&value).map_err(|error| single(file, "(top level)", error.to_string(), ""))?;
    let mut problems = schema_check::check(&json, &schema());
    if problems.is_empty() {
        match value.try_into::<Config>() {
            Ok(config) => {
                problems = config.problems();
                if problems.is_empty() {
                    return Ok(config);
                }
            }
            Err(error) => return Err(single(file, "(top level)", error.to_string(), "")),
        }
    } else if let Ok(rest) = serde_json::from_value::<Config>(schema_check::sound_part(&json, &problems)) {
        problems.extend(further_problems(&rest, &problems));
    }
    Err(BadConfig {
        file: file.to_owned(),
        problems,
    })
}

/// What is wrong in the tables that have the right shape, so that nobody has to fix a file one half at a time. Problems
/// that only exist because a misshapen table was left out are not reported.
fn further_problems(rest: &Config, known: &[Problem]) -> Vec<Problem> {
    let left_out = |name: &str| {
        known
            .iter()
            .any(|problem| schema_check::top_level(&problem.key) == name)
    };
    let receivers_left_out = left_out("slack") || left_out("pagerduty");
    rest.problems()
        .into_iter()
        .filter(|problem| !(receivers_left_out && problem.key.starts_with("alerts.")))
        .collect()
}

/// Checks the text of a policy file: the content of the `[policy]` table alone.
pub fn parse_policy(file: &Path, text: &str) -> Result<Policy, BadConfig> {
    let value = parse_toml(file, text)?;
    let mut problems = check_value(&value, &schemars::schema_for!(Policy).to_value());
    if problems.is_empty() {
        match value.try_into::<Policy>() {
            Ok(policy) => {
                problems = policy_problems(&policy, "");
                if problems.is_empty() {
                    return Ok(policy);
                }
            }
            Err(error) => return Err(single(file, "(top level)", error.to_string(), "")),
        }
    }
    Err(BadConfig {
        file: file.to_owned(),
        problems,
    })
}

/// The syntax alone; the error points at the line.
fn parse_toml(file: &Path, text: &str) -> Result<toml::Value, BadConfig> {
    toml::from_str(text).map_err(|error| {
        single(
            file,
            "(syntax)",
            error.to_string().trim_end().replace('\n', "\n    "),
            "TOML 1.0",
        )
    })
}

fn check_value(value: &toml::Value, schema: &Value) -> Vec<Problem> {
    match serde_json::to_value(value) {
        Ok(json) => schema_check::check(&json, schema),
        Err(error) => vec![Problem {
            key: String::from("(top level)"),
            problem: error.to_string(),
            accepted: String::new(),
        }],
    }
}

fn single(file: &Path, key: &str, problem: String, accepted: &str) -> BadConfig {
    let problem = Problem {
        key: key.to_owned(),
        problem,
        accepted: accepted.to_owned(),
    };
    BadConfig {
        file: file.to_owned(),
        problems: vec![problem],
    }
}

fn policy_problems(policy: &Policy, prefix: &str) -> Vec<Problem> {
    policy
        .problems()
        .into_iter()
        .map(|problem| Problem {
            key: format!("{prefix}{}", problem.path),
            problem: problem.message,
            accepted: String::new(),
        })
        .collect()
}

impl Config {
    /// The part of the providers' quotas that keyvigil may use. LookupEvents has a pace of its own: the slowest one
    /// that an account asks for, because the budget is one for all of them.
    pub fn budget(&self) -> BudgetSettings {
        let paces = self
            .aws
            .accounts
            .iter()
            .map(|account| account.lookup_events.requests_per_second);
        let mut settings = BudgetSettings {
            share: self.polling.quota_share,
            ..BudgetSettings::default()
        };
        if let Some(pace) = paces.min_by(f64::total_cmp) {
            settings.quotas.insert(
                keyvigil_aws::lookup_events::OPERATION.to_owned(),
                Quota::Flat(pace),
            );
        }
        settings
    }

    /// What the schema cannot say: everything that concerns more than one value.
    fn problems(&self) -> Vec<Problem> {
        let mut problems = policy_problems(&self.policy, "policy.");
        problems.extend(self.aws.problems().into_iter().map(|problem| Problem {
            key: problem.key,
            problem: problem.problem,
            accepted: problem.accepted,
        }));
        problems.extend(alerts::problems(self));
        if !self.admin.listen.ip().is_loopback() && !self.admin.allow_non_loopback {
            problems.push(Problem {
                key: String::from("admin.listen"),
                problem: format!(
                    "{} is not loopback, and the admin server has no authentication",
                    self.admin.listen
                ),
                accepted: String::from(
                    "a loopback address, or allow_non_loopback = true with a proxy in front",
                ),
            });
        }
        for (index, folder) in self.folders.iter().enumerate() {
            let twin = self.folders[..index]
                .iter()
                .any(|other| other.name == folder.name);
            if twin || !is_short_name(&folder.name) {
                problems.push(Problem {
                    key: format!("folders[{index}].name"),
                    problem: if twin {
                        format!("`{}` is used twice", folder.name)
                    } else {
                        String::from("not a short name")
                    },
                    accepted: String::from("lower-case letters, digits, - and _, unique"),
                });
            }
        }
        problems
    }
}

/// A name that can be a metric label and part of a source id.
fn is_short_name(name: &str) -> bool {
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    !name.is_empty() && name.len() <= 40 && name.bytes().all(allowed)
}

#[cfg(test)]
mod tests;
