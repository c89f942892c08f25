//! Amazon S3: the buckets of an account with their default encryption, policy and public-access block.
//!
//! Bucket names belong to the account, not to a region, so one poller reads all of them and its region is `global`.
//! Each bucket is asked in its own region. Directory buckets (S3 Express) are listed by another API and not read.
//!
//! Whether logs are delivered to a bucket only the configuration of the other buckets says. It is taken from the last
//! whole poll when one bucket is read again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use keyvigil_connector::call::{BoxFuture, CallContext};
use keyvigil_connector::failure::CallError;
use keyvigil_connector::poller::{PollScope, Poller};
use keyvigil_model::id::{Region, SourceId};
use keyvigil_model::policy_text::{PolicyLanguage, PolicyText};
use keyvigil_model::provider::Provider;
use keyvigil_model::resource::{ResourceKind, ResourceRef};
use keyvigil_model::snapshot::{AwsBucket, BucketEncryption, Config, Family, Resource, Snapshot};
use keyvigil_model::untrusted::Untrusted;
use keyvigil_model::verdict::{Read, UnknownReason};

use crate::client::Scope;
use crate::client::failure::AwsError;
use crate::pollers::gather::{Gathered, ListEnd, Work, at_once, coverage, not_mine};
use crate::pollers::listing::{Listed, Listing, Next, Page};
use crate::pollers::place::{GLOBAL, Place, bare_name, tags};
use crate::pollers::s3_map;

/// Also what makes `ListBuckets` say the region of each bucket.
const BUCKETS_A_PAGE: i32 = 1_000;

/// Reads the buckets of one account.
#[derive(Debug)]
pub struct S3Poller {
    scope: PollScope,
    aws: Arc<Scope>,
    /// Buckets to which others deliver logs, as of the last whole poll.
    log_targets: Mutex<BTreeSet<String>>,
}

/// A bucket as it is listed.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Found {
    name: String,
    region: Option<String>,
}

/// The account in each region that was needed so far.
type Regions = Mutex<BTreeMap<String, Arc<Scope>>>;

impl S3Poller {
    /// A poller for the account of `aws`. Its region is only the one to begin with.
    pub fn new(source: SourceId, aws: Arc<Scope>) -> Self {
        let scope = PollScope {
            source,
            provider: Provider::Aws,
            account: aws.account().clone(),
            region: Region::from(GLOBAL),
            family: Family::Buckets,
        };
        Self {
            scope,
            aws,
            log_targets: Mutex::default(),
        }
    }

    async fn read_all(&self, call: &CallContext) -> Result<Snapshot, CallError> {
        let mut gathered = Gathered::default();
        let (buckets, end) = match self.list_buckets(call).await {
            Listed::Whole(buckets) => (buckets, ListEnd::Whole),
            Listed::Cut(buckets, error) => {
                gathered.miss(&error, None);
                (buckets, ListEnd::Cut)
            }
            Listed::Failed(error) => return Err(error.into()),
        };
        let work = Work::new(buckets);
        let regions = Regions::default();
        let targets = Mutex::new(BTreeSet::new());
        at_once(|| self.read_from(call, &work, &regions, &targets)).await;
        gathered.append(work.finish());
        let targets = targets.into_inner().unwrap_or_else(PoisonError::into_inner);
        mark_log_targets(&mut gathered.resources, &targets);
        *self.log_targets.lock().unwrap_or_else(PoisonError::into_inner) = targets;
        let scope = coverage(&self.scope, vec![end])?;
        Ok(gathered.into_snapshot(&self.scope, call, scope))
    }

    async fn read_from(
        &self,
        call: &CallContext,
        work: &Work<Found>,
        regions: &Regions,
        targets: &Mutex<BTreeSet<String>>,
    ) {
        while let Some(bucket) = work.take() {
            let mut gathered = Gathered::default();
            let region = match bucket.region {
                Some(region) => region,
                None => match self.locate(call, &bucket.name).await {
                    Ok(region) => region,
                    Err(error) if error.code() == s3_map::NO_BUCKET => continue,
                    Err(error) => {
                        let place = Place::new(self.scope.account.clone(), self.aws.region().clone());
                        gathered.miss(&error, Some(&place.bucket(&bucket.name)));
                        self.aws.region().as_str().to_owned()
                    }
                },
            };
            let aws = self.in_region(regions, &region);
            let Some(target) = read_bucket(call, &aws, &bucket.name, &mut gathered).await else {
                // Deleted between the listing and now.
                continue;
            };
            if let Some(target) = target {
                targets
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert(target);
            }
            work.hand_in(gathered);
        }
    }

