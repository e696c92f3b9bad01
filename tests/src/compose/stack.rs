//! One project: built, started, scaled, its servers stopped and started, taken down.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use super::container::Container;
use super::engine::{Engine, printed};
use super::images;
use crate::servers::free_port;
use crate::workspace;

/// What tests call our image. It stays, and with it what makes the next build short.
const IMAGE: &str = "finlinkd-test";
/// RabbitMQ's health check alone allows for a minute and a half.
const HEALTHY_WITHIN: Duration = Duration::from_mins(5);
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// Lines of each service's log that a failed test shows.
const LINES_SHOWN: &str = "60";

/// What is published, by the variable of `.env`.
const PUBLISHED: [&str; 7] = [
    "PUBLISH_WEBHOOKS",
    "PUBLISH_API",
    "PUBLISH_PROMETHEUS",
    "PUBLISH_AMQP",
    "PUBLISH_MANAGEMENT",
    "PUBLISH_HTTP",
    "PUBLISH_HTTPS",
];

/// Without a value each is taken from the environment.
const PROXIES: [&str; 6] = ["http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"];

/// How a stack differs from a plain `docker-compose up`.
#[derive(Debug, Clone)]
pub struct StackOptions {
    /// Instead of what `.env` says.
    pub variables: BTreeMap<String, String>,
    /// Instead of, or beside, what `docker-compose.yml` says.
    pub overriding: Value,
}

/// A project; taken down, with its volumes, when dropped or when this process ends.
#[derive(Debug)]
pub struct Stack {
    engine: Engine,
    project: String,
    variables: BTreeMap<String, String>,
    ports: BTreeMap<&'static str, u16>,
    folder: TempDir,
    guard: Option<Child>,
}

/// Waits for the end of its input, which comes when this process ends in any way; then takes the project down.
const GUARD: &str = r#"cat >/dev/null; rm="$1"; shift; "$@" down --volumes --remove-orphans --timeout 5; rm -rf "$rm""#;

impl Stack {
    /// A project of which nothing runs yet.
    pub fn new(engine: Engine, options: &StackOptions) -> Result<Self> {
        let project = format!("finlinkd-test-{}", &Uuid::new_v4().simple().to_string()[..8]);
        let folder = tempfile::Builder::new().prefix("finlinkd-compose-").tempdir()?;
        std::fs::write(folder.path().join("override.json"), options.overriding.to_string())?;
        let mut stack =
            Self { engine, project, variables: options.variables.clone(), ports: BTreeMap::new(), folder, guard: None };
        for name in PUBLISHED {
            let port = free_port()?;
            stack.ports.insert(name, port);
            stack.variables.insert(name.to_owned(), format!("{}:{port}", Ipv4Addr::LOCALHOST));
        }
        stack.variables.insert("FINLINKD_IMAGE".to_owned(), IMAGE.to_owned());
        stack.guard = Some(stack.guarded()?);
        Ok(stack)
    }

    /// What the overriding file of a stack says of the build of its service `ingress`: compiled without optimisation, and
    /// with the network and the proxies of this machine, since a proxy may be on its loopback address.
    pub fn build_overriding() -> Value {
        let arguments = ["OPT_LEVEL=0", "LTO=off"].into_iter().chain(PROXIES);
        json!({ "network": "host", "args": arguments.collect::<Vec<_>>() })
    }

    /// Makes what is missing of the images of others, and builds ours.
    pub fn build(&self, say: &dyn Fn(&str)) -> Result<()> {
        images::ensure(&self.engine, say)?;
        say("building the image (minutes where the cache does not help)");
        self.compose(&["build", "ingress"]).map(drop)
    }

    /// Starts what does not run, with so many processes of a service, and waits until all is healthy.
    pub fn up(&self, scale: &[(&str, usize)]) -> Result<()> {
        let scale: Vec<String> = scale.iter().map(|(service, count)| format!("--scale={service}={count}")).collect();
        let arguments = ["up", "--detach", "--no-build"].into_iter().chain(scale.iter().map(String::as_str));
        self.compose(&arguments.collect::<Vec<_>>())?;
        self.wait_until_healthy(&[])
    }

    /// Runs a compose command on the project and returns what it printed.
    pub fn compose(&self, arguments: &[&str]) -> Result<String> {
        printed(self.command().args(arguments))
    }

