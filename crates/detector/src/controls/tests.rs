//! Every control in both directions, and UNKNOWN for each reading that is missing.

use std::collections::BTreeMap;

use keyvigil_model::id::{AccountId, KeyId, Region, ResourceId, SourceId};
use keyvigil_model::key::{KeyOrigin, KeyTier};
use keyvigil_model::policy_text::{PolicyLanguage, PolicyText};
use keyvigil_model::provider::Provider;
use keyvigil_model::resource::ResourceKind;
use keyvigil_model::snapshot::{
    AwsBucket, AwsKeyMetadata, AwsKeyRotation, AwsKeyState, AwsKmsKey, BucketEncryption, Config, Family,
    Resource, Snapshot, SnapshotScope, Storage,
};
use keyvigil_model::untrusted::Untrusted;
use keyvigil_model::verdict::{Read, UnknownReason};

use super::*;

mod finding;
mod keys;
mod kms_access;
mod logins;
mod storage;
mod trails;

const OWN: &str = "111111111111";
const HOME: &str = "eu-west-1";
const KEY: &str = "arn:aws:kms:eu-west-1:111111111111:key/k1";
const DENIED: UnknownReason = UnknownReason::Denied;

/// The day on which everything is judged.
fn now() -> Timestamp {
    Timestamp::parse_rfc3339("2026-06-01T12:00:00Z").unwrap()
}

fn days_ago(days: u64) -> Timestamp {
    now().minus(std::time::Duration::from_secs(days * 86_400))
}

fn in_days(days: u64) -> Timestamp {
    now().plus(std::time::Duration::from_secs(days * 86_400))
}

/// A customer's symmetric key, enabled, 100 days old, rotating yearly, with a policy that lets in its own account.
fn key() -> AwsKmsKey {
    AwsKmsKey {
        id: KeyId::from(KEY),
        aliases: Read::Known(vec![Untrusted::from("alias/app")]),
        metadata: Read::Known(metadata()),
        rotation: Read::Known(AwsKeyRotation {
            enabled: true,
            period_days: Some(365),
            next: Some(in_days(265)),
        }),
        rotations: Read::Known(Vec::new()),
        policy: Read::Known(policy_text(
            r#"{"Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:root"},"Action":"kms:*","Resource":"*"}}"#,
        )),
        grants: Read::Known(Vec::new()),
    }
}

fn metadata() -> AwsKeyMetadata {
    AwsKeyMetadata {
        created: days_ago(100),
        managed_by_customer: true,
        state: AwsKeyState::Enabled,
        spec: "SYMMETRIC_DEFAULT".into(),
        usage: "ENCRYPT_DECRYPT".into(),
        origin: Some(KeyOrigin::Provider),
        deletion_date: None,
        pending_window_days: None,
        valid_to: None,
        multi_region_primary: None,
        replica_regions: Vec::new(),
    }
}

/// The standard key with other metadata.
fn key_with(change: impl FnOnce(&mut AwsKeyMetadata)) -> AwsKmsKey {
    let mut changed = metadata();
    change(&mut changed);
    AwsKmsKey {
        metadata: Read::Known(changed),
        ..key()
    }
}

fn policy_text(document: &str) -> PolicyText {
    PolicyText {
        language: PolicyLanguage::AwsResource,
        document: document.into(),
    }
}

fn key_resource(key: AwsKmsKey) -> Resource {
    let id = key.id.as_str().to_owned();
    resource(&id, ResourceKind::Key, Config::AwsKmsKey(Box::new(key)))
}

fn bucket() -> AwsBucket {
    AwsBucket {
        encryption: Read::Known(BucketEncryption {
            tier: KeyTier::ProviderOwned,
            key: None,
            customer_key_blocked: false,
        }),
        policy: Read::Known(None),
        public_access_blocked: Read::Known(true),
        is_log_target: false,
    }
}

/// A bucket under the named key.
fn bucket_under(key: &str) -> AwsBucket {
    let encryption = BucketEncryption {
        tier: KeyTier::CustomerManaged,
        key: Some(KeyId::from(key)),
        customer_key_blocked: false,
    };
    AwsBucket {
        encryption: Read::Known(encryption),
        ..bucket()
    }
}

fn bucket_resource(bucket: AwsBucket) -> Resource {
    resource(
        "arn:aws:s3:::shop",
        ResourceKind::Bucket,
        Config::AwsBucket(Box::new(bucket)),
    )
}

