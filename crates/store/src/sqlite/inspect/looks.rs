//! What is scheduled for a connection.

use events::{AppName, ConnectionToken};
use sqlite::rusqlite::{Connection, OptionalExtension, Result, params};

use crate::RefreshRow;
use crate::sqlite::columns;

pub(super) fn of(connection: &Connection, app: &AppName, token: &ConnectionToken) -> Result<Option<RefreshRow>> {
    connection
        .prepare_cached(
            "SELECT hint_no, answered_no, hinted_at, scheduled_at, not_before, claimed_until, failures, last_error,
                 last_request_id, reason
             FROM refreshes WHERE app = ?1 AND token = ?2",
        )?
        .query_row(params![app.as_str(), token.as_str()], |row| {
            Ok(RefreshRow {
                app: app.clone(),
                token: Some(token.clone()),
                hint_no: columns::count(row, 0)?,
                answered_no: columns::count(row, 1)?,
                hinted_at: columns::time_option(row, 2)?,
                scheduled_at: columns::time_option(row, 3)?,
                not_before: columns::time(row, 4)?,
                claimed_until: columns::time_option(row, 5)?,
                failures: columns::small_count(row, 6)?,
                last_error: row.get(7)?,
                last_request_id: row.get(8)?,
                reason: row.get(9)?,
            })
        })
        .optional()
}
