//! A condition-aware evaluator of AWS policy documents. It answers: who outside a trust boundary can do what?
//!
//! It does not search for patterns in the text. It makes up the callers that matter (an unsigned caller, a stranger
//! with an account of their own, each account that the policy names, services that act for a stranger), lets each of
//! them send the requests that they could really send, and evaluates the policy as AWS does: conditions with missing
//! keys, negation, `IfExists` and set operators, explicit Deny over Allow. See [`exposure`] and [`request`].
//!
//! Every answer is three-valued. What rests on a condition key that is not known, on a policy variable, on the time
//! of the request or on a property of the resource is *not concluded*: never a violation and never a pass.
//!
//! Choices, where the documentation leaves room:
//! - `kms:ViaService` bounds the path of a call, not the account: alone it leaves a key public.
//! - `aws:SourceIp`, `aws:SourceVpc` and `aws:SourceVpce` bound the network, not the account. Such access is a grade
//!   of its own, [`PublicAccess::WithinNetwork`]: it is not public, but it is open to other accounts inside.
//! - A private address (`aws:VpcSourceIp`) bounds nothing: everybody's network has it. So do address ranges broader
//!   than /8, as in Amazon S3's definition of "public".
//! - A service of AWS that may act for any account (a confused deputy) is reported apart, in
//!   [`OutsideAccess::services`]: AWS itself documents key policies of that kind.
//! - A Deny on one named resource does not take back an Allow on `*`.
//! - Unsigned callers cannot reach the key service, so a key policy is never reported as anonymous.

use std::collections::BTreeSet;
use std::fmt;

use keyvigil_model::id::AccountId;
use keyvigil_model::policy_text::{PolicyLanguage, PolicyText};
use keyvigil_model::time::Timestamp;

use crate::policy::{Policy, date};

pub use actions::Power;
pub use document::Unreadable;

pub(crate) mod actions;
mod actor;
mod document;
mod exposure;
mod fence;
mod keys;
mod operator;
mod pattern;
mod powerful;
mod request;
mod tls;

#[cfg(test)]
mod tests;

/// Somebody outside.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Outsider {
    /// Whoever sends an unsigned request.
    Anonymous,
    /// Anybody with an AWS account.
    AnyAccount,
    /// Any service of AWS, on behalf of any account.
    AnyService,
    /// Any identity of one account that its administrators let.
    Account(String),
    /// One user or role.
    Identity {
        /// Its account.
        account: String,
        /// Its ARN.
        arn: String,
    },
    /// Every account of an organisation.
    Organisation(String),
    /// A named service of AWS, on behalf of any account.
    Service(String),
    /// Services of AWS on behalf of one account.
    ServiceFor(String),
    /// Whoever an identity provider lets in.
    Federated(String),
}

impl Outsider {
    fn is_named(&self) -> bool {
        match self {
            Self::Account(_) | Self::Identity { .. } => true,
            Self::Anonymous
            | Self::AnyAccount
            | Self::AnyService
            | Self::Organisation(_)
            | Self::Service(_)
            | Self::ServiceFor(_)
            | Self::Federated(_) => false,
        }
    }

    /// The account, where one is named.
    pub fn account(&self) -> Option<&str> {
        match self {
            Self::Account(account) | Self::Identity { account, .. } | Self::ServiceFor(account) => {
                Some(account)
            }
            Self::Federated(provider) => pattern::arn_account(provider),
            Self::Anonymous
            | Self::AnyAccount
            | Self::AnyService
            | Self::Organisation(_)
            | Self::Service(_) => None,
        }
    }
}

/// In words; names from the policy are reduced to the characters that identifiers have.
impl fmt::Display for Outsider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("anybody without signing in"),
            Self::AnyAccount => f.write_str("any AWS account"),
            Self::AnyService => f.write_str("any AWS service for any account"),
            Self::Account(account) => write!(f, "account {}", plain(account)),
            Self::Identity { arn, .. } => write!(f, "{}", plain(arn)),
            Self::Organisation(org) => write!(f, "organisation {}", plain(org)),
            Self::Service(service) => write!(f, "{} for any account", plain(service)),
            Self::ServiceFor(account) => write!(f, "AWS services for account {}", plain(account)),
            Self::Federated(provider) => write!(f, "identity provider {}", plain(provider)),
        }
    }
}

/// Text from a policy, cut and reduced to the characters that names in AWS may have.
pub(crate) fn plain(text: &str) -> String {
    let allowed = |c: &char| c.is_ascii_alphanumeric() || "+=,.@-_/:".contains(*c);
    text.chars().filter(allowed).take(200).collect()
}

/// From where access works.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Reach {
    /// From anywhere.
    Anywhere,
    /// Only from networks, addresses or private endpoints that the policy names.
    WithinNetwork,
}

/// What somebody outside is allowed to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grant {
    /// Who.
    pub who: Outsider,
    /// The actions, sorted, as AWS writes them; patterns of other services as the policy writes them.
    pub actions: Vec<String>,
    /// The strongest of them.
    pub power: Power,
    /// From where.
    pub reach: Reach,
    /// The statements that allow it: their `Sid`, or `#` and the position from 1.
    pub statements: Vec<String>,
}

