//! What the operator writes for AWS: `[[aws.accounts]]` and `[[aws.trails]]`.
//!
//! The doc comments of the fields are the configuration reference. [`AwsConfig::problems`] finds everything that is
//! wrong at once; the rest of the crate relies on it having found nothing.

use keyvigil_model::snapshot::Family;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod check;

pub(crate) use check::{is_account_id, is_organization, is_region};

/// Amazon Web Services.
#[derive(Clone, PartialEq, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AwsConfig {
    /// The accounts that keyvigil watches.
    pub accounts: Vec<AccountConfig>,
    /// The CloudTrail trails whose log files keyvigil reads from S3 as a queue announces them.
    pub trails: Vec<TrailConfig>,
}

/// One AWS account.
#[derive(Clone, PartialEq, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountConfig {
    /// A short name for messages, metrics and source ids: lower-case letters, digits, `-` and `_`. Unique.
    pub name: String,
    /// The 12 digits of the account, in quotes.
    pub account_id: String,
    /// The role to assume in the account, such as `arn:aws:iam::111122223333:role/keyvigil`. Without it the base
    /// credentials (environment, profile, container or instance role) are used as they are. The role session is
    /// called `keyvigil`.
    #[serde(default)]
    pub role_arn: Option<String>,
    /// The external id that the role's trust policy asks for. Only with `role_arn`.
    #[serde(default)]
    pub external_id: Option<String>,
    /// The profile of the AWS configuration files from which the base credentials come. Without it: the default
    /// chain.
    #[serde(default)]
    pub profile: Option<String>,
    /// The regions to watch, such as `["eu-west-1", "us-east-1"]`; at least one, all of one partition. Global
    /// services are watched whichever regions are listed.
    pub regions: Vec<String>,
    /// Another address for every AWS service, for tests and emulators. Without it the addresses follow from the
    /// region.
    #[serde(default)]
    pub endpoint_url: Option<String>,
    /// The families of resources whose configuration is polled. Default: all of them. `[]` switches polling off.
    #[serde(default = "PollFamily::all")]
    pub poll: Vec<PollFamily>,
    /// Whether and how events are read with CloudTrail's LookupEvents, for accounts without a trail in reach and as
    /// a backstop.
    #[serde(default)]
    pub lookup_events: LookupEventsConfig,
}

/// A family of resources that one poller reads.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PollFamily {
    /// KMS keys.
    Keys,
    /// S3 buckets.
    Buckets,
    /// EBS defaults, volumes and snapshots.
    Disks,
    /// RDS instances, clusters and snapshots.
    Databases,
    /// CloudTrail trails.
    AuditLogs,
    /// The account's root and IAM users.
    Identities,
}

impl PollFamily {
    /// Every family, in the order in which they are documented.
    pub const ALL: [Self; 6] = [
        Self::Keys,
        Self::Buckets,
        Self::Disks,
        Self::Databases,
        Self::AuditLogs,
        Self::Identities,
    ];

    fn all() -> Vec<Self> {
        Self::ALL.to_vec()
    }

    /// The model's word for it.
    pub fn family(self) -> Family {
        match self {
            Self::Keys => Family::Keys,
            Self::Buckets => Family::Buckets,
            Self::Disks => Family::Disks,
            Self::Databases => Family::Databases,
            Self::AuditLogs => Family::AuditLogs,
            Self::Identities => Family::Identities,
        }
    }
}

/// Reading events with CloudTrail's LookupEvents: management events of the last 90 days, by account and region.
#[derive(Clone, PartialEq, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LookupEventsConfig {
    /// `on` reads every region of the account; `off` (the default) reads none.
    pub mode: Switch,
    /// Seconds between two polls of a region, 10 to 3600. Default 30.
    pub poll_seconds: u32,
    /// Requests per second, for each region: more than 0, at most 2, which is AWS's quota for everybody in the
    /// account together. Default 1.
    pub requests_per_second: f64,
    /// Minutes for which events may still appear late, 5 to 180. Default 20.
    pub settle_minutes: u32,
    /// Hours that the very first run looks back, 1 to 2160 (90 days). Default 24.
    pub first_lookback_hours: u32,
}

impl Default for LookupEventsConfig {
    fn default() -> Self {
        Self {
            mode: Switch::Off,
            poll_seconds: 30,
            requests_per_second: 1.0,
            settle_minutes: 20,
            first_lookback_hours: 24,
        }
    }
}

/// On or off.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Switch {
    /// On.
    On,
    /// Off.
    #[default]
    Off,
}

/// A trail whose log files are announced by an SQS queue and read from S3.
#[derive(Clone, PartialEq, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrailConfig {
    /// A short name for messages, metrics and source ids: lower-case letters, digits, `-` and `_`. Unique.
    pub name: String,
    /// The bucket that the trail delivers to. Messages that name any other bucket are quarantined.
    pub bucket: String,
    /// The queue that receives the bucket's notifications (directly, through SNS or through EventBridge), such as
    /// `https://sqs.eu-west-1.amazonaws.com/111122223333/cloudtrail`.
    pub queue_url: String,
    /// The region of the bucket and the queue.
    pub region: String,
    /// The `name` of the account under `aws.accounts` whose credentials read the bucket and the queue.
    pub account: String,
    /// What comes before `AWSLogs/` in the bucket, without slashes at its ends. Default: nothing.
    #[serde(default)]
    pub prefix: Option<String>,
    /// The account ids whose logs the trail holds. Log files of others are quarantined. Default: every account under
    /// `aws.accounts`.
    #[serde(default)]
    pub accounts: Vec<String>,
    /// The organisation id (`o-…`) of an organisation trail: its log files lie under `AWSLogs/o-…/`.
    #[serde(default)]
    pub organization: Option<String>,
    /// The regions whose day folders are listed every hour as a net under lost messages. Default: the regions of all
    /// accounts under `aws.accounts`, and the region in which global services are recorded.
    #[serde(default)]
    pub regions: Vec<String>,
    /// Another address for S3 and SQS, for tests and emulators. Default: that of the account.
    #[serde(default)]
    pub endpoint_url: Option<String>,
    /// Seconds for which a received message stays hidden from other readers, 30 to 43200; keyvigil extends it while
    /// it works. Default 300.
    #[serde(default = "default_visibility")]
    pub visibility_seconds: u32,
    /// Seconds for which one request waits for messages, 0 to 20. Default 20.
    #[serde(default = "default_wait")]
    pub wait_seconds: u32,
    /// Log files with more compressed bytes are quarantined. CloudTrail writes at most 50 MB. Default 67108864.
    #[serde(default = "default_max_object_bytes")]
    pub max_object_bytes: u64,
}

fn default_visibility() -> u32 {
    300
}

fn default_wait() -> u32 {
    20
}

fn default_max_object_bytes() -> u64 {
    64 << 20
}

/// Something wrong in the configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigProblem {
    /// Where: `aws.accounts[0].regions`.
    pub key: String,
    /// What is wrong, with the value that was found.
    pub problem: String,
    /// What would be right.
    pub accepted: String,
}

impl std::fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}; accepted: {}", self.key, self.problem, self.accepted)
    }
}

impl AwsConfig {
    /// Everything that is wrong, in the order of the file. Empty: the configuration can be used.
    pub fn problems(&self) -> Vec<ConfigProblem> {
        check::problems(self)
    }

    /// The account that a trail's `account` names.
    pub fn account(&self, name: &str) -> Option<&AccountConfig> {
        self.accounts.iter().find(|account| account.name == name)
    }
}

#[cfg(test)]
mod tests;
