//! A private Prometheus of Debian's package, and the exporter that shows it a PostgreSQL.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;

use super::Postgres;
use super::ports::free_port;
use super::process::ServerProcess;
use crate::http;

const PATIENCE: Duration = Duration::from_mins(1);

/// A running Prometheus; its data goes with the value.
#[derive(Debug)]
pub struct Prometheus {
    _server: ServerProcess,
    _folder: TempDir,
    address: SocketAddr,
}

impl Prometheus {
    /// Starts one on this address with these files in one folder, the first of which is its configuration, and waits until
    /// it answers.
    pub fn launch(address: SocketAddr, files: &[(&str, &str)]) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("finlinkd-prometheus-").tempdir()?;
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text)?;
        }
        let (configuration, _) = files.first().context("no configuration")?;
        let mut command = program("prometheus", "prometheus")?;
        command.arg(format!("--config.file={}", folder.path().join(configuration).display()));
        command.arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()));
        command.arg(format!("--web.listen-address={address}"));
        let server = started("Prometheus", command, folder.path(), address)?;
        Ok(Self { _server: server, _folder: folder, address })
    }

    /// The `data` of an answer of its HTTP API; an error is what it said instead.
    pub async fn ask(&self, target: &str) -> Result<Value> {
        let answer = http::get(self.address, &format!("/api/v1/{target}")).await?;
        // While it starts it answers in words.
        let mut answer = answer.json().with_context(|| format!("{}: {}", answer.line, answer.text()))?;
        ensure!(answer["status"] == "success", "{target}: {}", answer["error"]);
        Ok(answer["data"].take())
    }

    /// The series that a query gives at this moment.
    pub async fn query(&self, query: &str) -> Result<Vec<Value>> {
        let mut data = self.ask(&format!("query?query={}", percent_encoded(query))).await?;
        match data["result"].take() {
            Value::Array(series) if data["resultType"] == "vector" => Ok(series),
            other => Ok(vec![other]),
        }
    }
}

/// A running exporter.
#[derive(Debug)]
pub struct PostgresExporter {
    _server: ServerProcess,
    _folder: TempDir,
    address: SocketAddr,
}

impl PostgresExporter {
    /// Starts one that logs in to `database` as the committed role for this.
    pub fn launch(server: &Postgres, database: &str) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("finlinkd-exporter-").tempdir()?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let (uri, password_file) = server.for_monitoring(database);
        let mut command = program("prometheus-postgres-exporter", "prometheus-postgres-exporter")?;
        command.arg(format!("--web.listen-address={address}"));
        command.env("DATA_SOURCE_URI", uri).env("DATA_SOURCE_USER", "monitoring");
        command.env("DATA_SOURCE_PASS_FILE", password_file);
        let server = started("the PostgreSQL exporter", command, folder.path(), address)?;
        Ok(Self { _server: server, _folder: folder, address })
    }

    /// Where it is scraped.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

fn program(name: &str, package: &str) -> Result<Command> {
    let path = Path::new("/usr/bin").join(name);
    let installed = path.exists();
    ensure!(
        installed,
        "{name} is not installed: `cargo xtask test` installs it as root, or install the Debian package {package}"
    );
    Ok(Command::new(path))
}

/// Starts a server in its folder and waits until it takes connections.
fn started(name: &str, mut command: Command, folder: &Path, address: SocketAddr) -> Result<ServerProcess> {
    command.current_dir(folder);
    let mut server = ServerProcess::start(name, command, &folder.join("server.log"))?;
    server.wait_until(PATIENCE, || TcpStream::connect(address).is_ok())?;
    Ok(server)
}

/// For the query of a URL: everything but letters and digits is written as `%XX`.
fn percent_encoded(text: &str) -> String {
    let encoded = |byte: u8| match byte {
        b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(encoded).collect()
}
