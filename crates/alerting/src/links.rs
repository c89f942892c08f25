//! Links of a message. An address is built only from identifiers that match the provider's grammar: whoever names a
//! bucket or a trail must not be able to write an address into an alert.

use keyvigil_model::finding::Finding;
use keyvigil_model::id::EventId;
use keyvigil_model::provider::Provider;
use keyvigil_model::resource::ResourceKind;

use crate::settings::{ConsoleLinks, LinkSettings};

/// Text and address, in the order in which they are useful.
pub(crate) fn links(settings: &LinkSettings, finding: &Finding) -> Vec<(String, String)> {
    let mut links = Vec::new();
    if let Some(base) = &settings.findings
        && is_word(finding.id.as_str())
    {
        links.push(("Finding".to_owned(), format!("{base}{}", finding.id)));
    }
    match (settings.console, finding.provider) {
        (ConsoleLinks::On, Provider::Aws) => aws(finding, &mut links),
        (ConsoleLinks::On, Provider::Azure | Provider::Gcp | Provider::Vault | Provider::Saas)
        | (ConsoleLinks::Off, _) => {}
    }
    if let Some(base) = &settings.runbooks
        && is_word(finding.check.as_str())
    {
        links.push(("Runbook".to_owned(), format!("{base}{}", finding.check)));
    }
    links
}

/// The id of a record if it has the form that AWS gives it (a UUID); others are shown as attacker-chosen text only.
pub(crate) fn event_id(id: &EventId) -> Option<&str> {
    Some(id.as_str()).filter(|id| is_uuid(id))
}

fn aws(finding: &Finding, links: &mut Vec<(String, String)>) {
    if let Some(key) = finding.key.as_ref().and_then(|key| arn(key.id.as_str()))
        && key.service == "kms"
        && let Some(id) = key.name.strip_prefix("key/").filter(|id| is_key_id(id))
        && let Some(console) = console(key.partition, key.region)
    {
        let region = key.region;
        links.push((
            "Key in the AWS console".to_owned(),
            format!("{console}/kms/home?region={region}#/kms/keys/{id}"),
        ));
    }
    if let Some(link) = resource(finding) {
        links.push(("Resource in the AWS console".to_owned(), link));
    }
    let region = finding.region.as_str();
    if let Some(event) = finding.event_ids.last().and_then(event_id)
        && let Some(console) = console(partition_of(region), region)
    {
        links.push((
            format!("Record in the log of account {}", account(finding)),
            format!("{console}/cloudtrailv2/home?region={region}#/events/{event}"),
        ));
    }
}

fn account(finding: &Finding) -> &str {
    let id = finding.account.as_str();
    if id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit()) {
        id
    } else {
        "(unknown)"
    }
}

fn resource(finding: &Finding) -> Option<String> {
    let resource = finding.resource.as_ref()?;
    let arn = arn(resource.id.as_str())?;
    let region = match arn.region {
        "" => finding.region.as_str(),
        region => region,
    };
    let console = console(arn.partition, region)?;
    match (resource.kind, arn.service) {
        (ResourceKind::Bucket, "s3") if is_bucket(arn.name) => Some(format!(
            "{console}/s3/buckets/{}?region={region}&tab=properties",
            arn.name
        )),
        (ResourceKind::Database, "rds") => {
            let name = arn.name.strip_prefix("db:").filter(|name| is_word(name))?;
            Some(format!(
                "{console}/rds/home?region={region}#database:id={name};is-cluster=false"
            ))
        }
        (ResourceKind::DatabaseCluster, "rds") => {
            let name = arn.name.strip_prefix("cluster:").filter(|name| is_word(name))?;
            Some(format!(
                "{console}/rds/home?region={region}#database:id={name};is-cluster=true"
            ))
        }
        (ResourceKind::Disk, "ec2") => {
            let name = arn.name.strip_prefix("volume/").filter(|name| is_word(name))?;
            Some(format!(
                "{console}/ec2/home?region={region}#VolumeDetails:volumeId={name}"
            ))
        }
        (ResourceKind::DiskSnapshot, "ec2") => {
            let name = arn.name.strip_prefix("snapshot/").filter(|name| is_word(name))?;
            Some(format!(
                "{console}/ec2/home?region={region}#SnapshotDetails:snapshotId={name}"
            ))
        }
        _ => None,
    }
}

/// The parts of `arn:partition:service:region:account:name`; none is checked but the account.
struct Arn<'a> {
    partition: &'a str,
    service: &'a str,
    region: &'a str,
    name: &'a str,
}

fn arn(text: &str) -> Option<Arn<'_>> {
    let mut parts = text.splitn(6, ':');
    if parts.next()? != "arn" {
        return None;
    }
    let (partition, service, region) = (parts.next()?, parts.next()?, parts.next()?);
    let account = parts.next()?;
    let name = parts.next()?;
    account.bytes().all(|byte| byte.is_ascii_digit()).then_some(Arn {
        partition,
        service,
        region,
        name,
    })
}

/// The address of the console for a region, without a slash at the end.
fn console(partition: &str, region: &str) -> Option<String> {
    if !is_region(region) {
        return None;
    }
    match partition {
        "aws" => Some(format!("https://{region}.console.aws.amazon.com")),
        "aws-cn" => Some(format!("https://{region}.console.amazonaws.cn")),
        "aws-us-gov" => Some(format!("https://{region}.console.amazonaws-us-gov.com")),
        _ => None,
    }
}

fn partition_of(region: &str) -> &'static str {
    if region.starts_with("cn-") {
        "aws-cn"
    } else if region.starts_with("us-gov-") {
        "aws-us-gov"
    } else {
        "aws"
    }
}

/// `eu-west-1`, `us-gov-east-1`: two letters, one or two words, one or two digits.
fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [place, words @ .., number] = parts.as_slice() else {
        return false;
    };
    place.len() == 2
        && (1..=2).contains(&words.len())
        && (1..=2).contains(&number.len())
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && words.iter().all(|word| (1..=12).contains(&word.len()))
        && std::iter::once(place)
            .chain(words)
            .all(|word| word.bytes().all(|byte| byte.is_ascii_lowercase()))
}

/// A KMS key id: a UUID, or `mrk-` and 32 hexadecimal digits.
fn is_key_id(text: &str) -> bool {
    is_uuid(text)
        || text
            .strip_prefix("mrk-")
            .is_some_and(|hex| hex.len() == 32 && hex.bytes().all(is_hex))
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => is_hex(byte),
        })
}

fn is_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// Bucket names: 3 to 63 of lower-case letters, digits, dots and hyphens.
fn is_bucket(text: &str) -> bool {
    (3..=63).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-'))
}

/// Letters, digits, dots, underscores and hyphens: nothing that means something in an address.
fn is_word(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

#[cfg(test)]
mod tests;
