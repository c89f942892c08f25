//! Buckets, disks, databases, and the keys that they name.

use keyvigil_model::snapshot::AwsEbsDefault;

use super::*;

const BUCKET: &str = "arn:aws:s3:::shop";
const AWS_KEY: &str = "arn:aws:kms:eu-west-1:111111111111:key/of-aws";

fn of_aws() -> Resource {
    let mut key = key_with(|m| m.managed_by_customer = false);
    key.id = KeyId::from(AWS_KEY);
    key.aliases = Read::Known(vec![Untrusted::from("alias/aws/s3")]);
    key_resource(key)
}

/// The resource in a world with the standard key and a key of AWS.
fn among_keys(resource: Resource, family: Family) -> World {
    World::of(&[
        complete(family, vec![resource]),
        complete(Family::Keys, vec![key_resource(key()), of_aws()]),
    ])
}

#[test]
fn default_encryption_has_the_level_that_the_data_needs() {
    let none = AwsBucket {
        encryption: Read::Known(BucketEncryption {
            tier: KeyTier::None,
            key: None,
            customer_key_blocked: false,
        }),
        ..bucket()
    };
    let unread = AwsBucket {
        encryption: Read::Unknown(DENIED),
        ..bucket()
    };
    let logs = AwsBucket {
        is_log_target: true,
        ..bucket()
    };
    let untaggable = |bucket| Resource {
        tags: Read::Unknown(DENIED),
        ..bucket_resource(bucket)
    };
    for (why, resource, expected) in [
        ("SSE-S3, no class", bucket_resource(bucket()), "pass"),
        ("none", bucket_resource(none.clone()), "fail"),
        ("none, tags denied", untaggable(none), "fail"),
        (
            "SSE-S3, confidential",
            tagged(bucket_resource(bucket()), CONFIDENTIAL),
            "fail",
        ),
        (
            "40: log target, confidential",
            tagged(bucket_resource(logs), CONFIDENTIAL),
            "pass",
        ),
        (
            "customer key, confidential",
            tagged(bucket_resource(bucket_under(KEY)), CONFIDENTIAL),
            "pass",
        ),
        (
            "by alias",
            tagged(bucket_resource(bucket_under("alias/app")), CONFIDENTIAL),
            "pass",
        ),
        (
            "a key of AWS, by ARN",
            tagged(bucket_resource(bucket_under(AWS_KEY)), CONFIDENTIAL),
            "fail",
        ),
        (
            "a key of AWS, by alias",
            tagged(bucket_resource(bucket_under("alias/aws/s3")), CONFIDENTIAL),
            "fail",
        ),
        (
            "a key that was not read",
            tagged(bucket_resource(bucket_under("k9")), CONFIDENTIAL),
            "unknown not_visible",
        ),
        (
            "a key that was not read, no class",
            bucket_resource(bucket_under("k9")),
            "pass",
        ),
        ("not readable", bucket_resource(unread), "unknown denied"),
        ("tags not readable", untaggable(bucket()), "unknown denied"),
        (
            "tags not readable, customer key",
            untaggable(bucket_under(KEY)),
            "pass",
        ),
    ] {
        let world = among_keys(resource, Family::Buckets);
        assert_eq!(
            world.verdict("aws.s3.default_encryption", BUCKET),
            expected,
            "{why}"
        );
    }
}

