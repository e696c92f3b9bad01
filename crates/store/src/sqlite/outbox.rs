//! The outbox: events are added in the transaction of the change that they tell of, each id once (R6).

use events::{AppName, ConnectionEvent, UtcMicros};
use sqlite::rusqlite::{Connection, Result, params};

use super::known;
use crate::tally::{Sum, Tally};

/// Adds events; one whose id is there already is the same event.
pub(super) fn add(
    connection: &Connection,
    app: &AppName,
    events: &[ConnectionEvent],
    now: UtcMicros,
    tally: &mut Tally,
) -> Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO outbox (id, app, token, kind, version, time, committed_at, event)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (id) DO NOTHING",
    )?;
    for event in events {
        let added = statement.execute(params![
            event.id,
            app.as_str(),
            event.subject.as_str(),
            event.kind.as_str(),
            event.data.version as i64,
            event.time.0,
            now.0,
            known::text(event)?,
        ])?;
        tally.add(app, Sum::Events, added as i64);
    }
    Ok(())
}
