//! Sums for gauges: counters, and counts over indexes that hold only what waits. Meant for every few seconds.

use events::{AppName, UtcMicros};
use sqlite::rusqlite::{Connection, Result, Row};

use crate::sqlite::columns;
use crate::{OVERDUE_COUNTS_AFTER, RUN_HEARD_WITHIN, RUNS_HEARD_MAX, Totals};

pub(super) fn read(connection: &Connection, now: UtcMicros) -> Result<Totals> {
    let mut totals = Totals::default();
    each(connection, "SELECT app, name, word, value FROM counters", |row| {
        let (app, name, word): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        totals.take_counter(&app, &name, &word, row.get(3)?);
        Ok(())
    })?;
    each(
        connection,
        "SELECT app, status, deleted_at IS NOT NULL, count(*) FROM connections GROUP BY app, status, 3",
        |row| {
            totals.take_connections(columns::parsed(row, 0)?, row.get(1)?, row.get(2)?, columns::count(row, 3)?);
            Ok(())
        },
    )?;
    each(connection, "SELECT app, swept_at, last_webhook_at FROM apps", |row| {
        let app: AppName = columns::parsed(row, 0)?;
        totals.swept_at.extend(columns::time_option(row, 1)?.map(|at| (app.clone(), at)));
        totals.last_webhook_at.extend(columns::time_option(row, 2)?.map(|at| (app, at)));
        Ok(())
    })?;
    each(connection, "SELECT app, count(*) FROM connections WHERE deletion_held_at IS NOT NULL GROUP BY app", |row| {
        totals.deletions_held.insert(columns::parsed(row, 0)?, columns::count(row, 1)?);
        Ok(())
    })?;
    read_heard(connection, now, &mut totals)?;
    read_waiting(connection, now, &mut totals)?;
    Ok(totals)
}

/// What waits, and since when.
fn read_waiting(connection: &Connection, now: UtcMicros, totals: &mut Totals) -> Result<()> {
    each(connection, "SELECT count(*), min(committed_at) FROM outbox WHERE number IS NULL", |row| {
        totals.events_unnumbered = columns::count(row, 0)?;
        totals.outbox_oldest_at = columns::time_option(row, 1)?;
        Ok(())
    })?;
    each(connection, "SELECT count(*), min(hinted_at) FROM refreshes WHERE hinted_at IS NOT NULL", |row| {
        totals.hints_unanswered = columns::count(row, 0)?;
        totals.hint_oldest_at = columns::time_option(row, 1)?;
        Ok(())
    })?;
    let overdue = "SELECT min((SELECT min(claimable_at) FROM refreshes
        WHERE refreshes.app = apps.app AND claimable_at IS NOT NULL)) FROM apps";
    each(connection, overdue, |row| {
        totals.overdue_since = columns::time_option(row, 0)?.filter(|at| *at <= now);
        Ok(())
    })?;
    read_overdue(connection, now, totals)?;
    each(connection, "SELECT count(*) FROM gaps WHERE closed_at IS NULL", |row| {
        totals.gaps_open = columns::count(row, 0)?;
        Ok(())
    })?;
    each(connection, "SELECT coalesce(max(recorded_at), max(at)) FROM checkpoints", |row| {
        totals.checkpoint_at = columns::time_option(row, 0)?;
        Ok(())
    })
}

fn read_heard(connection: &Connection, now: UtcMicros, totals: &mut Totals) -> Result<()> {
    let mut statement = connection.prepare_cached(
        "SELECT instance, recorded_at FROM checkpoints WHERE NOT last AND recorded_at > ?1
         ORDER BY recorded_at DESC LIMIT ?2",
    )?;
    let mut rows = statement.query([now.minus(RUN_HEARD_WITHIN).0, RUNS_HEARD_MAX as i64])?;
    while let Some(row) = rows.next()? {
        totals.checkpoints.insert(columns::uuid(row, 0)?, columns::time(row, 1)?);
    }
    Ok(())
}

fn read_overdue(connection: &Connection, now: UtcMicros, totals: &mut Totals) -> Result<()> {
    let mut statement = connection.prepare_cached(
        "SELECT app, (SELECT count(*) FROM refreshes
             WHERE refreshes.app = apps.app AND claimable_at IS NOT NULL AND claimable_at < ?1 AND token <> '') FROM apps",
    )?;
    let mut rows = statement.query([now.minus(OVERDUE_COUNTS_AFTER).0])?;
    while let Some(row) = rows.next()? {
        totals.overdue.insert(columns::parsed(row, 0)?, columns::count(row, 1)?);
    }
    Ok(())
}

fn each(connection: &Connection, sql: &str, mut take: impl FnMut(&Row<'_>) -> Result<()>) -> Result<()> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        take(row)?;
    }
    Ok(())
}
