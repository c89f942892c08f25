//! The inventory follows snapshots, and absence proves something only where a listing came to its end.

use keyvigil_model::id::SourceId;
use keyvigil_model::key::{KeyForm, KeyTier};
use keyvigil_model::snapshot::{AwsBucket, BucketEncryption};
use keyvigil_model::untrusted::Untrusted;
use keyvigil_model::verdict::Read;

use super::*;

const KEY: &str = "arn:aws:kms:eu-west-1:111111111111:key/k1";

fn key(id: &str, aliases: Read<Vec<&str>>) -> Resource {
    let aliases = match aliases {
        Read::Known(list) => Read::Known(list.into_iter().map(Untrusted::from).collect()),
        Read::Unknown(reason) => Read::Unknown(reason),
    };
    let config = Config::AwsKmsKey(Box::new(AwsKmsKey {
        id: KeyId::from(id),
        aliases,
        metadata: Read::Unknown(UnknownReason::Denied),
        rotation: Read::Unknown(UnknownReason::Denied),
        rotations: Read::Unknown(UnknownReason::Denied),
        policy: Read::Unknown(UnknownReason::Denied),
        grants: Read::Unknown(UnknownReason::Denied),
    }));
    resource(id, ResourceKind::Key, config)
}

fn bucket(name: &str, key: Option<&str>) -> Resource {
    let encryption = BucketEncryption {
        tier: KeyTier::CustomerManaged,
        key: key.map(KeyId::from),
        customer_key_blocked: false,
    };
    let config = Config::AwsBucket(Box::new(AwsBucket {
        encryption: Read::Known(encryption),
        policy: Read::Known(None),
        public_access_blocked: Read::Known(true),
        is_log_target: false,
    }));
    resource(name, ResourceKind::Bucket, config)
}

fn resource(id: &str, kind: ResourceKind, config: Config) -> Resource {
    Resource {
        reference: ResourceRef {
            id: ResourceId::from(id),
            kind,
            account: None,
            region: None,
        },
        name: Untrusted::from(id),
        tags: Read::Known(BTreeMap::new()),
        config,
    }
}

fn snapshot(at: i64, scope: SnapshotScope, resources: Vec<Resource>) -> Snapshot {
    Snapshot {
        source: SourceId::from("aws/test"),
        provider: Provider::Aws,
        account: AccountId::from("111111111111"),
        region: Region::from("eu-west-1"),
        taken_at: Timestamp::from_secs(at),
        scope,
        resources,
        blind: Vec::new(),
    }
}

fn keys(at: i64, list: Vec<Resource>) -> Snapshot {
    snapshot(at, SnapshotScope::Complete(vec![Family::Keys]), list)
}

fn ids(references: &[ResourceRef]) -> Vec<&str> {
    references.iter().map(|reference| reference.id.as_str()).collect()
}

fn alias(name: &str) -> KeyRef {
    KeyRef {
        id: KeyId::from(name),
        form: names::form_of(name),
        account: Some(AccountId::from("111111111111")),
        region: Some(Region::from("eu-west-1")),
        alias: None,
    }
}

#[test]
fn only_a_complete_listing_removes() {
    let mut inventory = Inventory::default();
    let two = vec![
        key(KEY, Read::Known(vec![])),
        key("arn:aws:kms:eu-west-1:111111111111:key/k2", Read::Known(vec![])),
    ];
    let change = inventory.apply(&keys(1, two));
    assert_eq!(change.changed.len(), 2);
    let one = || vec![key(KEY, Read::Known(vec![]))];
    let partial = snapshot(2, SnapshotScope::Partial(vec![Family::Keys]), one());
    assert_eq!(ids(&inventory.apply(&partial).gone), [""; 0]);
    let other_family = snapshot(3, SnapshotScope::Complete(vec![Family::Buckets]), vec![]);
    assert_eq!(ids(&inventory.apply(&other_family).gone), [""; 0]);
    let change = inventory.apply(&keys(4, one()));
    assert_eq!(ids(&change.gone), ["arn:aws:kms:eu-west-1:111111111111:key/k2"]);
    assert_eq!(ids(&change.changed), [KEY]);
}

