//! The permissions on a trail's queue, bucket and key.

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::types::ServerSideEncryption;
use keyvigil_connector::failure::FailureClass;
use keyvigil_connector::preflight::PermissionStatus;
use keyvigil_model::verdict::UnknownReason;

use super::{Probe, status_of};
use crate::client::failure::AwsError;
use crate::config::TrailConfig;
use crate::s3::log_key::AllowList;

/// A receipt that no queue ever handed out.
const NO_RECEIPT: &str = "keyvigil-permission-check";

pub(super) async fn queue(probe: &mut Probe<'_>, trail: &TrailConfig) {
    let (call, scope) = (probe.call, probe.scope);
    let sqs = scope.sqs();
    let url = trail.queue_url.as_str();
    let action = "sqs:ReceiveMessage";
    let request = sqs
        .receive_message()
        .queue_url(url)
        .max_number_of_messages(1)
        .wait_time_seconds(0)
        .visibility_timeout(0);
    let outcome = scope.call(call, action, request.send()).await;
    probe.tried(action, outcome);
    let action = "sqs:ChangeMessageVisibility";
    let request = sqs
        .change_message_visibility()
        .queue_url(url)
        .receipt_handle(NO_RECEIPT)
        .visibility_timeout(0);
    let outcome = scope.call(call, action, request.send()).await;
    probe.tried(action, outcome);
    let action = "sqs:DeleteMessage";
    let request = sqs.delete_message().queue_url(url).receipt_handle(NO_RECEIPT);
    let outcome = scope.call(call, action, request.send()).await;
    probe.tried(action, outcome);
}

pub(super) async fn bucket(probe: &mut Probe<'_>, allow: &AllowList) {
    let (call, scope) = (probe.call, probe.scope);
    let root = match &allow.prefix {
        Some(prefix) => format!("{prefix}/AWSLogs/"),
        None => "AWSLogs/".to_owned(),
    };
    let action = "s3:ListBucket";
    let request = scope
        .s3()
        .list_objects_v2()
        .bucket(&*allow.bucket)
        .prefix(root)
        .max_keys(10);
    let outcome = scope.call(call, action, request.send()).await;
    let listed = probe.tried(action, outcome);
    let object = listed.and_then(|page| {
        let mut keys = page.contents().iter().filter_map(|object| object.key());
        keys.find(|key| !key.ends_with('/')).map(str::to_owned)
    });
    let Some(object) = object else {
        probe.untried(
            &["s3:GetObject", "kms:Decrypt"],
            "no log file was listed to try it on",
        );
        return;
    };
    let request = scope
        .s3()
        .get_object()
        .bucket(&*allow.bucket)
        .key(object)
        .range("bytes=0-0");
    let outcome = scope.call(call, "s3:GetObject", request.send()).await;
    let (get, decrypt) = judge(&outcome);
    probe.note("s3:GetObject", get);
    probe.note("kms:Decrypt", decrypt);
}

/// What one read of a log file says about the permission on the file and on the key that encrypts it.
fn judge(outcome: &Result<GetObjectOutput, AwsError>) -> (PermissionStatus, PermissionStatus) {
    let unclear = |reason, why: &str| PermissionStatus::CannotTell(reason, why.to_owned());
    match outcome {
        Ok(answer) => {
            let by_key = matches!(
                answer.server_side_encryption,
                Some(ServerSideEncryption::AwsKms | ServerSideEncryption::AwsKmsDsse)
            );
            let decrypt = if by_key {
                PermissionStatus::Granted
            } else {
                unclear(
                    UnknownReason::NotVisible,
                    "the log files are not encrypted with a KMS key",
                )
            };
            (PermissionStatus::Granted, decrypt)
        }
        // S3 names the permission that was missing when it is the one on the key.
        Err(error) if error.class == FailureClass::Denied && names_the_key(error) => (
            unclear(UnknownReason::Denied, "the key of the log file could not be used"),
            status_of(error),
        ),
        Err(error) => (
            status_of(error),
            unclear(UnknownReason::NotVisible, "the log file could not be read"),
        ),
    }
}

fn names_the_key(error: &AwsError) -> bool {
    error.message.contains("kms:Decrypt") || error.code().starts_with("KMS.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denied(message: &str) -> Result<GetObjectOutput, AwsError> {
        Err(AwsError::new(FailureClass::Denied, "s3:GetObject", message))
    }

    fn words(outcome: &Result<GetObjectOutput, AwsError>) -> (&'static str, &'static str) {
        let word = |status: &PermissionStatus| match status {
            PermissionStatus::Granted => "granted",
            PermissionStatus::Denied(_) => "denied",
            PermissionStatus::CannotTell(..) => "unclear",
        };
        let (get, decrypt) = judge(outcome);
        (word(&get), word(&decrypt))
    }

    #[test]
    fn one_read_tells_file_and_key_apart() {
        let plain = GetObjectOutput::builder().build();
        let by_key = GetObjectOutput::builder()
            .server_side_encryption(ServerSideEncryption::AwsKms)
            .build();
        for (outcome, expected) in [
            (Ok(plain), ("granted", "unclear")),
            (Ok(by_key), ("granted", "granted")),
            (
                denied("not authorized to perform: s3:GetObject"),
                ("denied", "unclear"),
            ),
            (
                denied("not authorized to perform: kms:Decrypt on resource"),
                ("unclear", "denied"),
            ),
        ] {
            assert_eq!(words(&outcome), expected, "{outcome:?}");
        }
    }
}
