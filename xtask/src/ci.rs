//! `cargo xtask ci`: everything that must hold before a change lands, the cheap checks first.

use anyhow::Result;

use crate::{command, test};

/// Runs every check; stops at the first that fails.
pub(crate) fn run() -> Result<()> {
    command::cargo(&["fmt", "--all", "--check"], &[])?;
    let lints = ["clippy", "--workspace", "--all-targets", "--features", "tests/servers", "--", "--deny", "warnings"];
    command::cargo(&lints, &[])?;
    command::cargo(&["doc", "--workspace", "--no-deps", "--quiet"], &[("RUSTDOCFLAGS", "--deny warnings")])?;
    if command::answers(env!("CARGO"), &["deny", "--version"]) {
        command::cargo(&["deny", "check"], &[])?;
    } else {
        println!("cargo-deny is not installed: licences, bans and advisories are not checked in this run");
    }
    test::run(&test::Options::default())
}
