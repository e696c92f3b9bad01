//! A private RabbitMQ of a Debian package: one node, its own port mapper, its own folder.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use tempfile::TempDir;

use super::ports::free_port;
use super::process::ServerProcess;
use super::release::Release;

const BIN: &str = "/usr/lib/rabbitmq/bin";
const PACKAGE: &str = "rabbitmq-server";
/// The package's user.
const USER: &str = "rabbitmq";
const PATIENCE: Duration = Duration::from_secs(90);

/// How the node is set up.
#[derive(Debug, Clone, Default)]
pub struct RabbitMqOptions {
    /// Definitions (users, queues, exchanges, bindings) to load at boot, as JSON text.
    pub definitions: Option<String>,
    /// Plugins to enable besides none, such as `rabbitmq_management` or `rabbitmq_prometheus`.
    pub plugins: Vec<String>,
    /// More lines for `rabbitmq.conf`.
    pub configuration: Vec<String>,
}

/// A running node. Its data outlives [`RabbitMq::kill`] and [`RabbitMq::start`], and goes with the value.
#[derive(Debug)]
pub struct RabbitMq {
    // The node is ended before its port mapper, and both before their folder goes.
    node: Option<ServerProcess>,
    _mapper: ServerProcess,
    folder: TempDir,
    release: Release,
    /// What the package says, for errors.
    version: String,
    name: String,
    port: u16,
    mapper_port: u16,
    distribution_port: u16,
}

impl RabbitMq {
    /// Starts a node and waits until it speaks AMQP.
    pub fn launch(options: &RabbitMqOptions) -> Result<Self> {
        let release = Release::asked_for()?;
        let folder = tempfile::Builder::new().prefix("finlinkd-rabbitmq-").tempdir()?;
        let (port, mapper_port, distribution_port) = (free_port()?, free_port()?, free_port()?);
        write_configuration(folder.path(), port, options)?;
        release.give_folder_to(USER, folder.path())?;
        let mut mapper = release.program(Path::new("/usr/bin/epmd"), "erlang-base")?;
        mapper.args(["-address", "127.0.0.1", "-port", &mapper_port.to_string()]);
        let mapper = ServerProcess::start("epmd", mapper, &folder.path().join("epmd.log"))?;
        let (name, version) = (format!("finlinkd{port}@localhost"), release.version_of(PACKAGE)?);
        let mut server =
            Self { node: None, _mapper: mapper, folder, release, version, name, port, mapper_port, distribution_port };
        server.start()?;
        Ok(server)
    }

    /// Starts the node again on its data, after [`RabbitMq::kill`] or [`RabbitMq::stop`].
    pub fn start(&mut self) -> Result<()> {
        let mut command = self.program("rabbitmq-server")?;
        // Replaces the shell by the node itself, so that signals reach it and nothing is left behind.
        command.env("RUNNING_UNDER_SYSTEMD", "1");
        let mut node = ServerProcess::start(&format!("RabbitMQ {}", self.version), command, &self.log())?;
        let port = self.port;
        node.wait_until(PATIENCE, || greeting(port).is_ok())?;
        self.node = Some(node);
        Ok(())
    }

    /// Kills the node at once (SIGKILL); its data stays.
    pub fn kill(&mut self) -> Result<()> {
        self.node.take().map_or(Ok(()), |mut node| node.kill())
    }

    /// Stops the node in order; its data stays.
    pub fn stop(&mut self) -> Result<()> {
        match self.node.take() {
            Some(mut node) => node.stop(PATIENCE).map(drop),
            None => Ok(()),
        }
    }

    /// Freezes the node: its sockets stay open and nobody answers.
    pub fn freeze(&self) -> Result<()> {
        self.node.as_ref().context("RabbitMQ does not run")?.signal(Signal::STOP)
    }

    /// Lets a frozen node go on.
    pub fn thaw(&self) -> Result<()> {
        self.node.as_ref().context("RabbitMQ does not run")?.signal(Signal::CONT)
    }

