//! AWS KMS: every key of a region with its rotation, policy and grants.
//!
//! Keys are found by `ListKeys`, not by alias: keys without an alias are the ones that people forget. Keys that AWS
//! manages are kept for reference, with `DescribeKey` only: their rotation and policy are not the customer's, and
//! refused calls raise alarms at the customer.
//!
//! The rotation of a multi-Region key is a property of its primary. On a replica it is unknown because not visible
//! here; the poller of the primary's region reads it. If no poller covers that region it stays unknown, which is true.

use std::collections::BTreeMap;
use std::sync::Arc;

use keyvigil_connector::call::{BoxFuture, CallContext};
use keyvigil_connector::failure::{CallError, FailureClass};
use keyvigil_connector::poller::{PollScope, Poller};
use keyvigil_model::id::{KeyId, SourceId};
use keyvigil_model::policy_text::{PolicyLanguage, PolicyText};
use keyvigil_model::provider::Provider;
use keyvigil_model::resource::{ResourceKind, ResourceRef};
use keyvigil_model::snapshot::{AwsKeyMetadata, AwsKmsKey, Config, Family, Resource, Snapshot};
use keyvigil_model::untrusted::Untrusted;
use keyvigil_model::verdict::{Read, UnknownReason};

use crate::client::Scope;
use crate::client::failure::AwsError;
use crate::pollers::gather::{Gathered, ListEnd, NOT_ASKED, Work, at_once, coverage, not_mine};
use crate::pollers::kms_map::{self, RotationQuestion};
use crate::pollers::listing::{Listed, Listing, Next, Page};
use crate::pollers::place::{Place, bare_name, parse_arn, tags};

/// The largest page that each listing allows.
const KEYS_A_PAGE: i32 = 1_000;
const ITEMS_A_PAGE: i32 = 100;
const TAGS_A_PAGE: i32 = 50;

/// Reads the keys of one account and region.
#[derive(Debug)]
pub struct KmsPoller {
    scope: PollScope,
    aws: Arc<Scope>,
    place: Place,
}

/// Aliases by bare key id, or why they are unknown.
type Aliases = Result<BTreeMap<String, Vec<Untrusted>>, UnknownReason>;

impl KmsPoller {
    /// A poller for the account and region of `aws`.
    pub fn new(source: SourceId, aws: Arc<Scope>) -> Self {
        let place = Place::new(aws.account().clone(), aws.region().clone());
        let scope = PollScope {
            source,
            provider: Provider::Aws,
            account: place.account.clone(),
            region: place.region.clone(),
            family: Family::Keys,
        };
        Self { scope, aws, place }
    }

    async fn read_all(&self, call: &CallContext) -> Result<Snapshot, CallError> {
        let mut gathered = Gathered::default();
        let (keys, end) = match self.list_keys(call).await {
            Listed::Whole(keys) => (keys, ListEnd::Whole),
            Listed::Cut(keys, error) => {
                gathered.miss(&error, None);
                (keys, ListEnd::Cut)
            }
            Listed::Failed(error) => return Err(error.into()),
        };
        let aliases = match self.list_aliases(call, None).await {
            Ok(aliases) => Ok(aliases),
            Err(error) => Err(gathered.miss(&error, None)),
        };
        let work = Work::new(keys);
        at_once(|| self.read_from(call, &work, &aliases)).await;
        gathered.append(work.finish());
        let scope = coverage(&self.scope, vec![end])?;
        Ok(gathered.into_snapshot(&self.scope, call, scope))
    }

    async fn read_from(&self, call: &CallContext, work: &Work<String>, aliases: &Aliases) {
        while let Some(key) = work.take() {
            let described = self.describe(call, &key).await;
            // Deleted between the listing and now.
            if described
                .as_ref()
                .is_err_and(|error| error.class == FailureClass::NotFound)
            {
                continue;
            }
            work.hand_in(self.read_key(call, &key, described, aliases).await);
        }
    }

    async fn read_one(&self, call: &CallContext, asked: &ResourceRef) -> Result<Snapshot, CallError> {
        if asked.kind != ResourceKind::Key || !self.place.may_hold(asked.id.as_str()) {
            return Err(not_mine(&self.scope, asked));
        }
        let described = self.describe(call, asked.id.as_str()).await;
        let arn = match &described {
            Ok((arn, _)) => arn.clone(),
            Err(error) if error.class == FailureClass::NotFound => {
                return Ok(Gathered::default().into_one(&self.scope, call, asked));
            }
            Err(error) if error.class.may_pass() || !is_key_arn(asked.id.as_str()) => {
                return Err(error.clone().into());
            }
            Err(_) => asked.id.as_str().to_owned(),
        };
        let mut gathered = Gathered::default();
        let aliases = match self.list_aliases(call, Some(&arn)).await {
            Ok(aliases) => Ok(aliases),
            Err(error) => Err(gathered.miss(&error, Some(asked))),
        };
        gathered.append(self.read_key(call, &arn, described, &aliases).await);
        Ok(gathered.into_one(&self.scope, call, asked))
    }

