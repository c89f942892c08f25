//! S3, path style. Source of the shapes: Amazon S3 API Reference.

use std::sync::Mutex;

use axum::response::Response;
use http::{HeaderValue, Method, StatusCode};

use super::query::{decode, escape, xml};
use super::world::{Bucket, World};
use super::{Call, Fault, page, recorded, status};

/// What a request to S3 asks for.
enum Ask {
    ListBuckets,
    Setting {
        bucket: String,
        setting: &'static str,
        operation: &'static str,
    },
    List {
        bucket: String,
    },
    Get {
        bucket: String,
        key: String,
    },
}

/// Sub-resources of a bucket and the permission that reading them needs.
const SETTINGS: &[(&str, &str)] = &[
    ("encryption", "GetEncryptionConfiguration"),
    ("policy", "GetBucketPolicy"),
    ("publicAccessBlock", "GetBucketPublicAccessBlock"),
    ("tagging", "GetBucketTagging"),
    ("logging", "GetBucketLogging"),
    ("location", "GetBucketLocation"),
];

pub(super) fn handle(world: &Mutex<World>, call: &Call<'_>) -> Response {
    let ask = match understand(call) {
        Ok(ask) => ask,
        Err(fault) => return fault_xml(&fault),
    };
    let operation = match &ask {
        Ask::ListBuckets => "ListAllMyBuckets",
        Ask::Setting { operation, .. } => operation,
        Ask::List { .. } => "ListBucket",
        Ask::Get { .. } => "GetObject",
    };
    match recorded(world, call, "s3", operation, |world| answer(world, call, &ask)) {
        Ok(response) => response,
        Err(fault) => fault_xml(&fault),
    }
}

fn understand(call: &Call<'_>) -> Result<Ask, Fault> {
    if call.parts.method != Method::GET {
        return Err(Fault::new(405, "MethodNotAllowed", "this fake only reads"));
    }
    let path = decode(&call.parts.uri.path().replace('+', "%2B"));
    let path = path.trim_start_matches('/');
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    if bucket.is_empty() {
        return Ok(Ask::ListBuckets);
    }
    let bucket = bucket.to_owned();
    if !key.is_empty() {
        return Ok(Ask::Get {
            bucket,
            key: key.to_owned(),
        });
    }
    for (setting, operation) in SETTINGS {
        if argument(call, setting).is_some() {
            return Ok(Ask::Setting {
                bucket,
                setting,
                operation,
            });
        }
    }
    Ok(Ask::List { bucket })
}

fn argument(call: &Call<'_>, name: &str) -> Option<String> {
    let query = call.parts.uri.query()?;
    query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (key == name).then(|| decode(value))
    })
}

fn answer(world: &mut World, call: &Call<'_>, ask: &Ask) -> Result<Response, Fault> {
    let size = world.page_size;
    let account = call.caller.account.as_str();
    match ask {
        Ask::ListBuckets => {
            let buckets: String = world
                .account(account)
                .buckets
                .iter()
                .map(|(name, bucket)| {
                    format!("<Bucket><Name>{name}</Name><CreationDate>2024-01-01T00:00:00.000Z</CreationDate><BucketRegion>{}</BucketRegion></Bucket>", bucket.region)
                })
                .collect();
            Ok(xml(
                StatusCode::OK,
                format!(
                    "<ListAllMyBucketsResult><Owner><ID>{account}</ID></Owner><Buckets>{buckets}</Buckets></ListAllMyBucketsResult>"
                ),
            ))
        }
        Ask::Setting { bucket, setting, .. } => read_setting(find(world, bucket)?, setting),
        Ask::List { bucket } => list(find(world, bucket)?, call, bucket, size),
        Ask::Get { bucket, key } => {
            let content = find(world, bucket)?
                .objects
                .get(key)
                .ok_or_else(|| Fault::new(404, "NoSuchKey", "The specified key does not exist."))?;
            let mut response = Response::new(axum::body::Body::from(content.clone()));
            let tag = format!("\"{:032x}\"", content.len());
            if let Ok(tag) = HeaderValue::from_str(&tag) {
                response.headers_mut().insert(http::header::ETAG, tag);
            }
            response
                .headers_mut()
                .insert(http::header::CONTENT_LENGTH, HeaderValue::from(content.len()));
            Ok(response)
        }
    }
}

