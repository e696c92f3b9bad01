//! Rows of `connections` and `refreshes` as the rules know them, and back.

use std::collections::BTreeMap;

use connections::Known;
use events::{AppName, ConnectionStatus, ConnectionToken, ErrorDetails, UtcMicros};
use serde::Serialize;
use serde_json::Value;
use tokio_postgres::Row;

use super::columns::{self, micros, plain, plain_option};
use super::fault::{Fault, unreadable};
use super::session::Session;
use crate::StoreError;
use crate::judging::{Kept, Look};

/// The columns that [`kept`] reads, in its order.
pub(super) const COLUMNS: &str = "app, raw, version, read_no, as_of, deleted_at, unchanged_reads, absence, regression,
    announced, deletion_held_at, deletion_approved_at";

/// A row of `connections`.
pub(super) fn kept(row: &Row) -> Result<Kept, Fault> {
    Ok(Kept {
        known: known(row)?,
        held_at: columns::time_option(row, 10)?,
        approved_at: columns::time_option(row, 11)?,
    })
}

/// The same without what an operator has to do with it.
pub(super) fn known(row: &Row) -> Result<Known, Fault> {
    let raw: Value = columns::json(row, 1)?;
    let status = ConnectionStatus::from_value(raw.clone()).map_err(|error| unreadable(&error))?;
    Ok(Known {
        app: columns::parsed::<AppName>(row, 0)?,
        status,
        raw,
        version: columns::count(row, 2)?,
        read_no: columns::count(row, 3)?,
        as_of: columns::time(row, 4)?,
        deleted_at: columns::time_option(row, 5)?,
        unchanged_reads: columns::small_count(row, 6)?,
        absence: columns::json_option(row, 7)?.unwrap_or_default(),
        regression: columns::json_option(row, 8)?,
        announced: columns::json_option(row, 9)?.unwrap_or_default(),
    })
}

/// A row of `refreshes`, whose columns stand from `first` on in the order of the schema.
pub(super) fn look(row: &Row, first: usize) -> Result<Look, Fault> {
    Ok(Look {
        hint_no: columns::count(row, first)?,
        answered_no: columns::count(row, first + 1)?,
        told_no: columns::count(row, first + 2)?,
        hinted_at: columns::time_option(row, first + 3)?,
        hinted_again_at: columns::time_option(row, first + 4)?,
        scheduled_at: columns::time_option(row, first + 5)?,
        not_before: columns::time(row, first + 6)?,
        claimed_until: columns::time_option(row, first + 7)?,
        failures: columns::small_count(row, first + 8)?,
        reason: columns::cause(row, first + 9)?,
    })
}

/// Locks rows of `refreshes` of an app in key order: its tokens, then itself.
pub(super) async fn lock(session: &Session, app: &AppName, tokens: &[&str]) -> Result<(), Fault> {
    let lock =
        "SELECT FROM refreshes WHERE app = $1 AND token = ANY ($2::text[]) ORDER BY token = '', token FOR UPDATE";
    session.query(lock, &[&app.as_str(), &tokens]).await?;
    Ok(())
}

/// Locks the rows of `refreshes` of connections in key order, makes those that are not there, and loads all.
pub(super) async fn hold(
    session: &Session,
    app: &AppName,
    tokens: &[&str],
) -> Result<BTreeMap<ConnectionToken, (Option<Kept>, Option<Look>)>, Fault> {
    // An update that changes nothing locks: a hint that comes meanwhile waits, also one at a row that is not there yet.
    session
        .execute(
            "INSERT INTO refreshes (app, token) SELECT $1, * FROM unnest($2::text[])
             ON CONFLICT (app, token) DO UPDATE SET reason = refreshes.reason WHERE FALSE",
            &[&app.as_str(), &tokens],
        )
        .await?;
    let mut rows = BTreeMap::new();
    let looks = session
        .query(
            "SELECT token, hint_no, answered_no, told_no, hinted_at, hinted_again_at, scheduled_at, not_before,
                 claimed_until, failures, reason
             FROM refreshes WHERE app = $1 AND token = ANY ($2::text[])",
            &[&app.as_str(), &tokens],
        )
        .await?;
    for row in &looks {
        rows.insert(columns::parsed(row, 0)?, (None, Some(look(row, 1)?)));
    }
    let all = format!("SELECT {COLUMNS} FROM connections WHERE app = $1 AND token = ANY ($2::text[])");
    for row in &session.query(&all, &[&app.as_str(), &tokens]).await? {
        let kept = kept(row)?;
        let token = kept.known.token().clone();
        rows.entry(token).or_insert((None, None)).0 = Some(kept);
    }
    Ok(rows)
}

