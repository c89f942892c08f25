//! Records of a made-up company, in the form and mix of a busy trail: one in ten is of KMS or Secrets Manager.

mod caller;

use std::fmt::Write;

use crate::random::{Random, opaque, uuid};

use self::caller::{Caller, identity};

/// Accounts of the company.
pub(crate) const ACCOUNTS: usize = 4;
/// Its regions.
pub(crate) const REGIONS: [&str; 3] = ["eu-central-1", "eu-west-1", "us-east-1"];

const KEYS: u64 = 30;
const SECRETS: u64 = 60;
const ROLES: u64 = 60;
const BUCKETS: u64 = 50;

/// Whose log a file is.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) account: usize,
    pub(crate) region: usize,
}

impl Place {
    /// Its number among all places.
    pub(crate) fn number(self) -> u64 {
        (self.account * REGIONS.len() + self.region) as u64
    }

    /// The account's id.
    pub(crate) fn account_id(self) -> String {
        format!("{:012}", 111_122_223_333 + 111_111_111_111 * self.account as u64)
    }

    /// The region's name.
    pub(crate) fn region_name(self) -> &'static str {
        REGIONS[self.region]
    }

    fn key_arn(self, number: u64) -> String {
        let id = uuid(&mut Random::at([2, self.number(), number, 0]));
        format!(
            "arn:aws:kms:{}:{}:key/{id}",
            self.region_name(),
            self.account_id()
        )
    }
}

/// What differs from record to record.
struct Shape<'a> {
    service: &'a str,
    operation: &'a str,
    read_only: bool,
    data_event: bool,
    request: String,
    response: String,
    /// More fields, each with a comma before it.
    extra: String,
    error: Option<(&'a str, &'a str)>,
}

impl Default for Shape<'_> {
    fn default() -> Self {
        Self {
            service: "",
            operation: "",
            read_only: true,
            data_event: false,
            request: "null".to_owned(),
            response: "null".to_owned(),
            extra: String::new(),
            error: None,
        }
    }
}

/// Appends a record.
pub(crate) fn write_record(text: &mut String, place: Place, time: &str, random: &mut Random) {
    let (shape, caller) = match random.below(1000) {
        0..100 => key_or_secret(place, random),
        100..450 => object(place, random),
        450..570 => assume_role(place, random),
        570..640 => table_item(place, random),
        other => (describe(place, other, random), usual_caller(random)),
    };
    write(text, place, time, &shape, &caller, random);
}

fn usual_caller(random: &mut Random) -> Caller {
    match random.below(10) {
        0 => Caller::User(random.skewed(20)),
        _ => Caller::Role(random.skewed(ROLES)),
    }
}

fn key_or_secret(place: Place, random: &mut Random) -> (Shape<'static>, Caller) {
    let account = place.account_id();
    let role = random.skewed(ROLES);
    // A role uses two or three keys, not all.
    let arn = place.key_arn((role * 7 + random.below(3)) % KEYS);
    let resources = format!(
        ",\"resources\":[{{\"accountId\":\"{account}\",\"type\":\"AWS::KMS::Key\",\"ARN\":\"{arn}\"}}]"
    );
    let bucket = bucket(place, role % BUCKETS);
    let context = format!("\"encryptionContext\":{{\"aws:s3:arn\":\"arn:aws:s3:::{bucket}\"}}");
    let shape = match random.below(100) {
        0..45 => Shape {
            operation: "Decrypt",
            request: format!("{{{context},\"encryptionAlgorithm\":\"SYMMETRIC_DEFAULT\"}}"),
            ..Shape::default()
        },
        45..70 => Shape {
            operation: "GenerateDataKey",
            request: format!("{{{context},\"keyId\":\"{arn}\",\"keySpec\":\"AES_256\"}}"),
            ..Shape::default()
        },
        70..78 => Shape {
            operation: "DescribeKey",
            request: format!("{{\"keyId\":\"{arn}\"}}"),
            ..Shape::default()
        },
        78..82 => Shape {
            operation: "Encrypt",
            request: format!("{{\"keyId\":\"{arn}\",\"encryptionAlgorithm\":\"SYMMETRIC_DEFAULT\"}}"),
            ..Shape::default()
        },
        other => {
            let secret = format!(
                "arn:aws:secretsmanager:{}:{account}:secret:app/{:02}/database-AbCdEf",
                place.region_name(),
                (role * 5 + random.below(3)) % SECRETS
            );
            let shape = Shape {
                service: "secretsmanager",
                operation: if other < 96 {
                    "GetSecretValue"
                } else {
                    "DescribeSecret"
                },
                request: format!("{{\"secretId\":\"{secret}\"}}"),
                ..Shape::default()
            };
            return (shape, Caller::Role(role));
        }
    };
    let shape = Shape {
        service: "kms",
        extra: resources,
        ..shape
    };
    (shape, Caller::Role(role))
}

