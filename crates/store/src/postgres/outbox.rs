//! The outbox: events are added in the transaction of the change that they tell of, each id once (R6).

use events::{AppName, ConnectionEvent, UtcMicros};

use super::fault::Fault;
use super::known;
use super::session::Session;
use crate::tally::{Sum, Tally};

/// Adds events; one whose id is there already is the same event.
pub(super) async fn add(
    session: &Session,
    app: &AppName,
    events: &[ConnectionEvent],
    now: UtcMicros,
    counted: &mut Tally,
) -> Result<(), Fault> {
    if events.is_empty() {
        return Ok(());
    }
    let ids: Vec<_> = events.iter().map(|event| event.id.as_str()).collect();
    let tokens: Vec<_> = events.iter().map(|event| event.subject.as_str()).collect();
    let kinds: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
    let versions: Vec<_> = events.iter().map(|event| event.data.version as i64).collect();
    let times: Vec<_> = events.iter().map(|event| event.time.0).collect();
    let texts: Vec<_> = events.iter().map(known::text).collect::<Result<_, _>>()?;
    let added = session
        .execute(
            "INSERT INTO outbox (app, id, token, kind, version, time, committed_at, event)
             SELECT $1, id, token, kind, version, time, $7, event::json
             FROM unnest($2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $8::text[])
                 AS added (id, token, kind, version, time, event)
             ON CONFLICT (id) DO NOTHING",
            &[&app.as_str(), &ids, &tokens, &kinds, &versions, &times, &now.0, &texts],
        )
        .await?;
    counted.add(app, Sum::Events, added as i64);
    Ok(())
}
