//! S3: default encryption, bucket policies, and objects written under a key that the caller supplied (SSE-C).

use std::borrow::Cow;

use keyvigil_model::action::Action;
use keyvigil_model::facts::Facts;
use keyvigil_model::key::KeyTier;
use keyvigil_model::policy_text::PolicyLanguage;

use super::super::json::Object;
use super::super::strings::Strings;
use super::{Call, Details, keys, policy, untrusted};

/// The header of a request that brings its own key (S3 user guide, "server-side encryption with customer-provided keys").
const CUSTOMER_ALGORITHM: &str = "x-amz-server-side-encryption-customer-algorithm";

/// Facts of an S3 record.
pub(super) fn details(call: &Call<'_, '_>, strings: &mut Strings) -> Details {
    let request = &call.request;
    let bucket = request.text("bucketName");
    let mut action = call.action;
    let facts = match call.operation {
        "PutBucketEncryption" => default_encryption(call, strings),
        "PutBucketPolicy" => Facts::Policy {
            policy: policy(
                request.get("bucketPolicy").or_else(|| request.get("policy")),
                PolicyLanguage::AwsResource,
            ),
            lockout_check_bypassed: false,
        },
        _ if action == Action::ObjectWriteCustomerKey => {
            if brings_its_key(call) {
                Facts::CustomerKeyWrite {
                    bucket: untrusted(bucket.as_deref().unwrap_or_default()),
                    object: request.text("key").map(untrusted),
                }
            } else {
                action = Action::Other;
                Facts::None
            }
        }
        _ => Facts::None,
    };
    Details {
        action,
        facts,
        resource: bucket.map(|bucket| call.place().bucket(&bucket)),
    }
}

fn brings_its_key(call: &Call<'_, '_>) -> bool {
    // The header of the key for reading the source of a copy has another name and does not matter here.
    let header = call
        .request
        .entries()
        .any(|(name, _)| name.eq_ignore_ascii_case(CUSTOMER_ALGORITHM));
    header || applied(call).as_deref() == Some("SSE_C")
}

fn applied<'a>(call: &Call<'a, '_>) -> Option<Cow<'a, str>> {
    Object::of(call.record.additional_event_data).text("SSEApplied")
}

/// The first rule of the configuration; S3 allows one.
fn default_encryption(call: &Call<'_, '_>, strings: &mut Strings) -> Facts {
    let configuration = call.request.object("serverSideEncryptionConfiguration");
    let rules = configuration
        .list("rule")
        .into_iter()
        .chain(configuration.list("rules"));
    let mut found = (None, None);
    for rule in rules {
        let default = Object::of(Some(rule)).object("applyServerSideEncryptionByDefault");
        let Some(algorithm) = default.first_text(&["SSEAlgorithm", "sSEAlgorithm"]) else {
            continue;
        };
        let key = default
            .first_text(&["KMSMasterKeyID", "kMSMasterKeyID"])
            .filter(|key| !key.is_empty());
        found = (tier(&algorithm, key.as_deref()), key);
        break;
    }
    let (tier, key) = found;
    Facts::Encryption {
        tier,
        key: key.map(|key| keys::reference(&key, call.account, call.region, strings)),
    }
}

fn tier(algorithm: &str, key: Option<&str>) -> Option<KeyTier> {
    let managed_by_aws = key.is_none_or(keys::is_aws_alias);
    match algorithm {
        "AES256" => Some(KeyTier::ProviderOwned),
        "aws:kms" | "aws:kms:dsse" if managed_by_aws => Some(KeyTier::ProviderManaged),
        "aws:kms" => Some(KeyTier::CustomerManaged),
        "aws:kms:dsse" => Some(KeyTier::CustomerManagedDual),
        _ => None,
    }
}
