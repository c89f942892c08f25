//! The permissions of the pollers and of the event history.

use keyvigil_connector::preflight::PermissionStatus;
use keyvigil_model::id::Region;
use keyvigil_model::verdict::UnknownReason;

use super::Probe;
use crate::client::query::QueryService;

/// Who the credentials belong to, and whether that is the configured account.
pub(super) async fn identity(probe: &mut Probe<'_>, configured: &str) {
    let action = "sts:GetCallerIdentity";
    match probe.scope.caller_identity(probe.call).await {
        Ok(caller) if caller.account.as_str() != configured => {
            let why = format!(
                "the credentials belong to account {}, not to {configured}",
                caller.account
            );
            probe.note(
                action,
                PermissionStatus::CannotTell(UnknownReason::NotVisible, why),
            );
        }
        outcome => {
            probe.tried(action, outcome);
        }
    }
}

pub(super) async fn keys(probe: &mut Probe<'_>) {
    let (call, scope) = (probe.call, probe.scope);
    let kms = scope.kms();
    let listed = scope
        .call(call, "kms:ListKeys", kms.list_keys().limit(1).send())
        .await;
    let listed = probe.tried("kms:ListKeys", listed);
    let aliases = scope
        .call(call, "kms:ListAliases", kms.list_aliases().limit(1).send())
        .await;
    probe.tried("kms:ListAliases", aliases);
    let key = listed.and_then(|page| page.keys().first()?.key_id().map(str::to_owned));
    let Some(key) = key else {
        probe.untried(
            &[
                "kms:DescribeKey",
                "kms:ListResourceTags",
                "kms:GetKeyRotationStatus",
                "kms:ListKeyRotations",
                "kms:GetKeyPolicy",
                "kms:ListGrants",
            ],
            "no key was listed to try it on",
        );
        return;
    };
    let action = "kms:DescribeKey";
    let outcome = scope
        .call(call, action, kms.describe_key().key_id(&key).send())
        .await;
    probe.tried(action, outcome);
    let action = "kms:ListResourceTags";
    let request = kms.list_resource_tags().key_id(&key).limit(1);
    let outcome = scope.call(call, action, request.send()).await;
    probe.tried(action, outcome);
    let action = "kms:GetKeyRotationStatus";
    let request = kms.get_key_rotation_status().key_id(&key);
    let outcome = scope.call(call, action, request.send()).await;
    probe.tried(action, outcome);
    let action = "kms:ListKeyRotations";
    let request = kms.list_key_rotations().key_id(&key).limit(1);
    let outcome = scope.call(call, action, request.send()).await;
    probe.tried(action, outcome);
    let action = "kms:GetKeyPolicy";
    let request = kms.get_key_policy().key_id(&key).policy_name("default");
    let outcome = scope.call(call, action, request.send()).await;
    probe.tried(action, outcome);
    let action = "kms:ListGrants";
    let request = kms.list_grants().key_id(&key).limit(1);
    let outcome = scope.call(call, action, request.send()).await;
    probe.tried(action, outcome);
}

pub(super) async fn buckets(probe: &mut Probe<'_>) {
    let (call, scope) = (probe.call, probe.scope);
    let action = "s3:ListAllMyBuckets";
    let listed = scope
        .call(call, action, scope.s3().list_buckets().max_buckets(1).send())
        .await;
    let listed = probe.tried(action, listed);
    let bucket = listed.and_then(|page| page.buckets().first()?.name().map(str::to_owned));
    let Some(bucket) = bucket else {
        probe.untried(
            &[
                "s3:GetBucketLocation",
                "s3:GetEncryptionConfiguration",
                "s3:GetBucketPolicy",
                "s3:GetBucketPublicAccessBlock",
                "s3:GetBucketTagging",
                "s3:GetBucketLogging",
            ],
            "no bucket was listed to try it on",
        );
        return;
    };
    let action = "s3:GetBucketLocation";
    let request = scope.s3().get_bucket_location().bucket(&bucket);
    let outcome = scope.call(call, action, request.send()).await;
    // An empty location is the oldest region; `EU` is what buckets of 2007 have.
    let located = probe.tried(action, outcome);
    let location = located.and_then(|answer| answer.location_constraint);
    let home = match location.as_ref().map(|location| location.as_str()) {
        None | Some("") => Region::from("us-east-1"),
        Some("EU") => Region::from("eu-west-1"),
        Some(region) => Region::from(region),
    };
    let scope = scope.in_region(&home);
    let s3 = scope.s3();
    let action = "s3:GetEncryptionConfiguration";
    let outcome = scope
        .call(call, action, s3.get_bucket_encryption().bucket(&bucket).send())
        .await;
    probe.tried(action, outcome);
    let action = "s3:GetBucketPolicy";
    let outcome = scope
        .call(call, action, s3.get_bucket_policy().bucket(&bucket).send())
        .await;
    probe.tried(action, outcome);
    let action = "s3:GetBucketPublicAccessBlock";
    let outcome = scope
        .call(call, action, s3.get_public_access_block().bucket(&bucket).send())
        .await;
    probe.tried(action, outcome);
    let action = "s3:GetBucketTagging";
    let outcome = scope
        .call(call, action, s3.get_bucket_tagging().bucket(&bucket).send())
        .await;
    probe.tried(action, outcome);
    let action = "s3:GetBucketLogging";
    let outcome = scope
        .call(call, action, s3.get_bucket_logging().bucket(&bucket).send())
        .await;
    probe.tried(action, outcome);
}

