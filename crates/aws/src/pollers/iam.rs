//! AWS IAM: the credentials of root and of the users of an account.
//!
//! Root comes from `GetAccountSummary` and the credential report, users from the report alone. AWS makes the report
//! when it is asked for one and the last is older than four hours; that takes seconds. A poll does not wait for it:
//! what depends on it is unknown until the next poll finds it ready.

use std::collections::BTreeMap;
use std::sync::Arc;

use keyvigil_connector::call::{BoxFuture, CallContext};
use keyvigil_connector::failure::CallError;
use keyvigil_connector::poller::{PollScope, Poller};
use keyvigil_model::id::{Region, ResourceId, SourceId};
use keyvigil_model::provider::Provider;
use keyvigil_model::resource::{ResourceKind, ResourceRef};
use keyvigil_model::snapshot::{AwsUser, Config, Family, Resource, Snapshot, SnapshotScope};
use keyvigil_model::untrusted::Untrusted;
use keyvigil_model::verdict::{Read, UnknownReason};

use crate::client::Scope;
use crate::client::failure::AwsError;
use crate::client::query::QueryService;
use crate::pollers::credential_report::Report;
use crate::pollers::gather::{Gathered, NOT_ASKED, not_mine};
use crate::pollers::iam_map::{self, ReportState};
use crate::pollers::place::{GLOBAL, Place, bare_name};

const GET_REPORT: &str = "iam:GetCredentialReport";
/// How often a poll asks whether the report is ready: once to have it made, and then again.
const ASKS: u32 = 3;

/// Reads the credentials of one account.
#[derive(Debug)]
pub struct IamPoller {
    scope: PollScope,
    aws: Arc<Scope>,
    place: Place,
}

/// What was read, or why not.
struct Credentials {
    summary: Result<BTreeMap<String, u32>, AwsError>,
    report: Result<Report, UnknownReason>,
}

impl IamPoller {
    /// A poller for the account of `aws`. IAM is the same in every region of a partition.
    pub fn new(source: SourceId, aws: Arc<Scope>) -> Self {
        let place = Place::new(aws.account().clone(), aws.region().clone());
        let scope = PollScope {
            source,
            provider: Provider::Aws,
            account: place.account.clone(),
            region: Region::from(GLOBAL),
            family: Family::Identities,
        };
        Self { scope, aws, place }
    }

    async fn read_all(&self, call: &CallContext) -> Result<Snapshot, CallError> {
        let mut gathered = Gathered::default();
        let credentials = self.read(call, &mut gathered).await;
        let whole = match (&credentials.summary, &credentials.report) {
            // Nothing at all: the poll failed.
            (Err(error), Err(_)) => return Err(error.clone().into()),
            (_, Ok(report)) => report.broken == 0,
            (Ok(_), Err(_)) => false,
        };
        gathered.resources.push(self.root(&credentials));
        if let Ok(report) = credentials.report {
            for (name, user) in report.users {
                gathered.resources.push(self.user(&name, user));
            }
        }
        let families = vec![Family::Identities];
        let scope = if whole {
            SnapshotScope::Complete(families)
        } else {
            SnapshotScope::Partial(families)
        };
        Ok(gathered.into_snapshot(&self.scope, call, scope))
    }

    async fn read_one(&self, call: &CallContext, asked: &ResourceRef) -> Result<Snapshot, CallError> {
        if !self.place.may_hold(asked.id.as_str()) {
            return Err(not_mine(&self.scope, asked));
        }
        let mut gathered = Gathered::default();
        match asked.kind {
            ResourceKind::Account => {
                let credentials = self.read(call, &mut gathered).await;
                if let (Err(error), Err(_)) = (&credentials.summary, &credentials.report) {
                    return Err(error.clone().into());
                }
                gathered.resources.push(self.root(&credentials));
                Ok(gathered.into_one(&self.scope, call, asked))
            }
            ResourceKind::User => {
                let report = self.report(call, &mut gathered).await;
                let users = report.map(|report| report.users).unwrap_or_default();
                let name = bare_name(asked.id.as_str());
                match users.into_iter().find(|(user, _)| user == name) {
                    Some((name, user)) => gathered.resources.push(self.user(&name, user)),
                    // The report may be older than the user: that it is not there proves nothing.
                    None => gathered.miss_because(GET_REPORT, Some(asked), UnknownReason::NotYetRead),
                }
                let scope = SnapshotScope::One(asked.clone());
                Ok(gathered.into_snapshot(&self.scope, call, scope))
            }
            ResourceKind::Key
            | ResourceKind::Secret
            | ResourceKind::Bucket
            | ResourceKind::DiskDefault
            | ResourceKind::Disk
            | ResourceKind::DiskSnapshot
            | ResourceKind::Database
            | ResourceKind::DatabaseCluster
            | ResourceKind::DatabaseSnapshot
            | ResourceKind::AuditLog
            | ResourceKind::Role
            | ResourceKind::Other => Err(not_mine(&self.scope, asked)),
        }
    }

