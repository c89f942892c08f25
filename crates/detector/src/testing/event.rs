//! Events for tests.

use std::sync::Arc;
use std::time::Duration;

use keyvigil_model::action::Action;
use keyvigil_model::event::{AuditEvent, Network, Outcome, Via};
use keyvigil_model::facts::Facts;
use keyvigil_model::id::{AccountId, DedupeKey, EventId, KeyId, Region, ResourceId};
use keyvigil_model::key::{KeyForm, KeyRef};
use keyvigil_model::policy_text::{PolicyLanguage, PolicyText};
use keyvigil_model::principal::{Principal, PrincipalKind};
use keyvigil_model::provider::Provider;
use keyvigil_model::resource::{ResourceKind, ResourceRef};
use keyvigil_model::untrusted::Untrusted;

use super::{OWN, start};

/// A key of an account.
pub(crate) fn key_ref(account: &str, name: &str) -> KeyRef {
    KeyRef {
        id: KeyId::new(format!("arn:aws:kms:eu-west-1:{account}:key/{name}")),
        form: KeyForm::Canonical,
        account: Some(AccountId::from(account)),
        region: Some(Region::from("eu-west-1")),
        alias: None,
    }
}

/// The facts of a key policy that was set.
pub(crate) fn key_policy(text: &str) -> Facts {
    let policy = PolicyText {
        language: PolicyLanguage::AwsResource,
        document: text.into(),
    };
    Facts::Policy {
        policy: Some(policy),
        lockout_check_bypassed: false,
    }
}

/// The facts of secrets that were read.
pub(crate) fn secrets(names: &[&str]) -> Facts {
    Facts::SecretRead {
        secrets: names.iter().map(|name| Untrusted::from(*name)).collect(),
        decrypted: true,
    }
}

/// An event in the making.
#[derive(Clone)]
pub(crate) struct Ev(pub(crate) AuditEvent);

/// A successful call by alice on a key of the own account at the start.
pub(crate) fn ev(action: Action) -> Ev {
    let mut principal = Principal::unknown("");
    principal.kind = PrincipalKind::Human;
    principal.account = Some(AccountId::from(OWN));
    Ev(AuditEvent {
        id: EventId::from(""),
        dedupe: DedupeKey([0; 16]),
        time: start(),
        provider: Provider::Aws,
        account: AccountId::from(OWN),
        region: Region::from("eu-west-1"),
        service: Arc::from("service"),
        operation: Arc::from(action.as_str()),
        action,
        outcome: Outcome::Success,
        error_code: None,
        principal,
        via: Via::default(),
        network: Network {
            source: Some(Untrusted::from("198.51.100.7")),
            ..Network::default()
        },
        keys: vec![key_ref(OWN, "k0")],
        resource: None,
        encryption_context: Vec::new(),
        facts: Facts::None,
        shared_id: None,
        amends: None,
        truncated: false,
        raw: Arc::from(&b"{}"[..]),
    })
    .by("alice")
}

impl Ev {
    pub(crate) fn by(mut self, user: &str) -> Self {
        self.0.principal.id = format!("arn:aws:iam::{OWN}:user/{user}").as_str().into();
        self
    }

    pub(crate) fn service(mut self, name: &str) -> Self {
        self.0.principal.kind = PrincipalKind::CloudService;
        self.0.principal.id = name.into();
        self
    }

    pub(crate) fn via(mut self, service: &str) -> Self {
        self.0.via.service = Some(Untrusted::from(service));
        self
    }

    pub(crate) fn credential(mut self, id: &str) -> Self {
        self.0.principal.credential = Some(Untrusted::from(id));
        self
    }

    pub(crate) fn source(mut self, address: &str) -> Self {
        self.0.network.source = Some(Untrusted::from(address));
        self
    }

    pub(crate) fn caller_in(mut self, account: &str) -> Self {
        self.0.principal.account = Some(AccountId::from(account));
        self
    }

    pub(crate) fn in_log(mut self, account: &str) -> Self {
        self.0.account = AccountId::from(account);
        self
    }

    pub(crate) fn shared(mut self, id: &str) -> Self {
        self.0.shared_id = Some(Untrusted::from(id));
        self
    }

    pub(crate) fn key(mut self, name: &str) -> Self {
        self.0.keys = vec![key_ref(OWN, name)];
        self
    }

    pub(crate) fn key_in(mut self, account: &str) -> Self {
        self.0.keys = vec![key_ref(account, "k0")];
        self
    }

    pub(crate) fn no_key(mut self) -> Self {
        self.0.keys.clear();
        self
    }

    pub(crate) fn resource(mut self, id: &str) -> Self {
        self.0.resource = Some(ResourceRef {
            id: ResourceId::from(id),
            kind: ResourceKind::Other,
            account: Some(AccountId::from(OWN)),
            region: None,
        });
        self
    }

    pub(crate) fn kind(mut self, kind: ResourceKind) -> Self {
        if let Some(resource) = &mut self.0.resource {
            resource.kind = kind;
        }
        self
    }

    pub(crate) fn facts(mut self, facts: Facts) -> Self {
        self.0.facts = facts;
        self
    }

    pub(crate) fn denied(mut self) -> Self {
        self.0.outcome = Outcome::Denied;
        self
    }

    pub(crate) fn failed(mut self) -> Self {
        self.0.outcome = Outcome::Failed;
        self
    }

    pub(crate) fn second(mut self, seconds: i64) -> Self {
        self.0.time = self.0.time.plus(Duration::from_secs(seconds.unsigned_abs()));
        self
    }

    pub(crate) fn minute(self, minutes: i64) -> Self {
        self.second(minutes * 60)
    }

    pub(crate) fn day(self, days: i64) -> Self {
        self.minute(days * 1440)
    }
}
