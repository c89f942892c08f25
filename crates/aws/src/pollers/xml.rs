//! Answers of the Query protocol (EC2, RDS, IAM) as private types, read leniently: elements that this version does
//! not know are ignored, missing ones are `None`. Only what tells an answer from something else entirely (the
//! element that holds the list or the result) must be there, so that an error page is never an empty list.

use keyvigil_connector::failure::FailureClass;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::client::failure::{AwsError, one_line};

/// Reads the answer of `call` (`rds:DescribeDBInstances`).
pub(crate) fn read<T: DeserializeOwned>(call: &str, text: &str) -> Result<T, AwsError> {
    quick_xml::de::from_str(text).map_err(|error| {
        let message = one_line(&format!("unexpected XML: {error}"));
        AwsError::new(FailureClass::Unreadable, call, message)
    })
}

/// `true` or `false`; `None` for anything else.
pub(crate) fn boolean(text: Option<&str>) -> Option<bool> {
    match text.map(str::trim) {
        Some("true") => Some(true),
        Some("false") => Some(false),
        Some(_) | None => None,
    }
}

/// The text, unless it is empty.
pub(crate) fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
}

/// A list as EC2 writes it: `<xSet><item/>…</xSet>`.
#[derive(Deserialize)]
pub(crate) struct Items<T> {
    #[serde(default = "Vec::new")]
    pub(crate) item: Vec<T>,
}

impl<T> Default for Items<T> {
    fn default() -> Self {
        Self { item: Vec::new() }
    }
}

/// `GetEbsEncryptionByDefault`.
#[derive(Deserialize)]
pub(crate) struct EbsEncryptionByDefault {
    #[serde(rename = "ebsEncryptionByDefault")]
    pub(crate) enabled: String,
}

/// `GetEbsDefaultKmsKeyId`.
#[derive(Deserialize)]
pub(crate) struct EbsDefaultKey {
    #[serde(rename = "kmsKeyId")]
    pub(crate) key: String,
}

/// A page of `DescribeVolumes`.
#[derive(Deserialize)]
pub(crate) struct Volumes {
    #[serde(rename = "volumeSet")]
    pub(crate) set: Items<Volume>,
    #[serde(rename = "nextToken")]
    pub(crate) next: Option<String>,
}

/// A volume or, with another id and no type, an EBS snapshot.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Volume {
    pub(crate) volume_id: Option<String>,
    pub(crate) snapshot_id: Option<String>,
    pub(crate) volume_type: Option<String>,
    pub(crate) encrypted: Option<String>,
    pub(crate) kms_key_id: Option<String>,
    #[serde(default)]
    pub(crate) tag_set: Items<Ec2Tag>,
}

/// A page of `DescribeSnapshots`.
#[derive(Deserialize)]
pub(crate) struct Snapshots {
    #[serde(rename = "snapshotSet")]
    pub(crate) set: Items<Volume>,
    #[serde(rename = "nextToken")]
    pub(crate) next: Option<String>,
}

/// A tag as EC2 writes it.
#[derive(Deserialize)]
pub(crate) struct Ec2Tag {
    pub(crate) key: Option<String>,
    pub(crate) value: Option<String>,
}

/// A page of one of the RDS listings. Exactly one of the results is there.
#[derive(Deserialize)]
pub(crate) struct RdsAnswer {
    #[serde(
        rename = "DescribeDBInstancesResult",
        alias = "DescribeDBClustersResult",
        alias = "DescribeDBSnapshotsResult",
        alias = "DescribeDBClusterSnapshotsResult"
    )]
    pub(crate) result: RdsPage,
}

/// What a page of an RDS listing holds.
#[derive(Deserialize)]
pub(crate) struct RdsPage {
    #[serde(
        rename = "DBInstances",
        alias = "DBClusters",
        alias = "DBSnapshots",
        alias = "DBClusterSnapshots"
    )]
    pub(crate) list: RdsList,
    #[serde(rename = "Marker")]
    pub(crate) marker: Option<String>,
}

/// The list of an RDS listing.
#[derive(Deserialize)]
pub(crate) struct RdsList {
    #[serde(
        rename = "DBInstance",
        alias = "DBCluster",
        alias = "DBSnapshot",
        alias = "DBClusterSnapshot",
        default
    )]
    pub(crate) items: Vec<RdsItem>,
}

/// An instance, cluster or snapshot: the four kinds share the names of everything that is read here.
#[derive(Deserialize)]
pub(crate) struct RdsItem {
    #[serde(
        rename = "DBInstanceArn",
        alias = "DBClusterArn",
        alias = "DBSnapshotArn",
        alias = "DBClusterSnapshotArn"
    )]
    pub(crate) arn: Option<String>,
    #[serde(rename = "Engine")]
    pub(crate) engine: Option<String>,
    /// Instances, clusters and cluster snapshots say `StorageEncrypted`, instance snapshots `Encrypted`.
    #[serde(rename = "StorageEncrypted", alias = "Encrypted")]
    pub(crate) encrypted: Option<String>,
    #[serde(rename = "KmsKeyId")]
    pub(crate) key: Option<String>,
    #[serde(rename = "TagList", default)]
    pub(crate) tags: RdsTags,
}

/// Tags as RDS writes them.
#[derive(Deserialize, Default)]
pub(crate) struct RdsTags {
    #[serde(rename = "Tag", default)]
    pub(crate) tags: Vec<RdsTag>,
}

/// A tag as RDS writes it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct RdsTag {
    pub(crate) key: Option<String>,
    pub(crate) value: Option<String>,
}

/// `GetAccountSummary`.
#[derive(Deserialize)]
pub(crate) struct AccountSummary {
    #[serde(rename = "GetAccountSummaryResult")]
    pub(crate) result: SummaryResult,
}

/// The result of `GetAccountSummary`.
#[derive(Deserialize)]
pub(crate) struct SummaryResult {
    #[serde(rename = "SummaryMap")]
    pub(crate) map: SummaryMap,
}

/// Counts by name.
#[derive(Deserialize)]
pub(crate) struct SummaryMap {
    #[serde(default)]
    pub(crate) entry: Vec<SummaryEntry>,
}

/// One count.
#[derive(Deserialize)]
pub(crate) struct SummaryEntry {
    pub(crate) key: Option<String>,
    pub(crate) value: Option<String>,
}

/// `GenerateCredentialReport`.
#[derive(Deserialize)]
pub(crate) struct GenerateReport {
    #[serde(rename = "GenerateCredentialReportResult")]
    pub(crate) result: GenerateResult,
}

/// How far the report is.
#[derive(Deserialize)]
pub(crate) struct GenerateResult {
    /// `STARTED`, `INPROGRESS` or `COMPLETE`.
    #[serde(rename = "State")]
    pub(crate) state: Option<String>,
}

/// `GetCredentialReport`.
#[derive(Deserialize)]
pub(crate) struct CredentialReport {
    #[serde(rename = "GetCredentialReportResult")]
    pub(crate) result: ReportResult,
}

/// The report.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ReportResult {
    /// The CSV text in base64.
    pub(crate) content: String,
    /// RFC 3339.
    pub(crate) generated_time: Option<String>,
}
