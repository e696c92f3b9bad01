//! The same deployment without containers: private servers and a process per role, each with the settings, users and rights of
//! its service. Nothing stands in front of the ingress processes, so that each is a way in of its own.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use tempfile::TempDir;
use tests::binary::{Finlinkd, Setup};
use tests::deployment;
use tests::finlink::{Credentials, FakeFinlink};
use tests::roles::{SOURCES_FIRST, Surroundings, role_of};
use tests::scraping;
use tests::servers::{Postgres, PostgresExporter, Prometheus, RabbitMq, RabbitMqOptions, VirtualHost, free_port};
use tests::usage;
use tokio::task::block_in_place;

use crate::deployment::{Counts, Deployment, Peak, SERVERS, Server, Told};
use crate::scene::{APP, Finlink, Scene};

/// What runs from the start.
const FIRST: [&str; 4] = ["ingress-1", "consumer-1", "reconciler-1", "feed-1"];

pub(crate) struct Native {
    running: BTreeMap<String, Finlinkd>,
    /// Where each process is scraped, now and after a start.
    admins: BTreeMap<String, SocketAddr>,
    /// Where each ingress takes webhooks.
    webhooks: BTreeMap<String, SocketAddr>,
    api: SocketAddr,
    /// Where the broker is scraped.
    scraped: SocketAddr,
    /// It starts anew, with other targets, when something is scaled.
    prometheus: Option<(SocketAddr, Prometheus)>,
    exporter: PostgresExporter,
    host: VirtualHost,
    broker: RabbitMq,
    database: Postgres,
    /// The servers that were stopped.
    away: Vec<Server>,
    app: Credentials,
    upstream: String,
    keys_port: u16,
    folder: TempDir,
}

/// A free port of the loopback address.
fn free_address() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, free_port().unwrap()).into()
}

impl Native {
    /// Starts the servers and one process of each role.
    pub(crate) async fn up() -> Scene<Self> {
        let finlink = Finlink::new(FakeFinlink::start().await.unwrap());
        let scraped = free_address();
        let (broker, database) = block_in_place(|| servers(scraped));
        let exporter = block_in_place(|| PostgresExporter::launch(&database, "finlinkd").unwrap());
        let host = block_in_place(|| VirtualHost::committed(&broker).unwrap());
        let folder = tempfile::tempdir().unwrap();
        let mut native = Self {
            running: BTreeMap::new(),
            admins: BTreeMap::new(),
            webhooks: BTreeMap::new(),
            api: free_address(),
            scraped,
            prometheus: None,
            exporter,
            broker,
            database,
            away: Vec::new(),
            host,
            folder,
            app: finlink.app.clone(),
            upstream: finlink.fake.base_url(),
            keys_port: free_port().unwrap(),
        };
        for name in FIRST {
            native.start_process(name).await;
        }
        Scene::new(native, finlink)
    }

    /// Starts a process where it was, or for the first time.
    async fn start_process(&mut self, name: &str) {
        let admin = *self.admins.entry(name.to_owned()).or_insert_with(free_address);
        let mut setup = self.setup(name).with("ADMIN_LISTEN", &admin.to_string());
        match role_of(name) {
            "ingress" => {
                let listen = *self.webhooks.entry(name.to_owned()).or_insert_with(free_address);
                setup.set("LISTEN", &listen.to_string());
                // One volume for all, so that one finds the spool that another left.
                setup.set("DATA_DIR", &self.folder.path().join("ingress").to_string_lossy());
            }
            "feed" => {
                setup.set("API_LISTEN", &self.api.to_string());
                setup.set("API__TOKEN", deployment::text("secrets/demo/api_token").unwrap().trim());
            }
            _ => {}
        }
        let process = setup.run_role(role_of(name)).await.unwrap();
        self.running.insert(name.to_owned(), process);
    }

    fn setup(&self, name: &str) -> Setup {
        let surroundings = Surroundings {
            app_name: APP,
            app: &self.app,
            store: &self.database.url("finlinkd"),
            upstream: &self.upstream,
            keys_port: self.keys_port,
            folder: self.folder.path(),
        };
        surroundings.setup(name, |user| self.host.address_of(user).unwrap())
    }

    /// The processes of a role that run, or run again after a start.
    fn names_of(&self, role: &str) -> Vec<String> {
        self.admins.keys().filter(|name| role_of(name) == role).cloned().collect()
    }

