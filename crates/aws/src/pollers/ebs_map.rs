//! EC2's answers about volumes and snapshots as model values.

use keyvigil_model::id::KeyId;
use keyvigil_model::resource::ResourceRef;
use keyvigil_model::snapshot::{Config, Resource, Storage};
use keyvigil_model::untrusted::Untrusted;
use keyvigil_model::verdict::{Read, UnknownReason};

use crate::client::failure::AwsError;
use crate::pollers::listing::{Next, Page};
use crate::pollers::place::{Place, bare_name, tags};
use crate::pollers::xml;

/// `GetEbsEncryptionByDefault`.
pub(crate) fn enabled_by_default(text: &str) -> Result<Result<bool, UnknownReason>, AwsError> {
    let answer: xml::EbsEncryptionByDefault = xml::read("ec2:GetEbsEncryptionByDefault", text)?;
    Ok(xml::boolean(Some(&answer.enabled)).ok_or(UnknownReason::UnsupportedValue))
}

/// `GetEbsDefaultKmsKeyId`: an ARN, or `alias/aws/ebs` where the customer chose none.
pub(crate) fn default_key(text: &str) -> Result<Result<KeyId, UnknownReason>, AwsError> {
    let answer: xml::EbsDefaultKey = xml::read("ec2:GetEbsDefaultKmsKeyId", text)?;
    let key = xml::filled(Some(answer.key)).ok_or(UnknownReason::Unreadable);
    Ok(key.map(KeyId::new))
}

/// A page of `DescribeVolumes`. A volume without an id is not there.
pub(crate) fn volumes(place: &Place, text: &str) -> Result<Page<Resource>, AwsError> {
    let answer: xml::Volumes = xml::read("ec2:DescribeVolumes", text)?;
    let mut items = Vec::new();
    for volume in answer.set.item {
        if let Some(id) = xml::filled(volume.volume_id.clone()) {
            let product = volume.volume_type.clone().unwrap_or_else(|| "ebs".to_owned());
            items.push(storage(place.volume(&id), volume, &product));
        }
    }
    Ok(Page {
        items,
        next: Next::of_token(answer.next),
    })
}

/// A page of `DescribeSnapshots`.
pub(crate) fn snapshots(place: &Place, text: &str) -> Result<Page<Resource>, AwsError> {
    let answer: xml::Snapshots = xml::read("ec2:DescribeSnapshots", text)?;
    let mut items = Vec::new();
    for snapshot in answer.set.item {
        if let Some(id) = xml::filled(snapshot.snapshot_id.clone()) {
            items.push(storage(place.disk_snapshot(&id), snapshot, "ebs-snapshot"));
        }
    }
    Ok(Page {
        items,
        next: Next::of_token(answer.next),
    })
}

