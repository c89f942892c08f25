//! Principals, keys, resources and networks inside a stored finding.

use keyvigil_model::event::Network;
use keyvigil_model::id::{AccountId, KeyId, PrincipalId, Region, ResourceId};
use keyvigil_model::key::{KeyForm, KeyRef};
use keyvigil_model::principal::{Principal, PrincipalKind};
use keyvigil_model::resource::{ResourceKind, ResourceRef};
use serde::{Deserialize, Serialize};

use crate::rows::Problem;
use crate::rows::words::{text, untrusted, word};

#[derive(Serialize, Deserialize)]
pub(crate) struct PrincipalRow {
    id: String,
    kind: String,
    account: Option<String>,
    session: Option<String>,
    on_behalf_of: Option<String>,
    credential: Option<String>,
    mfa: Option<bool>,
}

impl PrincipalRow {
    pub(crate) fn from_model(model: &Principal) -> Self {
        let Principal {
            id,
            kind,
            account,
            session,
            on_behalf_of,
            credential,
            mfa,
        } = model;
        Self {
            id: id.to_string(),
            kind: kind.as_str().to_owned(),
            account: account.as_ref().map(ToString::to_string),
            session: session.as_ref().map(text),
            on_behalf_of: on_behalf_of.as_ref().map(text),
            credential: credential.as_ref().map(text),
            mfa: *mfa,
        }
    }

    pub(crate) fn into_model(self) -> Result<Principal, Problem> {
        Ok(Principal {
            id: PrincipalId::new(self.id),
            kind: word("kind of principal", &self.kind, PrincipalKind::parse)?,
            account: self.account.map(AccountId::new),
            session: self.session.map(untrusted),
            on_behalf_of: self.on_behalf_of.map(untrusted),
            credential: self.credential.map(untrusted),
            mfa: self.mfa,
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct KeyRow {
    id: String,
    form: String,
    account: Option<String>,
    region: Option<String>,
    alias: Option<String>,
}

impl KeyRow {
    pub(crate) fn from_model(model: &KeyRef) -> Self {
        let KeyRef {
            id,
            form,
            account,
            region,
            alias,
        } = model;
        Self {
            id: id.to_string(),
            form: form.as_str().to_owned(),
            account: account.as_ref().map(ToString::to_string),
            region: region.as_ref().map(ToString::to_string),
            alias: alias.as_ref().map(text),
        }
    }

    pub(crate) fn into_model(self) -> Result<KeyRef, Problem> {
        Ok(KeyRef {
            id: KeyId::new(self.id),
            form: word("form of key", &self.form, KeyForm::parse)?,
            account: self.account.map(AccountId::new),
            region: self.region.map(Region::new),
            alias: self.alias.map(untrusted),
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct ResourceRow {
    id: String,
    kind: String,
    account: Option<String>,
    region: Option<String>,
}

impl ResourceRow {
    pub(crate) fn from_model(model: &ResourceRef) -> Self {
        let ResourceRef {
            id,
            kind,
            account,
            region,
        } = model;
        Self {
            id: id.to_string(),
            kind: kind.as_str().to_owned(),
            account: account.as_ref().map(ToString::to_string),
            region: region.as_ref().map(ToString::to_string),
        }
    }

    pub(crate) fn into_model(self) -> Result<ResourceRef, Problem> {
        Ok(ResourceRef {
            id: ResourceId::new(self.id),
            kind: word("kind of resource", &self.kind, ResourceKind::parse)?,
            account: self.account.map(AccountId::new),
            region: self.region.map(Region::new),
        })
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct NetworkRow {
    source: Option<String>,
    user_agent: Option<String>,
    tls_version: Option<String>,
}

impl NetworkRow {
    pub(crate) fn from_model(model: &Network) -> Self {
        let Network {
            source,
            user_agent,
            tls_version,
        } = model;
        Self {
            source: source.as_ref().map(text),
            user_agent: user_agent.as_ref().map(text),
            tls_version: tls_version.as_ref().map(text),
        }
    }

    pub(crate) fn into_model(self) -> Network {
        Network {
            source: self.source.map(untrusted),
            user_agent: self.user_agent.map(untrusted),
            tls_version: self.tls_version.map(untrusted),
        }
    }
}