/// Bucket names are global: log buckets often belong to another account than the caller's.
fn find<'a>(world: &'a World, name: &str) -> Result<&'a Bucket, Fault> {
    world
        .accounts
        .values()
        .find_map(|account| account.buckets.get(name))
        .ok_or_else(|| Fault::new(404, "NoSuchBucket", "The specified bucket does not exist"))
}

fn read_setting(bucket: &Bucket, setting: &str) -> Result<Response, Fault> {
    let missing = |code: &str| Fault::new(404, code, "not configured");
    let body = match setting {
        "encryption" => {
            let (algorithm, key) = bucket
                .encryption
                .as_ref()
                .ok_or_else(|| missing("ServerSideEncryptionConfigurationNotFoundError"))?;
            let key = key
                .as_ref()
                .map(|key| format!("<KMSMasterKeyID>{key}</KMSMasterKeyID>"))
                .unwrap_or_default();
            format!(
                "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>{algorithm}</SSEAlgorithm>{key}</ApplyServerSideEncryptionByDefault><BucketKeyEnabled>true</BucketKeyEnabled></Rule></ServerSideEncryptionConfiguration>"
            )
        }
        "policy" => {
            let policy = bucket
                .policy
                .as_ref()
                .ok_or_else(|| missing("NoSuchBucketPolicy"))?;
            return Ok(crate::server::answer(
                StatusCode::OK,
                "application/json",
                policy.clone(),
            ));
        }
        "publicAccessBlock" => {
            let on = bucket.public_blocked;
            format!(
                "<PublicAccessBlockConfiguration><BlockPublicAcls>{on}</BlockPublicAcls><IgnorePublicAcls>{on}</IgnorePublicAcls><BlockPublicPolicy>{on}</BlockPublicPolicy><RestrictPublicBuckets>{on}</RestrictPublicBuckets></PublicAccessBlockConfiguration>"
            )
        }
        "tagging" => {
            if bucket.tags.is_empty() {
                return Err(missing("NoSuchTagSet"));
            }
            let tags: String = bucket
                .tags
                .iter()
                .map(|(name, value)| {
                    format!(
                        "<Tag><Key>{}</Key><Value>{}</Value></Tag>",
                        escape(name),
                        escape(value)
                    )
                })
                .collect();
            format!("<Tagging><TagSet>{tags}</TagSet></Tagging>")
        }
        "logging" => String::from("<BucketLoggingStatus/>"),
        // us-east-1 is written as an empty element.
        _location if bucket.region == "us-east-1" => String::from("<LocationConstraint/>"),
        _location => format!("<LocationConstraint>{}</LocationConstraint>", bucket.region),
    };
    Ok(xml(StatusCode::OK, body))
}

fn list(bucket: &Bucket, call: &Call<'_>, name: &str, size: usize) -> Result<Response, Fault> {
    let prefix = argument(call, "prefix").unwrap_or_default();
    let objects: Vec<(&String, &Vec<u8>)> = bucket
        .objects
        .iter()
        .filter(|(key, _)| key.starts_with(&prefix))
        .collect();
    let parameters = format!("ListBucket/{prefix}");
    let token = argument(call, "continuation-token");
    let (objects, next) = page(&objects, size.min(1_000), &parameters, token.as_deref())?;
    let contents: String = objects
        .iter()
        .map(|(key, content)| {
            format!("<Contents><Key>{}</Key><ETag>&quot;{:032x}&quot;</ETag><Size>{}</Size><LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>", escape(key), content.len(), content.len())
        })
        .collect();
    let truncated = next.is_some();
    let next = next
        .map(|next| format!("<NextContinuationToken>{}</NextContinuationToken>", escape(&next)))
        .unwrap_or_default();
    Ok(xml(
        StatusCode::OK,
        format!(
            "<ListBucketResult><Name>{name}</Name><Prefix>{}</Prefix><KeyCount>{}</KeyCount><IsTruncated>{truncated}</IsTruncated>{next}{contents}</ListBucketResult>",
            escape(&prefix),
            objects.len()
        ),
    ))
}

fn fault_xml(fault: &Fault) -> Response {
    xml(
        status(fault),
        format!(
            "<Error><Code>{}</Code><Message>{}</Message></Error>",
            fault.code,
            escape(&fault.message)
        ),
    )
}
