//! The credentials of one account: fetched once, shared by all regions and services, renewed before they end.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::future::ProvideCredentials as ProvideFuture;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use keyvigil_connector::failure::FailureClass;
use tokio::sync::Mutex;

use crate::client::failure::{AwsError, CredentialFailure, find_in_chain, one_line, root_cause};

/// Credentials without an end (a profile, the environment) are read again after this long: files get rotated.
const REREAD: Duration = Duration::from_mins(15);
/// After a failed attempt the next one waits this long, so that a hundred pollers do not ask STS a hundred times.
const RETRY: Duration = Duration::from_secs(10);

/// The wall clock, which AWS compares signatures and expiry times with.
#[expect(
    clippy::disallowed_methods,
    reason = "signatures and expiry of credentials are judged by AWS's wall clock, not by the driver's"
)]
pub(crate) fn wall_clock() -> SystemTime {
    SystemTime::now()
}

/// Shares credentials and renews them at four fifths of their life. Clones share.
#[derive(Clone, Debug)]
pub(crate) struct CredentialCache {
    source: SharedCredentialsProvider,
    held: Arc<Mutex<Held>>,
}

#[derive(Debug, Default)]
struct Held {
    credentials: Option<Credentials>,
    renew_at: Option<SystemTime>,
    failure: Option<CredentialFailure>,
}

/// What to do with what is held.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Decision {
    Use,
    Refuse(CredentialFailure),
    Fetch,
}

impl Held {
    fn decide(&self, now: SystemTime) -> Decision {
        let due = self.renew_at.is_none_or(|at| at <= now);
        let valid = self.valid(now);
        match (&self.failure, due) {
            (_, true) => Decision::Fetch,
            (_, false) if valid => Decision::Use,
            (Some(failure), false) => Decision::Refuse(failure.clone()),
            (None, false) => Decision::Fetch,
        }
    }

    fn valid(&self, now: SystemTime) -> bool {
        match &self.credentials {
            Some(held) => held.expiry().is_none_or(|end| end > now),
            None => false,
        }
    }

    fn keep(&mut self, credentials: Credentials, now: SystemTime) {
        self.renew_at = Some(match credentials.expiry() {
            Some(end) => now + end.duration_since(now).unwrap_or_default() * 4 / 5,
            None => now + REREAD,
        });
        self.failure = None;
        self.credentials = Some(credentials);
    }

    fn fail(&mut self, failure: CredentialFailure, now: SystemTime) {
        self.renew_at = Some(now + RETRY);
        self.failure = Some(failure);
    }
}

impl CredentialCache {
    pub(crate) fn new(source: SharedCredentialsProvider) -> Self {
        Self {
            source,
            held: Arc::default(),
        }
    }

    /// Credentials that are valid now. While a renewal fails, the old ones serve until they end.
    pub(crate) async fn get(&self) -> Result<Credentials, CredentialFailure> {
        let mut held = self.held.lock().await;
        match held.decide(wall_clock()) {
            Decision::Use => {}
            Decision::Refuse(failure) => return Err(failure),
            Decision::Fetch => match self.source.provide_credentials().await {
                Ok(fresh) => held.keep(fresh, wall_clock()),
                Err(error) => {
                    let failure = of_provider(&error);
                    let now = wall_clock();
                    held.fail(failure.clone(), now);
                    if !held.valid(now) {
                        return Err(failure);
                    }
                    tracing::warn!(reason = %failure, "credentials could not be renewed; the old ones serve until they end");
                }
            },
        }
        Ok(held.credentials.clone().expect("kept above or decided to use"))
    }

    /// Forgets credentials that a service refused, so that the next call fetches others. Not while a fetch failed
    /// moments ago.
    pub(crate) async fn forget(&self) {
        let mut held = self.held.lock().await;
        if held.failure.is_none() {
            *held = Held::default();
        }
    }
}

impl ProvideCredentials for CredentialCache {
    fn provide_credentials<'a>(&'a self) -> ProvideFuture<'a>
    where
        Self: 'a,
    {
        ProvideFuture::new(async { self.get().await.map_err(CredentialsError::provider_error) })
    }
}

/// Why there are no credentials. A refused `AssumeRole` is a missing permission of valid credentials.
fn of_provider(error: &CredentialsError) -> CredentialFailure {
    if let Some(inner) = find_in_chain::<CredentialFailure>(error) {
        return inner.clone();
    }
    if let Some(refused) = find_in_chain::<SdkError<AssumeRoleError, HttpResponse>>(error) {
        let refused = AwsError::of_sdk("sts:AssumeRole", refused);
        return CredentialFailure {
            class: refused.class,
            message: refused.to_string(),
        };
    }
    let (class, message) = match error {
        CredentialsError::CredentialsNotLoaded(_) => (
            FailureClass::Unauthenticated,
            "found in no place: environment, profile, web identity, container role, instance role".to_owned(),
        ),
        CredentialsError::InvalidConfiguration(_) => (FailureClass::Unauthenticated, root_cause(error)),
        // Instance metadata, an SSO endpoint or a credential process that did not answer.
        _ => (FailureClass::Transient, root_cause(error)),
    };
    CredentialFailure {
        class,
        message: one_line(&format!("no AWS credentials: {message}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: SystemTime = SystemTime::UNIX_EPOCH;

    fn after(seconds: u64) -> SystemTime {
        START + Duration::from_secs(seconds)
    }

    fn credentials(expiry: Option<SystemTime>) -> Credentials {
        Credentials::new("AKIDEXAMPLE", "secret", None, expiry, "test")
    }

    fn failure() -> CredentialFailure {
        CredentialFailure {
            class: FailureClass::Denied,
            message: "refused".to_owned(),
        }
    }

    #[test]
    fn credentials_are_renewed_at_four_fifths_of_their_life() {
        let mut held = Held::default();
        assert_eq!(held.decide(START), Decision::Fetch);
        held.keep(credentials(Some(after(1000))), START);
        assert_eq!(held.decide(after(799)), Decision::Use);
        assert_eq!(held.decide(after(800)), Decision::Fetch);
    }

    #[test]
    fn old_credentials_serve_until_they_end() {
        let mut held = Held::default();
        held.keep(credentials(Some(after(1000))), START);
        held.fail(failure(), after(990));
        assert_eq!(held.decide(after(995)), Decision::Use);
        assert_eq!(held.decide(after(999)), Decision::Use);
        assert_eq!(held.decide(after(1000)), Decision::Fetch);
    }

    #[test]
    fn a_refusal_is_not_repeated_at_once() {
        let mut held = Held::default();
        held.fail(failure(), START);
        assert_eq!(held.decide(after(9)), Decision::Refuse(failure()));
        assert_eq!(held.decide(after(10)), Decision::Fetch);
    }

    #[test]
    fn credentials_without_an_end_are_read_again() {
        let mut held = Held::default();
        held.keep(credentials(None), START);
        assert_eq!(held.decide(after(899)), Decision::Use);
        assert_eq!(held.decide(after(900)), Decision::Fetch);
    }

    #[test]
    fn providers_fail_in_classes() {
        let missing = of_provider(&CredentialsError::not_loaded("nothing in the environment"));
        assert_eq!(missing.class, FailureClass::Unauthenticated);
        let silent = of_provider(&CredentialsError::provider_timed_out(Duration::from_secs(5)));
        assert_eq!(silent.class, FailureClass::Transient);
        let nested = of_provider(&CredentialsError::provider_error(failure()));
        assert_eq!(nested, failure());
    }
}
