//! The incident of the demo: an intruder with a stolen role narrows the trail, uses a key that is not the company's,
//! makes it the default of the customers' bucket, and schedules the real one for deletion.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use keyvigil_model::time::Timestamp;
use keyvigil_testkit::aws::world::World;
use serde_json::{Value, json};

use super::company::{ACCOUNT, CUSTOMER_BUCKET, CUSTOMER_KEY, LOG_BUCKET, QUEUE, REGION, STRANGER};

/// One step of the intruder.
pub(super) struct Step {
    /// A few words.
    pub(super) title: &'static str,
    /// What happens, for the reader.
    pub(super) story: &'static str,
    /// What the trail records.
    pub(super) records: Vec<Value>,
    /// What it does to the account.
    effect: fn(&mut World),
    number: usize,
}

/// The foreign key.
fn foreign_key() -> String {
    format!("arn:aws:kms:{REGION}:{STRANGER}:key/f0e1d2c3-b4a5-4697-8877-665544332211")
}

/// The steps, each a little later than the one before.
#[expect(clippy::too_many_lines, reason = "a story is told in one piece")]
pub(super) fn steps(now: i64) -> Vec<Step> {
    let key = format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/{CUSTOMER_KEY}");
    let trail = format!("arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/organisation");
    let narrowed = json!({"trailName": trail, "eventSelectors": [{"readWriteType": "All",
        "includeManagementEvents": true, "excludeManagementEventSources": ["kms.amazonaws.com"], "dataResources": []}]});
    let swapped = json!({"bucketName": CUSTOMER_BUCKET, "ServerSideEncryptionConfiguration": {"Rule": {
        "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": foreign_key()}}}});
    let scheduled = json!({"keyId": key, "pendingWindowInDays": 7});
    vec![
        Step {
            title: "03:12  The trail is narrowed",
            story: "Somebody with the role of the deployment pipeline excludes KMS from the audit log.",
            records: vec![record(
                now - 40,
                1,
                "cloudtrail.amazonaws.com",
                "PutEventSelectors",
                &narrowed,
                json!([]),
            )],
            effect: |world| {
                for trail in &mut world.account(ACCOUNT).trails {
                    trail.selectors["EventSelectors"][0]["ExcludeManagementEventSources"] =
                        json!(["kms.amazonaws.com"]);
                }
            },
            number: 1,
        },
        Step {
            title: "03:13  A foreign key is used",
            story: "Data keys are made under a key of an account that nobody knows.",
            records: (0..3)
                .map(|number| {
                    let resources =
                        json!([{"accountId": STRANGER, "type": "AWS::KMS::Key", "ARN": foreign_key()}]);
                    let parameters = json!({"keyId": foreign_key(), "keySpec": "AES_256"});
                    record(
                        now - 30 + number,
                        10 + number,
                        "kms.amazonaws.com",
                        "GenerateDataKey",
                        &parameters,
                        resources,
                    )
                })
                .collect(),
            effect: |_world| {},
            number: 2,
        },
        Step {
            title: "03:14  The default key of the customers' bucket is swapped",
            story: "New objects are encrypted under the foreign key from now on.",
            records: vec![record(
                now - 20,
                20,
                "s3.amazonaws.com",
                "PutBucketEncryption",
                &swapped,
                json!([{"accountId": ACCOUNT, "type": "AWS::S3::Bucket", "ARN": format!("arn:aws:s3:::{CUSTOMER_BUCKET}")}]),
            )],
            effect: |world| {
                if let Some(bucket) = world.account(ACCOUNT).buckets.get_mut(CUSTOMER_BUCKET) {
                    bucket.encryption = Some((String::from("aws:kms"), Some(foreign_key())));
                }
            },
            number: 3,
        },
        Step {
            title: "03:15  The customers' key is scheduled for deletion",
            story: "With the shortest waiting period: in seven days the data is gone for good.",
            records: vec![record(
                now - 10,
                30,
                "kms.amazonaws.com",
                "ScheduleKeyDeletion",
                &scheduled,
                json!([{"accountId": ACCOUNT, "type": "AWS::KMS::Key", "ARN": key}]),
            )],
            effect: |world| {
                if let Some(key) = world.account(ACCOUNT).key_mut(REGION, CUSTOMER_KEY) {
                    key.state = String::from("PendingDeletion");
                    key.deletion_date = Some(key.created + 507 * 86_400);
                }
            },
            number: 4,
        },
    ]
}

/// Lets a step happen: the account changes, the trail delivers its file, the queue announces it.
pub(super) fn happen(world: &mut World, step: &Step, now: i64) {
    (step.effect)(world);
    let file = json!({"Records": step.records}).to_string();
    let time = Timestamp::from_secs(now).to_string();
    let (date, _) = time.split_once('T').unwrap_or((&time, ""));
    let (day, compact) = (date.replace('-', "/"), date.replace('-', ""));
    let number = step.number;
    let key = format!(
        "AWSLogs/{ACCOUNT}/CloudTrail/{REGION}/{day}/{ACCOUNT}_CloudTrail_{REGION}_{compact}T031{number}Z_Demo{number:012}.json.gz"
    );
    world
        .account(ACCOUNT)
        .deliver(LOG_BUCKET, &key, gzip(file.as_bytes()), QUEUE);
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    // Writing to memory cannot fail.
    encoder
        .write_all(bytes)
        .and_then(|()| encoder.finish())
        .unwrap_or_default()
}

/// A record as CloudTrail writes it.
fn record(
    time: i64,
    number: i64,
    service: &str,
    operation: &str,
    parameters: &Value,
    resources: Value,
) -> Value {
    let read_only = operation == "GenerateDataKey";
    json!({
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": "AROAEXAMPLEDEPLOYROLE:deploy-4711",
            "arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/deploy/deploy-4711"),
            "accountId": ACCOUNT,
            "accessKeyId": "ASIAEXAMPLEEXAMPLE11",
            "sessionContext": {
                "sessionIssuer": {"type": "Role", "principalId": "AROAEXAMPLEDEPLOYROLE",
                    "arn": format!("arn:aws:iam::{ACCOUNT}:role/deploy"), "accountId": ACCOUNT, "userName": "deploy"},
                "attributes": {"creationDate": Timestamp::from_secs(time - 600).to_string(), "mfaAuthenticated": "false"},
            },
        },
        "eventTime": Timestamp::from_secs(time).to_string(),
        "eventSource": service,
        "eventName": operation,
        "awsRegion": REGION,
        "sourceIPAddress": "203.0.113.77",
        "userAgent": "aws-cli/2.31.0 md/awscrt#0.27.6 ua/2.1 os/linux#6.1 lang/python#3.13.7",
        "requestParameters": parameters,
        "responseElements": null,
        "requestID": format!("00000000-1111-4222-8333-{number:012}"),
        "eventID": format!("dddddddd-0000-4000-8000-{number:012}"),
        "readOnly": read_only,
        "resources": resources,
        "eventType": "AwsApiCall",
        "managementEvent": true,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
        "tlsDetails": {"tlsVersion": "TLSv1.3", "cipherSuite": "TLS_AES_128_GCM_SHA256",
            "clientProvidedHostHeader": format!("{}.{REGION}.amazonaws.com", service.trim_end_matches(".amazonaws.com"))},
    })
}
