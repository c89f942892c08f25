//! `keyvigil config`: checks, shows and explains the configuration.

use std::io::{self, Write};
use std::path::Path;

use anyhow::Result;

use crate::cli::ConfigCommand;
use crate::config;
use crate::exit::Exit;

/// The commented example: `config/keyvigil.toml` of the repository, compared with the code by a test.
pub const EXAMPLE: &str = include_str!("../../../config/keyvigil.toml");

/// Runs a verb of `config`.
pub fn run(file: &Path, verb: &ConfigCommand) -> Result<Exit> {
    let mut out = io::stdout().lock();
    match verb {
        ConfigCommand::Schema => writeln!(out, "{}", serde_json::to_string_pretty(&config::schema())?)?,
        ConfigCommand::Example => write!(out, "{EXAMPLE}")?,
        ConfigCommand::Validate | ConfigCommand::Show => {
            let config = match config::load(file) {
                Ok(config) => config,
                Err(bad) => {
                    writeln!(out, "{bad}")?;
                    return Ok(Exit::Configuration);
                }
            };
            if matches!(verb, ConfigCommand::Show) {
                write!(out, "{}", toml::to_string_pretty(&config)?)?;
            } else {
                let accounts = config.aws.accounts.len();
                let receivers = config.routes().len();
                writeln!(
                    out,
                    "{}: in order ({accounts} accounts, {receivers} receivers)",
                    file.display()
                )?;
                if receivers == 0 {
                    writeln!(
                        out,
                        "no receiver is configured: findings are stored, nobody is told"
                    )?;
                }
            }
        }
    }
    Ok(Exit::Clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_is_a_valid_configuration() {
        if let Err(bad) = config::parse(Path::new("config/keyvigil.toml"), EXAMPLE) {
            panic!("{bad}");
        }
    }

    #[test]
    fn the_example_policy_is_a_valid_policy() {
        let text = include_str!("../../../config/examples/policy.toml");
        match config::parse_policy(Path::new("config/examples/policy.toml"), text) {
            Ok(policy) => assert_ne!(policy, keyvigil_detector::Policy::default()),
            Err(bad) => panic!("{bad}"),
        }
    }
}
