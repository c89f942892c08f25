//! Which cloud or product something belongs to.

use std::fmt;

/// A provider of keys and audit logs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Provider {
    /// Amazon Web Services.
    Aws,
    /// Microsoft Azure.
    Azure,
    /// Google Cloud.
    Gcp,
    /// HashiCorp Vault and OpenBao.
    Vault,
    /// Software as a service that holds customer-managed keys.
    Saas,
}

impl Provider {
    /// Every provider, in the order in which reports list them.
    pub const ALL: [Self; 5] = [Self::Aws, Self::Azure, Self::Gcp, Self::Vault, Self::Saas];

    /// The word used in metrics, NDJSON and configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Azure => "azure",
            Self::Gcp => "gcp",
            Self::Vault => "vault",
            Self::Saas => "saas",
        }
    }

    /// The inverse of [`Provider::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|provider| provider.as_str() == text)
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
