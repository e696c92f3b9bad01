//! The deployment that `docker-compose.yml` describes, with days made into seconds and a Finlink of the test's.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::NamedTempFile;
use tests::brisk;
use tests::compose::{Container, Engine, Stack, StackOptions};
use tests::finlink::FakeFinlink;
use tests::looking::eventually;
use tests::usage;
use tokio::task::block_in_place;

use crate::deployment::{Counts, Deployment, Peak, Server, Told};
use crate::progress::say;
use crate::scene::{Finlink, Scene};

/// The services that run our image.
const OURS: [&str; 5] = ["ingress", "consumer", "reconciler", "feed", "operator"];

/// Those that run for as long as the stack does.
const ROLES: [&str; 4] = ["ingress", "consumer", "reconciler", "feed"];

/// The most memory that a container was charged for: control groups of version 2 from Linux 5.19 on, or of version 1.
const CHARGED_PEAK: &str =
    "cat /sys/fs/cgroup/memory.peak || cat /sys/fs/cgroup/memory/memory.max_usage_in_bytes || true";

/// Caddy signs a certificate for it on itself.
const DOMAIN: &str = "localhost";

/// What the reconciler calls this machine.
const FINLINK_HOST: &str = "finlink.test";

pub(crate) struct Composed {
    stack: Stack,
    counts: Counts,
    // Read by the engine at each start.
    _secret: NamedTempFile,
}

impl Composed {
    /// Builds and starts everything, with a Finlink on every address of this machine, so that containers reach it.
    pub(crate) async fn up(engine: Engine) -> Scene<Self> {
        let finlink = Finlink::new(FakeFinlink::start_on(Ipv4Addr::UNSPECIFIED.into()).await.unwrap());
        let mut secret = NamedTempFile::new().unwrap();
        secret.write_all(finlink.app.client_secret.as_bytes()).unwrap();
        fs::set_permissions(secret.path(), PermissionsExt::from_mode(0o444)).unwrap();
        let options = StackOptions { variables: variables(&finlink), overriding: overriding(&secret) };
        let deployment = block_in_place(|| {
            let stack = Stack::new(engine, &options).unwrap();
            stack.build(&say).unwrap();
            say("up");
            stack.up(&[]).unwrap();
            Self { stack, counts: Counts { ingress: 1, consumer: 1 }, _secret: secret }
        });
        Scene::new(deployment, finlink)
    }

    /// No container may more than it must, and whom the internet reaches does not reach the database.
    pub(crate) fn is_locked_down(&self) {
        let containers = self.stack.containers().unwrap();
        for container in &containers {
            let liberties = container.liberties();
            // The folder for certificates of the official image belongs to root.
            let allowed: &[&str] = if container.service() == "caddy" { &["runs as \"root\""] } else { &[] };
            assert_eq!(liberties, allowed, "{}", container.service());
        }
        let networks = |service: &str| -> BTreeSet<String> {
            let of_service = containers.iter().filter(|container| container.service() == service);
            let networks: BTreeSet<String> = of_service.flat_map(Container::networks).collect();
            assert!(!networks.is_empty(), "{service} is in no network");
            networks
        };
        for service in ["ingress", "gateway"] {
            assert!(networks(service).is_disjoint(&networks("postgres")), "{service} reaches the database");
        }
    }

    /// Caddy passes on webhooks by https, with a certificate of its own making, and nothing else: the ingress behind it refuses
    /// one that is not signed.
    pub(crate) async fn answers_by_https(&self) {
        let address = self.stack.address("PUBLISH_HTTPS").unwrap();
        for (target, status) in [("/webhooks/demo", "401"), ("/v1/connections", "404")] {
            let answered = eventually("https is answered", async || {
                let answer = block_in_place(|| post_by_https(address, target)).map_err(|error| error.to_string())?;
                if answer.starts_with(&format!("HTTP/1.1 {status} ")) { Ok(()) } else { Err(answer) }
            });
            answered.await;
        }
    }

    fn running(&self, services: &[&str]) -> Vec<Container> {
        let containers = block_in_place(|| self.stack.containers()).unwrap().into_iter();
        containers.filter(|container| services.contains(&container.service())).collect()
    }

    /// Its one process says what it used, and the kernel what it charged the container for.
    fn peak(&self, container: &Container) -> Peak {
        let inside = |command: &[&str]| block_in_place(|| self.stack.run_inside(container, command)).unwrap();
        let charged = inside(&["sh", "-c", CHARGED_PEAK]);
        Peak {
            name: container.name().to_owned(),
            resident: usage::highest_resident_bytes_in(&inside(&["cat", "/proc/1/status"])).unwrap(),
            charged: charged.trim().parse().ok(),
        }
    }

