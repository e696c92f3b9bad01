//! Rows of `connections` and `refreshes` as the rules know them, and back.

use connections::Known;
use events::{AppName, ConnectionStatus};
use serde::Serialize;
use serde_json::Value;
use sqlite::rusqlite::types::Type;
use sqlite::rusqlite::{Connection, Error, Result, Row, params};

use super::columns::{self, micros, unreadable};
use crate::judging::{Kept, Look};

/// The columns that [`kept`] reads, in its order.
pub(super) const COLUMNS: &str = "app, raw, version, read_no, as_of, deleted_at, unchanged_reads, absence, regression,
    announced, deletion_held_at, deletion_approved_at";

/// A row of `connections`.
pub(super) fn kept(row: &Row<'_>) -> Result<Kept> {
    Ok(Kept {
        known: known(row)?,
        held_at: columns::time_option(row, 10)?,
        approved_at: columns::time_option(row, 11)?,
    })
}

/// The same without what an operator has to do with it.
pub(super) fn known(row: &Row<'_>) -> Result<Known> {
    let raw: Value = columns::json(row, 1)?;
    let status = ConnectionStatus::from_value(raw.clone()).map_err(|error| unreadable(Type::Text, &error))?;
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
pub(super) fn look(row: &Row<'_>, first: usize) -> Result<Look> {
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

/// Writes the whole row of a connection.
pub(super) fn write(connection: &Connection, kept: &Kept) -> Result<()> {
    let Known { app, status, raw, version, read_no, as_of, deleted_at, unchanged_reads, .. } = &kept.known;
    let error = status.error_details.as_ref();
    connection
        .prepare_cached(
            "INSERT INTO connections (app, token, status, entity, update_token, restore_token, two_factor_enabled,
                 has_credentials, external_id, created_at, updated_at, last_sync, error_reason, error_type,
                 error_retryable, raw, version, read_no, as_of, deleted_at, unchanged_reads, absence, regression,
                 announced, missing, deletion_held_at, deletion_approved_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21,
                 ?22, ?23, ?24, ?25, ?26, ?27)
             ON CONFLICT (app, token) DO UPDATE SET
                 status = excluded.status, entity = excluded.entity, update_token = excluded.update_token,
                 restore_token = excluded.restore_token, two_factor_enabled = excluded.two_factor_enabled,
                 has_credentials = excluded.has_credentials, external_id = excluded.external_id,
                 created_at = excluded.created_at, updated_at = excluded.updated_at, last_sync = excluded.last_sync,
                 error_reason = excluded.error_reason, error_type = excluded.error_type,
                 error_retryable = excluded.error_retryable, raw = excluded.raw, version = excluded.version,
                 read_no = excluded.read_no, as_of = excluded.as_of, deleted_at = excluded.deleted_at,
                 unchanged_reads = excluded.unchanged_reads, absence = excluded.absence,
                 regression = excluded.regression, announced = excluded.announced, missing = excluded.missing,
                 deletion_held_at = excluded.deletion_held_at, deletion_approved_at = excluded.deletion_approved_at",
        )?
        .execute(params![
            app.as_str(),
            status.credentials_token.as_str(),
            status.status.as_str(),
            status.entity,
            status.update_token,
            status.restore_token,
            status.two_factor_enabled,
            status.has_credentials,
            status.external_id,
            micros(status.created_at),
            micros(status.updated_at),
            micros(status.last_sync),
            error.and_then(|error| error.reason.as_ref()),
            error.and_then(|error| error.kind.as_ref()),
            error.and_then(|error| error.retryable),
            raw.to_string(),
            *version as i64,
            *read_no as i64,
            as_of.0,
            micros(*deleted_at),
            unchanged_reads,
            kept.known.absence.suspected().then(|| text(&kept.known.absence)).transpose()?,
            kept.known.regression.as_ref().map(text).transpose()?,
            text(&kept.known.announced)?,
            kept.missing(),
            micros(kept.held_at),
            micros(kept.approved_at),
        ])?;
    Ok(())
}

/// Writes what an unchanged read changes.
pub(super) fn touch(connection: &Connection, known: &Known) -> Result<()> {
    connection
        .prepare_cached(
            "UPDATE connections SET read_no = ?3, as_of = ?4, unchanged_reads = ?5 WHERE app = ?1 AND token = ?2",
        )?
        .execute(params![
            known.app.as_str(),
            known.token().as_str(),
            known.read_no as i64,
            known.as_of.0,
            known.unchanged_reads
        ])?;
    Ok(())
}

/// Writes the row of `refreshes` of a connection. Hints are left as they are: only [`super::hints`] raises them.
pub(super) fn write_look(
    connection: &Connection,
    app: &AppName,
    token: &str,
    look: &Look,
    request_id: Option<&str>,
) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO refreshes (app, token, hint_no, told_no, answered_no, hinted_at, scheduled_at, not_before,
                 claimed_until, failures, reason, last_request_id)
             VALUES (?1, ?2, ?11, ?12, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
             ON CONFLICT (app, token) DO UPDATE SET
                 answered_no = excluded.answered_no, hinted_at = excluded.hinted_at,
                 scheduled_at = excluded.scheduled_at, not_before = excluded.not_before,
                 claimed_until = excluded.claimed_until, failures = excluded.failures, reason = excluded.reason,
                 last_error = NULL, last_request_id = coalesce(excluded.last_request_id, last_request_id)",
        )?
        .execute(params![
            app.as_str(),
            token,
            look.answered_no as i64,
            micros(look.hinted_at),
            micros(look.scheduled_at),
            look.not_before.0,
            micros(look.claimed_until),
            look.failures,
            look.reason.word(),
            request_id,
            look.hint_no as i64,
            look.told_no as i64,
        ])?;
    Ok(())
}

/// A value as JSON text.
pub(super) fn text(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::ToSqlConversionFailure(error.into()))
}
