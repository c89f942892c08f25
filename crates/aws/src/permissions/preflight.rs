//! Finds out which permissions are there by using them: read calls that ask for as little as possible.
//!
//! Three calls are not plain reads, and harmless all the same: a report about credentials is generated (the poller
//! does so too), a message is received and made visible again at once (its delivery count rises by one), and a receipt
//! that does not exist is extended and deleted.

mod posture;
mod trail;

use keyvigil_connector::call::{BoxFuture, CallContext};
use keyvigil_connector::failure::FailureClass;
use keyvigil_connector::preflight::{PermissionCheck, PermissionStatus, Preflight};
use keyvigil_model::id::Region;
use keyvigil_model::verdict::UnknownReason;

use crate::client::failure::AwsError;
use crate::client::{Account, Scope};
use crate::config::{AccountConfig, PollFamily, Switch, TrailConfig};
use crate::permissions::permission;
use crate::s3::log_key::AllowList;

/// Tries the permissions of one account in all of its regions, as far as its configuration needs them.
pub struct AwsPreflight {
    account: Account,
    config: AccountConfig,
    trails: Vec<(TrailConfig, AllowList)>,
}

impl AwsPreflight {
    /// For an account and the trails that are read with its credentials.
    pub fn new(account: Account, config: &AccountConfig, trails: Vec<(TrailConfig, AllowList)>) -> Self {
        Self {
            account,
            config: config.clone(),
            trails,
        }
    }

    async fn try_all(&self, call: &CallContext) -> Vec<PermissionCheck> {
        let mut found = Vec::new();
        for (index, region) in self.config.regions.iter().enumerate() {
            let region = Region::from(region.as_str());
            let scope = self.account.scope(&region);
            let mut probe = Probe::new(call, &scope, region, &mut found);
            if index == 0 {
                posture::identity(&mut probe, &self.config.account_id).await;
                self.try_global(call, &scope, probe.found).await;
                probe = Probe::new(call, &scope, scope.region().clone(), &mut found);
            }
            self.try_regional(&mut probe).await;
        }
        for (trail, allow) in &self.trails {
            let region = Region::from(trail.region.as_str());
            let scope = self.account.scope_at(&region, trail.endpoint_url.as_deref());
            let mut probe = Probe::new(call, &scope, region, &mut found);
            Box::pin(trail::queue(&mut probe, trail)).await;
            Box::pin(trail::bucket(&mut probe, allow)).await;
        }
        found
    }

    async fn try_global(&self, call: &CallContext, scope: &Scope, found: &mut Vec<PermissionCheck>) {
        let mut probe = Probe::new(call, scope, Region::from("global"), found);
        if self.config.poll.contains(&PollFamily::Buckets) {
            Box::pin(posture::buckets(&mut probe)).await;
        }
        if self.config.poll.contains(&PollFamily::Identities) {
            Box::pin(posture::identities(&mut probe)).await;
        }
    }

    async fn try_regional(&self, probe: &mut Probe<'_>) {
        for family in &self.config.poll {
            match family {
                PollFamily::Keys => Box::pin(posture::keys(probe)).await,
                PollFamily::Disks => Box::pin(posture::disks(probe)).await,
                PollFamily::Databases => Box::pin(posture::databases(probe)).await,
                PollFamily::AuditLogs => Box::pin(posture::trails(probe)).await,
                // Global: asked once.
                PollFamily::Buckets | PollFamily::Identities => {}
            }
        }
        match self.config.lookup_events.mode {
            Switch::On => Box::pin(posture::event_history(probe)).await,
            Switch::Off => {}
        }
    }
}

impl Preflight for AwsPreflight {
    fn check<'a>(&'a self, call: &'a CallContext) -> BoxFuture<'a, Vec<PermissionCheck>> {
        Box::pin(self.try_all(call))
    }
}

