//! Starts one program and waits for it: shown before it runs, an error where it fails.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// The top of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// Runs the cargo that built this, at the top of the workspace, with more variables in its environment.
pub(crate) fn cargo(arguments: &[&str], environment: &[(&str, &str)]) -> Result<()> {
    run(env!("CARGO"), arguments, environment)
}

/// Runs a program at the top of the workspace.
pub(crate) fn run(program: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Result<()> {
    let name = Path::new(program).file_name().map_or(program.into(), |name| name.to_string_lossy());
    println!("$ {name} {}", arguments.join(" "));
    let status = Command::new(program)
        .args(arguments)
        .envs(environment.iter().copied())
        .current_dir(root())
        .status()
        .with_context(|| format!("{name} could not be started"))?;
    ensure!(status.success(), "`{name} {}` failed: {status}", arguments.join(" "));
    Ok(())
}

/// Whether a program answers `--version`.
pub(crate) fn answers(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}
