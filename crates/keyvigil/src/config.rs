//! The configuration file.
use std::fmt;
mod schema_check;

/// One thing that is wrong with the configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// The key, as a path: `aws.accounts[0].regions`.
    pub key: String,
    /// What is wrong with it.
    pub problem: String,
    /// What is accepted there.
    pub accepted: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.problem)?;
        if !self.accepted.is_empty() {
            write!(f, "; accepted: {}", self.accepted)?;
        }
        Ok(())
    }
}