    async fn read_one(&self, call: &CallContext, asked: &ResourceRef) -> Result<Snapshot, CallError> {
        if asked.kind != ResourceKind::Bucket {
            return Err(not_mine(&self.scope, asked));
        }
        let mut gathered = Gathered::default();
        let name = bare_name(asked.id.as_str());
        let region = match self.locate(call, name).await {
            Ok(region) => Region::new(region),
            Err(error) if error.code() == s3_map::NO_BUCKET => {
                return Ok(gathered.into_one(&self.scope, call, asked));
            }
            Err(error) if error.class.may_pass() => return Err(error.into()),
            Err(error) => {
                gathered.miss(&error, Some(asked));
                asked.region.clone().unwrap_or_else(|| self.aws.region().clone())
            }
        };
        let aws = self.aws.in_region(&region);
        if read_bucket(call, &aws, name, &mut gathered).await.is_some() {
            let targets = self.log_targets.lock().unwrap_or_else(PoisonError::into_inner);
            mark_log_targets(&mut gathered.resources, &targets);
        }
        Ok(gathered.into_one(&self.scope, call, asked))
    }

    async fn list_buckets(&self, call: &CallContext) -> Listed<Found> {
        let operation = "s3:ListAllMyBuckets";
        let mut listing = Listing::new(operation);
        while let Some(token) = listing.wants() {
            let request = self.aws.s3().list_buckets().max_buckets(BUCKETS_A_PAGE);
            let request = request.set_continuation_token(token);
            let answer = self.aws.call(call, operation, request.send()).await;
            listing.add(answer.map(|page| {
                Page {
                    next: Next::of_token(page.continuation_token),
                    items: page
                        .buckets
                        .unwrap_or_default()
                        .into_iter()
                        .filter_map(|bucket| {
                            Some(Found {
                                name: bucket.name?,
                                region: bucket.bucket_region.filter(|region| !region.is_empty()),
                            })
                        })
                        .collect(),
                }
            }));
        }
        listing.finish()
    }

    async fn locate(&self, call: &CallContext, bucket: &str) -> Result<String, AwsError> {
        let request = self.aws.s3().get_bucket_location().bucket(bucket);
        let answer = self
            .aws
            .call(call, "s3:GetBucketLocation", request.send())
            .await?;
        let constraint = answer
            .location_constraint
            .as_ref()
            .map(|location| location.as_str());
        Ok(s3_map::region_of_location(constraint).to_owned())
    }

    fn in_region(&self, regions: &Regions, region: &str) -> Arc<Scope> {
        let mut known = regions.lock().unwrap_or_else(PoisonError::into_inner);
        let scope = known
            .entry(region.to_owned())
            .or_insert_with(|| Arc::new(self.aws.in_region(&Region::from(region))));
        Arc::clone(scope)
    }
}

/// Reads one bucket into `gathered`. Returns the bucket that its access logs go to; `None` if the bucket is gone.
async fn read_bucket(
    call: &CallContext,
    aws: &Scope,
    name: &str,
    gathered: &mut Gathered,
) -> Option<Option<String>> {
    let place = Place::new(aws.account().clone(), aws.region().clone());
    let reference = place.bucket(name);
    let of = Some(&reference);
    let encryption = read_encryption(call, aws, name).await;
    if encryption
        .as_ref()
        .is_err_and(|error| error.code() == s3_map::NO_BUCKET)
    {
        return None;
    }
    let encryption = gathered.said(encryption, "s3:GetEncryptionConfiguration", &reference);

    let request = aws.s3().get_bucket_policy().bucket(name);
    let answer = aws.call(call, "s3:GetBucketPolicy", request.send()).await;
    let policy = gathered.known(
        absent(answer.map(|answer| answer.policy), s3_map::NO_POLICY, None),
        of,
    );

    let request = aws.s3().get_public_access_block().bucket(name);
    let answer = aws
        .call(call, "s3:GetBucketPublicAccessBlock", request.send())
        .await
        .map(|answer| s3_map::public_access_blocked(answer.public_access_block_configuration.as_ref()));
    let public_access_blocked = gathered.known(absent(answer, s3_map::NO_PUBLIC_BLOCK, false), of);

    let request = aws.s3().get_bucket_tagging().bucket(name);
    let answer = aws
        .call(call, "s3:GetBucketTagging", request.send())
        .await
        .map(|answer| {
            tags(
                answer
                    .tag_set()
                    .iter()
                    .map(|tag| (Some(tag.key()), Some(tag.value()))),
            )
        });
    let tags = gathered.known(absent(answer, s3_map::NO_TAGS, BTreeMap::new()), of);

    let request = aws.s3().get_bucket_logging().bucket(name);
    let answer = aws
        .call(call, "s3:GetBucketLogging", request.send())
        .await
        .map(|answer| answer.logging_enabled.map(|logging| logging.target_bucket));
    let target = gathered.known(answer, of);

    let policy = match policy {
        Read::Known(text) => Read::Known(text.map(|text| PolicyText {
            language: PolicyLanguage::AwsResource,
            document: text.into(),
        })),
        Read::Unknown(reason) => Read::Unknown(reason),
    };
    gathered.resources.push(Resource {
        reference,
        name: Untrusted::from(name),
        tags,
        config: Config::AwsBucket(Box::new(AwsBucket {
            encryption,
            policy,
            public_access_blocked,
            is_log_target: false,
        })),
    });
    Some(target.get().ok().cloned().flatten())
}

