//! Verification keys and sessions: what Finlink was asked for, kept so that it need not be asked again.

use events::{AppName, UtcMicros};
use sqlite::rusqlite::{Connection, OptionalExtension, Result, Row, params};
use uuid::Uuid;

use super::columns;
use crate::{KeySource, KidOrder, Lease, SealedSession, StoredKey, UndecidedKid};

/// The keys known for an app.
pub(super) fn known(connection: &Connection, app: &AppName) -> Result<Vec<StoredKey>> {
    connection
        .prepare_cached("SELECT kid, jwk, read_at FROM keys WHERE app = ?1 AND jwk IS NOT NULL ORDER BY kid")?
        .query_map([app.as_str()], |row| {
            Ok(StoredKey { kid: columns::uuid(row, 0)?, jwk: columns::json(row, 1)?, read_at: columns::time(row, 2)? })
        })?
        .collect()
}

/// Whether Finlink answers questions for keys.
pub(super) fn source(connection: &Connection, app: &AppName, asked_before: UtcMicros) -> Result<KeySource> {
    connection
        .prepare_cached(
            "SELECT (SELECT key_answered_at FROM apps WHERE app = ?1), EXISTS (
                 SELECT 1 FROM keys
                 WHERE app = ?1 AND waiting > 0 AND jwk IS NULL AND (asked_at IS NULL OR asked_at < ?2))",
        )?
        .query_row(params![app.as_str(), asked_before.0], |row| {
            Ok(KeySource { answered_at: columns::time_option(row, 0)?, open: row.get(1)? })
        })
}

/// Finlink gave a definite answer to a question for a key.
fn answered(connection: &Connection, app: &AppName, at: UtcMicros) -> Result<()> {
    connection
        .prepare_cached("UPDATE apps SET key_answered_at = ?2 WHERE app = ?1")?
        .execute(params![app.as_str(), at.0])?;
    Ok(())
}

/// Keeps a key; whatever was said against it before is forgotten.
pub(super) fn learn(connection: &Connection, app: &AppName, key: &StoredKey) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO keys (app, kid, jwk, read_at) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (app, kid) DO UPDATE SET
                 jwk = excluded.jwk, read_at = excluded.read_at, not_found = 0, first_not_found_at = NULL",
        )?
        .execute(params![app.as_str(), key.kid.as_bytes(), key.jwk.to_string(), key.read_at.0])?;
    answered(connection, app, key.read_at)
}

/// Drops a key; its row stays while webhooks wait for it.
pub(super) fn forget(connection: &Connection, app: &AppName, kid: Uuid) -> Result<()> {
    connection
        .prepare_cached("UPDATE keys SET jwk = NULL, read_at = NULL WHERE app = ?1 AND kid = ?2")?
        .execute(params![app.as_str(), kid.as_bytes()])?;
    drop_idle(connection, app, kid)
}

/// `count` more webhooks wait for a key, the first of them since `since`.
pub(super) fn wait(connection: &Connection, app: &AppName, kid: Uuid, count: i64, since: UtcMicros) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO keys (app, kid, waiting, waiting_since) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (app, kid) DO UPDATE SET
                 waiting = waiting + excluded.waiting,
                 waiting_since = min(coalesce(waiting_since, excluded.waiting_since), excluded.waiting_since)",
        )?
        .execute(params![app.as_str(), kid.as_bytes(), count, since.0])?;
    Ok(())
}

/// `count` webhooks that waited for a key are decided.
pub(super) fn decided(connection: &Connection, app: &AppName, kid: Uuid, count: i64) -> Result<()> {
    connection
        .prepare_cached(
            "UPDATE keys SET waiting = max(waiting - ?3, 0), waiting_since = (
                 SELECT min(received_at) FROM deliveries
                 WHERE app = ?1 AND kid = ?2 AND verification = 'pending')
             WHERE app = ?1 AND kid = ?2",
        )?
        .execute(params![app.as_str(), kid.as_bytes(), count])?;
    drop_idle(connection, app, kid)
}

