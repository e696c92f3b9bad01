//! Connections, as the user sees them and as the rules know them.

use connections::Known;
use events::{AppName, Connection as View, ConnectionToken};
use sqlite::rusqlite::{Connection, OptionalExtension, Result, params};

use super::clause;
use crate::ConnectionFilter;
use crate::listing;
use crate::sqlite::known as rows;

pub(super) fn list(connection: &Connection, filter: &ConnectionFilter) -> Result<Vec<View>> {
    let select = format!("SELECT {} FROM connections", rows::COLUMNS);
    clause::rows(connection, listing::connections(&select, filter), |row| Ok(rows::known(row)?.view()))
}

pub(super) fn of_token(connection: &Connection, token: &ConnectionToken) -> Result<Vec<View>> {
    // App by app, by the primary key: there are few apps.
    connection
        .prepare_cached(&format!(
            "SELECT {} FROM connections WHERE app IN (SELECT app FROM apps) AND token = ?1 ORDER BY app",
            rows::COLUMNS
        ))?
        .query_map([token.as_str()], |row| Ok(rows::known(row)?.view()))?
        .collect()
}

pub(super) fn known(connection: &Connection, app: &AppName, token: &ConnectionToken) -> Result<Option<Known>> {
    connection
        .prepare_cached(&format!("SELECT {} FROM connections WHERE app = ?1 AND token = ?2", rows::COLUMNS))?
        .query_row(params![app.as_str(), token.as_str()], rows::known)
        .optional()
}

/// Whether anything of the app waits for an operator.
pub(super) fn deletions_held(connection: &Connection, app: &AppName) -> Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM connections WHERE app = ?1 AND deletion_held_at IS NOT NULL LIMIT 1")?
        .exists([app.as_str()])
}
