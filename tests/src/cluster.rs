//! A customer of Finlink's, and the settings of each role between it and the servers: every role is told what it needs and
//! nothing else.
//!
//! These panic, as a test's own sentences do.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test fails by panicking")]

use std::ops::{Deref, DerefMut};
use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;
use tokio::task::block_in_place;

use crate::binary::{Finlinkd, Setup};
use crate::customer::{APP, Customer};
use crate::person::Person;
use crate::processes::Processes;
use crate::roles::{Surroundings, role_of};
use crate::sender::Flood;
use crate::servers::{VirtualHost, free_port, shared};

/// Connections that a load names.
pub const TOKENS: [&str; 4] = ["AAAAAAAAAA", "BBBBBBBBBB", "CCCCCCCCCC", "DDDDDDDDDD"];
/// Requests of a load at a time, to each ingress.
const FLOOD_CONNECTIONS: usize = 3;

/// Where the broker is.
#[derive(Debug, Clone)]
pub enum Queue {
    /// Each role goes there as its own user, who may do what `deploy/` lets it and nothing else.
    Deployed(VirtualHost),
    /// All roles are told this address.
    At(String),
}

impl Queue {
    /// The address for a user of `deploy/rabbitmq/definitions.json`.
    pub fn address_of(&self, user: &str) -> String {
        match self {
            Self::Deployed(host) => host.address_of(user).unwrap(),
            Self::At(address) => address.clone(),
        }
    }
}

/// Everything but the processes.
#[derive(Debug)]
pub struct Cluster {
    customer: Customer,
    /// The broker.
    pub queue: Queue,
    /// The address of the database.
    pub store: String,
    /// Where Finlink is.
    pub upstream: String,
    /// Where the first reconciler gives the keys, so that an ingress finds it again.
    keys_port: u16,
    folder: TempDir,
}

impl Cluster {
    /// On these servers.
    pub async fn on(queue: Queue, store: String) -> Self {
        let customer = Customer::new().await;
        let (upstream, keys_port) = (customer.finlink.base_url(), free_port().unwrap());
        let folder = tempfile::tempdir().unwrap();
        Self { customer, queue, store, upstream, keys_port, folder }
    }

    /// On the servers that every test shares, with a virtual host and a database of its own.
    pub async fn shared() -> Self {
        let queue = block_in_place(shared::deployed);
        let store = block_in_place(|| shared::database().url(&shared::new_database()));
        Self::on(Queue::Deployed(queue), store).await
    }

    /// The data folder of `name`.
    pub fn folder_of(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The name of the database.
    pub fn database(&self) -> &str {
        self.store.rsplit('/').next().unwrap_or_default()
    }

    /// How `name` starts; its role stands before the dash, and each has a folder of its own.
    pub fn setup(&self, name: &str) -> Setup {
        let surroundings = Surroundings {
            app_name: APP,
            app: &self.app,
            store: &self.store,
            upstream: &self.upstream,
            keys_port: self.keys_port,
            folder: self.folder.path(),
        };
        surroundings.setup(name, |user| self.queue.address_of(user))
    }

    /// Starts `name` and waits until it is ready, degraded or not.
    pub async fn start(&self, name: &str) -> Finlinkd {
        self.setup(name).run_role(role_of(name)).await.unwrap()
    }

    /// Starts all of these.
    pub async fn start_all(&self, names: &[&str]) -> Processes {
        let mut processes = Processes::default();
        for name in names {
            processes.put(name, self.start(name).await);
        }
        processes
    }

    /// A load on an ingress.
    pub async fn flood(&self, ingress: &Finlinkd) -> Flood {
        self.sender(ingress).await.flood(&TOKENS, FLOOD_CONNECTIONS).unwrap()
    }

    /// A person beside it, who has a broker's and a database's password of their own.
    pub fn person(&self) -> Person {
        Person::with(self.setup("person"))
    }

    /// What a command of the person's prints.
    pub async fn ask(&self, arguments: &[&str]) -> Value {
        self.person().ask(arguments).await
    }

    /// Waits until the person sees the connections as Finlink shows them.
    pub async fn converges(&self) {
        self.person().sees(|| self.truth()).await;
    }
}

impl Deref for Cluster {
    type Target = Customer;

    fn deref(&self) -> &Customer {
        &self.customer
    }
}

impl DerefMut for Cluster {
    fn deref_mut(&mut self) -> &mut Customer {
        &mut self.customer
    }
}
