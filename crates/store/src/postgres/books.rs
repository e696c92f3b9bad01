//! The books (R8): marks of ingress runs. Idempotent, and in whatever order they come.

use std::collections::BTreeMap;

use events::{Checkpoint, SequenceRange};
use uuid::Uuid;

use super::columns;
use super::fault::Fault;
use super::session::Session;
use crate::books::{Entry, Numbers, number, read, union, written};

/// What the webhooks of a batch add to the books.
pub(super) const TOLD: &str = "
    WITH booked AS (INSERT INTO booked (instance, numbers) SELECT * FROM unnest($1::uuid[], $3::text[]))
    INSERT INTO told (stripe, instance, through)
    SELECT pg_backend_pid() % 64, * FROM unnest($1::uuid[], $2::bigint[])
    ON CONFLICT (instance, stripe) DO UPDATE SET through = excluded.through WHERE told.through < excluded.through";

pub(super) async fn told(session: &Session, told: &BTreeMap<Uuid, Entry>) -> Result<(), Fault> {
    let instances: Vec<_> = told.keys().copied().collect();
    let through: Vec<_> = told.values().map(|entry| entry.told_through).collect();
    let numbers: Vec<_> = told.values().map(|entry| written(&entry.numbers.ranges())).collect();
    session.execute(TOLD, &[&instances, &through, &numbers]).await?;
    Ok(())
}

/// Records marks, run by run.
pub(super) async fn mark(session: &Session, marks: &[Checkpoint]) -> Result<(), Fault> {
    let mut runs: BTreeMap<Uuid, Vec<&Checkpoint>> = BTreeMap::new();
    for mark in marks {
        runs.entry(mark.instance).or_default().push(mark);
    }
    for (instance, marks) in runs {
        let (started, at): (Vec<_>, Vec<_>) = marks.iter().map(|mark| (mark.started_at.0, mark.at.0)).unzip();
        let through: Vec<_> = marks.iter().map(|mark| number(mark.decided_through)).collect();
        let last = marks.iter().any(|mark| mark.last);
        // The row of the run is locked by it: whoever merges its ranges does so alone.
        session
            .execute(
                "INSERT INTO checkpoints (instance, started_at, at, decided_through, last, recorded_at)
                 SELECT $1, max(started_at), max(at), max(through), $5,
                     (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
                 FROM unnest($2::bigint[], $3::bigint[], $4::bigint[]) AS marks (started_at, at, through)
                 ON CONFLICT (instance) DO UPDATE SET
                     started_at = excluded.started_at,
                     at = greatest(checkpoints.at, excluded.at),
                     decided_through = greatest(checkpoints.decided_through, excluded.decided_through),
                     last = checkpoints.last OR excluded.last,
                     recorded_at = excluded.recorded_at",
                &[&instance, &started, &at, &through, &last],
            )
            .await?;
        let refused = union(marks.iter().flat_map(|mark| mark.refused.iter().copied()));
        if !refused.is_empty() {
            keep(session, "refused", instance, refused).await?;
        }
        merge(session, instance).await?;
    }
    Ok(())
}

/// Makes one row of those of a run in `booked`.
async fn merge(session: &Session, instance: Uuid) -> Result<(), Fault> {
    let booked = session
        .query(
            "DELETE FROM booked WHERE instance = $1 AND EXISTS (SELECT FROM booked WHERE instance = $1 LIMIT 1 OFFSET 1)
             RETURNING numbers",
            &[&instance],
        )
        .await?;
    if booked.is_empty() {
        return Ok(());
    }
    let booked: Vec<String> = columns::all(&booked, |row| columns::get(row, 0))?;
    let numbers = written(&union(booked.iter().filter_map(|numbers| read(numbers)).flatten()));
    session.execute("INSERT INTO booked (instance, numbers) VALUES ($1, $2)", &[&instance, &numbers]).await?;
    Ok(())
}

/// Numbers of deliveries that are purged go on counting as stored. Whoever purges is alone.
pub(super) async fn purged(session: &Session, numbers: &BTreeMap<Uuid, Numbers>) -> Result<(), Fault> {
    for (instance, numbers) in numbers {
        keep(session, "purged", *instance, numbers.ranges()).await?;
    }
    Ok(())
}

/// Keeps ranges in `table`, merged with those that they overlap or touch.
async fn keep(session: &Session, table: &str, instance: Uuid, mut ranges: Vec<SequenceRange>) -> Result<(), Fault> {
    let (first, through) = bounds(&ranges);
    // Kept ranges do not overlap: of those that begin before a new one, only the last can reach it.
    let merge = format!(
        "DELETE FROM {table} AS old USING unnest($2::bigint[], $3::bigint[]) AS fresh (first, through)
         WHERE old.instance = $1 AND old.first <= fresh.through + 1 AND old.through >= fresh.first - 1
           AND old.first >= coalesce((SELECT max(kept.first) FROM {table} AS kept
               WHERE kept.instance = $1 AND kept.first <= fresh.first), fresh.first)
         RETURNING old.first, old.through"
    );
    let neighbours = session.query(&merge, &[&instance, &first, &through]).await?;
    for row in &neighbours {
        ranges.push(SequenceRange { from: columns::count(row, 0)?, through: columns::count(row, 1)? });
    }
    let (first, through) = bounds(&union(ranges));
    let insert =
        format!("INSERT INTO {table} (instance, first, through) SELECT $1, * FROM unnest($2::bigint[], $3::bigint[])");
    session.execute(&insert, &[&instance, &first, &through]).await?;
    Ok(())
}

fn bounds(ranges: &[SequenceRange]) -> (Vec<i64>, Vec<i64>) {
    ranges.iter().map(|range| (number(range.from), number(range.through))).unzip()
}