/// A call to a service that speaks AWS Query.
struct QueryProbe {
    permission: &'static str,
    service: QueryService,
    action: &'static str,
    parameters: &'static [(&'static str, &'static str)],
}

const DISKS: &[QueryProbe] = &[
    QueryProbe {
        permission: "ec2:GetEbsEncryptionByDefault",
        service: QueryService::Ec2,
        action: "GetEbsEncryptionByDefault",
        parameters: &[],
    },
    QueryProbe {
        permission: "ec2:GetEbsDefaultKmsKeyId",
        service: QueryService::Ec2,
        action: "GetEbsDefaultKmsKeyId",
        parameters: &[],
    },
    QueryProbe {
        permission: "ec2:DescribeVolumes",
        service: QueryService::Ec2,
        action: "DescribeVolumes",
        parameters: &[("MaxResults", "5")],
    },
    QueryProbe {
        permission: "ec2:DescribeSnapshots",
        service: QueryService::Ec2,
        action: "DescribeSnapshots",
        parameters: &[("Owner.1", "self"), ("MaxResults", "5")],
    },
];

const DATABASES: &[QueryProbe] = &[
    QueryProbe {
        permission: "rds:DescribeDBInstances",
        service: QueryService::Rds,
        action: "DescribeDBInstances",
        parameters: &[("MaxRecords", "20")],
    },
    QueryProbe {
        permission: "rds:DescribeDBClusters",
        service: QueryService::Rds,
        action: "DescribeDBClusters",
        parameters: &[("MaxRecords", "20")],
    },
    QueryProbe {
        permission: "rds:DescribeDBSnapshots",
        service: QueryService::Rds,
        action: "DescribeDBSnapshots",
        parameters: &[("MaxRecords", "20")],
    },
    QueryProbe {
        permission: "rds:DescribeDBClusterSnapshots",
        service: QueryService::Rds,
        action: "DescribeDBClusterSnapshots",
        parameters: &[("MaxRecords", "20")],
    },
];

const IDENTITIES: &[QueryProbe] = &[
    QueryProbe {
        permission: "iam:GetAccountSummary",
        service: QueryService::Iam,
        action: "GetAccountSummary",
        parameters: &[],
    },
    QueryProbe {
        permission: "iam:GenerateCredentialReport",
        service: QueryService::Iam,
        action: "GenerateCredentialReport",
        parameters: &[],
    },
    QueryProbe {
        permission: "iam:GetCredentialReport",
        service: QueryService::Iam,
        action: "GetCredentialReport",
        parameters: &[],
    },
];

async fn query_all(probe: &mut Probe<'_>, list: &[QueryProbe]) {
    let (call, scope) = (probe.call, probe.scope);
    for one in list {
        let outcome = scope.query(call, one.service, one.action, one.parameters).await;
        probe.tried(one.permission, outcome);
    }
}

pub(super) async fn disks(probe: &mut Probe<'_>) {
    query_all(probe, DISKS).await;
}

pub(super) async fn databases(probe: &mut Probe<'_>) {
    query_all(probe, DATABASES).await;
}

pub(super) async fn identities(probe: &mut Probe<'_>) {
    query_all(probe, IDENTITIES).await;
}

pub(super) async fn trails(probe: &mut Probe<'_>) {
    let (call, scope) = (probe.call, probe.scope);
    let cloudtrail = scope.cloudtrail();
    let action = "cloudtrail:DescribeTrails";
    let outcome = scope
        .call(call, action, cloudtrail.describe_trails().send())
        .await;
    let listed = probe.tried(action, outcome);
    let trail = listed.and_then(|answer| answer.trail_list().first()?.trail_arn().map(str::to_owned));
    let Some(trail) = trail else {
        probe.untried(
            &["cloudtrail:GetTrailStatus", "cloudtrail:GetEventSelectors"],
            "no trail was listed to try it on",
        );
        return;
    };
    let action = "cloudtrail:GetTrailStatus";
    let outcome = scope
        .call(call, action, cloudtrail.get_trail_status().name(&trail).send())
        .await;
    probe.tried(action, outcome);
    let action = "cloudtrail:GetEventSelectors";
    let request = cloudtrail.get_event_selectors().trail_name(&trail);
    let outcome = scope.call(call, action, request.send()).await;
    probe.tried(action, outcome);
}

pub(super) async fn event_history(probe: &mut Probe<'_>) {
    let (call, scope) = (probe.call, probe.scope);
    let action = crate::lookup_events::OPERATION;
    let request = scope.cloudtrail().lookup_events().max_results(1);
    let outcome = scope.call(call, action, request.send()).await;
    probe.tried(action, outcome);
}
