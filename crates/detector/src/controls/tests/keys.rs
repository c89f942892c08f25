//! Rotation over the key matrix, and the state of keys.

use super::*;

/// Verdicts of the three rotation controls.
fn rotation(why: &str, key: AwsKmsKey, expected: [&str; 3]) {
    let resource = key_resource(key);
    for (control, expected) in [
        "aws.kms.rotation_enabled",
        "aws.kms.rotation_period",
        "aws.kms.rotation_occurred",
    ]
    .iter()
    .zip(expected)
    {
        check(control, why, resource.clone(), expected);
    }
}

fn rotating(enabled: bool, period: Option<u32>, next: Option<Timestamp>) -> Read<AwsKeyRotation> {
    Read::Known(AwsKeyRotation {
        enabled,
        period_days: period,
        next,
    })
}

const NA: [&str; 3] = ["not_applicable"; 3];
const PASS: [&str; 3] = ["pass"; 3];

#[test]
fn every_sort_of_key_that_aws_cannot_rotate() {
    // Pitfalls 1 and 2: asymmetric, HMAC, key agreement; none of them is a failure.
    for (spec, usage) in [
        ("RSA_2048", "ENCRYPT_DECRYPT"),
        ("RSA_4096", "SIGN_VERIFY"),
        ("ECC_NIST_P256", "SIGN_VERIFY"),
        ("ECC_NIST_P256", "KEY_AGREEMENT"),
        ("HMAC_256", "GENERATE_VERIFY_MAC"),
        ("SM2", "ENCRYPT_DECRYPT"),
        ("ML_DSA_65", "SIGN_VERIFY"),
        ("SPEC_OF_TOMORROW", "ENCRYPT_DECRYPT"),
        ("SYMMETRIC_DEFAULT", "USAGE_OF_TOMORROW"),
    ] {
        let key = key_with(|m| (m.spec, m.usage) = (spec.into(), usage.into()));
        // What could not be asked does not matter.
        rotation(
            spec,
            AwsKmsKey {
                rotation: Read::Unknown(DENIED),
                ..key
            },
            NA,
        );
    }
    for origin in [
        KeyOrigin::Imported,
        KeyOrigin::DedicatedHsm,
        KeyOrigin::ExternalStore,
    ] {
        rotation("3: origin", key_with(|m| m.origin = Some(origin)), NA);
    }
    rotation("7: key of AWS", key_with(|m| m.managed_by_customer = false), NA);
}

#[test]
fn every_state() {
    for (state, expected) in [
        (AwsKeyState::Enabled, PASS),
        (AwsKeyState::Updating, PASS),
        (AwsKeyState::Disabled, NA),
        (AwsKeyState::PendingDeletion, NA),
        (AwsKeyState::PendingReplicaDeletion, NA),
        (AwsKeyState::PendingImport, NA),
        (AwsKeyState::Unavailable, NA),
        (AwsKeyState::Creating, NA),
        (AwsKeyState::Unrecognised, ["unknown unsupported_value"; 3]),
    ] {
        rotation("4: state", key_with(|m| m.state = state), expected);
    }
    rotation(
        "an origin that is not known",
        key_with(|m| m.origin = None),
        ["unknown unsupported_value"; 3],
    );
    let undescribed = AwsKmsKey {
        metadata: Read::Unknown(DENIED),
        ..key()
    };
    rotation("not described", undescribed, ["unknown denied"; 3]);
}

