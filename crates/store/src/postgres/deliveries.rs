//! Recording deliveries: bodies, deliveries, hints and sums of a batch (R12) in two round trips: a look at what is there, then
//! all that is to be written, and the commit right behind it.
//!
//! What two transactions record at the same time neither of them sees. The later one then fails on a key (see
//! [`Fault::is_race`]) and is done again [`ALONE`]. Whoever removes bodies or deliveries (`purging.rs`) is alone too:
//! what a look has found must not go.

use std::collections::BTreeSet;

use events::AppName;
use uuid::Uuid;

use super::fault::Fault;
use super::plan::{Body, Deliveries, Plan, There};
use super::session::{Session, Value};
use super::together::{both, three};
use super::{books, columns, hints, keys, tally};
use crate::hints::{first_token, targets};
use crate::recording::{self, Prepared};
use crate::tally::Sum;
use crate::{Recorded, StoreError};

/// Beside others that record. A table that was empty when a plan was made may be large when the plan is used: no plan here
/// reads a table from end to end.
pub(super) const AMONG_OTHERS: &str =
    "BEGIN; SET LOCAL enable_seqscan = off; SELECT pg_advisory_xact_lock_shared(x'66696e6c696e7264'::bigint)";

/// While nobody else records: what is seen stays as it is.
pub(super) const ALONE: &str =
    "BEGIN; SET LOCAL enable_seqscan = off; SELECT pg_advisory_xact_lock(x'66696e6c696e7264'::bigint)";

/// What is to be recorded.
pub(super) struct Batch {
    pub(super) rows: Vec<Prepared>,
    /// Bodies kept per app, in bytes.
    pub(super) body_bytes_max: u64,
    /// Everything but the commit; ends with [`Fault::Trial`].
    pub(super) trial: bool,
}

const APPS: &str = "
    SELECT asked.app, EXISTS (SELECT FROM apps WHERE apps.app = asked.app),
        (SELECT coalesce(sum(value), 0)::bigint FROM counters WHERE counters.app = asked.app AND name = $2)
    FROM unnest($1::text[]) AS asked (app)";

const THERE: &str = "
    SELECT id, TRUE FROM bodies WHERE id = ANY ($1::uuid[])
    UNION ALL SELECT receipt, FALSE FROM deliveries WHERE receipt = ANY ($2::uuid[])";

const KEEP_BODIES: &str = "
    INSERT INTO bodies (id, app, sha256, size, bytes, tells, last_receipt)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::bytea[], $4::bigint[], $5::bytea[], $6::text[], $7::uuid[])";

const REFER_AGAIN: &str = "
    WITH again AS MATERIALIZED (
        SELECT id, receipt FROM bodies JOIN unnest($1::uuid[], $2::uuid[]) AS given (id, receipt) USING (id)
        WHERE last_receipt < receipt ORDER BY id FOR NO KEY UPDATE OF bodies)
    UPDATE bodies SET last_receipt = greatest(last_receipt, receipt) FROM again WHERE bodies.id = again.id";

const KEEP_DELIVERIES: &str = "
    INSERT INTO deliveries (receipt, app, instance, sequence, received_at, verification, binds_body, kid, signature,
        body_id, token, duplicate, content_type)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::bigint[], $5::bigint[], $6::text[], $7::boolean[],
        $8::uuid[], $9::text[], $10::uuid[], $11::text[], $12::boolean[], $13::text[])";

const NOTE_ARRIVALS: &str = "
    INSERT INTO arrivals (stripe, app, last_webhook_at)
    SELECT pg_backend_pid() % 64, * FROM unnest($1::text[], $2::bigint[])
    ON CONFLICT (stripe, app) DO UPDATE SET last_webhook_at = greatest(arrivals.last_webhook_at, excluded.last_webhook_at)";

const NOTE_APPS: &str = "INSERT INTO apps (app) SELECT * FROM unnest($1::text[]) ON CONFLICT (app) DO NOTHING";

