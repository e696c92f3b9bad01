//! Recording deliveries: bodies, deliveries, hints and sums of a batch (R12) in four round trips, the last of which commits.

use std::collections::{BTreeMap, BTreeSet};

use events::AppName;
use futures_util::future::{try_join, try_join3};
use uuid::Uuid;

use super::fault::Fault;
use super::session::Session;
use super::{books, columns, hints, keys, tally};
use crate::hints::{first_token, targets};
use crate::recording::{self, Prepared};
use crate::tally::{Sum, Tally};
use crate::{Recorded, StoreError};

/// What is to be recorded.
pub(super) struct Batch {
    pub(super) rows: Vec<Prepared>,
    /// Bodies kept per app, in bytes.
    pub(super) body_bytes_max: u64,
    /// Everything but the commit; ends with [`Fault::Trial`].
    pub(super) trial: bool,
}

const USED: &str = "
    SELECT app, sum(value)::bigint FROM counters WHERE app = ANY ($1::text[]) AND name = $2 GROUP BY app";

/// `xmax` is nought in a row that was not there before.
const KEEP_BODIES: &str = "
    INSERT INTO bodies (id, app, sha256, size, bytes, tells, last_receipt)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::bytea[], $4::bigint[], $5::bytea[], $6::text[], $7::uuid[])
    ON CONFLICT (id) DO UPDATE SET last_receipt = excluded.last_receipt
        WHERE bodies.last_receipt < excluded.last_receipt
    RETURNING id, xmax = 0";

const KEEP_DELIVERIES: &str = "
    INSERT INTO deliveries (receipt, app, instance, sequence, received_at, verification, binds_body, kid, signature,
        body_id, token, duplicate, content_type)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::bigint[], $5::bigint[], $6::text[], $7::boolean[],
        $8::uuid[], $9::text[], $10::uuid[], $11::text[], $12::boolean[], $13::text[])
    ON CONFLICT (receipt) DO NOTHING
    RETURNING receipt";

const NOTE_ARRIVALS: &str = "
    INSERT INTO arrivals (stripe, app, last_webhook_at)
    SELECT pg_backend_pid() % 64, * FROM unnest($1::text[], $2::bigint[])
    ON CONFLICT (stripe, app) DO UPDATE SET last_webhook_at = greatest(arrivals.last_webhook_at, excluded.last_webhook_at)";

const NOTE_APPS: &str = "INSERT INTO apps (app) SELECT * FROM unnest($1::text[]) ON CONFLICT (app) DO NOTHING";

/// What may be sent together.
const STATEMENTS: [&str; 9] = [
    USED,
    hints::KNOWN,
    KEEP_BODIES,
    KEEP_DELIVERIES,
    keys::WAIT,
    hints::RAISE,
    books::TOLD,
    tally::CHANGE,
    NOTE_ARRIVALS,
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
    session.prepare(&[NOTE_APPS]).await?;
    let Batch { rows, body_bytes_max, trial } = batch;
    let readings: Vec<_> = rows.iter().map(|row| &row.reading).collect();
    let all = recording::tellings(&readings);
    let (budgets, known) = try_join(budgets(session, rows, *body_bytes_max), hints::known(session, &all)).await?;
    let mut counted = Tally::default();
    let new_bodies = keep_bodies(session, rows, budgets, &mut counted).await?;
    let recorded = keep_deliveries(session, rows, new_bodies, &mut counted).await?;
    let fresh = recording::fresh(rows, &recorded);
    let (waiting, raised) = (recording::waiting(&fresh), targets(&recording::tellings(&fresh), known));
    let (told, newest) = (recording::told(rows), recording::newest_by_app(rows));
    let (apps, newest): (Vec<_>, Vec<_>) = newest.iter().map(|(app, at)| (app.as_str(), at.0)).unzip();
    let last = async {
        let hints = try_join(keys::wait(session, &waiting), hints::raise(session, &raised));
        let sums = try_join(books::told(session, &told), tally::write(session, &counted));
        let apps_and_newest: [&(dyn tokio_postgres::types::ToSql + Sync); 2] = [&apps, &newest];
        let arrivals = try_join(
            session.execute(NOTE_ARRIVALS, &apps_and_newest),
            session.execute(NOTE_APPS, &apps_and_newest[..1]),
        );
        try_join3(hints, sums, arrivals).await
    };
    if *trial {
        last.await?;
        return Err(Fault::Trial);
    }
    Box::pin(session.commit_with(last)).await?;
    Ok(recorded)
}

