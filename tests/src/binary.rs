//! The real binary as a stranger runs it: built once, told everything by its environment, asked by its commands.
//!
//! A [`Setup`] is a data folder and variables; [`Setup::run`] starts the pipeline on free ports and any number of times on
//! the same folder. What it logs is read as it comes, so that waiting for a line needs no pause.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Output, Stdio};
use std::sync::OnceLock;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::sync::watch;

use crate::brisk;
use crate::finlink::Credentials;
use crate::http::{self, Message, PATIENCE};
use crate::workspace;

/// Lines of a log that are kept; none follow.
const LOG_LINES_MAX: usize = 100_000;
/// Lines of a log that an error shows.
const LINES_SHOWN: usize = 40;

/// The binary, built by the cargo that built this.
fn path() -> Result<&'static Path> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match BUILT.get_or_init(|| build().map_err(|error| format!("{error:#}"))) {
        Ok(path) => Ok(path),
        Err(why) => bail!("{why}"),
    }
}

fn build() -> Result<PathBuf> {
    let arguments = ["build", "--quiet", "--package", "finlinkd", "--bin", "finlinkd", "--message-format", "json"];
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(arguments).current_dir(workspace::root()).stdin(Stdio::null());
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let output = cargo.output().context("cargo could not be started")?;
    ensure!(output.status.success(), "the binary was not built: {}", String::from_utf8_lossy(&output.stderr));
    let messages = String::from_utf8(output.stdout)?;
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let built = messages.filter_map(|message| message["executable"].as_str().map(PathBuf::from)).next_back();
    built.context("cargo named no executable")
}

/// How to start the binary.
#[derive(Debug, Clone)]
pub struct Setup {
    variables: BTreeMap<String, String>,
    /// A program that becomes the binary, and its arguments; empty: nothing comes before it.
    launcher: Vec<String>,
}

impl Setup {
    /// A pipeline in this folder on free ports, without an app.
    pub fn in_folder(folder: &Path) -> Self {
        let mut setup = Self { variables: BTreeMap::new(), launcher: Vec::new() };
        for listener in ["LISTEN", "API_LISTEN", "ADMIN_LISTEN", "INTERNAL_LISTEN"] {
            setup.set(listener, "127.0.0.1:0");
        }
        setup.set("LOG__FORMAT", "json");
        setup.set("DATA_DIR", &folder.to_string_lossy());
        setup
    }

    /// Sets a variable, named without `FINLINKD__`.
    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(format!("FINLINKD__{name}"), value.to_owned());
    }

    /// It with this variable.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.set(name, value);
        self
    }

    /// It without this variable.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.variables.remove(&format!("FINLINKD__{name}"));
        self
    }

    /// It with days made into seconds.
    #[must_use]
    pub fn brisk(mut self) -> Self {
        for (name, value) in brisk::PARTS {
            self.set(name, value);
        }
        self
    }

    /// It with an app.
    #[must_use]
    pub fn with_app(self, name: &str, credentials: &Credentials) -> Self {
        let name = name.to_uppercase();
        self.with(&format!("APPS__{name}__CLIENT_ID"), &credentials.client_id)
            .with(&format!("APPS__{name}__CLIENT_SECRET"), &credentials.client_secret)
    }

    /// It with a variable that is none of finlinkd's.
    #[must_use]
    pub fn with_environment(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// It started by a program that makes itself into the binary, which is told as its last arguments.
    #[must_use]
    pub fn launched_by(mut self, program: &[&str]) -> Self {
        self.launcher = program.iter().map(|&part| part.to_owned()).collect();
        self
    }

    /// A command of the binary, with nothing of this process' environment.
    fn command(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = match self.launcher.split_first() {
            None => Command::new(path()?),
            Some((program, before)) => {
                let mut command = Command::new(program);
                command.args(before).arg(path()?);
                command
            }
        };
        command.args(arguments).env_clear().envs(&self.variables).stdin(Stdio::null());
        Ok(command)
    }

    /// Runs a command to its end.
    pub async fn output(&self, arguments: &[&str]) -> Result<Output> {
        let mut command = self.command(arguments)?;
        let output = tokio::task::spawn_blocking(move || command.output());
        Ok(tokio::time::timeout(PATIENCE, output).await.context("a command did not end within a minute")???)
    }

    /// Runs a command that prints JSON.
    pub async fn json(&self, arguments: &[&str]) -> Result<Value> {
        let output = self.output(arguments).await?;
        let told = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{arguments:?}: {}: {told}", output.status);
        serde_json::from_slice(&output.stdout).with_context(|| format!("{arguments:?} printed no JSON"))
    }

    /// Starts the pipeline and waits until it is ready.
    pub async fn run(&self) -> Result<Finlinkd> {
        self.run_role("run").await
    }

    /// Starts a role and waits until it is ready, degraded or not.
    pub async fn run_role(&self, role: &str) -> Result<Finlinkd> {
        let running = self.start_role(role)?;
        // It answers this only once every part has said that it is ready, and it listens only once all are built.
        let health = running.admin("/readyz").await?;
        ensure!(health.status() == 200, "not ready: {}\n{}", health.text(), running.last_lines());
        Ok(running)
    }

    /// Starts the pipeline.
    pub fn start(&self) -> Result<Finlinkd> {
        self.start_role("run")
    }

    /// Starts a role.
    pub fn start_role(&self, role: &str) -> Result<Finlinkd> {
        let mut command = self.command(&[role])?;
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let log = read(child.stderr.take().context("no log")?);
        Ok(Finlinkd { child, log })
    }
}