async fn read_encryption(
    call: &CallContext,
    aws: &Scope,
    name: &str,
) -> Result<Result<BucketEncryption, UnknownReason>, AwsError> {
    let request = aws.s3().get_bucket_encryption().bucket(name);
    let answer = aws
        .call(call, "s3:GetEncryptionConfiguration", request.send())
        .await
        .map(|answer| s3_map::encryption(answer.server_side_encryption_configuration.as_ref()));
    absent(answer, s3_map::NO_ENCRYPTION, Ok(s3_map::no_encryption()))
}

/// S3 answers with an error where a bucket has none of what was asked for: that is `value`, not a failure.
fn absent<T>(answer: Result<T, AwsError>, code: &str, value: T) -> Result<T, AwsError> {
    match answer {
        Err(error) if error.code() == code => Ok(value),
        answer => answer,
    }
}

/// A bucket that logs into itself is a log target too.
fn mark_log_targets(buckets: &mut [Resource], targets: &BTreeSet<String>) {
    for resource in buckets {
        if let Config::AwsBucket(bucket) = &mut resource.config {
            bucket.is_log_target = targets.contains(bare_name(resource.reference.id.as_str()));
        }
    }
}

impl Poller for S3Poller {
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
    use keyvigil_connector::failure::FailureClass;

    use super::*;

    fn error(code: &str) -> AwsError {
        AwsError {
            class: FailureClass::NotFound,
            call: "s3:GetBucketPolicy".to_owned(),
            code: Some(code.to_owned()),
            message: "the bucket policy does not exist".to_owned(),
        }
    }

    #[test]
    fn only_the_named_error_means_absent() {
        assert_eq!(
            absent(Err(error("NoSuchBucketPolicy")), s3_map::NO_POLICY, 0),
            Ok(0)
        );
        assert_eq!(absent(Ok(1), s3_map::NO_POLICY, 0), Ok(1));
        for code in ["NoSuchBucket", "AccessDenied", ""] {
            assert!(absent(Err(error(code)), s3_map::NO_POLICY, 0).is_err(), "{code}");
        }
    }

    #[test]
    fn log_targets_are_marked_and_others_are_not() {
        let place = Place::new("111122223333".into(), "eu-west-1".into());
        let bucket = |name: &str| Resource {
            reference: place.bucket(name),
            name: Untrusted::from(name),
            tags: Read::Known(BTreeMap::new()),
            config: Config::AwsBucket(Box::new(AwsBucket {
                encryption: Read::Known(s3_map::no_encryption()),
                policy: Read::Known(None),
                public_access_blocked: Read::Known(false),
                is_log_target: false,
            })),
        };
        let mut buckets = [bucket("logs"), bucket("papers")];
        mark_log_targets(&mut buckets, &BTreeSet::from(["logs".to_owned()]));
        let marked: Vec<bool> = buckets
            .iter()
            .map(|resource| match &resource.config {
                Config::AwsBucket(bucket) => bucket.is_log_target,
                other => panic!("not a bucket: {other:?}"),
            })
            .collect();
        assert_eq!(marked, [true, false]);
    }
}
