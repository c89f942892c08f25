//! The way to AWS: credentials, SDK clients and the signed query client of one account and region.
//!
//! The SDK's own retries are off: the drivers own retries and budget (invariant 3). Every request goes through
//! [`Scope::call`] or [`Scope::query`], which ask the budget, limit the time, and classify what went wrong.

pub mod failure;
pub mod partition;
pub mod query;

mod credentials;

use std::error::Error;
use std::future::Future;
use std::sync::OnceLock;
use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use keyvigil_connector::call::{ApiRequest, CallContext};
use keyvigil_connector::failure::FailureClass;
use keyvigil_connector::secret::Secret;
use keyvigil_model::id::{AccountId, Region};

use crate::client::credentials::CredentialCache;
use crate::client::failure::AwsError;
use crate::client::partition::Partition;
use crate::client::query::{ClientSetupError, QueryClient, QueryRequest, QueryService};
use crate::config::AccountConfig;

/// The name of the role session: it appears in the customer's CloudTrail for everything that keyvigil reads.
pub const SESSION_NAME: &str = "keyvigil";

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longer than the 20 s for which SQS holds a long poll.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
const OPERATION_TIMEOUT: Duration = Duration::from_mins(1);

/// One account with its credentials; the source of [`Scope`]s. Clones share the credentials.
#[derive(Clone, Debug)]
pub struct Account {
    id: AccountId,
    sdk: SdkConfig,
    credentials: CredentialCache,
    query: QueryClient,
}

/// One account in one region: the clients for every service that keyvigil reads.
#[derive(Debug)]
pub struct Scope {
    account: Account,
    region: Region,
    sdk: SdkConfig,
    kms: OnceLock<aws_sdk_kms::Client>,
    s3: OnceLock<aws_sdk_s3::Client>,
    sqs: OnceLock<aws_sdk_sqs::Client>,
    cloudtrail: OnceLock<aws_sdk_cloudtrail::Client>,
    sts: OnceLock<aws_sdk_sts::Client>,
}

/// Who the credentials belong to (`sts:GetCallerIdentity`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallerIdentity {
    /// The account.
    pub account: AccountId,
    /// The user or role session.
    pub arn: String,
}

impl Account {
    /// Prepares the credentials of an account: the base chain (environment, profile, container, instance), or the role
    /// that it assumes. No request is made yet.
    ///
    /// # Errors
    /// The platform has no usable TLS.
    pub async fn connect(config: &AccountConfig) -> Result<Self, ClientSetupError> {
        Self::load(config, loader(config)).await
    }

    /// Like [`Account::connect`], with a given access key instead of the base chain: for fake clouds.
    ///
    /// # Errors
    /// The platform has no usable TLS.
    pub async fn connect_with_key(
        config: &AccountConfig,
        access_key_id: &str,
        secret_key: &Secret,
    ) -> Result<Self, ClientSetupError> {
        let key = Credentials::new(access_key_id, secret_key.expose(), None, None, "given");
        Self::load(config, loader(config).credentials_provider(key)).await
    }

    async fn load(config: &AccountConfig, loader: ConfigLoader) -> Result<Self, ClientSetupError> {
        let base = Box::pin(loader.load()).await;
        let credentials = CredentialCache::new(Box::pin(source_of(config, &base)).await);
        let sdk = base
            .into_builder()
            .credentials_provider(SharedCredentialsProvider::new(credentials.clone()))
            .build();
        Ok(Self {
            id: AccountId::from(config.account_id.as_str()),
            sdk,
            credentials,
            query: QueryClient::new(CONNECT_TIMEOUT, READ_TIMEOUT, OPERATION_TIMEOUT)?,
        })
    }

    /// The account's id, as configured.
    pub fn id(&self) -> &AccountId {
        &self.id
    }

    /// The account in a region.
    pub fn scope(&self, region: &Region) -> Scope {
        self.scope_at(region, None)
    }

    /// The account in a region, with another endpoint than the account's own.
    pub fn scope_at(&self, region: &Region, endpoint_url: Option<&str>) -> Scope {
        let mut sdk = self
            .sdk
            .to_builder()
            .region(aws_config::Region::new(region.as_str().to_owned()));
        if let Some(endpoint) = endpoint_url {
            sdk = sdk.endpoint_url(endpoint);
        }
        Scope {
            account: self.clone(),
            region: region.clone(),
            sdk: sdk.build(),
            kms: OnceLock::new(),
            s3: OnceLock::new(),
            sqs: OnceLock::new(),
            cloudtrail: OnceLock::new(),
            sts: OnceLock::new(),
        }
    }
}

fn loader(config: &AccountConfig) -> ConfigLoader {
    let home = config
        .regions
        .first()
        .map_or("us-east-1", String::as_str)
        .to_owned();
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .operation_timeout(OPERATION_TIMEOUT)
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .region(aws_config::Region::new(home))
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts)
        .identity_cache(IdentityCache::no_cache());
    if let Some(profile) = &config.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(endpoint) = &config.endpoint_url {
        loader = loader.endpoint_url(endpoint);
    }
    loader
}

