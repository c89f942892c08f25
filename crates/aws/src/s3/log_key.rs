//! The names of CloudTrail's log files in a bucket, and which of them are ours to read.
//!
//! `[prefix/]AWSLogs/[o-…/]<account>/CloudTrail/<region>/<year>/<month>/<day>/<file>`
//! (source: CloudTrail user guide, "Finding your CloudTrail log files"). Names come from messages that anybody who can
//! write to the queue can forge, so they are parsed by hand and refused unless every part is right.

use std::collections::BTreeSet;
use std::sync::Arc;

use keyvigil_model::id::{AccountId, Region};
use keyvigil_model::time::Day;

use crate::client::partition::Partition;
use crate::config::{AwsConfig, TrailConfig};
use crate::config::{is_account_id, is_organization, is_region};

/// S3's own limit of a key, in bytes.
const MAX_KEY: usize = 1024;

/// Which log files may be read: one bucket, and the accounts whose logs it holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AllowList {
    /// The bucket.
    pub bucket: Arc<str>,
    /// What comes before `AWSLogs/`.
    pub prefix: Option<String>,
    /// The organisation of an organisation trail.
    pub organization: Option<String>,
    /// The accounts.
    pub accounts: BTreeSet<AccountId>,
    /// The regions that are listed; not a limit for what is announced.
    pub regions: BTreeSet<Region>,
}

/// What the name of an object says it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LogKey {
    /// A log file of an account that may be read.
    Log(AccountId),
    /// Something else that belongs there, with what it is.
    Other(&'static str),
    /// Nothing that may be read, with the reason.
    Refused(String),
}

impl AllowList {
    /// What the configuration of a trail allows.
    pub fn of(trail: &TrailConfig, config: &AwsConfig) -> Self {
        let accounts: BTreeSet<AccountId> = if trail.accounts.is_empty() {
            let ids = config
                .accounts
                .iter()
                .map(|account| AccountId::from(account.account_id.as_str()));
            ids.collect()
        } else {
            trail
                .accounts
                .iter()
                .map(|id| AccountId::from(id.as_str()))
                .collect()
        };
        let mut regions = BTreeSet::new();
        if trail.regions.is_empty() {
            let all = config.accounts.iter().flat_map(|account| &account.regions);
            for region in all.chain([&trail.region]) {
                let region = Region::from(region.as_str());
                regions.insert(Region::from(Partition::of_region(&region).global_region));
                regions.insert(region);
            }
        } else {
            regions.extend(trail.regions.iter().map(|region| Region::from(region.as_str())));
        }
        Self {
            bucket: trail.bucket.as_str().into(),
            prefix: trail.prefix.clone(),
            organization: trail.organization.clone(),
            accounts,
            regions,
        }
    }

    /// What an object of the bucket is, by its decoded key.
    pub fn judge(&self, key: &str) -> LogKey {
        if let Err(problem) = check_form(key) {
            return LogKey::Refused(problem);
        }
        let Some(path) = self.below_prefix(key) else {
            return LogKey::Refused("it lies outside the configured prefix".to_owned());
        };
        let Some(parts) = Parts::read(path) else {
            return LogKey::Refused("its name is not that of a log file".to_owned());
        };
        if let Some(organization) = parts.organization
            && self.organization.as_deref() != Some(organization)
        {
            return LogKey::Refused(format!("organisation {organization:?} is not configured"));
        }
        let account = AccountId::from(parts.account);
        match parts.kind {
            _ if !self.accounts.contains(&account) => {
                LogKey::Refused(format!("account {account} is not configured"))
            }
            "CloudTrail" if parts.is_dated_file() => LogKey::Log(account),
            "CloudTrail" if key.ends_with('/') => LogKey::Other("a folder marker"),
            "CloudTrail" => LogKey::Refused("its name is not that of a CloudTrail log file".to_owned()),
            "CloudTrail-Digest" => LogKey::Other("a digest file"),
            "CloudTrail-Insight" => LogKey::Other("an Insights file"),
            _ => LogKey::Other("a log file of another service"),
        }
    }

    /// The folders that hold the log files of a day, in a fixed order.
    pub fn day_prefixes(&self, day: Day) -> Vec<String> {
        let mut root = String::new();
        if let Some(prefix) = &self.prefix {
            root = format!("{prefix}/");
        }
        root.push_str("AWSLogs/");
        if let Some(organization) = &self.organization {
            root.push_str(organization);
            root.push('/');
        }
        let date = day.to_string().replace('-', "/");
        let mut prefixes = Vec::with_capacity(self.accounts.len() * self.regions.len());
        for account in &self.accounts {
            for region in &self.regions {
                prefixes.push(format!("{root}{account}/CloudTrail/{region}/{date}/"));
            }
        }
        prefixes
    }

