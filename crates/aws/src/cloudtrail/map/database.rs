//! RDS and Aurora: databases, clusters and snapshots that are created, copied or restored.

use keyvigil_model::facts::Facts;
use keyvigil_model::resource::{ResourceKind, ResourceRef};

use super::super::json::Object;
use super::super::strings::Strings;
use super::{Call, Details, keys, untrusted};

/// What an operation makes: its kind, the parameter that names it, the word in its ARN, the field of its ARN.
struct Made {
    kind: ResourceKind,
    name: &'static str,
    word: &'static str,
    arn: &'static str,
}

/// The parameters that name what a copy is made from, over all operations.
const SOURCES: [&str; 7] = [
    "sourceDBSnapshotIdentifier",
    "sourceDBClusterSnapshotIdentifier",
    "sourceDBInstanceIdentifier",
    "sourceDBClusterIdentifier",
    "snapshotIdentifier",
    "dBSnapshotIdentifier",
    "dBClusterSnapshotIdentifier",
];

/// Facts of an RDS record.
pub(super) fn details(call: &Call<'_, '_>, strings: &mut Strings) -> Details {
    let Some(made) = made(call.operation) else {
        return Details::plain(call.action);
    };
    let (request, response) = (&call.request, &call.response);
    let both: [&Object<'_>; 2] = [response, request];
    let encrypted = both
        .iter()
        .find_map(|side| side.flag("storageEncrypted").or_else(|| side.flag("encrypted")));
    let key = both
        .iter()
        .find_map(|side| side.text("kmsKeyId"))
        .filter(|key| !key.is_empty());
    // A snapshot is made of the database that it is named beside.
    let source = match call.operation {
        "CreateDBSnapshot" => request.text("dBInstanceIdentifier"),
        "CreateDBClusterSnapshot" => request.text("dBClusterIdentifier"),
        "CreateDBInstance" | "CreateDBCluster" => None,
        _ => request.first_text(&SOURCES),
    };
    Details {
        action: call.action,
        facts: Facts::Storage {
            encrypted,
            key: key.map(|key| keys::reference(&key, call.account, call.region, strings)),
            copied_from: source.map(untrusted),
        },
        resource: resource(call, &made),
    }
}

fn made(operation: &str) -> Option<Made> {
    let made = match operation {
        "CreateDBInstance"
        | "CreateDBInstanceReadReplica"
        | "RestoreDBInstanceFromDBSnapshot"
        | "RestoreDBInstanceFromS3" => Made {
            kind: ResourceKind::Database,
            name: "dBInstanceIdentifier",
            word: "db",
            arn: "dBInstanceArn",
        },
        "RestoreDBInstanceToPointInTime" => Made {
            kind: ResourceKind::Database,
            name: "targetDBInstanceIdentifier",
            word: "db",
            arn: "dBInstanceArn",
        },
        "CreateDBSnapshot" => Made {
            kind: ResourceKind::DatabaseSnapshot,
            name: "dBSnapshotIdentifier",
            word: "snapshot",
            arn: "dBSnapshotArn",
        },
        "CopyDBSnapshot" => Made {
            kind: ResourceKind::DatabaseSnapshot,
            name: "targetDBSnapshotIdentifier",
            word: "snapshot",
            arn: "dBSnapshotArn",
        },
        "CreateDBClusterSnapshot" => Made {
            kind: ResourceKind::DatabaseSnapshot,
            name: "dBClusterSnapshotIdentifier",
            word: "cluster-snapshot",
            arn: "dBClusterSnapshotArn",
        },
        "CopyDBClusterSnapshot" => Made {
            kind: ResourceKind::DatabaseSnapshot,
            name: "targetDBClusterSnapshotIdentifier",
            word: "cluster-snapshot",
            arn: "dBClusterSnapshotArn",
        },
        "CreateDBCluster"
        | "RestoreDBClusterFromSnapshot"
        | "RestoreDBClusterToPointInTime"
        | "RestoreDBClusterFromS3" => Made {
            kind: ResourceKind::DatabaseCluster,
            name: "dBClusterIdentifier",
            word: "cluster",
            arn: "dBClusterArn",
        },
        _ => return None,
    };
    Some(made)
}

fn resource(call: &Call<'_, '_>, made: &Made) -> Option<ResourceRef> {
    let place = call.place();
    if let Some(arn) = call.response.text(made.arn) {
        return Some(place.resource(made.kind, arn));
    }
    let name = call.request.text(made.name)?;
    Some(place.resource(made.kind, place.arn("rds", &format!("{}:{name}", made.word))))
}
