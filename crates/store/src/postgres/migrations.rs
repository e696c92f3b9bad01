//! The schema's steps, in order, and bringing a database there. A step that was released is never changed; new ones expand
//! first and contract later.
//!
//! Promises: one process migrates at a time, and each step is a transaction of its own: a schema is always one of the versions
//! and never half of one. It may stay at one in between, as it does between two releases: programs of older versions work with
//! each. So what is done stays done, and no step keeps the tables of another locked while it waits for its own. A step that is
//! in the way of others waits shortly, is undone and put off (`step.rs`); whoever called is told so and calls again. What fails
//! until a person acts is tried once a minute, by whichever process comes first. A newer schema is used as long as its
//! `min_reader_version` says that this program may.

mod step;

use std::time::Duration;

use deadpool_postgres::ClientWrapper;

use self::step::Step;
use super::fault;
use crate::{MigrateMode, StoreError};

/// All of them, in ascending order.
const STEPS: [Step; 13] = [
    Step { version: 1, name: "base", sql: include_str!("../../migrations/postgres/0001_base.sql") },
    Step { version: 2, name: "intake", sql: include_str!("../../migrations/postgres/0002_intake.sql") },
    Step { version: 3, name: "refresh", sql: include_str!("../../migrations/postgres/0003_refresh.sql") },
    Step { version: 4, name: "feed", sql: include_str!("../../migrations/postgres/0004_feed.sql") },
    Step { version: 5, name: "discarded", sql: include_str!("../../migrations/postgres/0005_discarded.sql") },
    Step { version: 6, name: "key answers", sql: include_str!("../../migrations/postgres/0006_key_answers.sql") },
    Step { version: 7, name: "key order", sql: include_str!("../../migrations/postgres/0007_key_order.sql") },
    Step { version: 8, name: "booked", sql: include_str!("../../migrations/postgres/0008_booked.sql") },
    Step { version: 9, name: "recorded", sql: include_str!("../../migrations/postgres/0009_recorded.sql") },
    Step { version: 10, name: "relay lease", sql: include_str!("../../migrations/postgres/0010_relay_lease.sql") },
    Step { version: 11, name: "retention", sql: include_str!("../../migrations/postgres/0011_retention.sql") },
    Step { version: 12, name: "duplicates", sql: include_str!("../../migrations/postgres/0012_duplicates.sql") },
    Step { version: 13, name: "judged", sql: include_str!("../../migrations/postgres/0013_judged.sql") },
];

/// The version that this program is written for.
const KNOWN: i32 = STEPS[STEPS.len() - 1].version;

/// Whoever holds this advisory lock migrates.
const LOCK: i64 = 0x6669_6e6c_696e_6b64;

/// After a step was put off no process tries for so long: those who wait for the tables behind a step get on meanwhile,
/// however many processes would migrate.
const PUT_OFF: Duration = Duration::from_secs(10);

/// The same after a step that fails until a person acts.
const FAILED: Duration = Duration::from_mins(1);

/// Who wants the schema migrated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asker {
    /// A process that works with the store, and asks again: what others are at is not waited for.
    Process,
    /// A person who waits for the answer: it is tried, whatever became of earlier tries.
    Person,
}

impl Asker {
    /// The longest wait for another that migrates.
    fn turn_wait_max(self) -> Duration {
        match self {
            Self::Process => Duration::from_secs(5),
            Self::Person => Duration::from_mins(10),
        }
    }
}

/// Makes sure that the schema fits, and migrates it where it is older and `mode` says so.
pub(super) async fn ensure(client: &ClientWrapper, mode: MigrateMode, asker: Asker) -> Result<(), StoreError> {
    let found = version(client).await?;
    if found == KNOWN {
        return Ok(());
    }
    if found > KNOWN {
        return newer(client, found).await;
    }
    match mode {
        MigrateMode::Auto => migrate(client, asker).await,
        MigrateMode::Check => Err(StoreError::Incompatible(format!(
            "the database has schema version {found}, version {KNOWN} is needed: run `finlinkd migrate`"
        ))),
    }
}

/// The version found; 0 where there is no schema yet.
async fn version(client: &ClientWrapper) -> Result<i32, StoreError> {
    let exists = "SELECT to_regclass('schema_migrations') IS NOT NULL";
    let exists: bool = client.query_one_scalar(exists, &[]).await.map_err(told)?;
    if !exists {
        return Ok(0);
    }
    let newest = "SELECT coalesce(max(version), 0) FROM schema_migrations";
    client.query_one_scalar(newest, &[]).await.map_err(told)
}

async fn newer(client: &ClientWrapper, found: i32) -> Result<(), StoreError> {
    let needed = "SELECT value FROM meta WHERE name = 'min_reader_version'";
    let needed: i64 = client.query_one_scalar(needed, &[]).await.map_err(told)?;
    if needed <= i64::from(KNOWN) {
        return Ok(());
    }
    Err(StoreError::Incompatible(format!(
        "the database has schema version {found}, which needs a program that knows version {needed}; this one knows versions \
         up to {KNOWN}: run the newer program"
    )))
}

async fn migrate(client: &ClientWrapper, asker: Asker) -> Result<(), StoreError> {
    let encoding: String = client.query_one_scalar("SHOW server_encoding", &[]).await.map_err(told)?;
    if encoding != "UTF8" {
        return Err(StoreError::Incompatible(format!(
            "the database has the encoding {encoding}: create one with ENCODING 'UTF8'"
        )));
    }
    // Held by the session, and not taken in the transaction that looks: what another process has made is seen by those that
    // begin after it.
    let turn = step::within(asker.turn_wait_max(), &format!("SELECT pg_advisory_lock({LOCK})"));
    client.batch_execute(&turn).await.map_err(|error| match told(error) {
        StoreError::Obstructed(why) => StoreError::Obstructed(format!("another process migrates the schema: {why}")),
        other => other,
    })?;
    let migrated = step_by_step(client, asker).await;
    // Said, so that the next one need not wait until the server finds this connection closed.
    let given_up = client.batch_execute(&format!("SELECT pg_advisory_unlock({LOCK})")).await;
    migrated.and(given_up.map_err(told))
}

async fn step_by_step(client: &ClientWrapper, asker: Asker) -> Result<(), StoreError> {
    let found = version(client).await?;
    let due: Vec<_> = STEPS.iter().filter(|step| step.version > found).collect();
    // Before the first step there is no place for a note.
    if let Some(next) = due.first()
        && found > 0
        && asker == Asker::Process
    {
        may_be_tried(client, next).await?;
    }
    for step in due {
        step.apply(client).await?;
    }
    Ok(())
}

/// Whether no other process failed at it just now.
async fn may_be_tried(client: &ClientWrapper, next: &Step) -> Result<(), StoreError> {
    if let Some(why) = next.failed_within(client, FAILED).await.map_err(told)? {
        return Err(StoreError::Incompatible(why));
    }
    if step::was_put_off(client, PUT_OFF).await.map_err(told)? {
        return Err(StoreError::Obstructed(format!(
            "{next} is put off: less than {PUT_OFF:?} ago something, such as a pg_dump, was in its way; it is tried again"
        )));
    }
    Ok(())
}

fn told(error: tokio_postgres::Error) -> StoreError {
    fault::told(error.into())
}
