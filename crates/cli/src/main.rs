//! The binary. A checklist and nothing else: TLS provider, arguments, command, exit code.

use std::process::ExitCode;

use clap::Parser;
use finlinkd::arguments::Arguments;

fn main() -> ExitCode {
    finlinkd::install_tls_provider();
    let arguments = Arguments::parse();
    match finlinkd::execute(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if let Some(message) = failure.message() {
                complain(&message);
            }
            ExitCode::from(failure.code())
        }
    }
}

#[expect(clippy::print_stderr, reason = "the one place where a person is told why the process ends")]
fn complain(message: &str) {
    for line in message.lines() {
        eprintln!("finlinkd: {line}");
    }
}
