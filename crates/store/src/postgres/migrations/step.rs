//! One step: a transaction that waits for tables shortly, and what it means that it failed.
//!
//! PostgreSQL lets nobody pass a change of a table that waits for it: while a dump reads the table, everybody who writes it
//! would wait behind the step for as long as the dump takes. Whatever may pass is told as [`StoreError::Obstructed`] or
//! [`StoreError::Unavailable`]; [`StoreError::Incompatible`] is left for what a person has to change.

use std::fmt;
use std::time::Duration;

use deadpool_postgres::ClientWrapper;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use super::super::fault;
use crate::StoreError;

/// The longest that a step waits for a table, and others behind it. Shorter than their own `lock_timeout`.
const TABLE_WAIT_MAX: Duration = Duration::from_secs(2);

/// The longest that a statement of a step or a wait for a turn may run, whatever the server's default is: an index of a large
/// table takes its time.
const STATEMENT_MAX: Duration = Duration::from_hours(1);

/// When a step was last put off, by the server's clock, for every process to see.
const NOTE_PUT_OFF: &str = "
    INSERT INTO meta (name, value) VALUES ('migration_put_off_at', (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value";

/// A time to come is left over from before the clock was set back.
const WAS_PUT_OFF: &str = "
    SELECT count(*) > 0 FROM meta WHERE name = 'migration_put_off_at'
        AND (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - value BETWEEN 0 AND $1";

/// That a step failed until a person acts: of which version and why is in the name, for every process to tell the same.
const NOTE_FAILED: &str = "
    WITH earlier AS (DELETE FROM meta WHERE starts_with(name, 'migration_failed ') AND name <> $1)
    INSERT INTO meta (name, value) VALUES ($1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value";

/// Here too a time to come counts as none.
const HAS_FAILED: &str = "
    SELECT substr(name, length($1) + 1) FROM meta WHERE starts_with(name, $1)
        AND (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - value BETWEEN 0 AND $2";

/// So many characters of what the server says are told, and fit into a note.
const SAID_MAX: usize = 400;

/// One step.
pub(super) struct Step {
    /// The schema's version after it.
    pub(super) version: i32,
    pub(super) name: &'static str,
    pub(super) sql: &'static str,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "migration {} ({})", self.version, self.name)
    }
}

impl Step {
    /// Applies it and commits, or leaves nothing of it.
    pub(super) async fn apply(&self, client: &ClientWrapper) -> Result<(), StoreError> {
        let Self { version, name, sql } = self;
        let sql = format!(
            "CREATE TABLE IF NOT EXISTS schema_migrations (
                 version integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now());
             {sql};
             INSERT INTO schema_migrations (version, name) VALUES ({version}, '{name}')"
        );
        let Err(error) = client.batch_execute(&within(TABLE_WAIT_MAX, &sql)).await else { return Ok(()) };
        let failed = self.failed(error);
        // Neither need succeed: where the connection is gone the server undoes the step, and the note is for politeness.
        drop(client.batch_execute("ROLLBACK").await);
        match &failed {
            StoreError::Incompatible(why) => {
                drop(client.execute(NOTE_FAILED, &[&format!("{}{why}", self.note())]).await);
            }
            _ => drop(client.batch_execute(NOTE_PUT_OFF).await),
        }
        Err(failed)
    }

    /// What its note begins with.
    fn note(&self) -> String {
        format!("migration_failed {}: ", self.version)
    }

    /// Why it failed less than `pause` ago, so that a person has to act. There must be a schema.
    pub(super) async fn failed_within(&self, client: &ClientWrapper, pause: Duration) -> Result<Option<String>, Error> {
        let noted = client.query_opt(HAS_FAILED, &[&self.note(), &micros(pause)]).await?;
        noted.map(|row| row.try_get(0)).transpose()
    }

    fn failed(&self, error: Error) -> StoreError {
        const RIGHTS: [SqlState; 2] = [SqlState::INSUFFICIENT_PRIVILEGE, SqlState::INVALID_SCHEMA_NAME];
        if error.code().is_none_or(passes) {
            let put_off = |why| format!("{self} was undone and can be tried again: {why}");
            return match fault::told(error.into()) {
                StoreError::Obstructed(why) => StoreError::Obstructed(put_off(why)),
                StoreError::Unavailable(why) => StoreError::Unavailable(put_off(why)),
                other => other,
            };
        }
        let advice = if error.code().is_some_and(|code| RIGHTS.contains(code)) {
            "its user must be allowed to create tables, and own those that are there"
        } else {
            "it clashes with what is in the database: give finlinkd one of its own, or undo what was changed in it"
        };
        let said: String = fault::text(&error).chars().take(SAID_MAX).collect();
        StoreError::Incompatible(format!("{self} failed and was undone: {said}; {advice}"))
    }
}

/// Whether a step was put off less than `pause` ago. There must be a schema.
pub(super) async fn was_put_off(client: &ClientWrapper, pause: Duration) -> Result<bool, Error> {
    client.query_one_scalar(WAS_PUT_OFF, &[&micros(pause)]).await
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

/// A transaction that waits for each lock no longer than that.
pub(super) fn within(wait: Duration, sql: &str) -> String {
    format!(
        "BEGIN; SET LOCAL lock_timeout = {}; SET LOCAL statement_timeout = {}; {sql}; COMMIT",
        wait.as_millis(),
        STATEMENT_MAX.as_millis(),
    )
}

/// It says nothing about the schema: others were in the way, something ran out, somebody stopped it, or the server cannot write
/// now.
fn passes(code: &SqlState) -> bool {
    /// Of the connection, of collisions, of what ran out, of operators, of the system below.
    const CLASSES: [&str; 5] = ["08", "40", "53", "57", "58"];
    /// `transaction_timeout`, since PostgreSQL 17.
    const TRANSACTION_TIMEOUT: &str = "25P04";
    const CODES: [SqlState; 3] = [
        SqlState::LOCK_NOT_AVAILABLE,
        SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
        SqlState::READ_ONLY_SQL_TRANSACTION,
    ];
    CODES.contains(code)
        || code.code() == TRANSACTION_TIMEOUT
        || CLASSES.iter().any(|class| code.code().starts_with(class))
}
