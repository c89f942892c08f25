//! The matrix of key kinds, and answers with missing or new values.

use aws_sdk_kms::types::builders::KeyMetadataBuilder;
use aws_sdk_kms::types::{
    EncryptionAlgorithmSpec, GrantConstraints, GrantOperation, KeySpec, KeyUsageType, MultiRegionKey,
    MultiRegionKeyType,
};
use aws_smithy_types::DateTime;

use super::*;

const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/mrk-1";
const PRIMARY: &str = "arn:aws:kms:us-east-1:111122223333:key/mrk-1";

fn describe(spec: &str, usage: &str, origin: &str) -> KeyMetadataBuilder {
    KeyMetadata::builder()
        .key_id("mrk-1")
        .arn(KEY)
        .creation_date(DateTime::from_secs(1_700_000_000))
        .key_manager(KeyManagerType::Customer)
        .key_state(KeyState::Enabled)
        .key_spec(KeySpec::from(spec))
        .key_usage(KeyUsageType::from(usage))
        .origin(OriginType::from(origin))
}

fn plain() -> KeyMetadataBuilder {
    describe("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "AWS_KMS")
}

fn regions(primary: &str) -> MultiRegionConfiguration {
    let key = |arn: &str, region: &str| MultiRegionKey::builder().arn(arn).region(region).build();
    MultiRegionConfiguration::builder()
        .multi_region_key_type(MultiRegionKeyType::Replica)
        .primary_key(key(primary, "us-east-1"))
        .replica_keys(key(KEY, "eu-west-1"))
        .build()
}

fn question(answer: KeyMetadataBuilder) -> RotationQuestion {
    let metadata = metadata(&answer.build().unwrap()).unwrap();
    rotation_question(&KEY.into(), &metadata)
}

#[test]
fn rotation_is_asked_by_kind_of_key() {
    use RotationQuestion::{Ask, DoNotAsk};
    for (spec, usage, origin, expected) in [
        ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "AWS_KMS", Ask),
        ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "EXTERNAL", DoNotAsk),
        ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "AWS_CLOUDHSM", DoNotAsk),
        (
            "SYMMETRIC_DEFAULT",
            "ENCRYPT_DECRYPT",
            "EXTERNAL_KEY_STORE",
            DoNotAsk,
        ),
        ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "SOMETHING_NEW", DoNotAsk),
        ("RSA_4096", "ENCRYPT_DECRYPT", "AWS_KMS", DoNotAsk),
        ("RSA_2048", "SIGN_VERIFY", "AWS_KMS", DoNotAsk),
        ("ECC_NIST_P256", "SIGN_VERIFY", "AWS_KMS", DoNotAsk),
        ("ECC_NIST_P384", "KEY_AGREEMENT", "AWS_KMS", DoNotAsk),
        ("HMAC_256", "GENERATE_VERIFY_MAC", "AWS_KMS", DoNotAsk),
        ("SM2", "ENCRYPT_DECRYPT", "AWS_KMS", DoNotAsk),
        ("ML_DSA_65", "SIGN_VERIFY", "AWS_KMS", DoNotAsk),
    ] {
        assert_eq!(
            question(describe(spec, usage, origin)),
            expected,
            "{spec} {usage} {origin}"
        );
    }
}

#[test]
fn rotation_is_asked_by_state() {
    use RotationQuestion::{Ask, DoNotAsk};
    for (state, model, expected) in [
        ("Enabled", AwsKeyState::Enabled, Ask),
        ("Disabled", AwsKeyState::Disabled, Ask),
        ("Updating", AwsKeyState::Updating, Ask),
        ("Creating", AwsKeyState::Creating, DoNotAsk),
        ("PendingDeletion", AwsKeyState::PendingDeletion, DoNotAsk),
        (
            "PendingReplicaDeletion",
            AwsKeyState::PendingReplicaDeletion,
            DoNotAsk,
        ),
        ("PendingImport", AwsKeyState::PendingImport, DoNotAsk),
        ("Unavailable", AwsKeyState::Unavailable, DoNotAsk),
        ("Frozen", AwsKeyState::Unrecognised, Ask),
    ] {
        let answer = plain().key_state(KeyState::from(state));
        assert_eq!(
            metadata(&answer.clone().build().unwrap()).unwrap().state,
            model,
            "{state}"
        );
        assert_eq!(question(answer), expected, "{state}");
    }
}

#[test]
fn rotation_is_never_asked_for_keys_that_aws_manages() {
    assert_eq!(
        question(plain().key_manager(KeyManagerType::Aws)),
        RotationQuestion::DoNotAsk
    );
}

#[test]
fn rotation_of_a_multi_region_key_belongs_to_the_primary() {
    for (primary, expected) in [
        (PRIMARY, RotationQuestion::AskPrimary),
        (KEY, RotationQuestion::Ask),
    ] {
        let answer = plain()
            .multi_region(true)
            .multi_region_configuration(regions(primary));
        assert_eq!(question(answer), expected, "{primary}");
    }
    // A replica that cannot rotate has no state to look for elsewhere.
    let hmac = describe("HMAC_256", "GENERATE_VERIFY_MAC", "AWS_KMS");
    assert_eq!(
        question(hmac.multi_region_configuration(regions(PRIMARY))),
        RotationQuestion::DoNotAsk
    );
}

