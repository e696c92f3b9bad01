//! A pipeline on some pair of engines: its processes, what was sent to it, and the verdict that every scenario ends with.

use std::ops::Deref;

use serde_json::Value;
use tests::binary::Finlinkd;
pub(crate) use tests::cluster::TOKENS;
use tests::customer::Customer;
use tests::feed::{events_once, newest};
use tests::http::Message;
use tests::looking::{bare, eventually, gauge};
use tests::person::Person;
use tests::processes::Processes;
use tests::sender::{Flood, Heard, Sender, receipt};

use crate::pair::Pair;

/// Accepted before something happens under load, and after.
pub(crate) const ACCEPTED: usize = 40;
/// Requests of a load at a time.
const FLOOD_CONNECTIONS: usize = 3;

/// A running pipeline.
pub(crate) struct Pipeline<P> {
    pub(crate) pair: P,
    pub(crate) running: Processes,
    /// The receipts of all webhooks of Finlink's that were answered with 200.
    acknowledged: Vec<String>,
    /// Those of webhooks that somebody else signed and that were taken nonetheless, their key being unknown.
    forged: Vec<String>,
    /// Webhooks that were answered otherwise, or not at all: each may have been stored, and none need be.
    unacknowledged: usize,
    /// Runs of a receiver that ended in order.
    ended: usize,
}

impl<P> Deref for Pipeline<P>
where
    P: Pair,
{
    type Target = Customer;

    fn deref(&self) -> &Customer {
        self.pair.customer()
    }
}

impl<P: Pair> Pipeline<P> {
    /// On engines that nothing happens to.
    pub(crate) async fn start() -> Self {
        Self::on(P::sound().await).await
    }

    /// On engines that may be taken away.
    pub(crate) async fn on_engines_of_its_own() -> Self {
        Self::on(P::breakable().await).await
    }

    /// On this pair, with everything it was told.
    pub(crate) async fn on(pair: P) -> Self {
        let (acknowledged, forged, unacknowledged, ended) = (Vec::new(), Vec::new(), 0, 0);
        let mut pipeline = Self { pair, running: Processes::default(), acknowledged, forged, unacknowledged, ended };
        pipeline.starts_all().await;
        pipeline
    }

    async fn starts_all(&mut self) {
        for process in P::PROCESSES {
            self.running.put(process, self.pair.start(process).await);
        }
    }

    /// The process that plays a role.
    pub(crate) fn player(&self, role: &str) -> &Finlinkd {
        self.running.get(P::player(role))
    }

    /// A person beside it.
    pub(crate) fn person(&self) -> Person {
        self.pair.person()
    }

    /// A sender with a key that Finlink knows.
    pub(crate) async fn sender(&self) -> Sender {
        self.pair.customer().sender(self.player("ingress")).await
    }

    /// Sends a webhook that names a connection, which must be accepted; answers its receipt.
    pub(crate) async fn send(&mut self, token: &str) -> String {
        let answer = self.sender().await.post(&tests::sender::naming(token)).await.unwrap();
        self.accepts(&answer)
    }

    /// Notes an answer that must be a receipt.
    pub(crate) fn accepts(&mut self, answer: &Message) -> String {
        let receipt = receipt(answer).unwrap();
        self.acknowledged.push(receipt.clone());
        receipt
    }

    /// Notes an answer, whatever it is.
    pub(crate) fn notes(&mut self, answer: &Message) {
        match receipt(answer) {
            Ok(receipt) => self.acknowledged.push(receipt),
            Err(_) => self.unacknowledged += 1,
        }
    }

    /// Notes an answer to a webhook that somebody else signed, whatever it is.
    pub(crate) fn notes_forged(&mut self, answer: &Message) {
        match receipt(answer) {
            Ok(receipt) => self.forged.push(receipt),
            Err(_) => self.unacknowledged += 1,
        }
    }

    /// Starts a load, and lets it run in.
    pub(crate) async fn flood(&self) -> Flood {
        let flood = self.sender().await.flood(&TOKENS, FLOOD_CONNECTIONS).unwrap();
        flood.accepts(ACCEPTED).await.unwrap();
        flood
    }

    /// Lets a load go on for a while and ends it; nobody is left without an answer, and refused by no other than these.
    pub(crate) async fn hears(&mut self, flood: Flood, refusals: &[u16]) {
        flood.accepts(flood.accepted() + ACCEPTED).await.unwrap();
        let heard = flood.stop().await.unwrap();
        let refused = heard.refused.keys().all(|status| refusals.contains(status));
        assert!(refused && heard.broken.is_empty() && heard.unreachable == 0, "{:?} {:?}", heard.refused, heard.broken);
        self.note(heard);
    }

