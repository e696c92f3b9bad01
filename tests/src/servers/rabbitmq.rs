//! A private RabbitMQ of Debian's package: one node, its own port mapper, its own folder.

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
use super::user;

const BIN: &str = "/usr/lib/rabbitmq/bin";
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
    name: String,
    port: u16,
    mapper_port: u16,
    distribution_port: u16,
}

impl RabbitMq {
    /// Starts a node and waits until it speaks AMQP.
    pub fn launch(options: &RabbitMqOptions) -> Result<Self> {
        ensure!(
            Path::new(BIN).join("rabbitmq-server").exists(),
            "RabbitMQ is not installed: `cargo xtask test` installs it as root, or install the Debian package rabbitmq-server"
        );
        let folder = tempfile::Builder::new().prefix("finlinkd-rabbitmq-").tempdir()?;
        let (port, mapper_port, distribution_port) = (free_port()?, free_port()?, free_port()?);
        write_configuration(folder.path(), port, options)?;
        user::give_folder_to("rabbitmq", folder.path())?;
        let mut mapper = Command::new("epmd");
        mapper.args(["-address", "127.0.0.1", "-port", &mapper_port.to_string()]);
        let mapper = ServerProcess::start("epmd", mapper, &folder.path().join("epmd.log"))?;
        let name = format!("finlinkd{port}@localhost");
        let mut server = Self { node: None, _mapper: mapper, folder, name, port, mapper_port, distribution_port };
        server.start()?;
        Ok(server)
    }

    /// Starts the node again on its data, after [`RabbitMq::kill`] or [`RabbitMq::stop`].
    pub fn start(&mut self) -> Result<()> {
        let mut command = Command::new(Path::new(BIN).join("rabbitmq-server"));
        self.set_environment(&mut command);
        // Replaces the shell by the node itself, so that signals reach it and nothing is left behind.
        command.env("RUNNING_UNDER_SYSTEMD", "1");
        user::run_as("rabbitmq", &mut command)?;
        let mut node = ServerProcess::start("RabbitMQ", command, &self.log())?;
        let port = self.port;
        node.wait_until(PATIENCE, || speaks_amqp(port))?;
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
        let mut command = Command::new(Path::new(BIN).join("rabbitmqctl"));
        command.arg("--node").arg(&self.name).args(arguments);
        self.set_environment(&mut command);
        user::run_as("rabbitmq", &mut command)?;
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

    fn set_environment(&self, command: &mut Command) {
        let folder = self.folder.path();
        command
            .env("HOME", folder)
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

/// Whether the port answers a protocol header with a `connection.start` frame.
fn speaks_amqp(port: u16) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.write_all(b"AMQP\x00\x00\x09\x01")?;
        let mut first = [0];
        stream.read_exact(&mut first)?;
        Ok(first == [1])
    };
    ask().unwrap_or(false)
}
