//! A customer of Finlink's, as every test of a pipeline has one: an app with its connections, and the key that its webhooks
//! are signed with.
//!
//! These panic, as a test's own sentences do.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test fails by panicking")]

use std::sync::Arc;

use serde_json::Value;

use crate::binary::Finlinkd;
use crate::finlink::{ConnectionStatus, Credentials, FakeFinlink, World, as_listed};
use crate::sender::Sender;
use crate::signing::SigningKey;

/// What the app is called in every test of a pipeline.
pub const APP: &str = "main";

/// A Finlink with one app.
#[derive(Debug)]
pub struct Customer {
    /// The stand-in.
    pub finlink: FakeFinlink,
    /// What the app logs in with.
    pub app: Credentials,
    /// A key that Finlink knows.
    pub key: Arc<SigningKey>,
}

impl Customer {
    /// One without connections.
    pub async fn new() -> Self {
        let finlink = FakeFinlink::start().await.unwrap();
        let app = finlink.world(World::add_app);
        let key = Arc::new(SigningKey::generate().unwrap());
        finlink.world(|world| world.publish_key(&key)).unwrap();
        Self { finlink, app, key }
    }

    /// Finlink shows this connection from now on.
    pub fn put(&self, connection: &ConnectionStatus) {
        self.finlink.world(|world| world.put(&self.app.client_id, connection));
    }

    /// Finlink shows these connections from now on.
    pub fn put_all(&self, connections: &[ConnectionStatus]) {
        self.finlink.world(|world| connections.iter().for_each(|one| world.put(&self.app.client_id, one)));
    }

    /// Finlink has this connection no more.
    pub fn delete(&self, token: &str) {
        self.finlink.world(|world| world.delete(&self.app.client_id, token));
    }

    /// What Finlink has, as it must be listed.
    pub fn truth(&self) -> Vec<Value> {
        let connections = self.finlink.world(|world| world.connections(&self.app.client_id));
        connections.iter().map(|connection| as_listed(APP, connection)).collect()
    }

    /// A sender to whoever receives webhooks, with the key that Finlink knows.
    pub async fn sender(&self, receiver: &Finlinkd) -> Sender {
        let address = receiver.address("listen").await.unwrap();
        Sender { address, app: APP.to_owned(), key: Arc::clone(&self.key) }
    }

    /// One with a key that Finlink does not know.
    pub async fn stranger(&self, receiver: &Finlinkd) -> Sender {
        Sender { key: Arc::new(SigningKey::generate().unwrap()), ..self.sender(receiver).await }
    }
}
