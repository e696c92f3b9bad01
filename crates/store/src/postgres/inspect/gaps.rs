//! Gaps, newest first.

use events::ConnectionToken;
use tokio_postgres::Row;

use crate::postgres::columns;
use crate::postgres::fault::Fault;
use crate::postgres::session::Session;
use crate::{GapFilter, GapRow, listing};

/// `token`: of this connection only.
pub(super) async fn list(
    session: &Session,
    filter: &GapFilter,
    token: Option<&ConnectionToken>,
) -> Result<Vec<GapRow>, Fault> {
    let select = "SELECT id, app, token, kind, found_at, closed_at, outcome FROM gaps";
    super::rows(session, listing::gaps(select, filter, token), row).await
}

fn row(row: &Row) -> Result<GapRow, Fault> {
    Ok(GapRow {
        id: columns::get(row, 0)?,
        app: columns::parsed(row, 1)?,
        token: columns::parsed(row, 2)?,
        kind: columns::get(row, 3)?,
        found_at: columns::time(row, 4)?,
        closed_at: columns::time_option(row, 5)?,
        outcome: columns::get(row, 6)?,
    })
}
