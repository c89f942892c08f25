//! CloudTrail's bucket: fetches log files whole, and lists the folders of a day as a net under lost messages.

use std::sync::Arc;

use aws_sdk_s3::types::Object;
use keyvigil_connector::call::{BoxFuture, CallContext};
use keyvigil_connector::failure::{CallError, FailureClass};
use keyvigil_connector::object_log::{FetchedObject, ListPage, ObjectRef, ObjectSource, ObjectStore};
use keyvigil_model::id::SourceId;
use keyvigil_model::provider::Provider;
use keyvigil_model::time::Day;

use crate::client::Scope;
use crate::client::failure::{AwsError, one_line, root_cause};
use crate::config::TrailConfig;
use crate::s3::log_key::{AllowList, LogKey};

pub mod log_key;

pub use crate::s3::log_key::log_account;

const GET: &str = "s3:GetObject";
const LIST: &str = "s3:ListBucket";

/// The source id of a trail's log files: what its queue and its bucket bring.
pub fn source_id(trail: &TrailConfig) -> SourceId {
    SourceId::new(format!("aws/{}/cloudtrail-s3", trail.name))
}

/// The bucket of one trail.
pub struct LogBucket {
    scope: Arc<Scope>,
    allow: AllowList,
    source: ObjectSource,
}

impl LogBucket {
    /// The bucket of a trail, read with the credentials of `scope`, which must be in the bucket's region.
    pub fn new(scope: Arc<Scope>, trail: &TrailConfig, allow: AllowList) -> Self {
        let source = ObjectSource {
            id: source_id(trail),
            provider: Provider::Aws,
            max_object_bytes: trail.max_object_bytes,
        };
        Self { scope, allow, source }
    }

    async fn fetch_object(&self, call: &CallContext, object: &ObjectRef) -> Result<FetchedObject, AwsError> {
        if object.bucket != self.allow.bucket {
            return Err(AwsError::new(
                FailureClass::Permanent,
                GET,
                "not the bucket of this trail",
            ));
        }
        // By what S3 itself says; whoever announced the object may have said anything about its size.
        let limit = self.source.max_object_bytes;
        let request = self
            .scope
            .s3()
            .get_object()
            .bucket(&*object.bucket)
            .key(&*object.key);
        // The body is read inside the guard, so that the time limit covers it.
        let fetch = Box::pin(async {
            let answer = request.send().await;
            let mut answer = answer.map_err(|error| AwsError::of_sdk(GET, &error))?;
            let length = answer
                .content_length
                .and_then(|length| u64::try_from(length).ok());
            check_size(length, limit)?;
            let mut bytes = Vec::with_capacity(usize::try_from(length.unwrap_or(0)).unwrap_or(0));
            while let Some(chunk) = answer.body.next().await {
                let chunk = chunk.map_err(|error| {
                    AwsError::new(FailureClass::Transient, GET, one_line(&root_cause(&error)))
                })?;
                check_size(Some((bytes.len() + chunk.len()) as u64), limit)?;
                bytes.extend_from_slice(&chunk);
            }
            let version = unquoted(answer.e_tag.as_deref().unwrap_or_default());
            Ok(FetchedObject { bytes, version })
        });
        self.scope.guard(call, GET, fetch).await
    }

    async fn list_page(
        &self,
        call: &CallContext,
        day: Day,
        token: Option<&str>,
    ) -> Result<ListPage, AwsError> {
        let prefixes = self.allow.day_prefixes(day);
        let walk = Walk::read(token).filter(|walk| walk.prefix < prefixes.len());
        let (walk, prefix) = match (walk, prefixes.is_empty()) {
            (Some(walk), _) => (walk, &prefixes[walk.prefix]),
            (None, true) => {
                return Ok(ListPage {
                    objects: Vec::new(),
                    next: None,
                });
            }
            (None, false) => {
                return Err(AwsError::new(
                    FailureClass::Permanent,
                    LIST,
                    "the token does not belong to this listing",
                ));
            }
        };
        let mut request = self
            .scope
            .s3()
            .list_objects_v2()
            .bucket(&*self.allow.bucket)
            .prefix(prefix);
        if let Some(continuation) = walk.continuation {
            request = request.continuation_token(continuation);
        }
        let page = self.scope.call(call, LIST, request.send()).await?;
        let mut objects = Vec::new();
        for object in page.contents() {
            objects.extend(self.log_object(object));
        }
        let next = match page.next_continuation_token() {
            Some(again) if Some(again) == walk.continuation => {
                return Err(AwsError::new(
                    FailureClass::Unreadable,
                    LIST,
                    "the same page token came back",
                ));
            }
            Some(continuation) if page.is_truncated() == Some(true) => {
                Some(format!("{}:{continuation}", walk.prefix).into())
            }
            _ if walk.prefix + 1 < prefixes.len() => Some(format!("{}:", walk.prefix + 1).into()),
            _ => None,
        };
        Ok(ListPage { objects, next })
    }

