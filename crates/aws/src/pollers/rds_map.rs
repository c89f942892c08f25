//! RDS's answers as model values. The RDS API also lists DocumentDB and Neptune: the product tells them apart.

use keyvigil_model::id::KeyId;
use keyvigil_model::resource::ResourceKind;
use keyvigil_model::snapshot::{Config, Resource, Storage};
use keyvigil_model::untrusted::Untrusted;
use keyvigil_model::verdict::{Read, UnknownReason};

use crate::client::failure::AwsError;
use crate::pollers::listing::{Next, Page};
use crate::pollers::place::{Place, parse_arn, tags};
use crate::pollers::xml;

/// A page of one of the four listings; `call` says which. An entry without an ARN is not there.
pub(crate) fn page(
    place: &Place,
    kind: ResourceKind,
    call: &str,
    text: &str,
) -> Result<Page<Resource>, AwsError> {
    let answer: xml::RdsAnswer = xml::read(call, text)?;
    let mut items = Vec::new();
    for item in answer.result.list.items {
        if let Some(arn) = xml::filled(item.arn.clone()) {
            items.push(storage(place, kind, &arn, item));
        }
    }
    Ok(Page {
        items,
        next: Next::of_token(answer.result.marker),
    })
}

fn storage(place: &Place, kind: ResourceKind, arn: &str, item: xml::RdsItem) -> Resource {
    let tags = tags(
        item.tags
            .tags
            .iter()
            .map(|tag| (tag.key.as_deref(), tag.value.as_deref())),
    );
    Resource {
        reference: place.resource(kind, arn),
        name: Untrusted::from(name_of(arn)),
        tags: Read::Known(tags),
        config: Config::Storage(Storage {
            encrypted: xml::boolean(item.encrypted.as_deref())
                .map_or(Read::Unknown(UnknownReason::Unreadable), Read::Known),
            key: xml::filled(item.key).map(KeyId::new),
            product: xml::filled(item.engine)
                .unwrap_or_else(|| "rds".to_owned())
                .into(),
        }),
    }
}

