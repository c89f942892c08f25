//! Amazon EBS: the encryption default of a region, its volumes and the account's own snapshots.
//!
//! The default is read in regions without volumes too: it decides about the next volume.

use std::sync::Arc;

use keyvigil_connector::call::{BoxFuture, CallContext};
use keyvigil_connector::failure::{CallError, FailureClass};
use keyvigil_connector::poller::{PollScope, Poller};
use keyvigil_model::id::SourceId;
use keyvigil_model::provider::Provider;
use keyvigil_model::resource::{ResourceKind, ResourceRef};
use keyvigil_model::snapshot::{AwsEbsDefault, Config, Family, Resource, Snapshot};
use keyvigil_model::untrusted::Untrusted;
use keyvigil_model::verdict::Read;

use crate::client::Scope;
use crate::client::failure::AwsError;
use crate::client::query::QueryService;
use crate::pollers::ebs_map;
use crate::pollers::gather::{Gathered, ListEnd, NOT_ASKED, coverage, not_mine};
use crate::pollers::listing::{Listed, Listing, Page};
use crate::pollers::place::{Place, bare_name};

/// Pages of what both listings allow.
const ITEMS_A_PAGE: &str = "500";

/// Reads the block storage of one account and region.
#[derive(Debug)]
pub struct EbsPoller {
    scope: PollScope,
    aws: Arc<Scope>,
    place: Place,
}

/// Reads the text of one answer.
type ReadPage = fn(&Place, &str) -> Result<Page<Resource>, AwsError>;

impl EbsPoller {
    /// A poller for the account and region of `aws`.
    pub fn new(source: SourceId, aws: Arc<Scope>) -> Self {
        let place = Place::new(aws.account().clone(), aws.region().clone());
        let scope = PollScope {
            source,
            provider: Provider::Aws,
            account: place.account.clone(),
            region: place.region.clone(),
            family: Family::Disks,
        };
        Self { scope, aws, place }
    }

    async fn read_all(&self, call: &CallContext) -> Result<Snapshot, CallError> {
        let mut gathered = Gathered::default();
        let mut ends = Vec::new();
        let (default_known, default) = self.read_default(call, &mut gathered).await;
        let paged = [("MaxResults", ITEMS_A_PAGE)];
        let volumes = self
            .list(call, "ec2:DescribeVolumes", &paged, ebs_map::volumes)
            .await;
        ends.push(gathered.take(volumes));
        let own = [("MaxResults", ITEMS_A_PAGE), ("Owner.1", "self")];
        let snapshots = self
            .list(call, "ec2:DescribeSnapshots", &own, ebs_map::snapshots)
            .await;
        ends.push(gathered.take(snapshots));
        if default_known {
            ends.push(ListEnd::Whole);
        }
        gathered.resources.push(default);
        let scope = coverage(&self.scope, ends)?;
        Ok(gathered.into_snapshot(&self.scope, call, scope))
    }

    async fn read_one(&self, call: &CallContext, asked: &ResourceRef) -> Result<Snapshot, CallError> {
        if !self.place.may_hold(asked.id.as_str()) {
            return Err(not_mine(&self.scope, asked));
        }
        let mut gathered = Gathered::default();
        let id = bare_name(asked.id.as_str());
        let listed = match asked.kind {
            ResourceKind::DiskDefault => {
                let (_, default) = self.read_default(call, &mut gathered).await;
                gathered.resources.push(default);
                return Ok(gathered.into_one(&self.scope, call, asked));
            }
            ResourceKind::Disk => {
                let parameters = [("VolumeId.1", id)];
                self.list(call, "ec2:DescribeVolumes", &parameters, ebs_map::volumes)
                    .await
            }
            ResourceKind::DiskSnapshot => {
                let parameters = [("SnapshotId.1", id)];
                self.list(call, "ec2:DescribeSnapshots", &parameters, ebs_map::snapshots)
                    .await
            }
            ResourceKind::Key
            | ResourceKind::Secret
            | ResourceKind::Bucket
            | ResourceKind::Database
            | ResourceKind::DatabaseCluster
            | ResourceKind::DatabaseSnapshot
            | ResourceKind::AuditLog
            | ResourceKind::Account
            | ResourceKind::User
            | ResourceKind::Role
            | ResourceKind::Other => return Err(not_mine(&self.scope, asked)),
        };
        match listed.whole() {
            Ok(found) => gathered.resources = found,
            // No such volume, or an id that cannot be one.
            Err(error) if error.class == FailureClass::NotFound || error.code().ends_with(".Malformed") => {}
            Err(error) => return Err(error.into()),
        }
        Ok(gathered.into_one(&self.scope, call, asked))
    }

    /// The default of the region, and whether anything of it could be read. The key is asked for whether or not the
    /// default is on: it is what the next encrypted volume gets.
    async fn read_default(&self, call: &CallContext, gathered: &mut Gathered) -> (bool, Resource) {
        let reference = self.place.ebs_default();
        let enabled = self
            .ask(call, "ec2:GetEbsEncryptionByDefault", &[])
            .await
            .and_then(|text| ebs_map::enabled_by_default(&text));
        let enabled = gathered.said(enabled, "ec2:GetEbsEncryptionByDefault", &reference);
        let key = self
            .ask(call, "ec2:GetEbsDefaultKmsKeyId", &[])
            .await
            .and_then(|text| ebs_map::default_key(&text));
        let key = gathered.said(key, "ec2:GetEbsDefaultKmsKeyId", &reference);
        let known = enabled.get().is_ok() || key.get().is_ok();
        let name = format!("EBS default of {}", self.place.region);
        let default = Resource {
            reference,
            name: Untrusted::new(name),
            tags: Read::Unknown(NOT_ASKED),
            config: Config::AwsEbsDefault(AwsEbsDefault { enabled, key }),
        };
        (known, default)
    }

    async fn list(
        &self,
        call: &CallContext,
        operation: &'static str,
        parameters: &[(&str, &str)],
        read: ReadPage,
    ) -> Listed<Resource> {
        let mut listing = Listing::new(operation);
        while let Some(token) = listing.wants() {
            let mut parameters = parameters.to_vec();
            if let Some(token) = &token {
                parameters.push(("NextToken", token));
            }
            let answer = self.ask(call, operation, &parameters).await;
            listing.add(answer.and_then(|text| read(&self.place, &text)));
        }
        listing.finish()
    }

    async fn ask(
        &self,
        call: &CallContext,
        operation: &str,
        parameters: &[(&str, &str)],
    ) -> Result<String, AwsError> {
        let action = operation.trim_start_matches("ec2:");
        self.aws.query(call, QueryService::Ec2, action, parameters).await
    }
}

impl Poller for EbsPoller {
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
