//! The `keyvigil` command.

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use keyvigil::cli::{Cli, Command};
use keyvigil::exit::Exit;
use keyvigil::registry::AwsCredentials;
use keyvigil::{app, config, configuration, demo, doctor, findings, logging, receivers, replay, rules, scan};

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Err(problem) = logging::start(cli.log_format, &cli.log) {
        return complain(&problem, Exit::Configuration);
    }
    match run(&cli) {
        Ok(exit) => exit.into(),
        Err(error) => complain(&format!("{error:#}"), Exit::Runtime),
    }
}

fn run(cli: &Cli) -> Result<Exit> {
    // Commands that only compute need no runtime; a broken pipe or a full disk is told like any other error.
    match &cli.command {
        Command::Replay(arguments) => return replay::run(arguments),
        Command::Config(verb) => return configuration::run(&cli.config, verb),
        Command::Rules(verb) => return rules::run(verb),
        Command::Run | Command::Scan(_) | Command::Demo(_) | Command::Doctor(_) | Command::Findings(_) => {}
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(Box::pin(async {
        match &cli.command {
            Command::Run => daemon(cli).await,
            Command::Scan(arguments) => scan::run(&cli.config, arguments).await,
            Command::Demo(arguments) => demo::run(arguments).await,
            Command::Doctor(arguments) => doctor::run(&cli.config, arguments).await,
            Command::Findings(arguments) => findings::run(&cli.config, arguments).await,
            Command::Replay(_) | Command::Config(_) | Command::Rules(_) => Ok(Exit::Clean),
        }
    }))
}

async fn daemon(cli: &Cli) -> Result<Exit> {
    let loaded = config::load(&cli.config)
        .and_then(|config| receivers::build(&cli.config, &config).map(|notifiers| (config, notifiers)));
    match loaded {
        Ok((config, notifiers)) => {
            let file = cli.config.clone();
            let app = app::App::build(file, config, notifiers, AwsCredentials::DefaultChain).await?;
            app.run().await?;
            Ok(Exit::Clean)
        }
        Err(bad) => Ok(complain_exit(&bad.to_string(), Exit::Configuration)),
    }
}

fn complain_exit(problem: &str, exit: Exit) -> Exit {
    let _code = complain(problem, exit);
    exit
}

#[expect(
    clippy::print_stderr,
    reason = "the last word of a command that failed, also where logging is off"
)]
fn complain(problem: &str, exit: Exit) -> ExitCode {
    eprintln!("keyvigil: {problem}");
    exit.into()
}
