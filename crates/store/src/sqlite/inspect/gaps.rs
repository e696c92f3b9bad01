//! Gaps, newest first.

use events::ConnectionToken;
use sqlite::rusqlite::{Connection, Result, Row};

use super::clause;
use crate::listing;
use crate::sqlite::columns;
use crate::{GapFilter, GapRow};

/// `token`: of this connection only.
pub(super) fn list(
    connection: &Connection,
    filter: &GapFilter,
    token: Option<&ConnectionToken>,
) -> Result<Vec<GapRow>> {
    let select = "SELECT id, app, token, kind, found_at, closed_at, outcome FROM gaps";
    clause::rows(connection, listing::gaps(select, filter, token), row)
}

fn row(row: &Row<'_>) -> Result<GapRow> {
    Ok(GapRow {
        id: row.get(0)?,
        app: columns::parsed(row, 1)?,
        token: columns::parsed(row, 2)?,
        kind: row.get(3)?,
        found_at: columns::time(row, 4)?,
        closed_at: columns::time_option(row, 5)?,
        outcome: row.get(6)?,
    })
}
