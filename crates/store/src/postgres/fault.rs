//! What PostgreSQL's errors mean to a caller of the ports.

use std::error::Error as _;

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::StoreError;

/// How a transaction ends badly.
#[derive(Debug)]
pub(super) enum Fault {
    /// PostgreSQL, or the way to it, said so.
    Sql(Error),
    /// A statement before this one had failed; that one's fault is what counts.
    Aftermath,
    /// The transaction decided so.
    Decided(StoreError),
    /// It was only a trial, and could have been committed.
    Trial,
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        if error.code() == Some(&SqlState::IN_FAILED_SQL_TRANSACTION) { Self::Aftermath } else { Self::Sql(error) }
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Decided(error)
    }
}

impl Fault {
    /// Another transaction was in the way: the same one may succeed at once.
    pub(super) fn is_collision(&self) -> bool {
        const COLLISIONS: [SqlState; 2] = [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED];
        matches!(self, Self::Sql(error) if error.code().is_some_and(|code| COLLISIONS.contains(code)))
    }

    /// Another transaction wrote a row after this one had looked whether it is there.
    pub(super) fn is_race(&self) -> bool {
        matches!(self, Self::Sql(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION))
    }

    /// The values are to blame, so that the same statement fails for ever: data exceptions, constraints, limits. Not a race:
    /// a key that is there was not when it was looked for, and the next look finds it.
    pub(super) fn blames_the_values(&self) -> bool {
        let blames = |code: &SqlState| ["22", "23", "54"].iter().any(|class| code.code().starts_with(class));
        !self.is_race() && matches!(self, Self::Sql(error) if error.code().is_some_and(blames))
    }

    /// The connection is as good as before, once the transaction is rolled back.
    pub(super) fn spares_the_connection(&self) -> bool {
        matches!(self, Self::Decided(_) | Self::Trial)
            || self.is_collision()
            || self.is_race()
            || self.blames_the_values()
    }
}

/// The caller's error.
pub(super) fn told(fault: Fault) -> StoreError {
    match fault {
        Fault::Decided(error) => error,
        Fault::Aftermath => StoreError::Obstructed("a statement before had failed".to_owned()),
        Fault::Trial => StoreError::Unavailable("a trial was not ended".to_owned()),
        Fault::Sql(error) => of_sql(&error),
    }
}

fn of_sql(error: &Error) -> StoreError {
    const SCHEMA: [SqlState; 3] = [SqlState::UNDEFINED_TABLE, SqlState::UNDEFINED_COLUMN, SqlState::UNDEFINED_FUNCTION];
    if error.code().is_some_and(|code| SCHEMA.contains(code)) {
        return StoreError::Incompatible(format!("the schema is not as this program left it: {}", text(error)));
    }
    if error.code().is_some_and(is_obstruction) {
        return StoreError::Obstructed(text(error));
    }
    let advice = match error.code() {
        Some(code) if *code == SqlState::INSUFFICIENT_PRIVILEGE => ": grant it to the user that store.url names",
        Some(code) if *code == SqlState::READ_ONLY_SQL_TRANSACTION => {
            ": it can only be read; store.url must name the primary server"
        }
        _ => "",
    };
    StoreError::Unavailable(format!("{}{advice}", text(error)))
}

/// Says nothing about the values: others were in the way, it took too long, or the disk is full.
fn is_obstruction(code: &SqlState) -> bool {
    const OBSTRUCTIONS: [SqlState; 7] = [
        SqlState::LOCK_NOT_AVAILABLE,
        SqlState::QUERY_CANCELED,
        SqlState::UNIQUE_VIOLATION,
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::DISK_FULL,
        SqlState::TOO_MANY_CONNECTIONS,
    ];
    OBSTRUCTIONS.contains(code)
}

/// What was said, in one line, with its cause. Messages of PostgreSQL hold names and, rarely, a value; never a body.
pub(super) fn text(error: &Error) -> String {
    if let Some(said) = error.as_db_error() {
        return format!("PostgreSQL says: {} ({})", said.message(), said.code().code());
    }
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// A value that this program cannot have written.
pub(super) fn unreadable(error: &dyn std::fmt::Display) -> Fault {
    StoreError::Incompatible(format!("a row was not written by this program: {error}")).into()
}
