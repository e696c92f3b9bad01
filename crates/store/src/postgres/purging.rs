//! Purging deliveries, bodies and events.
//!
//! Deliveries and bodies go while nobody records ([`super::deliveries::ALONE`]): a look of somebody who records may have found
//! them there. So nobody else locks a body meanwhile, and that deliveries come before bodies here stops nobody. What goes is
//! looked for before, beside all others: what may go once may go for ever.

use events::{AppName, Receipt, UtcMicros};
use tokio_postgres::Row;
use uuid::Uuid;

use super::fault::Fault;
use super::session::Session;
use super::{books, columns, lease, tally};
use crate::feed::{GONE, gone_name};
use crate::purging::{self, Choice, Gone, Left, PurgedEvents, Seen};
use crate::tally::{Sum, Tally};
use crate::{Cursor, FeedFilter, Lease};

/// Which deliveries of the lease's app go that were recorded before `before`, `limit` at most, from behind `from`.
pub(super) async fn choose(
    session: &Session,
    lease: &Lease,
    before: UtcMicros,
    from: Option<Receipt>,
    limit: usize,
) -> Result<Choice<Receipt>, Fault> {
    lease::check(session, lease).await?;
    let from = from.map_or(Uuid::nil(), |receipt| receipt.0);
    let look = "SELECT receipt, coalesce(recorded_at, (SELECT value FROM meta WHERE name = 'recorded_from')) < $2,
            app = $1 AND verification <> 'pending'
        FROM deliveries WHERE receipt > $3 ORDER BY receipt LIMIT $4";
    let looked_at = purging::looked_at(limit);
    let rows = session.query(look, &[&lease.app.as_str(), &before.0, &from, &looked_at]).await?;
    let seen = columns::all(&rows, |row| {
        let (key, old) = (columns::receipt(row, 0)?, columns::get(row, 1)?);
        Ok(Seen { key, old: old || purging::drawn_before(key, before), goes: old && columns::get(row, 2)? })
    })?;
    Ok(purging::choose(&seen, limit))
}

/// Deletes these deliveries, and bodies that no other refers to; answers how many of each.
pub(super) async fn deliveries(session: &Session, lease: &Lease, go: &[Receipt]) -> Result<(u64, u64), Fault> {
    lease::check(session, lease).await?;
    let (app, receipts) = (&lease.app, go.iter().map(|receipt| receipt.0).collect::<Vec<_>>());
    let delete = "DELETE FROM deliveries USING
            (SELECT receipt FROM deliveries WHERE receipt = ANY ($1::uuid[]) AND app = $2 AND verification <> 'pending'
             ORDER BY receipt FOR UPDATE) AS found
        WHERE deliveries.receipt = found.receipt
        RETURNING instance, sequence, body_id, verification, duplicate";
    let gone = columns::all(&session.query(delete, &[&receipts, &app.as_str()]).await?, gone)?;
    let mut left = Left::by(app, &gone);
    let bodies = bodies(session, app, &mut left).await?;
    books::purged(session, &left.numbers).await?;
    tally::write(session, &left.counted).await?;
    Ok((gone.len() as u64, bodies))
}

fn gone(row: &Row) -> Result<Gone, Fault> {
    Ok(Gone {
        instance: columns::get(row, 0)?,
        sequence: columns::count(row, 1)?,
        body_id: columns::get(row, 2)?,
        verification: columns::get(row, 3)?,
        duplicate: columns::get(row, 4)?,
    })
}

/// Those that no delivery refers to any more; answers how many.
async fn bodies(session: &Session, app: &AppName, left: &mut Left) -> Result<u64, Fault> {
    let brought: Vec<_> = left.bodies.iter().filter(|(_, brought)| **brought).map(|(id, _)| *id).collect();
    let ids: Vec<_> = left.bodies.keys().copied().collect();
    let note = "INSERT INTO bodies_left (id) SELECT * FROM unnest($1::uuid[]) ON CONFLICT DO NOTHING";
    session.execute(note, &[&brought]).await?;
    let delete = "WITH unreferred AS MATERIALIZED (
            SELECT bodies.id FROM bodies JOIN bodies_left USING (id)
            WHERE bodies.id = ANY ($1::uuid[])
                AND NOT EXISTS (SELECT FROM deliveries WHERE body_id = bodies.id AND duplicate)
                AND NOT EXISTS (SELECT FROM deliveries WHERE receipt = bodies.last_receipt)
            ORDER BY bodies.id FOR UPDATE OF bodies),
        forgotten AS (DELETE FROM bodies_left USING unreferred WHERE bodies_left.id = unreferred.id)
        DELETE FROM bodies USING unreferred WHERE bodies.id = unreferred.id RETURNING coalesce(length(bytes), 0)::bigint";
    let gone = session.query(delete, &[&ids]).await?;
    for row in &gone {
        left.body_gone(app, columns::count(row, 0)?);
    }
    Ok(gone.len() as u64)
}

/// Numbered events of the lease's app that were committed before `before` and are behind every relay, `limit` at most, from
/// behind `from`.
pub(super) async fn events(
    session: &Session,
    lease: &Lease,
    before: UtcMicros,
    from: Cursor,
    limit: usize,
) -> Result<PurgedEvents, Fault> {
    lease::check(session, lease).await?;
    let (app, name) = (&lease.app, gone_name(&lease.app));
    let look = "SELECT number, committed_at < $2, app = $1 FROM outbox
        WHERE number > greatest($3, (SELECT number FROM cursors WHERE name = $4))
            AND number <= (SELECT min(number) FROM cursors WHERE name = '' OR starts_with(name, 'relay:'))
        ORDER BY number LIMIT $5";
    let (from, looked_at) = (from.0 as i64, purging::looked_at(limit));
    let rows = session.query(look, &[&app.as_str(), &before.0, &from, &name, &looked_at]).await?;
    let seen = columns::all(&rows, |row| {
        Ok(Seen { key: columns::get::<i64>(row, 0)?, old: columns::get(row, 1)?, goes: columns::get(row, 2)? })
    })?;
    let Choice { go, next } = purging::choose(purging::before_young(&seen), limit);
    let next = next.map(|number| Cursor(number as u64));
    let Some(last) = go.last() else { return Ok(PurgedEvents { events: 0, next }) };
    session.execute("DELETE FROM outbox WHERE number = ANY ($1::bigint[])", &[&go]).await?;
    gone_up_to(session, app, *last).await?;
    let mut counted = Tally::default();
    counted.add(app, Sum::Events, -(go.len() as i64));
    tally::write(session, &counted).await?;
    Ok(PurgedEvents { events: go.len() as u64, next })
}

/// Events of the app up to this number are purged.
async fn gone_up_to(session: &Session, app: &AppName, number: i64) -> Result<(), Fault> {
    session
        .execute(
            "INSERT INTO cursors (name, number) VALUES ($1, $2)
             ON CONFLICT (name) DO UPDATE SET number = greatest(cursors.number, excluded.number)",
            &[&gone_name(app), &number],
        )
        .await?;
    Ok(())
}

/// How far events that `filter` wants may be purged: of its app, or of any.
pub(super) async fn gone_through(session: &Session, filter: &FeedFilter) -> Result<Cursor, Fault> {
    let furthest = "SELECT coalesce(max(number), 0) FROM cursors
        WHERE starts_with(name, $1) AND ($2::text IS NULL OR name = $2)";
    let name = filter.app.as_ref().map(gone_name);
    let furthest = session.first(furthest, &[&GONE, &name]).await?;
    Ok(Cursor(furthest.map_or(Ok(0), |row| columns::count(&row, 0))?))
}
