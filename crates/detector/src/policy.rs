//! The organisation's security policy, as the configuration states it (`[policy]` in `keyvigil.toml`).
//!
//! Everything has a default, so an empty section is a valid policy. [`Policy::problems`] finds every mistake at once.

pub mod access;
pub mod date;
pub mod exception;
pub mod problem;
pub mod selector;
pub mod settings;
pub mod tags;
pub mod thresholds;
pub mod trust;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use access::{Authorised, Decoys};
use exception::Exception;
use problem::{Checker, PolicyProblem};
use settings::{Credentials, Rotation, Silence};
use tags::Tags;
use thresholds::Thresholds;
use trust::{Organisation, Partner};

/// The security policy.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// What belongs to the organisation.
    pub organisation: Organisation,
    /// Accounts outside the organisation that may use or hold keys, until a date.
    pub partners: Vec<Partner>,
    /// Regions in which keys and encrypted data may live (`eu-west-1`; `*` stands for any text). Empty: all.
    pub approved_regions: Vec<String>,
    /// Who may use which key. A use of a covered key by anybody else is an unauthorised access.
    pub authorised: Vec<Authorised>,
    /// Keys and secrets that nobody has a reason to touch.
    pub decoys: Decoys,
    /// Keys whose loss stops the business: key ARN, key id or `alias/name`; `*` stands for any text. Findings about
    /// them are raised one step where the rule says so.
    pub critical_keys: Vec<String>,
    /// Principals that count as the provider's own services, beside those that the provider marks itself. Baselines
    /// and bursts ignore them; administrative rules never do.
    pub service_principals: Vec<String>,
    /// How keys must be rotated.
    pub rotation: Rotation,
    /// How long credentials may live.
    pub credentials: Credentials,
    /// Which tags say environment, classification and owner.
    pub tags: Tags,
    /// Days for which rules that compare with what is usual only learn, from the first event of an account on.
    /// Their findings are recorded as suppressed for that long.
    pub learning_days: u32,
    /// When a source of events counts as silent.
    pub silence: Silence,
    /// When counting rules fire.
    pub thresholds: Thresholds,
    /// Accepted risks.
    pub exceptions: Vec<Exception>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            organisation: Organisation::default(),
            partners: Vec::new(),
            approved_regions: Vec::new(),
            authorised: Vec::new(),
            decoys: Decoys::default(),
            critical_keys: Vec::new(),
            service_principals: Vec::new(),
            rotation: Rotation::default(),
            credentials: Credentials::default(),
            tags: Tags::default(),
            learning_days: 14,
            silence: Silence::default(),
            thresholds: Thresholds::default(),
            exceptions: Vec::new(),
        }
    }
}

impl Policy {
    /// Everything that is wrong with the policy, with the place of each mistake. Empty: usable.
    pub fn problems(&self) -> Vec<PolicyProblem> {
        let mut check = Checker::default();
        self.organisation.check(&mut check);
        for (index, partner) in self.partners.iter().enumerate() {
            partner.check(&mut check.at(format!("partners[{index}]")));
        }
        check.patterns("approved_regions", &self.approved_regions);
        for (index, authorised) in self.authorised.iter().enumerate() {
            authorised.check(&mut check.at(format!("authorised[{index}]")));
        }
        self.decoys.check(&mut check.at("decoys".to_owned()));
        check.patterns("critical_keys", &self.critical_keys);
        check.patterns("service_principals", &self.service_principals);
        self.rotation.check(&mut check.at("rotation".to_owned()));
        self.credentials.check(&mut check.at("credentials".to_owned()));
        self.tags.check(&mut check.at("tags".to_owned()));
        check.range("learning_days", u64::from(self.learning_days), 0, 90);
        self.silence.check(&mut check.at("silence".to_owned()));
        self.thresholds.check(&mut check.at("thresholds".to_owned()));
        for (index, exception) in self.exceptions.iter().enumerate() {
            exception.check(&mut check.at(format!("exceptions[{index}]")));
        }
        exception::check_ids(&self.exceptions, &mut check);
        check.finish()
    }
}

#[cfg(test)]
mod tests;
