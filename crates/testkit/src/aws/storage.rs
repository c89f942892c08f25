//! EC2 (EBS only) and RDS.

use std::collections::BTreeMap;

use super::query::{escape, parameter};
use super::world::{Database, Disks, World};
use super::{Call, Fault, page};

pub(super) fn answer(
    world: &mut World,
    call: &Call<'_>,
    service: &str,
    operation: &str,
) -> Result<String, Fault> {
    let size = world.page_size;
    let account = world.account(&call.caller.account);
    let region = call.caller.region.as_str();
    let owner = call.caller.account.as_str();
    if service == "ec2" {
        return disks(
            account.disks.entry(region.to_owned()).or_default(),
            call,
            operation,
            size,
        );
    }
    let databases = account.databases.entry(region.to_owned()).or_default();
    let marker = parameter(call.body, "Marker");
    match operation {
        "DescribeDBInstances" => {
            let (list, next) = page(databases, size, operation, marker.as_deref())?;
            let items: String = list
                .iter()
                .map(|database| instance(database, owner, region))
                .collect();
            let marker = next
                .map(|next| format!("<Marker>{next}</Marker>"))
                .unwrap_or_default();
            Ok(format!("{marker}<DBInstances>{items}</DBInstances>"))
        }
        "DescribeDBClusters" => Ok(String::from("<DBClusters/>")),
        "DescribeDBSnapshots" => Ok(String::from("<DBSnapshots/>")),
        "DescribeDBClusterSnapshots" => Ok(String::from("<DBClusterSnapshots/>")),
        other => Err(Fault::new(
            400,
            "InvalidAction",
            format!("rds:{other} is not part of this fake"),
        )),
    }
}

fn disks(disks: &Disks, call: &Call<'_>, operation: &str, size: usize) -> Result<String, Fault> {
    let token = parameter(call.body, "NextToken");
    let listed = |all: &[(String, bool, Option<String>)],
                  set: &str,
                  id_name: &str|
     -> Result<String, Fault> {
        let (list, next) = page(all, size, operation, token.as_deref())?;
        let items: String = list
            .iter()
            .map(|(id, encrypted, key)| {
                let key = key.as_ref().map(|key| format!("<kmsKeyId>{key}</kmsKeyId>")).unwrap_or_default();
                format!("<item><{id_name}>{id}</{id_name}><encrypted>{encrypted}</encrypted>{key}<volumeType>gp3</volumeType></item>")
            })
            .collect();
        let next = next
            .map(|next| format!("<nextToken>{next}</nextToken>"))
            .unwrap_or_default();
        Ok(format!("<{set}>{items}</{set}>{next}"))
    };
    match operation {
        "GetEbsEncryptionByDefault" => Ok(format!(
            "<ebsEncryptionByDefault>{}</ebsEncryptionByDefault>",
            disks.default_on
        )),
        "GetEbsDefaultKmsKeyId" => {
            let key = disks.default_key.as_deref().unwrap_or("alias/aws/ebs");
            Ok(format!("<kmsKeyId>{key}</kmsKeyId>"))
        }
        "DescribeVolumes" => listed(&disks.volumes, "volumeSet", "volumeId"),
        "DescribeSnapshots" => listed(&disks.snapshots, "snapshotSet", "snapshotId"),
        other => Err(Fault::new(
            400,
            "InvalidAction",
            format!("ec2:{other} is not part of this fake"),
        )),
    }
}

fn instance(database: &Database, account: &str, region: &str) -> String {
    let Database {
        id,
        engine,
        encrypted,
        key,
        tags,
    } = database;
    let key = key
        .as_ref()
        .map(|key| format!("<KmsKeyId>{key}</KmsKeyId>"))
        .unwrap_or_default();
    format!(
        "<DBInstance><DBInstanceIdentifier>{id}</DBInstanceIdentifier><DBInstanceArn>arn:aws:rds:{region}:{account}:db:{id}</DBInstanceArn><Engine>{engine}</Engine><StorageEncrypted>{encrypted}</StorageEncrypted>{key}<TagList>{}</TagList></DBInstance>",
        tag_list(tags)
    )
}

fn tag_list(tags: &BTreeMap<String, String>) -> String {
    tags.iter()
        .map(|(name, value)| {
            format!(
                "<Tag><Key>{}</Key><Value>{}</Value></Tag>",
                escape(name),
                escape(value)
            )
        })
        .collect()
}
