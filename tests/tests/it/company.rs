//! The made-up company of the tests: accounts in the fake of AWS, and the configuration that watches them.

use std::collections::{BTreeMap, BTreeSet};

use keyvigil_aws::permissions::PERMISSIONS;
use keyvigil_testkit::aws::FakeAws;
use keyvigil_testkit::aws::world::{Bucket, Disks, Key, World};
use keyvigil_testkit::pagerduty::FakePagerDuty;
use keyvigil_testkit::slack::FakeSlack;
use serde_json::{Value, json};

use crate::it::records::{log_file, now, object_key};

/// The account.
pub(crate) const ACCOUNT: &str = "111122223333";
/// Where it is.
pub(crate) const REGION: &str = "us-east-1";
/// The bucket with the log files, and the queue that announces them.
pub(crate) const LOG_BUCKET: &str = "acme-audit-logs";
pub(crate) const QUEUE: &str = "cloudtrail";
/// The source id of the trail.
pub(crate) const TRAIL_SOURCE: &str = "aws/organisation/cloudtrail-s3";

const DAY: i64 = 86_400;

/// A key in good order.
pub(crate) fn good_key(account: &str, number: u64) -> Key {
    let created = now() - 100 * DAY;
    Key::ordinary(
        &format!("11111111-2222-4333-8444-{number:012}"),
        &format!("key-{number}"),
        account,
        created,
    )
}

/// A bucket in good order.
pub(crate) fn good_bucket(name: &str, key: Option<String>) -> Bucket {
    let policy = json!({"Version": "2012-10-17", "Statement": [{"Sid": "TlsOnly", "Effect": "Deny",
        "Principal": "*", "Action": "s3:*",
        "Resource": [format!("arn:aws:s3:::{name}"), format!("arn:aws:s3:::{name}/*")],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}}}]});
    Bucket {
        region: REGION.to_owned(),
        encryption: Some((String::from("aws:kms"), key)),
        policy: Some(policy.to_string()),
        public_blocked: true,
        tags: BTreeMap::from([
            (String::from("environment"), String::from("test")),
            (String::from("classification"), String::from("internal")),
        ]),
        objects: BTreeMap::new(),
    }
}

/// Fills an account with one good thing of each kind.
pub(crate) fn furnish(world: &mut World, account: &str) {
    let key = good_key(account, 1);
    let arn = key.arn(account, REGION);
    let name = format!("data-of-{account}");
    let home = world.account(account);
    home.keys.insert(REGION.to_owned(), vec![key]);
    home.buckets
        .insert(name.clone(), good_bucket(&name, Some(arn.clone())));
    let disks = Disks {
        default_on: true,
        default_key: Some(arn),
        ..Disks::default()
    };
    home.disks.insert(REGION.to_owned(), disks);
}

/// A world in which the account has only its log bucket and its queue.
pub(crate) fn world_with_logs() -> World {
    let mut world = World::new();
    let account = world.account(ACCOUNT);
    account.buckets.insert(
        LOG_BUCKET.to_owned(),
        Bucket {
            region: REGION.to_owned(),
            ..Bucket::default()
        },
    );
    account.queues.entry(QUEUE.to_owned()).or_default();
    world
}

/// Delivers a log file as CloudTrail and S3 do.
pub(crate) fn deliver(aws: &FakeAws, number: u64, records: &[Value]) {
    let (key, file) = (object_key(ACCOUNT, REGION, number), log_file(records));
    aws.change(|world| world.account(ACCOUNT).deliver(LOG_BUCKET, &key, file, QUEUE));
}

/// Messages that wait in the queue or are in work.
pub(crate) fn queued(aws: &FakeAws) -> usize {
    aws.change(|world| world.account(ACCOUNT).queues[QUEUE].messages.len())
}

/// The policy of the tests.
pub(crate) fn policy(accounts: &[&str]) -> String {
    format!(
        "[policy]\napproved_regions = [\"{REGION}\"]\n\n[policy.organisation]\naccounts = {accounts:?}\n\n[polling]\nquota_share = 1.0\nkeys_minutes = 1\nbuckets_minutes = 1\n\n"
    )
}

/// An account of the fake; `more` are further lines of its table.
pub(crate) fn account(aws: &FakeAws, name: &str, id: &str, more: &str) -> String {
    format!(
        "[[aws.accounts]]\nname = \"{name}\"\naccount_id = \"{id}\"\nregions = [\"{REGION}\"]\nendpoint_url = \"{}\"\n{more}\n",
        aws.url()
    )
}

/// The trail of the account `main`.
pub(crate) fn trail(aws: &FakeAws) -> String {
    format!(
        "[[aws.trails]]\nname = \"organisation\"\nbucket = \"{LOG_BUCKET}\"\nqueue_url = \"{}\"\nregion = \"{REGION}\"\naccount = \"main\"\nwait_seconds = 1\nvisibility_seconds = 30\n\n",
        aws.queue_url(ACCOUNT, QUEUE)
    )
}

/// Receivers; `slack_more` and `pagerduty_more` are further lines of their tables.
pub(crate) fn receivers(
    slack: &FakeSlack,
    pagerduty: &FakePagerDuty,
    slack_more: &str,
    pagerduty_more: &str,
) -> String {
    format!(
        "[[slack]]\nname = \"security\"\nwebhook_url = \"{}\"\nmin_severity = \"low\"\n{slack_more}\n\n[[pagerduty]]\nname = \"on-call\"\nrouting_key = \"0123456789abcdef0123456789abcdef\"\nurl = \"{}\"\nmin_severity = \"low\"\n{pagerduty_more}\n\n",
        slack.webhook_url(),
        pagerduty.url()
    )
}

/// Proves from the request log that only permitted operations were called: all of them read, but for the own queue.
pub(crate) fn assert_read_only(aws: &FakeAws) {
    let permitted: BTreeSet<&str> = PERMISSIONS
        .iter()
        .map(|permission| permission.action)
        .chain(["sts:AssumeRole"])
        .collect();
    let called: BTreeSet<String> = aws
        .requests()
        .into_iter()
        .map(|request| request.operation)
        .collect();
    let outside: Vec<&String> = called
        .iter()
        .filter(|operation| !permitted.contains(operation.as_str()))
        .collect();
    assert!(outside.is_empty(), "called without being documented: {outside:?}");
    for operation in &called {
        let (_, verb) = operation.split_once(':').unwrap();
        let reads = ["Get", "List", "Describe", "Lookup", "Receive"]
            .iter()
            .any(|read| verb.starts_with(read));
        let own = [
            "sqs:DeleteMessage",
            "sqs:ChangeMessageVisibility",
            "sts:AssumeRole",
            "iam:GenerateCredentialReport",
        ];
        assert!(
            reads || own.contains(&operation.as_str()),
            "{operation} changes something"
        );
    }
}

/// The headline texts of Slack messages.
pub(crate) fn slack_texts(slack: &FakeSlack) -> Vec<String> {
    slack
        .messages()
        .iter()
        .map(|message| message["text"].as_str().unwrap_or_default().to_owned())
        .collect()
}