    /// Everything about one key. `arn` serves where `DescribeKey` failed.
    async fn read_key(
        &self,
        call: &CallContext,
        arn: &str,
        described: Result<(String, Result<AwsKeyMetadata, UnknownReason>), AwsError>,
        aliases: &Aliases,
    ) -> Gathered {
        let arn = described.as_ref().map_or(arn, |(arn, _)| arn).to_owned();
        let reference = self.place.resource(ResourceKind::Key, &arn);
        let mut gathered = Gathered::default();
        let described = described.map(|(_, metadata)| metadata);
        let metadata = gathered.said(described, "kms:DescribeKey", &reference);
        let aliases = match aliases {
            Ok(by_key) => Read::Known(by_key.get(bare_name(&arn)).cloned().unwrap_or_default()),
            Err(reason) => Read::Unknown(*reason),
        };
        let name = match &aliases {
            Read::Known(list) if !list.is_empty() => list[0].clone(),
            Read::Known(_) | Read::Unknown(_) => Untrusted::from(bare_name(&arn)),
        };
        let mut key = untouched(KeyId::from(arn.as_str()), aliases, metadata);
        let mut key_tags = Read::Unknown(key.metadata.get().err().unwrap_or(NOT_ASKED));
        if let Read::Known(metadata) = key.metadata.clone() {
            if metadata.managed_by_customer {
                let found = self.list_tags(call, &arn).await;
                key_tags = gathered.known(found, Some(&reference));
                self.read_access(call, &reference, &mut key, &mut gathered).await;
            }
            self.read_rotation(call, &reference, &metadata, &mut key, &mut gathered)
                .await;
        }
        gathered.resources.push(Resource {
            reference,
            name,
            tags: key_tags,
            config: Config::AwsKmsKey(Box::new(key)),
        });
        gathered
    }

    /// Policy and grants.
    async fn read_access(
        &self,
        call: &CallContext,
        reference: &ResourceRef,
        key: &mut AwsKmsKey,
        gathered: &mut Gathered,
    ) {
        let request = self.aws.kms().get_key_policy().key_id(key.id.as_str());
        let operation = "kms:GetKeyPolicy";
        let answer = self
            .aws
            .call(call, operation, request.policy_name("default").send())
            .await
            .and_then(|answer| {
                let document = answer.policy.ok_or_else(|| {
                    AwsError::new(FailureClass::Unreadable, operation, "the answer holds no policy")
                })?;
                Ok(PolicyText {
                    language: PolicyLanguage::AwsResource,
                    document: document.into(),
                })
            });
        key.policy = gathered.known(answer, Some(reference));

        let mut listing = Listing::new("kms:ListGrants");
        while let Some(marker) = listing.wants() {
            let request = self.aws.kms().list_grants().key_id(key.id.as_str());
            let request = request.limit(ITEMS_A_PAGE).set_marker(marker);
            let answer = self.aws.call(call, "kms:ListGrants", request.send()).await;
            listing.add(answer.map(|page| Page {
                items: page.grants().iter().map(kms_map::grant).collect(),
                next: Next::of_marker(page.truncated, page.next_marker),
            }));
        }
        key.grants = gathered.known(listing.finish().whole(), Some(reference));
    }

    /// Rotation status and what really rotated, where the key is one that rotates by itself.
    async fn read_rotation(
        &self,
        call: &CallContext,
        reference: &ResourceRef,
        metadata: &AwsKeyMetadata,
        key: &mut AwsKmsKey,
        gathered: &mut Gathered,
    ) {
        match kms_map::rotation_question(&key.id, metadata) {
            RotationQuestion::Ask => {}
            RotationQuestion::AskPrimary => {
                key.rotation = Read::Unknown(UnknownReason::NotVisible);
                key.rotations = Read::Unknown(UnknownReason::NotVisible);
                return;
            }
            RotationQuestion::DoNotAsk => return,
        }
        let request = self.aws.kms().get_key_rotation_status().key_id(key.id.as_str());
        let answer = self
            .aws
            .call(call, "kms:GetKeyRotationStatus", request.send())
            .await
            .map(|answer| kms_map::rotation(&answer));
        key.rotation = gathered.known(answer, Some(reference));

        let mut listing = Listing::new("kms:ListKeyRotations");
        while let Some(marker) = listing.wants() {
            let request = self.aws.kms().list_key_rotations().key_id(key.id.as_str());
            let request = request.limit(ITEMS_A_PAGE).set_marker(marker);
            let answer = self.aws.call(call, "kms:ListKeyRotations", request.send()).await;
            listing.add(answer.map(|page| Page {
                next: Next::of_marker(page.truncated, page.next_marker),
                items: page.rotations.unwrap_or_default(),
            }));
        }
        let rotations = listing.finish().whole();
        key.rotations = gathered.known(
            rotations.map(|entries| kms_map::rotations(&entries)),
            Some(reference),
        );
    }

