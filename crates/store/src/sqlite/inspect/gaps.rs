//! Gaps, newest first.

use events::ConnectionToken;
use sqlite::rusqlite::{Connection, Result, Row};

use super::clause::Clause;
use crate::sqlite::columns;
use crate::{GapFilter, GapRow};

/// `token`: of this connection only.
pub(super) fn list(
    connection: &Connection,
    filter: &GapFilter,
    token: Option<&ConnectionToken>,
) -> Result<Vec<GapRow>> {
    let GapFilter { app, open, since, limit } = filter;
    let mut clause = Clause::new("SELECT id, app, token, kind, found_at, closed_at, outcome FROM gaps");
    clause.and_value("app = ?", app.as_ref().map(|app| app.as_str().to_owned()));
    clause.and_value("token = ?", token.map(|token| token.as_str().to_owned()));
    clause.and_value("found_at >= ?", since.map(|since| since.0));
    match open {
        None => {}
        Some(true) => clause.and("closed_at IS NULL"),
        Some(false) => clause.and("closed_at IS NOT NULL"),
    }
    clause.rows(connection, "id DESC", *limit, row)
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
