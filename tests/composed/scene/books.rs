//! What was answered with 200 is there, and the books prove it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;
use tests::looking::{eventually, eventually_within};

use super::Scene;
use crate::deployment::Deployment;

/// A run that was killed is known as such when no mark of it has come for two minutes; as much again for everything else.
const PROVEN_WITHIN: Duration = Duration::from_mins(4);

impl<D: Deployment> Scene<D> {
    /// Whatever was answered with 200 is among the webhooks.
    pub(crate) async fn every_acknowledged_webhook_is_listed(&self) {
        let kept = eventually("every acknowledged webhook is listed", async || {
            let told = self.deployment.person(&["webhooks", "list", "--all", "--json"]).await;
            let listed: Vec<Value> =
                serde_json::from_str(&told.output).map_err(|error| format!("{error}: {}", told.complaint))?;
            let listed: BTreeSet<&str> = listed.iter().filter_map(|webhook| webhook["receipt"].as_str()).collect();
            let lost = self.acknowledged.iter().filter(|receipt| !listed.contains(receipt.as_str()));
            let lost: Vec<&String> = lost.take(5).collect();
            if lost.is_empty() {
                Ok(())
            } else {
                Err(format!("of {} there are not: {lost:?}", self.acknowledged.len()))
            }
        });
        kept.await;
    }

    /// Each run of an ingress has left its first mark.
    pub(super) async fn every_run_is_in_the_books(&self) {
        let there = eventually("every run of an ingress is in the books", async || {
            let runs = self.books(&[]).await?.1;
            if runs.len() == self.runs { Ok(()) } else { Err(format!("not {}: {runs:#?}", self.runs)) }
        });
        there.await;
    }

    /// Every ingress is stopped. The books have no hole, and prove each run to its end, but for those that were killed, of
    /// which nobody knows what followed their last mark.
    pub(crate) async fn the_books_are_right(&mut self) {
        assert!(self.killed > 0, "nothing was killed");
        self.deployment.stop_ingress().await;
        let proven = eventually_within(PROVEN_WITHIN, "the books are right", async || {
            let (exit_code, runs) = self.books(&["--stopped"]).await?;
            let proven = runs.values().filter(|run| run["verdict"] == "balanced" && run["ended"] == true).count();
            let unproven = runs.values().filter(|run| run["verdict"] == "unproven_tail").count();
            let all = (proven, unproven) == (self.runs - self.killed, self.killed) && runs.len() == self.runs;
            if exit_code == Some(0) && all {
                Ok(())
            } else {
                Err(format!("exit code {exit_code:?}, {} runs, {} killed: {runs:#?}", self.runs, self.killed))
            }
        });
        proven.await;
    }

    /// What `ledger verify` says: its exit code, and the runs by their instances.
    async fn books(&self, options: &[&str]) -> Result<(Option<i32>, BTreeMap<String, Value>), String> {
        let told = self.deployment.person(&[&["ledger", "verify", "--json"], options].concat()).await;
        let runs: Vec<Value> =
            serde_json::from_str(&told.output).map_err(|error| format!("{error}: {}", told.complaint))?;
        let by_instance = |run: Value| (run["instance"].as_str().unwrap().to_owned(), run);
        Ok((told.exit_code, runs.into_iter().map(by_instance).collect()))
    }
}
