//! Dead letters, newest first. Bodies come with a single one only.

use bytes::Bytes;
use events::{AppName, Receipt};
use tokio_postgres::Row;
use uuid::Uuid;

use super::fault::Fault;
use super::session::Session;
use super::{columns, inspect, tally};
use crate::tally::{Sum, Tally};
use crate::{DeadLetter, DeadLetterReason, DeadLetterRow, listing};

/// The columns that [`row`] reads, in its order.
const COLUMNS: &str = "id, receipt, app, reason, detail, buried_at, length(body)::bigint, envelope";

/// Keeps letters, each receipt once.
pub(super) async fn bury(session: &Session, letters: &[DeadLetter]) -> Result<(), Fault> {
    let mut letters: Vec<_> = letters.iter().collect();
    letters.sort_by_key(|letter| letter.receipt);
    let receipts: Vec<_> = letters.iter().map(|letter| letter.receipt.map(|receipt| receipt.0)).collect();
    let apps: Vec<_> = letters.iter().map(|letter| letter.app.as_ref().map(AppName::as_str)).collect();
    let instances: Vec<_> = letters.iter().map(|letter| letter.booked.map(|(instance, _)| instance)).collect();
    // A culprit's number may be the very thing that SQL cannot take: its bits are kept.
    let sequences: Vec<_> = letters.iter().map(|letter| letter.booked.map(|(_, sequence)| sequence as i64)).collect();
    let reasons: Vec<_> = letters.iter().map(|letter| letter.reason.word()).collect();
    let details: Vec<_> = letters.iter().map(|letter| columns::plain(&letter.detail)).collect();
    let buried: Vec<_> = letters.iter().map(|letter| letter.buried_at.0).collect();
    let envelopes: Vec<_> = letters.iter().map(|letter| letter.envelope.to_string()).collect();
    let bodies: Vec<_> = letters.iter().map(|letter| &letter.body[..]).collect();
    let buried = session
        .query(
            "INSERT INTO dead_letters (receipt, app, instance, sequence, reason, detail, buried_at, envelope, body)
             SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::bigint[], $5::text[], $6::text[], $7::bigint[],
                 $8::text[], $9::bytea[])
             ON CONFLICT (receipt) DO NOTHING
             RETURNING coalesce(app, ''), reason",
            &[&receipts, &apps, &instances, &sequences, &reasons, &details, &buried, &envelopes, &bodies],
        )
        .await?;
    let mut counted = Tally::default();
    for row in &buried {
        let (app, word): (&str, &str) = (columns::get(row, 0)?, columns::get(row, 1)?);
        let reason = DeadLetterReason::ALL.into_iter().find(|reason| reason.word() == word);
        counted.add_word(app, Sum::DeadLetters, reason.map_or("", DeadLetterReason::word), 1);
    }
    tally::write(session, &counted).await
}

pub(super) async fn list(
    session: &Session,
    reason: Option<&str>,
    limit: Option<usize>,
) -> Result<Vec<DeadLetterRow>, Fault> {
    let select = format!("SELECT {COLUMNS} FROM dead_letters");
    inspect::rows(session, listing::letters(&select, reason, limit), row).await
}

pub(super) async fn one(session: &Session, id: i64) -> Result<Option<DeadLetterRow>, Fault> {
    let select = format!("SELECT {COLUMNS}, body FROM dead_letters WHERE id = $1");
    let Some(found) = session.first(&select, &[&id]).await? else { return Ok(None) };
    let body: &[u8] = columns::get(&found, 8)?;
    Ok(Some(DeadLetterRow { body: Some(Bytes::copy_from_slice(body)), ..row(&found)? }))
}

fn row(row: &Row) -> Result<DeadLetterRow, Fault> {
    Ok(DeadLetterRow {
        id: columns::get(row, 0)?,
        receipt: columns::get::<Option<Uuid>>(row, 1)?.map(Receipt),
        app: columns::parsed_option(row, 2)?,
        reason: columns::get(row, 3)?,
        detail: columns::get(row, 4)?,
        buried_at: columns::time(row, 5)?,
        body_bytes: columns::count(row, 6)?,
        envelope: columns::json(row, 7)?,
        body: None,
    })
}
