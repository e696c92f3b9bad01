//! The PostgreSQL engine on a real server.

mod conformance;
mod consuming;
mod migrating;
mod place;
mod refusals;
mod retention;
mod schema;
mod together;
mod transactions;
mod values;

use secrecy::SecretString;
use store::postgres::{Address, PostgresStore, Settings};
use store::{MigrateMode, Rules};
use tests::http::PATIENCE;
pub(crate) use tests::servers::shared::{database as shared, new_database};

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
