//! A private PostgreSQL of a Debian package: its own cluster in its own folder, default durability, the committed roles.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::deployed;
use super::ports::free_port;
use super::process::{self, ServerProcess};
use super::release::Release;
use crate::{deployment, usage};

/// The package's user.
const USER: &str = "postgres";
const PATIENCE: Duration = Duration::from_mins(1);

/// A running server. Its data outlives [`Postgres::kill`] and [`Postgres::start`], and goes with the value.
#[derive(Debug)]
pub struct Postgres {
    server: Option<ServerProcess>,
    folder: TempDir,
    release: Release,
    binaries: PathBuf,
    /// The package of this version.
    package: String,
    /// What the package says, for errors.
    version: String,
    port: u16,
    /// User and password of the databases' owner.
    owner: String,
}

/// The database that there is from the start.
const FIRST_DATABASE: &str = "finlinkd";
/// Who has to say a password.
const PASSWORD_RULES: &str = "host all finlinkd,monitoring 127.0.0.1/32 scram-sha-256\n";

impl Postgres {
    /// Makes a cluster with the database `finlinkd` in it, starts it and waits until it answers.
    pub fn launch() -> Result<Self> {
        let release = Release::asked_for()?;
        let (binaries, package) = release.postgres()?;
        let version = release.version_of(&package)?;
        let folder = tempfile::Builder::new().prefix("finlinkd-postgres-").tempdir()?;
        release.give_folder_to(USER, folder.path())?;
        let (owner, port) = (deployed::owner_of_database()?, free_port()?);
        let mut server = Self { server: None, folder, release, binaries, package, version, port, owner };
        server.initialise()?;
        server.put_first_rules(PASSWORD_RULES)?;
        server.start()?;
        server.query("postgres", &format!("CREATE DATABASE {FIRST_DATABASE}"))?;
        server.run_first_script(FIRST_DATABASE)?;
        Ok(server)
    }

    /// A program of the package that runs as its user.
    fn program(&self, name: &str) -> Result<Command> {
        let mut command = self.release.program_of(USER, &self.binaries.join(name), &self.package)?;
        command.current_dir(self.folder.path());
        Ok(command)
    }

