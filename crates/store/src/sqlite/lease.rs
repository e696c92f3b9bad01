//! One voice per app (R5): enrolment under a pinned client, the lease, and the fence that every other write checks.

use events::{AppName, UtcMicros};
use sqlite::rusqlite::{Connection, OptionalExtension, Result as SqlResult, params};
use uuid::Uuid;

use super::columns;
use super::fault::Fault;
use crate::refresh::pinned_elsewhere;
use crate::{AppPin, Lease, StoreError};

/// Makes the app known and its first sweep due, unless it is pinned to another client (R3).
pub(super) fn enrol(connection: &Connection, pin: &AppPin, now: UtcMicros) -> Result<(), Fault> {
    let app = pin.app.as_str();
    connection
        .prepare_cached(
            "INSERT INTO apps (app, client_id, enrolled_at) VALUES (?1, ?2, ?3)
             ON CONFLICT (app) DO UPDATE SET client_id = excluded.client_id, enrolled_at = excluded.enrolled_at
             WHERE client_id IS NULL",
        )?
        .execute(params![app, pin.client_id, now.0])?;
    let pinned: Option<String> =
        connection.prepare_cached("SELECT client_id FROM apps WHERE app = ?1")?.query_row([app], columns::scalar)?;
    if pinned.as_ref() != Some(&pin.client_id) {
        return Err(pinned_elsewhere(pin, pinned.as_deref()).into());
    }
    connection
        .prepare_cached(
            "INSERT INTO refreshes (app, token, scheduled_at, reason) VALUES (?1, '', ?2, 'sweep')
             ON CONFLICT (app, token) DO UPDATE SET scheduled_at = excluded.scheduled_at, reason = excluded.reason
             WHERE scheduled_at IS NULL",
        )?
        .execute(params![app, now.0])?;
    Ok(())
}

/// Takes or prolongs the lease; `None` where another holds it. Taken anew, it voids the claims of whoever held it before.
pub(super) fn take(
    connection: &Connection,
    app: &AppName,
    holder: Uuid,
    now: UtcMicros,
    expires_at: UtcMicros,
) -> SqlResult<Option<Lease>> {
    let fence_before = fence(connection, app)?;
    let fence = connection
        .prepare_cached(
            "INSERT INTO leases (app, holder, fence, expires_at) VALUES (?1, ?2, 1, ?4)
             ON CONFLICT (app) DO UPDATE SET
                 fence = fence + CASE WHEN holder = excluded.holder THEN 0 ELSE 1 END,
                 holder = excluded.holder,
                 expires_at = excluded.expires_at
             WHERE holder IS NULL OR holder = excluded.holder OR expires_at <= ?3
             RETURNING fence",
        )?
        .query_row(params![app.as_str(), holder.as_bytes(), now.0, expires_at.0], |row| columns::count(row, 0))
        .optional()?;
    if fence.is_some() && fence != fence_before {
        connection
            .prepare_cached("UPDATE refreshes SET claimed_until = NULL WHERE app = ?1 AND claimed_until IS NOT NULL")?
            .execute([app.as_str()])?;
    }
    Ok(fence.map(|fence| Lease { app: app.clone(), holder, fence, expires_at }))
}

fn fence(connection: &Connection, app: &AppName) -> SqlResult<Option<u64>> {
    connection
        .prepare_cached("SELECT fence FROM leases WHERE app = ?1")?
        .query_row([app.as_str()], |row| columns::count(row, 0))
        .optional()
}

/// Frees the leases of processes that are known to be gone.
pub(super) fn free_all(connection: &Connection) -> SqlResult<()> {
    connection.execute("UPDATE leases SET holder = NULL WHERE holder IS NOT NULL", [])?;
    Ok(())
}

/// Gives the lease back; nothing where it is lost already.
pub(super) fn release(connection: &Connection, lease: &Lease) -> SqlResult<()> {
    connection
        .prepare_cached("UPDATE leases SET holder = NULL WHERE app = ?1 AND holder = ?2 AND fence = ?3")?
        .execute(params![lease.app.as_str(), lease.holder.as_bytes(), lease.fence as i64])?;
    Ok(())
}

/// Whether the lease still holds. One that is past its end and that nobody took over does.
pub(super) fn check(connection: &Connection, lease: &Lease) -> Result<(), Fault> {
    let holds = connection
        .prepare_cached("SELECT 1 FROM leases WHERE app = ?1 AND holder = ?2 AND fence = ?3")?
        .exists(params![lease.app.as_str(), lease.holder.as_bytes(), lease.fence as i64])?;
    if holds { Ok(()) } else { Err(StoreError::Fenced(lease.app.clone()).into()) }
}