/// The base chain, cached, and the role on top of it.
async fn source_of(config: &AccountConfig, base: &SdkConfig) -> SharedCredentialsProvider {
    let chain = base
        .credentials_provider()
        .expect("the loader always sets the default chain");
    let Some(role) = &config.role_arn else {
        return chain;
    };
    let mut assume = AssumeRoleProvider::builder(role)
        .session_name(SESSION_NAME)
        .configure(base);
    if let Some(external_id) = &config.external_id {
        assume = assume.external_id(external_id);
    }
    let base_credentials = CredentialCache::new(chain);
    SharedCredentialsProvider::new(assume.build_from_provider(base_credentials).await)
}

impl Scope {
    /// The account.
    pub fn account(&self) -> &AccountId {
        &self.account.id
    }

    /// The region.
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// The partition of the region.
    pub fn partition(&self) -> &'static Partition {
        Partition::of_region(&self.region)
    }

    /// The same account in another region: a bucket must be asked in its own.
    #[must_use]
    pub fn in_region(&self, region: &Region) -> Self {
        self.account.scope_at(region, self.sdk.endpoint_url())
    }

    /// The client for KMS.
    pub fn kms(&self) -> &aws_sdk_kms::Client {
        self.kms.get_or_init(|| aws_sdk_kms::Client::new(&self.sdk))
    }

    /// The client for S3; with path-style addresses where the endpoint is overridden, because emulators have no
    /// host name for each bucket.
    pub fn s3(&self) -> &aws_sdk_s3::Client {
        self.s3.get_or_init(|| {
            let config = aws_sdk_s3::config::Builder::from(&self.sdk)
                .force_path_style(self.sdk.endpoint_url().is_some())
                .build();
            aws_sdk_s3::Client::from_conf(config)
        })
    }

    /// The client for SQS.
    pub fn sqs(&self) -> &aws_sdk_sqs::Client {
        self.sqs.get_or_init(|| aws_sdk_sqs::Client::new(&self.sdk))
    }

    /// The client for CloudTrail.
    pub fn cloudtrail(&self) -> &aws_sdk_cloudtrail::Client {
        self.cloudtrail
            .get_or_init(|| aws_sdk_cloudtrail::Client::new(&self.sdk))
    }

    /// The client for STS.
    pub fn sts(&self) -> &aws_sdk_sts::Client {
        self.sts.get_or_init(|| aws_sdk_sts::Client::new(&self.sdk))
    }

    /// Makes one SDK call: waits for the budget, then sends, gives up after `call.timeout`, and classifies a failure.
    ///
    /// `operation` is the permission that the call needs (`kms:DescribeKey`); `request` is the unsent `send()` future.
    pub fn call<'a, T, E>(
        &'a self,
        call: &'a CallContext,
        operation: &'a str,
        request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send + 'a,
    ) -> impl Future<Output = Result<T, AwsError>> + Send + 'a
    where
        T: Send + 'a,
        E: ProvideErrorMetadata + Error + 'static,
    {
        // SDK futures are large; boxed before the first await, they do not bloat every future that awaits this one.
        let request = Box::pin(request);
        let classified = async move {
            let outcome = request.await;
            outcome.map_err(|error| AwsError::of_sdk(operation, &error))
        };
        self.guard(call, operation, classified)
    }

    /// Makes one call to a service that speaks AWS Query; the answer is the XML text. Paging is the caller's.
    pub async fn query(
        &self,
        call: &CallContext,
        service: QueryService,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> Result<String, AwsError> {
        let operation = format!("{}:{action}", service.prefix());
        let request = Box::pin(async {
            let credentials = self.account.credentials.get().await;
            let credentials =
                credentials.map_err(|failure| AwsError::new(failure.class, &operation, failure.message))?;
            let request = QueryRequest {
                service,
                action,
                parameters,
                region: &self.region,
                endpoint: self.sdk.endpoint_url(),
            };
            self.account.query.send(&operation, &request, credentials).await
        });
        self.guard(call, &operation, request).await
    }

    /// Budget, time limit and bookkeeping around any request.
    pub async fn guard<T>(
        &self,
        call: &CallContext,
        operation: &str,
        request: impl Future<Output = Result<T, AwsError>>,
    ) -> Result<T, AwsError> {
        let quota = ApiRequest {
            account: self.account.id.as_str(),
            region: self.region.as_str(),
            operation,
        };
        call.budget.acquire(quota).await;
        let outcome = match tokio::time::timeout(call.timeout, request).await {
            Ok(outcome) => outcome,
            Err(_) => Err(AwsError::new(
                FailureClass::Transient,
                operation,
                format!("no answer within {} s", call.timeout.as_secs_f32()),
            )),
        };
        match outcome.as_ref().map_err(|error| error.class) {
            Err(FailureClass::Throttled(_)) => call.budget.throttled(quota),
            Err(FailureClass::Unauthenticated) => self.account.credentials.forget().await,
            _ => {}
        }
        outcome
    }

    /// Asks AWS who the credentials belong to. Works without any permission.
    pub async fn caller_identity(&self, call: &CallContext) -> Result<CallerIdentity, AwsError> {
        let operation = "sts:GetCallerIdentity";
        let answer = self
            .call(call, operation, self.sts().get_caller_identity().send())
            .await?;
        match (answer.account, answer.arn) {
            (Some(account), Some(arn)) => Ok(CallerIdentity {
                account: AccountId::new(account),
                arn,
            }),
            _ => Err(AwsError::new(
                FailureClass::Unreadable,
                operation,
                "the answer names no account",
            )),
        }
    }
}

#[cfg(test)]
mod tests;