    fn initialise(&self) -> Result<()> {
        let mut initdb = self.program("initdb")?;
        initdb.args([
            "--auth=trust",
            "--username=postgres",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
            "--pgdata",
        ]);
        initdb.arg(self.folder.path().join("data"));
        let output = initdb.output().context("initdb could not be started")?;
        ensure!(output.status.success(), "initdb failed\n{}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// Runs `deploy/postgres/init.sh` on an empty database, as its superuser.
    fn run_first_script(&self, database: &str) -> Result<()> {
        let script = deployed::initialisation(self.folder.path())?;
        let search = std::env::join_paths([self.binaries.as_path(), Path::new("/usr/bin"), Path::new("/bin")])?;
        let mut bash = self.release.program(Path::new("/usr/bin/bash"), "bash")?;
        bash.args(["-c", &script]).env_clear().env("PATH", search);
        bash.envs([("PGHOST", "127.0.0.1"), ("PGPORT", &self.port.to_string())]);
        bash.envs([("POSTGRES_USER", "postgres"), ("POSTGRES_DB", database)]);
        let output = bash.output().context("bash could not be started")?;
        ensure!(output.status.success(), "deploy/postgres/init.sh failed\n{}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// Starts the server again on its data, after [`Postgres::kill`] or [`Postgres::stop`].
    pub fn start(&mut self) -> Result<()> {
        let folder = self.folder.path();
        let mut command = self.program("postgres")?;
        command.arg("-D").arg(folder.join("data")).args(["-h", "127.0.0.1", "-p", &self.port.to_string()]);
        command.arg("-k").arg(folder);
        let name = format!("PostgreSQL {}", self.version);
        let mut server = ServerProcess::start(&name, command, &folder.join("server.log"))?;
        server.wait_until(PATIENCE, || self.accepts())?;
        self.server = Some(server);
        Ok(())
    }

    /// Kills the server at once (SIGKILL). Its children notice and end by themselves; its data stays.
    pub fn kill(&mut self) -> Result<()> {
        let Some(mut server) = self.server.take() else { return Ok(()) };
        // Stopped first, so that it starts none that is not counted.
        server.signal(Signal::STOP)?;
        let children = process::children_of(server.id())?;
        server.kill()?;
        // A child that still holds the shared memory would keep the next start from working.
        let gone = || !children.iter().any(|child| process::runs(*child));
        ensure!(process::eventually(PATIENCE, gone), "PostgreSQL's processes {children:?} survive it");
        Ok(())
    }

    /// Freezes the server: connections stay open and nothing answers.
    pub fn freeze(&self) -> Result<()> {
        let server = self.server.as_ref().context("PostgreSQL does not run")?;
        // First itself, so that it starts no process that goes on.
        server.signal(Signal::STOP)?;
        signal_all(&process::children_of(server.id())?, Signal::STOP)
    }

    /// Lets it go on.
    pub fn thaw(&self) -> Result<()> {
        let server = self.server.as_ref().context("PostgreSQL does not run")?;
        signal_all(&process::children_of(server.id())?, Signal::CONT)?;
        server.signal(Signal::CONT)
    }

    /// Stops the server in order (open sessions are cut); its data stays.
    pub fn stop(&mut self) -> Result<()> {
        match self.server.take() {
            Some(mut server) => {
                server.signal(Signal::INT)?;
                server.stop(PATIENCE).map(drop)
            }
            None => Ok(()),
        }
    }

    /// Whether it takes connections.
    fn accepts(&self) -> bool {
        let ask = || -> Result<bool> {
            let mut command = self.program("pg_isready")?;
            command.args(["--quiet", "-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "postgres"]);
            Ok(command.status()?.success())
        };
        ask().unwrap_or(false)
    }

    /// The version that the server says it is.
    pub fn version(&self) -> Result<String> {
        let version = self.query("postgres", "SHOW server_version")?;
        version.split_whitespace().next().map(str::to_owned).context("PostgreSQL says no version")
    }

    /// Its package, which has its version in its name.
    pub fn package(&self) -> &str {
        &self.package
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address of a database in it for its owner, who has no other power.
    pub fn url(&self, database: &str) -> String {
        self.url_for(&self.owner, database)
    }

    /// The same for another user, with a password behind a colon where it needs one.
    pub fn url_for(&self, user: &str, database: &str) -> String {
        format!("postgres://{user}@127.0.0.1:{}/{database}", self.port)
    }

    /// The same for the superuser, who needs no password.
    pub fn superuser_url(&self, database: &str) -> String {
        self.url_for("postgres", database)
    }

    /// Makes an empty database of the same owner and returns its address.
    pub fn create_database(&self, name: &str) -> Result<String> {
        let owner = self.owner.split(':').next().unwrap_or_default();
        self.query("postgres", &format!("CREATE DATABASE {name} OWNER {owner}"))?;
        Ok(self.url(name))
    }

    /// Runs SQL with `psql` as the superuser and returns what it printed, unaligned and without headings.
    pub fn query(&self, database: &str, sql: &str) -> Result<String> {
        let mut command = self.program("psql")?;
        command.args([
            "--no-psqlrc",
            "--tuples-only",
            "--no-align",
            "--quiet",
            "--set=ON_ERROR_STOP=1",
            "--command",
            sql,
        ]);
        command.arg(self.superuser_url(database));
        let output = command.output().context("psql could not be started")?;
        ensure!(output.status.success(), "psql failed on {sql}\n{}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// The address of `database` for the committed role that reads statistics, without a scheme; and its password's file.
    pub fn for_monitoring(&self, database: &str) -> (String, PathBuf) {
        let address = format!("127.0.0.1:{}/{database}?sslmode=disable", self.port);
        (address, deployment::path("secrets/demo/postgres_monitoring_password"))
    }

    fn put_first_rules(&self, rules: &str) -> Result<()> {
        let file = self.folder.path().join("data/pg_hba.conf");
        let others = std::fs::read_to_string(&file)?;
        Ok(std::fs::write(&file, format!("{rules}{others}"))?)
    }

    /// Makes a user who needs a password.
    pub fn create_user(&self, name: &str, password: &str) -> Result<()> {
        self.put_first_rules(&format!("host all {name} 127.0.0.1/32 scram-sha-256\n"))?;
        let user = format!("CREATE USER {name} PASSWORD '{password}'; SELECT pg_reload_conf()");
        self.query("postgres", &user).map(drop)
    }

    /// Makes a certificate for `localhost` that nobody vouches for, and offers encryption from now on.
    pub fn offer_encryption(&self) -> Result<()> {
        let mut command = Command::new("openssl");
        command.args(["req", "-new", "-x509", "-nodes", "-subj", "/CN=localhost", "-days", "30"]);
        command.args(["-out", "data/server.crt", "-keyout", "data/server.key"]).current_dir(self.folder.path());
        self.release.run_as(USER, &mut command)?;
        let output = command.output().context("openssl could not be started")?;
        ensure!(output.status.success(), "openssl failed\n{}", String::from_utf8_lossy(&output.stderr));
        self.query("postgres", "ALTER SYSTEM SET ssl = on")?;
        self.query("postgres", "SELECT pg_reload_conf()").map(drop)
    }

    /// Processor time that the server and all its processes have used, also those that have ended.
    pub fn cpu_time(&self) -> Result<Duration> {
        let id = self.server.as_ref().context("PostgreSQL does not run")?.id();
        let mut used = usage::cpu_time_with_ended_children(id)?;
        for child in process::children_of(id)? {
            // One that ended just now is counted with the server at the next look.
            used += usage::cpu_time(child).unwrap_or_default();
        }
        Ok(used)
    }
}

fn signal_all(processes: &[u32], signal: Signal) -> Result<()> {
    for process in processes {
        let process = Pid::from_raw(i32::try_from(*process)?).context("no process id")?;
        kill_process(process, signal)?;
    }
    Ok(())
}