    fn below_prefix<'k>(&self, key: &'k str) -> Option<&'k str> {
        match &self.prefix {
            Some(prefix) => key.strip_prefix(prefix.as_str())?.strip_prefix('/'),
            None => Some(key),
        }
    }
}

/// The account whose log a key is by its name, whatever its prefix. Records of any other account do not belong in it.
pub fn log_account(key: &str) -> Option<AccountId> {
    check_form(key).ok()?;
    let start = if key.starts_with("AWSLogs/") {
        0
    } else {
        key.find("/AWSLogs/")? + 1
    };
    let parts = Parts::read(key.get(start..)?)?;
    (parts.kind == "CloudTrail" && parts.is_dated_file()).then(|| AccountId::from(parts.account))
}

/// Refuses what no log file is called and what something downstream could take for a path.
fn check_form(key: &str) -> Result<(), String> {
    if key.is_empty() {
        return Err("its name is empty".to_owned());
    }
    if key.len() > MAX_KEY {
        return Err(format!("its name has {} bytes; S3 allows {MAX_KEY}", key.len()));
    }
    if key.chars().any(char::is_control) {
        return Err("its name holds a control character".to_owned());
    }
    if key.split('/').any(|part| part == ".." || part == ".") {
        return Err("its name holds a '..' or '.' folder".to_owned());
    }
    Ok(())
}

/// A key below its prefix, taken apart.
struct Parts<'k> {
    organization: Option<&'k str>,
    account: &'k str,
    kind: &'k str,
    rest: Vec<&'k str>,
}

impl<'k> Parts<'k> {
    fn read(path: &'k str) -> Option<Self> {
        let mut parts = path.strip_prefix("AWSLogs/")?.split('/');
        let mut account = parts.next()?;
        let mut organization = None;
        if is_organization(account) {
            organization = Some(account);
            account = parts.next()?;
        }
        if !is_account_id(account) {
            return None;
        }
        Some(Self {
            organization,
            account,
            kind: parts.next()?,
            rest: parts.collect(),
        })
    }

