//! Webhooks that wait for their key (R10): listing them, and deciding them. A verified one hints then as it would have.

use std::collections::BTreeMap;

use events::{AppName, BodyTells, Receipt, UtcMicros};
use tokio_postgres::Row;
use uuid::Uuid;

use super::fault::Fault;
use super::session::Session;
use super::{columns, hints, keys, tally};
use crate::hints::{Telling, targets};
use crate::tally::{Sum, Tally};
use crate::{Decision, PendingWebhook, Ruling};

/// Those of one key, oldest first.
pub(super) async fn of_kid(
    session: &Session,
    app: &AppName,
    kid: Uuid,
    limit: i64,
) -> Result<Vec<PendingWebhook>, Fault> {
    let pending = "SELECT receipt, signature, sha256, received_at, recorded_at
        FROM deliveries JOIN bodies ON bodies.id = deliveries.body_id
        WHERE deliveries.app = $1 AND kid = $2 AND verification = 'pending'
        ORDER BY receipt LIMIT $3";
    columns::all(&session.query(pending, &[&app.as_str(), &kid, &limit]).await?, pending_row)
}

/// Those of unknown keys that were received and recorded before `before`, oldest first.
pub(super) async fn before(
    session: &Session,
    app: &AppName,
    before: UtcMicros,
    limit: i64,
) -> Result<Vec<PendingWebhook>, Fault> {
    let pending = "SELECT receipt, signature, sha256, received_at, recorded_at
        FROM deliveries JOIN bodies ON bodies.id = deliveries.body_id
        WHERE deliveries.app = $1 AND received_at < $2 AND coalesce(recorded_at, received_at) < $2
            AND verification = 'pending' AND NOT EXISTS (SELECT FROM keys
                WHERE keys.app = deliveries.app AND keys.kid = deliveries.kid AND jwk IS NOT NULL)
        ORDER BY received_at, receipt LIMIT $3";
    columns::all(&session.query(pending, &[&app.as_str(), &before.0, &limit]).await?, pending_row)
}

fn pending_row(row: &Row) -> Result<PendingWebhook, Fault> {
    Ok(PendingWebhook {
        receipt: columns::receipt(row, 0)?,
        jwt: columns::get(row, 1)?,
        body_sha256: columns::hash(row, 2)?,
        received_at: columns::time(row, 3)?,
        recorded_at: columns::time_option(row, 4)?,
    })
}

/// A pending delivery as far as a decision needs it.
struct Waiting {
    receipt: Receipt,
    kid: Option<Uuid>,
    tells: BodyTells,
    received_at: UtcMicros,
}

/// Decides, in key order; whatever is not pending (any more) is left alone.
pub(super) async fn decide(session: &Session, app: &AppName, rulings: &[Ruling]) -> Result<(), Fault> {
    let by_receipt: BTreeMap<Receipt, &Decision> =
        rulings.iter().map(|ruling| (ruling.receipt, &ruling.decision)).collect();
    let waiting = hold(session, app, &by_receipt).await?;
    let decided: Vec<_> = waiting
        .iter()
        .filter_map(|waiting| by_receipt.get(&waiting.receipt).map(|decision| (waiting, *decision)))
        .collect();
    let mut counted = Tally::default();
    let mut per_kid = BTreeMap::new();
    let mut tellings = Vec::new();
    for (waiting, decision) in &decided {
        counted.add_word(app.as_str(), Sum::Deliveries, "pending", -1);
        counted.add_word(app.as_str(), Sum::Deliveries, decision.columns().0, 1);
        if let Some(kid) = waiting.kid {
            *per_kid.entry(kid).or_insert(0) += 1;
        }
        if let Decision::Verified { binds_body } = decision {
            let Waiting { tells, received_at, .. } = waiting;
            tellings.push(Telling { app, tells, binds_body: *binds_body, received_at: *received_at });
        }
    }
    if decided.is_empty() {
        return Ok(());
    }
    settle(session, &decided).await?;
    keys::decided(session, app, &per_kid).await?;
    let known = hints::known(session, &tellings).await?;
    hints::raise(session, &targets(&tellings, known)).await?;
    tally::write(session, &counted).await
}

/// Locks the pending ones among the deliveries.
async fn hold(
    session: &Session,
    app: &AppName,
    by_receipt: &BTreeMap<Receipt, &Decision>,
) -> Result<Vec<Waiting>, Fault> {
    let receipts: Vec<_> = by_receipt.keys().map(|receipt| receipt.0).collect();
    let held = session
        .query(
            "SELECT receipt, kid, tells, received_at
             FROM deliveries JOIN bodies ON bodies.id = deliveries.body_id
             WHERE receipt = ANY ($1::uuid[]) AND deliveries.app = $2 AND verification = 'pending'
             ORDER BY receipt FOR UPDATE OF deliveries",
            &[&receipts, &app.as_str()],
        )
        .await?;
    columns::all(&held, |row| {
        Ok(Waiting {
            receipt: columns::receipt(row, 0)?,
            kid: columns::get(row, 1)?,
            tells: columns::json(row, 2)?,
            received_at: columns::time(row, 3)?,
        })
    })
}

/// Writes decisions down and drops the signatures.
async fn settle(session: &Session, decided: &[(&Waiting, &Decision)]) -> Result<(), Fault> {
    let receipts: Vec<_> = decided.iter().map(|(waiting, _)| waiting.receipt.0).collect();
    let columns = || decided.iter().map(|(_, decision)| decision.columns());
    let words: Vec<_> = columns().map(|(word, ..)| word).collect();
    let bound: Vec<_> = columns().map(|(_, bound, _)| bound).collect();
    let rejections: Vec<_> = columns().map(|(.., rejection)| columns::plain_option(rejection)).collect();
    session
        .execute(
            "UPDATE deliveries SET verification = decided.word, binds_body = decided.bound,
                 rejection = decided.rejection, signature = NULL
             FROM unnest($1::uuid[], $2::text[], $3::boolean[], $4::text[]) AS decided (receipt, word, bound, rejection)
             WHERE deliveries.receipt = decided.receipt",
            &[&receipts, &words, &bound, &rejections],
        )
        .await?;
    Ok(())
}
