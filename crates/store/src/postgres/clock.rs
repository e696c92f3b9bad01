//! The server's clock, as of the question and not of its transaction's begin.

use events::UtcMicros;

use super::columns;
use super::fault::Fault;
use super::session::Session;

pub(super) async fn read(session: &Session) -> Result<UtcMicros, Fault> {
    let now = session.first("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint", &[]).await?;
    now.map_or_else(|| Ok(UtcMicros::now()), |row| columns::time(&row, 0))
}