    /// `<region>/<year>/<month>/<day>/<file>`.
    fn is_dated_file(&self) -> bool {
        let [region, year, month, day, file] = self.rest.as_slice() else {
            return false;
        };
        let digits = |text: &str, length| text.len() == length && text.bytes().all(|b| b.is_ascii_digit());
        is_region(region) && digits(year, 4) && digits(month, 2) && digits(day, 2) && !file.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "111122223333_CloudTrail_eu-west-1_20260102T0305Z_AbCd0123456789.json.gz";

    fn allow() -> AllowList {
        AllowList {
            bucket: "acme-logs".into(),
            prefix: Some("audit/trail".to_owned()),
            organization: Some("o-abcdefghij".to_owned()),
            accounts: [AccountId::from("111122223333")].into(),
            regions: [Region::from("eu-west-1"), Region::from("us-east-1")].into(),
        }
    }

    fn judge(path: &str) -> LogKey {
        allow().judge(&format!("audit/trail/AWSLogs/{path}"))
    }

    #[test]
    fn log_files_of_known_accounts_are_allowed() {
        let account = LogKey::Log(AccountId::from("111122223333"));
        assert_eq!(
            judge(&format!("111122223333/CloudTrail/eu-west-1/2026/01/02/{FILE}")),
            account
        );
        assert_eq!(
            judge(&format!(
                "o-abcdefghij/111122223333/CloudTrail/eu-west-1/2026/01/02/{FILE}"
            )),
            account
        );
    }

    #[test]
    fn neighbours_of_log_files_are_known() {
        for (path, what) in [
            (
                "111122223333/CloudTrail-Digest/eu-west-1/2026/01/02/x.json.gz",
                "a digest file",
            ),
            (
                "111122223333/CloudTrail-Insight/eu-west-1/2026/01/02/x.json.gz",
                "an Insights file",
            ),
            (
                "111122223333/CloudTrail/eu-west-1/2026/01/02/x/",
                "a folder marker",
            ),
            (
                "111122223333/Config/eu-west-1/2026/1/2/x.json.gz",
                "a log file of another service",
            ),
        ] {
            assert_eq!(judge(path), LogKey::Other(what), "{path}");
        }
    }

    #[test]
    fn everything_else_is_refused_with_a_reason() {
        let long = "x".repeat(1000);
        for (key, reason) in [
            (
                format!("AWSLogs/111122223333/CloudTrail/eu-west-1/2026/01/02/{FILE}"),
                "outside the configured prefix",
            ),
            (
                format!("audit/trailer/AWSLogs/111122223333/CloudTrail/eu-west-1/2026/01/02/{FILE}"),
                "outside the configured prefix",
            ),
            (
                format!("audit/trail/AWSLogs/999922223333/CloudTrail/eu-west-1/2026/01/02/{FILE}"),
                "account 999922223333",
            ),
            (
                format!(
                    "audit/trail/AWSLogs/o-zzzzzzzzzz/111122223333/CloudTrail/eu-west-1/2026/01/02/{FILE}"
                ),
                "organisation",
            ),
            (
                format!("audit/trail/AWSLogs/111122223333/CloudTrail/{FILE}"),
                "not that of a CloudTrail log file",
            ),
            (
                "audit/trail/AWSLogs/111122223333/CloudTrail/eu-west-1/2026/01/02/../x".to_owned(),
                "'..'",
            ),
            (
                "audit/trail/AWSLogs/1111/CloudTrail/x".to_owned(),
                "not that of a log file",
            ),
            ("audit/trail/secrets.txt".to_owned(), "not that of a log file"),
            ("audit/trail/AWSLogs/\0".to_owned(), "control character"),
            (format!("audit/trail/AWSLogs/111122223333/{long}"), "bytes"),
            (String::new(), "empty"),
            (
                "audit/trail/AWSLogs/11112222333\u{663}/CloudTrail/x".to_owned(),
                "not that of a log file",
            ),
        ] {
            match allow().judge(&key) {
                LogKey::Refused(why) => assert!(why.contains(reason), "{key}: {why}"),
                other => panic!("{key}: {other:?}"),
            }
        }
    }

    #[test]
    fn the_account_of_a_key_is_found_behind_any_prefix() {
        let account = Some(AccountId::from("111122223333"));
        for (key, expected) in [
            (
                format!("AWSLogs/111122223333/CloudTrail/eu-west-1/2026/01/02/{FILE}"),
                account.clone(),
            ),
            (
                format!("a/b/AWSLogs/o-abcdefghij/111122223333/CloudTrail/eu-west-1/2026/01/02/{FILE}"),
                account.clone(),
            ),
            (
                "AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/2026/01/02/x.json.gz".to_owned(),
                None,
            ),
            (
                format!("AWSLogs/111122223333/CloudTrail/eu-west-1/2026/01/{FILE}"),
                None,
            ),
            ("xAWSLogs/".to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(log_account(&key), expected, "{key}");
        }
    }

    #[test]
    fn a_day_has_a_folder_for_every_account_and_region() {
        let mut allow = allow();
        assert_eq!(
            allow.day_prefixes(Day(20_455)),
            [
                "audit/trail/AWSLogs/o-abcdefghij/111122223333/CloudTrail/eu-west-1/2026/01/02/",
                "audit/trail/AWSLogs/o-abcdefghij/111122223333/CloudTrail/us-east-1/2026/01/02/",
            ]
        );
        allow.prefix = None;
        allow.organization = None;
        assert_eq!(
            allow.day_prefixes(Day(20_455))[0],
            "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/01/02/"
        );
    }

    #[test]
    fn the_configuration_decides_what_is_allowed() {
        let config: AwsConfig = serde_json::from_value(serde_json::json!({
            "accounts": [{ "name": "prod", "account_id": "111122223333", "regions": ["eu-west-1"] },
                         { "name": "dev", "account_id": "444455556666", "regions": ["eu-north-1"] }],
            "trails": [{ "name": "main", "bucket": "acme-logs", "region": "eu-west-1", "account": "prod",
                         "queue_url": "https://sqs.eu-west-1.amazonaws.com/1/q" }],
        }))
        .unwrap();
        let allow = AllowList::of(&config.trails[0], &config);
        let ids = ["111122223333", "444455556666"].map(AccountId::from);
        assert!(allow.accounts.iter().eq(&ids));
        let regions = ["eu-north-1", "eu-west-1", "us-east-1"].map(Region::from);
        assert!(allow.regions.iter().eq(&regions));
    }
}