    async fn scale_role(&mut self, role: &str, count: usize) {
        for number in 1..=count {
            let name = format!("{role}-{number}");
            if !self.running.contains_key(&name) {
                self.start_process(&name).await;
            }
        }
        for name in self.names_of(role).split_off(count) {
            self.stop_process(&name).await;
            self.admins.remove(&name);
        }
    }

    /// Stops a process, if it runs.
    async fn stop_process(&mut self, name: &str) {
        if let Some(process) = self.running.remove(name) {
            process.stop().await.unwrap();
        }
    }

    /// Starts Prometheus with the targets there are.
    fn observe(&mut self) {
        let mut places: BTreeMap<&str, Vec<SocketAddr>> = BTreeMap::new();
        for (name, admin) in &self.admins {
            places.entry(role_of(name)).or_default().push(*admin);
        }
        places.insert("rabbitmq", vec![self.scraped]);
        places.insert("postgres-exporter", vec![self.exporter.address()]);
        let own = free_address();
        let files = [("prometheus.yml", scraping::configuration(&places, own)), ("alerts.yml", scraping::rules())];
        let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
        self.prometheus = Some((own, block_in_place(|| Prometheus::launch(own, &files).unwrap())));
    }
}

/// RabbitMQ, scraped at this address, and PostgreSQL.
fn servers(scraped: SocketAddr) -> (RabbitMq, Postgres) {
    let configuration =
        vec![format!("prometheus.tcp.ip = {}", scraped.ip()), format!("prometheus.tcp.port = {}", scraped.port())];
    let plugins = vec!["rabbitmq_prometheus".to_owned()];
    let options = RabbitMqOptions { plugins, configuration, ..RabbitMqOptions::default() };
    (RabbitMq::launch(&options).unwrap(), Postgres::launch().unwrap())
}

impl Deployment for Native {
    fn webhooks(&self) -> Vec<SocketAddr> {
        self.webhooks.values().copied().collect()
    }

    fn api(&self) -> SocketAddr {
        self.api
    }

    fn prometheus(&self) -> SocketAddr {
        self.prometheus.as_ref().expect("nothing was scaled yet").0
    }

    async fn scale(&mut self, counts: Counts) {
        self.scale_role("ingress", counts.ingress).await;
        self.scale_role("consumer", counts.consumer).await;
        self.observe();
    }

    async fn stop(&mut self, server: Server) {
        block_in_place(|| match server {
            Server::Broker => self.broker.stop(),
            Server::Database => self.database.stop(),
        })
        .unwrap();
        self.away.push(server);
    }

    async fn start(&mut self, server: Server) {
        block_in_place(|| match server {
            Server::Broker => self.broker.start(),
            Server::Database => self.database.start(),
        })
        .unwrap();
        self.away.retain(|away| *away != server);
    }

    async fn kill_ingress(&mut self) {
        let name = self.names_of("ingress").pop().unwrap();
        self.running.remove(&name).unwrap().kill().await.unwrap();
    }

    async fn stop_ingress(&mut self) {
        for name in self.names_of("ingress") {
            self.stop_process(&name).await;
        }
    }

    async fn stop_all(&mut self) {
        for name in SOURCES_FIRST.iter().flat_map(|role| self.names_of(role)).collect::<Vec<_>>() {
            self.stop_process(&name).await;
        }
        for server in SERVERS {
            self.stop(server).await;
        }
    }

    async fn start_all(&mut self) {
        for server in self.away.clone() {
            self.start(server).await;
        }
        let stopped = self.admins.keys().filter(|name| !self.running.contains_key(*name));
        for name in stopped.cloned().collect::<Vec<_>>() {
            self.start_process(&name).await;
        }
    }

    async fn peaks(&self) -> Vec<Peak> {
        let peak = |(name, process): (&String, &Finlinkd)| Peak {
            name: name.clone(),
            resident: usage::highest_resident_bytes(process.id()).unwrap(),
            charged: None,
        };
        self.running.iter().map(peak).collect()
    }

    async fn person(&self, arguments: &[&str]) -> Told {
        Told::of(&self.setup("person").output(arguments).await.unwrap())
    }

    async fn end(mut self) {
        self.stop_all().await;
    }
}