    /// A compose command on the project, to be given its arguments.
    pub fn command(&self) -> Command {
        let root = workspace::root();
        let mut command = self.engine.compose(&root);
        command.arg("--project-name").arg(&self.project);
        command.arg("--file").arg(root.join("docker-compose.yml"));
        command.arg("--file").arg(self.folder.path().join("override.json"));
        command.envs(&self.variables);
        command
    }

    /// Where a port is published, by its variable in `.env`.
    pub fn address(&self, published: &str) -> Result<SocketAddr> {
        let port = self.ports.get(published).with_context(|| format!("{published} is not published"))?;
        Ok((Ipv4Addr::LOCALHOST, *port).into())
    }

    /// Its containers, those of commands for people left out.
    pub fn containers(&self) -> Result<Vec<Container>> {
        let mine = format!("label=com.docker.compose.project={}", self.project);
        let once = "label=com.docker.compose.oneoff=False";
        let ids = self.engine.docker(&["ps", "--all", "--quiet", "--filter", &mine, "--filter", once])?;
        let ids: Vec<&str> = ids.lines().collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let inspected: Vec<Value> = serde_json::from_str(&self.engine.docker(&[&["inspect"][..], &ids].concat())?)?;
        Ok(inspected.into_iter().map(Container::new).collect())
    }

    /// Ends the process of a container at once; the engine leaves it so.
    pub fn kill(&self, container: &Container) -> Result<()> {
        self.engine.docker(&["kill", "--signal", "KILL", container.id()]).map(drop)
    }

    /// Runs a command in a container and returns what it printed.
    pub fn run_inside(&self, container: &Container, command: &[&str]) -> Result<String> {
        self.engine.docker(&[&["exec", container.id()], command].concat())
    }

    /// Waits until every container of these services runs and is healthy; of all, where none is named.
    pub fn wait_until_healthy(&self, services: &[&str]) -> Result<()> {
        let deadline = Instant::now() + HEALTHY_WITHIN;
        loop {
            let mut containers = self.containers()?;
            containers.retain(|container| services.is_empty() || services.contains(&container.service()));
            let complaints: Vec<String> = containers.iter().filter_map(Container::complaint).collect();
            if !containers.is_empty() && complaints.is_empty() {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("not healthy within {HEALTHY_WITHIN:?}: {complaints:#?}");
            }
            pause();
        }
    }

    /// Takes it down with its volumes; an error names what is left.
    pub fn down(mut self) -> Result<()> {
        self.compose(&["down", "--volumes", "--remove-orphans"])?;
        let left = self.left()?;
        ensure!(left.is_empty(), "`down` leaves {left:?}");
        self.dismiss_guard();
        Ok(())
    }

    /// Containers, volumes and networks of it.
    fn left(&self) -> Result<Vec<String>> {
        let mine = format!("label=com.docker.compose.project={}", self.project);
        let mut left = Vec::new();
        for list in [&["ps", "--all"][..], &["volume", "ls"], &["network", "ls"]] {
            let listed = self.engine.docker(&[list, &["--quiet", "--filter", &mine]].concat())?;
            left.extend(listed.lines().map(|id| format!("{} {id}", list[0])));
        }
        Ok(left)
    }

    /// The ends of all logs, for a test that fails.
    fn show_logs(&self) {
        let logs = self.compose(&["logs", "--no-color", "--tail", LINES_SHOWN]);
        let logs = logs.unwrap_or_else(|error| format!("{error:#}"));
        // Nobody is left to tell where this fails.
        drop(writeln!(std::io::stderr(), "{logs}"));
    }

    fn guarded(&self) -> Result<Child> {
        let down = self.command();
        let mut guard = Command::new("/bin/sh");
        guard.args(["-c", GUARD, "guard"]).arg(self.folder.path()).arg(down.get_program()).args(down.get_args());
        guard.envs(&self.variables).current_dir(workspace::root());
        guard.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // Ctrl-C is for the test; what it leaves is the guard's.
        guard.process_group(0).spawn().context("the guard of a stack could not be started")
    }

    fn dismiss_guard(&mut self) {
        if let Some(mut guard) = self.guard.take() {
            drop(guard.kill());
            drop(guard.wait());
        }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let Some(mut guard) = self.guard.take() else { return };
        if std::thread::panicking() {
            self.show_logs();
        }
        // It sees the end of its input, and takes the project down.
        drop(guard.stdin.take());
        drop(guard.wait());
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "a container's health has no event to wait for; it is asked twice a second"
)]
fn pause() {
    std::thread::sleep(LOOK_AGAIN);
}
