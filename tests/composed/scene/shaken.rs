//! What is done to a deployment under load: scaled, its servers stopped and started, an ingress killed, everything stopped.

use super::Scene;
use super::load::{self, Heard, Load};
use crate::deployment::{Counts, Deployment, Server};

/// Accepted before something is done, meanwhile, and after.
const ACCEPTED: usize = 100;
/// What a front door answers whose ingress is gone in the middle of a request.
const BAD_GATEWAY: u16 = 502;

impl<D: Deployment> Scene<D> {
    /// Processes come and go, and nobody who sends notices.
    pub(crate) async fn scales(&mut self, counts: Counts) {
        let load = self.load();
        load.accepts(ACCEPTED).await;
        self.deployment.scale(counts).await;
        self.runs += counts.ingress.saturating_sub(self.counts.ingress);
        self.counts = counts;
        self.change();
        self.ends_with_nobody_refused(load, "it was scaled").await;
    }

    /// A load reaches every ingress, however many there are.
    pub(crate) async fn reaches_every_ingress(&mut self) {
        let load = self.load();
        self.every_ingress_has_accepted().await;
        self.ends_with_nobody_refused(load, "nothing was done").await;
    }

    /// A server is stopped and started, and nobody is refused.
    pub(crate) async fn answers_through_a_restart_of(&mut self, server: Server) {
        let load = self.load();
        load.accepts(ACCEPTED).await;
        self.deployment.stop(server).await;
        self.change();
        load.accepts(ACCEPTED).await;
        self.deployment.start(server).await;
        self.change();
        self.ends_with_nobody_refused(load, &format!("{server:?} was away")).await;
    }

    /// While the broker is away an ingress is killed with webhooks in its spool. Once the broker is back, another one delivers
    /// what the killed one answered with 200, and only then is that started again.
    pub(crate) async fn delivers_what_a_killed_ingress_had_spooled(&mut self) {
        let load = self.load();
        load.accepts(ACCEPTED).await;
        self.deployment.stop(Server::Broker).await;
        self.change();
        load.accepts(ACCEPTED).await;
        self.every_ingress_has_spooled().await;
        self.deployment.kill_ingress().await;
        self.killed += 1;
        load.accepts(ACCEPTED).await;
        self.deployment.start(Server::Broker).await;
        load.accepts(ACCEPTED).await;
        let heard = load.stop().await;
        Self::only_what_was_in_flight_is_unanswered(&heard);
        self.acknowledged.extend(heard.receipts);
        self.every_acknowledged_webhook_is_listed().await;
        self.deployment.start_all().await;
        self.runs += 1;
    }

    /// Everything is stopped with webhooks on their way, and started again.
    pub(crate) async fn stops_and_starts_without_loss(&mut self) {
        let load = self.load();
        load.accepts(ACCEPTED).await;
        self.acknowledged.extend(load.stop().await.receipts);
        self.every_run_is_in_the_books().await;
        self.deployment.stop_all().await;
        self.change();
        self.deployment.start_all().await;
        self.runs += self.counts.ingress;
        self.every_acknowledged_webhook_is_listed().await;
    }

    async fn ends_with_nobody_refused(&mut self, load: Load, when: &str) {
        load.accepts(ACCEPTED).await;
        let heard = load.stop().await;
        assert!(heard.refused.is_empty() && heard.unanswered == 0, "{when}: {:?}, {}", heard.refused, heard.unanswered);
        self.acknowledged.extend(heard.receipts);
    }

    /// Each sender had one request on its way, and a front door may have found one more of its connections broken.
    fn only_what_was_in_flight_is_unanswered(heard: &Heard) {
        let unexpected: Vec<_> = heard.refused.iter().filter(|(status, _)| **status != BAD_GATEWAY).collect();
        assert!(unexpected.is_empty(), "an ingress was killed: {unexpected:?}");
        let unanswered = heard.refused.values().sum::<usize>() + heard.unanswered;
        assert!(unanswered <= 2 * load::CONNECTIONS, "an ingress was killed: {unanswered} without an answer");
    }
}