#[test]
fn buckets_refuse_plain_http() {
    let with = |statement: &str| {
        let policy = policy_text(&format!(r#"{{"Statement":[{statement}]}}"#));
        bucket_resource(AwsBucket {
            policy: Read::Known(Some(policy)),
            ..bucket()
        })
    };
    let deny = |resource: &str| {
        format!(
            r#"{{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":{resource},"Condition":{{"Bool":{{"aws:SecureTransport":"false"}}}}}}"#
        )
    };
    for (why, resource, expected) in [
        (
            "enforced",
            with(&deny(r#"["arn:aws:s3:::shop","arn:aws:s3:::shop/*"]"#)),
            "pass",
        ),
        ("objects only", with(&deny(r#""arn:aws:s3:::shop/*""#)), "fail"),
        ("another bucket", with(&deny(r#""arn:aws:s3:::other/*""#)), "fail"),
        ("no policy", bucket_resource(bucket()), "fail"),
        ("broken", with("7"), "unknown unsupported_value"),
        (
            "not readable",
            bucket_resource(AwsBucket {
                policy: Read::Unknown(DENIED),
                ..bucket()
            }),
            "unknown denied",
        ),
    ] {
        check("aws.s3.tls_enforced", why, resource, expected);
    }
    let mut bare = with(&deny(r#"["arn:aws:s3:::shop","arn:aws:s3:::shop/*"]"#));
    bare.reference.id = ResourceId::from("shop");
    check("aws.s3.tls_enforced", "named without ARN", bare, "pass");
}

#[test]
fn disks_and_databases() {
    let region = |enabled| {
        let default = AwsEbsDefault {
            enabled,
            key: Read::Unknown(DENIED),
        };
        resource(
            "eu-west-1",
            ResourceKind::DiskDefault,
            Config::AwsEbsDefault(default),
        )
    };
    check(
        "aws.ebs.default_encryption",
        "on",
        region(Read::Known(true)),
        "pass",
    );
    check(
        "aws.ebs.default_encryption",
        "off",
        region(Read::Known(false)),
        "fail",
    );
    check(
        "aws.ebs.default_encryption",
        "not readable",
        region(Read::Unknown(DENIED)),
        "unknown denied",
    );
    for kind in [
        ResourceKind::Database,
        ResourceKind::DatabaseCluster,
        ResourceKind::DatabaseSnapshot,
    ] {
        for (encrypted, expected) in [
            (Read::Known(true), "pass"),
            (Read::Known(false), "fail"),
            (Read::Unknown(DENIED), "unknown denied"),
        ] {
            let mut resource = database(encrypted, None);
            resource.reference.kind = kind;
            check("aws.rds.storage_encrypted", kind.as_str(), resource, expected);
        }
    }
    let mut disk = database(Read::Known(false), None);
    disk.reference.kind = ResourceKind::Disk;
    check("aws.rds.storage_encrypted", "a disk is no database", disk, "none");
}

#[test]
fn confidential_production_data_is_under_a_customers_key() {
    let under = |key| database(Read::Known(true), Some(key));
    let foreign = "arn:aws:kms:eu-west-1:222222222222:key/f";
    for (why, resource, expected) in [
        ("customer key", tagged(under(KEY), CONFIDENTIAL), "pass"),
        ("key of AWS", tagged(under(AWS_KEY), CONFIDENTIAL), "fail"),
        (
            "not encrypted",
            tagged(database(Read::Known(false), None), CONFIDENTIAL),
            "fail",
        ),
        (
            "a key of another account is a customer's",
            tagged(under(foreign), CONFIDENTIAL),
            "pass",
        ),
        (
            "a key that was not read",
            tagged(under("k9"), CONFIDENTIAL),
            "unknown not_visible",
        ),
        (
            "not readable",
            tagged(database(Read::Unknown(DENIED), None), CONFIDENTIAL),
            "unknown denied",
        ),
        (
            "development",
            tagged(
                under(AWS_KEY),
                &[("env", "dev"), ("classification", "confidential")],
            ),
            "not_applicable",
        ),
        (
            "public",
            tagged(under(AWS_KEY), &[("classification", "public")]),
            "not_applicable",
        ),
        ("no tags", under(KEY), "unknown not_visible"),
        (
            "no classification",
            tagged(under(KEY), &[("env", "prod")]),
            "unknown not_visible",
        ),
        (
            "tags not readable",
            Resource {
                tags: Read::Unknown(DENIED),
                ..under(KEY)
            },
            "unknown denied",
        ),
    ] {
        let id = resource.reference.id.as_str().to_owned();
        let world = among_keys(resource, Family::Databases);
        assert_eq!(world.verdict("x.cmk.prod_confidential", &id), expected, "{why}");
    }
    // The organisation's own words.
    let own = tagged(
        bucket_resource(bucket()),
        &[("stufe", "echt"), ("schutz", "hoch")],
    );
    let world = among_keys(own, Family::Buckets).with(serde_json::json!({"tags": {
        "environment": ["stufe"], "production": ["echt"], "classification": ["schutz"], "confidential": ["hoch"]}}));
    assert_eq!(world.verdict("x.cmk.prod_confidential", BUCKET), "fail");
}

#[test]
fn the_named_key_can_be_used() {
    let state = |state| key_with(|m| m.state = state);
    for (why, key, expected) in [
        ("enabled", key(), "pass"),
        ("disabled", state(AwsKeyState::Disabled), "fail"),
        ("to be destroyed", state(AwsKeyState::PendingDeletion), "fail"),
        (
            "to be destroyed after its replicas",
            state(AwsKeyState::PendingReplicaDeletion),
            "fail",
        ),
        ("no material", state(AwsKeyState::PendingImport), "fail"),
        ("store not reachable", state(AwsKeyState::Unavailable), "fail"),
        ("primary moves", state(AwsKeyState::Updating), "pass"),
        ("being made", state(AwsKeyState::Creating), "unknown not_yet_read"),
        (
            "not known",
            state(AwsKeyState::Unrecognised),
            "unknown unsupported_value",
        ),
        (
            "key of AWS",
            key_with(|m| m.managed_by_customer = false),
            "not_applicable",
        ),
        (
            "not described",
            AwsKmsKey {
                metadata: Read::Unknown(DENIED),
                ..key()
            },
            "unknown denied",
        ),
    ] {
        for name in [
            KEY,
            "alias/app",
            "arn:aws:kms:eu-west-1:111111111111:alias/app",
            "k1",
        ] {
            let world = World::of(&[
                complete(Family::Keys, vec![key_resource(key.clone())]),
                complete(Family::Buckets, vec![bucket_resource(bucket_under(name))]),
            ]);
            assert_eq!(
                world.verdict("x.cmk.key_usable", BUCKET),
                expected,
                "{why}: {name}"
            );
        }
    }
}

#[test]
fn a_key_that_is_not_there() {
    let with = |name: &str, keys: Option<Snapshot>| {
        let mut snapshots = vec![complete(
            Family::Buckets,
            vec![bucket_resource(bucket_under(name))],
        )];
        snapshots.extend(keys);
        World::of(&snapshots)
    };
    let foreign = "arn:aws:kms:eu-west-1:222222222222:key/f";
    let partial = || snapshot(SnapshotScope::Partial(vec![Family::Keys]), vec![]);
    let old = || Snapshot {
        taken_at: days_ago(1),
        ..complete(Family::Keys, vec![])
    };
    for (why, world, expected) in [
        (
            "listed to the end, and it is not there",
            with(KEY, Some(complete(Family::Keys, vec![]))),
            "fail",
        ),
        (
            "listed in part",
            with(KEY, Some(partial())),
            "unknown not_visible",
        ),
        ("not listed", with(KEY, None), "unknown not_visible"),
        ("listed before", with(KEY, Some(old())), "unknown not_yet_read"),
        (
            "key of another account",
            with(foreign, Some(complete(Family::Keys, vec![]))),
            "unknown not_visible",
        ),
        (
            "no key",
            World::of(&[complete(Family::Buckets, vec![bucket_resource(bucket())])]),
            "not_applicable",
        ),
        ("default key of S3", with("alias/aws/s3", None), "not_applicable"),
    ] {
        assert_eq!(world.verdict("x.cmk.key_usable", BUCKET), expected, "{why}");
    }
    let unread = bucket_resource(AwsBucket {
        encryption: Read::Unknown(DENIED),
        ..bucket()
    });
    check("x.cmk.key_usable", "not readable", unread, "unknown denied");
    for (why, policy, expected) in [
        (
            "an account that is not trusted",
            serde_json::json!({"organisation": {"accounts": [OWN]}}),
            "fail",
        ),
        (
            "an account that is",
            serde_json::json!({"organisation": {"accounts": ["222222222222"]}}),
            "unknown not_visible",
        ),
        (
            "a region that is not approved",
            serde_json::json!({"approved_regions": ["us-*"]}),
            "fail",
        ),
    ] {
        assert_eq!(
            with(foreign, None)
                .with(policy)
                .verdict("x.cmk.key_usable", BUCKET),
            expected,
            "{why}"
        );
    }
}
