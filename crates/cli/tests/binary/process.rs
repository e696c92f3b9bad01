//! Starts the binary with an environment of its own, and waits for what it says.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use serde_json::Value;

/// So long is waited for something that must come; never for something that must not.
const PATIENCE: Duration = Duration::from_mins(1);

/// The binary, with nothing of this process' environment that could change what it does.
pub(crate) fn finlinkd(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_finlinkd"));
    command.args(arguments).env_clear().env("HOME", "/nonexistent").stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub(crate) fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    finlinkd(arguments).envs(variables.iter().copied()).output().unwrap()
}

/// The exit code.
pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

/// Standard output as text.
pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Standard error as text.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A running pipeline with free ports and one app whose Finlink does not answer.
pub(crate) struct Pipeline {
    child: Child,
    log: Receiver<Value>,
    /// What was read of the log so far.
    records: Vec<Value>,
}

impl Pipeline {
    /// Starts it in `folder` and waits until every listener has said where it listens.
    pub(crate) fn start(folder: &Path) -> Self {
        Self::start_with(folder, &[])
    }

    /// The same with further settings.
    pub(crate) fn start_with(folder: &Path, settings: &[(&str, &str)]) -> Self {
        let mut child = finlinkd(&["run"])
            .envs(variables(folder, "127.0.0.1:0"))
            .env("FINLINKD__LOG__FORMAT", "json")
            .env("FINLINKD__INGRESS__GRACE", "0s")
            .envs(settings.iter().copied())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = records_of(child.stderr.take().unwrap());
        let mut pipeline = Self { child, log, records: Vec::new() };
        for setting in ["listen", "api_listen", "admin_listen", "internal_listen"] {
            pipeline.wait_for(&format!("{setting} listens"), |record| {
                record["message"] == "listening" && record["setting"] == setting
            });
        }
        pipeline
    }

    /// The first log record for which `wanted` holds, of those that came or will come; panics where there is none.
    pub(crate) fn wait_for(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        if let Some(record) = self.records.iter().find(|record| wanted(record)) {
            return record.clone();
        }
        loop {
            let record =
                self.log.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{what}: not in {:#?}", self.records));
            self.records.push(record.clone());
            if wanted(&record) {
                return record;
            }
        }
    }

    /// The first log record whose message begins so.
    pub(crate) fn wait_for_message(&mut self, message: &str) -> Value {
        self.wait_for(message, |record| record["message"].as_str().is_some_and(|text| text.starts_with(message)))
    }

    /// Where a listener listens.
    pub(crate) fn address(&mut self, setting: &str) -> String {
        let record = self.wait_for(setting, |record| record["message"] == "listening" && record["setting"] == setting);
        record["address"].as_str().unwrap().to_owned()
    }

    /// Sends a signal, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for its end.
    pub(crate) fn exit_code(mut self) -> Option<i32> {
        // The log ends with the process.
        while self.log.recv_timeout(PATIENCE).map_err(|error| assert_eq!(error, RecvTimeoutError::Disconnected)).is_ok()
        {
        }
        self.child.wait().unwrap().code()
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        // It has ended already where the test went well.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Reads records on a thread of its own, so that waiting for one can be given up.
fn records_of(log: ChildStderr) -> Receiver<Value> {
    let (sender, receiver) = sync_channel(1024);
    std::thread::spawn(move || {
        for line in BufReader::new(log).lines().map_while(Result::ok) {
            if sender.send(serde_json::from_str(&line).unwrap_or(Value::String(line))).is_err() {
                return;
            }
        }
    });
    receiver
}

/// The environment of a pipeline in `folder`, every listener at `listen`.
pub(crate) fn variables(folder: &Path, listen: &str) -> Vec<(String, String)> {
    let folder = folder.to_str().unwrap();
    [
        ("FINLINKD__DATA_DIR", folder),
        ("FINLINKD__LISTEN", listen),
        ("FINLINKD__API_LISTEN", listen),
        ("FINLINKD__ADMIN_LISTEN", listen),
        ("FINLINKD__INTERNAL_LISTEN", listen),
        ("FINLINKD__UPSTREAM__BASE_URL", "http://127.0.0.1:1"),
        ("FINLINKD__APPS__DEMO__CLIENT_ID", "4d3c2b1a-0000-4000-8000-000000000000"),
        ("FINLINKD__APPS__DEMO__CLIENT_SECRET", "hunter2"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}
