//! What to do next: the cookbook of steps, and the only place where commands are built.
//!
//! A command is given only if every identifier in it matches the provider's strict grammar; text that a caller chose
//! freely never reaches a command. A command that changes something comes after one that only looks.

use keyvigil_model::event::AuditEvent;
use keyvigil_model::finding::{Advice, Effect};
use keyvigil_model::key::KeyRef;
use keyvigil_model::principal::Principal;
use keyvigil_model::provider::Provider;
use keyvigil_model::resource::{ResourceKind, ResourceRef};

mod grammar;

use grammar::{AwsKey, AwsName};

fn look(text: &str, command: Option<String>) -> Advice {
    Advice {
        text: text.to_owned(),
        command,
        effect: Effect::ReadOnly,
    }
}

fn change(text: &str, command: Option<String>) -> Advice {
    Advice {
        text: text.to_owned(),
        command,
        effect: Effect::ChangesState,
    }
}

/// A command about an AWS key, with `{key}` as `--key-id … --region …`.
fn on_key(provider: Provider, key: Option<&KeyRef>, make: impl Fn(&str) -> String) -> Option<String> {
    if provider != Provider::Aws {
        return None;
    }
    let key = AwsKey::parse(key?.id.as_str())?;
    Some(make(&format!("--key-id {} --region {}", key.arn, key.region)))
}

/// See what state the key is in.
pub fn look_at_key(provider: Provider, key: Option<&KeyRef>) -> Vec<Advice> {
    vec![look(
        "See what state the key is in.",
        on_key(provider, key, |key| {
            format!("aws kms describe-key {key} --query 'KeyMetadata.[KeyState,DeletionDate,Origin]'")
        }),
    )]
}

/// Undo a scheduled destruction.
pub fn undo_destruction(provider: Provider, key: Option<&KeyRef>) -> Vec<Advice> {
    let mut steps = look_at_key(provider, key);
    steps.push(change(
        "Unless somebody answers for it, cancel the destruction and enable the key again.",
        on_key(provider, key, |key| {
            format!("aws kms cancel-key-deletion {key} && aws kms enable-key {key}")
        }),
    ));
    steps
}

/// Enable a key again.
pub fn enable_key(provider: Provider, key: Option<&KeyRef>) -> Vec<Advice> {
    let mut steps = look_at_key(provider, key);
    steps.push(change(
        "Unless somebody answers for it, enable the key again.",
        on_key(provider, key, |key| format!("aws kms enable-key {key}")),
    ));
    steps
}

/// Switch automatic rotation on.
pub fn enable_rotation(provider: Provider, key: Option<&KeyRef>) -> Vec<Advice> {
    vec![
        look(
            "See whether the key rotates.",
            on_key(provider, key, |key| {
                format!("aws kms get-key-rotation-status {key}")
            }),
        ),
        change(
            "Switch automatic rotation on; what is encrypted stays readable.",
            on_key(provider, key, |key| format!("aws kms enable-key-rotation {key}")),
        ),
    ]
}

/// Review a key policy.
pub fn review_policy(provider: Provider, key: Option<&KeyRef>) -> Vec<Advice> {
    vec![
        look(
            "Read the policy that is in force.",
            on_key(provider, key, |key| {
                format!("aws kms get-key-policy {key} --policy-name default --output text")
            }),
        ),
        change(
            "Put the previous policy back from your configuration; never edit it in a hurry.",
            None,
        ),
    ]
}

/// Find and revoke a grant.
pub fn revoke_grant(provider: Provider, key: Option<&KeyRef>) -> Vec<Advice> {
    vec![
        look(
            "List the grants of the key and find this one.",
            on_key(provider, key, |key| format!("aws kms list-grants {key}")),
        ),
        change(
            "Revoke it by its id (aws kms revoke-grant) unless its grantor answers for it.",
            None,
        ),
    ]
}

/// Find out whether a use was meant to be.
pub fn review_use(provider: Provider, key: Option<&KeyRef>) -> Vec<Advice> {
    let mut steps = vec![look(
        "Ask the owner of the principal whether it has a reason to use this key.",
        None,
    )];
    steps.push(look(
        "See who the key policy lets in.",
        on_key(provider, key, |key| {
            format!("aws kms get-key-policy {key} --policy-name default --output text")
        }),
    ));
    steps.push(change(
        "If it has a reason, list it under policy.authorised; if not, take its permission away.",
        None,
    ));
    steps
}