#[test]
fn settings() {
    let old = |days| key_with(|m| m.created = days_ago(days));
    let cases = [
        ("as it should be", key(), PASS),
        (
            "off, young",
            AwsKmsKey {
                rotation: rotating(false, None, None),
                ..key()
            },
            ["fail", "not_applicable", "pass"],
        ),
        (
            "off, old",
            AwsKmsKey {
                rotation: rotating(false, None, None),
                ..old(800)
            },
            ["fail", "not_applicable", "fail"],
        ),
        (
            "off, rotated on demand",
            AwsKmsKey {
                rotation: rotating(false, None, None),
                rotations: Read::Known(vec![days_ago(10)]),
                ..old(800)
            },
            ["fail", "not_applicable", "pass"],
        ),
        (
            "period too long",
            AwsKmsKey {
                rotation: rotating(true, Some(366), None),
                ..key()
            },
            ["pass", "fail", "pass"],
        ),
        (
            "short period",
            AwsKmsKey {
                rotation: rotating(true, Some(90), None),
                ..key()
            },
            PASS,
        ),
        (
            "period not said",
            AwsKmsKey {
                rotation: rotating(true, None, None),
                ..key()
            },
            ["pass", "unknown unreadable", "pass"],
        ),
        (
            "status not readable, young",
            AwsKmsKey {
                rotation: Read::Unknown(DENIED),
                ..key()
            },
            ["unknown denied", "unknown denied", "pass"],
        ),
        (
            "rotations not readable, old",
            AwsKmsKey {
                rotations: Read::Unknown(UnknownReason::Throttled),
                ..old(800)
            },
            ["pass", "pass", "unknown throttled"],
        ),
        (
            "rotations not readable, young",
            AwsKmsKey {
                rotations: Read::Unknown(DENIED),
                ..key()
            },
            PASS,
        ),
    ];
    for (why, key, expected) in cases {
        rotation(why, key, expected);
    }
}

#[test]
fn outcome() {
    let old = |days| key_with(|m| m.created = days_ago(days));
    let cases = [
        (
            "on, rotated",
            AwsKmsKey {
                rotations: Read::Known(vec![days_ago(300), days_ago(700)]),
                ..old(1000)
            },
            PASS,
        ),
        (
            "the grace counts",
            AwsKmsKey {
                rotations: Read::Known(vec![days_ago(371)]),
                ..old(1000)
            },
            PASS,
        ),
        (
            "on, but it did not happen",
            AwsKmsKey {
                rotations: Read::Known(vec![days_ago(373)]),
                ..old(1000)
            },
            ["pass", "pass", "fail"],
        ),
        (
            "first rotation not due yet",
            old(400),
            ["pass", "pass", "not_applicable"],
        ),
        (
            "first rotation due too late",
            AwsKmsKey {
                rotation: rotating(true, Some(2560), Some(in_days(2000))),
                ..old(400)
            },
            ["pass", "fail", "fail"],
        ),
        (
            "first rotation overdue",
            AwsKmsKey {
                rotation: rotating(true, Some(365), Some(days_ago(5))),
                ..old(400)
            },
            ["pass", "pass", "fail"],
        ),
    ];
    for (why, key, expected) in cases {
        rotation(why, key, expected);
    }
}

#[test]
fn a_replica_is_judged_by_its_primary() {
    let primary_id = "arn:aws:kms:us-east-1:111111111111:key/mrk-1";
    let mut replica = key_with(|m| m.multi_region_primary = Some(KeyId::from(primary_id)));
    replica.rotation = Read::Unknown(DENIED);
    let mut primary = key_with(|m| {
        m.created = days_ago(900);
        m.multi_region_primary = Some(KeyId::from(primary_id));
    });
    primary.id = KeyId::from(primary_id);
    primary.rotations = Read::Known(vec![days_ago(20)]);
    let alone = World::of(&[complete(Family::Keys, vec![key_resource(replica.clone())])]);
    assert_eq!(alone.verdict("aws.kms.rotation_enabled", KEY), "unknown denied");
    let both = |primary: AwsKmsKey| {
        World::of(&[complete(
            Family::Keys,
            vec![key_resource(replica.clone()), key_resource(primary)],
        )])
    };
    for control in [
        "aws.kms.rotation_enabled",
        "aws.kms.rotation_period",
        "aws.kms.rotation_occurred",
    ] {
        assert_eq!(
            both(primary.clone()).verdict(control, KEY),
            "pass",
            "20: {control}"
        );
    }
    primary.rotations = Read::Known(vec![days_ago(500)]);
    assert_eq!(
        both(primary.clone()).verdict("aws.kms.rotation_occurred", KEY),
        "fail"
    );
    primary.rotation = rotating(false, None, None);
    let world = both(primary);
    assert_eq!(world.verdict("aws.kms.rotation_enabled", KEY), "fail");
    let judgement = world.judge("aws.kms.rotation_enabled", KEY).unwrap();
    let steps = finding(&judgement, &world.inventory, &world.policy).advice;
    assert_eq!(steps[0].command, None, "the command would fail on a replica");
}

