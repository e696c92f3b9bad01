//! Starts one program and waits for it: shown before it runs, an error where it fails.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// The top of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// Where cargo puts what it builds.
pub(crate) fn target_folder() -> Result<PathBuf> {
    let this = std::env::current_exe()?;
    // Below it are the profile's folder and this program.
    this.ancestors().nth(2).map(Path::to_path_buf).context("this program lies in no target folder")
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

/// Runs a program with all that it prints in a file; an error has its last line.
pub(crate) fn run_logged(program: &str, arguments: &[&str], log: &Path) -> Result<()> {
    let file = File::create(log)?;
    let mut command = Command::new(program);
    command.args(arguments).stdout(file.try_clone()?).stderr(file).current_dir(root());
    let status = command.status().with_context(|| format!("{program} could not be started"))?;
    let printed = std::fs::read_to_string(log).unwrap_or_default();
    let last = printed.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it printed nothing");
    ensure!(status.success(), "{} (all of it in {})", last.trim(), log.display());
    Ok(())
}

/// Whether a program answers `--version`.
pub(crate) fn answers(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}
