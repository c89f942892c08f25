//! From configuration to sources: which accounts are connected, what is read and polled. A provider is added here.

use std::sync::Arc;

use keyvigil_aws::client::query::ClientSetupError;
use keyvigil_aws::client::{Account, Scope};
use keyvigil_aws::cloudtrail::{CloudTrailDecoder, Hashing};
use keyvigil_aws::config::{AccountConfig, AwsConfig, PollFamily, Switch};
use keyvigil_aws::lookup_events::LookupEventsReader;
use keyvigil_aws::permissions::AwsPreflight;
use keyvigil_aws::pollers::{EbsPoller, IamPoller, KmsPoller, RdsPoller, S3Poller, TrailPoller};
use keyvigil_aws::s3::LogBucket;
use keyvigil_aws::s3::log_key::{AllowList, log_account};
use keyvigil_aws::sqs::CloudTrailQueue;
use keyvigil_connector::log_reader::LogReader;
use keyvigil_connector::object_log::{Decoder, ObjectQueue, ObjectStore};
use keyvigil_connector::poller::Poller;
use keyvigil_connector::preflight::Preflight;
use keyvigil_connector::secret::Secret;
use keyvigil_ingester::object::Place;
use keyvigil_model::id::{Region, SourceId};

/// Everything that can be asked.
#[derive(Default)]
pub struct Sources {
    /// Configuration.
    pub pollers: Vec<Arc<dyn Poller>>,
    /// Logs that are asked for windows of time.
    pub readers: Vec<Arc<dyn LogReader>>,
    /// Logs that arrive as objects.
    pub object_logs: Vec<ObjectLogParts>,
    /// What finds out about permissions.
    pub preflights: Vec<Arc<dyn Preflight>>,
}

/// A log that arrives as objects.
pub struct ObjectLogParts {
    /// Announces objects.
    pub queue: Arc<dyn ObjectQueue>,
    /// Holds them.
    pub store: Arc<dyn ObjectStore>,
    /// Reads them.
    pub decoder: Arc<dyn Decoder>,
    /// What a place says about an object.
    pub place: Place,
}

/// An account could not be connected.
#[derive(Debug, thiserror::Error)]
#[error("account {account} cannot be connected")]
pub struct NotConnected {
    account: String,
    #[source]
    cause: ClientSetupError,
}

/// Where the credentials of an account come from.
#[derive(Clone, Copy)]
pub enum AwsCredentials {
    /// Environment, profile, container or instance role, as AWS documents it.
    DefaultChain,
    /// A given access key: for the made-up AWS of the demo.
    Given(fn(&AccountConfig) -> (String, Secret)),
}

/// Connects every configured account. Only reading files and the environment can fail here: no provider is called yet.
pub async fn connect(config: &AwsConfig, credentials: AwsCredentials) -> Result<Sources, NotConnected> {
    let mut sources = Sources::default();
    for account_config in &config.accounts {
        let connected = match credentials {
            AwsCredentials::DefaultChain => Account::connect(account_config).await,
            AwsCredentials::Given(key_of) => {
                let (access_key, secret) = key_of(account_config);
                Account::connect_with_key(account_config, &access_key, &secret).await
            }
        };
        let account = connected.map_err(|cause| NotConnected {
            account: account_config.name.clone(),
            cause,
        })?;
        add_pollers(&mut sources, &account, account_config);
        add_readers(&mut sources, &account, account_config);
        add_trails(&mut sources, &account, account_config, config);
    }
    Ok(sources)
}

/// The decoder of CloudTrail files, for folders and `replay`.
pub fn cloudtrail_files() -> Arc<dyn Decoder> {
    Arc::new(CloudTrailDecoder::new(Hashing::Off))
}

fn add_pollers(sources: &mut Sources, account: &Account, config: &AccountConfig) {
    let scopes: Vec<Arc<Scope>> = config
        .regions
        .iter()
        .map(|region| Arc::new(account.scope(&Region::from(region.as_str()))))
        .collect();
    for family in &config.poll {
        // Buckets and identities belong to the account as a whole: one region's endpoint answers for all.
        let asked: &[Arc<Scope>] = match family {
            PollFamily::Buckets | PollFamily::Identities => scopes.get(..1).unwrap_or_default(),
            PollFamily::Keys | PollFamily::Disks | PollFamily::Databases | PollFamily::AuditLogs => &scopes,
        };
        for scope in asked {
            let word = family.family().as_str();
            let source = match asked.len() {
                1 => SourceId::new(format!("aws/{}/{word}", config.name)),
                _ => SourceId::new(format!("aws/{}/{word}/{}", config.name, scope.region())),
            };
            let scope = Arc::clone(scope);
            let poller: Arc<dyn Poller> = match family {
                PollFamily::Keys => Arc::new(KmsPoller::new(source, scope)),
                PollFamily::Buckets => Arc::new(S3Poller::new(source, scope)),
                PollFamily::Disks => Arc::new(EbsPoller::new(source, scope)),
                PollFamily::Databases => Arc::new(RdsPoller::new(source, scope)),
                PollFamily::AuditLogs => Arc::new(TrailPoller::new(source, scope)),
                PollFamily::Identities => Arc::new(IamPoller::new(source, scope)),
            };
            sources.pollers.push(poller);
        }
    }
}

fn add_readers(sources: &mut Sources, account: &Account, config: &AccountConfig) {
    match config.lookup_events.mode {
        Switch::Off => {}
        Switch::On => {
            for region in &config.regions {
                let scope = Arc::new(account.scope(&Region::from(region.as_str())));
                sources
                    .readers
                    .push(Arc::new(LookupEventsReader::new(scope, config)));
            }
        }
    }
}

fn add_trails(sources: &mut Sources, account: &Account, config: &AccountConfig, all: &AwsConfig) {
    let mut read_here = Vec::new();
    for trail in all.trails.iter().filter(|trail| trail.account == config.name) {
        let allow = AllowList::of(trail, all);
        let endpoint = trail.endpoint_url.as_deref().or(config.endpoint_url.as_deref());
        let scope = Arc::new(account.scope_at(&Region::from(trail.region.as_str()), endpoint));
        sources.object_logs.push(ObjectLogParts {
            queue: Arc::new(CloudTrailQueue::new(Arc::clone(&scope), trail, allow.clone())),
            store: Arc::new(LogBucket::new(scope, trail, allow.clone())),
            decoder: Arc::new(CloudTrailDecoder::new(Hashing::Sha256)),
            place: Place {
                origin: |object| format!("s3://{}/{}", object.bucket, object.key),
                account: |object| log_account(&object.key),
            },
        });
        read_here.push((trail.clone(), allow));
    }
    sources
        .preflights
        .push(Arc::new(AwsPreflight::new(account.clone(), config, read_here)));
}

#[cfg(test)]
mod tests {
    use keyvigil_aws::permissions::permission;

    /// `doctor` tells what goes blind from the providers' lists, the controls say what they need themselves: the two
    /// must not disagree.
    #[test]
    fn every_permission_that_a_control_needs_names_the_control() {
        let mut missing = Vec::new();
        for control in keyvigil_detector::controls() {
            let meta = control.meta();
            for action in meta.permissions {
                let named = permission(action).is_some_and(|permission| {
                    permission.needed_by.contains(&"*") || permission.needed_by.contains(&meta.check.id)
                });
                if !named {
                    missing.push(format!("{action} for {}", meta.check.id));
                }
            }
        }
        assert!(missing.is_empty(), "{missing:#?}");
    }
}