/// Bytes that each app's bodies may still take.
async fn budgets(session: &Session, rows: &[Prepared], bytes_max: u64) -> Result<BTreeMap<AppName, u64>, Fault> {
    let apps: BTreeSet<_> = rows.iter().map(|row| &row.reading.webhook.app).collect();
    let names: Vec<_> = apps.iter().map(|app| app.as_str()).collect();
    let mut budgets: BTreeMap<_, _> = apps.into_iter().map(|app| (app.clone(), bytes_max)).collect();
    for row in session.query(USED, &[&names, &Sum::BodyBytes.name()]).await? {
        budgets.insert(columns::parsed(&row, 0)?, bytes_max.saturating_sub(columns::count(&row, 1)?));
    }
    Ok(budgets)
}

/// Keeps each body once; answers the ids of those that are new. Beyond its app's budget only its hash is kept.
async fn keep_bodies(
    session: &Session,
    rows: &[Prepared],
    mut budgets: BTreeMap<AppName, u64>,
    counted: &mut Tally,
) -> Result<BTreeSet<Uuid>, Fault> {
    // Each with the newest receipt that refers to it.
    let mut bodies = BTreeMap::new();
    for row in rows {
        let receipt = row.reading.webhook.receipt.0;
        let (_, newest) = bodies.entry(row.body_id).or_insert((row, receipt));
        *newest = receipt.max(*newest);
    }
    let ids: Vec<_> = bodies.keys().copied().map(Uuid::from_bytes).collect();
    let webhooks: Vec<_> = bodies.values().map(|(row, _)| &row.reading.webhook).collect();
    let apps: Vec<_> = webhooks.iter().map(|webhook| webhook.app.as_str()).collect();
    let hashes: Vec<_> = webhooks.iter().map(|webhook| &webhook.body_sha256.0[..]).collect();
    let sizes: Vec<_> = webhooks.iter().map(|webhook| webhook.body.len() as i64).collect();
    let mut kept = Vec::with_capacity(webhooks.len());
    for webhook in &webhooks {
        let (size, left) = (webhook.body.len() as u64, budgets.entry(webhook.app.clone()).or_default());
        let fits = size <= *left;
        *left -= if fits { size } else { 0 };
        kept.push(fits.then_some(&webhook.body[..]));
    }
    let tells: Vec<_> = bodies.values().map(|(row, _)| row.tells.as_str()).collect();
    let newest: Vec<_> = bodies.values().map(|(_, newest)| *newest).collect();
    let written = session.query(KEEP_BODIES, &[&ids, &apps, &hashes, &sizes, &kept, &tells, &newest]).await?;
    let mut new = BTreeSet::new();
    for row in &written {
        if columns::get(row, 1)? {
            new.insert(columns::get::<Uuid>(row, 0)?);
        }
    }
    for ((id, webhook), kept) in ids.iter().zip(webhooks).zip(kept) {
        if new.contains(id) {
            counted.add(&webhook.app, Sum::Bodies, 1);
            counted.add(&webhook.app, Sum::BodyBytes, kept.map_or(0, <[u8]>::len) as i64);
        }
    }
    Ok(new)
}

/// Keeps each delivery once, in the order of receipts. The first delivery of a new body is none of a duplicate.
async fn keep_deliveries(
    session: &Session,
    rows: &[Prepared],
    mut new_bodies: BTreeSet<Uuid>,
    counted: &mut Tally,
) -> Result<Vec<Recorded>, Fault> {
    let mut deliveries = BTreeMap::new();
    for (place, row) in rows.iter().enumerate() {
        let receipt = row.reading.webhook.receipt.0;
        let mut duplicate = || !new_bodies.remove(&Uuid::from_bytes(row.body_id));
        deliveries.entry(receipt).or_insert_with(|| (place, duplicate()));
    }
    let new = insert(session, rows, &deliveries).await?;
    let mut recorded = vec![Recorded::Redelivered; rows.len()];
    for receipt in new {
        if let Some(&(place, duplicate)) = deliveries.get(&receipt) {
            recorded[place] = recording::recorded(duplicate);
            recording::count(counted, &rows[place].reading.webhook, duplicate);
        }
    }
    Ok(recorded)
}

/// Writes the rows of deliveries; answers the receipts of those that were not there before.
async fn insert(
    session: &Session,
    rows: &[Prepared],
    deliveries: &BTreeMap<Uuid, (usize, bool)>,
) -> Result<Vec<Uuid>, Fault> {
    let receipts: Vec<_> = deliveries.keys().copied().collect();
    let duplicates: Vec<_> = deliveries.values().map(|(_, duplicate)| *duplicate).collect();
    let rows: Vec<_> = deliveries.values().map(|(place, _)| &rows[*place]).collect();
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
    let inserted = session
        .query(
            KEEP_DELIVERIES,
            &[
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
            ],
        )
        .await?;
    columns::all(&inserted, |row| columns::get(row, 0))
}
