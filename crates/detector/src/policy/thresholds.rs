//! When counting rules fire. One table a rule; every number has its unit in its name.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::policy::problem::Checker;

/// Declares one table of numbers: its fields, defaults and accepted ranges, once.
macro_rules! numbers {
    ($(#[$doc:meta])* $name:ident { $($(#[$fdoc:meta])* $field:ident = $default:literal in $low:literal..=$high:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            $($(#[$fdoc])* pub $field: u32),+
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default),+ }
            }
        }

        impl $name {
            fn check(&self, check: &mut Checker) {
                $(check.range(stringify!($field), u64::from(self.$field), $low, $high);)+
            }
        }
    };
}

numbers! {
    /// `key.destroy_scheduled`.
    Destroy {
        /// A waiting period of at most so many days makes the finding critical.
        short_window_days = 7 in 0..=30,
    }
}
numbers! {
    /// `key.mass_destroy`.
    MassDestroy {
        /// So many distinct keys destroyed or disabled by one principal, attempts included.
        keys = 3 in 2..=50,
        /// Within so many minutes.
        minutes = 10 in 1..=1440,
    }
}
numbers! {
    /// `use.first_by_principal`.
    FirstUse {
        /// A principal that did not use a key for so many days counts as new to it.
        forget_days = 30 in 1..=400,
    }
}
numbers! {
    /// `use.decrypt_spike`.
    DecryptSpike {
        /// Never below so many decryptions by one principal with one key in five minutes.
        floor = 50 in 1..=1_000_000,
        /// So many median absolute deviations above the median of the same hour in past weeks.
        deviations = 6 in 1..=100,
    }
}
numbers! {
    /// `use.denied_burst`.
    DeniedBurst {
        /// So many refused calls on keys or secrets by one principal.
        calls = 5 in 2..=50,
        /// Within so many minutes.
        minutes = 5 in 1..=1440,
        /// So many distinct keys or secrets among them make the finding high.
        high_targets = 2 in 1..=50,
    }
}
numbers! {
    /// `secret.mass_read`.
    MassRead {
        /// So many distinct secrets read by one principal in five minutes.
        per_five_minutes = 10 in 2..=50,
        /// So many distinct secrets read by one principal in 24 hours.
        per_day = 25 in 2..=50,
    }
}
numbers! {
    /// `secret.destroyed`.
    SecretDestroyed {
        /// So many distinct secrets destroyed by one principal in 24 hours make the finding critical.
        critical_secrets = 3 in 2..=50,
    }
}
numbers! {
    /// `ransom.kms_chain`.
    RansomChain {
        /// The steps must lie within so many hours.
        hours = 24 in 1..=168,
        /// So many data keys or re-encryptions under the suspect key count as the second step.
        encryptions = 20 in 1..=50,
    }
}
numbers! {
    /// `ransom.customer_key`.
    CustomerKey {
        /// So many objects written under a key that the caller supplied, by one principal.
        writes = 10 in 2..=50,
        /// Within so many minutes.
        minutes = 5 in 1..=1440,
    }
}
numbers! {
    /// `chain.logging_off_then_use`.
    LoggingOff {
        /// Key or secret use up to so many minutes after logging was cut.
        after_minutes = 60 in 1..=1440,
        /// And up to so many minutes before, by the same principal.
        before_minutes = 10 in 0..=60,
    }
}

/// When counting rules fire.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Thresholds {
    /// `key.destroy_scheduled`.
    pub destroy: Destroy,
    /// `key.mass_destroy`.
    pub mass_destroy: MassDestroy,
    /// `use.first_by_principal`.
    pub first_use: FirstUse,
    /// `use.decrypt_spike`.
    pub decrypt_spike: DecryptSpike,
    /// `use.denied_burst`.
    pub denied_burst: DeniedBurst,
    /// `secret.mass_read`.
    pub mass_read: MassRead,
    /// `secret.destroyed`.
    pub secret_destroyed: SecretDestroyed,
    /// `ransom.kms_chain`.
    pub ransom_chain: RansomChain,
    /// `ransom.customer_key`.
    pub customer_key: CustomerKey,
    /// `chain.logging_off_then_use`.
    pub logging_off: LoggingOff,
}

impl Thresholds {
    pub(crate) fn check(&self, check: &mut Checker) {
        self.destroy.check(&mut check.at("destroy".to_owned()));
        self.mass_destroy.check(&mut check.at("mass_destroy".to_owned()));
        self.first_use.check(&mut check.at("first_use".to_owned()));
        self.decrypt_spike
            .check(&mut check.at("decrypt_spike".to_owned()));
        self.denied_burst.check(&mut check.at("denied_burst".to_owned()));
        self.mass_read.check(&mut check.at("mass_read".to_owned()));
        self.secret_destroyed
            .check(&mut check.at("secret_destroyed".to_owned()));
        self.ransom_chain.check(&mut check.at("ransom_chain".to_owned()));
        self.customer_key.check(&mut check.at("customer_key".to_owned()));
        self.logging_off.check(&mut check.at("logging_off".to_owned()));
    }
}