/// What may be sent together.
const STATEMENTS: [&str; 12] = [
    APPS,
    hints::KNOWN,
    THERE,
    REFER_AGAIN,
    KEEP_BODIES,
    KEEP_DELIVERIES,
    keys::WAIT,
    hints::RAISE,
    books::TOLD,
    tally::CHANGE,
    NOTE_ARRIVALS,
    NOTE_APPS,
];

/// Names a reading that PostgreSQL has no text for.
pub(super) fn check(rows: &[Prepared]) -> Result<(), StoreError> {
    for Prepared { reading, .. } in rows {
        let webhook = &reading.webhook;
        let texts = [webhook.content_type.as_deref(), recording::signature(webhook)];
        if texts.into_iter().flatten().any(|text| text.contains('\0')) {
            let why = "its content type or its signature has a NUL character";
            return Err(StoreError::Culprit(webhook.receipt, why.to_owned()));
        }
    }
    Ok(())
}

/// Records a batch and commits. Answers in the order of its rows.
pub(super) async fn record(session: &Session, batch: &Batch) -> Result<Vec<Recorded>, Fault> {
    session.prepare(&STATEMENTS).await?;
    let Batch { rows, body_bytes_max, trial } = batch;
    let readings: Vec<_> = rows.iter().map(|row| &row.reading).collect();
    let all = recording::tellings(&readings);
    let (apps, known, there) = three(apps(session, rows), hints::known(session, &all), there(session, rows)).await?;
    let budgets = apps.iter().map(|app| (&app.name, body_bytes_max.saturating_sub(app.body_bytes))).collect();
    let plan = Plan::new(rows, &there, budgets);
    let (waiting, raised) = (recording::waiting(&plan.fresh), targets(&recording::tellings(&plan.fresh), known));
    let told = recording::told(rows);
    let last = async {
        let bodies = both(refer_again(session, &plan.again), keep_bodies(session, &plan.bodies));
        let kept = both(bodies, keep_deliveries(session, &plan.deliveries));
        let hints = both(keys::wait(session, &waiting), hints::raise(session, &raised));
        let sums = both(books::told(session, &told), tally::write(session, &plan.counted));
        three(kept, hints, both(sums, note_arrivals(session, rows, &apps))).await
    };
    if *trial {
        last.await?;
        return Err(Fault::Trial);
    }
    Box::pin(session.commit_with(last)).await?;
    Ok(plan.recorded)
}

/// An app as it is before the batch.
struct App {
    name: AppName,
    is_known: bool,
    body_bytes: u64,
}

async fn apps(session: &Session, rows: &[Prepared]) -> Result<Vec<App>, Fault> {
    let apps: BTreeSet<_> = rows.iter().map(|row| row.reading.webhook.app.as_str()).collect();
    let apps: Vec<_> = apps.into_iter().collect();
    columns::all(&session.query(APPS, &[&apps, &Sum::BodyBytes.name()]).await?, |row| {
        Ok(App { name: columns::parsed(row, 0)?, is_known: columns::get(row, 1)?, body_bytes: columns::count(row, 2)? })
    })
}

/// Which bodies and deliveries of the batch are there.
async fn there(session: &Session, rows: &[Prepared]) -> Result<There, Fault> {
    let bodies: BTreeSet<_> = rows.iter().map(|row| Uuid::from_bytes(row.body_id)).collect();
    let receipts: BTreeSet<_> = rows.iter().map(|row| row.reading.webhook.receipt.0).collect();
    let (bodies, receipts): (Vec<_>, Vec<_>) = (bodies.into_iter().collect(), receipts.into_iter().collect());
    let mut there = There::default();
    for row in session.query(THERE, &[&bodies, &receipts]).await? {
        let found = if columns::get(&row, 1)? { &mut there.bodies } else { &mut there.receipts };
        found.insert(columns::get(&row, 0)?);
    }
    Ok(there)
}

/// Bodies that were kept before are referred to by a newer delivery.
async fn refer_again(session: &Session, again: &[(Uuid, Uuid)]) -> Result<(), Fault> {
    if again.is_empty() {
        return Ok(());
    }
    let (ids, receipts): (Vec<_>, Vec<_>) = again.iter().copied().unzip();
    session.execute(REFER_AGAIN, &[&ids, &receipts]).await?;
    Ok(())
}

