//! Amazon RDS: instances, clusters and the account's own snapshots of both.

use std::sync::Arc;

use keyvigil_connector::call::{BoxFuture, CallContext};
use keyvigil_connector::failure::{CallError, FailureClass};
use keyvigil_connector::poller::{PollScope, Poller};
use keyvigil_model::id::SourceId;
use keyvigil_model::provider::Provider;
use keyvigil_model::resource::{ResourceKind, ResourceRef};
use keyvigil_model::snapshot::{Family, Resource, Snapshot};

use crate::client::Scope;
use crate::client::failure::AwsError;
use crate::client::query::QueryService;
use crate::pollers::gather::{Gathered, coverage, not_mine};
use crate::pollers::listing::{Listed, Listing};
use crate::pollers::place::{Place, parse_arn};
use crate::pollers::rds_map;

/// The largest page that RDS allows.
const ITEMS_A_PAGE: &str = "100";

/// One of the four listings.
#[derive(Debug)]
struct Kind {
    call: &'static str,
    action: &'static str,
    /// The parameter that names one of them.
    identifier: &'static str,
    kind: ResourceKind,
}

const INSTANCES: Kind = Kind {
    call: "rds:DescribeDBInstances",
    action: "DescribeDBInstances",
    identifier: "DBInstanceIdentifier",
    kind: ResourceKind::Database,
};
const CLUSTERS: Kind = Kind {
    call: "rds:DescribeDBClusters",
    action: "DescribeDBClusters",
    identifier: "DBClusterIdentifier",
    kind: ResourceKind::DatabaseCluster,
};
const SNAPSHOTS: Kind = Kind {
    call: "rds:DescribeDBSnapshots",
    action: "DescribeDBSnapshots",
    identifier: "DBSnapshotIdentifier",
    kind: ResourceKind::DatabaseSnapshot,
};
const CLUSTER_SNAPSHOTS: Kind = Kind {
    call: "rds:DescribeDBClusterSnapshots",
    action: "DescribeDBClusterSnapshots",
    identifier: "DBClusterSnapshotIdentifier",
    kind: ResourceKind::DatabaseSnapshot,
};

/// Reads the databases of one account and region.
#[derive(Debug)]
pub struct RdsPoller {
    scope: PollScope,
    aws: Arc<Scope>,
    place: Place,
}

impl RdsPoller {
    /// A poller for the account and region of `aws`.
    pub fn new(source: SourceId, aws: Arc<Scope>) -> Self {
        let place = Place::new(aws.account().clone(), aws.region().clone());
        let scope = PollScope {
            source,
            provider: Provider::Aws,
            account: place.account.clone(),
            region: place.region.clone(),
            family: Family::Databases,
        };
        Self { scope, aws, place }
    }

    async fn read_all(&self, call: &CallContext) -> Result<Snapshot, CallError> {
        let mut gathered = Gathered::default();
        let mut ends = Vec::new();
        for kind in [INSTANCES, CLUSTERS, SNAPSHOTS, CLUSTER_SNAPSHOTS] {
            let listed = self.list(call, &kind, &[("MaxRecords", ITEMS_A_PAGE)]).await;
            ends.push(gathered.take(listed));
        }
        let scope = coverage(&self.scope, ends)?;
        Ok(gathered.into_snapshot(&self.scope, call, scope))
    }

    async fn read_one(&self, call: &CallContext, asked: &ResourceRef) -> Result<Snapshot, CallError> {
        let id = asked.id.as_str();
        let kinds = kinds_of(asked.kind, id);
        if kinds.is_empty() || !self.place.may_hold(id) {
            return Err(not_mine(&self.scope, asked));
        }
        let mut gathered = Gathered::default();
        for kind in kinds {
            let parameters = [(kind.identifier, rds_map::name_of(id))];
            match self.list(call, kind, &parameters).await.whole() {
                Ok(found) => gathered.resources.extend(found),
                Err(error) if error.class == FailureClass::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(gathered.into_one(&self.scope, call, asked))
    }

    async fn list(&self, call: &CallContext, kind: &Kind, parameters: &[(&str, &str)]) -> Listed<Resource> {
        let mut listing = Listing::new(kind.call);
        while let Some(marker) = listing.wants() {
            let mut parameters = parameters.to_vec();
            if let Some(marker) = &marker {
                parameters.push(("Marker", marker));
            }
            let answer: Result<String, AwsError> = self
                .aws
                .query(call, QueryService::Rds, kind.action, &parameters)
                .await;
            listing.add(answer.and_then(|text| rds_map::page(&self.place, kind.kind, kind.call, &text)));
        }
        listing.finish()
    }
}

/// Where to look for one resource. A snapshot that is not named by an ARN may be of an instance or of a cluster.
fn kinds_of(kind: ResourceKind, id: &str) -> &'static [Kind] {
    match kind {
        ResourceKind::Database => &[INSTANCES],
        ResourceKind::DatabaseCluster => &[CLUSTERS],
        ResourceKind::DatabaseSnapshot => match parse_arn(id).map(|arn| arn.rest) {
            Some(rest) if rest.starts_with("cluster-snapshot:") => &[CLUSTER_SNAPSHOTS],
            Some(_) => &[SNAPSHOTS],
            None => &[SNAPSHOTS, CLUSTER_SNAPSHOTS],
        },
        ResourceKind::Key
        | ResourceKind::Secret
        | ResourceKind::Bucket
        | ResourceKind::DiskDefault
        | ResourceKind::Disk
        | ResourceKind::DiskSnapshot
        | ResourceKind::AuditLog
        | ResourceKind::Account
        | ResourceKind::User
        | ResourceKind::Role
        | ResourceKind::Other => &[],
    }
}

impl Poller for RdsPoller {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_resource_is_looked_for_where_it_can_be() {
        use ResourceKind::{Bucket, Database, DatabaseCluster, DatabaseSnapshot};
        for (kind, id, calls) in [
            (Database, "orders", vec!["DescribeDBInstances"]),
            (
                DatabaseCluster,
                "arn:aws:rds:eu-west-1:1:cluster:c",
                vec!["DescribeDBClusters"],
            ),
            (
                DatabaseSnapshot,
                "arn:aws:rds:eu-west-1:1:snapshot:s",
                vec!["DescribeDBSnapshots"],
            ),
            (
                DatabaseSnapshot,
                "arn:aws:rds:eu-west-1:1:cluster-snapshot:s",
                vec!["DescribeDBClusterSnapshots"],
            ),
            (
                DatabaseSnapshot,
                "rds:s",
                vec!["DescribeDBSnapshots", "DescribeDBClusterSnapshots"],
            ),
            (Bucket, "b", vec![]),
        ] {
            let found: Vec<&str> = kinds_of(kind, id).iter().map(|kind| kind.action).collect();
            assert_eq!(found, calls, "{id}");
        }
    }
}
