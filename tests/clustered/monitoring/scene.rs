//! A cluster as `deploy/` sets it up, under load, and a Prometheus that scrapes it.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use serde_json::Value;
use simulator::{Settings, Simulator};
use tests::cluster::{Cluster, Queue};
use tests::customer::APP;
use tests::finlink::Credentials;
use tests::looking::eventually;
use tests::processes::Processes;
use tests::roles::role_of;
use tests::scraping;
use tests::servers::{Postgres, PostgresExporter, Prometheus, RabbitMq, RabbitMqOptions, VirtualHost, free_port};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const ALL: [&str; 5] = ["reconciler-1", "ingress-1", "consumer-1", "consumer-2", "feed-1"];

/// All that runs.
pub(super) struct Scene {
    pub(super) prometheus: Prometheus,
    pub(super) cluster: Cluster,
    pub(super) roles: Processes,
    pub(super) broker: RabbitMq,
    pub(super) database: Postgres,
    /// Where each target of the configuration is.
    pub(super) places: BTreeMap<&'static str, Vec<SocketAddr>>,
    _exporter: PostgresExporter,
    finlink: Arc<Simulator>,
}

/// Webhooks that come, twice, too late, forged with known and unknown keys, and not at all; until it is stopped.
pub(super) struct Load {
    stop: CancellationToken,
    running: JoinHandle<()>,
}

/// A Finlink in which things happen all the time.
fn world() -> Settings {
    Settings {
        seed: 11,
        app: APP.to_owned(),
        connections: 20,
        live: true,
        live_per_second: 20.0,
        duplicate_rate: 0.2,
        loss_rate: 0.05,
        forged_rate: 0.2,
        ..Settings::default()
    }
}

impl Scene {
    pub(super) async fn start() -> Self {
        let port = free_port().unwrap();
        let (broker, database) = tokio::task::block_in_place(|| {
            let configuration =
                vec!["prometheus.tcp.ip = 127.0.0.1".to_owned(), format!("prometheus.tcp.port = {port}")];
            let plugins = vec!["rabbitmq_prometheus".to_owned()];
            let options = RabbitMqOptions { plugins, configuration, ..RabbitMqOptions::default() };
            (RabbitMq::launch(&options).unwrap(), Postgres::launch().unwrap())
        });
        let queue = tokio::task::block_in_place(|| Queue::Deployed(VirtualHost::committed(&broker).unwrap()));
        let mut cluster = Cluster::on(queue, database.url("finlinkd")).await;
        let finlink = Arc::new(Simulator::start_on_loopback(world()).unwrap());
        let (client_id, client_secret) = finlink.credentials();
        cluster.app = Credentials { client_id, client_secret };
        cluster.upstream = finlink.base_url();
        let roles = cluster.start_all(&ALL).await;
        let exporter = tokio::task::block_in_place(|| PostgresExporter::launch(&database, "finlinkd").unwrap());

        let mut places: BTreeMap<&str, Vec<SocketAddr>> = BTreeMap::new();
        for name in ALL {
            places.entry(role_of(name)).or_default().push(roles.get(name).address("admin_listen").await.unwrap());
        }
        places.insert("rabbitmq", vec![SocketAddr::from((Ipv4Addr::LOCALHOST, port))]);
        places.insert("postgres-exporter", vec![exporter.address()]);
        let own = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port().unwrap()));
        let (configuration, rules) = (scraping::configuration(&places, own), scraping::rules());
        let files = [("prometheus.yml", configuration.as_str()), ("alerts.yml", rules.as_str())];
        let prometheus = tokio::task::block_in_place(|| Prometheus::launch(own, &files).unwrap());
        Self { prometheus, cluster, roles, broker, database, places, _exporter: exporter, finlink }
    }

    /// Finlink begins to send.
    pub(super) async fn load(&self) -> Load {
        let (finlink, stop) = (Arc::clone(&self.finlink), CancellationToken::new());
        let to = format!("http://{}/webhooks/{APP}", self.roles.get("ingress-1").address("listen").await.unwrap());
        let stopped = stop.clone();
        let running = tokio::spawn(async move { drop(finlink.run(&to, &stopped).await) });
        Load { stop, running }
    }

    /// Another program uses the app's secret.
    pub(super) fn steal_session(&self) {
        self.finlink.steal_session();
    }

    /// Logins of the app so far, thefts not counted.
    pub(super) fn logins(&self) -> u64 {
        self.finlink.asked().logins
    }

    /// Waits until every target of every job of the configuration is up, and there are as many as there are processes.
    pub(super) async fn every_target_is_up(&self) {
        // RabbitMQ is scraped by two jobs, and Prometheus scrapes itself.
        let expected = self.places.values().map(Vec::len).sum::<usize>() + 2;
        let up = eventually("every target is up", async || {
            let targets = self.prometheus.ask("targets?state=active").await.map_err(|error| format!("{error:#}"))?;
            let targets = targets["activeTargets"].as_array().unwrap();
            let line =
                |target: &Value| format!("{} {} {}", target["scrapePool"], target["scrapeUrl"], target["lastError"]);
            let down: Vec<_> = targets.iter().filter(|target| target["health"] != "up").map(line).collect();
            let found = targets.len();
            if down.is_empty() && found == expected { Ok(()) } else { Err(format!("{found} of {expected}: {down:#?}")) }
        });
        up.await;
    }
}

impl Load {
    /// Ends it, and waits for what is on its way.
    pub(super) async fn stop(self) {
        self.stop.cancel();
        self.running.await.unwrap();
    }
}
