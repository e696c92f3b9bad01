//! Purging deliveries, bodies and events. Everything of one call is one transaction on the one writer thread.

use events::{AppName, Receipt, UtcMicros};
use sqlite::rusqlite::{Connection, OptionalExtension, Result, Row, params};
use uuid::Uuid;

use super::{books, columns, tally};
use crate::feed::{GONE, gone_name};
use crate::purging::{self, Choice, Gone, Left, PurgedDeliveries, PurgedEvents, Seen};
use crate::tally::{Sum, Tally};
use crate::{Cursor, FeedFilter, Lease};

/// Deliveries of the lease's app that were recorded before `before`, `limit` at most, from behind `from`.
pub(super) fn deliveries(
    connection: &Connection,
    lease: &Lease,
    before: UtcMicros,
    from: Option<Receipt>,
    limit: usize,
) -> Result<PurgedDeliveries> {
    let app = &lease.app;
    let Choice { go, next } = purging::choose(&seen(connection, app, before, from, limit)?, limit);
    let mut gone = Vec::with_capacity(go.len());
    let mut delete = connection.prepare_cached(
        "DELETE FROM deliveries WHERE receipt = ?1 RETURNING instance, sequence, body_id, verification, duplicate",
    )?;
    for receipt in &go {
        gone.push(delete.query_row([receipt.0.as_bytes()], self::gone)?);
    }
    let mut left = Left::by(app, &gone);
    let bodies = bodies(connection, app, &mut left)?;
    books::purged(connection, &left.numbers)?;
    tally::write(connection, &left.counted)?;
    Ok(PurgedDeliveries { deliveries: gone.len() as u64, bodies, next })
}

fn seen(
    connection: &Connection,
    app: &AppName,
    before: UtcMicros,
    from: Option<Receipt>,
    limit: usize,
) -> Result<Vec<Seen<Receipt>>> {
    let from = from.map_or(Uuid::nil(), |receipt| receipt.0);
    connection
        .prepare_cached(
            "SELECT receipt, coalesce(recorded_at, (SELECT value FROM meta WHERE name = 'recorded_from')) < ?2,
                 app = ?1 AND verification <> 'pending'
             FROM deliveries WHERE receipt > ?3 ORDER BY receipt LIMIT ?4",
        )?
        .query_map(params![app.as_str(), before.0, from.as_bytes(), purging::looked_at(limit)], |row| {
            let (key, old) = (columns::receipt(row, 0)?, row.get(1)?);
            Ok(Seen { key, old: old || purging::drawn_before(key, before), goes: old && row.get(2)? })
        })?
        .collect()
}

fn gone(row: &Row<'_>) -> Result<Gone> {
    Ok(Gone {
        instance: columns::uuid(row, 0)?,
        sequence: columns::count(row, 1)?,
        body_id: columns::uuid(row, 2)?,
        verification: row.get(3)?,
        duplicate: row.get(4)?,
    })
}

/// Those that no delivery refers to any more; answers how many.
fn bodies(connection: &Connection, app: &AppName, left: &mut Left) -> Result<u64> {
    let mut note = connection.prepare_cached("INSERT INTO bodies_left (id) VALUES (?1) ON CONFLICT DO NOTHING")?;
    let mut delete = connection.prepare_cached(
        "DELETE FROM bodies WHERE id = ?1
             AND EXISTS (SELECT 1 FROM bodies_left WHERE bodies_left.id = bodies.id)
             AND NOT EXISTS (SELECT 1 FROM deliveries WHERE body_id = bodies.id AND duplicate = 1)
             AND NOT EXISTS (SELECT 1 FROM deliveries WHERE receipt = bodies.last_receipt)
         RETURNING coalesce(length(bytes), 0)",
    )?;
    let mut forget = connection.prepare_cached("DELETE FROM bodies_left WHERE id = ?1")?;
    let mut count = 0;
    for (id, brought) in left.bodies.clone() {
        if brought {
            note.execute([id.as_bytes()])?;
        }
        let gone = delete.query_row([id.as_bytes()], |row| columns::count(row, 0)).optional()?;
        if let Some(bytes) = gone {
            forget.execute([id.as_bytes()])?;
            left.body_gone(app, bytes);
            count += 1;
        }
    }
    Ok(count)
}

/// Numbered events of the lease's app that were committed before `before` and are behind every relay, `limit` at most, from
/// behind `from`.
pub(super) fn events(
    connection: &Connection,
    lease: &Lease,
    before: UtcMicros,
    from: Cursor,
    limit: usize,
) -> Result<PurgedEvents> {
    let app = &lease.app;
    let seen: Vec<Seen<u64>> = connection
        .prepare_cached(
            "SELECT number, committed_at < ?2, app = ?1 FROM outbox
             WHERE number > max(?3, coalesce((SELECT number FROM cursors WHERE name = ?4), 0))
                 AND number <= (SELECT min(number) FROM cursors WHERE name = '' OR name LIKE 'relay:%')
             ORDER BY number LIMIT ?5",
        )?
        .query_map(params![app.as_str(), before.0, from.0 as i64, gone_name(app), purging::looked_at(limit)], |row| {
            Ok(Seen { key: columns::count(row, 0)?, old: row.get(1)?, goes: row.get(2)? })
        })?
        .collect::<Result<_>>()?;
    let Choice { go, next } = purging::choose(purging::before_young(&seen), limit);
    let mut delete = connection.prepare_cached("DELETE FROM outbox WHERE number = ?1")?;
    for number in &go {
        delete.execute([*number as i64])?;
    }
    if let Some(last) = go.last() {
        gone_up_to(connection, app, *last)?;
    }
    let mut counted = Tally::default();
    counted.add(app, Sum::Events, -(go.len() as i64));
    tally::write(connection, &counted)?;
    Ok(PurgedEvents { events: go.len() as u64, next: next.map(Cursor) })
}

/// Events of the app up to this number are purged.
fn gone_up_to(connection: &Connection, app: &AppName, number: u64) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO cursors (name, number) VALUES (?1, ?2)
             ON CONFLICT (name) DO UPDATE SET number = max(number, excluded.number)",
        )?
        .execute(params![gone_name(app), number as i64])?;
    Ok(())
}

/// How far events that `filter` wants may be purged: of its app, or of any.
pub(super) fn gone_through(connection: &Connection, filter: &FeedFilter) -> Result<Cursor> {
    let furthest = "SELECT coalesce(max(number), 0) FROM cursors
        WHERE substr(name, 1, length(?1)) = ?1 AND (?2 IS NULL OR name = ?2)";
    let name = filter.app.as_ref().map(gone_name);
    connection.prepare_cached(furthest)?.query_row(params![GONE, name], |row| Ok(Cursor(columns::count(row, 0)?)))
}
