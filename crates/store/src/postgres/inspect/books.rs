//! The books as they stand: marks, refused numbers, and the numbers stored as ranges.

use std::collections::BTreeMap;

use events::SequenceRange;
use uuid::Uuid;

use crate::Books;
use crate::books::{read, union};
use crate::postgres::columns;
use crate::postgres::fault::Fault;
use crate::postgres::session::Session;

/// Every run, newest first, by the deliveries, and by what is noted of those that were purged.
pub(super) async fn all(session: &Session) -> Result<Vec<Books>, Fault> {
    // Consecutive numbers have the same distance from their rank.
    let stored = "SELECT instance, min(sequence), max(sequence) FROM (
            SELECT instance, sequence, sequence - row_number() OVER (PARTITION BY instance ORDER BY sequence) AS island
            FROM (SELECT instance, sequence FROM deliveries
                  UNION SELECT instance, sequence FROM dead_letters WHERE instance IS NOT NULL
                  UNION SELECT instance, sequence FROM discarded) AS numbers) AS islands
        GROUP BY instance, island ORDER BY instance, island";
    let mut stored = ranges(session, stored).await?;
    for (instance, purged) in ranges(session, "SELECT instance, first, through FROM purged").await? {
        let stored = stored.entry(instance).or_default();
        *stored = union(stored.drain(..).chain(purged).collect::<Vec<_>>());
    }
    runs(session, stored).await
}

/// The same by what is booked.
pub(super) async fn booked(session: &Session) -> Result<Vec<Books>, Fault> {
    let letters = "SELECT instance, sequence, sequence FROM dead_letters WHERE instance IS NOT NULL
        UNION ALL SELECT instance, sequence, sequence FROM discarded";
    let mut stored = ranges(session, letters).await?;
    for row in session.query("SELECT instance, numbers FROM booked", &[]).await? {
        let numbers = read(&columns::get::<String>(&row, 1)?).unwrap_or_default();
        stored.entry(columns::get(&row, 0)?).or_default().extend(numbers);
    }
    let stored = stored.into_iter().map(|(instance, ranges)| (instance, union(ranges))).collect();
    runs(session, stored).await
}

async fn runs(session: &Session, mut stored: BTreeMap<Uuid, Vec<SequenceRange>>) -> Result<Vec<Books>, Fault> {
    let mut refused = ranges(session, "SELECT instance, first, through FROM refused ORDER BY instance, first").await?;
    let runs = "SELECT instance, started_at, at, coalesce(recorded_at, at), decided_through, last FROM checkpoints
        ORDER BY started_at DESC NULLS LAST, instance";
    columns::all(&session.query(runs, &[]).await?, |row| {
        let instance: Uuid = columns::get(row, 0)?;
        Ok(Books {
            instance,
            started_at: columns::time_option(row, 1)?,
            marked_at: columns::time_option(row, 2)?,
            recorded_at: columns::time_option(row, 3)?,
            decided_through: columns::count(row, 4)?,
            ended: columns::get(row, 5)?,
            stored: stored.remove(&instance).unwrap_or_default(),
            refused: refused.remove(&instance).unwrap_or_default(),
        })
    })
}

async fn ranges(session: &Session, sql: &str) -> Result<BTreeMap<Uuid, Vec<SequenceRange>>, Fault> {
    let mut ranges: BTreeMap<Uuid, Vec<SequenceRange>> = BTreeMap::new();
    for row in session.query(sql, &[]).await? {
        let range = SequenceRange { from: columns::count(&row, 1)?, through: columns::count(&row, 2)? };
        ranges.entry(columns::get(&row, 0)?).or_default().push(range);
    }
    Ok(ranges)
}
