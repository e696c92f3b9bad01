//! A person beside a pipeline, who asks finlinkd's commands what became of everything.
//!
//! These panic, as a test's own sentences do.
#![allow(clippy::unwrap_used, clippy::panic, clippy::missing_panics_doc, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use serde_json::Value;

use crate::binary::Setup;
use crate::looking::{array, bare, eventually};

/// Lost or wrongly decided webhooks that an error names.
const NAMED_MAX: usize = 5;

/// Someone with the settings of a person.
#[derive(Debug)]
pub struct Person(Setup);

impl Person {
    /// One who runs the binary like this.
    pub fn with(setup: Setup) -> Self {
        Self(setup)
    }

    /// What a command prints.
    pub async fn ask(&self, arguments: &[&str]) -> Value {
        self.0.json(arguments).await.unwrap()
    }

    /// `connections list --json --all`, live ones only.
    pub async fn connections(&self) -> Vec<Value> {
        array(self.ask(&["connections", "list", "--live", "--all", "--json"]).await)
    }

    /// Waits until the connections equal `truth`.
    pub async fn sees(&self, truth: impl Fn() -> Vec<Value>) {
        let seen = eventually("the connections equal the truth", async || {
            let listed: Vec<Value> = self.connections().await.iter().map(bare).collect();
            let truth = truth();
            if listed == truth { Ok(()) } else { Err(format!("{listed:#?}\nis not\n{truth:#?}")) }
        });
        seen.await;
    }

    /// `webhooks list --json --all`, by receipt; each is listed once.
    pub async fn webhooks(&self) -> BTreeMap<String, Value> {
        let mut webhooks = BTreeMap::new();
        for webhook in array(self.ask(&["webhooks", "list", "--all", "--json"]).await) {
            let before = webhooks.insert(webhook["receipt"].as_str().unwrap().to_owned(), webhook);
            assert_eq!(before, None, "a webhook is listed twice");
        }
        webhooks
    }

    /// Waits until these receipts are among the webhooks.
    pub async fn finds(&self, receipts: &[String]) {
        let found = eventually("every acknowledged webhook is listed", async || {
            let listed = self.webhooks().await;
            let lost: Vec<&String> = receipts.iter().filter(|receipt| !listed.contains_key(*receipt)).collect();
            let named = &lost[..lost.len().min(NAMED_MAX)];
            if lost.is_empty() {
                Ok(())
            } else {
                Err(format!("{} of {} are not, such as {named:?}", lost.len(), receipts.len()))
            }
        });
        found.await;
    }

    /// Waits until a webhook is listed with this verification.
    pub async fn finds_verified(&self, receipt: &str, word: &str) {
        let listed = eventually(word, async || {
            let webhooks = self.webhooks().await;
            match webhooks.get(receipt).map(|webhook| &webhook["verification"]) {
                Some(found) if found == word => Ok(()),
                other => Err(format!("{other:?}")),
            }
        });
        listed.await;
    }

    /// Waits until it is decided of every webhook who signed it: Finlink these, and somebody else the forged ones.
    pub async fn finds_decided(&self, signed: &[String], forged: &[String]) {
        let expected = signed.iter().map(|receipt| (receipt, "verified"));
        let expected: Vec<_> = expected.chain(forged.iter().map(|receipt| (receipt, "rejected"))).collect();
        let decided = eventually("every webhook is decided, and rightly", async || {
            let webhooks = self.webhooks().await;
            let word_of = |receipt: &String| webhooks.get(receipt).map(|webhook| &webhook["verification"]);
            let wrong = expected.iter().filter(|(receipt, word)| word_of(receipt).is_none_or(|found| found != word));
            let wrong: Vec<_> = wrong.map(|(receipt, word)| (receipt, word_of(receipt), word)).collect();
            let pending = webhooks.values().filter(|webhook| webhook["verification"] == "pending").count();
            let named = &wrong[..wrong.len().min(NAMED_MAX)];
            if wrong.is_empty() && pending == 0 {
                Ok(())
            } else {
                Err(format!(
                    "{pending} of {} are pending, {} are not as expected: {named:?}",
                    webhooks.len(),
                    wrong.len()
                ))
            }
        });
        decided.await;
    }

    /// Waits until there are so many dead letters, and answers them.
    pub async fn dead_letters(&self, count: usize) -> Vec<Value> {
        let buried = eventually("the dead letters are there", async || {
            let letters = array(self.ask(&["dead-letters", "list", "--all", "--json"]).await);
            if letters.len() == count { Ok(letters) } else { Err(format!("{letters:#?}")) }
        });
        buried.await
    }

    /// Sends a dead letter on its way again, by its id.
    pub async fn redrives(&self, letter: &str) {
        let told = self.ask(&["dead-letters", "redrive", letter, "--yes", "--json"]).await;
        assert!(told["done"] == true && told["letters"] == 1, "{told}");
    }

    /// Waits until the books have no holes, and those of `balanced` runs or more are proven as far as they go.
    pub async fn books_are_right(&self, balanced: usize) {
        self.books(|run| run["verdict"] == "balanced", |found| found >= balanced).await;
    }

    /// Waits until the books have no holes, and those of `ended` runs, neither more nor fewer, are proven to their ends.
    pub async fn books_are_closed(&self, ended: usize) {
        self.books(|run| run["verdict"] == "balanced" && run["ended"] == true, |found| found == ended).await;
    }

    /// Demands that the connections are what the reads on record make of them.
    pub async fn rebuilds_the_same(&self) {
        let output = self.0.output(&["rebuild", "--verify", "--json"]).await.unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        let why = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(0) && told == "[]\n", "{}: {told}{why}", output.status);
    }

    async fn books(&self, proven: impl Fn(&Value) -> bool, enough: impl Fn(usize) -> bool) {
        let right = eventually("the books are right", async || {
            let output = self.0.output(&["ledger", "verify", "--json"]).await.unwrap();
            let runs = array(serde_json::from_slice(&output.stdout).unwrap());
            let found = runs.iter().filter(|run| proven(run)).count();
            if output.status.code() == Some(0) && enough(found) { Ok(()) } else { Err(format!("{runs:#?}")) }
        });
        right.await;
    }
}
