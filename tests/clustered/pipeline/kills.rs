//! SIGKILL of every process and of both servers, in turn, under load.

use serde_json::Value;
use tests::finlink::ConnectionStatus;
use tests::looking::eventually;
use tests::sender::Flood;
use tests::servers::{Postgres, RabbitMq, RabbitMqOptions, VirtualHost};

use super::cluster::{Cluster, Queue, Roles, TOKENS, drained, events_once};

const ALL: [&str; 6] = ["reconciler-1", "reconciler-2", "ingress-1", "ingress-2", "consumer-1", "feed-1"];
const INGRESSES: [&str; 2] = ["ingress-1", "ingress-2"];
/// Accepted before something is killed, and after.
const ACCEPTED: usize = 40;

/// A cluster on servers of its own, under load.
struct Scene {
    broker: RabbitMq,
    database: Postgres,
    cluster: Cluster,
    roles: Roles,
    connections: Vec<ConnectionStatus>,
    acknowledged: Vec<String>,
}

impl Scene {
    async fn start() -> Self {
        let (broker, database) = tokio::task::block_in_place(|| {
            (RabbitMq::launch(&RabbitMqOptions::default()).unwrap(), Postgres::launch().unwrap())
        });
        let queue = tokio::task::block_in_place(|| Queue::Deployed(VirtualHost::committed(&broker).unwrap()));
        let cluster = Cluster::on(queue, database.url("finlinkd")).await;
        let connections: Vec<_> = TOKENS.map(ConnectionStatus::pending).to_vec();
        cluster.put_all(&connections);
        let roles = cluster.start_all(&ALL).await;
        Self { broker, database, cluster, roles, connections, acknowledged: Vec::new() }
    }

    /// Starts a load on each ingress, and lets it run in.
    async fn load(&self) -> Vec<Flood> {
        let mut floods = Vec::new();
        for name in INGRESSES {
            floods.push(self.cluster.flood(self.roles.get(name)).await);
        }
        for flood in &floods {
            flood.accepts(ACCEPTED).await.unwrap();
        }
        floods
    }

    /// Something happens at Finlink in the middle of it all.
    fn change(&mut self, round: usize) {
        let changed = &mut self.connections[round % TOKENS.len()];
        *changed = changed.clone().synced();
        self.cluster.put_all(&self.connections);
    }

    /// The load goes on, ends, and nobody was refused.
    async fn end(&mut self, floods: Vec<Flood>) {
        for flood in &floods {
            flood.accepts(flood.accepted() + ACCEPTED).await.unwrap();
        }
        for flood in floods {
            let heard = flood.stop().await.unwrap();
            assert!(heard.refused.is_empty(), "{:?}", heard.refused);
            assert!(heard.broken.is_empty(), "{:?}", heard.broken);
            self.acknowledged.extend(heard.receipts);
        }
    }

    /// Kills a process under load and starts it again. A load on an ingress that is killed ends with it.
    async fn kill(&mut self, name: &str, round: usize) {
        let mut floods = self.load().await;
        self.roles.take(name).kill().await.unwrap();
        self.change(round);
        if let Some(index) = INGRESSES.iter().position(|ingress| *ingress == name) {
            self.acknowledged.extend(floods.remove(index).ended().await.unwrap().receipts);
        }
        self.end(floods).await;
        if name == "reconciler-1" {
            // The other takes over: what changed meanwhile is seen although the first is not there.
            self.cluster.converges(|| self.cluster.truth()).await;
        }
        let again = self.cluster.start(name).await;
        self.roles.put(name, again);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_killed_under_load_every_acknowledged_webhook_is_accounted_for() {
    let mut scene = Scene::start().await;
    for (round, name) in ["ingress-1", "consumer-1", "reconciler-1", "feed-1"].into_iter().enumerate() {
        scene.kill(name, round).await;
    }
    // A consumer that stops in order while another one starts gives back what it has not stored.
    let floods = scene.load().await;
    scene.roles.put("consumer-2", scene.cluster.start("consumer-2").await);
    scene.roles.take("consumer-1").stop().await.unwrap();
    scene.end(floods).await;

    let floods = scene.load().await;
    tokio::task::block_in_place(|| scene.broker.kill().unwrap());
    for flood in &floods {
        flood.accepts(flood.accepted() + ACCEPTED).await.unwrap();
    }
    tokio::task::block_in_place(|| scene.broker.start().unwrap());
    scene.change(4);
    scene.end(floods).await;

    let floods = scene.load().await;
    tokio::task::block_in_place(|| scene.database.kill().unwrap());
    scene.change(5);
    scene.end(floods).await;
    tokio::task::block_in_place(|| scene.database.start().unwrap());

    for name in INGRESSES {
        drained(scene.roles.get(name)).await;
    }
    scene.cluster.keeps(&scene.acknowledged).await;
    scene.cluster.converges(|| scene.cluster.truth()).await;
    let told = eventually("the feed tells the newest version of every connection", async || {
        let events = events_once(scene.roles.get("feed-1")).await;
        let listed = scene.cluster.ask(&["connections", "list", "--all", "--json"]).await;
        let told = |one: &Value| {
            events.iter().any(|event| {
                event["data"]["connection"]["version"] == one["version"]
                    && event["data"]["connection"]["token"] == one["token"]
            })
        };
        if listed.as_array().unwrap().iter().all(told) { Ok(()) } else { Err(format!("{listed:#}\n{events:#?}")) }
    });
    told.await;
    scene.roles.stop().await;
    // The run that was killed has no last mark; the two that stopped in order have.
    scene.cluster.books_are_right(2).await;
}
