//! Whose turn it is to relay events to a target, and how far they got (R7).

use events::UtcMicros;
use uuid::Uuid;

use super::{PostgresStore, columns};
use crate::feed::relay_name;
use crate::{Cursor, RelayLease, StoreError};

/// Takes the turn, or prolongs it; `None` where another holds it.
pub(super) async fn lease(
    store: &PostgresStore,
    target: &str,
    holder: Uuid,
    now: UtcMicros,
    expires_at: UtcMicros,
) -> Result<Option<RelayLease>, StoreError> {
    // Whoever stands by asks again and again; that is no reason for a commit.
    let held = store.read((relay_name(target), holder, now.0), |session, (name, holder, now)| {
        Box::pin(async move {
            let held = "SELECT FROM cursors WHERE name = $1 AND holder <> $2 AND expires_at > $3";
            Ok(session.first(held, &[name, holder, now]).await?.is_some())
        })
    });
    if held.await? {
        return Ok(None);
    }
    let wanted = (relay_name(target), holder, now.0, expires_at.0);
    let taken = store.write(wanted, |session, (name, holder, now, expires_at)| {
        Box::pin(async move {
            let taken = session
                .first(
                    "INSERT INTO cursors (name, number, holder, fence, expires_at) VALUES ($1, 0, $2, 1, $4)
                     ON CONFLICT (name) DO UPDATE SET
                         fence = cursors.fence + CASE WHEN cursors.holder = excluded.holder THEN 0 ELSE 1 END,
                         holder = excluded.holder,
                         expires_at = excluded.expires_at
                     WHERE cursors.holder IS NULL OR cursors.holder = excluded.holder OR cursors.expires_at <= $3
                     RETURNING fence, number",
                    &[name, holder, now, expires_at],
                )
                .await?;
            taken.map(|row| Ok((columns::count(&row, 0)?, Cursor(columns::count(&row, 1)?)))).transpose()
        })
    });
    let lease = |(fence, reached)| RelayLease { target: target.to_owned(), holder, fence, reached, expires_at };
    Ok(taken.await?.map(lease))
}

/// Moves the place on, where the turn still holds.
pub(super) async fn reached(store: &PostgresStore, lease: RelayLease, reached: Cursor) -> Result<bool, StoreError> {
    store
        .write((lease, reached), |session, (lease, reached)| {
            Box::pin(async move {
                let moved = session
                    .execute(
                        "UPDATE cursors SET number = greatest(number, $4) WHERE name = $1 AND holder = $2 AND fence = $3",
                        &[&relay_name(&lease.target), &lease.holder, &(lease.fence as i64), &(reached.0 as i64)],
                    )
                    .await?;
                Ok(moved > 0)
            })
        })
        .await
}

/// Gives the turn back.
pub(super) async fn release(store: &PostgresStore, lease: RelayLease) -> Result<(), StoreError> {
    store
        .write(lease, |session, lease| {
            Box::pin(async move {
                session
                    .execute(
                        "UPDATE cursors SET holder = NULL WHERE name = $1 AND holder = $2 AND fence = $3",
                        &[&relay_name(&lease.target), &lease.holder, &(lease.fence as i64)],
                    )
                    .await?;
                Ok(())
            })
        })
        .await
}
