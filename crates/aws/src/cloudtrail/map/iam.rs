//! IAM: permissions given to users, roles and groups, and the policies that hold them.

use keyvigil_model::facts::Facts;
use keyvigil_model::policy_text::PolicyLanguage;
use keyvigil_model::resource::{ResourceKind, ResourceRef};

use super::{Call, Details, policy, untrusted};
use crate::pollers::place::Place;

/// Facts of an IAM record.
pub(super) fn details(call: &Call<'_, '_>) -> Details {
    let grantee = grantee(call);
    let resource = grantee.as_ref().map(|(kind, grantee)| ResourceRef {
        id: grantee.as_str().into(),
        kind: *kind,
        account: Some(call.account.clone()),
        region: None,
    });
    Details {
        action: call.action,
        facts: Facts::Permissions {
            // Parameters padded until CloudTrail leaves them out still gave something to somebody.
            grantee: untrusted(grantee.map_or_else(|| "unknown".to_owned(), |(_, grantee)| grantee)),
            policy: policy(call.request.get("policyDocument"), PolicyLanguage::AwsIdentity),
            role: match call.operation {
                "AttachUserPolicy" | "AttachRolePolicy" | "AttachGroupPolicy" => {
                    call.request.text("policyArn").map(untrusted)
                }
                _ => None,
            },
        },
        resource,
    }
}

/// Who receives the permission, as an ARN. A request does not hold the path of a user or role: where there is one, the
/// ARN lacks it.
fn grantee(call: &Call<'_, '_>) -> Option<(ResourceKind, String)> {
    let request = &call.request;
    let place = call.place();
    for (parameter, word, kind) in [
        ("userName", "user", ResourceKind::User),
        ("roleName", "role", ResourceKind::Role),
        ("groupName", "group", ResourceKind::Role),
    ] {
        if let Some(name) = request.text(parameter) {
            return Some((kind, arn(&place, word, &name)));
        }
    }
    let created = call.response.object("policy").text("arn");
    let policy = created.or_else(|| request.text("policyArn"));
    let policy = policy.map(|policy| policy.into_owned());
    let policy = policy.or_else(|| {
        request
            .text("policyName")
            .map(|name| arn(&place, "policy", &name))
    })?;
    Some((ResourceKind::Role, policy))
}

/// IAM is global: its ARNs have no region.
fn arn(place: &Place, word: &str, name: &str) -> String {
    format!("arn:{}:iam::{}:{word}/{name}", place.partition, place.account)
}
