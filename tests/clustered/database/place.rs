//! A database of one test: stores in it under a name that `pg_stat_activity` shows, and a hand that reaches in from outside.

use std::time::Duration;

use events::{ConnectionToken, UtcMicros};
use store::conformance::version5::POSTGRES;
use store::conformance::world::{app, at, token};
use store::postgres::{PostgresStore, Settings};
use store::{AppPin, Lease, MigrateMode, Refresh, Rules};
use tests::looking::eventually;
use tests::servers::Postgres;
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

use super::{address, new_database, patient, shared, store_settings};

/// What stores are called in `pg_stat_activity`.
const NAME: &str = "under test";

/// Holds up whoever hints at a connection that is known, which is what recording does last.
pub(super) const HOLD_HINTS: &str = "SELECT FROM refreshes FOR UPDATE";

/// A database with a schema, and a connection to it that is none of a store's.
pub(super) struct Place {
    pub(super) database: String,
    /// For its owner, whom stores are.
    pub(super) url: String,
    /// For the superuser.
    own: String,
    hand: Client,
}

/// A transaction of somebody else's that holds what it locked until it is ended.
pub(super) struct Held(Client);

impl Held {
    /// Does something more.
    pub(super) async fn also(&self, sql: &str) {
        self.0.batch_execute(sql).await.unwrap();
    }

    /// Lets go.
    pub(super) async fn release(self) {
        self.0.batch_execute("ROLLBACK").await.unwrap();
    }
}

async fn client(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

impl Place {
    /// On the shared server, migrated.
    pub(super) async fn new() -> Self {
        let place = Self::empty().await;
        place.store().ready().await.unwrap();
        place
    }

    /// The same without a schema.
    pub(super) async fn empty() -> Self {
        let database = tokio::task::block_in_place(new_database);
        Self::on(shared(), database).await
    }

    /// The same with the schema that the program of version 5 made.
    pub(super) async fn of_version_5() -> Self {
        let place = Self::empty().await;
        let owner = place
            .text("SELECT pg_get_userbyid(datdba)::text FROM pg_database WHERE datname = current_database()")
            .await;
        place.run(&format!("SET ROLE {owner}")).await;
        let versions = "CREATE TABLE schema_migrations (
                version integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now());
            INSERT INTO schema_migrations (version, name) SELECT version, 'step' FROM generate_series(1, 5) AS version";
        place.run(versions).await;
        for step in POSTGRES.steps {
            place.run(step).await;
        }
        place.run("RESET ROLE").await;
        place
    }

    /// A database of a server.
    pub(super) async fn on(server: &Postgres, database: String) -> Self {
        let (url, own) = (server.url(&database), server.superuser_url(&database));
        let hand = client(&own).await;
        Self { database, url, own, hand }
    }

    pub(super) fn store(&self) -> PostgresStore {
        self.store_with(&patient())
    }

    pub(super) fn store_with(&self, settings: &Settings) -> PostgresStore {
        Self::store_through(&self.url, settings)
    }

    /// The same by another way to it, or as another user.
    pub(super) fn store_through(url: &str, settings: &Settings) -> PostgresStore {
        let rules = store_settings(MigrateMode::Auto, Rules::default());
        PostgresStore::connect(address(url), NAME, &rules, settings).unwrap()
    }

    /// Changes a default of the database's, for connections that are opened from now on.
    pub(super) async fn set(&self, default: &str) {
        self.run(&format!("ALTER DATABASE {} SET {default}", self.database)).await;
    }

    /// Runs SQL as the superuser.
    pub(super) async fn run(&self, sql: &str) {
        self.hand.batch_execute(sql).await.unwrap();
    }

    /// The scenarios' connections up to the `n`th are known, and not hinted at.
    pub(super) async fn knows(&self, n: u32) {
        for n in 0..n {
            let known = format!("INSERT INTO refreshes (app, token) VALUES ('{}', '{}')", app(), token(n));
            self.run(&known).await;
        }
    }

    /// A number that SQL answers.
    pub(super) async fn number(&self, sql: &str) -> i64 {
        self.hand.query_one_scalar(sql, &[]).await.unwrap()
    }

    /// A text that SQL answers.
    pub(super) async fn text(&self, sql: &str) -> String {
        self.hand.query_one_scalar(sql, &[]).await.unwrap()
    }

    /// Somebody else's transaction that has done `sql` and stays open.
    pub(super) async fn hold(&self, sql: &str) -> Held {
        let other = client(&self.own).await;
        other.batch_execute("BEGIN").await.unwrap();
        other.batch_execute(sql).await.unwrap();
        Held(other)
    }

    /// Waits until so many stores' connections wait for a lock.
    pub(super) async fn blocked(&self, connections: i64) {
        let waiting = Self::sessions("wait_event_type = 'Lock'");
        let blocked = eventually("a store waits for a lock", async || match self.number(&waiting).await {
            found if found >= connections => Ok(()),
            found => Err(format!("{found} do")),
        });
        blocked.await;
    }

    /// Waits until no store's connection is in a transaction.
    pub(super) async fn is_idle(&self) {
        let busy = Self::sessions("state <> 'idle'");
        let idle = eventually("no transaction is open", async || match self.number(&busy).await {
            0 => Ok(()),
            found => Err(format!("{found} are")),
        });
        idle.await;
    }

    /// Ends stores' connections that are as `state` says; answers how many.
    pub(super) async fn terminate(&self, state: &str) -> i64 {
        self.number(&Self::sessions(state).replace("count(*)", "count(pg_terminate_backend(pid))")).await
    }

    fn sessions(state: &str) -> String {
        format!(
            "SELECT count(*) FROM pg_stat_activity
             WHERE datname = current_database() AND application_name = '{NAME}' AND {state}"
        )
    }

    /// The app of the scenarios, enrolled, with a lease for an hour.
    pub(super) async fn enrolled(&self, store: &PostgresStore) -> Lease {
        let pin = AppPin { app: app(), client_id: "client".to_owned() };
        store.enrol(&pin, at(0)).await.unwrap();
        store.lease(&app(), Uuid::from_u128(2), at(0), at(3600)).await.unwrap().unwrap()
    }

    pub(super) async fn deliveries(&self) -> i64 {
        self.number("SELECT count(*) FROM deliveries").await
    }

    /// Hints counted, of all rows.
    pub(super) async fn hints(&self) -> i64 {
        self.number("SELECT coalesce(sum(hint_no), 0)::bigint FROM refreshes").await
    }

    /// Hints counted of a connection.
    pub(super) async fn hints_of(&self, token: &ConnectionToken) -> i64 {
        self.number(&format!("SELECT coalesce(sum(hint_no), 0)::bigint FROM refreshes WHERE token = '{token}'")).await
    }
}

/// Limits that a test need not wait long for.
pub(super) fn impatient() -> Settings {
    Settings {
        statement_timeout: Duration::from_secs(20),
        lock_timeout: Duration::from_secs(20),
        idle_timeout: Duration::from_millis(500),
        answer_timeout: Duration::from_secs(5),
        ..patient()
    }
}

/// The time of a scenario's second.
pub(super) fn second(second: u64) -> UtcMicros {
    at(second)
}
