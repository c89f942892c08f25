//! What exists in the fake AWS: accounts with keys, buckets, databases, trails, queues and their audit events.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Value, json};

use super::Recorded;

/// Everything.
#[derive(Debug, Default)]
pub struct World {
    /// Accounts by id.
    pub accounts: BTreeMap<String, Account>,
    /// Operations that an account may not call: `(account, "kms:GetKeyPolicy")`.
    pub denied: BTreeSet<(String, String)>,
    /// The next calls of an operation fail: status, code.
    pub faults: BTreeMap<String, VecDeque<(u16, String)>>,
    /// Requests received.
    pub requests: Vec<Recorded>,
    /// LookupEvents answers at most so many calls a second and account when set (AWS: 2).
    pub page_size: usize,
}

/// One account.
#[derive(Debug, Default)]
pub struct Account {
    /// Keys by region.
    pub keys: BTreeMap<String, Vec<Key>>,
    /// Buckets.
    pub buckets: BTreeMap<String, Bucket>,
    /// Queues by name.
    pub queues: BTreeMap<String, Queue>,
    /// Trails.
    pub trails: Vec<Trail>,
    /// Audit events by region, as LookupEvents returns them: the record's JSON and its time in seconds.
    pub events: BTreeMap<String, Vec<(i64, Value)>>,
    /// EBS by region.
    pub disks: BTreeMap<String, Disks>,
    /// Databases by region: `(identifier, engine, encrypted, key, tags)`.
    pub databases: BTreeMap<String, Vec<Database>>,
    /// The credential report, as CSV.
    pub credential_report: String,
    /// `GetAccountSummary`.
    pub summary: BTreeMap<String, i64>,
}

/// A KMS key.
#[derive(Clone, Debug)]
pub struct Key {
    /// The id.
    pub id: String,
    /// Aliases with their `alias/` prefix.
    pub aliases: Vec<String>,
    /// `KeyState`.
    pub state: String,
    /// `KeyManager`: `CUSTOMER` or `AWS`.
    pub manager: String,
    /// `KeySpec`.
    pub spec: String,
    /// `KeyUsage`.
    pub usage: String,
    /// `Origin`.
    pub origin: String,
    /// Seconds.
    pub created: i64,
    /// Seconds.
    pub deletion_date: Option<i64>,
    /// Automatic rotation is on.
    pub rotating: bool,
    /// Days between rotations.
    pub period: u32,
    /// Completed rotations, in seconds.
    pub rotations: Vec<i64>,
    /// The key policy.
    pub policy: String,
    /// Grants, as `ListGrants` returns them.
    pub grants: Vec<Value>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// A bucket.
#[derive(Clone, Debug, Default)]
pub struct Bucket {
    /// The region.
    pub region: String,
    /// `aws:kms`, `AES256` and the key; `None`: no configuration.
    pub encryption: Option<(String, Option<String>)>,
    /// The bucket policy.
    pub policy: Option<String>,
    /// All four switches of the public access block.
    pub public_blocked: bool,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Objects: key to content and ETag.
    pub objects: BTreeMap<String, Vec<u8>>,
}

/// An SQS queue.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    /// Messages that wait or are in flight.
    pub messages: Vec<Message>,
    /// Counts messages ever sent.
    pub sent: u64,
}

/// A message of a queue.
#[derive(Clone, Debug)]
pub struct Message {
    /// The id.
    pub id: String,
    /// The body.
    pub body: String,
    /// Deliveries so far.
    pub deliveries: u32,
    /// The current receipt handle, while in flight.
    pub receipt: Option<String>,
    /// Hidden until then, on the queue's clock.
    pub hidden_until: Option<tokio::time::Instant>,
}

/// A trail.
#[derive(Clone, Debug)]
pub struct Trail {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Its home region.
    pub region: String,
    /// Its bucket.
    pub bucket: String,
    /// Recording.
    pub logging: bool,
    /// Covers every region.
    pub multi_region: bool,
    /// Writes digests.
    pub validation: bool,
    /// `EventSelectors`, as `GetEventSelectors` returns them.
    pub selectors: Value,
    /// Seconds.
    pub last_delivery: Option<i64>,
}

/// EBS of one region.
#[derive(Clone, Debug, Default)]
pub struct Disks {
    /// Encryption by default.
    pub default_on: bool,
    /// The default key.
    pub default_key: Option<String>,
    /// Volumes: id, encrypted, key.
    pub volumes: Vec<(String, bool, Option<String>)>,
    /// Snapshots: id, encrypted, key.
    pub snapshots: Vec<(String, bool, Option<String>)>,
}