fn object(place: Place, random: &mut Random) -> (Shape<'static>, Caller) {
    let (operation, read_only) = match random.below(10) {
        0..5 => ("GetObject", true),
        5..8 => ("PutObject", false),
        8 => ("HeadObject", true),
        _ => ("ListObjects", true),
    };
    let role = random.skewed(ROLES);
    let bucket = bucket(place, (role * 3 + random.below(2)) % BUCKETS);
    let (number, sent) = (random.below(1_000_000), random.below(100_000));
    let shape = Shape {
        service: "s3",
        operation,
        read_only,
        data_event: true,
        request: format!(
            "{{\"bucketName\":\"{bucket}\",\"Host\":\"{bucket}.s3.{}.amazonaws.com\",\"key\":\"data/2026/part-{number:06}.parquet\"}}",
            place.region_name()
        ),
        response: if read_only {
            "null".to_owned()
        } else {
            "{\"x-amz-server-side-encryption\":\"aws:kms\"}".to_owned()
        },
        extra: format!(
            ",\"additionalEventData\":{{\"SignatureVersion\":\"SigV4\",\"CipherSuite\":\"TLS_AES_128_GCM_SHA256\",\"bytesTransferredIn\":{sent},\"AuthenticationMethod\":\"AuthHeader\",\"x-amz-id-2\":\"{}\",\"bytesTransferredOut\":0}},\"resources\":[{{\"type\":\"AWS::S3::Object\",\"ARN\":\"arn:aws:s3:::{bucket}/data/2026/part-{number:06}.parquet\"}},{{\"accountId\":\"{}\",\"type\":\"AWS::S3::Bucket\",\"ARN\":\"arn:aws:s3:::{bucket}\"}}]",
            opaque(random, 76),
            place.account_id()
        ),
        ..Shape::default()
    };
    (shape, Caller::Role(role))
}

fn assume_role(place: Place, random: &mut Random) -> (Shape<'static>, Caller) {
    let role = random.skewed(ROLES);
    let arn = format!("arn:aws:iam::{}:role/service-{role:02}", place.account_id());
    let session = format!("session-{:08x}", random.below(1 << 32));
    let service = random.pick(&[
        "ec2.amazonaws.com",
        "lambda.amazonaws.com",
        "ecs-tasks.amazonaws.com",
    ]);
    let shape = Shape {
        service: "sts",
        operation: "AssumeRole",
        request: format!(
            "{{\"roleArn\":\"{arn}\",\"roleSessionName\":\"{session}\",\"durationSeconds\":3600}}"
        ),
        response: format!(
            "{{\"credentials\":{{\"accessKeyId\":\"ASIA{}\",\"sessionToken\":\"{}\",\"expiration\":\"Jan 30, 2026, 10:00:00 AM\"}},\"assumedRoleUser\":{{\"assumedRoleId\":\"AROAEXAMPLE{role:010}:{session}\",\"arn\":\"arn:aws:sts::{}:assumed-role/service-{role:02}/{session}\"}}}}",
            opaque(random, 16),
            opaque(random, 180),
            place.account_id()
        ),
        extra: format!(
            ",\"resources\":[{{\"accountId\":\"{}\",\"type\":\"AWS::IAM::Role\",\"ARN\":\"{arn}\"}}],\"sharedEventID\":\"{}\"",
            place.account_id(),
            uuid(random)
        ),
        ..Shape::default()
    };
    (shape, Caller::Service(service))
}

