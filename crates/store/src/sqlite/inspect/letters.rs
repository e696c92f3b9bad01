//! Dead letters, newest first. Bodies come with a single one only.

use bytes::Bytes;
use sqlite::rusqlite::{Connection, OptionalExtension, Result, Row};

use super::clause;
use crate::sqlite::columns;
use crate::{DeadLetterFilter, DeadLetterRow, listing};

/// The columns that [`row`] reads, in its order.
const COLUMNS: &str = "id, receipt, app, reason, detail, buried_at, length(body), envelope";

pub(super) fn list(connection: &Connection, filter: &DeadLetterFilter) -> Result<Vec<DeadLetterRow>> {
    let select = format!("SELECT {COLUMNS} FROM dead_letters");
    clause::rows(connection, listing::letters(&select, filter), row)
}

pub(super) fn one(connection: &Connection, id: i64) -> Result<Option<DeadLetterRow>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS}, body FROM dead_letters WHERE id = ?1"))?
        .query_row([id], |found| {
            let body: Vec<u8> = found.get(8)?;
            Ok(DeadLetterRow { body: Some(Bytes::from(body)), ..row(found)? })
        })
        .optional()
}

fn row(row: &Row<'_>) -> Result<DeadLetterRow> {
    Ok(DeadLetterRow {
        id: row.get(0)?,
        receipt: columns::uuid_option(row, 1)?.map(events::Receipt),
        app: columns::parsed_option(row, 2)?,
        reason: row.get(3)?,
        detail: row.get(4)?,
        buried_at: columns::time(row, 5)?,
        body_bytes: columns::count(row, 6)?,
        envelope: columns::json(row, 7)?,
        body: None,
    })
}
