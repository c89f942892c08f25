//! Exit codes that scripts may rely on (DESIGN §8).

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// Everything was looked at and nothing was found at or over the threshold.
    Clean,
    /// Findings at or over the threshold.
    Findings,
    /// The configuration or a rule is wrong.
    Configuration,
    /// Something could not be seen. Beats `Clean`: incomplete is not clean.
    Incomplete,
    /// The command could not do its work.
    Runtime,
}

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Findings => 1,
            Self::Configuration => 2,
            Self::Incomplete => 3,
            Self::Runtime => 4,
        }
    }

    /// What a look at something ends with. Findings are reported before blindness: both are on the output, and the
    /// finding is what somebody must act on.
    pub fn of_look(findings_over_threshold: bool, everything_seen: bool) -> Self {
        match (findings_over_threshold, everything_seen) {
            (true, _) => Self::Findings,
            (false, false) => Self::Incomplete,
            (false, true) => Self::Clean,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn incomplete_beats_clean_and_findings_beat_incomplete() {
        assert_eq!(Exit::of_look(false, true).code(), 0);
        assert_eq!(Exit::of_look(true, true).code(), 1);
        assert_eq!(Exit::of_look(true, false).code(), 1);
        assert_eq!(Exit::of_look(false, false).code(), 3);
    }
}