/// What a process logged, and whether more may come.
#[derive(Debug, Default)]
struct Log {
    records: Vec<Value>,
    ended: bool,
}

/// A running pipeline; killed when dropped.
#[derive(Debug)]
pub struct Finlinkd {
    child: Child,
    log: watch::Receiver<Log>,
}

impl Finlinkd {
    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a log record that `wanted` knows, among those that came and those that come.
    pub async fn logged(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        let mut log = self.log.clone();
        let found = |log: &Log| log.records.iter().find(|record| wanted(record)).cloned();
        let waiting = log.wait_for(|log| found(log).is_some() || log.ended);
        let found = match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(Ok(log)) => found(&log),
            _ => None,
        };
        found.with_context(|| format!("{what} is not in the log:\n{}", self.last_lines()))
    }

    /// The same by a part of its message.
    pub async fn said(&self, part: &str) -> Result<Value> {
        self.logged(part, |record| record["message"].as_str().is_some_and(|message| message.contains(part))).await
    }

    /// How many records `wanted` knows so far.
    pub fn count_logged(&self, wanted: impl Fn(&Value) -> bool) -> usize {
        self.log.borrow().records.iter().filter(|record| wanted(record)).count()
    }

    /// Where a listener listens, by the name of its setting.
    pub async fn address(&self, setting: &str) -> Result<SocketAddr> {
        let listens = |record: &Value| record["message"] == "listening" && record["setting"] == setting;
        let record = self.logged(&format!("that {setting} listens"), listens).await?;
        Ok(record["address"].as_str().context("no address")?.parse()?)
    }

    /// A GET to the admin listener.
    pub async fn admin(&self, target: &str) -> Result<Message> {
        http::get(self.address("admin_listen").await?, target).await
    }

    /// A GET to the user's API.
    pub async fn api(&self, target: &str) -> Result<Message> {
        http::get(self.address("api_listen").await?, target).await
    }

    /// Ends it at once, as the kernel or a power cut would.
    pub async fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.ended().await?;
        Ok(())
    }

    /// Asks it to stop, without waiting.
    pub fn terminate(&self) -> Result<()> {
        self.signal(Signal::TERM)
    }

    /// Freezes it: it does nothing, and its connections stay open.
    pub fn freeze(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets it go on.
    pub fn thaw(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), signal)?)
    }

    /// Waits for its end.
    pub async fn ended(mut self) -> Result<ExitStatus> {
        let waiting = self.log.wait_for(|log| log.ended);
        let ended = tokio::time::timeout(PATIENCE, waiting).await.is_ok();
        ensure!(ended, "it did not end within {PATIENCE:?}\n{}", self.last_lines());
        Ok(self.child.wait()?)
    }

    /// Asks it to stop, and waits for its end with exit code 0.
    pub async fn stop(self) -> Result<()> {
        self.terminate()?;
        let log = self.log.clone();
        let status = self.ended().await?;
        ensure!(status.code() == Some(0), "it ended with {status}\n{}", last_lines(&log));
        Ok(())
    }

    /// The end of its log, for errors.
    pub fn last_lines(&self) -> String {
        last_lines(&self.log)
    }
}

impl Drop for Finlinkd {
    fn drop(&mut self) {
        // Nothing is left to do where it has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn last_lines(log: &watch::Receiver<Log>) -> String {
    let log = log.borrow();
    let from = log.records.len().saturating_sub(LINES_SHOWN);
    log.records[from..].iter().map(Value::to_string).collect::<Vec<_>>().join("\n")
}

/// Reads records on a thread of its own until the process has ended.
fn read(log: ChildStderr) -> watch::Receiver<Log> {
    let (sender, receiver) = watch::channel(Log::default());
    std::thread::spawn(move || {
        for line in BufReader::new(log).lines().map_while(Result::ok) {
            let record = serde_json::from_str(&line).unwrap_or(Value::String(line));
            sender.send_if_modified(|log| {
                let kept = log.records.len() < LOG_LINES_MAX;
                if kept {
                    log.records.push(record);
                }
                kept
            });
        }
        sender.send_modify(|log| log.ended = true);
    });
    receiver
}
