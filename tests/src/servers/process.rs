//! One server process: its output in a file, ended by id when dropped.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// A running child process; killed when dropped, and also when this process ends without dropping it (a server shared by
/// tests is never dropped, and a test may be killed).
#[derive(Debug)]
pub struct ServerProcess {
    name: String,
    child: Child,
    log: PathBuf,
    guard: Child,
}

/// Waits for the end of its input, which comes when this process ends in any way; then kills the server and removes its
/// folder.
const GUARD: &str = r#"cat >/dev/null; kill -9 "$1" 2>/dev/null; rm -rf "$2""#;

impl ServerProcess {
    /// Starts `command` with its output appended to `log`; errors call it `name`.
    pub fn start(name: &str, mut command: Command, log: &Path) -> Result<Self> {
        let output = File::options().create(true).append(true).open(log)?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let child = command.spawn().with_context(|| format!("{name} could not be started"))?;
        let folder = log.parent().context("the log has no folder")?;
        let mut guard = Command::new("/bin/sh");
        guard.args(["-c", GUARD, "guard", &child.id().to_string()]).arg(folder);
        guard.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let guard = guard.spawn().context("the guard of a server could not be started")?;
        Ok(Self { name: name.to_owned(), child, log: log.to_owned(), guard })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).with_context(|| format!("{} could not be signalled", self.name))
    }

    /// Kills it at once and waits for its end.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to end and waits; killed when that takes longer than `patience`.
    pub fn stop(&mut self, patience: Duration) -> Result<std::process::ExitStatus> {
        if self.is_running() {
            self.signal(Signal::TERM)?;
        }
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                self.kill()?;
                bail!("{} did not end within {patience:?} of SIGTERM\n{}", self.name, self.last_lines());
            }
            pause();
        }
    }

    /// Waits until `ready` says so; an error with the last lines of its log where it ends or takes too long.
    pub fn wait_until(&mut self, patience: Duration, mut ready: impl FnMut() -> bool) -> Result<()> {
        let deadline = Instant::now() + patience;
        while !ready() {
            if !self.is_running() {
                bail!("{} ended while starting\n{}", self.name, self.last_lines());
            }
            if Instant::now() > deadline {
                bail!("{} was not ready within {patience:?}\n{}", self.name, self.last_lines());
            }
            pause();
        }
        Ok(())
    }

    /// The end of its log, for error messages.
    pub fn last_lines(&self) -> String {
        const LINES_MAX: usize = 30;
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LINES_MAX)..].join("\n")
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // The guard first: it would kill whoever got the process id next. A frozen process takes SIGKILL too. Nothing is
        // left to do where either has ended already.
        drop(self.guard.kill());
        drop(self.guard.wait());
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The processes that `id` has started and that run now.
pub(super) fn children_of(id: u32) -> Result<Vec<u32>> {
    let mut children = Vec::new();
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let Some(child) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // Whoever ended meanwhile is none of them.
        let status = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // The command's name may hold blanks; after its closing bracket come the state and the parent.
        let parent = status.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok());
        if parent == Some(id) {
            children.push(child);
        }
    }
    Ok(children)
}

/// Whether a process runs.
pub(super) fn runs(id: u32) -> bool {
    std::path::Path::new("/proc").join(id.to_string()).exists()
}

/// Whether `state` comes to hold within `patience`.
pub(super) fn eventually(patience: Duration, mut state: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + patience;
    while !state() {
        if Instant::now() > deadline {
            return false;
        }
        pause();
    }
    true
}

#[allow(clippy::disallowed_methods, reason = "a process's readiness has no event to wait for; it is asked every 50 ms")]
fn pause() {
    std::thread::sleep(Duration::from_millis(50));
}