/// Where permissions are tried, and what was found out.
struct Probe<'a> {
    call: &'a CallContext,
    scope: &'a Scope,
    region: Region,
    found: &'a mut Vec<PermissionCheck>,
}

impl<'a> Probe<'a> {
    fn new(
        call: &'a CallContext,
        scope: &'a Scope,
        region: Region,
        found: &'a mut Vec<PermissionCheck>,
    ) -> Self {
        Self {
            call,
            scope,
            region,
            found,
        }
    }

    fn note(&mut self, action: &'static str, status: PermissionStatus) {
        self.found.push(PermissionCheck {
            account: self.scope.account().clone(),
            region: self.region.clone(),
            permission: action,
            status,
            needed_by: permission(action).map_or(&[], |known| known.needed_by),
        });
    }

    /// Notes what a call says about its permission, and hands over its answer.
    fn tried<T>(&mut self, action: &'static str, outcome: Result<T, AwsError>) -> Option<T> {
        match outcome {
            Ok(answer) => {
                self.note(action, PermissionStatus::Granted);
                Some(answer)
            }
            Err(error) => {
                self.note(action, status_of(&error));
                None
            }
        }
    }

    /// Notes that there was nothing to try a permission on.
    fn untried(&mut self, actions: &[&'static str], why: &str) {
        for action in actions {
            self.note(
                action,
                PermissionStatus::CannotTell(UnknownReason::NotVisible, why.to_owned()),
            );
        }
    }
}

/// Errors that a service sends only to those who may ask: the thing asked about is there and has no such part.
const ANSWERS: &[&str] = &[
    "NoSuchBucketPolicy",
    "NoSuchPublicAccessBlockConfiguration",
    "NoSuchTagSet",
    "ReceiptHandleIsInvalid",
    "ReportExpired",
    "ReportInProgress",
    "ReportNotPresent",
    "ServerSideEncryptionConfigurationNotFoundError",
    "UnsupportedOperationException",
];

fn status_of(error: &AwsError) -> PermissionStatus {
    if ANSWERS.contains(&error.code()) {
        return PermissionStatus::Granted;
    }
    match error.class {
        FailureClass::Denied => PermissionStatus::Denied(error.to_string()),
        FailureClass::Throttled(_)
        | FailureClass::Transient
        | FailureClass::Unauthenticated
        | FailureClass::NotFound
        | FailureClass::Permanent
        | FailureClass::Unreadable => {
            PermissionStatus::CannotTell(error.class.unknown_reason(), error.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(class: FailureClass, code: &str) -> PermissionStatus {
        let mut error = AwsError::new(class, "s3:GetBucketPolicy", "said so");
        error.code = Some(code.to_owned());
        status_of(&error)
    }

    #[test]
    fn answers_about_missing_parts_prove_the_permission() {
        assert_eq!(
            status(FailureClass::NotFound, "NoSuchBucketPolicy"),
            PermissionStatus::Granted
        );
        assert_eq!(
            status(FailureClass::Permanent, "UnsupportedOperationException"),
            PermissionStatus::Granted
        );
    }

    #[test]
    fn only_a_refusal_is_a_denial() {
        let denied = status(FailureClass::Denied, "AccessDenied");
        assert!(matches!(denied, PermissionStatus::Denied(_)), "{denied:?}");
        for (class, reason) in [
            (FailureClass::Throttled(None), UnknownReason::Throttled),
            (FailureClass::Transient, UnknownReason::Unreachable),
            (FailureClass::NotFound, UnknownReason::NotVisible),
            (FailureClass::Unauthenticated, UnknownReason::Denied),
            (FailureClass::Permanent, UnknownReason::Unreadable),
            (FailureClass::Unreadable, UnknownReason::Unreadable),
        ] {
            match status(class, "X") {
                PermissionStatus::CannotTell(found, _) => assert_eq!(found, reason),
                other => panic!("{class:?}: {other:?}"),
            }
        }
    }
}
