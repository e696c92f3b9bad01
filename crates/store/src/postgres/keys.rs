//! Verification keys and sessions: what Finlink was asked for, kept so that it need not be asked again.

use std::collections::BTreeMap;

use events::{AppName, UtcMicros};
use tokio_postgres::Row;
use uuid::Uuid;

use super::columns;
use super::fault::Fault;
use super::session::Session;
use crate::{KeySource, KidOrder, SealedSession, StoredKey, UndecidedKid};

/// More webhooks wait for keys.
pub(super) const WAIT: &str = "
    INSERT INTO keys (app, kid, waiting, waiting_since)
    SELECT * FROM unnest($1::text[], $2::uuid[], $3::bigint[], $4::bigint[])
    ON CONFLICT (app, kid) DO UPDATE SET
        waiting = keys.waiting + excluded.waiting,
        waiting_since = least(keys.waiting_since, excluded.waiting_since)";

/// A key that is neither known nor waited for is not worth a row: anyone can make up any number of them.
const DROP_IDLE: &str = "DELETE FROM keys WHERE app = $1 AND kid = ANY ($2::uuid[]) AND jwk IS NULL AND waiting = 0";

/// The keys known for an app.
pub(super) async fn known(session: &Session, app: &AppName) -> Result<Vec<StoredKey>, Fault> {
    let known = "SELECT kid, jwk, read_at FROM keys WHERE app = $1 AND jwk IS NOT NULL ORDER BY kid";
    let known = session.query(known, &[&app.as_str()]).await?;
    columns::all(&known, |row| {
        Ok(StoredKey { kid: columns::get(row, 0)?, jwk: columns::json(row, 1)?, read_at: columns::time(row, 2)? })
    })
}

/// Whether Finlink answers questions for keys.
pub(super) async fn source(session: &Session, app: &AppName, asked_before: UtcMicros) -> Result<KeySource, Fault> {
    let source = "SELECT (SELECT key_answered_at FROM apps WHERE app = $1), EXISTS (
            SELECT FROM keys
            WHERE app = $1 AND waiting > 0 AND jwk IS NULL AND (asked_at IS NULL OR asked_at < $2))";
    let row = session.first(source, &[&app.as_str(), &asked_before.0]).await?;
    row.as_ref().map_or(Ok(KeySource::default()), |row| {
        Ok(KeySource { answered_at: columns::time_option(row, 0)?, open: columns::get(row, 1)? })
    })
}

/// Finlink gave a definite answer to a question for a key.
async fn answered(session: &Session, app: &AppName, at: UtcMicros) -> Result<(), Fault> {
    session.execute("UPDATE apps SET key_answered_at = $2 WHERE app = $1", &[&app.as_str(), &at.0]).await?;
    Ok(())
}

/// Keeps a key; whatever was said against it before is forgotten.
pub(super) async fn learn(session: &Session, app: &AppName, key: &StoredKey) -> Result<(), Fault> {
    session
        .execute(
            "INSERT INTO keys (app, kid, jwk, read_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (app, kid) DO UPDATE SET
                 jwk = excluded.jwk, read_at = excluded.read_at, not_found = 0, first_not_found_at = NULL",
            &[&app.as_str(), &key.kid, &key.jwk.to_string(), &key.read_at.0],
        )
        .await?;
    answered(session, app, key.read_at).await
}

/// Drops a key; its row stays while webhooks wait for it.
pub(super) async fn forget(session: &Session, app: &AppName, kid: Uuid) -> Result<(), Fault> {
    let forget = "UPDATE keys SET jwk = NULL, read_at = NULL WHERE app = $1 AND kid = $2";
    session.execute(forget, &[&app.as_str(), &kid]).await?;
    session.execute(DROP_IDLE, &[&app.as_str(), &vec![kid]]).await?;
    Ok(())
}

/// So many more webhooks wait for a key, the first of them since then.
pub(super) async fn wait(
    session: &Session,
    waiting: &BTreeMap<(&AppName, Uuid), (i64, UtcMicros)>,
) -> Result<(), Fault> {
    if waiting.is_empty() {
        return Ok(());
    }
    let (apps, kids): (Vec<_>, Vec<_>) = waiting.keys().map(|(app, kid)| (app.as_str(), *kid)).unzip();
    let (counts, since): (Vec<_>, Vec<_>) = waiting.values().map(|(count, since)| (*count, since.0)).unzip();
    session.execute(WAIT, &[&apps, &kids, &counts, &since]).await?;
    Ok(())
}

