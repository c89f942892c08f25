//! Partitions: closed worlds of regions with their own ARNs and host names. Derived from a region, never assumed.

use keyvigil_model::id::Region;

/// One partition. Source: the endpoint rule sets that ship with the AWS SDKs (`partitions.json`).
#[derive(PartialEq, Eq, Debug)]
pub struct Partition {
    /// The second field of its ARNs.
    pub id: &'static str,
    /// The end of its host names.
    pub dns_suffix: &'static str,
    /// The region that signs for, and records the events of, services without a region (IAM, STS).
    pub global_region: &'static str,
    /// The host of IAM.
    pub iam_host: &'static str,
    /// The beginnings of its region names; empty for the one that takes the rest.
    prefixes: &'static [&'static str],
}

/// Every partition; the last takes what none of the others claims.
const PARTITIONS: &[Partition] = &[
    Partition {
        id: "aws-cn",
        dns_suffix: "amazonaws.com.cn",
        global_region: "cn-north-1",
        iam_host: "iam.cn-north-1.amazonaws.com.cn",
        prefixes: &["cn-"],
    },
    Partition {
        id: "aws-us-gov",
        dns_suffix: "amazonaws.com",
        global_region: "us-gov-west-1",
        iam_host: "iam.us-gov.amazonaws.com",
        prefixes: &["us-gov-"],
    },
    Partition {
        id: "aws-eusc",
        dns_suffix: "amazonaws.eu",
        global_region: "eusc-de-east-1",
        iam_host: "iam.eusc-de-east-1.amazonaws.eu",
        prefixes: &["eusc-"],
    },
    Partition {
        id: "aws-iso",
        dns_suffix: "c2s.ic.gov",
        global_region: "us-iso-east-1",
        iam_host: "iam.us-iso-east-1.c2s.ic.gov",
        prefixes: &["us-iso-"],
    },
    Partition {
        id: "aws-iso-b",
        dns_suffix: "sc2s.sgov.gov",
        global_region: "us-isob-east-1",
        iam_host: "iam.us-isob-east-1.sc2s.sgov.gov",
        prefixes: &["us-isob-"],
    },
    Partition {
        id: "aws-iso-e",
        dns_suffix: "cloud.adc-e.uk",
        global_region: "eu-isoe-west-1",
        iam_host: "iam.eu-isoe-west-1.cloud.adc-e.uk",
        prefixes: &["eu-isoe-"],
    },
    Partition {
        id: "aws-iso-f",
        dns_suffix: "csp.hci.ic.gov",
        global_region: "us-isof-south-1",
        iam_host: "iam.us-isof-south-1.csp.hci.ic.gov",
        prefixes: &["us-isof-"],
    },
    Partition {
        id: "aws",
        dns_suffix: "amazonaws.com",
        global_region: "us-east-1",
        iam_host: "iam.amazonaws.com",
        prefixes: &[""],
    },
];

impl Partition {
    /// The partition that a region belongs to.
    pub fn of_region(region: &Region) -> &'static Self {
        let claims = |partition: &&Self| {
            partition
                .prefixes
                .iter()
                .any(|prefix| region.as_str().starts_with(prefix))
        };
        PARTITIONS
            .iter()
            .find(claims)
            .expect("the last partition has the empty prefix")
    }

    /// The partition named by an ARN (`arn:aws-cn:…`), if it is one that this version knows.
    pub fn of_arn(arn: &str) -> Option<&'static Self> {
        let id = arn.strip_prefix("arn:")?.split(':').next()?;
        PARTITIONS.iter().find(|partition| partition.id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_belong_to_their_partition() {
        for (region, partition) in [
            ("eu-west-1", "aws"),
            ("us-east-1", "aws"),
            ("mx-central-1", "aws"),
            ("cn-northwest-1", "aws-cn"),
            ("us-gov-east-1", "aws-us-gov"),
            ("eusc-de-east-1", "aws-eusc"),
            ("us-iso-west-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("", "aws"),
        ] {
            assert_eq!(
                Partition::of_region(&Region::from(region)).id,
                partition,
                "{region}"
            );
        }
    }

    #[test]
    fn arns_name_their_partition() {
        for (arn, partition) in [
            ("arn:aws:iam::111122223333:role/x", Some("aws")),
            ("arn:aws-us-gov:iam::111122223333:role/x", Some("aws-us-gov")),
            ("arn:azure:iam::1:role/x", None),
            ("role/x", None),
            ("", None),
        ] {
            assert_eq!(Partition::of_arn(arn).map(|found| found.id), partition, "{arn}");
        }
    }
}
