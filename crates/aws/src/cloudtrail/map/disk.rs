//! EC2: the EBS default of a region, volumes and their snapshots.

use keyvigil_model::facts::Facts;
use keyvigil_model::key::KeyTier;

use super::super::json::Object;
use super::super::strings::Strings;
use super::{Call, Details, keys, untrusted};

/// Facts of an EC2 record.
pub(super) fn details(call: &Call<'_, '_>, strings: &mut Strings) -> Details {
    let place = call.place();
    let (facts, resource) = match call.operation {
        "EnableEbsEncryptionByDefault" => (
            Facts::Encryption {
                tier: None,
                key: None,
            },
            Some(place.ebs_default()),
        ),
        "ModifyEbsDefaultKmsKeyId" => (default_key(call, strings), Some(place.ebs_default())),
        "ResetEbsDefaultKmsKeyId" => (
            Facts::Encryption {
                tier: Some(KeyTier::ProviderManaged),
                key: None,
            },
            Some(place.ebs_default()),
        ),
        "DisableEbsEncryptionByDefault" => (Facts::None, Some(place.ebs_default())),
        "CreateVolume" => {
            let volume = call.response.text("volumeId").map(|id| place.volume(&id));
            (storage(call, "snapshotId", strings), volume)
        }
        "CreateSnapshot" => (storage(call, "volumeId", strings), snapshot(call)),
        "CopySnapshot" => (storage(call, "sourceSnapshotId", strings), snapshot(call)),
        "ImportSnapshot" => (storage(call, "url", strings), snapshot(call)),
        _ => (Facts::None, None),
    };
    Details {
        action: call.action,
        facts,
        resource,
    }
}

fn default_key(call: &Call<'_, '_>, strings: &mut Strings) -> Facts {
    // EC2 wraps the parameters of newer operations into one object named after the request.
    let wrapped = call.request.object("modifyEbsDefaultKmsKeyIdRequest");
    let name = call.request.text("kmsKeyId").or_else(|| wrapped.text("kmsKeyId"));
    let Some(name) = name else {
        return Facts::Encryption {
            tier: None,
            key: None,
        };
    };
    let tier = if keys::is_aws_alias(&name) {
        KeyTier::ProviderManaged
    } else {
        KeyTier::CustomerManaged
    };
    Facts::Encryption {
        tier: Some(tier),
        key: Some(keys::reference(&name, call.account, call.region, strings)),
    }
}

/// Whether the copy is encrypted: the answer says it, the request only what was asked.
fn storage(call: &Call<'_, '_>, source: &str, strings: &mut Strings) -> Facts {
    let both: [&Object<'_>; 2] = [&call.response, &call.request];
    let key = both
        .iter()
        .find_map(|side| side.text("kmsKeyId"))
        .filter(|key| !key.is_empty());
    Facts::Storage {
        encrypted: both.iter().find_map(|side| side.flag("encrypted")),
        key: key.map(|key| keys::reference(&key, call.account, call.region, strings)),
        copied_from: call
            .request
            .text(source)
            .filter(|name| !name.is_empty())
            .map(untrusted),
    }
}

fn snapshot(call: &Call<'_, '_>) -> Option<keyvigil_model::resource::ResourceRef> {
    call.response
        .text("snapshotId")
        .map(|id| call.place().disk_snapshot(&id))
}
