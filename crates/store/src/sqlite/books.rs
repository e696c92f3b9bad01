//! The books (R8): marks of ingress runs. Idempotent, and in whatever order they come.

use std::collections::BTreeMap;

use events::{Checkpoint, SequenceRange, UtcMicros};
use sqlite::rusqlite::{Connection, Result, params};
use uuid::Uuid;

use super::columns;
use crate::books::{Entry, Numbers, number, read, union, written};

/// Records one mark at `now`, whenever it was made.
pub(super) fn mark(connection: &Connection, mark: &Checkpoint, now: UtcMicros) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO checkpoints (instance, started_at, at, decided_through, last, recorded_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (instance) DO UPDATE SET
                 started_at = excluded.started_at,
                 at = max(coalesce(at, excluded.at), excluded.at),
                 decided_through = max(decided_through, excluded.decided_through),
                 last = max(last, excluded.last),
                 recorded_at = excluded.recorded_at",
        )?
        .execute(params![
            mark.instance.as_bytes(),
            mark.started_at.0,
            mark.at.0,
            number(mark.decided_through),
            mark.last,
            now.0,
        ])?;
    for range in union(mark.refused.iter().copied()) {
        keep(connection, "refused", mark.instance, range)?;
    }
    merge(connection, mark.instance)
}

/// Makes one row of those of a run in `booked`.
fn merge(connection: &Connection, instance: Uuid) -> Result<()> {
    let booked: Vec<String> = connection
        .prepare_cached(
            "DELETE FROM booked WHERE instance = ?1 AND EXISTS (SELECT 1 FROM booked WHERE instance = ?1 LIMIT 1 OFFSET 1)
             RETURNING numbers",
        )?
        .query_map([instance.as_bytes()], |row| row.get(0))?
        .collect::<Result<_>>()?;
    if booked.is_empty() {
        return Ok(());
    }
    let numbers = written(&union(booked.iter().filter_map(|numbers| read(numbers)).flatten()));
    connection
        .prepare_cached("INSERT INTO booked (instance, numbers) VALUES (?1, ?2)")?
        .execute(params![instance.as_bytes(), numbers])?;
    Ok(())
}

/// Numbers of deliveries that are purged go on counting as stored.
pub(super) fn purged(connection: &Connection, numbers: &BTreeMap<Uuid, Numbers>) -> Result<()> {
    for (instance, numbers) in numbers {
        for range in numbers.ranges() {
            keep(connection, "purged", *instance, range)?;
        }
    }
    Ok(())
}

/// Keeps one range in `table`, merged with those that it overlaps or touches.
fn keep(connection: &Connection, table: &str, instance: Uuid, range: SequenceRange) -> Result<()> {
    let key = params![instance.as_bytes(), number(range.from), number(range.through)];
    let mut ranges = vec![range];
    {
        // Kept ranges do not overlap: of those that begin before this one, only the last can reach it.
        let mut statement = connection.prepare_cached(&format!(
            "SELECT first, through FROM {table}
             WHERE instance = ?1 AND first <= ?3 + 1 AND through >= ?2 - 1
               AND first >= coalesce((SELECT max(first) FROM {table} WHERE instance = ?1 AND first <= ?2), ?2)"
        ))?;
        let neighbours = statement.query_map(key, |row| {
            Ok(SequenceRange { from: columns::count(row, 0)?, through: columns::count(row, 1)? })
        })?;
        for neighbour in neighbours {
            ranges.push(neighbour?);
        }
    }
    let mut delete = connection.prepare_cached(&format!("DELETE FROM {table} WHERE instance = ?1 AND first = ?2"))?;
    for neighbour in ranges.iter().skip(1) {
        delete.execute(params![instance.as_bytes(), number(neighbour.from)])?;
    }
    let insert = format!("INSERT INTO {table} (instance, first, through) VALUES (?1, ?2, ?3)");
    let mut insert = connection.prepare_cached(&insert)?;
    for range in union(ranges) {
        insert.execute(params![instance.as_bytes(), number(range.from), number(range.through)])?;
    }
    Ok(())
}

/// What the webhooks of a batch add to the books.
pub(super) fn told(connection: &Connection, told: &BTreeMap<Uuid, Entry>) -> Result<()> {
    let mut book = connection.prepare_cached("INSERT INTO booked (instance, numbers) VALUES (?1, ?2)")?;
    let mut statement = connection.prepare_cached(
        "INSERT INTO checkpoints (instance, told_through) VALUES (?1, ?2)
         ON CONFLICT (instance) DO UPDATE SET told_through = excluded.told_through
         WHERE told_through < excluded.told_through",
    )?;
    for (instance, entry) in told {
        statement.execute(params![instance.as_bytes(), entry.told_through])?;
        book.execute(params![instance.as_bytes(), written(&entry.numbers.ranges())])?;
    }
    Ok(())
}
