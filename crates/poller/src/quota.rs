//! How many requests a second the providers allow, and which part of it keyvigil takes.
//!
//! AWS quotas count by account, region and operation. Sources: the AWS KMS developer guide, "Request quotas" of 2020
//! (the present values are higher; designing for the old ones is safe), the CloudTrail user guide, "Quotas", the EC2
//! developer guide, "Request throttling" (refill rate of non-mutating actions), the S3 user guide, "Best practices".
//! IAM, RDS, STS and the S3 configuration reads have no published number: the values are low on purpose.

/// What an operation may be asked for.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Quota {
    /// So many requests a second for everybody in the account; keyvigil takes its share of it.
    Shared(f64),
    /// So many requests a second, to be used whole: nothing of the customer's competes for them.
    Flat(f64),
}

impl Quota {
    /// Requests a second for keyvigil, which takes `share` of what it shares with others.
    pub fn rate(self, share: f64) -> f64 {
        match self {
            Self::Shared(rate) => rate * share,
            Self::Flat(rate) => rate,
        }
    }
}

/// The quota of an operation, named in the provider's permission words (`kms:DescribeKey`).
pub fn quota(operation: &str) -> Quota {
    for (name, known) in OPERATIONS {
        if *name == operation {
            return *known;
        }
    }
    for (prefix, known) in SERVICES {
        if operation.starts_with(prefix) {
            return *known;
        }
    }
    OTHER
}

const OPERATIONS: &[(&str, Quota)] = &[
    ("kms:DescribeKey", Quota::Shared(100.0)),
    ("kms:ListKeys", Quota::Shared(100.0)),
    ("kms:ListAliases", Quota::Shared(100.0)),
    ("kms:ListGrants", Quota::Shared(100.0)),
    ("kms:ListKeyPolicies", Quota::Shared(100.0)),
    ("kms:ListResourceTags", Quota::Shared(100.0)),
    ("kms:GetKeyPolicy", Quota::Shared(30.0)),
    ("kms:GetKeyRotationStatus", Quota::Shared(30.0)),
    // Younger than the table of 2020; read as often as the rotation status.
    ("kms:ListKeyRotations", Quota::Shared(30.0)),
    // The documentation says 2 a second in one place and 1 in another.
    ("cloudtrail:LookupEvents", Quota::Flat(1.0)),
    // 5,500 reads a second for each prefix of a bucket.
    ("s3:GetObject", Quota::Shared(5_500.0)),
    ("s3:ListBucket", Quota::Shared(100.0)),
    // The report is made at most every four hours and then only fetched.
    ("iam:GenerateCredentialReport", Quota::Flat(1.0)),
];

const SERVICES: &[(&str, Quota)] = &[
    ("kms:", Quota::Shared(5.0)),
    ("cloudtrail:", Quota::Shared(10.0)),
    ("ec2:", Quota::Shared(20.0)),
    ("rds:", Quota::Shared(20.0)),
    ("iam:", Quota::Shared(20.0)),
    ("sts:", Quota::Shared(50.0)),
    ("s3:", Quota::Shared(100.0)),
    // The queue is keyvigil's own.
    ("sqs:", Quota::Flat(300.0)),
];

const OTHER: Quota = Quota::Shared(10.0);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_of_the_documented_quotas() {
        let check = |operation: &str, expected: f64| {
            let rate = quota(operation).rate(0.1);
            assert!((rate - expected).abs() < 1e-9, "{operation}: {rate}");
        };
        check("kms:DescribeKey", 10.0);
        check("kms:ListKeys", 10.0);
        check("kms:GetKeyRotationStatus", 3.0);
        check("kms:GetKeyPolicy", 3.0);
        check("kms:SomethingNew", 0.5);
        check("cloudtrail:LookupEvents", 1.0);
        check("cloudtrail:GetTrailStatus", 1.0);
        check("cloudtrail:DescribeTrails", 1.0);
        check("ec2:DescribeVolumes", 2.0);
        check("s3:GetEncryptionConfiguration", 10.0);
        check("azure:Something", 1.0);
    }
}