/// Narrow an identity policy.
pub fn narrow_identity_policy() -> Vec<Advice> {
    vec![change(
        "Name the keys in the policy instead of all of them, or require an encryption context.",
        None,
    )]
}

/// Ask who did it.
pub fn who_did_it(principal: &Principal) -> Vec<Advice> {
    let text = match (&principal.on_behalf_of, &principal.session) {
        (Some(_), _) => "Ask the person behind the session whether they did this.",
        (None, Some(_)) => {
            "Find the person behind the session in the sign-in log and ask whether they did this."
        }
        (None, None) => "Ask the owner of the principal whether this was meant.",
    };
    vec![look(text, None)]
}

/// Stop a credential.
pub fn stop_principal(principal: &Principal) -> Vec<Advice> {
    let user = AwsName::user(principal.id.as_str());
    let credential = principal
        .credential
        .as_ref()
        .and_then(|text| grammar::access_key(text.raw()));
    let mut steps = Vec::new();
    if let (Some(user), Some(credential)) = (user, credential)
        && credential.starts_with("AKIA")
    {
        steps.push(look(
            "See what the access key was used for last.",
            Some(format!(
                "aws iam get-access-key-last-used --access-key-id {credential}"
            )),
        ));
        steps.push(change(
            "Switch the access key off if nobody answers for it.",
            Some(format!(
                "aws iam update-access-key --user-name {user} --access-key-id {credential} --status Inactive"
            )),
        ));
        return steps;
    }
    if let Some(role) = AwsName::role(principal.id.as_str()) {
        steps.push(look(
            "See what the role may do.",
            Some(format!("aws iam list-attached-role-policies --role-name {role}")),
        ));
        steps.push(change(
            "Revoke its present sessions in the console (IAM, role, Revoke sessions) if nobody answers for it.",
            None,
        ));
        return steps;
    }
    vec![change("Stop the credential if nobody answers for it.", None)]
}

/// See and repair default encryption.
pub fn check_default_encryption(event: &AuditEvent) -> Vec<Advice> {
    let command = event
        .resource
        .as_ref()
        .and_then(|resource| default_encryption_command(event.provider, resource));
    vec![
        look("See what the default is now.", command),
        change("Put the previous default back from your configuration.", None),
    ]
}

fn default_encryption_command(provider: Provider, resource: &ResourceRef) -> Option<String> {
    if provider != Provider::Aws {
        return None;
    }
    match resource.kind {
        ResourceKind::Bucket => {
            let bucket = grammar::bucket(resource.id.as_str())?;
            Some(format!("aws s3api get-bucket-encryption --bucket {bucket}"))
        }
        ResourceKind::DiskDefault => {
            let region = grammar::region(resource.region.as_ref()?.as_str())?;
            Some(format!("aws ec2 get-ebs-encryption-by-default --region {region}"))
        }
        _ => None,
    }
}

/// See whether an audit log runs, and start it.
pub fn check_logging(event: &AuditEvent) -> Vec<Advice> {
    let trail = event
        .resource
        .as_ref()
        .filter(|resource| event.provider == Provider::Aws && resource.kind == ResourceKind::AuditLog)
        .and_then(|resource| grammar::trail(resource.id.as_str()))
        .zip(grammar::region(event.region.as_str()));
    let command = |verb: &str| {
        trail.map(|(trail, region)| format!("aws cloudtrail {verb} --name {trail} --region {region}"))
    };
    vec![
        look(
            "See whether the audit log runs and delivers.",
            command("get-trail-status"),
        ),
        change(
            "Start it again; put its selectors back from your configuration.",
            command("start-logging"),
        ),
    ]
}

/// Restore a secret.
pub fn restore_secret(event: &AuditEvent) -> Vec<Advice> {
    let secret = event
        .resource
        .as_ref()
        .filter(|_| event.provider == Provider::Aws)
        .and_then(|resource| grammar::secret(resource.id.as_str()));
    let command = |verb: &str| {
        secret.map(|(arn, region)| format!("aws secretsmanager {verb} --secret-id {arn} --region {region}"))
    };
    vec![
        look(
            "See whether it can still be restored.",
            command("describe-secret"),
        ),
        change(
            "Restore it unless somebody answers for it.",
            command("restore-secret"),
        ),
    ]
}

/// Test the way of a source.
pub fn check_source() -> Vec<Advice> {
    vec![look(
        "Test what keyvigil can see, and what goes blind without it.",
        Some("keyvigil doctor".to_owned()),
    )]
}

#[cfg(test)]
mod tests;
