//! CloudTrail records and log files in the documented shape, written by us.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use keyvigil_connector::call::Clock;
use keyvigil_ingester::clock::SystemClock;
use keyvigil_model::time::Timestamp;
use serde_json::{Value, json};

/// Now, in seconds.
pub(crate) fn now() -> i64 {
    SystemClock.now().as_secs()
}

/// One call, as CloudTrail records it.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) account: String,
    pub(crate) region: &'static str,
    pub(crate) time: i64,
    /// Makes the event id.
    pub(crate) number: u64,
    pub(crate) user: String,
    pub(crate) service: &'static str,
    pub(crate) operation: &'static str,
    pub(crate) parameters: Value,
    pub(crate) resources: Value,
    pub(crate) error: Option<&'static str>,
}

/// The event id of a number.
pub(crate) fn event_id(number: u64) -> String {
    format!("aaaaaaaa-0000-4000-8000-{number:012}")
}

impl Call {
    /// A call on a key.
    pub(crate) fn on_key(account: &str, operation: &'static str, key: &str, number: u64) -> Self {
        let parameters = match operation {
            "ScheduleKeyDeletion" => json!({"keyId": key, "pendingWindowInDays": 7}),
            _ => json!({"keyId": key}),
        };
        Self {
            account: account.to_owned(),
            region: key_region(key),
            time: now() - 60,
            number,
            user: String::from("alice"),
            service: "kms.amazonaws.com",
            operation,
            parameters,
            resources: json!([{"accountId": account, "type": "AWS::KMS::Key", "ARN": key}]),
            error: None,
        }
    }

    /// A call on a bucket.
    pub(crate) fn on_bucket(account: &str, operation: &'static str, bucket: &str, number: u64) -> Self {
        Self {
            service: "s3.amazonaws.com",
            parameters: json!({"bucketName": bucket, "Host": format!("{bucket}.s3.amazonaws.com")}),
            resources: json!([{"accountId": account, "type": "AWS::S3::Bucket", "ARN": format!("arn:aws:s3:::{bucket}")}]),
            ..Self::on_key(account, operation, "arn:aws:kms:us-east-1:0:key/0", number)
        }
    }

    /// The same by another user.
    pub(crate) fn by(mut self, user: &str) -> Self {
        user.clone_into(&mut self.user);
        self
    }

    /// The same at another time.
    pub(crate) fn at(mut self, time: i64) -> Self {
        self.time = time;
        self
    }

    /// The record.
    pub(crate) fn record(&self) -> Value {
        let Self { account, user, .. } = self;
        let mut record = json!({
            "eventVersion": "1.11",
            "userIdentity": {"type": "IAMUser", "principalId": format!("AIDA{}", user.to_uppercase()),
                "arn": format!("arn:aws:iam::{account}:user/{user}"), "accountId": account,
                "accessKeyId": "AKIAEXAMPLEEXAMPLE01", "userName": user},
            "eventTime": Timestamp::from_secs(self.time).to_string(),
            "eventSource": self.service,
            "eventName": self.operation,
            "awsRegion": self.region,
            "sourceIPAddress": "203.0.113.9",
            "userAgent": "aws-cli/2.31.0",
            "requestParameters": self.parameters,
            "responseElements": null,
            "requestID": format!("bbbbbbbb-0000-4000-8000-{:012}", self.number),
            "eventID": event_id(self.number),
            "readOnly": self.operation == "Decrypt",
            "resources": self.resources,
            "eventType": "AwsApiCall",
            "managementEvent": true,
            "recipientAccountId": account,
            "eventCategory": "Management",
        });
        if let Some(error) = self.error {
            record["errorCode"] = json!(error);
            record["errorMessage"] = json!("User is not authorized to perform this");
        }
        record
    }
}

fn key_region(key: &str) -> &'static str {
    if key.contains(":eu-west-1:") {
        "eu-west-1"
    } else {
        "us-east-1"
    }
}

/// The ARN of a key with a number.
pub(crate) fn key_arn(account: &str, region: &str, number: u64) -> String {
    format!("arn:aws:kms:{region}:{account}:key/11111111-2222-4333-8444-{number:012}")
}

/// A log file of records, compressed.
pub(crate) fn log_file(records: &[Value]) -> Vec<u8> {
    gzip(json!({ "Records": records }).to_string().as_bytes())
}

/// Compressed bytes.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The key of a log file delivered now, as CloudTrail names it.
pub(crate) fn object_key(account: &str, region: &str, number: u64) -> String {
    let time = Timestamp::from_secs(now()).to_string();
    let (date, _) = time.split_once('T').unwrap();
    let (day, compact) = (date.replace('-', "/"), date.replace('-', ""));
    format!(
        "AWSLogs/{account}/CloudTrail/{region}/{day}/{account}_CloudTrail_{region}_{compact}T0000Z_{number:016}.json.gz"
    )
}
