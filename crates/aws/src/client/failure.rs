//! What went wrong with a call to AWS: one classifier for every service and protocol.
//!
//! The HTTP status alone says little: KMS throttles with 400, S3 with 503, EC2 with 503 and `RequestLimitExceeded`.
//! So the error code decides first, and the status only where there is no code that is known.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use keyvigil_connector::failure::{CallError, FailureClass};

/// A call to AWS failed. Like [`CallError`], with the service's own error code, which some pollers must tell apart
/// (`NoSuchBucketPolicy` is an answer, `NoSuchBucket` is not).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AwsError {
    /// What to do about it.
    pub class: FailureClass,
    /// The call, in IAM words: `kms:DescribeKey`.
    pub call: String,
    /// The error code of the service, where it sent one.
    pub code: Option<String>,
    /// What the service said, on one line, without anything that was signed with.
    pub message: String,
}

impl AwsError {
    /// A failure that has no code of a service.
    pub fn new(class: FailureClass, call: &str, message: impl Into<String>) -> Self {
        Self {
            class,
            call: call.to_owned(),
            code: None,
            message: message.into(),
        }
    }

    /// The error code, or nothing.
    pub fn code(&self) -> &str {
        self.code.as_deref().unwrap_or_default()
    }

    /// Classifies the failure of an SDK call.
    pub fn of_sdk<E>(call: &str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        if let Some(failure) = find_in_chain::<CredentialFailure>(error) {
            return Self::new(failure.class, call, failure.message.clone());
        }
        let chain = || one_line(&root_cause(error));
        match error {
            SdkError::ServiceError(service) => {
                let reply = Reply::of_sdk(service.raw(), service.err());
                Self::of_reply(call, &reply)
            }
            // A body that the SDK could not parse. An error status is classified like any other error without a code.
            SdkError::ResponseError(response) if response.raw().status().is_success() => {
                Self::new(FailureClass::Unreadable, call, chain())
            }
            SdkError::ResponseError(response) => {
                let mut reply = Reply::of_status(response.raw());
                reply.message = Some(chain());
                Self::of_reply(call, &reply)
            }
            SdkError::TimeoutError(_) => Self::new(FailureClass::Transient, call, chain()),
            SdkError::DispatchFailure(failure) if failure.is_user() => {
                Self::new(FailureClass::Permanent, call, chain())
            }
            SdkError::DispatchFailure(_) => Self::new(FailureClass::Transient, call, chain()),
            // The request could not be built: a parameter is missing or malformed.
            _ => Self::new(FailureClass::Permanent, call, chain()),
        }
    }

    /// Classifies an answer with an error status.
    pub(crate) fn of_reply(call: &str, reply: &Reply) -> Self {
        let message = reply.message.as_deref().unwrap_or_default();
        Self {
            class: classify(reply.code.as_deref(), reply.status, message, reply.retry_after),
            call: call.to_owned(),
            code: reply.code.clone(),
            message: if message.is_empty() {
                format!("HTTP {} without an explanation", reply.status)
            } else {
                one_line(message)
            },
        }
    }
}

impl fmt::Display for AwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed ({})", self.call, self.class.as_str())?;
        if let Some(code) = &self.code {
            write!(f, ": {code}")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl Error for AwsError {}

impl From<AwsError> for CallError {
    fn from(error: AwsError) -> Self {
        let message = match &error.code {
            Some(code) => format!("{code}: {}", error.message),
            None => error.message,
        };
        Self::new(error.class, error.call, message)
    }
}

/// The parts of an error answer that decide its class.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) code: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) retry_after: Option<Duration>,
}

impl Reply {
    fn of_status(response: &HttpResponse) -> Self {
        let header = |name| response.headers().get(name);
        Self {
            status: response.status().as_u16(),
            code: None,
            message: None,
            retry_after: retry_after(header("retry-after"), header("x-amz-retry-after")),
        }
    }

    fn of_sdk(response: &HttpResponse, error: &impl ProvideErrorMetadata) -> Self {
        Self {
            code: error.code().map(str::to_owned),
            message: error.message().map(str::to_owned),
            ..Self::of_status(response)
        }
    }
}

/// `Retry-After` in seconds, or AWS's own header in milliseconds. Dates are not used by AWS and are ignored.
pub(crate) fn retry_after(seconds: Option<&str>, millis: Option<&str>) -> Option<Duration> {
    if let Some(seconds) = seconds.and_then(|text| text.trim().parse().ok()) {
        return Some(Duration::from_secs(seconds));
    }
    let millis = millis.and_then(|text| text.trim().parse().ok())?;
    Some(Duration::from_millis(millis))
}

/// Credentials could not be had. Travels inside the SDK's own error until [`AwsError::of_sdk`] finds it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct CredentialFailure {
    pub(crate) class: FailureClass,
    pub(crate) message: String,
}

impl fmt::Display for CredentialFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for CredentialFailure {}

