//! What a person, or the passing of time, does to the rules' state: held deletions let go, old gaps closed.

use events::{AppName, UtcMicros};
use sqlite::rusqlite::{Connection, Result, params};

/// Lets the held deletions of an app proceed, with those of the same fault that are not proven yet; each is looked at once
/// more, now. Answers how many; 0 where none is held.
pub(super) fn approve_deletions(connection: &Connection, app: &AppName, now: UtcMicros) -> Result<u64> {
    let key = params![app.as_str(), now.0];
    let approved = connection.execute(
        "UPDATE connections SET deletion_approved_at = ?2
         WHERE app = ?1 AND missing = 1
           AND EXISTS (SELECT 1 FROM connections WHERE app = ?1 AND deletion_held_at IS NOT NULL)",
        key,
    )?;
    connection.execute(
        "UPDATE refreshes SET scheduled_at = ?2, not_before = min(not_before, ?2), reason = 'missing'
         WHERE app = ?1 AND token IN (
             SELECT token FROM connections WHERE app = ?1 AND missing = 1 AND deletion_approved_at = ?2)",
        key,
    )?;
    Ok(approved as u64)
}

/// Closes the open gaps that were found before `before`: their webhooks are lost.
pub(super) fn close_gaps(connection: &Connection, app: &AppName, before: UtcMicros, now: UtcMicros) -> Result<u64> {
    let lost = connection
        .prepare_cached(
            "UPDATE gaps SET closed_at = ?3, outcome = 'lost' WHERE app = ?1 AND closed_at IS NULL AND found_at < ?2",
        )?
        .execute(params![app.as_str(), before.0, now.0])?;
    Ok(lost as u64)
}
