//! Whether a Docker engine and a compose command answer here, and how they are asked.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, ensure};

/// What may stand for Compose: the plugin of version 2, then the program of its own.
const COMPOSE_COMMANDS: [&[&str]; 2] = [&["docker", "compose"], &["docker-compose"]];

/// A running engine and the compose command that talks to it.
#[derive(Debug, Clone, Copy)]
pub struct Engine {
    compose: &'static [&'static str],
}

impl Engine {
    /// The engine of this machine; an error says in a few words what does not answer.
    pub fn find() -> Result<Self, &'static str> {
        let answers = |words: &[&str]| output(&mut command(words)).is_ok_and(|output| output.status.success());
        // With a format it fails where only the client answers.
        if !answers(&["docker", "info", "--format", "{{.ServerVersion}}"]) {
            return Err("no Docker engine answers");
        }
        let compose = COMPOSE_COMMANDS.into_iter().find(|words| answers(&[words, &["version"][..]].concat()));
        compose.map(|compose| Self { compose }).ok_or("a Docker engine answers, but no compose command")
    }

    /// A compose command in the workspace, to be given its options.
    pub fn compose(&self, workspace: &Path) -> Command {
        let mut compose = command(self.compose);
        compose.current_dir(workspace);
        compose
    }

    /// Runs `docker` and returns what it printed to its standard output.
    pub fn docker(&self, arguments: &[&str]) -> Result<String> {
        printed(command(&["docker"]).args(arguments))
    }
}

/// Runs a command to its end and returns its standard output; an error shows all that it printed.
pub(super) fn printed(command: &mut Command) -> Result<String> {
    let output = output(command)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, complaint) = (text(&output.stdout), text(&output.stderr));
    ensure!(output.status.success(), "{command:?} failed: {}\n{out}{complaint}", output.status);
    Ok(out)
}

fn output(command: &mut Command) -> Result<Output> {
    command.stdin(Stdio::null()).output().with_context(|| format!("{command:?} could not be started"))
}

fn command(words: &[&str]) -> Command {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    command
}
