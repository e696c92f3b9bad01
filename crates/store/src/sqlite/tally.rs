//! The running sums of `counters`.

use sqlite::rusqlite::{Connection, OptionalExtension, Result, params};

use super::columns;
use crate::tally::{Sum, Tally};

/// Writes the gathered changes.
pub(super) fn write(connection: &Connection, tally: &Tally) -> Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO counters (app, name, word, value) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (app, name, word) DO UPDATE SET value = value + excluded.value",
    )?;
    for (app, name, word, by) in tally.changes() {
        statement.execute(params![app, name, word, by])?;
    }
    Ok(())
}

/// A sum that has no word.
pub(super) fn of_app(connection: &Connection, app: &str, sum: Sum) -> Result<u64> {
    let value: Option<i64> = connection
        .prepare_cached("SELECT value FROM counters WHERE app = ?1 AND name = ?2 AND word = ''")?
        .query_row(params![app, sum.name()], columns::scalar)
        .optional()?;
    Ok(value.map_or(0, |value| u64::try_from(value).unwrap_or(0)))
}
