//! A real Prometheus beside a cluster: while all is well it has an answer to everything and nothing to say; what is broken
//! is alerted.

use std::collections::BTreeMap;

use lapin::{BasicProperties, Connection, ConnectionProperties};
use tests::cluster::TOKENS;
use tests::looking::eventually;

use super::queries::every_query_answers;
use super::scene::Scene;
use crate::pipeline::strangers::publish;

/// Connections over which forgeries come.
const FORGERS: usize = 4;

impl Scene {
    /// What is alerted, pending or firing, by name.
    async fn alerts(&self) -> Result<BTreeMap<String, String>, String> {
        let alerts = self.prometheus.ask("alerts").await.map_err(|error| format!("{error:#}"))?;
        let named = alerts["alerts"].as_array().unwrap().iter().map(|alert| {
            let text = |field: &serde_json::Value| field.as_str().unwrap_or_default().to_owned();
            (text(&alert["labels"]["alertname"]), text(&alert["state"]))
        });
        Ok(named.collect())
    }

    async fn nothing_is_alerted(&self) {
        let calm = eventually("nothing is alerted", async || {
            let alerts = self.alerts().await?;
            if alerts.is_empty() { Ok(()) } else { Err(format!("{alerts:?}")) }
        });
        calm.await;
    }

    async fn fires(&self, alert: &str) {
        let firing = eventually(alert, async || {
            let alerts = self.alerts().await?;
            if alerts.get(alert).is_some_and(|state| state == "firing") { Ok(()) } else { Err(format!("{alerts:?}")) }
        });
        firing.await;
    }

    /// More webhooks under a key that Finlink has never had than it sent of its own.
    async fn most_is_refused(&self) {
        let forger = self.cluster.sender(self.roles.get("ingress-1")).await;
        let flood = forger.flood(&TOKENS, FORGERS).unwrap();
        self.fires("FinlinkdRefusesMost").await;
        flood.stop().await.unwrap();
    }

    async fn a_stranger_publishes(&self) {
        let address = self.cluster.queue.address_of("ingress");
        let connection = Connection::connect(&address, ConnectionProperties::default()).await.unwrap();
        publish(&connection.create_channel().await.unwrap(), BasicProperties::default(), b"of nobody here").await;
        self.fires("FinlinkdDeadLetters").await;
    }

    async fn the_broker_runs_out_of_memory(&self) {
        tokio::task::block_in_place(|| self.broker.memory_alarm(true).unwrap());
        self.fires("FinlinkdBrokerAlarm").await;
        tokio::task::block_in_place(|| self.broker.memory_alarm(false).unwrap());
    }

    async fn another_program_logs_in(&self) {
        let mut seen = 0;
        let firing = eventually("FinlinkdSessionStolen", async || {
            if self.logins() > seen {
                seen = self.logins();
                self.steal_session();
            }
            let alerts = self.alerts().await?;
            if alerts.contains_key("FinlinkdSessionStolen") { Ok(()) } else { Err(format!("{alerts:?}")) }
        });
        firing.await;
    }

    /// A delivery is gone from the store, of a run of ingress that ended an hour ago by its last mark.
    async fn a_delivery_is_lost(&mut self) {
        self.roles.take("ingress-1").stop().await.unwrap();
        self.cluster.person().books_are_right(1).await;
        let lose = "DELETE FROM deliveries WHERE receipt = (SELECT receipt FROM deliveries ORDER BY receipt LIMIT 1);
            UPDATE checkpoints SET recorded_at = recorded_at - 3600000000";
        tokio::task::block_in_place(|| self.database.query("finlinkd", lose).unwrap());
        // Whoever starts proves the books at once.
        self.roles.take("reconciler-1").stop().await.unwrap();
        self.fires("FinlinkdRoleMissing").await;
        let address = self.places["reconciler"][0].to_string();
        let setup = self.cluster.setup("reconciler-1").with("ADMIN_LISTEN", &address);
        self.roles.put("reconciler-1", setup.run_role("reconciler").await.unwrap());
        self.fires("FinlinkdLedgerHole").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_prometheus_has_an_answer_to_every_query_under_load_and_alerts_of_what_is_broken() {
    let mut scene = Scene::start().await;
    let load = scene.load().await;
    scene.every_target_is_up().await;
    every_query_answers(&scene).await;
    scene.nothing_is_alerted().await;

    scene.another_program_logs_in().await;
    load.stop().await;
    scene.most_is_refused().await;
    scene.a_stranger_publishes().await;
    scene.the_broker_runs_out_of_memory().await;
    scene.a_delivery_is_lost().await;
    scene.roles.stop().await;
}