    fn compose(&self, arguments: &[&str]) {
        block_in_place(|| self.stack.compose(arguments)).unwrap();
    }

    fn up_again(&self) {
        let Counts { ingress, consumer } = self.counts;
        block_in_place(|| self.stack.up(&[("ingress", ingress), ("consumer", consumer)])).unwrap();
    }
}

/// The answer to an empty webhook without a signature.
fn post_by_https(address: SocketAddr, target: &str) -> std::io::Result<String> {
    let request =
        format!("POST {target} HTTP/1.1\r\nhost: {DOMAIN}\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}");
    let mut client = Command::new("timeout");
    client.args(["20", "openssl", "s_client", "-quiet", "-ign_eof", "-servername", DOMAIN]);
    client.arg("-connect").arg(address.to_string());
    let mut client = client.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    if let Some(mut stdin) = client.stdin.take() {
        stdin.write_all(request.as_bytes())?;
    }
    Ok(String::from_utf8_lossy(&client.wait_with_output()?.stdout).into_owned())
}

/// Without the demo, whose Finlink is another, and with https.
fn variables(finlink: &Finlink) -> BTreeMap<String, String> {
    let variables = [
        ("COMPOSE_PROFILES", "tls".to_owned()),
        ("DOMAIN", DOMAIN.to_owned()),
        ("FINLINK_BASE_URL", format!("http://{FINLINK_HOST}:{}", finlink.fake.port())),
        ("FINLINK_CLIENT_ID", finlink.app.client_id.clone()),
    ];
    variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn overriding(secret: &NamedTempFile) -> Value {
    let settings = brisk::PARTS.iter().chain(brisk::BETWEEN_ROLES);
    let environment: Vec<String> = settings.map(|(name, value)| format!("FINLINKD__{name}={value}")).collect();
    let mut services: BTreeMap<&str, Value> = BTreeMap::new();
    for service in OURS {
        services.insert(service, json!({ "environment": environment }));
    }
    services.get_mut("ingress").unwrap()["build"] = Stack::build_overriding();
    services.get_mut("reconciler").unwrap()["extra_hosts"] = json!([format!("{FINLINK_HOST}:host-gateway")]);
    json!({ "services": services, "secrets": { "finlink_client_secret": { "file": secret.path() } } })
}

fn name_of(server: Server) -> &'static str {
    match server {
        Server::Broker => "rabbitmq",
        Server::Database => "postgres",
    }
}

impl Deployment for Composed {
    fn webhooks(&self) -> Vec<SocketAddr> {
        vec![self.stack.address("PUBLISH_WEBHOOKS").unwrap()]
    }

    fn api(&self) -> SocketAddr {
        self.stack.address("PUBLISH_API").unwrap()
    }

    fn prometheus(&self) -> SocketAddr {
        self.stack.address("PUBLISH_PROMETHEUS").unwrap()
    }

    async fn scale(&mut self, counts: Counts) {
        self.counts = counts;
        self.up_again();
    }

    async fn stop(&mut self, server: Server) {
        self.compose(&["stop", name_of(server)]);
    }

    async fn start(&mut self, server: Server) {
        self.compose(&["start", name_of(server)]);
        block_in_place(|| self.stack.wait_until_healthy(&[name_of(server)])).unwrap();
    }

    async fn kill_ingress(&mut self) {
        let ingress = self.running(&["ingress"]).pop().unwrap();
        block_in_place(|| self.stack.kill(&ingress)).unwrap();
    }

    async fn stop_ingress(&mut self) {
        self.compose(&["stop", "ingress"]);
    }

    async fn stop_all(&mut self) {
        self.compose(&["stop"]);
    }

    async fn start_all(&mut self) {
        self.up_again();
    }

    async fn peaks(&self) -> Vec<Peak> {
        let ours = self.running(&ROLES);
        assert!(ours.len() > ROLES.len(), "{ours:#?}");
        ours.iter().map(|container| self.peak(container)).collect()
    }

    async fn person(&self, arguments: &[&str]) -> Told {
        let mut command = self.stack.command();
        command.args(["run", "--rm", "-T", "--no-deps", "operator"]).args(arguments);
        Told::of(&block_in_place(|| command.output()).unwrap())
    }

    async fn end(self) {
        block_in_place(|| self.stack.down()).unwrap();
    }
}
