//! `finlinkd`: the binary's code as a library, so that tests can run the whole pipeline in-process on port 0.
//!
//! Start at [`execute`] (what a command line does) and [`roles::process::run_with`] (the pipeline). This is the only crate that
//! reads the environment, and `wiring` the only module that names concrete engines. Not here: any rule about webhooks or
//! connections.

mod admin;
pub mod arguments;
mod ask;
mod commands;
pub mod exit;
mod gauges;
mod logs;
mod output;
pub mod roles;
pub mod settings;
mod signals;
mod wiring;

use std::future::Future;

use arguments::{Arguments, Command};
use exit::Failure;
use settings::{Problems, Role, Settings, Sources, load};

pub use roles::process::{Addresses, Running, run_with, start};

/// Makes aws-lc-rs the process' one TLS provider. A second call changes nothing.
pub fn install_tls_provider() {
    // Fails only where one is installed already, and it can only be this one.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
}

/// Does what the command line asks for.
pub fn execute(arguments: Arguments) -> Result<(), Failure> {
    let sources = Sources::of_this_process(arguments.config);
    let settings = || ready_for(Role::Command, &sources);
    match arguments.command {
        Command::Run => run_role(Role::Run, &sources),
        Command::Ingress => run_role(Role::Ingress, &sources),
        Command::Consumer => run_role(Role::Consumer, &sources),
        Command::Reconciler => run_role(Role::Reconciler, &sources),
        Command::Feed => run_role(Role::Feed, &sources),
        Command::Demo(options) => block_on(commands::demo::run(&options)),
        Command::Simulate(options) => block_on(commands::simulate::run(&options)),
        Command::Status(options) => block_on(commands::status::run(&settings()?, &options)),
        Command::Connections(options) => block_on(commands::connections::run(&settings()?, &options)),
        Command::Webhooks(options) => block_on(commands::webhooks::run(&settings()?, &options)),
        Command::Events(options) => block_on(commands::events::run(&settings()?, &options)),
        Command::DeadLetters(options) => block_on(commands::dead_letters::run(&settings()?, &options)),
        Command::Gaps(options) => block_on(commands::gaps::run(&settings()?, &options)),
        Command::Ledger(options) => block_on(commands::ledger::run(&settings()?, &options)),
        Command::Rebuild(options) => block_on(commands::rebuild::run(&settings()?, &options)),
        Command::CheckConfig(options) => commands::check_config::run(&sources, &options),
        Command::Migrate => block_on(commands::migrate::run(&settings()?)),
        Command::Schema(options) => commands::schema::run(&options),
        Command::Healthcheck => block_on(commands::healthcheck::run(&settings()?)),
    }
}

fn run_role(role: Role, sources: &Sources) -> Result<(), Failure> {
    let settings = ready_for(role, sources)?;
    logs::start(&settings.log);
    block_on(roles::process::run(role, settings))
}

fn ready_for(role: Role, sources: &Sources) -> Result<Settings, Failure> {
    let settings = load(sources)?;
    let problems = settings.problems_for(role);
    if problems.is_empty() { Ok(settings) } else { Err(Problems(problems).into()) }
}

fn block_on(task: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(task)
}
