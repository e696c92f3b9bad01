//! The books as they stand: marks, refused numbers, and the numbers stored as ranges.

use std::collections::BTreeMap;

use events::{SequenceRange, UtcMicros};
use sqlite::rusqlite::{Connection, Result};
use uuid::Uuid;

use crate::Books;
use crate::books::{Numbers, read, union};
use crate::sqlite::columns;

/// Every run, newest first, by the deliveries, and by what is noted of those that were purged.
pub(super) fn all(connection: &Connection) -> Result<Vec<Books>> {
    runs(connection, stored(connection)?)
}

/// The same by what is booked.
pub(super) fn booked(connection: &Connection) -> Result<Vec<Books>> {
    let mut stored: BTreeMap<Uuid, Vec<SequenceRange>> = BTreeMap::new();
    let mut statement = connection.prepare_cached("SELECT instance, numbers FROM booked")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let numbers = read(&row.get::<_, String>(1)?).unwrap_or_default();
        stored.entry(columns::uuid(row, 0)?).or_default().extend(numbers);
    }
    for (instance, numbers) in numbers(connection, &LETTERS)? {
        stored.entry(instance).or_default().extend(numbers);
    }
    runs(connection, stored.into_iter().map(|(instance, ranges)| (instance, union(ranges))).collect())
}

fn runs(connection: &Connection, mut stored: BTreeMap<Uuid, Vec<SequenceRange>>) -> Result<Vec<Books>> {
    let mut refused = ranges(connection, "SELECT instance, first, through FROM refused ORDER BY instance, first")?;
    let mut runs = connection.prepare_cached(
        "SELECT instance, started_at, at, coalesce(recorded_at, at), decided_through, last FROM checkpoints ORDER BY started_at DESC, instance",
    )?;
    let books = runs.query_map([], |row| {
        let instance = columns::uuid(row, 0)?;
        Ok(Books {
            instance,
            started_at: row.get::<_, Option<i64>>(1)?.map(UtcMicros),
            marked_at: row.get::<_, Option<i64>>(2)?.map(UtcMicros),
            recorded_at: row.get::<_, Option<i64>>(3)?.map(UtcMicros),
            decided_through: columns::count(row, 4)?,
            ended: row.get(5)?,
            stored: stored.remove(&instance).unwrap_or_default(),
            refused: refused.remove(&instance).unwrap_or_default(),
        })
    })?;
    books.collect()
}

/// The numbers stored, as ranges. Gathered here rather than by SQL: a window over all deliveries is sorted in memory, and this
/// takes memory for each hole only, since deliveries come nearly in the order of their numbers.
fn stored(connection: &Connection) -> Result<BTreeMap<Uuid, Vec<SequenceRange>>> {
    let [letters, discarded] = LETTERS;
    let mut stored = numbers(connection, &["SELECT instance, sequence FROM deliveries", letters, discarded])?;
    for (instance, purged) in ranges(connection, "SELECT instance, first, through FROM purged")? {
        let stored = stored.entry(instance).or_default();
        *stored = union(stored.drain(..).chain(purged).collect::<Vec<_>>());
    }
    Ok(stored)
}

/// What counts as stored without being a delivery.
const LETTERS: [&str; 2] = [
    "SELECT instance, sequence FROM dead_letters WHERE instance IS NOT NULL",
    "SELECT instance, sequence FROM discarded",
];

fn numbers(connection: &Connection, queries: &[&str]) -> Result<BTreeMap<Uuid, Vec<SequenceRange>>> {
    let mut numbers: BTreeMap<Uuid, Numbers> = BTreeMap::new();
    for sql in queries {
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            numbers.entry(columns::uuid(row, 0)?).or_default().add(columns::count(row, 1)?);
        }
    }
    Ok(numbers.into_iter().map(|(instance, numbers)| (instance, numbers.ranges())).collect())
}

fn ranges(connection: &Connection, sql: &str) -> Result<BTreeMap<Uuid, Vec<SequenceRange>>> {
    let mut ranges: BTreeMap<Uuid, Vec<SequenceRange>> = BTreeMap::new();
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let range = SequenceRange { from: columns::count(row, 1)?, through: columns::count(row, 2)? };
        ranges.entry(columns::uuid(row, 0)?).or_default().push(range);
    }
    Ok(ranges)
}
