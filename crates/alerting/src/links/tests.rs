//! Addresses are built from identifiers that match the grammar, or not at all.

use keyvigil_model::resource::ResourceRef;
use keyvigil_model::severity::Severity;

use super::*;
use crate::samples::finding;

fn addresses(finding: &Finding) -> Vec<String> {
    links(&LinkSettings::default(), finding)
        .into_iter()
        .map(|(_, address)| address)
        .collect()
}

#[test]
fn a_key_and_its_record_are_linked() {
    let settings = LinkSettings {
        console: ConsoleLinks::On,
        findings: Some("https://kv.example/f/".to_owned()),
        runbooks: Some("https://kv.example/r/".to_owned()),
    };
    let one = finding("a", Severity::High, 0);
    let found: Vec<String> = links(&settings, &one)
        .into_iter()
        .map(|(_, address)| address)
        .collect();
    assert_eq!(
        found,
        [
            format!("https://kv.example/f/{}", one.id).as_str(),
            "https://eu-west-1.console.aws.amazon.com/kms/home?region=eu-west-1#/kms/keys/1234abcd-12ab-34cd-56ef-1234567890ab",
            "https://eu-west-1.console.aws.amazon.com/cloudtrailv2/home?region=eu-west-1#/events/0e4d136e-0000-4000-8000-00000000000a",
            "https://kv.example/r/key.destroy_scheduled",
        ]
    );
    let off = LinkSettings {
        console: ConsoleLinks::Off,
        ..LinkSettings::default()
    };
    assert!(links(&off, &one).is_empty());
}

#[test]
fn key_links_need_a_whole_and_clean_arn() {
    let uuid = "1234abcd-12ab-34cd-56ef-1234567890ab";
    for (id, expected) in [
        (
            format!("arn:aws-cn:kms:cn-north-1:111122223333:key/{uuid}"),
            Some("https://cn-north-1.console.amazonaws.cn/"),
        ),
        (
            format!("arn:aws-us-gov:kms:us-gov-east-1:111122223333:key/{uuid}"),
            Some("https://us-gov-east-1.console.amazonaws-us-gov.com/"),
        ),
        (
            format!(
                "arn:aws:kms:ap-southeast-2:111122223333:key/mrk-{}",
                "0123456789abcdef".repeat(2)
            ),
            Some("https://ap-southeast-2.console.aws.amazon.com/"),
        ),
        (format!("arn:evil:kms:eu-west-1:111122223333:key/{uuid}"), None),
        (
            format!("arn:aws:kms:evil.example/#:111122223333:key/{uuid}"),
            None,
        ),
        (
            format!("arn:aws:kms:eu-west-1.evil:111122223333:key/{uuid}"),
            None,
        ),
        (format!("arn:aws:kms:eu-west-1:1111x:key/{uuid}"), None),
        (format!("arn:aws:kms:eu-west-1:111122223333:key/{uuid}|x"), None),
        (format!("arn:aws:kms:eu-west-1:111122223333:key/../{uuid}"), None),
        ("arn:aws:kms:eu-west-1:111122223333:alias/x".to_owned(), None),
        (uuid.to_owned(), None),
        (String::new(), None),
    ] {
        let mut one = finding("a", Severity::High, 0);
        one.event_ids.clear();
        if let Some(key) = &mut one.key {
            key.id = id.as_str().into();
        }
        let found = addresses(&one);
        match expected {
            Some(start) => assert!(found.len() == 1 && found[0].starts_with(start), "{id}: {found:?}"),
            None => assert!(found.is_empty(), "{id}: {found:?}"),
        }
    }
}

#[test]
fn resources_are_linked_by_kind() {
    let check = |kind, id: &str, end: Option<&str>| {
        let mut one = finding("a", Severity::High, 0);
        one.key = None;
        one.event_ids.clear();
        one.resource = Some(ResourceRef {
            id: id.into(),
            kind,
            account: None,
            region: None,
        });
        let found = addresses(&one);
        match end {
            Some(end) => assert!(found.len() == 1 && found[0].ends_with(end), "{id}: {found:?}"),
            None => assert!(found.is_empty(), "{id}: {found:?}"),
        }
    };
    use ResourceKind::{Bucket, Database, DatabaseCluster, Disk, DiskSnapshot, Secret};
    check(
        Bucket,
        "arn:aws:s3:::my-bucket",
        Some("/s3/buckets/my-bucket?region=eu-west-1&tab=properties"),
    );
    check(Bucket, "arn:aws:s3:::my-bucket/../x", None);
    check(Bucket, "arn:aws:s3:::a?x=y", None);
    check(
        Database,
        "arn:aws:rds:eu-west-1:1:db:orders",
        Some("#database:id=orders;is-cluster=false"),
    );
    check(Database, "arn:aws:rds:eu-west-1:1:db:a;is-cluster=true", None);
    check(
        DatabaseCluster,
        "arn:aws:rds:eu-west-1:1:cluster:c",
        Some("#database:id=c;is-cluster=true"),
    );
    check(
        Disk,
        "arn:aws:ec2:eu-west-1:1:volume/vol-0a",
        Some("#VolumeDetails:volumeId=vol-0a"),
    );
    check(
        DiskSnapshot,
        "arn:aws:ec2:eu-west-1:1:snapshot/snap-0a",
        Some("#SnapshotDetails:snapshotId=snap-0a"),
    );
    check(Secret, "arn:aws:secretsmanager:eu-west-1:1:secret:x-AbCdEf", None);
}

#[test]
fn regions_follow_the_grammar() {
    for (text, fits) in [
        ("eu-west-1", true),
        ("ap-southeast-12", true),
        ("us-gov-east-1", true),
        ("us-iso-east-1", true),
        ("global", false),
        ("", false),
        ("eu--1", false),
        ("eu-west-1/", false),
        ("EU-west-1", false),
        ("eu-west-one", false),
        ("eu-west-1.evil.example", false),
    ] {
        assert_eq!(is_region(text), fits, "{text}");
    }
}