/// A database instance.
#[derive(Clone, Debug)]
pub struct Database {
    /// Its identifier.
    pub id: String,
    /// The engine.
    pub engine: String,
    /// Encrypted.
    pub encrypted: bool,
    /// The key.
    pub key: Option<String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// The account behind an access key: its last twelve digits, or the default account.
pub(super) fn account_of(access_key: &str) -> String {
    let digits: String = access_key.chars().filter(char::is_ascii_digit).collect();
    match digits.len().checked_sub(12) {
        Some(start) => digits[start..].to_owned(),
        None => String::from("111122223333"),
    }
}

/// An access key that belongs to an account, as [`account_of`] reads it.
pub fn access_key_of(account: &str) -> String {
    format!("ASIA{account}")
}

impl World {
    /// A world without accounts.
    pub fn new() -> Self {
        Self {
            page_size: 1_000,
            ..Self::default()
        }
    }

    /// The account, made if it does not exist.
    pub fn account(&mut self, account: &str) -> &mut Account {
        self.accounts.entry(account.to_owned()).or_default()
    }

    /// Lets the next call of an operation (`kms:DescribeKey`) fail.
    pub fn fail_next(&mut self, operation: &str, status: u16, code: &str) {
        self.faults
            .entry(operation.to_owned())
            .or_default()
            .push_back((status, code.to_owned()));
    }

    /// Denies an operation to an account.
    pub fn deny(&mut self, account: &str, operation: &str) {
        self.denied.insert((account.to_owned(), operation.to_owned()));
    }

    /// What stands in the way of a call: a planned fault or a missing permission.
    pub(super) fn obstacle(
        &mut self,
        account: &str,
        region: &str,
        operation: &str,
    ) -> Option<(u16, String, String)> {
        if let Some((status, code)) = self.faults.get_mut(operation).and_then(VecDeque::pop_front) {
            return Some((status, code, String::from("planned by the test")));
        }
        if self.denied.contains(&(account.to_owned(), operation.to_owned())) {
            let code = match operation.split(':').next() {
                Some("ec2") => "UnauthorizedOperation",
                Some("kms" | "cloudtrail") => "AccessDeniedException",
                _ => "AccessDenied",
            };
            let message = format!(
                "User: arn:aws:sts::{account}:assumed-role/keyvigil/keyvigil is not authorized to perform: {operation} in {region}"
            );
            return Some((
                if code == "UnauthorizedOperation" || code == "AccessDenied" {
                    403
                } else {
                    400
                },
                code.to_owned(),
                message,
            ));
        }
        None
    }
}

impl Account {
    /// Adds an audit event to the event history of a region.
    pub fn happened(&mut self, region: &str, time: i64, record: Value) {
        self.events
            .entry(region.to_owned())
            .or_default()
            .push((time, record));
    }

    /// Puts an object into a bucket and announces it in a queue, as S3's event notification does.
    pub fn deliver(&mut self, bucket: &str, key: &str, content: Vec<u8>, queue: &str) {
        let size = content.len();
        self.buckets
            .entry(bucket.to_owned())
            .or_default()
            .objects
            .insert(key.to_owned(), content);
        let encoded: String = key.replace(' ', "+");
        let body = json!({"Records": [{
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "eventName": "ObjectCreated:Put",
            "s3": {
                "s3SchemaVersion": "1.0",
                "bucket": {"name": bucket, "arn": format!("arn:aws:s3:::{bucket}")},
                "object": {"key": encoded, "size": size, "eTag": format!("{size:032x}")},
            },
        }]});
        self.send(queue, &body.to_string());
    }

    /// Sends a message to a queue.
    pub fn send(&mut self, queue: &str, body: &str) {
        let queue = self.queues.entry(queue.to_owned()).or_default();
        queue.sent += 1;
        queue.messages.push(Message {
            id: format!("00000000-0000-4000-8000-{:012}", queue.sent),
            body: body.to_owned(),
            deliveries: 0,
            receipt: None,
            hidden_until: None,
        });
    }

    /// A key of a region, by id.
    pub fn key_mut(&mut self, region: &str, id: &str) -> Option<&mut Key> {
        self.keys.get_mut(region)?.iter_mut().find(|key| key.id == id)
    }
}

impl Key {
    /// An ordinary key: symmetric, enabled, rotating yearly, with the default policy.
    pub fn ordinary(id: &str, alias: &str, account: &str, created: i64) -> Self {
        Self {
            id: id.to_owned(),
            aliases: vec![format!("alias/{alias}")],
            state: String::from("Enabled"),
            manager: String::from("CUSTOMER"),
            spec: String::from("SYMMETRIC_DEFAULT"),
            usage: String::from("ENCRYPT_DECRYPT"),
            origin: String::from("AWS_KMS"),
            created,
            deletion_date: None,
            rotating: true,
            period: 365,
            rotations: Vec::new(),
            policy: json!({"Version": "2012-10-17", "Statement": [{
                "Sid": "Enable IAM User Permissions",
                "Effect": "Allow",
                "Principal": {"AWS": format!("arn:aws:iam::{account}:root")},
                "Action": "kms:*",
                "Resource": "*",
            }]})
            .to_string(),
            grants: Vec::new(),
            tags: BTreeMap::new(),
        }
    }

    /// The ARN in an account and region.
    pub fn arn(&self, account: &str, region: &str) -> String {
        format!("arn:aws:kms:{region}:{account}:key/{}", self.id)
    }
}
