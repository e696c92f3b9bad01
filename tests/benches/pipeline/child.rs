//! What is measured in a process of its own, so that load and server do not share a runtime: this very program started again,
//! or the real binary.

use std::any::Any;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use tests::binary::Finlinkd;
use tests::usage;

/// A running server; ended when dropped.
pub(crate) struct Server {
    process_id: u32,
    _process: Box<dyn Any>,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts `what` with its data in `folder`.
    pub(crate) fn start(what: &str, folder: &Path) -> Result<Self> {
        let (process, first) = Process::start(what, folder)?;
        let address = first.parse().with_context(|| format!("the server said {first:?} instead of its address"))?;
        Ok(Self { process_id: process.0.id(), _process: Box::new(process), address })
    }

    /// The real binary, which listens there.
    pub(crate) fn real(process: Finlinkd, address: SocketAddr) -> Self {
        Self { process_id: process.id(), _process: Box::new(process), address }
    }

    /// Processor time so far.
    pub(crate) fn cpu_time(&self) -> Result<Duration> {
        usage::cpu_time(self.process_id)
    }

    /// Its highest resident memory so far, in MiB.
    pub(crate) fn resident_mib(&self) -> Result<f64> {
        resident_mib(self.process_id)
    }
}

fn resident_mib(process_id: u32) -> Result<f64> {
    Ok(usage::highest_resident_bytes(process_id)? as f64 / f64::from(1 << 20))
}

/// A running process; killed when dropped.
pub(crate) struct Process(Child);

impl Process {
    /// Starts `what` with its data in `folder`, and waits for the line that it says when it is ready.
    pub(crate) fn start(what: &str, folder: &Path) -> Result<(Self, String)> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["serve", what])
            .arg(folder)
            .stdout(Stdio::piped())
            .spawn()
            .context("the process could not be started")?;
        let output = child.stdout.take().context("no output")?;
        let process = Self(child);
        let mut first = String::new();
        BufReader::new(output).read_line(&mut first)?;
        Ok((process, first.trim().to_owned()))
    }

    /// Processor time so far.
    pub(crate) fn cpu_time(&self) -> Result<Duration> {
        usage::cpu_time(self.0.id())
    }

    /// Its highest resident memory so far, in MiB.
    pub(crate) fn resident_mib(&self) -> Result<f64> {
        resident_mib(self.0.id())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
