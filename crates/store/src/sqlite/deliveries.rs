//! Recording deliveries: bodies, deliveries, hints and sums of a batch, in one order of tables and each in key order (R12).

use std::collections::{BTreeMap, BTreeSet};

use events::{AppName, UtcMicros};
use sqlite::rusqlite::{Connection, Result as SqlResult, params};
use uuid::Uuid;

use super::fault::{Fault, blames_the_values};
use super::{books, hints, keys, tally};
use crate::recording::{self, Prepared};
use crate::tally::{Sum, Tally};
use crate::{Reading, Recorded, StoreError};

/// Records a batch.
pub(super) fn record(connection: &Connection, rows: &[Prepared], body_bytes_max: u64) -> Result<Vec<Recorded>, Fault> {
    let mut tally = Tally::default();
    note_apps(connection, rows)?;
    let known_bodies = keep_bodies(connection, rows, body_bytes_max, &mut tally)?;
    let recorded = keep_deliveries(connection, rows, &known_bodies, &mut tally)?;
    let fresh = recording::fresh(rows, &recorded);
    hints::raise(connection, &recording::tellings(&fresh))?;
    for ((app, kid), (count, since)) in recording::waiting(&fresh) {
        keys::wait(connection, app, kid, count, since)?;
    }
    books::told(connection, &recording::told(rows))?;
    tally::write(connection, &tally)?;
    Ok(recorded)
}

/// The app is known from its first webhook on.
fn note_apps(connection: &Connection, rows: &[Prepared]) -> SqlResult<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO apps (app, last_webhook_at) VALUES (?1, ?2)
         ON CONFLICT (app) DO UPDATE SET
             last_webhook_at = max(coalesce(last_webhook_at, excluded.last_webhook_at), excluded.last_webhook_at)",
    )?;
    for (app, at) in recording::newest_by_app(rows) {
        statement.execute(params![app.as_str(), at.0])?;
    }
    Ok(())
}

/// Keeps each body once; answers, row by row, whether it was there before. Beyond the app's budget only its hash is kept.
fn keep_bodies(
    connection: &Connection,
    rows: &[Prepared],
    bytes_max: u64,
    tally: &mut Tally,
) -> Result<Vec<bool>, Fault> {
    let mut budgets = budgets(connection, rows, bytes_max)?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO bodies (id, app, sha256, size, bytes, tells, last_receipt) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (id) DO NOTHING",
    )?;
    let mut again =
        connection.prepare_cached("UPDATE bodies SET last_receipt = ?2 WHERE id = ?1 AND last_receipt < ?2")?;
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by_key(|&index| rows[index].body_id);
    let mut known = vec![false; rows.len()];
    for index in order {
        let Prepared { reading, body_id, tells, .. } = &rows[index];
        let webhook = &reading.webhook;
        let size = webhook.body.len() as u64;
        let left = budgets.entry(webhook.app.clone()).or_default();
        let kept = size <= *left;
        let inserted = insert
            .execute(params![
                body_id,
                webhook.app.as_str(),
                webhook.body_sha256.0,
                size as i64,
                kept.then_some(&webhook.body[..]),
                tells,
                webhook.receipt.0.as_bytes(),
            ])
            .map_err(|error| culprit(reading, error))?;
        if inserted == 0 {
            known[index] = true;
            again.execute(params![body_id, webhook.receipt.0.as_bytes()])?;
        } else {
            tally.add(&webhook.app, Sum::Bodies, 1);
            if kept {
                *left -= size;
                tally.add(&webhook.app, Sum::BodyBytes, size as i64);
            }
        }
    }
    Ok(known)
}

/// Bytes that each app's bodies may still take.
fn budgets(connection: &Connection, rows: &[Prepared], bytes_max: u64) -> SqlResult<BTreeMap<AppName, u64>> {
    let apps: BTreeSet<_> = rows.iter().map(|row| &row.reading.webhook.app).collect();
    apps.into_iter()
        .map(|app| {
            let used = tally::of_app(connection, app.as_str(), Sum::BodyBytes)?;
            Ok((app.clone(), bytes_max.saturating_sub(used)))
        })
        .collect()
}

/// Keeps each delivery once.
fn keep_deliveries(
    connection: &Connection,
    rows: &[Prepared],
    known_bodies: &[bool],
    tally: &mut Tally,
) -> Result<Vec<Recorded>, Fault> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO deliveries (receipt, app, instance, sequence, received_at, verification, binds_body, kid, signature,
             body_id, token, duplicate, content_type, recorded_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
         ON CONFLICT (receipt) DO NOTHING",
    )?;
    let now = UtcMicros::now();
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by_key(|&index| rows[index].reading.webhook.receipt);
    let mut recorded = vec![Recorded::Redelivered; rows.len()];
    for index in order {
        let Prepared { reading, sequence, body_id, .. } = &rows[index];
        let webhook = &reading.webhook;
        let kid = webhook.verification.kid();
        let duplicate = known_bodies[index];
        let inserted = statement
            .execute(params![
                webhook.receipt.0.as_bytes(),
                webhook.app.as_str(),
                webhook.instance.as_bytes(),
                sequence,
                webhook.received_at.0,
                webhook.verification.word(),
                webhook.verification.binds_body(),
                kid.as_ref().map(Uuid::as_bytes),
                recording::signature(webhook),
                body_id,
                crate::hints::first_token(&reading.tells),
                duplicate,
                webhook.content_type,
                now.0,
            ])
            .map_err(|error| culprit(reading, error))?;
        if inserted == 0 {
            continue;
        }
        recorded[index] = recording::recorded(duplicate);
        recording::count(tally, webhook, duplicate);
    }
    Ok(recorded)
}

/// Names the reading where its values are to blame.
fn culprit(reading: &Reading, error: sqlite::rusqlite::Error) -> Fault {
    if blames_the_values(&error) {
        StoreError::Culprit(reading.webhook.receipt, error.to_string()).into()
    } else {
        error.into()
    }
}
