//! The schema's steps, in order, and bringing a database there. A step that was released is never changed; new ones expand
//! first and contract later.
//!
//! Promises: one process migrates at a time, in one transaction: a schema is never half way. A newer schema is used as long
//! as its `min_reader_version` says that this program may.

use deadpool_postgres::ClientWrapper;

use super::fault;
use crate::{MigrateMode, StoreError};

/// One step.
struct Step {
    /// The schema's version after it.
    version: i32,
    name: &'static str,
    sql: &'static str,
}

/// All of them, in ascending order.
const STEPS: [Step; 9] = [
    Step { version: 1, name: "base", sql: include_str!("../../migrations/postgres/0001_base.sql") },
    Step { version: 2, name: "intake", sql: include_str!("../../migrations/postgres/0002_intake.sql") },
    Step { version: 3, name: "refresh", sql: include_str!("../../migrations/postgres/0003_refresh.sql") },
    Step { version: 4, name: "feed", sql: include_str!("../../migrations/postgres/0004_feed.sql") },
    Step { version: 5, name: "discarded", sql: include_str!("../../migrations/postgres/0005_discarded.sql") },
    Step { version: 6, name: "key answers", sql: include_str!("../../migrations/postgres/0006_key_answers.sql") },
    Step { version: 7, name: "key order", sql: include_str!("../../migrations/postgres/0007_key_order.sql") },
    Step { version: 8, name: "booked", sql: include_str!("../../migrations/postgres/0008_booked.sql") },
    Step { version: 9, name: "recorded", sql: include_str!("../../migrations/postgres/0009_recorded.sql") },
];

/// The version that this program is written for.
const KNOWN: i32 = STEPS[STEPS.len() - 1].version;

/// Whoever holds this advisory lock migrates.
const LOCK: i64 = 0x6669_6e6c_696e_6b64;

/// The longest that one process waits for another that migrates, in milliseconds.
const LOCK_WAIT_MAX_MS: u32 = 600_000;

/// Makes sure that the schema fits, and migrates it where it is older and `mode` says so.
pub(super) async fn ensure(client: &ClientWrapper, mode: MigrateMode) -> Result<(), StoreError> {
    let found = version(client).await?;
    if found == KNOWN {
        return Ok(());
    }
    if found > KNOWN {
        return newer(client, found).await;
    }
    match mode {
        MigrateMode::Auto => migrate(client).await,
        MigrateMode::Check => Err(StoreError::Incompatible(format!(
            "the database has schema version {found}, version {KNOWN} is needed: run `finlinkd migrate`"
        ))),
    }
}

/// The version found; 0 where there is no schema yet.
async fn version(client: &ClientWrapper) -> Result<i32, StoreError> {
    let exists = "SELECT to_regclass('schema_migrations') IS NOT NULL";
    let exists: bool = client.query_one_scalar(exists, &[]).await.map_err(|error| unavailable(&error))?;
    if !exists {
        return Ok(0);
    }
    let newest = "SELECT coalesce(max(version), 0) FROM schema_migrations";
    client.query_one_scalar(newest, &[]).await.map_err(|error| unavailable(&error))
}

async fn newer(client: &ClientWrapper, found: i32) -> Result<(), StoreError> {
    let needed = "SELECT value FROM meta WHERE name = 'min_reader_version'";
    let needed: i64 = client.query_one_scalar(needed, &[]).await.map_err(|error| unavailable(&error))?;
    if needed <= i64::from(KNOWN) {
        return Ok(());
    }
    Err(StoreError::Incompatible(format!(
        "the database has schema version {found}, which needs a program that knows version {needed}; this one knows versions \
         up to {KNOWN}: run the newer program"
    )))
}

async fn migrate(client: &ClientWrapper) -> Result<(), StoreError> {
    let encoding: String =
        client.query_one_scalar("SHOW server_encoding", &[]).await.map_err(|error| unavailable(&error))?;
    if encoding != "UTF8" {
        return Err(StoreError::Incompatible(format!(
            "the database has the encoding {encoding}: create one with ENCODING 'UTF8'"
        )));
    }
    // Not in one transaction with what follows: what another process has made is seen by those that begin after it.
    let lock = format!("SET lock_timeout = {LOCK_WAIT_MAX_MS}; SELECT pg_advisory_lock({LOCK})");
    client.batch_execute(&lock).await.map_err(|error| unavailable(&error))?;
    client.batch_execute("BEGIN").await.map_err(|error| unavailable(&error))?;
    let found = version(client).await?;
    for step in STEPS.iter().filter(|step| step.version > found) {
        apply(client, step).await?;
    }
    let end = format!("COMMIT; SELECT pg_advisory_unlock({LOCK})");
    client.batch_execute(&end).await.map_err(|error| unavailable(&error))
}

/// Applies a step. Where it fails the connection is given up, and everything is undone with it.
async fn apply(client: &ClientWrapper, step: &Step) -> Result<(), StoreError> {
    let Step { version, name, sql } = step;
    let sql = format!(
        "CREATE TABLE IF NOT EXISTS schema_migrations (
             version integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now());
         {sql};
         INSERT INTO schema_migrations (version, name) VALUES ({version}, '{name}')"
    );
    client.batch_execute(&sql).await.map_err(|error| match error.code() {
        Some(_) => StoreError::Incompatible(format!(
            "migration {version} ({name}) failed and was undone: {}; its user must be allowed to create tables",
            fault::text(&error)
        )),
        None => unavailable(&error),
    })
}

fn unavailable(error: &tokio_postgres::Error) -> StoreError {
    StoreError::Unavailable(fault::text(error))
}