#[test]
fn the_accepted_age_is_the_policys() {
    let world = World::of(&[complete(Family::Keys, vec![key_resource(key())])])
        .with(serde_json::json!({"rotation": {"max_age_days": 90, "grace_days": 0}}));
    assert_eq!(world.verdict("aws.kms.rotation_period", KEY), "fail");
    assert_eq!(world.verdict("aws.kms.rotation_occurred", KEY), "fail");
}

#[test]
fn keys_that_wait_to_be_destroyed() {
    for (why, state, expected) in [
        ("5: it waits", AwsKeyState::PendingDeletion, "fail"),
        (
            "it waits for its replicas",
            AwsKeyState::PendingReplicaDeletion,
            "fail",
        ),
        ("5: it does not", AwsKeyState::Enabled, "pass"),
        ("disabled is not destroyed", AwsKeyState::Disabled, "pass"),
        (
            "not known",
            AwsKeyState::Unrecognised,
            "unknown unsupported_value",
        ),
    ] {
        check(
            "aws.kms.pending_deletion",
            why,
            key_resource(key_with(|m| m.state = state)),
            expected,
        );
    }
    let undescribed = AwsKmsKey {
        metadata: Read::Unknown(DENIED),
        ..key()
    };
    check(
        "aws.kms.pending_deletion",
        "not described",
        key_resource(undescribed),
        "unknown denied",
    );
    let of_aws = key_with(|m| (m.managed_by_customer, m.state) = (false, AwsKeyState::PendingDeletion));
    check(
        "aws.kms.pending_deletion",
        "key of AWS",
        key_resource(of_aws),
        "not_applicable",
    );
}

#[test]
fn regions() {
    let world = |key: AwsKmsKey, approved: &[&str]| {
        World::of(&[complete(Family::Keys, vec![key_resource(key)])])
            .with(serde_json::json!({"approved_regions": approved}))
    };
    let replicated = key_with(|m| m.replica_regions = vec![Region::from(HOME), Region::from("us-east-1")]);
    for (why, key, approved, expected) in [
        ("no list", key(), &[][..], "not_applicable"),
        ("approved", key(), &["eu-*"], "pass"),
        ("not approved", key(), &["us-east-1"], "fail"),
        ("a replica elsewhere", replicated.clone(), &["eu-*"], "fail"),
        (
            "20: an approved replica",
            replicated,
            &["eu-*", "us-east-1"],
            "pass",
        ),
        (
            "key of AWS",
            key_with(|m| m.managed_by_customer = false),
            &["us-east-1"],
            "not_applicable",
        ),
        (
            "on its way out",
            key_with(|m| m.state = AwsKeyState::PendingDeletion),
            &["us-east-1"],
            "not_applicable",
        ),
        (
            "not described",
            AwsKmsKey {
                metadata: Read::Unknown(DENIED),
                ..key()
            },
            &["us-east-1"],
            "unknown denied",
        ),
    ] {
        assert_eq!(
            world(key, approved).verdict("x.region_approved", KEY),
            expected,
            "{why}"
        );
    }
    let mut elsewhere = bucket_resource(bucket());
    elsewhere.reference.region = Some(Region::from("global"));
    let world = World::of(&[complete(Family::Buckets, vec![elsewhere])])
        .with(serde_json::json!({"approved_regions": ["eu-*"]}));
    assert_eq!(
        world.verdict("x.region_approved", "arn:aws:s3:::shop"),
        "unknown not_visible"
    );
}
