//! Newtypes for every identifier, so that an account can never be passed where a region is meant.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest, Sha256};

macro_rules! text_ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps the text as it is.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }
    )+};
}

text_ids! {
    /// AWS account, Azure subscription, Google Cloud project or Vault namespace.
    AccountId,
    /// A provider's region or location, such as `eu-west-1`. `global` where a service has none.
    Region,
    /// The identifier that the provider gave to one audit record (CloudTrail `eventID`).
    EventId,
    /// One configured source of observations, such as `aws/prod/cloudtrail-s3`.
    SourceId,
    /// Who acted: for a role session the role's ARN, not the session's.
    PrincipalId,
    /// A key as the provider names it: ARN, alias or bare id. See [`crate::key::KeyRef`].
    KeyId,
    /// A resource as the provider names it: an ARN where there is one.
    ResourceId,
    /// One configured destination of notifications, such as `slack-security`.
    ReceiverId,
    /// A finding. Deterministic: the same cause gives the same id after a restart.
    FindingId,
    /// A dotted, stable rule id (`key.destroy_scheduled`) or control id (`aws.kms.rotation_enabled`).
    CheckId,
}

/// Identifies a record for deduplication: 128 bits of SHA-256 over the scope and the provider's id.
///
/// Never derived from a value that a caller can choose (reference: Azure's `correlationId`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DedupeKey(pub [u8; 16]);

/// What a finding is about, whoever saw it and however often: the same fingerprint is the same alert.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub [u8; 16]);

/// Hashes parts so that no two different lists of parts collide by concatenation.
pub fn hash_parts(parts: &[&[u8]]) -> [u8; 16] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let digest = hasher.finalize();
    let mut short = [0; 16];
    short.copy_from_slice(&digest[..16]);
    short
}

macro_rules! hex_ids {
    ($($name:ident),+) => {$(
        impl $name {
            /// Hashes the parts; their boundaries matter.
            pub fn of(parts: &[&[u8]]) -> Self {
                Self(hash_parts(parts))
            }

            /// Reads the 32 hexadecimal digits that `Display` writes.
            pub fn from_hex(text: &str) -> Option<Self> {
                let text = text.as_bytes();
                if text.len() != 32 {
                    return None;
                }
                let mut bytes = [0; 16];
                for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
                    *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
                }
                Some(Self(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }
    )+};
}

hex_ids!(DedupeKey, Fingerprint);

impl FindingId {
    /// `D-` and the first ten hexadecimal digits of the hash of `parts`: short enough to say on the phone.
    pub fn of(parts: &[&[u8]]) -> Self {
        let hex = Fingerprint::of(parts).to_string();
        Self::new(format!("D-{}", hex.get(..10).unwrap_or(&hex)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boundaries_between_parts_matter() {
        assert_ne!(hash_parts(&[b"ab", b"c"]), hash_parts(&[b"a", b"bc"]));
    }

    #[test]
    fn hex_round_trips() {
        let print = Fingerprint::of(&[b"x"]);
        assert_eq!(Fingerprint::from_hex(&print.to_string()), Some(print));
        assert_eq!(Fingerprint::from_hex("zz"), None);
    }
}