    async fn list_keys(&self, call: &CallContext) -> Listed<String> {
        let mut listing = Listing::new("kms:ListKeys");
        while let Some(marker) = listing.wants() {
            let request = self.aws.kms().list_keys().limit(KEYS_A_PAGE).set_marker(marker);
            let answer = self.aws.call(call, "kms:ListKeys", request.send()).await;
            listing.add(answer.map(|page| {
                Page {
                    items: page
                        .keys()
                        .iter()
                        .filter_map(|key| key.key_arn().or(key.key_id()).map(str::to_owned))
                        .collect(),
                    next: Next::of_marker(page.truncated, page.next_marker),
                }
            }));
        }
        listing.finish()
    }

    /// The aliases of the region, or of one key.
    async fn list_aliases(
        &self,
        call: &CallContext,
        key: Option<&str>,
    ) -> Result<BTreeMap<String, Vec<Untrusted>>, AwsError> {
        let mut listing = Listing::new("kms:ListAliases");
        while let Some(marker) = listing.wants() {
            let request = self.aws.kms().list_aliases().limit(ITEMS_A_PAGE);
            let request = request.set_marker(marker).set_key_id(key.map(str::to_owned));
            let answer = self.aws.call(call, "kms:ListAliases", request.send()).await;
            listing.add(answer.map(|page| Page {
                next: Next::of_marker(page.truncated, page.next_marker),
                items: page.aliases.unwrap_or_default(),
            }));
        }
        let entries = listing.finish().whole()?;
        Ok(kms_map::aliases(&entries))
    }

    async fn list_tags(
        &self,
        call: &CallContext,
        arn: &str,
    ) -> Result<BTreeMap<String, Untrusted>, AwsError> {
        let mut listing = Listing::new("kms:ListResourceTags");
        while let Some(marker) = listing.wants() {
            let request = self.aws.kms().list_resource_tags().key_id(arn);
            let request = request.limit(TAGS_A_PAGE).set_marker(marker);
            let answer = self.aws.call(call, "kms:ListResourceTags", request.send()).await;
            listing.add(answer.map(|page| Page {
                next: Next::of_marker(page.truncated, page.next_marker),
                items: page.tags.unwrap_or_default(),
            }));
        }
        let entries = listing.finish().whole()?;
        Ok(tags(
            entries
                .iter()
                .map(|tag| (Some(tag.tag_key()), Some(tag.tag_value()))),
        ))
    }

    /// `DescribeKey`: the key's ARN, and what could be made of the rest.
    async fn describe(
        &self,
        call: &CallContext,
        key: &str,
    ) -> Result<(String, Result<AwsKeyMetadata, UnknownReason>), AwsError> {
        let operation = "kms:DescribeKey";
        let request = self.aws.kms().describe_key().key_id(key);
        let answer = self.aws.call(call, operation, request.send()).await?;
        let described = answer.key_metadata.ok_or_else(|| {
            AwsError::new(FailureClass::Unreadable, operation, "the answer describes no key")
        })?;
        let arn = match &described.arn {
            Some(arn) => arn.clone(),
            None => self.place.arn("kms", &format!("key/{}", described.key_id)),
        };
        Ok((arn, kms_map::metadata(&described)))
    }
}

/// A key of which only `DescribeKey` is known, or not even that: the rest is unknown for the same reason.
fn untouched(id: KeyId, aliases: Read<Vec<Untrusted>>, metadata: Read<AwsKeyMetadata>) -> AwsKmsKey {
    let reason = metadata.get().err().unwrap_or(NOT_ASKED);
    AwsKmsKey {
        id,
        aliases,
        metadata,
        rotation: Read::Unknown(reason),
        rotations: Read::Unknown(reason),
        policy: Read::Unknown(reason),
        grants: Read::Unknown(reason),
    }
}

fn is_key_arn(text: &str) -> bool {
    parse_arn(text).is_some_and(|arn| arn.rest.starts_with("key/"))
}

impl Poller for KmsPoller {
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
