//! Finds what is wrong in the AWS configuration: all of it at once, each with its key and what is accepted.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use keyvigil_model::id::Region;

use crate::client::partition::Partition;
use crate::config::{AccountConfig, AwsConfig, ConfigProblem, LookupEventsConfig, TrailConfig};

const NAME: &str = "1 to 40 lower-case letters, digits, '-' or '_', used once";
const ACCOUNT_ID: &str = "12 digits in quotes, such as \"111122223333\"";
const REGION: &str = "an AWS region such as \"eu-west-1\"";
const URL: &str = "an address that starts with http:// or https://";

pub(super) fn problems(config: &AwsConfig) -> Vec<ConfigProblem> {
    let mut found = Vec::new();
    let mut names = BTreeSet::new();
    for (index, account) in config.accounts.iter().enumerate() {
        let mut at = At::new(format!("aws.accounts[{index}]"), &mut found);
        at.name(&account.name, &mut names);
        check_account(&mut at, account);
    }
    let mut names = BTreeSet::new();
    for (index, trail) in config.trails.iter().enumerate() {
        let mut at = At::new(format!("aws.trails[{index}]"), &mut found);
        at.name(&trail.name, &mut names);
        check_trail(&mut at, trail, config);
    }
    found
}

fn check_account(at: &mut At<'_>, account: &AccountConfig) {
    at.account_id("account_id", &account.account_id);
    if account.regions.is_empty() {
        at.report("regions", "no region".to_owned(), "at least one region");
    }
    at.regions("regions", &account.regions);
    check_partition(at, account);
    if let Some(role) = &account.role_arn {
        check_role(at, role, account);
    }
    if let Some(external_id) = &account.external_id {
        check_external_id(at, external_id, account);
    }
    if account.profile.as_deref() == Some("") {
        at.report("profile", "empty".to_owned(), "the name of a profile, or no key");
    }
    at.url("endpoint_url", account.endpoint_url.as_deref());
    let families: BTreeSet<_> = account.poll.iter().map(|family| family.family()).collect();
    if families.len() != account.poll.len() {
        at.report("poll", "a family is listed twice".to_owned(), "each family once");
    }
    check_lookup_events(at, &account.lookup_events);
}

fn check_partition(at: &mut At<'_>, account: &AccountConfig) {
    let partitions: BTreeSet<_> = account
        .regions
        .iter()
        .map(|region| Partition::of_region(&Region::from(region.as_str())).id)
        .collect();
    if partitions.len() > 1 {
        let list: Vec<_> = partitions.into_iter().collect();
        at.report(
            "regions",
            format!("regions of several partitions ({})", list.join(", ")),
            "regions of one partition: an account exists in one only",
        );
    }
}

fn check_role(at: &mut At<'_>, role: &str, account: &AccountConfig) {
    let accepted =
        "arn:PARTITION:iam::ACCOUNT_ID:role/NAME with the account_id above and the partition of the regions";
    let mut parts = role.splitn(6, ':');
    let fields: [&str; 6] = std::array::from_fn(|_| parts.next().unwrap_or_default());
    let [arn, partition, service, region, owner, name] = fields;
    let shaped = arn == "arn" && service == "iam" && region.is_empty() && name.starts_with("role/");
    if !shaped {
        at.report("role_arn", format!("{role:?} is not the ARN of a role"), accepted);
        return;
    }
    if owner != account.account_id {
        at.report(
            "role_arn",
            format!(
                "the role belongs to account {owner:?}, not to {:?}",
                account.account_id
            ),
            accepted,
        );
    }
    let expected = account
        .regions
        .first()
        .map(|first| Partition::of_region(&Region::from(first.as_str())).id);
    if let Some(expected) = expected
        && expected != partition
    {
        at.report(
            "role_arn",
            format!("the role is of partition {partition:?}, the regions of {expected:?}"),
            accepted,
        );
    }
}

fn check_external_id(at: &mut At<'_>, external_id: &str, account: &AccountConfig) {
    // https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
    let allowed = |character: char| character.is_ascii_alphanumeric() || "_+=,.@:/-".contains(character);
    if account.role_arn.is_none() {
        at.report(
            "external_id",
            "set without role_arn".to_owned(),
            "both keys, or neither",
        );
    }
    if !(2..=1224).contains(&external_id.len()) || !external_id.chars().all(allowed) {
        at.report(
            "external_id",
            "not an external id".to_owned(),
            "2 to 1224 letters, digits or any of _+=,.@:/-",
        );
    }
}

fn check_lookup_events(at: &mut At<'_>, lookup: &LookupEventsConfig) {
    at.number("lookup_events.poll_seconds", lookup.poll_seconds, 10..=3600);
    at.number("lookup_events.settle_minutes", lookup.settle_minutes, 5..=180);
    at.number(
        "lookup_events.first_lookback_hours",
        lookup.first_lookback_hours,
        1..=2160,
    );
    let rate = lookup.requests_per_second;
    if rate.is_nan() || rate <= 0.0 || rate > 2.0 {
        at.report(
            "lookup_events.requests_per_second",
            format!("{rate}"),
            "more than 0 and at most 2",
        );
    }
}

