//! The company of the demo: one AWS account with keys, buckets, a database and a trail, in decent but not perfect order.

use std::collections::BTreeMap;
use std::path::Path;

use keyvigil_testkit::aws::FakeAws;
use keyvigil_testkit::aws::world::{Bucket, Database, Disks, Key, Trail, World};
use keyvigil_testkit::pagerduty::FakePagerDuty;
use keyvigil_testkit::slack::FakeSlack;
use serde_json::json;

/// The company's account.
pub(super) const ACCOUNT: &str = "111122223333";
/// Somebody else's account.
pub(super) const STRANGER: &str = "999988887777";
/// Where the company is.
pub(super) const REGION: &str = "eu-west-1";
/// The bucket that the trail delivers to, and the queue that announces its files.
pub(super) const LOG_BUCKET: &str = "acme-audit-logs";
pub(super) const QUEUE: &str = "cloudtrail";
/// The bucket with customer data.
pub(super) const CUSTOMER_BUCKET: &str = "acme-customer-data";
/// The key of the customer database, and the one of a test system that nobody rotates.
pub(super) const CUSTOMER_KEY: &str = "0b6d3f4e-52f8-4c1e-9d7a-1f2e3d4c5b6a";
const TEST_KEY: &str = "7c1d2e3f-aaaa-4bbb-8ccc-112233445566";
/// Messages about what is not in order before anything happens: the key that is not rotated, and never was.
pub(super) const POSTURE_MESSAGES: usize = 2;

const DAY: i64 = 86_400;

/// The world at the beginning.
pub(super) fn world(now: i64) -> World {
    let mut world = World::new();
    let account = world.account(ACCOUNT);
    let mut customer = Key::ordinary(CUSTOMER_KEY, "customer-db", ACCOUNT, now - 500 * DAY);
    customer.rotations = vec![now - 135 * DAY];
    customer.tags = tags("prod", "confidential", "team-payments");
    let customer_arn = customer.arn(ACCOUNT, REGION);
    let mut forgotten = Key::ordinary(TEST_KEY, "test-tokens", ACCOUNT, now - 700 * DAY);
    forgotten.rotating = false;
    forgotten.tags = tags("test", "internal", "team-labs");
    account.keys.insert(REGION.to_owned(), vec![customer, forgotten]);
    let tls_only = |bucket: &str| {
        json!({"Version": "2012-10-17", "Statement": [{
            "Sid": "TlsOnly", "Effect": "Deny", "Principal": "*", "Action": "s3:*",
            "Resource": [format!("arn:aws:s3:::{bucket}"), format!("arn:aws:s3:::{bucket}/*")],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }]})
        .to_string()
    };
    let bucket = |name: &str, tags: BTreeMap<String, String>| Bucket {
        region: REGION.to_owned(),
        encryption: Some((String::from("aws:kms"), Some(customer_arn.clone()))),
        policy: Some(tls_only(name)),
        public_blocked: true,
        tags,
        objects: BTreeMap::new(),
    };
    let customer_data = bucket(CUSTOMER_BUCKET, tags("prod", "confidential", "team-payments"));
    account.buckets.insert(CUSTOMER_BUCKET.to_owned(), customer_data);
    let logs = bucket(LOG_BUCKET, tags("prod", "internal", "team-security"));
    account.buckets.insert(LOG_BUCKET.to_owned(), logs);
    account.queues.entry(QUEUE.to_owned()).or_default();
    account.databases.insert(
        REGION.to_owned(),
        vec![Database {
            id: String::from("customers"),
            engine: String::from("postgres"),
            encrypted: true,
            key: Some(customer_arn.clone()),
            tags: tags("prod", "confidential", "team-payments"),
        }],
    );
    let disks = Disks {
        default_on: true,
        default_key: Some(customer_arn),
        ..Disks::default()
    };
    account.disks.insert(REGION.to_owned(), disks);
    account.trails.push(Trail {
        name: String::from("organisation"),
        arn: format!("arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/organisation"),
        region: REGION.to_owned(),
        bucket: LOG_BUCKET.to_owned(),
        logging: true,
        multi_region: true,
        validation: true,
        selectors: json!({"EventSelectors": [{
            "ReadWriteType": "All", "IncludeManagementEvents": true, "DataResources": [],
            "ExcludeManagementEventSources": [],
        }]}),
        last_delivery: Some(now - 120),
    });
    account.summary = BTreeMap::from([
        (String::from("AccountMFAEnabled"), 1),
        (String::from("AccountAccessKeysPresent"), 0),
        (String::from("AccountPasswordPresent"), 1),
    ]);
    account.credential_report = credential_report();
    world
}

fn tags(environment: &str, classification: &str, owner: &str) -> BTreeMap<String, String> {
    [
        ("environment", environment),
        ("classification", classification),
        ("owner", owner),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect()
}

fn credential_report() -> String {
    let header = "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,password_next_rotation,mfa_active,access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,access_key_1_last_used_region,access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service,cert_1_active,cert_1_last_rotated,cert_2_active,cert_2_last_rotated";
    let root = format!(
        "<root_account>,arn:aws:iam::{ACCOUNT}:root,2024-01-01T00:00:00+00:00,not_supported,2026-01-02T00:00:00+00:00,not_supported,not_supported,true,false,N/A,N/A,N/A,N/A,false,N/A,N/A,N/A,N/A,false,N/A,false,N/A"
    );
    format!("{header}\n{root}\n")
}

/// The configuration of the demo: what an operator would write.
pub(super) fn configuration(
    aws: &FakeAws,
    slack: &FakeSlack,
    pagerduty: &FakePagerDuty,
    folder: &Path,
) -> String {
    let (endpoint, queue) = (aws.url(), aws.queue_url(ACCOUNT, QUEUE));
    let (webhook, events) = (slack.webhook_url(), pagerduty.url());
    let state = folder.join("state");
    let state = state.display();
    format!(
        r#"[daemon]
state_dir = "{state}"

[admin]
listen = "127.0.0.1:0"

[policy]
approved_regions = ["{REGION}"]
learning_days = 0

[policy.organisation]
accounts = ["{ACCOUNT}"]

[[slack]]
name = "security"
webhook_url = "{webhook}"
min_severity = "low"

[[pagerduty]]
name = "on-call"
routing_key = "0123456789abcdef0123456789abcdef"
url = "{events}"
min_severity = "high"

[[aws.accounts]]
name = "production"
account_id = "{ACCOUNT}"
regions = ["{REGION}"]
endpoint_url = "{endpoint}"

[[aws.trails]]
name = "organisation"
bucket = "{LOG_BUCKET}"
queue_url = "{queue}"
region = "{REGION}"
account = "production"
wait_seconds = 1

[polling]
quota_share = 1.0
"#
    )
}
