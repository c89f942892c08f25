//! Access policies as the provider stores them: text, and the language that it is in.

use std::sync::Arc;

/// An access policy, not yet understood. The detector evaluates it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PolicyText {
    /// The language of the text.
    pub language: PolicyLanguage,
    /// The document as the provider returned it.
    pub document: Arc<str>,
}

/// The language of an access policy.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PolicyLanguage {
    /// An AWS resource policy (key policy, bucket policy), JSON, possibly percent-encoded.
    AwsResource,
    /// An AWS identity policy, JSON, possibly percent-encoded.
    AwsIdentity,
    /// Google Cloud IAM bindings, JSON.
    GcpBindings,
    /// Azure role assignments, JSON.
    AzureRoles,
    /// HashiCorp Vault policy, HCL or JSON.
    Vault,
}
