//! Text patterns of AWS policies: `*` and `?` wildcards, ARNs compared field by field, and address ranges.

use std::net::IpAddr;

/// Whether `text` matches `pattern`, where `*` stands for any text and `?` for any one character.
pub(crate) fn wildcard(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at_pattern, mut at_text) = (0, 0);
    let mut resume: Option<(usize, usize)> = None;
    while at_text < text.len() {
        if pattern.get(at_pattern) == Some(&'*') {
            resume = Some((at_pattern + 1, at_text));
            at_pattern += 1;
        } else if pattern
            .get(at_pattern)
            .is_some_and(|p| *p == '?' || *p == text[at_text])
        {
            at_pattern += 1;
            at_text += 1;
        } else if let Some((after_star, from)) = resume {
            // The last star takes one more character.
            at_pattern = after_star;
            at_text = from + 1;
            resume = Some((after_star, at_text));
        } else {
            return false;
        }
    }
    pattern[at_pattern..].iter().all(|rest| *rest == '*')
}

/// `ArnEquals` and `ArnLike`, which behave alike: each of the six fields is compared for itself.
pub(crate) fn arn(pattern: &str, text: &str) -> bool {
    let mut pattern_fields = pattern.splitn(6, ':');
    let mut text_fields = text.splitn(6, ':');
    loop {
        match (pattern_fields.next(), text_fields.next()) {
            (Some(pattern), Some(text)) if wildcard(pattern, text) => {}
            (None, None) => return true,
            // A lone `*` covers the fields that follow it.
            (None, Some(_)) => return pattern == "*",
            (Some(_), _) => return pattern == "*",
        }
    }
}

/// Whether the text holds a wildcard.
pub(crate) fn has_wildcard(text: &str) -> bool {
    text.contains(['*', '?'])
}

/// A text that matches the pattern: stars become `fill`, question marks `x`.
pub(crate) fn instance(pattern: &str, fill: &str) -> String {
    pattern.replace('*', fill).replace('?', "x")
}

/// The account field of an ARN; `None` if the text is not an ARN.
pub(crate) fn arn_account(text: &str) -> Option<&str> {
    let mut fields = text.splitn(6, ':');
    if fields.next() != Some("arn") {
        return None;
    }
    fields.nth(3)
}

/// A range of addresses, as `IpAddress` conditions write it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Range {
    base: IpAddr,
    prefix: u8,
}

impl Range {
    /// Reads `203.0.113.0/24`, or one address.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (base, prefix) = match text.split_once('/') {
            Some((base, prefix)) => (base.parse().ok()?, prefix.parse().ok()?),
            None => {
                let base: IpAddr = text.parse().ok()?;
                (base, if base.is_ipv4() { 32 } else { 128 })
            }
        };
        let longest = if base.is_ipv4() { 32 } else { 128 };
        (prefix <= longest).then_some(Self { base, prefix })
    }

    /// Whether the address lies in the range.
    pub(crate) fn contains(self, address: IpAddr) -> bool {
        match (self.base, address) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0);
                u32::from(base) & mask == u32::from(address) & mask
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0);
                u128::from(base) & mask == u128::from(address) & mask
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }

    /// Whether the range is so wide that it bounds nobody. Amazon S3 calls a policy public whose range is broader
    /// than /8 (IPv4) or /32 (IPv6): S3 user guide, "The meaning of public".
    pub(crate) fn is_the_internet(self) -> bool {
        match self.base {
            IpAddr::V4(_) => self.prefix < 8,
            IpAddr::V6(_) => self.prefix < 32,
        }
    }

    /// An address in the range.
    pub(crate) fn member(self) -> IpAddr {
        self.base
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("kms:*", "kms:decrypt", true),
            ("kms:*key", "kms:getkey", true),
            ("a*b*c", "a1b2b3c", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("", "x", false),
            ("a*b", "a", false),
            ("**", "x", true),
        ] {
            assert_eq!(wildcard(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn arns_are_compared_field_by_field() {
        for (pattern, text, expected) in [
            ("arn:aws:iam::*:role/a", "arn:aws:iam::1:role/a", true),
            ("arn:aws:iam::*:role/a", "arn:aws:iam::1:role/b", false),
            ("arn:*:role/a", "arn:aws:iam::1:role/a", false),
            ("*", "arn:aws:iam::1:role/a", true),
            ("arn:aws:s3:::b*", "arn:aws:s3:::bucket", true),
        ] {
            assert_eq!(arn(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn ranges() {
        let inside = |range: &str, address: &str| {
            Range::parse(range).is_some_and(|range| range.contains(address.parse().unwrap()))
        };
        assert!(inside("0.0.0.0/0", "203.0.113.9"));
        assert!(inside("203.0.113.0/24", "203.0.113.9"));
        assert!(!inside("203.0.113.0/24", "203.0.114.9"));
        assert!(inside("2001:db8::/32", "2001:db8:1::1"));
        assert!(!inside("203.0.113.0/33", "203.0.113.9"));
    }
}
