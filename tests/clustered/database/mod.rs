//! The PostgreSQL engine on a real server.

mod conformance;
mod consuming;
mod migrating;
mod place;
mod refusals;
mod schema;
mod together;
mod transactions;
mod values;

use std::sync::OnceLock;

use secrecy::SecretString;
use store::postgres::{Address, PostgresStore, Settings};
use store::{MigrateMode, Rules};
use tests::http::PATIENCE;
use tests::servers::Postgres;
use uuid::Uuid;

/// One server for the tests that break nothing; each works in a database of its own.
pub(crate) fn shared() -> &'static Postgres {
    static SHARED: OnceLock<Postgres> = OnceLock::new();
    SHARED.get_or_init(|| Postgres::launch().unwrap())
}

/// The name of a new, empty database of the shared server.
pub(crate) fn new_database() -> String {
    let name = format!("test_{}", Uuid::new_v4().simple());
    shared().create_database(&name).unwrap();
    name
}

fn address(url: &str) -> Address {
    Address::Given(SecretString::from(url.to_owned()))
}

fn store_settings(migrate: MigrateMode, rules: Rules) -> store::Settings {
    store::Settings { folder: "unused".into(), migrate, rules }
}

/// Settings with which a connection is waited for as long as a busy machine takes: agreeing on a password costs thousands of
/// rounds of a hash, and twelve connections at once have taken more than the default's five seconds.
fn patient() -> Settings {
    Settings { connect_timeout: PATIENCE, ..Settings::default() }
}

/// A store at this address.
pub(crate) fn store_with(url: &str, rules: Rules) -> PostgresStore {
    let settings = store_settings(MigrateMode::Auto, rules);
    PostgresStore::connect(address(url), "test", &settings, &patient()).unwrap()
}