/// Codes whose class does not follow from their form. Compared with the last dotted part of a code.
const CODES: &[(FailureClass, &[&str])] = &[
    (
        FailureClass::Throttled(None),
        &[
            "BandwidthLimitExceeded",
            "LimitExceeded",
            "LimitExceededException",
            "OverLimit",
            "RequestLimitExceeded",
            "SlowDown",
            "TooManyRequests",
            "TooManyRequestsException",
        ],
    ),
    (
        FailureClass::Transient,
        &[
            "DependencyTimeoutException",
            "IDPCommunicationError",
            "InternalError",
            "InternalException",
            "InternalFailure",
            "InternalServerError",
            "InternalServiceError",
            "KMSInternalException",
            "KeyUnavailableException",
            "OperationAborted",
            "PriorRequestNotComplete",
            "ReportInProgress",
            "RequestTimeout",
            "RequestTimeoutException",
            "ServiceFailure",
            "ServiceUnavailable",
            "ServiceUnavailableException",
            "TemporaryRedirect",
            "Unavailable",
        ],
    ),
    (
        FailureClass::Denied,
        &[
            "AccountProblem",
            "AllAccessDisabled",
            "AuthorizationError",
            "AuthorizationErrorException",
            "Blocked",
            "InsufficientPrivilegesException",
            "NotAuthorized",
            "OptInRequired",
            "PendingVerification",
            "SubscriptionRequiredException",
            "UnauthorizedAccess",
            "UnauthorizedOperation",
        ],
    ),
    (
        FailureClass::Unauthenticated,
        &[
            "AuthFailure",
            "ExpiredToken",
            "ExpiredTokenException",
            "IncompleteSignature",
            "IncompleteSignatureException",
            "InvalidAccessKeyId",
            "InvalidClientTokenId",
            "InvalidSecurity",
            "InvalidSignatureException",
            "InvalidToken",
            "MissingAuthenticationToken",
            "MissingAuthenticationTokenException",
            "MissingSecurityHeader",
            "NotSignedUp",
            "RequestExpired",
            "RequestTimeTooSkewed",
            "SignatureDoesNotMatch",
            "TokenRefreshRequired",
            "Unauthorized",
            "UnrecognizedClientException",
        ],
    ),
    (
        FailureClass::NotFound,
        &[
            "NonExistentQueue",
            "QueueDoesNotExist",
            "ReportExpired",
            "ReportNotPresent",
        ],
    ),
];

/// The class of an error answer. Total: whatever comes has a class.
///
/// An error status without a code that is known falls back on the status. HTML with status 500 (proxies, and emulators
/// for what they do not have) is transient: it says nothing about the request, and the caller's retries are bounded.
pub(crate) fn classify(
    code: Option<&str>,
    status: u16,
    message: &str,
    retry_after: Option<Duration>,
) -> FailureClass {
    // A service control policy, a permission boundary or a resource policy, whatever code it came with.
    if message.contains("explicit deny") {
        return FailureClass::Denied;
    }
    let class = code
        .and_then(of_code)
        .unwrap_or_else(|| of_status(status, code.is_some()));
    match class {
        FailureClass::Throttled(_) => FailureClass::Throttled(retry_after),
        other => other,
    }
}

fn of_code(code: &str) -> Option<FailureClass> {
    // `com.amazonaws.kms#NotFoundException`, `InvalidVolume.NotFound`, `AWS.SimpleQueueService.NonExistentQueue`.
    let name = code.rsplit(['#', '.']).next().unwrap_or(code);
    for (class, names) in CODES {
        if names.contains(&name) {
            return Some(*class);
        }
    }
    if name.contains("Throttl") {
        return Some(FailureClass::Throttled(None));
    }
    // S3 passes on what KMS said about the key of an object (`KMS.DisabledException`): the object is there but shut.
    if name.starts_with("AccessDenied") || code.starts_with("KMS.") {
        return Some(FailureClass::Denied);
    }
    let missing = ["NotFound", "NotFoundException", "NotFoundFault", "NotFoundError"];
    if name.starts_with("NoSuch") || missing.iter().any(|ending| name.ends_with(ending)) {
        return Some(FailureClass::NotFound);
    }
    None
}

fn of_status(status: u16, has_code: bool) -> FailureClass {
    match status {
        401 => FailureClass::Unauthenticated,
        403 => FailureClass::Denied,
        404 | 410 => FailureClass::NotFound,
        408 | 500..=599 => FailureClass::Transient,
        429 => FailureClass::Throttled(None),
        400..=499 => FailureClass::Permanent,
        // Redirects need another endpoint or region; anything below 300 was expected to be readable.
        300..=399 => FailureClass::Permanent,
        _ if has_code => FailureClass::Permanent,
        _ => FailureClass::Unreadable,
    }
}

/// At most this many characters of a service's message are kept.
const MAX_MESSAGE: usize = 300;

/// What a message quotes when it quotes the request that was signed.
const SIGNED_PARTS: &[&str] = &[
    "canonical string",
    "string-to-sign",
    "x-amz-security-token",
    "x-amz-signature",
    "x-amz-credential",
    "signature=",
    "secretaccesskey",
];

/// One bounded line of what was said; nothing if it quotes a signed request, whose headers hold the session token.
pub(crate) fn one_line(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    if SIGNED_PARTS.iter().any(|part| lower.contains(part)) {
        return "(withheld: the text quotes the signed request)".to_owned();
    }
    let mut line = String::new();
    for character in text.chars().take(MAX_MESSAGE) {
        line.push(if character.is_control() { ' ' } else { character });
    }
    if text.chars().nth(MAX_MESSAGE).is_some() {
        line.push('…');
    }
    line
}

/// The texts of an error and its causes, outermost first, without repetitions.
pub(crate) fn root_cause(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        next = cause.source();
    }
    text
}

/// The first error of a type in a chain of causes.
pub(crate) fn find_in_chain<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(current) = next {
        if let Some(found) = current.downcast_ref::<T>() {
            return Some(found);
        }
        next = current.source();
    }
    None
}

#[cfg(test)]
mod tests;