#[test]
fn an_old_snapshot_changes_nothing() {
    let mut inventory = Inventory::default();
    let reference = key(KEY, Read::Known(vec![])).reference;
    inventory.apply(&snapshot(
        10,
        SnapshotScope::One(reference),
        vec![key(KEY, Read::Known(vec!["alias/new"]))],
    ));
    // The listing began before the key was read for itself.
    let change = inventory.apply(&keys(5, vec![]));
    assert_eq!(ids(&change.gone), [""; 0]);
    inventory.apply(&keys(6, vec![key(KEY, Read::Known(vec!["alias/old"]))]));
    assert_eq!(inventory.resolve(&alias("alias/new")).id.as_str(), KEY);
    assert_eq!(inventory.resolve(&alias("alias/old")).form, KeyForm::Alias);
}

#[test]
fn names_are_resolved_per_account_and_region() {
    let mut inventory = Inventory::default();
    let replica = "arn:aws:kms:us-east-1:111111111111:key/k1";
    inventory.apply(&keys(
        1,
        vec![
            key(KEY, Read::Known(vec!["alias/app"])),
            key(replica, Read::Known(vec!["alias/app"])),
        ],
    ));
    for (name, expected) in [
        ("alias/app", KEY),
        ("k1", KEY),
        ("arn:aws:kms:us-east-1:111111111111:alias/app", replica),
        (KEY, KEY),
        (
            "arn:aws:kms:eu-west-1:222222222222:alias/app",
            "arn:aws:kms:eu-west-1:222222222222:alias/app",
        ),
        ("alias/unknown", "alias/unknown"),
        ("!", "!"),
    ] {
        assert_eq!(inventory.resolve(&alias(name)).id.as_str(), expected, "{name}");
    }
    let mut nowhere = alias("alias/app");
    (nowhere.account, nowhere.region) = (None, None);
    assert_eq!(
        inventory.resolve(&nowhere).form,
        KeyForm::Alias,
        "two keys have that name"
    );
    let resolved = inventory.resolve(&alias(KEY));
    assert_eq!(resolved.alias, Some(Untrusted::from("alias/app")));
    // An alias that can no longer be read is not believed.
    inventory.apply(&keys(2, vec![key(KEY, Read::Unknown(UnknownReason::Denied))]));
    assert_eq!(inventory.resolve(&alias("alias/app")).form, KeyForm::Alias);
}

#[test]
fn what_uses_a_key_is_judged_again_when_the_key_differs() {
    let mut inventory = Inventory::default();
    let buckets = vec![
        bucket("b1", Some(KEY)),
        bucket("b2", Some("alias/app")),
        bucket("b3", None),
    ];
    inventory.apply(&snapshot(
        1,
        SnapshotScope::Complete(vec![Family::Buckets]),
        buckets,
    ));
    assert_eq!(inventory.protects(&KeyId::from(KEY)).as_deref(), Some("1 bucket"));
    let change = inventory.apply(&keys(2, vec![key(KEY, Read::Known(vec!["alias/app"]))]));
    assert_eq!(ids(&change.changed), [KEY, "b2", "b1"]);
    assert_eq!(
        inventory.protects(&KeyId::from(KEY)).as_deref(),
        Some("2 buckets")
    );
    let change = inventory.apply(&keys(3, vec![key(KEY, Read::Known(vec!["alias/app"]))]));
    assert_eq!(ids(&change.changed), [KEY], "nothing differs");
    let change = inventory.apply(&keys(4, vec![]));
    assert_eq!(
        (ids(&change.changed), ids(&change.gone)),
        (vec!["b2", "b1"], vec![KEY])
    );
    assert_eq!(inventory.protects(&KeyId::from("other")), None);
}

#[test]
fn replicas_are_judged_again_when_their_primary_differs() {
    let mut inventory = Inventory::default();
    let primary = || {
        key(
            "arn:aws:kms:us-east-1:111111111111:key/mrk-1",
            Read::Known(vec!["alias/a"]),
        )
    };
    let replica = "arn:aws:kms:eu-west-1:111111111111:key/mrk-1";
    inventory.apply(&keys(1, vec![key(replica, Read::Known(vec![]))]));
    let elsewhere = |at| Snapshot {
        region: Region::from("us-east-1"),
        ..keys(at, vec![primary()])
    };
    let change = inventory.apply(&elsewhere(2));
    assert!(ids(&change.changed).contains(&replica), "{change:?}");
    let change = inventory.apply(&elsewhere(3));
    assert!(!ids(&change.changed).contains(&replica), "nothing differs");
}