/// Writes whole rows of connections.
pub(super) async fn write(session: &Session, app: &AppName, rows: &[&Kept]) -> Result<(), Fault> {
    if rows.is_empty() {
        return Ok(());
    }
    let known = || rows.iter().map(|kept| &kept.known);
    let status = || known().map(|known| &known.status);
    let error = || status().map(|status| status.error_details.as_ref());
    let tokens: Vec<_> = known().map(|known| known.token().as_str()).collect();
    let words: Vec<_> = status().map(|status| plain(status.status.as_str())).collect();
    let text = |of: fn(&ConnectionStatus) -> Option<&String>| -> Vec<_> {
        status().map(|status| plain_option(of(status).map(String::as_str))).collect()
    };
    let time = |of: fn(&ConnectionStatus) -> Option<UtcMicros>| -> Vec<_> {
        status().map(|status| micros(of(status))).collect()
    };
    let flag = |of: fn(&ConnectionStatus) -> Option<bool>| -> Vec<_> { status().map(of).collect() };
    let said = |of: fn(&ErrorDetails) -> Option<&String>| -> Vec<_> {
        error().map(|error| plain_option(error.and_then(of).map(String::as_str))).collect()
    };
    let number = |of: fn(&Known) -> i64| -> Vec<_> { known().map(of).collect() };
    let entities = text(|status| status.entity.as_ref());
    let update_tokens = text(|status| status.update_token.as_ref());
    let restore_tokens = text(|status| status.restore_token.as_ref());
    let external_ids = text(|status| status.external_id.as_ref());
    let two_factor = flag(|status| status.two_factor_enabled);
    let credentials = flag(|status| status.has_credentials);
    let created = time(|status| status.created_at);
    let updated = time(|status| status.updated_at);
    let synced = time(|status| status.last_sync);
    let reasons = said(|error| error.reason.as_ref());
    let kinds = said(|error| error.kind.as_ref());
    let retryable: Vec<_> = error().map(|error| error.and_then(|error| error.retryable)).collect();
    let raw: Vec<_> = known().map(|known| known.raw.to_string()).collect();
    let versions = number(|known| known.version as i64);
    let read_nos = number(|known| known.read_no as i64);
    let as_of = number(|known| known.as_of.0);
    let unchanged = number(|known| i64::from(known.unchanged_reads));
    let deleted: Vec<_> = known().map(|known| micros(known.deleted_at)).collect();
    let absences = all(known().map(|known| known.absence.suspected().then_some(&known.absence)))?;
    let regressions = all(known().map(|known| known.regression.as_ref()))?;
    let announced = all(known().map(|known| Some(&known.announced)))?;
    let missing: Vec<_> = rows.iter().map(|kept| kept.missing()).collect();
    let held: Vec<_> = rows.iter().map(|kept| micros(kept.held_at)).collect();
    let approved: Vec<_> = rows.iter().map(|kept| micros(kept.approved_at)).collect();
    session
        .execute(
            WRITE,
            &[
                &app.as_str(),
                &tokens,
                &words,
                &entities,
                &update_tokens,
                &restore_tokens,
                &two_factor,
                &credentials,
                &external_ids,
                &created,
                &updated,
                &synced,
                &reasons,
                &kinds,
                &retryable,
                &raw,
                &versions,
                &read_nos,
                &as_of,
                &deleted,
                &unchanged,
                &absences,
                &regressions,
                &announced,
                &missing,
                &held,
                &approved,
            ],
        )
        .await?;
    Ok(())
}

const WRITE: &str = "
    INSERT INTO connections (app, token, status, entity, update_token, restore_token, two_factor_enabled, has_credentials,
        external_id, created_at, updated_at, last_sync, error_reason, error_type, error_retryable, raw, version, read_no,
        as_of, deleted_at, unchanged_reads, absence, regression, announced, missing, deletion_held_at,
        deletion_approved_at)
    SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::boolean[], $8::boolean[],
        $9::text[], $10::bigint[], $11::bigint[], $12::bigint[], $13::text[], $14::text[], $15::boolean[], $16::text[],
        $17::bigint[], $18::bigint[], $19::bigint[], $20::bigint[], $21::bigint[], $22::text[], $23::text[], $24::text[],
        $25::boolean[], $26::bigint[], $27::bigint[])
    ON CONFLICT (app, token) DO UPDATE SET
        status = excluded.status, entity = excluded.entity, update_token = excluded.update_token,
        restore_token = excluded.restore_token, two_factor_enabled = excluded.two_factor_enabled,
        has_credentials = excluded.has_credentials, external_id = excluded.external_id,
        created_at = excluded.created_at, updated_at = excluded.updated_at, last_sync = excluded.last_sync,
        error_reason = excluded.error_reason, error_type = excluded.error_type,
        error_retryable = excluded.error_retryable, raw = excluded.raw, version = excluded.version,
        read_no = excluded.read_no, as_of = excluded.as_of, deleted_at = excluded.deleted_at,
        unchanged_reads = excluded.unchanged_reads, absence = excluded.absence, regression = excluded.regression,
        announced = excluded.announced, missing = excluded.missing, deletion_held_at = excluded.deletion_held_at,
        deletion_approved_at = excluded.deletion_approved_at";

