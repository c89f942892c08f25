//! KMS, JSON 1.1 (`TrentService`). Source of the shapes: AWS KMS API Reference.

use serde_json::{Value, json};

use super::world::{Key, World};
use super::{Call, Fault, json_body, page, required};

pub(super) fn answer(world: &mut World, call: &Call<'_>, operation: &str) -> Result<Value, Fault> {
    let body = json_body(call)?;
    let (account, region) = (call.caller.account.as_str(), call.caller.region.as_str());
    let page_size = world.page_size;
    let keys = world.account(account).keys.entry(region.to_owned()).or_default();
    let limit = body
        .get("Limit")
        .and_then(Value::as_u64)
        .map_or(100, |limit| limit as usize)
        .min(page_size);
    let marker = body.get("Marker").and_then(Value::as_str);
    let key_arn = |key: &Key| key.arn(account, region);
    match operation {
        "ListKeys" => {
            let (keys, next) = page(keys, limit, "ListKeys", marker)?;
            let list: Vec<Value> = keys
                .iter()
                .map(|key| json!({"KeyId": key.id, "KeyArn": key_arn(key)}))
                .collect();
            Ok(paged(json!({"Keys": list}), next))
        }
        "ListAliases" => {
            let list: Vec<Value> = keys
                .iter()
                .flat_map(|key| key.aliases.iter().map(move |alias| (key, alias)))
                .map(|(key, alias)| {
                    json!({"AliasName": alias, "TargetKeyId": key.id,
                        "AliasArn": format!("arn:aws:kms:{region}:{account}:{alias}")})
                })
                .collect();
            let (list, next) = page(&list, limit, "ListAliases", marker)?;
            Ok(paged(json!({"Aliases": list}), next))
        }
        _ => {
            let key = find(keys, account, region, required(&body, "KeyId")?)?;
            about_one(operation, key, account, region, (limit, marker))
        }
    }
}

fn about_one(
    operation: &str,
    key: &Key,
    account: &str,
    region: &str,
    paging: (usize, Option<&str>),
) -> Result<Value, Fault> {
    let (limit, marker) = paging;
    match operation {
        "DescribeKey" => Ok(json!({"KeyMetadata": metadata(key, account, region)})),
        "ListResourceTags" => {
            let tags: Vec<Value> = key
                .tags
                .iter()
                .map(|(name, value)| json!({"TagKey": name, "TagValue": value}))
                .collect();
            Ok(paged(json!({"Tags": tags}), None))
        }
        "GetKeyPolicy" => Ok(json!({"Policy": key.policy, "PolicyName": "default"})),
        "ListGrants" => {
            let (grants, next) = page(&key.grants, limit, "ListGrants", marker)?;
            Ok(paged(json!({"Grants": grants}), next))
        }
        "GetKeyRotationStatus" | "ListKeyRotations" if key.manager == "AWS" => Err(Fault::new(
            400,
            "AccessDeniedException",
            "the key is managed by AWS",
        )),
        "GetKeyRotationStatus" => {
            if key.origin != "AWS_KMS" || key.spec != "SYMMETRIC_DEFAULT" {
                return Err(Fault::new(
                    400,
                    "UnsupportedOperationException",
                    "rotation is not supported for this key",
                ));
            }
            let mut status = json!({"KeyId": key.arn(account, region), "KeyRotationEnabled": key.rotating});
            if key.rotating {
                status["RotationPeriodInDays"] = json!(key.period);
                let last = key.rotations.iter().copied().max().unwrap_or(key.created);
                status["NextRotationDate"] = json!(last + i64::from(key.period) * 86_400);
            }
            Ok(status)
        }
        "ListKeyRotations" => {
            let rotations: Vec<Value> = key
                .rotations
                .iter()
                .map(|date| json!({"KeyId": key.id, "RotationDate": date, "RotationType": "AUTOMATIC"}))
                .collect();
            let (rotations, next) = page(&rotations, limit, "ListKeyRotations", marker)?;
            Ok(paged(json!({"Rotations": rotations}), next))
        }
        other => Err(Fault::new(
            400,
            "UnknownOperationException",
            format!("kms:{other} is not part of this fake"),
        )),
    }
}

fn find<'a>(keys: &'a [Key], account: &str, region: &str, id: &str) -> Result<&'a Key, Fault> {
    keys.iter()
        .find(|key| {
            key.id == id || key.arn(account, region) == id || key.aliases.iter().any(|alias| alias == id)
        })
        .ok_or_else(|| Fault::new(400, "NotFoundException", format!("Key '{id}' does not exist")))
}

fn metadata(key: &Key, account: &str, region: &str) -> Value {
    let mut metadata = json!({
        "AWSAccountId": account,
        "KeyId": key.id,
        "Arn": key.arn(account, region),
        "CreationDate": key.created,
        "Enabled": key.state == "Enabled",
        "Description": "",
        "KeyUsage": key.usage,
        "KeyState": key.state,
        "Origin": key.origin,
        "KeyManager": key.manager,
        "CustomerMasterKeySpec": key.spec,
        "KeySpec": key.spec,
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
        "MultiRegion": false,
    });
    if let Some(date) = key.deletion_date {
        metadata["DeletionDate"] = json!(date);
    }
    metadata
}

fn paged(mut body: Value, next: Option<String>) -> Value {
    body["Truncated"] = json!(next.is_some());
    if let Some(next) = next {
        body["NextMarker"] = json!(next);
    }
    body
}