#[test]
fn accounts_do_not_share_what_has_the_same_name() {
    let mut inventory = Inventory::default();
    for account in ["111111111111", "222222222222"] {
        let mut taken = snapshot(
            1,
            SnapshotScope::Complete(vec![Family::Buckets]),
            vec![bucket("same", None)],
        );
        taken.account = AccountId::from(account);
        inventory.apply(&taken);
    }
    for account in ["111111111111", "222222222222"] {
        let mut reference = bucket("same", None).reference;
        reference.account = Some(AccountId::from(account));
        let found = inventory.find(&reference).unwrap();
        assert_eq!(found.seen_from.as_str(), account);
    }
}

#[test]
fn a_key_that_is_not_there_is_missing_only_after_a_complete_listing() {
    let mut inventory = Inventory::default();
    let named = alias(KEY);
    assert_eq!(
        inventory.look_up(&named),
        KeyLookup::NotVisible(UnknownReason::NotVisible)
    );
    inventory.apply(&keys(1, vec![]));
    assert_eq!(
        inventory.look_up(&named),
        KeyLookup::Missing(Timestamp::from_secs(1))
    );
    inventory.apply(&snapshot(2, SnapshotScope::Partial(vec![Family::Keys]), vec![]));
    assert_eq!(
        inventory.look_up(&named),
        KeyLookup::NotVisible(UnknownReason::NotVisible)
    );
}

#[test]
fn it_is_bounded_and_then_proves_nothing() {
    let mut inventory = Inventory::with_capacity(1);
    let two = vec![
        key(KEY, Read::Known(vec![])),
        key("arn:aws:kms:eu-west-1:111111111111:key/k2", Read::Known(vec![])),
    ];
    inventory.apply(&keys(1, two));
    assert_eq!(inventory.all().count(), 1);
    let second = alias("arn:aws:kms:eu-west-1:111111111111:key/k2");
    assert_eq!(
        inventory.look_up(&second),
        KeyLookup::NotVisible(UnknownReason::NotVisible)
    );
}

#[test]
fn accounts_are_judged_when_their_audit_logs_were_listed() {
    let mut inventory = Inventory::default();
    let change = inventory.apply(&snapshot(
        1,
        SnapshotScope::Complete(vec![Family::AuditLogs]),
        vec![],
    ));
    assert_eq!(
        change.changed,
        [account_reference(&AccountId::from("111111111111"))]
    );
}

#[test]
fn tags_say_the_class_of_data() {
    use data_class::{DataClass, MissingTag, data_class};
    let words = crate::policy::tags::Tags::default();
    let class = |pairs: &[(&str, &str)]| {
        let tags = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Untrusted::from(*value)))
            .collect();
        data_class(&Read::Known(tags), &words)
    };
    for (pairs, expected) in [
        (
            &[("Env", "PROD"), ("Classification", "Confidential")][..],
            DataClass::ProductionConfidential,
        ),
        (
            &[("env", "dev"), ("classification", "confidential")],
            DataClass::Other,
        ),
        (&[("classification", "public")], DataClass::Other),
        (
            &[("env", "prod")],
            DataClass::NotTagged(MissingTag::Classification),
        ),
        (
            &[("classification", "pii")],
            DataClass::NotTagged(MissingTag::Environment),
        ),
        (
            &[("env", " "), ("name", "x")],
            DataClass::NotTagged(MissingTag::Both),
        ),
        (
            &[("env", "dev"), ("stage", "live"), ("sensitivity", "phi")],
            DataClass::ProductionConfidential,
        ),
    ] {
        assert_eq!(class(pairs), Ok(expected), "{pairs:?}");
    }
    assert_eq!(
        data_class(&Read::Unknown(UnknownReason::Denied), &words),
        Err(UnknownReason::Denied)
    );
    let tags = [
        ("Owner".to_owned(), Untrusted::from("team\u{202e} a")),
        ("env".to_owned(), Untrusted::from("prod")),
    ];
    let line = data_class::owner_line(&Read::Known(tags.into()), &words);
    assert_eq!(line, Some(Untrusted::from("owner team a, environment prod")));
}
