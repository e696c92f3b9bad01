//! Webhooks that wait for their key (R10): listing them, and deciding them. A verified one hints then as it would have.

use std::collections::BTreeMap;

use events::{AppName, BodyTells, Receipt, UtcMicros};
use sqlite::rusqlite::{Connection, OptionalExtension, Result as SqlResult, Row, params};
use uuid::Uuid;

use super::{columns, hints, keys, tally};
use crate::hints::Telling;
use crate::tally::{Sum, Tally};
use crate::{Decision, PendingWebhook, Ruling};

/// Those of one key, oldest first.
pub(super) fn of_kid(
    connection: &Connection,
    app: &AppName,
    kid: Uuid,
    limit: usize,
) -> SqlResult<Vec<PendingWebhook>> {
    connection
        .prepare_cached(
            "SELECT receipt, signature, sha256, received_at, recorded_at
             FROM deliveries JOIN bodies ON bodies.id = deliveries.body_id
             WHERE deliveries.app = ?1 AND kid = ?2 AND verification = 'pending'
             ORDER BY receipt LIMIT ?3",
        )?
        .query_map(params![app.as_str(), kid.as_bytes(), limit as i64], pending_row)?
        .collect()
}

/// Those of unknown keys that were received and recorded before `before`, oldest first.
pub(super) fn before(
    connection: &Connection,
    app: &AppName,
    before: UtcMicros,
    limit: usize,
) -> SqlResult<Vec<PendingWebhook>> {
    connection
        .prepare_cached(
            "SELECT receipt, signature, sha256, received_at, recorded_at
             FROM deliveries JOIN bodies ON bodies.id = deliveries.body_id
             WHERE deliveries.app = ?1 AND received_at < ?2 AND coalesce(recorded_at, received_at) < ?2
                 AND verification = 'pending' AND NOT EXISTS (SELECT 1 FROM keys
                     WHERE keys.app = deliveries.app AND keys.kid = deliveries.kid AND jwk IS NOT NULL)
             ORDER BY received_at, receipt LIMIT ?3",
        )?
        .query_map(params![app.as_str(), before.0, limit as i64], pending_row)?
        .collect()
}

fn pending_row(row: &Row<'_>) -> SqlResult<PendingWebhook> {
    Ok(PendingWebhook {
        receipt: columns::receipt(row, 0)?,
        jwt: row.get(1)?,
        body_sha256: events::BodyHash(row.get(2)?),
        received_at: columns::time(row, 3)?,
        recorded_at: columns::time_option(row, 4)?,
    })
}

/// A pending delivery as far as a decision needs it.
struct Waiting {
    kid: Option<Uuid>,
    tells: BodyTells,
    received_at: UtcMicros,
}

/// Decides, in key order; whatever is not pending (any more) is left alone.
pub(super) fn decide(connection: &Connection, app: &AppName, rulings: &[Ruling]) -> SqlResult<()> {
    let by_receipt: BTreeMap<Receipt, &Decision> =
        rulings.iter().map(|ruling| (ruling.receipt, &ruling.decision)).collect();
    let mut tally = Tally::default();
    let mut per_kid = BTreeMap::new();
    let mut verified = Vec::new();
    for (receipt, decision) in by_receipt {
        let Some(waiting) = waiting(connection, app, receipt)? else { continue };
        let word = settle(connection, receipt, decision)?;
        tally.add_word(app.as_str(), Sum::Deliveries, "pending", -1);
        tally.add_word(app.as_str(), Sum::Deliveries, word, 1);
        if let Some(kid) = waiting.kid {
            *per_kid.entry(kid).or_insert(0_i64) += 1;
        }
        if let Decision::Verified { binds_body } = decision {
            verified.push((waiting, *binds_body));
        }
    }
    let tellings: Vec<_> = verified
        .iter()
        .map(|(waiting, binds_body)| Telling {
            app,
            tells: &waiting.tells,
            binds_body: *binds_body,
            received_at: waiting.received_at,
        })
        .collect();
    hints::raise(connection, &tellings)?;
    for (kid, count) in per_kid {
        keys::decided(connection, app, kid, count)?;
    }
    tally::write(connection, &tally)
}

fn waiting(connection: &Connection, app: &AppName, receipt: Receipt) -> SqlResult<Option<Waiting>> {
    connection
        .prepare_cached(
            "SELECT kid, tells, received_at
             FROM deliveries JOIN bodies ON bodies.id = deliveries.body_id
             WHERE receipt = ?1 AND deliveries.app = ?2 AND verification = 'pending'",
        )?
        .query_row(params![receipt.0.as_bytes(), app.as_str()], |row| {
            Ok(Waiting {
                kid: columns::uuid_option(row, 0)?,
                tells: columns::json(row, 1)?,
                received_at: columns::time(row, 2)?,
            })
        })
        .optional()
}

/// Writes a decision down and drops the signature; answers the word it is counted under.
fn settle(connection: &Connection, receipt: Receipt, decision: &Decision) -> SqlResult<&'static str> {
    let (word, binds_body, rejection) = decision.columns();
    connection
        .prepare_cached(
            "UPDATE deliveries SET verification = ?2, binds_body = ?3, rejection = ?4, signature = NULL WHERE receipt = ?1",
        )?
        .execute(params![receipt.0.as_bytes(), word, binds_body, rejection])?;
    Ok(word)
}