async fn keep_bodies(session: &Session, bodies: &[Body<'_>]) -> Result<(), Fault> {
    if bodies.is_empty() {
        return Ok(());
    }
    let webhooks: Vec<_> = bodies.iter().map(|body| &body.row.reading.webhook).collect();
    let ids: Vec<_> = bodies.iter().map(|body| body.id).collect();
    let apps: Vec<_> = webhooks.iter().map(|webhook| webhook.app.as_str()).collect();
    let hashes: Vec<_> = webhooks.iter().map(|webhook| &webhook.body_sha256.0[..]).collect();
    let sizes: Vec<_> = webhooks.iter().map(|webhook| webhook.body.len() as i64).collect();
    let kept: Vec<_> = bodies.iter().map(|body| body.kept).collect();
    let tells: Vec<_> = bodies.iter().map(|body| body.row.tells.as_str()).collect();
    let newest: Vec<_> = bodies.iter().map(|body| body.newest).collect();
    session.execute(KEEP_BODIES, &[&ids, &apps, &hashes, &sizes, &kept, &tells, &newest]).await?;
    Ok(())
}

async fn keep_deliveries(session: &Session, deliveries: &Deliveries<'_>) -> Result<(), Fault> {
    if deliveries.is_empty() {
        return Ok(());
    }
    let receipts: Vec<_> = deliveries.keys().copied().collect();
    let duplicates: Vec<_> = deliveries.values().map(|(_, duplicate)| *duplicate).collect();
    let rows: Vec<_> = deliveries.values().map(|(row, _)| *row).collect();
    let webhooks: Vec<_> = rows.iter().map(|row| &row.reading.webhook).collect();
    let apps: Vec<_> = webhooks.iter().map(|webhook| webhook.app.as_str()).collect();
    let instances: Vec<_> = webhooks.iter().map(|webhook| webhook.instance).collect();
    let sequences: Vec<_> = rows.iter().map(|row| row.sequence).collect();
    let received: Vec<_> = webhooks.iter().map(|webhook| webhook.received_at.0).collect();
    let words: Vec<_> = webhooks.iter().map(|webhook| webhook.verification.word()).collect();
    let bound: Vec<_> = webhooks.iter().map(|webhook| webhook.verification.binds_body()).collect();
    let kids: Vec<_> = webhooks.iter().map(|webhook| webhook.verification.kid()).collect();
    let signatures: Vec<_> = webhooks.iter().map(|webhook| recording::signature(webhook)).collect();
    let bodies: Vec<_> = rows.iter().map(|row| Uuid::from_bytes(row.body_id)).collect();
    let tokens: Vec<_> = rows.iter().map(|row| first_token(&row.reading.tells)).collect();
    let types: Vec<_> = webhooks.iter().map(|webhook| webhook.content_type.as_deref()).collect();
    let values: [Value<'_>; 13] = [
        &receipts,
        &apps,
        &instances,
        &sequences,
        &received,
        &words,
        &bound,
        &kids,
        &signatures,
        &bodies,
        &tokens,
        &duplicates,
        &types,
    ];
    session.execute(KEEP_DELIVERIES, &values).await?;
    Ok(())
}

/// When the newest webhook of each app came; an app is known from its first one on.
async fn note_arrivals(session: &Session, rows: &[Prepared], apps: &[App]) -> Result<(), Fault> {
    let newest = recording::newest_by_app(rows);
    let (names, newest): (Vec<_>, Vec<_>) = newest.iter().map(|(app, at)| (app.as_str(), at.0)).unzip();
    let unknown: Vec<_> = apps.iter().filter(|app| !app.is_known).map(|app| app.name.as_str()).collect();
    let values: [Value<'_>; 2] = [&names, &newest];
    let arrivals = session.execute(NOTE_ARRIVALS, &values);
    let note_unknown = async { if unknown.is_empty() { Ok(0) } else { session.execute(NOTE_APPS, &[&unknown]).await } };
    both(arrivals, note_unknown).await?;
    Ok(())
}
