//! Where a poller reads, and the names it gives to what it finds there: ARNs, so that events, configuration and
//! findings meet on the same text.

use std::collections::BTreeMap;

use aws_smithy_types::DateTime;
use keyvigil_model::id::{AccountId, Region, ResourceId};
use keyvigil_model::resource::{ResourceKind, ResourceRef};
use keyvigil_model::time::Timestamp;
use keyvigil_model::untrusted::Untrusted;

use crate::client::partition::Partition;

/// The region of services that have none.
pub(crate) const GLOBAL: &str = "global";

/// An account and a region, with the partition that ARNs begin with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub(crate) partition: &'static str,
    pub(crate) account: AccountId,
    pub(crate) region: Region,
}

impl Place {
    pub(crate) fn new(account: AccountId, region: Region) -> Self {
        Self {
            partition: partition_of(region.as_str()),
            account,
            region,
        }
    }

    /// `arn:PARTITION:SERVICE:REGION:ACCOUNT:REST`.
    pub(crate) fn arn(&self, service: &str, rest: &str) -> String {
        format!(
            "arn:{}:{service}:{}:{}:{rest}",
            self.partition, self.region, self.account
        )
    }

    /// A resource of this account and region.
    pub(crate) fn resource(&self, kind: ResourceKind, id: impl AsRef<str>) -> ResourceRef {
        ResourceRef {
            id: ResourceId::from(id.as_ref()),
            kind,
            account: Some(self.account.clone()),
            region: Some(self.region.clone()),
        }
    }

    /// Whether a name may mean something of this account and region: an ARN of another one does not. Asked for it,
    /// AWS says that it does not exist, which must not be taken for a deletion.
    pub(crate) fn may_hold(&self, id: &str) -> bool {
        let Some(arn) = parse_arn(id) else {
            return true;
        };
        let same = |named: &str, ours: &str| named.is_empty() || named == ours;
        same(arn.region, self.region.as_str()) && same(arn.account, self.account.as_str())
    }

    /// A bucket. Its ARN holds neither account nor region.
    pub(crate) fn bucket(&self, name: &str) -> ResourceRef {
        self.resource(
            ResourceKind::Bucket,
            format!("arn:{}:s3:::{name}", self.partition),
        )
    }

    /// The EBS default of this region. AWS has no ARN for it; this is shaped like one and holds account and region.
    pub(crate) fn ebs_default(&self) -> ResourceRef {
        self.resource(ResourceKind::DiskDefault, self.arn("ec2", "ebs-default"))
    }

    /// A volume, from its id.
    pub(crate) fn volume(&self, id: &str) -> ResourceRef {
        self.resource(ResourceKind::Disk, self.arn("ec2", &format!("volume/{id}")))
    }

    /// An EBS snapshot, from its id. AWS writes no account into its ARN.
    pub(crate) fn disk_snapshot(&self, id: &str) -> ResourceRef {
        let arn = format!("arn:{}:ec2:{}::snapshot/{id}", self.partition, self.region);
        self.resource(ResourceKind::DiskSnapshot, arn)
    }

    /// The account as a whole, by the ARN of its root. It has no region.
    pub(crate) fn root(&self) -> ResourceRef {
        ResourceRef {
            id: ResourceId::new(format!("arn:{}:iam::{}:root", self.partition, self.account)),
            kind: ResourceKind::Account,
            account: Some(self.account.clone()),
            region: None,
        }
    }
}

/// The partition of a region, as ARNs name it.
pub(crate) fn partition_of(region: &str) -> &'static str {
    Partition::of_region(&Region::from(region)).id
}

/// The parts of an ARN that pollers look at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Arn<'a> {
    pub(crate) region: &'a str,
    pub(crate) account: &'a str,
    /// Everything after the account, colons included.
    pub(crate) rest: &'a str,
}

