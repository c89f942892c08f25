//! Strict grammars of identifiers. What does not match never reaches a command.

/// An AWS key ARN.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct AwsKey<'a> {
    /// The whole ARN.
    pub(super) arn: &'a str,
    /// Its region.
    pub(super) region: &'a str,
}

impl<'a> AwsKey<'a> {
    /// `arn:aws:kms:REGION:ACCOUNT:key/ID`, where the id is a UUID or `mrk-` and 32 hexadecimal digits.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (region, resource) = arn(text, "kms")?;
        let id = resource.strip_prefix("key/")?;
        let multi = id
            .strip_prefix("mrk-")
            .is_some_and(|rest| rest.len() == 32 && rest.bytes().all(is_hex));
        (multi || is_uuid(id)).then_some(Self { arn: text, region })
    }
}

/// Names of IAM users and roles.
pub(super) struct AwsName;

impl AwsName {
    /// The name of the user with that ARN.
    pub(super) fn user(text: &str) -> Option<&str> {
        Self::last(text, "user/")
    }

    /// The name of the role with that ARN.
    pub(super) fn role(text: &str) -> Option<&str> {
        Self::last(text, "role/")
    }

    fn last<'a>(text: &'a str, kind: &str) -> Option<&'a str> {
        let mut parts = text.splitn(6, ':');
        let is_arn = parts.next()? == "arn" && is_partition(parts.next()?) && parts.next()? == "iam";
        let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
        if !is_arn || !region.is_empty() || !is_account(account) {
            return None;
        }
        let name = resource.strip_prefix(kind)?.rsplit('/').next()?;
        plain(name, 64, b"_+=,.@-").then_some(name)
    }
}

/// A regional ARN of a service: its region and its resource part.
fn arn<'a>(text: &'a str, service: &str) -> Option<(&'a str, &'a str)> {
    let mut parts = text.splitn(6, ':');
    if parts.next()? != "arn" || !is_partition(parts.next()?) || parts.next()? != service {
        return None;
    }
    let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
    (self::region(region).is_some() && is_account(account)).then_some((region, resource))
}

fn is_partition(text: &str) -> bool {
    matches!(
        text,
        "aws" | "aws-cn" | "aws-us-gov" | "aws-iso" | "aws-iso-b" | "aws-eusc"
    )
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_hex(byte: u8) -> bool {
    byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)
}

fn is_uuid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && text.bytes().all(|byte| byte == b'-' || is_hex(byte))
}

/// Letters, digits and the listed signs; not empty, not too long, and not like an option.
fn plain(text: &str, longest: usize, signs: &[u8]) -> bool {
    !text.is_empty()
        && text.len() <= longest
        && !text.starts_with('-')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || signs.contains(&byte))
}

/// `eu-west-1`.
pub(super) fn region(text: &str) -> Option<&str> {
    let fits = text.len() >= 5
        && text.contains('-')
        && !text.starts_with('-')
        && text.len() <= 32
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    fits.then_some(text)
}

/// An access key id: `AKIA` or `ASIA` and 16 capitals or digits.
pub(super) fn access_key(text: &str) -> Option<&str> {
    let known = text.starts_with("AKIA") || text.starts_with("ASIA");
    let fits = text.len() == 20
        && text
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    (known && fits).then_some(text)
}

/// The name of a bucket, from its ARN or as it is.
pub(super) fn bucket(text: &str) -> Option<&str> {
    let name = text
        .strip_prefix("arn:")
        .and_then(|rest| rest.split_once(":s3:::"))
        .map_or(text, |(_, name)| name);
    let fits = (3..=63).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte));
    fits.then_some(name)
}

/// The ARN or name of a trail.
pub(super) fn trail(text: &str) -> Option<&str> {
    let name = match text.starts_with("arn:") {
        true => arn(text, "cloudtrail")?.1.strip_prefix("trail/")?,
        false => text,
    };
    plain(name, 128, b"._-").then_some(text)
}

/// The ARN of a secret and its region.
pub(super) fn secret(text: &str) -> Option<(&str, &str)> {
    let (region, resource) = arn(text, "secretsmanager")?;
    let name = resource.strip_prefix("secret:")?;
    plain(name, 519, b"/_+=.@-").then_some((text, region))
}
