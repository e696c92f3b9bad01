//! One voice per app (R5): enrolment under a pinned client, the lease, and the fence that every other write checks.

use events::{AppName, UtcMicros};
use uuid::Uuid;

use super::columns;
use super::fault::Fault;
use super::session::Session;
use crate::refresh::pinned_elsewhere;
use crate::{AppPin, Lease, StoreError};

/// Makes the app known and its first sweep due, unless it is pinned to another client (R3).
pub(super) async fn enrol(session: &Session, pin: &AppPin, now: UtcMicros) -> Result<(), Fault> {
    let app = pin.app.as_str();
    session
        .execute(
            "INSERT INTO refreshes (app, token, scheduled_at, reason) VALUES ($1, '', $2, 'sweep')
             ON CONFLICT (app, token) DO UPDATE SET scheduled_at = excluded.scheduled_at, reason = excluded.reason
             WHERE refreshes.scheduled_at IS NULL",
            &[&app, &now.0],
        )
        .await?;
    session
        .execute(
            "INSERT INTO apps (app, client_id, enrolled_at) VALUES ($1, $2, $3)
             ON CONFLICT (app) DO UPDATE SET client_id = excluded.client_id, enrolled_at = excluded.enrolled_at
             WHERE apps.client_id IS NULL",
            &[&app, &pin.client_id, &now.0],
        )
        .await?;
    let pinned = session.first("SELECT client_id FROM apps WHERE app = $1", &[&app]).await?;
    let pinned: Option<String> = pinned.map(|row| columns::get(&row, 0)).transpose()?.flatten();
    if pinned.as_ref() == Some(&pin.client_id) { Ok(()) } else { Err(pinned_elsewhere(pin, pinned.as_deref()).into()) }
}

/// Takes or prolongs the lease; `None` where another holds it. Taken anew, it voids the claims of whoever held it before.
pub(super) async fn take(
    session: &Session,
    app: &AppName,
    holder: Uuid,
    now: UtcMicros,
    expires_at: UtcMicros,
) -> Result<Option<Lease>, Fault> {
    let before = session.first("SELECT fence FROM leases WHERE app = $1 FOR UPDATE", &[&app.as_str()]).await?;
    let before = before.map(|row| columns::count(&row, 0)).transpose()?;
    let taken = session
        .first(
            "INSERT INTO leases (app, holder, fence, expires_at) VALUES ($1, $2, 1, $4)
             ON CONFLICT (app) DO UPDATE SET
                 fence = leases.fence + CASE WHEN leases.holder = excluded.holder THEN 0 ELSE 1 END,
                 holder = excluded.holder,
                 expires_at = excluded.expires_at
             WHERE leases.holder IS NULL OR leases.holder = excluded.holder OR leases.expires_at <= $3
             RETURNING fence",
            &[&app.as_str(), &holder, &now.0, &expires_at.0],
        )
        .await?;
    let fence = taken.map(|row| columns::count(&row, 0)).transpose()?;
    if fence.is_some() && fence != before {
        session
            .execute(
                "WITH claimed AS MATERIALIZED (
                     SELECT token FROM refreshes WHERE app = $1 AND claimed_until IS NOT NULL
                     ORDER BY token = '', token FOR UPDATE)
                 UPDATE refreshes SET claimed_until = NULL FROM claimed
                 WHERE app = $1 AND refreshes.token = claimed.token",
                &[&app.as_str()],
            )
            .await?;
    }
    Ok(fence.map(|fence| Lease { app: app.clone(), holder, fence, expires_at }))
}

/// Gives the lease back; nothing where it is lost already.
pub(super) async fn release(session: &Session, lease: &Lease) -> Result<(), Fault> {
    let release = "UPDATE leases SET holder = NULL WHERE app = $1 AND holder = $2 AND fence = $3";
    session.execute(release, &[&lease.app.as_str(), &lease.holder, &(lease.fence as i64)]).await?;
    Ok(())
}

/// Whether the lease still holds, and goes on to hold until the end of this transaction: whoever takes it over waits for that.
/// One that is past its end and that nobody took over holds.
pub(super) async fn check(session: &Session, lease: &Lease) -> Result<(), Fault> {
    let holds = "SELECT FROM leases WHERE app = $1 AND holder = $2 AND fence = $3 FOR SHARE";
    let holds = session.first(holds, &[&lease.app.as_str(), &lease.holder, &(lease.fence as i64)]).await?;
    if holds.is_some() { Ok(()) } else { Err(StoreError::Fenced(lease.app.clone()).into()) }
}
