//! Amazon S3 answers as model values: pure, one function an answer.

use aws_sdk_s3::types::{
    EncryptionType, PublicAccessBlockConfiguration, ServerSideEncryption, ServerSideEncryptionConfiguration,
};
use keyvigil_model::id::KeyId;
use keyvigil_model::key::KeyTier;
use keyvigil_model::snapshot::BucketEncryption;
use keyvigil_model::verdict::UnknownReason;

/// The alias of the key that AWS manages for S3 in every account.
const MANAGED_ALIAS: &str = "alias/aws/s3";

/// The error of `GetBucketEncryption` for a bucket without default encryption.
pub(crate) const NO_ENCRYPTION: &str = "ServerSideEncryptionConfigurationNotFoundError";
/// The error of `GetBucketPolicy` for a bucket without policy.
pub(crate) const NO_POLICY: &str = "NoSuchBucketPolicy";
/// The error of `GetPublicAccessBlock` for a bucket that sets none of the switches.
pub(crate) const NO_PUBLIC_BLOCK: &str = "NoSuchPublicAccessBlockConfiguration";
/// The error of `GetBucketTagging` for a bucket without tags.
pub(crate) const NO_TAGS: &str = "NoSuchTagSet";
/// The error of every call for a bucket that is gone.
pub(crate) const NO_BUCKET: &str = "NoSuchBucket";

/// What a bucket without default encryption has.
pub(crate) fn no_encryption() -> BucketEncryption {
    BucketEncryption {
        tier: KeyTier::None,
        key: None,
        customer_key_blocked: false,
    }
}

/// `GetBucketEncryption`. Level by what the configuration names: whether a key that is named by id belongs to the
/// customer or to AWS only the key inventory can say, so it counts as the customer's here.
pub(crate) fn encryption(
    answer: Option<&ServerSideEncryptionConfiguration>,
) -> Result<BucketEncryption, UnknownReason> {
    let (mut level, mut key, mut customer_key_blocked) = (None, None, false);
    for rule in answer
        .map(|configuration| configuration.rules())
        .unwrap_or_default()
    {
        if let Some(default) = &rule.apply_server_side_encryption_by_default {
            let named = default.kms_master_key_id.as_deref().filter(|key| !key.is_empty());
            level = Some(tier(&default.sse_algorithm, named)?);
            key = named.map(KeyId::from);
        }
        if let Some(blocked) = &rule.blocked_encryption_types {
            customer_key_blocked |= blocked.encryption_type().contains(&EncryptionType::SseC);
        }
    }
    // An answer that names no algorithm is not "no encryption": that is an error with a name of its own.
    Ok(BucketEncryption {
        tier: level.ok_or(UnknownReason::Unreadable)?,
        key,
        customer_key_blocked,
    })
}

fn tier(algorithm: &ServerSideEncryption, key: Option<&str>) -> Result<KeyTier, UnknownReason> {
    let customers = key.is_some_and(|key| !is_managed_alias(key));
    match algorithm {
        ServerSideEncryption::Aes256 => Ok(KeyTier::ProviderOwned),
        ServerSideEncryption::AwsKms if customers => Ok(KeyTier::CustomerManaged),
        ServerSideEncryption::AwsKmsDsse if customers => Ok(KeyTier::CustomerManagedDual),
        ServerSideEncryption::AwsKms | ServerSideEncryption::AwsKmsDsse => Ok(KeyTier::ProviderManaged),
        _ => Err(UnknownReason::UnsupportedValue),
    }
}

fn is_managed_alias(key: &str) -> bool {
    key == MANAGED_ALIAS || key.ends_with(":alias/aws/s3")
}

/// `GetPublicAccessBlock`: all four switches are on.
pub(crate) fn public_access_blocked(answer: Option<&PublicAccessBlockConfiguration>) -> bool {
    answer.is_some_and(|switches| {
        [
            switches.block_public_acls,
            switches.ignore_public_acls,
            switches.block_public_policy,
            switches.restrict_public_buckets,
        ]
        .iter()
        .all(|switch| *switch == Some(true))
    })
}