    /// Runs `rabbitmqctl` on the node and returns what it printed.
    pub fn control(&self, arguments: &[&str]) -> Result<String> {
        let mut command = self.program("rabbitmqctl")?;
        command.arg("--node").arg(&self.name).args(arguments);
        let output = command.output().context("rabbitmqctl could not be started")?;
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "rabbitmqctl {arguments:?} failed\n{printed}{complaint}");
        Ok(printed)
    }

    /// Raises the memory alarm (every publisher is blocked), or ends it.
    pub fn memory_alarm(&self, on: bool) -> Result<()> {
        self.control(&["set_vm_memory_high_watermark", if on { "0" } else { "0.4" }]).map(drop)
    }

    /// The version that the node says it is.
    pub fn version(&self) -> Result<String> {
        version_in(&greeting(self.port)?).context("RabbitMQ's greeting has no version")
    }

    /// The port it speaks AMQP on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its address for a user, on the default virtual host.
    pub fn url_for(&self, user: &str, password: &str) -> String {
        format!("amqp://{user}:{password}@127.0.0.1:{}/%2f?heartbeat=10&connection_timeout=5000", self.port)
    }

    /// Its address for the all-powerful user that a node without definitions has.
    pub fn url(&self) -> String {
        self.url_for("guest", "guest")
    }

    /// Makes a virtual host for that user, and returns its address.
    pub fn create_virtual_host(&self, name: &str) -> Result<String> {
        self.control(&["add_vhost", name])?;
        self.control(&["set_permissions", "--vhost", name, "guest", ".*", ".*", ".*"])?;
        Ok(self.url().replace("%2f", name))
    }

    /// The process id of the node, for measurements.
    pub fn process_id(&self) -> Option<u32> {
        self.node.as_ref().map(ServerProcess::id)
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("node.log")
    }

    /// A program of the package, set up for the node.
    fn program(&self, name: &str) -> Result<Command> {
        let folder = self.folder.path();
        let mut command = self.release.program_of(USER, &Path::new(BIN).join(name), PACKAGE)?;
        command
            .env("HOME", folder)
            .env("LANG", "C.UTF-8")
            .env("ERL_EPMD_PORT", self.mapper_port.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODENAME", &self.name)
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", self.port.to_string())
            .env("RABBITMQ_DIST_PORT", self.distribution_port.to_string())
            .env("RABBITMQ_MNESIA_BASE", folder.join("data"))
            .env("RABBITMQ_LOG_BASE", folder.join("log"))
            .env("RABBITMQ_CONFIG_FILE", folder.join("rabbitmq"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", folder.join("enabled_plugins"))
            .current_dir(folder);
        Ok(command)
    }
}

fn write_configuration(folder: &Path, port: u16, options: &RabbitMqOptions) -> Result<()> {
    let mut lines = vec![
        format!("listeners.tcp.default = 127.0.0.1:{port}"),
        "log.console = true".to_owned(),
        "log.console.level = warning".to_owned(),
        "log.file = false".to_owned(),
        // Small machines: the default log of 512 MiB is kept in memory.
        "raft.wal_max_size_bytes = 64000000".to_owned(),
    ];
    if let Some(definitions) = &options.definitions {
        let file = folder.join("definitions.json");
        std::fs::write(&file, definitions)?;
        lines.push(format!("load_definitions = {}", file.display()));
    }
    lines.extend(options.configuration.iter().cloned());
    std::fs::write(folder.join("rabbitmq.conf"), lines.join("\n") + "\n")?;
    std::fs::write(folder.join("enabled_plugins"), format!("[{}].\n", options.plugins.join(",")))?;
    for name in ["data", "log"] {
        std::fs::create_dir(folder.join(name))?;
    }
    Ok(())
}

/// The answer to a protocol header: a `connection.start` frame, in which the broker says what it is.
fn greeting(port: u16) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.write_all(b"AMQP\x00\x00\x09\x01")?;
    // Its kind (a method), its channel, and how many bytes follow.
    let mut head = [0; 7];
    stream.read_exact(&mut head)?;
    let [1, _, _, length @ ..] = head else { return Err(std::io::Error::other("this is no AMQP")) };
    let mut frame = Vec::new();
    stream.take(u32::from_be_bytes(length).into()).read_to_end(&mut frame)?;
    Ok(frame)
}

/// The long string `version` among the properties in a greeting.
fn version_in(greeting: &[u8]) -> Option<String> {
    const FIELD: &[u8] = b"\x07versionS";
    let start = greeting.windows(FIELD.len()).position(|window| window == FIELD)? + FIELD.len();
    let (length, text) = greeting[start..].split_first_chunk()?;
    let text = text.get(..u32::from_be_bytes(*length) as usize)?;
    String::from_utf8(text.to_vec()).ok()
}
