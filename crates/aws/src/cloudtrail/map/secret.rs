//! Secrets Manager and the Parameter Store of Systems Manager.

use std::borrow::Cow;

use keyvigil_model::action::Action;
use keyvigil_model::facts::Facts;
use keyvigil_model::policy_text::PolicyLanguage;
use keyvigil_model::resource::{ResourceKind, ResourceRef};

use super::{Call, Details, as_str, policy, untrusted};

/// Facts of a Secrets Manager record.
pub(super) fn secrets_manager(call: &Call<'_, '_>) -> Details {
    let request = &call.request;
    let facts = match call.operation {
        "GetSecretValue" => Facts::SecretRead {
            secrets: request.text("secretId").into_iter().map(untrusted).collect(),
            decrypted: true,
        },
        "BatchGetSecretValue" => Facts::SecretRead {
            secrets: request.texts("secretIdList").into_iter().map(untrusted).collect(),
            decrypted: true,
        },
        "DeleteSecret" => Facts::SecretDeletion {
            irreversible: request.flag("forceDeleteWithoutRecovery") == Some(true),
        },
        "PutResourcePolicy" => Facts::Policy {
            policy: policy(request.get("resourcePolicy"), PolicyLanguage::AwsResource),
            lockout_check_bypassed: false,
        },
        _ => Facts::None,
    };
    let listed = request.texts("secretIdList").into_iter().next();
    let asked = request.first_text(&["secretId", "name"]).or(listed);
    // The answer holds the ARN also where the caller used a name; CloudTrail writes it as `aRN` or `arn`.
    let answered = call.response.first_text(&["aRN", "arn"]);
    let name = match (asked, answered) {
        (Some(asked), _) if asked.starts_with("arn:") => Some(asked),
        (_, Some(answered)) => Some(answered),
        (asked, None) => asked.or_else(|| first_resource(call)),
    };
    Details {
        action: call.action,
        facts,
        resource: name.map(|name| secret(call, &name)),
    }
}

/// Facts of a Parameter Store record. Only `SecureString` parameters are encrypted; the record does not say which are.
pub(super) fn parameter_store(call: &Call<'_, '_>) -> Details {
    if call.action != Action::SecretRead {
        return Details::plain(call.action);
    }
    let request = &call.request;
    let mut secrets = request.texts("names");
    secrets.extend(request.text("name"));
    let named = secrets.first().cloned();
    // A path names a group: which parameters were read is not in the record.
    let resource = first_resource(call).or(named).or_else(|| request.text("path"));
    Details {
        action: call.action,
        facts: Facts::SecretRead {
            secrets: secrets.into_iter().map(untrusted).collect(),
            decrypted: request.flag("withDecryption") == Some(true),
        },
        resource: resource.map(|name| secret(call, &name)),
    }
}

fn first_resource<'a>(call: &Call<'a, '_>) -> Option<Cow<'a, str>> {
    let arn = call.record.resources.as_ref()?.first()?.arn.as_ref();
    Some(as_str(arn))
        .filter(|arn| !arn.is_empty())
        .map(|arn| Cow::Owned(arn.to_owned()))
}

fn secret(call: &Call<'_, '_>, name: &str) -> ResourceRef {
    call.place().resource(ResourceKind::Secret, name)
}
