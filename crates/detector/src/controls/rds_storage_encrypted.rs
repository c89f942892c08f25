//! # A database or database snapshot is not encrypted
//!
//! Requires: storage of every database instance, cluster and snapshot is encrypted. DocumentDB and Neptune appear here
//! too: they share the API.
//!
//! UNKNOWN without: what the poller needs to read it (`rds:DescribeDBInstances`, `rds:DescribeDBClusters`,
//! `rds:DescribeDBSnapshots`, `rds:DescribeDBClusterSnapshots`).
//!
//! What to do: encryption cannot be switched on in place. Copy a snapshot with a key, restore it, move over, and delete
//! the unencrypted snapshots.

use keyvigil_model::finding::Advice;
use keyvigil_model::resource::ResourceKind;
use keyvigil_model::severity::Severity;
use keyvigil_model::snapshot::{Config, Resource, Storage};
use keyvigil_model::verdict::{Read, UnknownReason};

use super::remedy;
use crate::check::CheckMeta;
use crate::control::{Case, Control, ControlMeta, Opinion};

/// The control.
pub(super) struct StorageEncrypted;

static META: ControlMeta = ControlMeta {
    check: CheckMeta {
        id: "aws.rds.storage_encrypted",
        title: "A database or database snapshot is not encrypted",
        severity: Severity::High,
        references: &[
            "SOC2 CC6.1",
            "CIS AWS 3.2.1",
            "FSBP RDS.3",
            "FSBP RDS.4",
            "FSBP RDS.27",
        ],
        source: include_str!("rds_storage_encrypted.rs"),
    },
    requirement: "the storage of databases, clusters and their snapshots is encrypted.",
    permissions: &[
        "rds:DescribeDBInstances",
        "rds:DescribeDBClusters",
        "rds:DescribeDBSnapshots",
        "rds:DescribeDBClusterSnapshots",
    ],
};

fn storage_in(resource: Option<&Resource>) -> Option<&Storage> {
    let resource = resource?;
    let database = matches!(
        resource.reference.kind,
        ResourceKind::Database | ResourceKind::DatabaseCluster | ResourceKind::DatabaseSnapshot
    );
    match &resource.config {
        Config::Storage(storage) if database => Some(storage),
        _ => None,
    }
}

impl Control for StorageEncrypted {
    fn meta(&self) -> &'static ControlMeta {
        &META
    }

    fn concerns(&self, resource: Option<&Resource>) -> bool {
        storage_in(resource).is_some()
    }

    fn judge(&self, case: &Case<'_>) -> Opinion {
        match storage_in(case.resource()).map(|storage| &storage.encrypted) {
            Some(Read::Known(true)) => Opinion::pass("its storage is encrypted"),
            Some(Read::Known(false)) => Opinion::fail("its storage is not encrypted"),
            Some(Read::Unknown(reason)) => {
                Opinion::unknown(*reason, "whether it is encrypted could not be read")
            }
            None => Opinion::unknown(UnknownReason::NotYetRead, "it was not read yet"),
        }
    }

    fn advice(&self, _case: &Case<'_>) -> Vec<Advice> {
        vec![
            remedy::say(
                "Encryption cannot be switched on in place: copy a snapshot with a key and restore it.",
            ),
            remedy::say("Delete the unencrypted snapshots after the move."),
        ]
    }
}
