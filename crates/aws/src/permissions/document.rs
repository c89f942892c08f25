//! The least-privilege IAM policies, rendered from the list of permissions.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::permissions::{GrantedOn, PERMISSIONS, UsedBy};

/// The names that the policy of a trail's reader holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DocumentScope {
    /// The partition of every ARN: `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: String,
    /// The bucket of the trail.
    pub bucket: String,
    /// The ARN of the queue.
    pub queue_arn: String,
    /// The ARN of the key that encrypts the log files; `None` if no key of the customer does.
    pub key_arn: Option<String>,
}

impl Default for DocumentScope {
    /// Placeholders in capitals, for documentation.
    fn default() -> Self {
        Self {
            partition: "aws".to_owned(),
            bucket: "LOG_BUCKET".to_owned(),
            queue_arn: "arn:aws:sqs:REGION:ACCOUNT_ID:LOG_QUEUE".to_owned(),
            key_arn: Some("arn:aws:kms:REGION:ACCOUNT_ID:key/LOG_KEY".to_owned()),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    version: &'static str,
    statement: Vec<Statement>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    sid: &'static str,
    effect: &'static str,
    action: Vec<&'static str>,
    resource: Vec<String>,
}

/// The policy of an account's role, with placeholders for the trail's bucket, queue and key.
pub fn policy_document() -> String {
    policy_document_for(Some(&DocumentScope::default()))
}

/// The policy of an account's role: reading configuration and event history, and the log files of a trail if one is
/// given.
pub fn policy_document_for(trail: Option<&DocumentScope>) -> String {
    let mut groups: BTreeMap<(GrantedOn, UsedBy), Vec<&'static str>> = BTreeMap::new();
    for permission in PERMISSIONS {
        groups
            .entry((permission.resource, permission.used_by))
            .or_default()
            .push(permission.action);
    }
    let mut statement = Vec::new();
    for ((granted_on, used_by), action) in groups {
        if let Some(resource) = resource_of(granted_on, trail) {
            statement.push(Statement {
                sid: sid(granted_on, used_by),
                effect: "Allow",
                action,
                resource: vec![resource],
            });
        }
    }
    rendered(&Document {
        version: "2012-10-17",
        statement,
    })
}

/// The policy of the base credentials: they assume the roles and do nothing else.
pub fn base_policy_document(role_arns: &[String]) -> String {
    rendered(&Document {
        version: "2012-10-17",
        statement: vec![Statement {
            sid: "AssumeKeyvigilRoles",
            effect: "Allow",
            action: vec!["sts:AssumeRole"],
            resource: role_arns.to_vec(),
        }],
    })
}

fn rendered(document: &Document) -> String {
    serde_json::to_string_pretty(document).expect("text and lists of text always render")
}

fn resource_of(granted_on: GrantedOn, trail: Option<&DocumentScope>) -> Option<String> {
    match (granted_on, trail) {
        (GrantedOn::Everything, _) => Some("*".to_owned()),
        (GrantedOn::LogBucket, Some(trail)) => Some(format!("arn:{}:s3:::{}", trail.partition, trail.bucket)),
        (GrantedOn::LogObjects, Some(trail)) => {
            Some(format!("arn:{}:s3:::{}/*", trail.partition, trail.bucket))
        }
        (GrantedOn::LogQueue, Some(trail)) => Some(trail.queue_arn.clone()),
        (GrantedOn::LogKey, Some(trail)) => trail.key_arn.clone(),
        (GrantedOn::LogBucket | GrantedOn::LogObjects | GrantedOn::LogQueue | GrantedOn::LogKey, None) => {
            None
        }
    }
}

fn sid(granted_on: GrantedOn, used_by: UsedBy) -> &'static str {
    match granted_on {
        GrantedOn::LogBucket => "ListTrailBucket",
        GrantedOn::LogObjects => "ReadTrailFiles",
        GrantedOn::LogQueue => "ReadTrailQueue",
        GrantedOn::LogKey => "DecryptTrailFiles",
        GrantedOn::Everything => match used_by {
            UsedBy::KeyPoller => "ReadKeys",
            UsedBy::BucketPoller => "ReadBuckets",
            UsedBy::DiskPoller => "ReadDisks",
            UsedBy::DatabasePoller => "ReadDatabases",
            UsedBy::TrailPoller => "ReadTrails",
            UsedBy::IdentityPoller => "ReadIdentities",
            UsedBy::LookupEvents => "ReadEventHistory",
            UsedBy::LogFiles => "ReadLogFiles",
            UsedBy::Doctor => "CheckCredentials",
        },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    fn actions(document: &str) -> Vec<String> {
        let document: Value = serde_json::from_str(document).unwrap();
        assert_eq!(document["Version"], "2012-10-17");
        let statements = document["Statement"].as_array().unwrap();
        let lists = statements
            .iter()
            .flat_map(|one| one["Action"].as_array().unwrap());
        lists.map(|action| action.as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn the_policy_holds_exactly_the_list() {
        let found = actions(&policy_document());
        let distinct: BTreeSet<_> = found.iter().map(String::as_str).collect();
        let expected: BTreeSet<_> = PERMISSIONS.iter().map(|permission| permission.action).collect();
        assert_eq!(distinct, expected);
        assert_eq!(found.len(), PERMISSIONS.len());
    }

    #[test]
    fn statement_ids_are_unique_and_the_policy_fits_into_iam() {
        let text = policy_document();
        let document: Value = serde_json::from_str(&text).unwrap();
        let mut seen = BTreeSet::new();
        for statement in document["Statement"].as_array().unwrap() {
            let sid = statement["Sid"].as_str().unwrap().to_owned();
            assert!(sid.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{sid}");
            assert!(seen.insert(sid));
        }
        // A managed policy holds 6,144 characters, white space not counted.
        let size = text
            .chars()
            .filter(|character| !character.is_whitespace())
            .count();
        assert!(size < 6144, "{size}");
    }

    #[test]
    fn without_a_trail_nothing_of_it_is_granted() {
        let found = actions(&policy_document_for(None));
        for action in ["s3:GetObject", "sqs:ReceiveMessage", "kms:Decrypt"] {
            assert!(!found.iter().any(|one| one == action), "{action}");
        }
        assert!(found.iter().any(|one| one == "kms:ListKeys"));
    }

    #[test]
    fn decrypting_is_granted_on_the_log_key_only() {
        let text = policy_document_for(Some(&DocumentScope {
            key_arn: None,
            ..DocumentScope::default()
        }));
        assert!(!text.contains("kms:Decrypt"));
        let document: Value = serde_json::from_str(&policy_document()).unwrap();
        for statement in document["Statement"].as_array().unwrap() {
            if statement["Sid"] == "DecryptTrailFiles" {
                assert_eq!(
                    statement["Resource"][0],
                    "arn:aws:kms:REGION:ACCOUNT_ID:key/LOG_KEY"
                );
                return;
            }
        }
        panic!("no statement for the log key");
    }
}