/// In words, without text that could disturb a message.
impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} may call {}", self.who, actions::listed(&self.actions))?;
        match self.reach {
            Reach::Anywhere => {}
            Reach::WithinNetwork => f.write_str(" from the networks that it names")?,
        }
        write!(f, " (statement {})", self.statements.join(", "))
    }
}

/// Whether a resource policy lets everybody in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PublicAccess {
    /// It does.
    Public(Vec<Grant>),
    /// Only inside networks that it names, whatever the account.
    WithinNetwork(Vec<Grant>),
    /// It does not.
    NotPublic,
    /// It cannot be told; the reasons are fragments without attacker-chosen markup.
    NotConcluded(Vec<String>),
}

/// Who outside the boundary a resource policy lets in.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct OutsideAccess {
    /// Accounts, identities, organisations, identity providers, and everybody.
    pub grants: Vec<Grant>,
    /// Services of AWS that may act for any account, or for an account outside.
    pub services: Vec<Grant>,
    /// What could not be told. Not empty means: the lists may be incomplete.
    pub doubts: Vec<String>,
}

/// The accounts and organisations that are trusted.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Boundary {
    /// Account numbers: the owner's own, the organisation's, and approved partners'.
    pub accounts: BTreeSet<String>,
    /// Organisation ids (`o-…`). Empty: not known.
    pub organisations: BTreeSet<String>,
}

impl Boundary {
    /// What the security policy trusts now, seen from the account that holds the key or resource.
    pub fn of(policy: &Policy, home: Option<&AccountId>, now: Timestamp) -> Self {
        let mut accounts: BTreeSet<String> = policy.organisation.accounts.iter().cloned().collect();
        accounts.extend(home.map(|account| account.as_str().to_owned()));
        for partner in &policy.partners {
            if date::holds(&partner.expires, now) {
                accounts.insert(partner.account.clone());
            }
        }
        Self {
            accounts,
            organisations: policy.organisation.ids.iter().cloned().collect(),
        }
    }

    fn trusts(&self, outsider: &Outsider) -> exposure::Trust {
        use exposure::Trust;
        if let Outsider::Organisation(org) = outsider {
            return match self.organisations.contains(org) {
                true => Trust::Inside,
                false if self.organisations.is_empty() => Trust::NotKnown,
                false => Trust::Outside,
            };
        }
        match outsider.account() {
            Some(account) if self.accounts.contains(account) => Trust::Inside,
            Some(_) | None => Trust::Outside,
        }
    }
}

/// Whether an identity policy gives power over keys in general.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeyPowers {
    /// It does.
    Given {
        /// The actions, sorted.
        actions: Vec<String>,
        /// The strongest of them.
        power: Power,
        /// The statements that give it.
        statements: Vec<String>,
    },
    /// It does not.
    NotGiven,
    /// It cannot be told.
    NotConcluded(Vec<String>),
}

/// Whether a bucket policy refuses plain HTTP.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TlsEnforcement {
    /// For everybody, every action, the bucket and its objects.
    Enforced,
    /// Not for all of it; the text says for what not.
    Partial(String),
    /// Not at all.
    NotEnforced,
    /// It cannot be told.
    NotConcluded(Vec<String>),
}

/// Whether the resource policy lets everybody in.
pub fn public_access(policy: &PolicyText) -> PublicAccess {
    match read(policy, PolicyLanguage::AwsResource) {
        Ok(document) => exposure::public(&document),
        Err(reason) => PublicAccess::NotConcluded(vec![reason]),
    }
}

/// Who outside the boundary the resource policy lets in.
pub fn outside_principals(policy: &PolicyText, boundary: &Boundary) -> OutsideAccess {
    match read(policy, PolicyLanguage::AwsResource) {
        Ok(document) => exposure::outside(&document, boundary),
        Err(reason) => OutsideAccess {
            doubts: vec![reason],
            ..OutsideAccess::default()
        },
    }
}

/// Whether the identity policy gives power over keys in general.
pub fn powerful_key_permissions(policy: &PolicyText) -> KeyPowers {
    match read(policy, PolicyLanguage::AwsIdentity) {
        Ok(document) => powerful::powers(&document),
        Err(reason) => KeyPowers::NotConcluded(vec![reason]),
    }
}

/// Whether the policy of the bucket with that ARN refuses plain HTTP.
pub fn tls_enforcement(policy: &PolicyText, bucket: &str) -> TlsEnforcement {
    match read(policy, PolicyLanguage::AwsResource) {
        Ok(document) => tls::enforcement(&document, bucket),
        Err(reason) => TlsEnforcement::NotConcluded(vec![reason]),
    }
}

fn read(policy: &PolicyText, language: PolicyLanguage) -> Result<document::Document, String> {
    if policy.language != language {
        return Err("the policy is written in a language that is not evaluated here".to_owned());
    }
    document::parse(&policy.document).map_err(|error| error.to_string())
}