/// Writes what an unchanged read changes.
pub(super) async fn touch(session: &Session, app: &AppName, rows: &[&Known]) -> Result<(), Fault> {
    if rows.is_empty() {
        return Ok(());
    }
    let tokens: Vec<_> = rows.iter().map(|known| known.token().as_str()).collect();
    let read_nos: Vec<_> = rows.iter().map(|known| known.read_no as i64).collect();
    let as_of: Vec<_> = rows.iter().map(|known| known.as_of.0).collect();
    let unchanged: Vec<_> = rows.iter().map(|known| i64::from(known.unchanged_reads)).collect();
    session
        .execute(
            "UPDATE connections SET read_no = touched.read_no, as_of = touched.as_of, unchanged_reads = touched.unchanged
             FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[])
                 AS touched (token, read_no, as_of, unchanged)
             WHERE app = $1 AND connections.token = touched.token",
            &[&app.as_str(), &tokens, &read_nos, &as_of, &unchanged],
        )
        .await?;
    Ok(())
}

/// Writes rows of `refreshes` that [`hold`] made sure of. Hints are left as they are: only [`super::hints`] raises them.
pub(super) async fn write_looks(
    session: &Session,
    app: &AppName,
    looks: &[(&str, &Look)],
    request_id: Option<&str>,
) -> Result<(), Fault> {
    if looks.is_empty() {
        return Ok(());
    }
    let tokens: Vec<_> = looks.iter().map(|(token, _)| *token).collect();
    let look = || looks.iter().map(|(_, look)| *look);
    let answered: Vec<_> = look().map(|look| look.answered_no as i64).collect();
    let hinted: Vec<_> = look().map(|look| micros(look.hinted_at)).collect();
    let scheduled: Vec<_> = look().map(|look| micros(look.scheduled_at)).collect();
    let not_before: Vec<_> = look().map(|look| look.not_before.0).collect();
    let claimed: Vec<_> = look().map(|look| micros(look.claimed_until)).collect();
    let failures: Vec<_> = look().map(|look| i64::from(look.failures)).collect();
    let reasons: Vec<_> = look().map(|look| look.reason.word()).collect();
    session
        .execute(
            "UPDATE refreshes SET
                 answered_no = looks.answered_no, hinted_at = looks.hinted_at, scheduled_at = looks.scheduled_at,
                 not_before = looks.not_before, claimed_until = looks.claimed_until, failures = looks.failures,
                 reason = looks.reason, last_error = NULL, last_request_id = coalesce($10, last_request_id),
                 forgotten_at = NULL
             FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[],
                 $9::text[]) AS looks (token, answered_no, hinted_at, scheduled_at, not_before, claimed_until, failures,
                 reason)
             WHERE app = $1 AND refreshes.token = looks.token",
            &[
                &app.as_str(),
                &tokens,
                &answered,
                &hinted,
                &scheduled,
                &not_before,
                &claimed,
                &failures,
                &reasons,
                &plain_option(request_id),
            ],
        )
        .await?;
    Ok(())
}

/// Finlink does not know these tokens: nothing can be seen of their rows but that hints are counted on from there.
pub(super) async fn forget(session: &Session, app: &AppName, tokens: &[&str], now: UtcMicros) -> Result<(), Fault> {
    if tokens.is_empty() {
        return Ok(());
    }
    let never_hinted = "DELETE FROM refreshes WHERE app = $1 AND token = ANY ($2::text[]) AND hint_no = 0";
    session.execute(never_hinted, &[&app.as_str(), &tokens]).await?;
    session
        .execute(
            "UPDATE refreshes SET forgotten_at = $3, answered_no = hint_no, hinted_at = NULL, hinted_again_at = NULL,
                 scheduled_at = NULL, not_before = 0, claimed_until = NULL, failures = 0, last_error = NULL,
                 last_request_id = NULL, reason = 'schedule'
             WHERE app = $1 AND token = ANY ($2::text[])",
            &[&app.as_str(), &tokens, &now.0],
        )
        .await?;
    Ok(())
}

/// Values as JSON text.
fn all<'a, T: Serialize + 'a>(values: impl Iterator<Item = Option<&'a T>>) -> Result<Vec<Option<String>>, Fault> {
    values.map(|value| value.map(text).transpose()).collect()
}

/// A value as JSON text.
pub(super) fn text(value: &impl Serialize) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|error| StoreError::Unavailable(format!("not JSON: {error}")).into())
}
