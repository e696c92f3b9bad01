//! Whose turn it is to relay events to a target, and how far they got (R7).

use events::UtcMicros;
use sqlite::rusqlite::{Connection, OptionalExtension, Result as SqlResult, params};
use uuid::Uuid;

use super::{SqliteStore, columns};
use crate::feed::relay_name;
use crate::{Cursor, RelayLease, StoreError};

/// Takes the turn, or prolongs it; `None` where another holds it.
pub(super) async fn lease(
    store: &SqliteStore,
    target: &str,
    holder: Uuid,
    now: UtcMicros,
    expires_at: UtcMicros,
) -> Result<Option<RelayLease>, StoreError> {
    let (target, name) = (target.to_owned(), relay_name(target));
    store
        .write(move |connection| {
            let taken = connection
                .prepare_cached(
                    "INSERT INTO cursors (name, number, holder, fence, expires_at) VALUES (?1, 0, ?2, 1, ?4)
                     ON CONFLICT (name) DO UPDATE SET
                         fence = fence + CASE WHEN holder = excluded.holder THEN 0 ELSE 1 END,
                         holder = excluded.holder,
                         expires_at = excluded.expires_at
                     WHERE holder IS NULL OR holder = excluded.holder OR expires_at <= ?3
                     RETURNING fence, number",
                )?
                .query_row(params![name, holder.as_bytes(), now.0, expires_at.0], |row| {
                    Ok((columns::count(row, 0)?, Cursor(columns::count(row, 1)?)))
                })
                .optional()?;
            Ok(taken.map(|(fence, reached)| RelayLease { target, holder, fence, reached, expires_at }))
        })
        .await
}

/// Moves the place on, where the turn still holds.
pub(super) async fn reached(store: &SqliteStore, lease: RelayLease, reached: Cursor) -> Result<bool, StoreError> {
    store
        .write(move |connection| {
            let moved = connection
                .prepare_cached(
                    "UPDATE cursors SET number = max(number, ?4) WHERE name = ?1 AND holder = ?2 AND fence = ?3",
                )?
                .execute(params![
                    relay_name(&lease.target),
                    lease.holder.as_bytes(),
                    lease.fence as i64,
                    reached.0 as i64
                ])?;
            Ok(moved > 0)
        })
        .await
}

/// Gives the turn back.
pub(super) async fn release(store: &SqliteStore, lease: RelayLease) -> Result<(), StoreError> {
    store
        .write(move |connection| {
            connection
                .prepare_cached("UPDATE cursors SET holder = NULL WHERE name = ?1 AND holder = ?2 AND fence = ?3")?
                .execute(params![relay_name(&lease.target), lease.holder.as_bytes(), lease.fence as i64])?;
            Ok(())
        })
        .await
}

/// Frees the turns of processes that are known to be gone.
pub(super) fn free_all(connection: &Connection) -> SqlResult<()> {
    connection.execute("UPDATE cursors SET holder = NULL WHERE holder IS NOT NULL", [])?;
    Ok(())
}