/// The region in an answer of `GetBucketLocation`: nothing means `us-east-1`, and `EU` is an old name of `eu-west-1`.
pub(crate) fn region_of_location(constraint: Option<&str>) -> &str {
    match constraint {
        None | Some("") => "us-east-1",
        Some("EU") => "eu-west-1",
        Some(region) => region,
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::types::builders::ServerSideEncryptionRuleBuilder;
    use aws_sdk_s3::types::{
        BlockedEncryptionTypes, ServerSideEncryptionByDefault, ServerSideEncryptionRule,
    };

    use super::*;

    const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/k1";

    fn rule(algorithm: &str, key: Option<&str>) -> ServerSideEncryptionRuleBuilder {
        ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(
            ServerSideEncryptionByDefault::builder()
                .sse_algorithm(ServerSideEncryption::from(algorithm))
                .set_kms_master_key_id(key.map(str::to_owned))
                .build()
                .unwrap(),
        )
    }

    fn read(rule: ServerSideEncryptionRuleBuilder) -> Result<BucketEncryption, UnknownReason> {
        let configuration = ServerSideEncryptionConfiguration::builder()
            .rules(rule.build())
            .build()
            .unwrap();
        encryption(Some(&configuration))
    }

    #[test]
    fn levels_follow_algorithm_and_key() {
        use KeyTier::{CustomerManaged, CustomerManagedDual, ProviderManaged, ProviderOwned};
        let alias_arn = "arn:aws:kms:eu-west-1:111122223333:alias/aws/s3";
        for (algorithm, key, tier) in [
            ("AES256", None, ProviderOwned),
            ("aws:kms", None, ProviderManaged),
            ("aws:kms", Some(""), ProviderManaged),
            ("aws:kms", Some("alias/aws/s3"), ProviderManaged),
            ("aws:kms", Some(alias_arn), ProviderManaged),
            ("aws:kms", Some("alias/app"), CustomerManaged),
            ("aws:kms", Some(KEY), CustomerManaged),
            ("aws:kms:dsse", None, ProviderManaged),
            ("aws:kms:dsse", Some("alias/aws/s3"), ProviderManaged),
            ("aws:kms:dsse", Some(KEY), CustomerManagedDual),
        ] {
            let found = read(rule(algorithm, key)).unwrap();
            assert_eq!(found.tier, tier, "{algorithm} {key:?}");
            let named = key.filter(|key| !key.is_empty()).map(KeyId::from);
            assert_eq!(found.key, named, "{algorithm} {key:?}");
        }
    }

    #[test]
    fn a_new_algorithm_or_an_empty_answer_is_unknown() {
        assert_eq!(
            read(rule("aws:quantum", None)),
            Err(UnknownReason::UnsupportedValue)
        );
        assert_eq!(encryption(None), Err(UnknownReason::Unreadable));
        assert_eq!(
            read(ServerSideEncryptionRule::builder()),
            Err(UnknownReason::Unreadable)
        );
    }

    #[test]
    fn only_sse_c_in_the_blocked_list_blocks_it() {
        let types = |list: &[EncryptionType]| {
            BlockedEncryptionTypes::builder()
                .set_encryption_type(Some(list.to_vec()))
                .build()
        };
        for (list, blocked) in [
            (types(&[EncryptionType::SseC]), true),
            (types(&[EncryptionType::None]), false),
            (types(&[]), false),
        ] {
            let found = read(rule("AES256", None).blocked_encryption_types(list.clone())).unwrap();
            assert_eq!(found.customer_key_blocked, blocked, "{list:?}");
        }
        assert!(!read(rule("AES256", None)).unwrap().customer_key_blocked);
    }

    #[test]
    fn public_access_is_blocked_only_by_all_four_switches() {
        let all = PublicAccessBlockConfiguration::builder()
            .block_public_acls(true)
            .ignore_public_acls(true)
            .block_public_policy(true)
            .restrict_public_buckets(true);
        assert!(public_access_blocked(Some(&all.clone().build())));
        assert!(!public_access_blocked(Some(
            &all.clone().ignore_public_acls(false).build()
        )));
        assert!(!public_access_blocked(Some(
            &all.set_restrict_public_buckets(None).build()
        )));
        assert!(!public_access_blocked(None));
    }

    #[test]
    fn old_location_names_are_understood() {
        for (constraint, region) in [
            (None, "us-east-1"),
            (Some(""), "us-east-1"),
            (Some("EU"), "eu-west-1"),
            (Some("eu-central-1"), "eu-central-1"),
        ] {
            assert_eq!(region_of_location(constraint), region, "{constraint:?}");
        }
    }
}