fn database(encrypted: Read<bool>, key: Option<&str>) -> Resource {
    let storage = Storage {
        encrypted,
        key: key.map(KeyId::from),
        product: "postgres".into(),
    };
    resource(
        "arn:aws:rds:eu-west-1:111111111111:db:shop",
        ResourceKind::Database,
        Config::Storage(storage),
    )
}

fn resource(id: &str, kind: ResourceKind, config: Config) -> Resource {
    Resource {
        reference: ResourceRef {
            id: ResourceId::from(id),
            kind,
            account: None,
            region: None,
        },
        name: Untrusted::from("shop"),
        tags: Read::Known(BTreeMap::new()),
        config,
    }
}

fn tagged(mut resource: Resource, tags: &[(&str, &str)]) -> Resource {
    let tags = tags
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Untrusted::from(*value)));
    resource.tags = Read::Known(tags.collect());
    resource
}

const CONFIDENTIAL: &[(&str, &str)] = &[("env", "prod"), ("classification", "confidential")];

fn snapshot(scope: SnapshotScope, resources: Vec<Resource>) -> Snapshot {
    Snapshot {
        source: SourceId::from("aws/test"),
        provider: Provider::Aws,
        account: AccountId::from(OWN),
        region: Region::from(HOME),
        taken_at: now(),
        scope,
        resources,
        blind: Vec::new(),
    }
}

fn complete(family: Family, resources: Vec<Resource>) -> Snapshot {
    snapshot(SnapshotScope::Complete(vec![family]), resources)
}

/// What exists, and what is demanded.
struct World {
    inventory: Inventory,
    policy: Policy,
}

impl World {
    fn of(snapshots: &[Snapshot]) -> Self {
        let mut inventory = Inventory::default();
        for snapshot in snapshots {
            inventory.apply(snapshot);
        }
        Self {
            inventory,
            policy: Policy::default(),
        }
    }

    fn with(mut self, policy: serde_json::Value) -> Self {
        self.policy = serde_json::from_value(policy).unwrap();
        assert_eq!(self.policy.problems(), []);
        self
    }

    fn judge(&self, control: &str, resource: &str) -> Option<Judgement> {
        let kind = |held: &&crate::inventory::Held| held.resource.reference.id.as_str() == resource;
        let reference = match self.inventory.all().find(kind) {
            Some(held) => held.resource.reference.clone(),
            None => crate::inventory::account_reference(&AccountId::from(resource)),
        };
        let judgements = judge(&self.inventory, &[reference], &self.policy, now());
        judgements
            .into_iter()
            .find(|judgement| judgement.control.as_str() == control)
    }

    /// `pass`, `fail`, `unknown denied`, `not_applicable`, `excepted`; `none` if the control does not concern it.
    fn verdict(&self, control: &str, resource: &str) -> String {
        match self.judge(control, resource).map(|judgement| judgement.verdict) {
            None => "none".to_owned(),
            Some(Verdict::Unknown(reason)) => format!("unknown {reason}"),
            Some(verdict) => verdict.as_str().to_owned(),
        }
    }
}

/// One resource, complete listings, the default policy.
fn check(control: &str, why: &str, resource: Resource, expected: &str) {
    let family = match &resource.config {
        Config::AwsKmsKey(_) => Family::Keys,
        Config::AwsBucket(_) => Family::Buckets,
        Config::AwsEbsDefault(_) => Family::Disks,
        Config::Storage(_) => Family::Databases,
        Config::AwsTrail(_) => Family::AuditLogs,
        Config::AwsRoot(_) | Config::AwsUser(_) => Family::Identities,
    };
    let id = resource.reference.id.as_str().to_owned();
    let world = World::of(&[complete(family, vec![resource])]);
    assert_eq!(
        world.verdict(control, &id),
        expected,
        "{control}: {why}: {:?}",
        world.judge(control, &id)
    );
}

#[test]
fn the_list_is_sound() {
    let mut ids = std::collections::BTreeSet::new();
    for control in controls() {
        let meta = control.meta();
        assert!(ids.insert(meta.check.id), "{} is there twice", meta.check.id);
        assert!(
            meta.check.doc().starts_with(&format!("# {}\n", meta.check.title)),
            "{}",
            meta.check.id
        );
        assert!(
            meta.check.doc().contains("UNKNOWN"),
            "{}: the manual says when it cannot see",
            meta.check.id
        );
        assert!(
            !meta.permissions.is_empty() && meta.requirement.ends_with('.'),
            "{}",
            meta.check.id
        );
        assert!(
            meta.check
                .references
                .iter()
                .any(|reference| reference.starts_with("SOC2 ")),
            "{}",
            meta.check.id
        );
    }
    assert_eq!(ids.len(), 17);
}