fn check_trail(at: &mut At<'_>, trail: &TrailConfig, config: &AwsConfig) {
    let allowed = |character: char| character.is_ascii_alphanumeric() || ".-_".contains(character);
    if !(3..=63).contains(&trail.bucket.len()) || !trail.bucket.chars().all(allowed) {
        at.report(
            "bucket",
            format!("{:?} is not the name of a bucket", trail.bucket),
            "3 to 63 letters, digits, '.' or '-': the name alone, no s3:// and no path",
        );
    }
    at.url("queue_url", Some(&trail.queue_url));
    at.regions("region", std::slice::from_ref(&trail.region));
    at.regions("regions", &trail.regions);
    if config.account(&trail.account).is_none() {
        let names: Vec<_> = config
            .accounts
            .iter()
            .map(|account| account.name.as_str())
            .collect();
        at.report(
            "account",
            format!(
                "{:?} is not the name of an account under aws.accounts",
                trail.account
            ),
            &format!("one of: {}", names.join(", ")),
        );
    }
    if let Some(prefix) = &trail.prefix
        && (prefix.is_empty() || prefix.starts_with('/') || prefix.ends_with('/') || prefix.len() > 200)
    {
        at.report(
            "prefix",
            format!("{prefix:?}"),
            "1 to 200 characters without '/' at either end, or no key",
        );
    }
    for id in &trail.accounts {
        at.account_id("accounts", id);
    }
    if let Some(organization) = &trail.organization
        && !is_organization(organization)
    {
        at.report(
            "organization",
            format!("{organization:?}"),
            "o- and 10 to 32 lower-case letters or digits",
        );
    }
    at.url("endpoint_url", trail.endpoint_url.as_deref());
    at.number("visibility_seconds", trail.visibility_seconds, 30..=43_200);
    at.number("wait_seconds", trail.wait_seconds, 0..=20);
    if !(1 << 20..=1 << 30).contains(&trail.max_object_bytes) {
        at.report(
            "max_object_bytes",
            trail.max_object_bytes.to_string(),
            "1048576 (1 MiB) to 1073741824 (1 GiB)",
        );
    }
}

/// Twelve digits.
pub(crate) fn is_account_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `o-` and 10 to 32 lower-case letters or digits.
pub(crate) fn is_organization(text: &str) -> bool {
    let Some(id) = text.strip_prefix("o-") else {
        return false;
    };
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (10..=32).contains(&id.len()) && id.bytes().all(allowed)
}

/// Something like `eu-west-1`: AWS adds regions faster than anybody updates a list.
pub(crate) fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [first, middle @ .., last] = parts.as_slice() else {
        return false;
    };
    let word = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    !middle.is_empty()
        && text.len() <= 32
        && word(first)
        && middle.iter().all(|part| word(part))
        && !last.is_empty()
        && last.bytes().all(|byte| byte.is_ascii_digit())
}

/// Where a check is, and where its reports go.
struct At<'a> {
    table: String,
    found: &'a mut Vec<ConfigProblem>,
}

impl<'a> At<'a> {
    fn new(table: String, found: &'a mut Vec<ConfigProblem>) -> Self {
        Self { table, found }
    }

    fn report(&mut self, key: &str, problem: String, accepted: &str) {
        self.found.push(ConfigProblem {
            key: format!("{}.{key}", self.table),
            problem,
            accepted: accepted.to_owned(),
        });
    }

    fn name<'n>(&mut self, name: &'n str, taken: &mut BTreeSet<&'n str>) {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
        if name.is_empty() || name.len() > 40 || !name.bytes().all(allowed) {
            self.report("name", format!("{name:?} is not a name"), NAME);
        } else if !taken.insert(name) {
            self.report("name", format!("{name:?} is used twice"), NAME);
        }
    }

    fn account_id(&mut self, key: &str, id: &str) {
        if !is_account_id(id) {
            self.report(key, format!("{id:?} is not an account id"), ACCOUNT_ID);
        }
    }

    fn regions(&mut self, key: &str, regions: &[String]) {
        let mut seen = BTreeSet::new();
        for region in regions {
            if !is_region(region) {
                self.report(key, format!("{region:?} is not a region"), REGION);
            } else if !seen.insert(region) {
                self.report(key, format!("{region:?} is listed twice"), "each region once");
            }
        }
    }

    fn url(&mut self, key: &str, url: Option<&str>) {
        let Some(url) = url else { return };
        let host = url
            .strip_prefix("https://")
            .or_else(|| url.strip_prefix("http://"));
        let usable = host.is_some_and(|host| !host.is_empty() && !host.contains(['@', ' ']));
        if !usable {
            // The value is not shown: an address may hold a password.
            self.report(key, "not a usable address".to_owned(), URL);
        }
    }

    fn number(&mut self, key: &str, value: u32, range: RangeInclusive<u32>) {
        if !range.contains(&value) {
            self.report(
                key,
                value.to_string(),
                &format!("{} to {}", range.start(), range.end()),
            );
        }
    }
}