/// Reads an ARN; `None` if the text is not one.
pub(crate) fn parse_arn(text: &str) -> Option<Arn<'_>> {
    let mut parts = text.splitn(6, ':');
    if parts.next() != Some("arn") {
        return None;
    }
    let (_partition, _service) = (parts.next()?, parts.next()?);
    Some(Arn {
        region: parts.next()?,
        account: parts.next()?,
        rest: parts.next()?,
    })
}

/// What follows the last `:` or `/`: the bare name of something that is given as an ARN or as a name.
pub(crate) fn bare_name(text: &str) -> &str {
    text.rsplit([':', '/']).next().unwrap_or(text)
}

/// The SDK's time as ours; `None` for an instant that microseconds cannot hold.
pub(crate) fn timestamp(time: &DateTime) -> Option<Timestamp> {
    let micros = time.as_nanos().div_euclid(1_000);
    i64::try_from(micros).ok().map(Timestamp::from_micros)
}

/// Tags as a map; a pair without a key is dropped.
pub(crate) fn tags<'a>(
    pairs: impl IntoIterator<Item = (Option<&'a str>, Option<&'a str>)>,
) -> BTreeMap<String, Untrusted> {
    let mut map = BTreeMap::new();
    for (key, value) in pairs {
        if let Some(key) = key {
            map.insert(key.to_owned(), Untrusted::from(value.unwrap_or_default()));
        }
    }
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_are_split_and_anything_else_is_not() {
        let arn = parse_arn("arn:aws:rds:eu-west-1:111122223333:cluster:orders").unwrap();
        assert_eq!(
            (arn.region, arn.account, arn.rest),
            ("eu-west-1", "111122223333", "cluster:orders")
        );
        for text in ["", "orders", "arn:aws:rds", "urn:aws:rds:eu-west-1:1:x"] {
            assert_eq!(parse_arn(text), None, "{text}");
        }
    }

    #[test]
    fn a_bare_name_is_found_in_every_form() {
        for (text, name) in [
            ("arn:aws:s3:::papers", "papers"),
            ("arn:aws:ec2:eu-west-1:1:volume/vol-1", "vol-1"),
            ("vol-1", "vol-1"),
            ("arn:aws:rds:eu-west-1:1:db:orders", "orders"),
        ] {
            assert_eq!(bare_name(text), name, "{text}");
        }
    }

    #[test]
    fn names_are_those_that_aws_gives() {
        let place = Place::new("111122223333".into(), "cn-north-1".into());
        assert_eq!(place.bucket("b").id.as_str(), "arn:aws-cn:s3:::b");
        assert_eq!(
            place.volume("vol-1").id.as_str(),
            "arn:aws-cn:ec2:cn-north-1:111122223333:volume/vol-1"
        );
        assert_eq!(
            place.disk_snapshot("snap-1").id.as_str(),
            "arn:aws-cn:ec2:cn-north-1::snapshot/snap-1"
        );
        assert_eq!(place.root().id.as_str(), "arn:aws-cn:iam::111122223333:root");
    }

    #[test]
    fn an_arn_of_another_place_is_not_here() {
        let place = Place::new("111122223333".into(), "eu-west-1".into());
        for (id, expected) in [
            ("arn:aws:kms:eu-west-1:111122223333:key/k", true),
            ("arn:aws:kms:us-east-1:111122223333:key/k", false),
            ("arn:aws:kms:eu-west-1:444455556666:key/k", false),
            ("arn:aws:ec2:eu-west-1::snapshot/snap-1", true),
            ("arn:aws:iam::111122223333:user/ann", true),
            ("arn:aws:iam::444455556666:user/ann", false),
            ("vol-1", true),
        ] {
            assert_eq!(place.may_hold(id), expected, "{id}");
        }
    }

    #[test]
    fn times_before_the_epoch_and_out_of_range() {
        assert_eq!(
            timestamp(&DateTime::from_secs(-1)),
            Some(Timestamp::from_secs(-1))
        );
        assert_eq!(timestamp(&DateTime::from_secs(i64::MAX)), None);
    }
}
