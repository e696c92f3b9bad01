//! One RabbitMQ and one PostgreSQL for the tests that break neither: each works in a virtual host and a database of its own.
//!
//! These panic, as a test's own sentences do.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test fails by panicking")]

use std::sync::OnceLock;

use uuid::Uuid;

use super::{Postgres, RabbitMq, RabbitMqOptions, VirtualHost};

/// The broker.
pub fn broker() -> &'static RabbitMq {
    static SHARED: OnceLock<RabbitMq> = OnceLock::new();
    SHARED.get_or_init(|| RabbitMq::launch(&RabbitMqOptions::default()).unwrap())
}

/// The address of a new virtual host, with nothing in it.
pub fn new_virtual_host() -> String {
    let name = format!("test-{}", Uuid::new_v4().simple());
    broker().create_virtual_host(&name).unwrap()
}

/// A new virtual host with the committed topology and users.
pub fn deployed() -> VirtualHost {
    VirtualHost::another(broker(), &format!("test-{}", Uuid::new_v4().simple())).unwrap()
}

/// The database server.
pub fn database() -> &'static Postgres {
    static SHARED: OnceLock<Postgres> = OnceLock::new();
    SHARED.get_or_init(|| Postgres::launch().unwrap())
}

/// The name of a new, empty database.
pub fn new_database() -> String {
    let name = format!("test_{}", Uuid::new_v4().simple());
    database().create_database(&name).unwrap();
    name
}