fn table_item(place: Place, random: &mut Random) -> (Shape<'static>, Caller) {
    let role = random.skewed(ROLES);
    let shape = Shape {
        service: "dynamodb",
        operation: random.pick(&["GetItem", "Query", "PutItem", "UpdateItem"]),
        data_event: true,
        request: format!(
            "{{\"tableName\":\"orders-{}\",\"key\":{{\"id\":\"{:06}\"}},\"consistentRead\":false}}",
            role % 9,
            random.below(1_000_000)
        ),
        extra: format!(
            ",\"apiVersion\":\"2012-08-10\",\"resources\":[{{\"accountId\":\"{0}\",\"type\":\"AWS::DynamoDB::Table\",\"ARN\":\"arn:aws:dynamodb:{1}:{0}:table/orders-{2}\"}}]",
            place.account_id(),
            place.region_name(),
            role % 9
        ),
        ..Shape::default()
    };
    (shape, Caller::Role(role))
}

/// Reads of every sort, most of them with a filter or a list of ids.
fn describe(place: Place, choice: u64, random: &mut Random) -> Shape<'static> {
    const CALLS: [(&str, &str); 20] = [
        ("ec2", "DescribeInstances"),
        ("ec2", "DescribeInstances"),
        ("ec2", "DescribeInstanceStatus"),
        ("ec2", "DescribeSecurityGroups"),
        ("ec2", "DescribeVolumes"),
        ("ec2", "DescribeSubnets"),
        ("ec2", "DescribeNetworkInterfaces"),
        ("ec2", "DescribeTags"),
        ("rds", "DescribeDBInstances"),
        ("rds", "DescribeDBClusters"),
        ("iam", "GetRole"),
        ("iam", "ListAttachedRolePolicies"),
        ("ssm", "UpdateInstanceInformation"),
        ("ssm", "DescribeParameters"),
        ("autoscaling", "DescribeAutoScalingGroups"),
        ("elasticloadbalancing", "DescribeTargetHealth"),
        ("ecs", "DescribeServices"),
        ("logs", "CreateLogStream"),
        ("lambda", "ListFunctions20150331"),
        ("cloudtrail", "LookupEvents"),
    ];
    let (service, operation) = CALLS[choice as usize % CALLS.len()];
    let mut items = String::new();
    for number in 0..1 + random.skewed(12) {
        let comma = if number > 0 { "," } else { "" };
        write!(
            items,
            "{comma}{{\"instanceId\":\"i-{:017x}\"}}",
            random.below(5000) * 0x1f3_5a7b
        )
        .expect("writing to a string cannot fail");
    }
    let request = format!(
        "{{\"instancesSet\":{{\"items\":[{items}]}},\"filterSet\":{{\"items\":[{{\"name\":\"tag:service\",\"valueSet\":{{\"items\":[{{\"value\":\"service-{:02}\"}}]}}}},{{\"name\":\"vpc-id\",\"valueSet\":{{\"items\":[{{\"value\":\"vpc-0{:016x}\"}}]}}}}]}},\"maxResults\":100}}",
        random.skewed(ROLES),
        place.number() * 0x51_7c2b
    );
    let refused = random.below(50) == 0;
    Shape {
        service,
        operation,
        request,
        error: refused.then_some(("AccessDenied", "User is not authorized to perform this operation")),
        ..Shape::default()
    }
}

