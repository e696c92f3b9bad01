//! A customer of Finlink's, a data folder, and the settings of a pipeline between them that is one process.
//!
//! These panic, as a test's own sentences do.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test fails by panicking")]

use std::ops::{Deref, DerefMut};
use std::path::Path;

use tempfile::TempDir;

use crate::binary::{Finlinkd, Setup};
use crate::customer::{APP, Customer};
use crate::looking::{bare, counter, eventually};
use crate::person::Person;
use crate::sender::Sender;

/// Everything that a test plays with but the running pipeline itself.
#[derive(Debug)]
pub struct Scene {
    customer: Customer,
    folder: TempDir,
    /// Of the pipeline, and of a person's commands beside it.
    pub setup: Setup,
}

impl Scene {
    /// With the settings that a stranger gets.
    pub async fn plain() -> Self {
        let customer = Customer::new().await;
        let folder = tempfile::tempdir().unwrap();
        let setup = Setup::in_folder(folder.path())
            .with_app(APP, &customer.app)
            .with("UPSTREAM__BASE_URL", &customer.finlink.base_url())
            .with("INGRESS__GRACE", "0s");
        Self { customer, folder, setup }
    }

    /// With days made into seconds.
    pub async fn brisk() -> Self {
        let mut scene = Self::plain().await;
        scene.setup = scene.setup.brisk();
        scene
    }

    /// The data folder, which is removed with the scene.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A person beside the pipeline.
    pub fn person(&self) -> Person {
        Person::with(self.setup.clone())
    }

    /// Sends webhooks until the receiver knows the sender's key; answers their receipts.
    pub async fn introduces(&self, sender: &Sender, running: &Finlinkd) -> Vec<String> {
        let mut sent = Vec::new();
        eventually("the key is known", async || {
            sent.push(sender.send("AAAAAAAAAA").await.unwrap());
            if outcomes(running, APP, "accepted").await > 0 { Ok(()) } else { Err("not yet".to_owned()) }
        })
        .await;
        sent
    }

    /// Waits until the user's API shows Finlink's truth, then demands the same of the command.
    pub async fn converges(&self, running: &Finlinkd) {
        let shown = eventually("the connections equal the truth", async || {
            let listed = running.api("/v1/connections?limit=1000").await.unwrap().json().unwrap();
            let listed = listed["connections"].as_array().unwrap().iter().map(bare).collect::<Vec<_>>();
            if listed == self.truth() { Ok(()) } else { Err(format!("{listed:#?}\nis not\n{:#?}", self.truth())) }
        });
        shown.await;
        assert_eq!(self.person().connections().await.iter().map(bare).collect::<Vec<_>>(), self.truth());
    }
}

impl Deref for Scene {
    type Target = Customer;

    fn deref(&self) -> &Customer {
        &self.customer
    }
}

impl DerefMut for Scene {
    fn deref_mut(&mut self) -> &mut Customer {
        &mut self.customer
    }
}

/// How many requests to `app` ended like this.
pub async fn outcomes(running: &Finlinkd, app: &str, outcome: &str) -> u64 {
    counter(running, &format!(r#"finlinkd_ingress_requests_total{{app="{app}",outcome="{outcome}"}}"#)).await
}