fn storage(reference: ResourceRef, volume: xml::Volume, product: &str) -> Resource {
    let tags = tags(
        volume
            .tag_set
            .item
            .iter()
            .map(|tag| (tag.key.as_deref(), tag.value.as_deref())),
    );
    let id = bare_name(reference.id.as_str());
    let name = tags.get("Name").cloned().unwrap_or_else(|| Untrusted::from(id));
    Resource {
        reference,
        name,
        tags: Read::Known(tags),
        config: Config::Storage(Storage {
            encrypted: xml::boolean(volume.encrypted.as_deref())
                .map_or(Read::Unknown(UnknownReason::Unreadable), Read::Known),
            key: xml::filled(volume.kms_key_id).map(KeyId::new),
            product: product.into(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place::new("111122223333".into(), "eu-west-1".into())
    }

    fn storage_of(resource: &Resource) -> &Storage {
        match &resource.config {
            Config::Storage(storage) => storage,
            other => panic!("not storage: {other:?}"),
        }
    }

    const VOLUMES: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<DescribeVolumesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
  <requestId>r-1</requestId>
  <volumeSet>
    <item>
      <volumeId>vol-1</volumeId><size>8</size><snapshotId/><availabilityZone>eu-west-1a</availabilityZone>
      <attachmentSet><item><volumeId>vol-1</volumeId><instanceId>i-1</instanceId></item></attachmentSet>
      <encrypted>true</encrypted><kmsKeyId>arn:aws:kms:eu-west-1:111122223333:key/k1</kmsKeyId>
      <tagSet><item><key>Name</key><value>orders &lt;db&gt;</value></item><item><key>env</key><value/></item></tagSet>
      <volumeType>gp3</volumeType><somethingNew><deep>1</deep></somethingNew>
    </item>
    <item><volumeId>vol-2</volumeId><encrypted>false</encrypted><volumeType>io2</volumeType></item>
    <item><volumeId>vol-3</volumeId></item>
    <item><size>1</size></item>
  </volumeSet>
  <nextToken>more</nextToken>
</DescribeVolumesResponse>"#;

    #[test]
    fn volumes_are_read_and_broken_ones_cost_their_neighbours_nothing() {
        let page = volumes(&place(), VOLUMES).unwrap();
        assert_eq!(page.next, Next::Token("more".to_owned()));
        assert_eq!(page.items.len(), 3);
        let first = &page.items[0];
        assert_eq!(
            first.reference.id.as_str(),
            "arn:aws:ec2:eu-west-1:111122223333:volume/vol-1"
        );
        assert_eq!(first.name.raw(), "orders <db>");
        assert_eq!(
            storage_of(first),
            &Storage {
                encrypted: Read::Known(true),
                key: Some("arn:aws:kms:eu-west-1:111122223333:key/k1".into()),
                product: "gp3".into(),
            }
        );
        let tags = first.tags.get().unwrap();
        assert_eq!(tags["env"].raw(), "");
        assert_eq!(storage_of(&page.items[1]).encrypted, Read::Known(false));
        assert_eq!(page.items[1].name.raw(), "vol-2");
        assert_eq!(
            storage_of(&page.items[2]).encrypted,
            Read::Unknown(UnknownReason::Unreadable)
        );
    }

    #[test]
    fn snapshots_are_read() {
        let page = snapshots(
            &place(),
            "<DescribeSnapshotsResponse><snapshotSet><item><snapshotId>snap-1</snapshotId>\
             <volumeId>vol-1</volumeId><encrypted>false</encrypted></item></snapshotSet><nextToken/>\
             </DescribeSnapshotsResponse>",
        )
        .unwrap();
        assert_eq!(page.next, Next::Ended);
        assert_eq!(
            page.items[0].reference.id.as_str(),
            "arn:aws:ec2:eu-west-1::snapshot/snap-1"
        );
        assert_eq!(&*storage_of(&page.items[0]).product, "ebs-snapshot");
    }

    #[test]
    fn an_empty_list_is_empty_and_another_document_is_an_error() {
        let empty = "<DescribeVolumesResponse><volumeSet/></DescribeVolumesResponse>";
        assert_eq!(volumes(&place(), empty).unwrap().items.len(), 0);
        for text in ["", "<html><body>busy</body></html>", "<a><volumeSet><item>", "{}"] {
            let error = volumes(&place(), text).err().unwrap();
            assert_eq!(error.call, "ec2:DescribeVolumes", "{text}");
        }
    }

    #[test]
    fn defaults_are_read() {
        let answer = |value: &str| {
            format!(
                "<GetEbsEncryptionByDefaultResponse><ebsEncryptionByDefault>{value}</ebsEncryptionByDefault>\
                 <sseType>sse-kms</sseType></GetEbsEncryptionByDefaultResponse>"
            )
        };
        for (value, expected) in [
            ("true", Ok(true)),
            ("false", Ok(false)),
            ("partly", Err(UnknownReason::UnsupportedValue)),
        ] {
            assert_eq!(enabled_by_default(&answer(value)).unwrap(), expected, "{value}");
        }
        let key = "<GetEbsDefaultKmsKeyIdResponse><kmsKeyId>alias/aws/ebs</kmsKeyId></GetEbsDefaultKmsKeyIdResponse>";
        assert_eq!(default_key(key).unwrap(), Ok("alias/aws/ebs".into()));
        assert!(default_key("<html/>").is_err());
    }
}