/// The identifier in an RDS ARN, or the text itself. Automated snapshots have a colon in it: `rds:orders-2026-01-31`.
pub(crate) fn name_of(text: &str) -> &str {
    match parse_arn(text).and_then(|arn| arn.rest.split_once(':')) {
        Some((_kind, name)) => name,
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place::new("111122223333".into(), "eu-west-1".into())
    }

    fn check(
        kind: ResourceKind,
        call: &str,
        text: &str,
        expected: &[(&str, Read<bool>, Option<&str>, &str)],
    ) {
        let page = page(&place(), kind, call, text).unwrap();
        let mut found = Vec::new();
        for resource in &page.items {
            let Config::Storage(storage) = &resource.config else {
                panic!("not storage");
            };
            assert_eq!(resource.reference.kind, kind);
            found.push((
                resource.name.raw(),
                storage.encrypted.clone(),
                storage.key.as_ref().map(KeyId::as_str),
                &*storage.product,
            ));
        }
        assert_eq!(found, expected, "{call}");
    }

    #[test]
    fn the_four_listings() {
        check(
            ResourceKind::Database,
            "rds:DescribeDBInstances",
            r#"<DescribeDBInstancesResponse xmlns="http://rds.amazonaws.com/doc/2014-10-31/">
              <DescribeDBInstancesResult><DBInstances>
                <DBInstance><DBInstanceIdentifier>orders</DBInstanceIdentifier><Engine>postgres</Engine>
                  <DBSubnetGroup><Subnets><Subnet/><Subnet/></Subnets></DBSubnetGroup>
                  <StorageEncrypted>true</StorageEncrypted><KmsKeyId>arn:aws:kms:eu-west-1:111122223333:key/k1</KmsKeyId>
                  <DBInstanceArn>arn:aws:rds:eu-west-1:111122223333:db:orders</DBInstanceArn></DBInstance>
                <DBInstance><Engine>docdb</Engine><StorageEncrypted>false</StorageEncrypted>
                  <DBInstanceArn>arn:aws:rds:eu-west-1:111122223333:db:papers</DBInstanceArn></DBInstance>
                <DBInstance><Engine>mysql</Engine></DBInstance>
              </DBInstances></DescribeDBInstancesResult></DescribeDBInstancesResponse>"#,
            &[
                (
                    "orders",
                    Read::Known(true),
                    Some("arn:aws:kms:eu-west-1:111122223333:key/k1"),
                    "postgres",
                ),
                ("papers", Read::Known(false), None, "docdb"),
            ],
        );
        check(
            ResourceKind::DatabaseCluster,
            "rds:DescribeDBClusters",
            "<R><DescribeDBClustersResult><DBClusters><DBCluster><Engine>aurora-mysql</Engine>\
             <DBClusterArn>arn:aws:rds:eu-west-1:111122223333:cluster:c</DBClusterArn>\
             </DBCluster></DBClusters></DescribeDBClustersResult></R>",
            &[(
                "c",
                Read::Unknown(UnknownReason::Unreadable),
                None,
                "aurora-mysql",
            )],
        );
        check(
            ResourceKind::DatabaseSnapshot,
            "rds:DescribeDBSnapshots",
            "<R><DescribeDBSnapshotsResult><DBSnapshots><DBSnapshot><Encrypted>true</Encrypted>\
             <DBSnapshotArn>arn:aws:rds:eu-west-1:111122223333:snapshot:s</DBSnapshotArn>\
             </DBSnapshot></DBSnapshots></DescribeDBSnapshotsResult></R>",
            &[("s", Read::Known(true), None, "rds")],
        );
        check(
            ResourceKind::DatabaseSnapshot,
            "rds:DescribeDBClusterSnapshots",
            "<R><DescribeDBClusterSnapshotsResult><DBClusterSnapshots><DBClusterSnapshot>\
             <StorageEncrypted>false</StorageEncrypted>\
             <DBClusterSnapshotArn>arn:aws:rds:eu-west-1:111122223333:cluster-snapshot:s</DBClusterSnapshotArn>\
             </DBClusterSnapshot></DBClusterSnapshots></DescribeDBClusterSnapshotsResult></R>",
            &[("s", Read::Known(false), None, "rds")],
        );
    }

    #[test]
    fn names_keep_their_colons() {
        for (text, name) in [
            ("arn:aws:rds:eu-west-1:111122223333:db:orders", "orders"),
            (
                "arn:aws:rds:eu-west-1:111122223333:snapshot:rds:orders-2026-01-31",
                "rds:orders-2026-01-31",
            ),
            ("rds:orders-2026-01-31", "rds:orders-2026-01-31"),
            ("orders", "orders"),
        ] {
            assert_eq!(name_of(text), name, "{text}");
        }
    }

    #[test]
    fn tags_and_the_next_page() {
        let text = "<R><DescribeDBClustersResult><Marker>m1</Marker><DBClusters><DBCluster>\
             <DBClusterArn>arn:aws:rds:eu-west-1:111122223333:cluster:c</DBClusterArn>\
             <TagList><Tag><Key>env</Key><Value>prod</Value></Tag><Tag><Key>empty</Key></Tag></TagList>\
             </DBCluster></DBClusters></DescribeDBClustersResult></R>";
        let page = page(
            &place(),
            ResourceKind::DatabaseCluster,
            "rds:DescribeDBClusters",
            text,
        )
        .unwrap();
        assert_eq!(page.next, Next::Token("m1".to_owned()));
        let tags = page.items[0].tags.get().unwrap();
        assert_eq!((tags["env"].raw(), tags["empty"].raw()), ("prod", ""));
    }

    #[test]
    fn an_error_page_is_not_an_empty_list() {
        for text in [
            "<html/>",
            "<R><DescribeDBInstancesResult/></R>",
            "<R><DescribeDBInstancesResult><DBInstances>",
        ] {
            assert!(
                page(&place(), ResourceKind::Database, "rds:DescribeDBInstances", text).is_err(),
                "{text}"
            );
        }
        let empty = "<R><DescribeDBInstancesResult><DBInstances/></DescribeDBInstancesResult></R>";
        assert!(
            page(&place(), ResourceKind::Database, "rds:DescribeDBInstances", empty)
                .unwrap()
                .items
                .is_empty()
        );
    }
}
