//! The same deployment without containers: private servers and a process per role, each with the settings, users and rights of
//! its service.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use tempfile::TempDir;
use tests::binary::{Finlinkd, Setup};
use tests::deployment;
use tests::finlink::{Credentials, FakeFinlink};
use tests::roles::{SOURCES_FIRST, Surroundings, role_of};
use tests::scraping;
use tests::servers::{Postgres, PostgresExporter, Prometheus, RabbitMq, RabbitMqOptions, VirtualHost, free_port};
use tokio::task::block_in_place;

use crate::deployment::{Deployment, SERVERS, Server, Told};
use crate::scene::{APP, Finlink, Scene};

/// What runs from the start.
const FIRST: [&str; 4] = ["ingress-1", "consumer-1", "reconciler-1", "feed-1"];

pub(crate) struct Native {
    running: BTreeMap<String, Finlinkd>,
    /// Where each process is scraped, now and after a start.
    admins: BTreeMap<String, SocketAddr>,
    webhooks: SocketAddr,
    api: SocketAddr,
    /// Where the broker is scraped.
    scraped: SocketAddr,
    /// It starts with the scaled consumers.
    prometheus: Option<(SocketAddr, Prometheus)>,
    exporter: PostgresExporter,
    host: VirtualHost,
    broker: RabbitMq,
    database: Postgres,
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
            webhooks: free_address(),
            api: free_address(),
            scraped,
            prometheus: None,
            exporter,
            broker,
            database,
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
            "ingress" => setup.set("LISTEN", &self.webhooks.to_string()),
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
    fn webhooks(&self) -> SocketAddr {
        self.webhooks
    }

    fn api(&self) -> SocketAddr {
        self.api
    }

    fn prometheus(&self) -> SocketAddr {
        self.prometheus.as_ref().expect("it starts with the scaled consumers").0
    }

    async fn scale_consumers(&mut self, count: usize) {
        for number in 2..=count {
            self.start_process(&format!("consumer-{number}")).await;
        }
        self.observe();
    }

    async fn stop(&mut self, server: Server) {
        block_in_place(|| match server {
            Server::Broker => self.broker.stop(),
            Server::Database => self.database.stop(),
        })
        .unwrap();
    }

    async fn start(&mut self, server: Server) {
        block_in_place(|| match server {
            Server::Broker => self.broker.start(),
            Server::Database => self.database.start(),
        })
        .unwrap();
    }

    async fn stop_all(&mut self) {
        for role in SOURCES_FIRST {
            let names: Vec<String> = self.running.keys().filter(|name| role_of(name) == role).cloned().collect();
            for name in names {
                self.running.remove(&name).unwrap().stop().await.unwrap();
            }
        }
        for server in SERVERS {
            self.stop(server).await;
        }
    }

    async fn start_all(&mut self) {
        for server in SERVERS {
            self.start(server).await;
        }
        let names: Vec<String> = self.admins.keys().cloned().collect();
        for name in names {
            self.start_process(&name).await;
        }
    }

    async fn person(&self, arguments: &[&str]) -> Told {
        Told::of(&self.setup("person").output(arguments).await.unwrap())
    }

    async fn end(mut self) {
        self.stop_all().await;
    }
}
