//! Connections, as the user sees them and as the rules know them.

use connections::Known;
use events::{AppName, Connection as View, ConnectionToken};

use crate::postgres::fault::Fault;
use crate::postgres::session::Session;
use crate::postgres::{columns, known as rows};
use crate::{ConnectionFilter, listing};

pub(super) async fn list(session: &Session, filter: &ConnectionFilter) -> Result<Vec<View>, Fault> {
    let select = format!("SELECT {} FROM connections", rows::COLUMNS);
    super::rows(session, listing::connections(&select, filter), |row| Ok(rows::known(row)?.view())).await
}

pub(super) async fn of_token(session: &Session, token: &ConnectionToken) -> Result<Vec<View>, Fault> {
    // App by app, by the primary key: there are few apps.
    let of_token = format!(
        "SELECT {} FROM connections WHERE app IN (SELECT app FROM apps) AND token = $1 ORDER BY app",
        rows::COLUMNS
    );
    columns::all(&session.query(&of_token, &[&token.as_str()]).await?, |row| Ok(rows::known(row)?.view()))
}

pub(super) async fn known(session: &Session, app: &AppName, token: &ConnectionToken) -> Result<Option<Known>, Fault> {
    let known = format!("SELECT {} FROM connections WHERE app = $1 AND token = $2", rows::COLUMNS);
    session.first(&known, &[&app.as_str(), &token.as_str()]).await?.as_ref().map(rows::known).transpose()
}

/// Whether anything of the app waits for an operator.
pub(super) async fn deletions_held(session: &Session, app: &AppName) -> Result<bool, Fault> {
    let held = "SELECT FROM connections WHERE app = $1 AND deletion_held_at IS NOT NULL LIMIT 1";
    Ok(session.first(held, &[&app.as_str()]).await?.is_some())
}