/// So many webhooks that waited for a key are decided.
pub(super) async fn decided(session: &Session, app: &AppName, per_kid: &BTreeMap<Uuid, i64>) -> Result<(), Fault> {
    let (kids, counts): (Vec<_>, Vec<_>) = per_kid.iter().map(|(kid, count)| (*kid, *count)).unzip();
    let lock = "SELECT FROM keys WHERE app = $1 AND kid = ANY ($2::uuid[]) ORDER BY kid FOR UPDATE";
    session.query(lock, &[&app.as_str(), &kids]).await?;
    session
        .execute(
            "UPDATE keys SET waiting = greatest(waiting - decided.count, 0), waiting_since = (
                 SELECT min(received_at) FROM deliveries
                 WHERE app = $1 AND deliveries.kid = keys.kid AND verification = 'pending')
             FROM unnest($2::uuid[], $3::bigint[]) AS decided (kid, count)
             WHERE app = $1 AND keys.kid = decided.kid",
            &[&app.as_str(), &kids, &counts],
        )
        .await?;
    session.execute(DROP_IDLE, &[&app.as_str(), &kids]).await?;
    Ok(())
}

const MOST_WAITING: &str = "SELECT kid, waiting, not_found, first_not_found_at, asked_at FROM keys
    WHERE app = $1 AND waiting > 0 AND jwk IS NULL AND (asked_at IS NULL OR asked_at < $2)
    ORDER BY waiting DESC, waiting_since DESC LIMIT $3";

const LONGEST_WAITING: &str = "SELECT kid, waiting, not_found, first_not_found_at, asked_at FROM keys
    WHERE app = $1 AND waiting > 0 AND jwk IS NULL AND (asked_at IS NULL OR asked_at < $2)
    ORDER BY waiting_since, kid LIMIT $3";

/// Unknown keys that webhooks wait for.
pub(super) async fn undecided(
    session: &Session,
    app: &AppName,
    order: KidOrder,
    asked_before: UtcMicros,
    limit: i64,
) -> Result<Vec<UndecidedKid>, Fault> {
    let undecided = match order {
        KidOrder::MostWaiting => MOST_WAITING,
        KidOrder::LongestWaiting => LONGEST_WAITING,
    };
    columns::all(&session.query(undecided, &[&app.as_str(), &asked_before.0, &limit]).await?, undecided_row)
}

/// Known keys that webhooks still wait for.
pub(super) async fn learned_late(session: &Session, app: &AppName) -> Result<Vec<Uuid>, Fault> {
    let late = "SELECT kid FROM keys WHERE app = $1 AND waiting > 0 AND jwk IS NOT NULL ORDER BY kid";
    columns::all(&session.query(late, &[&app.as_str()]).await?, |row| columns::get(row, 0))
}

/// Finlink has no such key: counted on.
pub(super) async fn not_found(
    session: &Session,
    app: &AppName,
    kid: Uuid,
    now: UtcMicros,
) -> Result<UndecidedKid, Fault> {
    let counted = session
        .first(
            "UPDATE keys SET not_found = not_found + 1, first_not_found_at = coalesce(first_not_found_at, $3),
                 asked_at = $3
             WHERE app = $1 AND kid = $2
             RETURNING kid, waiting, not_found, first_not_found_at, asked_at",
            &[&app.as_str(), &kid, &now.0],
        )
        .await?;
    answered(session, app, now).await?;
    counted.as_ref().map_or(Ok(UndecidedKid::unwaited(kid, now)), undecided_row)
}

fn undecided_row(row: &Row) -> Result<UndecidedKid, Fault> {
    Ok(UndecidedKid {
        kid: columns::get(row, 0)?,
        waiting: columns::count(row, 1)?,
        not_found: columns::small_count(row, 2)?,
        first_not_found_at: columns::time_option(row, 3)?,
        asked_at: columns::time_option(row, 4)?,
    })
}

/// The session kept for a secret.
pub(super) async fn session_of(
    session: &Session,
    app: &AppName,
    fingerprint: &str,
) -> Result<Option<SealedSession>, Fault> {
    let kept = "SELECT sealed, login_at, expires_at FROM sessions WHERE app = $1 AND fingerprint = $2";
    let Some(row) = session.first(kept, &[&app.as_str(), &fingerprint]).await? else { return Ok(None) };
    Ok(Some(SealedSession {
        fingerprint: fingerprint.to_owned(),
        sealed: columns::get(&row, 0)?,
        login_at: columns::time(&row, 1)?,
        expires_at: columns::time(&row, 2)?,
    }))
}

/// Keeps a session. Those of other secrets that had ended when it began are dropped: secrets come and go.
pub(super) async fn keep_session(session: &Session, app: &AppName, kept: &SealedSession) -> Result<(), Fault> {
    let (app, SealedSession { fingerprint, sealed, login_at, expires_at }) = (app.as_str(), kept);
    session
        .execute(
            "INSERT INTO sessions (app, fingerprint, sealed, login_at, expires_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (app, fingerprint) DO UPDATE SET
                 sealed = excluded.sealed, login_at = excluded.login_at, expires_at = excluded.expires_at",
            &[&app, fingerprint, sealed, &login_at.0, &expires_at.0],
        )
        .await?;
    let ended = "DELETE FROM sessions WHERE app = $1 AND fingerprint <> $2 AND expires_at < $3";
    session.execute(ended, &[&app, fingerprint, &login_at.0]).await?;
    Ok(())
}
