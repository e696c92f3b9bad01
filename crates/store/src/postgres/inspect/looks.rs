//! What is scheduled for a connection.

use events::{AppName, ConnectionToken};

use crate::RefreshRow;
use crate::postgres::columns;
use crate::postgres::fault::Fault;
use crate::postgres::session::Session;

pub(super) async fn of(session: &Session, app: &AppName, token: &ConnectionToken) -> Result<Option<RefreshRow>, Fault> {
    let look = "SELECT hint_no, answered_no, hinted_at, scheduled_at, not_before, claimed_until, failures, last_error,
            last_request_id, reason
        FROM refreshes WHERE app = $1 AND token = $2 AND forgotten_at IS NULL";
    let Some(row) = session.first(look, &[&app.as_str(), &token.as_str()]).await? else { return Ok(None) };
    Ok(Some(RefreshRow {
        app: app.clone(),
        token: Some(token.clone()),
        hint_no: columns::count(&row, 0)?,
        answered_no: columns::count(&row, 1)?,
        hinted_at: columns::time_option(&row, 2)?,
        scheduled_at: columns::time_option(&row, 3)?,
        not_before: columns::time(&row, 4)?,
        claimed_until: columns::time_option(&row, 5)?,
        failures: columns::small_count(&row, 6)?,
        last_error: columns::get(&row, 7)?,
        last_request_id: columns::get(&row, 8)?,
        reason: columns::get(&row, 9)?,
    }))
}