    async fn read(&self, call: &CallContext, gathered: &mut Gathered) -> Credentials {
        let root = self.place.root();
        let summary = self
            .ask(call, "GetAccountSummary")
            .await
            .and_then(|text| iam_map::summary(&text));
        if let Err(error) = &summary {
            gathered.miss(error, Some(&root));
        }
        let report = self.report(call, gathered).await;
        if let Ok(report) = &report
            && report.broken > 0
        {
            gathered.miss_because(GET_REPORT, None, UnknownReason::Unreadable);
        }
        Credentials { summary, report }
    }

    /// The credential report, if it is ready. Where it may not be asked for, one made for somebody else will do.
    async fn report(&self, call: &CallContext, gathered: &mut Gathered) -> Result<Report, UnknownReason> {
        let mut ready = false;
        for _ in 0..ASKS {
            let answer = self.ask(call, "GenerateCredentialReport").await;
            match answer.and_then(|text| iam_map::report_state(&text)) {
                Ok(ReportState::Complete) => ready = true,
                Ok(ReportState::InProgress) => continue,
                Err(error) => {
                    gathered.miss(&error, None);
                    ready = true;
                }
            }
            break;
        }
        let not_yet = UnknownReason::NotYetRead;
        if !ready {
            gathered.miss_because(GET_REPORT, None, not_yet);
            return Err(not_yet);
        }
        let answer = self.ask(call, "GetCredentialReport").await;
        match answer.and_then(|text| iam_map::report(&text, call.now)) {
            Ok(report) => Ok(report),
            Err(error) if is_not_ready(&error) => {
                gathered.miss_because(GET_REPORT, None, not_yet);
                Err(not_yet)
            }
            Err(error) => Err(gathered.miss(&error, None)),
        }
    }

    fn root(&self, credentials: &Credentials) -> Resource {
        let summary = credentials.summary.as_ref();
        let root = iam_map::root(
            summary.map_err(|error| error.class.unknown_reason()),
            credentials.report.as_ref().map_err(|reason| *reason),
        );
        Resource {
            reference: self.place.root(),
            name: Untrusted::from("root"),
            tags: Read::Unknown(NOT_ASKED),
            config: Config::AwsRoot(root),
        }
    }

    /// Users have no region.
    fn user(&self, name: &str, user: AwsUser) -> Resource {
        Resource {
            reference: ResourceRef {
                id: ResourceId::from(user.id.as_str()),
                kind: ResourceKind::User,
                account: Some(self.place.account.clone()),
                region: None,
            },
            name: Untrusted::from(name),
            tags: Read::Unknown(NOT_ASKED),
            config: Config::AwsUser(user),
        }
    }

    async fn ask(&self, call: &CallContext, action: &str) -> Result<String, AwsError> {
        self.aws.query(call, QueryService::Iam, action, &[]).await
    }
}

/// The report is being made, was never made, or is too old: asking again later helps.
fn is_not_ready(error: &AwsError) -> bool {
    [
        "ReportInProgress",
        "ReportNotPresent",
        "ReportExpired",
        "NotReady",
    ]
    .iter()
    .any(|code| error.code().contains(code))
}

impl Poller for IamPoller {
    fn scope(&self) -> &PollScope {
        &self.scope
    }

    fn poll<'a>(&'a self, call: &'a CallContext) -> BoxFuture<'a, Result<Snapshot, CallError>> {
        Box::pin(self.read_all(call))
    }

    fn poll_one<'a>(
        &'a self,
        call: &'a CallContext,
        resource: &'a ResourceRef,
    ) -> BoxFuture<'a, Result<Snapshot, CallError>> {
        Box::pin(self.read_one(call, resource))
    }
}