    /// An object of a listing, if it is a log file.
    fn log_object(&self, object: &Object) -> Option<ObjectRef> {
        let key = object.key()?;
        match self.allow.judge(key) {
            LogKey::Log(_) => Some(ObjectRef {
                bucket: Arc::clone(&self.allow.bucket),
                key: key.into(),
                version: object.e_tag().map(unquoted),
                size: object.size().and_then(|size| u64::try_from(size).ok()),
            }),
            LogKey::Other(_) | LogKey::Refused(_) => None,
        }
    }
}

impl ObjectStore for LogBucket {
    fn source(&self) -> &ObjectSource {
        &self.source
    }

    fn fetch<'a>(
        &'a self,
        call: &'a CallContext,
        object: &'a ObjectRef,
    ) -> BoxFuture<'a, Result<FetchedObject, CallError>> {
        Box::pin(async move { Ok(self.fetch_object(call, object).await?) })
    }

    fn list<'a>(
        &'a self,
        call: &'a CallContext,
        day: Day,
        token: Option<&'a str>,
    ) -> BoxFuture<'a, Result<ListPage, CallError>> {
        Box::pin(async move { Ok(self.list_page(call, day, token).await?) })
    }
}

fn check_size(size: Option<u64>, limit: u64) -> Result<(), AwsError> {
    match size {
        Some(size) if size > limit => Err(AwsError::new(
            FailureClass::Permanent,
            GET,
            format!("the object has more than {limit} bytes, the configured limit"),
        )),
        _ => Ok(()),
    }
}

/// An ETag without the quotes that HTTP puts around it; notifications have none.
pub(crate) fn unquoted(etag: &str) -> Arc<str> {
    etag.trim_matches('"').into()
}

/// Where a listing over several prefixes is: `<index of the prefix>:<S3's own token>`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Walk<'t> {
    prefix: usize,
    continuation: Option<&'t str>,
}

impl<'t> Walk<'t> {
    fn read(token: Option<&'t str>) -> Option<Self> {
        let Some(token) = token else {
            return Some(Self {
                prefix: 0,
                continuation: None,
            });
        };
        let (prefix, continuation) = token.split_once(':')?;
        Some(Self {
            prefix: prefix.parse().ok()?,
            continuation: (!continuation.is_empty()).then_some(continuation),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_walk_over_the_prefixes() {
        let walk = |prefix, continuation| Some(Walk { prefix, continuation });
        for (token, expected) in [
            (None, walk(0, None)),
            (Some("3:"), walk(3, None)),
            (Some("2:ab:c="), walk(2, Some("ab:c="))),
            (Some("x:"), None),
            (Some(""), None),
            (Some("-1:"), None),
        ] {
            assert_eq!(Walk::read(token), expected, "{token:?}");
        }
    }

    #[test]
    fn sizes_over_the_limit_are_permanent_failures() {
        assert_eq!(check_size(None, 10), Ok(()));
        assert_eq!(check_size(Some(10), 10), Ok(()));
        assert_eq!(
            check_size(Some(11), 10).unwrap_err().class,
            FailureClass::Permanent
        );
    }

    #[test]
    fn etags_are_compared_without_quotes() {
        assert_eq!(&*unquoted("\"abc\""), "abc");
        assert_eq!(&*unquoted("abc"), "abc");
    }
}