/// A key that is neither known nor waited for is not worth a row: anyone can make up any number of them.
fn drop_idle(connection: &Connection, app: &AppName, kid: Uuid) -> Result<()> {
    connection
        .prepare_cached("DELETE FROM keys WHERE app = ?1 AND kid = ?2 AND jwk IS NULL AND waiting = 0")?
        .execute(params![app.as_str(), kid.as_bytes()])?;
    Ok(())
}

/// Unknown keys that webhooks wait for.
pub(super) fn undecided(
    connection: &Connection,
    app: &AppName,
    order: KidOrder,
    asked_before: UtcMicros,
    limit: usize,
) -> Result<Vec<UndecidedKid>> {
    let order = match order {
        KidOrder::MostWaiting => "waiting DESC, waiting_since DESC",
        KidOrder::LongestWaiting => "waiting_since, kid",
    };
    let undecided = format!(
        "SELECT kid, waiting, not_found, first_not_found_at, asked_at FROM keys
         WHERE app = ?1 AND waiting > 0 AND jwk IS NULL AND (asked_at IS NULL OR asked_at < ?2)
         ORDER BY {order} LIMIT ?3"
    );
    connection
        .prepare_cached(&undecided)?
        .query_map(params![app.as_str(), asked_before.0, limit as i64], undecided_row)?
        .collect()
}

/// Known keys that webhooks still wait for.
pub(super) fn learned_late(connection: &Connection, app: &AppName) -> Result<Vec<Uuid>> {
    connection
        .prepare_cached("SELECT kid FROM keys WHERE app = ?1 AND waiting > 0 AND jwk IS NOT NULL ORDER BY kid")?
        .query_map([app.as_str()], |row| columns::uuid(row, 0))?
        .collect()
}

/// Finlink has no such key: counted on.
pub(super) fn not_found(connection: &Connection, app: &AppName, kid: Uuid, now: UtcMicros) -> Result<UndecidedKid> {
    let counted = connection
        .prepare_cached(
            "UPDATE keys SET not_found = not_found + 1, first_not_found_at = coalesce(first_not_found_at, ?3),
                 asked_at = ?3
             WHERE app = ?1 AND kid = ?2
             RETURNING kid, waiting, not_found, first_not_found_at, asked_at",
        )?
        .query_row(params![app.as_str(), kid.as_bytes(), now.0], undecided_row)
        .optional()?;
    answered(connection, app, now)?;
    Ok(counted.unwrap_or(UndecidedKid::unwaited(kid, now)))
}

fn undecided_row(row: &Row<'_>) -> Result<UndecidedKid> {
    Ok(UndecidedKid {
        kid: columns::uuid(row, 0)?,
        waiting: columns::count(row, 1)?,
        not_found: columns::small_count(row, 2)?,
        first_not_found_at: columns::time_option(row, 3)?,
        asked_at: columns::time_option(row, 4)?,
    })
}

/// The session kept for a secret.
pub(super) fn session(connection: &Connection, app: &AppName, fingerprint: &str) -> Result<Option<SealedSession>> {
    connection
        .prepare_cached("SELECT sealed, login_at, expires_at FROM sessions WHERE app = ?1 AND fingerprint = ?2")?
        .query_row(params![app.as_str(), fingerprint], |row| {
            Ok(SealedSession {
                fingerprint: fingerprint.to_owned(),
                sealed: row.get(0)?,
                login_at: columns::time(row, 1)?,
                expires_at: columns::time(row, 2)?,
            })
        })
        .optional()
}

/// Keeps a session. Those of other secrets that had ended when it began are dropped: secrets come and go.
pub(super) fn keep_session(connection: &Connection, lease: &Lease, session: &SealedSession) -> Result<()> {
    let app = lease.app.as_str();
    connection
        .prepare_cached(
            "INSERT INTO sessions (app, fingerprint, sealed, login_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (app, fingerprint) DO UPDATE SET
                 sealed = excluded.sealed, login_at = excluded.login_at, expires_at = excluded.expires_at",
        )?
        .execute(params![app, session.fingerprint, session.sealed, session.login_at.0, session.expires_at.0])?;
    connection
        .prepare_cached("DELETE FROM sessions WHERE app = ?1 AND fingerprint <> ?2 AND expires_at < ?3")?
        .execute(params![app, session.fingerprint, session.login_at.0])?;
    Ok(())
}