#[test]
fn everything_that_controls_need_is_read() {
    let answer = describe("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "EXTERNAL")
        .key_state(KeyState::PendingReplicaDeletion)
        .pending_deletion_window_in_days(30)
        .deletion_date(DateTime::from_secs(1_800_000_000))
        .valid_to(DateTime::from_secs(1_750_000_000))
        .multi_region_configuration(regions(PRIMARY));
    assert_eq!(
        metadata(&answer.build().unwrap()),
        Ok(AwsKeyMetadata {
            created: Timestamp::from_secs(1_700_000_000),
            managed_by_customer: true,
            state: AwsKeyState::PendingReplicaDeletion,
            spec: "SYMMETRIC_DEFAULT".into(),
            usage: "ENCRYPT_DECRYPT".into(),
            origin: Some(KeyOrigin::Imported),
            deletion_date: Some(Timestamp::from_secs(1_800_000_000)),
            pending_window_days: Some(30),
            valid_to: Some(Timestamp::from_secs(1_750_000_000)),
            multi_region_primary: Some(PRIMARY.into()),
            replica_regions: vec!["us-east-1".into(), "eu-west-1".into()],
        })
    );
}

#[test]
fn an_incomplete_answer_is_unknown_and_not_a_default() {
    for (name, answer, reason) in [
        (
            "no creation date",
            plain().set_creation_date(None),
            UnknownReason::Unreadable,
        ),
        (
            "no manager",
            plain().set_key_manager(None),
            UnknownReason::Unreadable,
        ),
        ("no spec", plain().set_key_spec(None), UnknownReason::Unreadable),
        ("no usage", plain().set_key_usage(None), UnknownReason::Unreadable),
        (
            "a manager that came later",
            plain().key_manager(KeyManagerType::from("PARTNER")),
            UnknownReason::UnsupportedValue,
        ),
    ] {
        assert_eq!(metadata(&answer.build().unwrap()), Err(reason), "{name}");
    }
}

#[test]
fn encryption_algorithms_stand_in_for_a_missing_usage() {
    let answer = plain()
        .set_key_usage(None)
        .encryption_algorithms(EncryptionAlgorithmSpec::SymmetricDefault);
    assert_eq!(
        &*metadata(&answer.build().unwrap()).unwrap().usage,
        "ENCRYPT_DECRYPT"
    );
}

#[test]
fn rotations_are_newest_first_and_bounded() {
    let entry = |seconds| {
        RotationsListEntry::builder()
            .rotation_date(DateTime::from_secs(seconds))
            .build()
    };
    let mut entries: Vec<_> = (1..=12).map(entry).collect();
    entries.push(RotationsListEntry::builder().build());
    let dates = rotations(&entries);
    assert_eq!(dates.len(), ROTATIONS_KEPT);
    assert_eq!(dates[0], Timestamp::from_secs(12));
    assert_eq!(dates[9], Timestamp::from_secs(3));
}

#[test]
fn rotation_without_a_period_stays_without() {
    let answer = GetKeyRotationStatusOutput::builder()
        .key_rotation_enabled(true)
        .build();
    assert_eq!(
        rotation(&answer),
        AwsKeyRotation {
            enabled: true,
            period_days: None,
            next: None
        }
    );
}

#[test]
fn grantees_are_told_apart() {
    for (principal, account, is_service) in [
        ("arn:aws:iam::444455556666:role/app", Some("444455556666"), false),
        ("444455556666", Some("444455556666"), false),
        ("rds.eu-west-1.amazonaws.com", None, true),
        ("ec2.amazonaws.com.cn", None, true),
        ("AROAEXAMPLE", None, false),
    ] {
        let entry = GrantListEntry::builder().grantee_principal(principal).build();
        let grant = grant(&entry);
        assert_eq!(grant.grantee_account, account.map(AccountId::from), "{principal}");
        assert_eq!(grant.grantee_is_service, is_service, "{principal}");
    }
}

#[test]
fn a_grant_to_a_service_is_one_whichever_field_names_it() {
    let entry = GrantListEntry::builder()
        .grantee_service_principal("dynamodb.eu-west-1.api.aws")
        .operations(GrantOperation::Decrypt)
        .operations(GrantOperation::from("NewOperation"))
        .build();
    let grant = grant(&entry);
    assert!(grant.grantee_is_service);
    assert_eq!(grant.grantee.raw(), "dynamodb.eu-west-1.api.aws");
    assert_eq!(grant.operations, vec!["Decrypt".into(), "NewOperation".into()]);
}

#[test]
fn only_an_encryption_context_constrains_a_grant() {
    let none = GrantConstraints::builder().build();
    let arn = GrantConstraints::builder().source_arn("arn:aws:s3:::b").build();
    let equals = GrantConstraints::builder()
        .encryption_context_equals("app", "x")
        .build();
    let subset = GrantConstraints::builder()
        .encryption_context_subset("app", "x")
        .build();
    for (name, constraints, expected) in [
        ("empty", none, false),
        ("source only", arn, false),
        ("equals", equals, true),
        ("subset", subset, true),
    ] {
        let entry = GrantListEntry::builder().constraints(constraints).build();
        assert_eq!(grant(&entry).constrained, expected, "{name}");
    }
}

#[test]
fn aliases_are_grouped_by_key_and_unused_ones_dropped() {
    let alias = |name: &str, key: Option<&str>| {
        AliasListEntry::builder()
            .alias_name(name)
            .set_target_key_id(key.map(str::to_owned))
            .build()
    };
    let entries = [
        alias("alias/b", Some("k1")),
        alias("alias/a", Some("k1")),
        alias("alias/aws/s3", Some("k2")),
        alias("alias/aws/unused", None),
    ];
    let by_key = aliases(&entries);
    assert_eq!(
        by_key["k1"],
        vec![Untrusted::from("alias/a"), Untrusted::from("alias/b")]
    );
    assert_eq!(by_key["k2"], vec![Untrusted::from("alias/aws/s3")]);
    assert_eq!(by_key.len(), 2);
}
