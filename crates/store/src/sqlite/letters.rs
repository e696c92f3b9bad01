//! Dead letters come and go, each counted. Listing them is in `inspect`.

use events::{AppName, UtcMicros};
use sqlite::rusqlite::{CachedStatement, Connection, Params, Result, params};

use super::tally;
use crate::tally::{Sum, Tally};
use crate::{DeadLetter, DeadLetterReason};

/// Keeps letters. One with the same receipt gives way to the new one: whoever removes it by its number, having published its
/// message again, must not remove what became of that message.
pub(super) fn bury(connection: &Connection, letters: &[DeadLetter]) -> Result<()> {
    let mut earlier =
        connection.prepare_cached("DELETE FROM dead_letters WHERE receipt = ?1 RETURNING coalesce(app, ''), reason")?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO dead_letters (receipt, app, instance, sequence, reason, detail, buried_at, envelope, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    let mut counted = Tally::default();
    for letter in letters {
        let receipt = letter.receipt.as_ref().map(|receipt| receipt.0.as_bytes());
        gone(&mut earlier, params![receipt], &mut counted)?;
        let app = letter.app.as_ref().map(AppName::as_str);
        insert.execute(params![
            receipt,
            app,
            letter.booked.as_ref().map(|(instance, _)| instance.as_bytes()),
            // A culprit's number may be the very thing that SQL cannot take: its bits are kept.
            letter.booked.map(|(_, sequence)| sequence as i64),
            letter.reason.word(),
            letter.detail,
            letter.buried_at.0,
            letter.envelope.to_string(),
            &letter.body[..],
        ])?;
        counted.add_word(app.unwrap_or(""), Sum::DeadLetters, letter.reason.word(), 1);
    }
    tally::write(connection, &counted)
}

/// Removes letters; says how many there were. Those that are discarded keep their place in the books.
pub(super) fn remove(connection: &Connection, ids: &[i64], discarded_at: Option<UtcMicros>) -> Result<u64> {
    let mut account = connection.prepare_cached(
        "INSERT INTO discarded (instance, sequence, receipt, reason, discarded_at)
         SELECT instance, sequence, receipt, reason, ?2 FROM dead_letters WHERE id = ?1 AND instance IS NOT NULL
         ON CONFLICT DO NOTHING",
    )?;
    let mut delete =
        connection.prepare_cached("DELETE FROM dead_letters WHERE id = ?1 RETURNING coalesce(app, ''), reason")?;
    let mut counted = Tally::default();
    let mut removed = 0;
    for id in ids {
        if let Some(at) = discarded_at {
            account.execute(params![id, at.0])?;
        }
        removed += gone(&mut delete, [id], &mut counted)?;
    }
    tally::write(connection, &counted)?;
    Ok(removed)
}

/// Counts the letters that `delete` removes.
fn gone(delete: &mut CachedStatement<'_>, key: impl Params, counted: &mut Tally) -> Result<u64> {
    let mut removed = 0;
    let mut rows = delete.query(key)?;
    while let Some(row) = rows.next()? {
        let (app, word): (String, String) = (row.get(0)?, row.get(1)?);
        let reason = DeadLetterReason::from_word(&word).map_or("", DeadLetterReason::word);
        counted.add_word(&app, Sum::DeadLetters, reason, -1);
        removed += 1;
    }
    Ok(removed)
}
