//! The table of what AWS says and what keyvigil makes of it.

use super::*;

const THROTTLED: FailureClass = FailureClass::Throttled(None);

fn check(code: &str, status: u16, message: &str, expected: FailureClass) {
    let code = (!code.is_empty()).then_some(code);
    assert_eq!(
        classify(code, status, message, None),
        expected,
        "{code:?} {status} {message}"
    );
}

#[test]
fn codes_decide_before_the_status() {
    for (code, status, expected) in [
        // KMS throttles with 400, S3 and EC2 with 503, Lambda-era services with 429.
        ("ThrottlingException", 400, THROTTLED),
        ("Throttling", 400, THROTTLED),
        ("SlowDown", 503, THROTTLED),
        ("RequestLimitExceeded", 503, THROTTLED),
        ("TooManyRequestsException", 429, THROTTLED),
        ("LimitExceeded", 409, THROTTLED),
        ("KMS.ThrottlingException", 400, THROTTLED),
        ("AccessDenied", 403, FailureClass::Denied),
        ("AccessDeniedException", 400, FailureClass::Denied),
        ("AccessDeniedForDependencyException", 403, FailureClass::Denied),
        ("UnauthorizedOperation", 403, FailureClass::Denied),
        ("OptInRequired", 403, FailureClass::Denied),
        ("KMS.DisabledException", 400, FailureClass::Denied),
        ("KMS.NotFoundException", 400, FailureClass::Denied),
        ("ExpiredToken", 400, FailureClass::Unauthenticated),
        ("ExpiredTokenException", 400, FailureClass::Unauthenticated),
        ("InvalidClientTokenId", 403, FailureClass::Unauthenticated),
        ("UnrecognizedClientException", 400, FailureClass::Unauthenticated),
        ("SignatureDoesNotMatch", 403, FailureClass::Unauthenticated),
        ("AuthFailure", 401, FailureClass::Unauthenticated),
        ("NotFoundException", 400, FailureClass::NotFound),
        ("com.amazonaws.kms#NotFoundException", 400, FailureClass::NotFound),
        ("NoSuchBucket", 404, FailureClass::NotFound),
        ("NoSuchKey", 404, FailureClass::NotFound),
        (
            "ServerSideEncryptionConfigurationNotFoundError",
            404,
            FailureClass::NotFound,
        ),
        ("DBInstanceNotFound", 404, FailureClass::NotFound),
        ("InvalidVolume.NotFound", 400, FailureClass::NotFound),
        (
            "AWS.SimpleQueueService.NonExistentQueue",
            400,
            FailureClass::NotFound,
        ),
        ("TrailNotFoundException", 400, FailureClass::NotFound),
        ("ReportInProgress", 404, FailureClass::Transient),
        ("ReportNotPresent", 410, FailureClass::NotFound),
        ("InternalError", 500, FailureClass::Transient),
        ("KMSInternalException", 500, FailureClass::Transient),
        ("RequestTimeout", 400, FailureClass::Transient),
        ("InvalidNextTokenException", 400, FailureClass::Permanent),
        ("ValidationException", 400, FailureClass::Permanent),
        ("UnsupportedOperationException", 400, FailureClass::Permanent),
        ("PermanentRedirect", 301, FailureClass::Permanent),
        // An unknown code still has a status.
        ("Novelty", 503, FailureClass::Transient),
        ("403", 403, FailureClass::Denied),
    ] {
        check(code, status, "", expected);
    }
}

#[test]
fn without_a_code_the_status_decides() {
    for (status, expected) in [
        (200, FailureClass::Unreadable),
        (301, FailureClass::Permanent),
        (400, FailureClass::Permanent),
        (401, FailureClass::Unauthenticated),
        (403, FailureClass::Denied),
        (404, FailureClass::NotFound),
        (429, THROTTLED),
        // HTML from a proxy, or from an emulator that lacks the operation.
        (500, FailureClass::Transient),
        (502, FailureClass::Transient),
        (999, FailureClass::Unreadable),
    ] {
        check("", status, "", expected);
    }
}

#[test]
fn an_explicit_deny_is_denied_under_any_code() {
    let message = "User: arn:aws:sts::1:assumed-role/k/keyvigil is not authorized to perform: x with an explicit deny \
                   in a service control policy";
    for code in ["", "ValidationException", "AuthFailure"] {
        check(code, 400, message, FailureClass::Denied);
    }
}

#[test]
fn throttling_carries_the_wait_that_was_asked_for() {
    let wait = Some(Duration::from_secs(7));
    assert_eq!(retry_after(Some("7"), None), wait);
    assert_eq!(retry_after(None, Some("1500")), Some(Duration::from_millis(1500)));
    assert_eq!(retry_after(Some("Wed, 21 Oct 2026 07:28:00 GMT"), None), None);
    assert_eq!(
        classify(Some("SlowDown"), 503, "", wait),
        FailureClass::Throttled(wait)
    );
    assert_eq!(
        classify(Some("AccessDenied"), 403, "", wait),
        FailureClass::Denied
    );
}

#[test]
fn messages_never_quote_a_signed_request() {
    for text in [
        "The Canonical String for this request should have been 'POST\n/\n\nx-amz-date:1'",
        "GET https://b.s3.amazonaws.com/k?X-Amz-Signature=abc failed",
        "x-amz-security-token:IQoJ",
    ] {
        assert!(one_line(text).starts_with("(withheld"), "{text}");
    }
    assert_eq!(one_line("a\nb\u{1b}[31m"), "a b [31m");
    assert_eq!(one_line(&"x".repeat(1000)).chars().count(), MAX_MESSAGE + 1);
}

#[test]
fn the_connectors_error_keeps_the_code() {
    let reply = Reply {
        status: 404,
        code: Some("NoSuchBucket".to_owned()),
        message: Some("gone".to_owned()),
        retry_after: None,
    };
    let error = CallError::from(AwsError::of_reply("s3:GetBucketPolicy", &reply));
    assert_eq!(
        error,
        CallError::new(FailureClass::NotFound, "s3:GetBucketPolicy", "NoSuchBucket: gone")
    );
}
