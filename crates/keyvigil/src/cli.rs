//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use keyvigil_model::severity::Severity;

/// keyvigil watches every encryption key in every cloud a company uses.
#[derive(Parser, Debug)]
#[command(
    name = "keyvigil",
    version,
    about,
    propagate_version = true,
    subcommand_required = true
)]
pub struct Cli {
    /// The configuration file.
    #[arg(
        long,
        short,
        global = true,
        env = "KEYVIGIL_CONFIG",
        default_value = "/etc/keyvigil/keyvigil.toml"
    )]
    pub config: PathBuf,
    /// How log lines look: `auto` is human on a terminal and JSON otherwise.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Auto)]
    pub log_format: LogFormat,
    /// What is logged: `error`, `warn`, `info`, `debug`, or a tracing filter such as `keyvigil=debug,aws_config=warn`.
    #[arg(long, global = true, env = "KEYVIGIL_LOG", default_value = "info")]
    pub log: String,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Runs the daemon: reads logs, polls configuration, alerts.
    Run,
    /// Reads audit-log files and prints what would have been found. Never notifies, keeps no state.
    Replay(Replay),
    /// Reads the configuration of every account once and prints what breaks the policy. Never notifies.
    Scan(Scan),
    /// Shows keyvigil at work on a made-up company: no cloud, no account.
    Demo(Demo),
    /// Finds out which permissions are there, and what goes blind without those that are not.
    Doctor(Doctor),
    /// Checks and explains the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Lists findings, verdicts and quarantined records of the daemon's store.
    Findings(Findings),
    /// Lists and tests rules and controls.
    #[command(subcommand)]
    Rules(RulesCommand),
}

/// `replay`
#[derive(Args, Debug)]
pub struct Replay {
    /// Files, folders or globs of CloudTrail logs, gz or plain.
    #[arg(required = true)]
    pub paths: Vec<String>,
    /// What is printed.
    #[arg(long, value_enum, default_value_t = Output::Human)]
    pub output: Output,
    /// Findings of this severity or higher make the exit code 1.
    #[arg(long, value_parser = parse_severity, default_value = "low")]
    pub fail_on: Severity,
    /// Files decoded at the same time. Default: one a processor.
    #[arg(long)]
    pub threads: Option<usize>,
    /// Alert on first uses at once instead of learning what is normal for two weeks of event time.
    #[arg(long)]
    pub no_learning: bool,
    /// A policy file (the `[policy]` table of the configuration) other than the built-in defaults.
    #[arg(long)]
    pub policy: Option<PathBuf>,
}

/// `scan`
#[derive(Args, Debug)]
pub struct Scan {
    /// What is printed.
    #[arg(long, value_enum, default_value_t = Output::Human)]
    pub output: Output,
    /// Findings of this severity or higher make the exit code 1.
    #[arg(long, value_parser = parse_severity, default_value = "low")]
    pub fail_on: Severity,
}

/// `demo`
#[derive(Args, Debug)]
pub struct Demo {
    /// Keep running after the incident, so that the metrics can be looked at. Ends with Ctrl-C.
    #[arg(long)]
    pub stay: bool,
}

/// `doctor`
#[derive(Args, Debug)]
pub struct Doctor {
    /// What is printed.
    #[arg(long, value_enum, default_value_t = Output::Human)]
    pub output: Output,
}

/// `config …`
#[derive(Subcommand, Debug)]
pub enum ConfigCommand {
    /// Checks the configuration and names every error.
    Validate,
    /// Prints the configuration in effect, defaults included, secrets hidden.
    Show,
    /// Prints the JSON Schema of the configuration.
    Schema,
    /// Prints a commented example.
    Example,
}

/// `findings`
#[derive(Args, Debug)]
pub struct Findings {
    /// What is listed.
    #[arg(long, value_enum, default_value_t = Listing::Findings)]
    pub list: Listing,
    /// What is printed.
    #[arg(long, value_enum, default_value_t = Output::Human)]
    pub output: Output,
    /// Only this severity or higher.
    #[arg(long, value_parser = parse_severity, default_value = "info")]
    pub severity: Severity,
    /// Also those that are over.
    #[arg(long)]
    pub all: bool,
}

/// What `findings` lists.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Listing {
    /// Findings.
    Findings,
    /// Verdicts of controls.
    Verdicts,
    /// Records that could not be read.
    Quarantine,
}

/// `rules …`
#[derive(Subcommand, Debug)]
pub enum RulesCommand {
    /// Lists rules and controls.
    List {
        /// What is printed.
        #[arg(long, value_enum, default_value_t = Output::Human)]
        output: Output,
    },
    /// Runs rules against fixture folders: `<rule>/fires/*.json` and `<rule>/quiet/*.json`.
    Test {
        /// The folder of fixtures.
        path: PathBuf,
    },
}

/// What is printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Output {
    /// For people.
    Human,
    /// One JSON object a line.
    Ndjson,
}

/// How log lines look.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum LogFormat {
    /// Human on a terminal, JSON otherwise.
    Auto,
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

fn parse_severity(text: &str) -> Result<Severity, String> {
    Severity::parse(text).ok_or_else(|| String::from("accepted values: info, low, medium, high, critical"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