/// Appends a record of an incident, if one is planted at this index of a file in the middle of the place.
pub(crate) fn incident(text: &mut String, place: Place, index: u64, time: &str, random: &mut Random) -> bool {
    let key = place.key_arn(index % KEYS);
    let bucket = bucket(place, 7);
    let resources = format!(
        ",\"resources\":[{{\"accountId\":\"{}\",\"type\":\"AWS::KMS::Key\",\"ARN\":\"{key}\"}}]",
        place.account_id()
    );
    let call = |service, operation, request: String| Shape {
        service,
        operation,
        read_only: false,
        request,
        ..Shape::default()
    };
    let shape = match (place.number(), index) {
        // Logging stopped, default encryption swapped to a foreign key, keys scheduled for deletion.
        (0, 1500) => call("cloudtrail", "StopLogging", "{\"name\":\"main\"}".to_owned()),
        (0, 1510) => call(
            "s3",
            "PutBucketEncryption",
            format!(
                "{{\"bucketName\":\"{bucket}\",\"ServerSideEncryptionConfiguration\":{{\"Rule\":{{\"ApplyServerSideEncryptionByDefault\":{{\"SSEAlgorithm\":\"aws:kms\",\"KMSMasterKeyID\":\"arn:aws:kms:us-east-1:999988887777:key/5d1c7c5e-0f0e-4a5e-9a60-0a5a3a1b2c3d\"}}}}}}}}"
            ),
        ),
        (0, 1520..1530) => Shape {
            extra: resources,
            ..call(
                "kms",
                "ScheduleKeyDeletion",
                format!("{{\"keyId\":\"{key}\",\"pendingWindowInDays\":7}}"),
            )
        },
        // A key opened to everyone, another disabled.
        (4, 1000) => Shape {
            extra: resources,
            ..call(
                "kms",
                "PutKeyPolicy",
                format!(
                    "{{\"keyId\":\"{key}\",\"policyName\":\"default\",\"policy\":\"{{\\\"Version\\\":\\\"2012-10-17\\\",\\\"Statement\\\":[{{\\\"Effect\\\":\\\"Allow\\\",\\\"Principal\\\":\\\"*\\\",\\\"Action\\\":\\\"kms:*\\\",\\\"Resource\\\":\\\"*\\\"}}]}}\"}}"
                ),
            )
        },
        (4, 1010) => Shape {
            extra: resources,
            ..call("kms", "DisableKey", format!("{{\"keyId\":\"{key}\"}}"))
        },
        // Attempts at every key, refused.
        (7, 800..880) => Shape {
            extra: resources,
            error: Some(("AccessDenied", "User is not authorized to perform: kms:Decrypt")),
            ..call("kms", "Decrypt", "null".to_owned())
        },
        // Objects rewritten under a caller's own key.
        (10, 2000..2100) => Shape {
            data_event: true,
            ..call(
                "s3",
                "CopyObject",
                format!(
                    "{{\"bucketName\":\"{bucket}\",\"key\":\"data/{index}\",\"x-amz-server-side-encryption-customer-algorithm\":\"AES256\"}}"
                ),
            )
        },
        _ => return false,
    };
    write(text, place, time, &shape, &Caller::Intruder, random);
    true
}

fn write(
    text: &mut String,
    place: Place,
    time: &str,
    shape: &Shape<'_>,
    caller: &Caller,
    random: &mut Random,
) {
    let (account, region) = (place.account_id(), place.region_name());
    let (identity, source, agent) = identity(&account, time, caller, random);
    let error = shape.error.map_or_else(String::new, |(code, message)| {
        format!("\"errorCode\":\"{code}\",\"errorMessage\":\"{message}\",")
    });
    let (request_id, event_id) = (uuid(random), uuid(random));
    let category = if shape.data_event { "Data" } else { "Management" };
    write!(
        text,
        "{{\"eventVersion\":\"1.11\",\"userIdentity\":{identity},\"eventTime\":\"{time}\",\"eventSource\":\"{service}.amazonaws.com\",\"eventName\":\"{operation}\",\"awsRegion\":\"{region}\",\"sourceIPAddress\":\"{source}\",\"userAgent\":\"{agent}\",{error}\"requestParameters\":{request},\"responseElements\":{response},\"requestID\":\"{request_id}\",\"eventID\":\"{event_id}\",\"readOnly\":{read_only}{extra},\"eventType\":\"AwsApiCall\",\"managementEvent\":{management},\"recipientAccountId\":\"{account}\",\"eventCategory\":\"{category}\",\"tlsDetails\":{{\"tlsVersion\":\"TLSv1.3\",\"cipherSuite\":\"TLS_AES_128_GCM_SHA256\",\"clientProvidedHostHeader\":\"{service}.{region}.amazonaws.com\"}}}}",
        service = shape.service,
        operation = shape.operation,
        request = shape.request,
        response = shape.response,
        read_only = shape.read_only,
        extra = shape.extra,
        management = !shape.data_event,
    )
    .expect("writing to a string cannot fail");
}

fn bucket(place: Place, number: u64) -> String {
    format!("company-{}-{}-{number:02}", place.account, place.region_name())
}
