//! Which accounts the organisation trusts with its keys.

use keyvigil_model::id::AccountId;
use keyvigil_model::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::policy::problem::Checker;
use crate::policy::{Policy, date};

/// What belongs to the organisation.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Organisation {
    /// Accounts of the organisation (12 digits for AWS). An account that is not listed here, nor a partner, is
    /// outside. The account that holds a key is never outside for that key.
    pub accounts: Vec<String>,
    /// Identifiers of the organisation as policies name it (`o-exampleorgid`), for conditions on
    /// `aws:PrincipalOrgID`.
    pub ids: Vec<String>,
}

/// An account outside the organisation that is trusted until a date.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Partner {
    /// The account.
    pub account: String,
    /// Whose account it is.
    pub name: String,
    /// Who in the organisation answers for it.
    pub owner: String,
    /// The first day on which it is no longer trusted (`2026-12-31`).
    pub expires: String,
}

/// How an account relates to the organisation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Trust {
    /// It is the account concerned, or it belongs to the organisation.
    Own,
    /// A partner whose trust has not expired.
    Partner,
    /// Neither; also a partner whose trust has expired.
    Outside,
}

impl Organisation {
    pub(crate) fn check(&self, check: &mut Checker) {
        for (index, account) in self.accounts.iter().enumerate() {
            check.account(&format!("organisation.accounts[{index}]"), account);
        }
        check.patterns("organisation.ids", &self.ids);
    }
}

impl Partner {
    pub(crate) fn check(&self, check: &mut Checker) {
        check.account("account", &self.account);
        check.filled("name", &self.name);
        check.filled("owner", &self.owner);
        check.date("expires", &self.expires);
    }
}

impl Policy {
    /// How `account` relates to the organisation, seen from `home`: the account that holds the key or resource.
    pub fn trust(&self, account: &AccountId, home: Option<&AccountId>, now: Timestamp) -> Trust {
        if home == Some(account)
            || self
                .organisation
                .accounts
                .iter()
                .any(|own| own == account.as_str())
        {
            return Trust::Own;
        }
        for partner in &self.partners {
            if partner.account == account.as_str() && date::holds(&partner.expires, now) {
                return Trust::Partner;
            }
        }
        Trust::Outside
    }
}
