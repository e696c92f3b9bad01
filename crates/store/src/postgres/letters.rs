//! Dead letters come and go, each counted, and are listed newest first. Bodies come with a single one only.

use bytes::Bytes;
use events::{AppName, Receipt, UtcMicros};
use tokio_postgres::Row;
use uuid::Uuid;

use super::fault::Fault;
use super::session::Session;
use super::{columns, inspect, tally};
use crate::tally::{Sum, Tally};
use crate::{DeadLetter, DeadLetterFilter, DeadLetterReason, DeadLetterRow, listing};

/// The columns that [`row`] reads, in its order.
const COLUMNS: &str = "id, receipt, app, reason, detail, buried_at, length(body)::bigint, envelope";

/// Keeps letters. One with the same receipt gives way to the new one: whoever removes it by its number, having published its
/// message again, must not remove what became of that message.
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
    let mut counted = Tally::default();
    // In the order of receipts, as every removal: transactions that share letters wait for each other.
    let earlier = session
        .query(
            "DELETE FROM dead_letters USING
                 (SELECT id FROM dead_letters WHERE receipt = ANY ($1::uuid[]) ORDER BY receipt FOR UPDATE) AS earlier
             WHERE dead_letters.id = earlier.id
             RETURNING coalesce(app, ''), reason",
            &[&receipts],
        )
        .await?;
    count(&mut counted, &earlier, -1)?;
    // Two of one call, or of two at the same time, are one.
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
    count(&mut counted, &buried, 1)?;
    tally::write(session, &counted).await
}

/// Removes letters; says how many there were. Those that are discarded keep their place in the books.
pub(super) async fn remove(session: &Session, ids: &[i64], discarded_at: Option<UtcMicros>) -> Result<u64, Fault> {
    let removed = session
        .query(
            "DELETE FROM dead_letters USING
                 (SELECT id FROM dead_letters WHERE id = ANY ($1::bigint[]) ORDER BY receipt FOR UPDATE) AS found
             WHERE dead_letters.id = found.id
             RETURNING coalesce(app, ''), reason, instance, sequence, receipt",
            &[&ids],
        )
        .await?;
    if let Some(at) = discarded_at {
        account(session, &removed, at).await?;
    }
    let mut counted = Tally::default();
    count(&mut counted, &removed, -1)?;
    tally::write(session, &counted).await?;
    Ok(removed.len() as u64)
}

/// Keeps the numbers of discarded letters in the books.
async fn account(session: &Session, discarded: &[Row], at: UtcMicros) -> Result<(), Fault> {
    let reasons = columns::all(discarded, |row| columns::get::<String>(row, 1))?;
    let instances = columns::all(discarded, |row| columns::get::<Option<Uuid>>(row, 2))?;
    let sequences = columns::all(discarded, |row| columns::get::<Option<i64>>(row, 3))?;
    let receipts = columns::all(discarded, |row| columns::get::<Option<Uuid>>(row, 4))?;
    session
        .execute(
            "INSERT INTO discarded (instance, sequence, receipt, reason, discarded_at)
             SELECT instance, sequence, receipt, reason, $5
             FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::text[]) AS gone (instance, sequence, receipt, reason)
             WHERE instance IS NOT NULL
             ON CONFLICT DO NOTHING",
            &[&instances, &sequences, &receipts, &reasons, &at.0],
        )
        .await?;
    Ok(())
}

/// Counts letters, which have their app and reason in front.
fn count(counted: &mut Tally, letters: &[Row], by: i64) -> Result<(), Fault> {
    for row in letters {
        let (app, word): (&str, &str) = (columns::get(row, 0)?, columns::get(row, 1)?);
        let reason = DeadLetterReason::from_word(word).map_or("", DeadLetterReason::word);
        counted.add_word(app, Sum::DeadLetters, reason, by);
    }
    Ok(())
}

pub(super) async fn list(session: &Session, filter: &DeadLetterFilter) -> Result<Vec<DeadLetterRow>, Fault> {
    let select = format!("SELECT {COLUMNS} FROM dead_letters");
    inspect::rows(session, listing::letters(&select, filter), row).await
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