    fn note(&mut self, heard: Heard) {
        self.unacknowledged += heard.broken.len() + heard.refused.values().sum::<usize>();
        self.acknowledged.extend(heard.receipts);
    }

    /// A process is killed under load and started again. A load ends with its receiver; the end of others it does not notice.
    pub(crate) async fn dies_under(&mut self, flood: Flood, process: &str) {
        self.running.take(process).kill().await.unwrap();
        if process == P::player("ingress") {
            self.note(flood.ended().await.unwrap());
        } else {
            self.hears(flood, &[]).await;
        }
        self.running.put(process, self.pair.start(process).await);
    }

    /// All are stopped in order under load, and started again.
    pub(crate) async fn stops_under(&mut self, flood: Flood) {
        std::mem::take(&mut self.running).stop().await;
        self.ended += 1;
        let heard = flood.ended().await.unwrap();
        assert!(heard.refused.keys().all(|status| *status == 503), "{:?}", heard.refused);
        self.note(heard);
        self.starts_all().await;
    }

    /// A person sends a dead letter on its way again.
    pub(crate) async fn redrives(&mut self, letter: &str) {
        self.ended += self.pair.redrives(letter, &mut self.running).await;
    }

    /// Waits until the consumer holds a batch that the store could not take, or does not.
    pub(crate) async fn holds(&self, a_batch: bool) {
        let holds = eventually("what the consumer holds", async || {
            let held = gauge(self.player("consumer"), "finlinkd_consumer_batches_held").await;
            if held.map(|held| held > 0.0) == Some(a_batch) { Ok(()) } else { Err(format!("{held:?}")) }
        });
        holds.await;
    }

    /// Waits until the person and the user's program see the connections as Finlink shows them.
    pub(crate) async fn converges(&self) {
        self.person().sees(|| self.truth()).await;
        let served = eventually("the user's API shows the truth", async || {
            let page = self.player("feed").api("/v1/connections?limit=1000").await.unwrap().json().unwrap();
            let served: Vec<Value> = page["connections"].as_array().unwrap().iter().map(bare).collect();
            if served == self.truth() { Ok(()) } else { Err(format!("{served:#?}")) }
        });
        served.await;
    }

    /// Waits until the feed tells the newest of every connection, and each event once; answers the events.
    pub(crate) async fn tells_all(&self) -> Vec<Value> {
        let told = eventually("the feed tells the newest version of every connection", async || {
            let events = events_once(self.player("feed")).await;
            let newest = newest(&events);
            let listed = self.person().connections().await;
            let told = |one: &Value| {
                newest.get(one["token"].as_str().unwrap()).is_some_and(|told| told["version"] == one["version"])
            };
            if listed.iter().all(told) { Ok(events) } else { Err(format!("{listed:#?}\n{events:#?}")) }
        });
        told.await
    }

    /// The verdict: every receipt of a 200 is listed once, and nothing that nobody sent; of each it is decided who
    /// signed it, and rightly; the state is Finlink's truth, and what the reads on record make of it; no event came twice;
    /// these webhooks and no others are dead letters, each for this reason; every run is accounted for, and those that
    /// ended in order to their ends; and everything stops in order.
    pub(crate) async fn ends_well(mut self, buried: &[(&str, &str)]) {
        let listed = |receipt: &&String| !buried.iter().any(|(buried, _)| buried == receipt);
        let acknowledged: Vec<String> = self.acknowledged.iter().filter(listed).cloned().collect();
        assert_eq!(acknowledged.len() + buried.len(), self.acknowledged.len(), "what is buried was acknowledged once");
        self.person().finds(&acknowledged).await;
        self.person().finds_decided(&acknowledged, &self.forged).await;
        self.converges().await;
        self.person().rebuilds_the_same().await;
        self.tells_all().await;
        let letters = self.person().dead_letters(buried.len()).await;
        let is_buried = |letter: &Value| {
            buried.iter().any(|(receipt, reason)| letter["receipt"] == *receipt && letter["reason"] == *reason)
        };
        assert!(letters.iter().all(is_buried), "{letters:#?}");
        self.ended += self.pair.closes_the_books(&mut self.running).await;
        self.person().books_are_closed(self.ended).await;
        let count = self.person().webhooks().await.len();
        let least = acknowledged.len() + self.forged.len();
        let most = least + self.unacknowledged;
        assert!((least..=most).contains(&count), "{count} are listed, {least} to {most} were sent");
        self.running.stop().await;
    }
}
