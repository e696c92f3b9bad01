//! Who is read next (R1, R4): what is due, claims, and giving them back. `claimable_at` of the schema says who may be.

use events::{AppName, ConnectionToken, UtcMicros};
use sqlite::rusqlite::{Connection, OptionalExtension, Result as SqlResult, Row, params};

use super::columns;
use super::fault::Fault;
use super::known::look;
use crate::refresh::not_enrolled;
use crate::{Claim, Claimed, Due, Lease, Postponement};

/// The columns that [`claim`] reads: the token, then those of [`look`].
const COLUMNS: &str = "token, hint_no, answered_no, told_no, hinted_at, hinted_again_at, scheduled_at, not_before,
    claimed_until, failures, reason";

/// What waits, and when the next row does where none does now.
pub(super) fn due(connection: &Connection, app: &AppName, now: UtcMicros) -> SqlResult<Due> {
    connection
        .prepare_cached(
            "SELECT count(*) FILTER (WHERE token <> '' AND hinted_at IS NOT NULL),
                    count(*) FILTER (WHERE token <> '' AND hinted_at IS NULL),
                    count(*) FILTER (WHERE token <> '' AND reason = 'missing'),
                    count(*) FILTER (WHERE token = ''),
                    (SELECT min(claimable_at) FROM refreshes WHERE app = ?1 AND claimable_at > ?2)
             FROM refreshes WHERE app = ?1 AND claimable_at <= ?2",
        )?
        .query_row(params![app.as_str(), now.0], |row| {
            let (hinted, scheduled) = (columns::count(row, 0)?, columns::count(row, 1)?);
            let list = columns::count(row, 3)? > 0;
            let idle = hinted + scheduled == 0 && !list;
            Ok(Due {
                hinted,
                scheduled,
                single_only: columns::count(row, 2)?,
                list,
                next_at: columns::time_option(row, 4)?.filter(|_| idle),
            })
        })
}

/// Claims the next connection: the oldest hint, else what is due for longest.
pub(super) fn one(
    connection: &Connection,
    lease: &Lease,
    now: UtcMicros,
    until: UtcMicros,
) -> Result<Option<Claimed>, Fault> {
    let hinted = format!(
        "SELECT {COLUMNS} FROM refreshes WHERE app = ?1 AND token <> '' AND hinted_at IS NOT NULL AND claimable_at <= ?2
         ORDER BY hinted_at, token LIMIT 1"
    );
    let scheduled = format!(
        "SELECT {COLUMNS} FROM refreshes WHERE app = ?1 AND token <> '' AND hinted_at IS NULL AND claimable_at <= ?2
         ORDER BY claimable_at, token LIMIT 1"
    );
    for query in [hinted, scheduled] {
        let next = connection
            .prepare_cached(&query)?
            .query_row(params![lease.app.as_str(), now.0], |row| claim(&lease.app, row))
            .optional()?;
        if let Some(claim) = next {
            mark(connection, std::slice::from_ref(&claim), until)?;
            return Ok(Some(Claimed { read_no: draw_read_no(connection, &lease.app)?, claims: vec![claim] }));
        }
    }
    Ok(None)
}

/// Claims the app and the due connections that a list can answer, hinted ones first.
pub(super) fn list(
    connection: &Connection,
    lease: &Lease,
    now: UtcMicros,
    until: UtcMicros,
    limit: usize,
) -> Result<Claimed, Fault> {
    let mut claims = Vec::new();
    {
        let app = format!("SELECT {COLUMNS} FROM refreshes WHERE app = ?1 AND token = ''");
        let app = connection.prepare_cached(&app)?.query_row([lease.app.as_str()], |row| claim(&lease.app, row));
        claims.push(app.optional()?.ok_or_else(|| not_enrolled(&lease.app))?);
        let due = format!(
            "SELECT {COLUMNS} FROM refreshes
             WHERE app = ?1 AND token <> '' AND claimable_at <= ?2 AND reason <> 'missing'
             ORDER BY hinted_at IS NULL, hinted_at, claimable_at, token LIMIT ?3"
        );
        let mut due = connection.prepare_cached(&due)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        for row in due.query_map(params![lease.app.as_str(), now.0, limit], |row| claim(&lease.app, row))? {
            claims.push(row?);
        }
    }
    mark(connection, &claims, until)?;
    Ok(Claimed { read_no: draw_read_no(connection, &lease.app)?, claims })
}

fn claim(app: &AppName, row: &Row<'_>) -> SqlResult<Claim> {
    let token: String = row.get(0)?;
    let token = if token.is_empty() { None } else { Some(columns::parsed(row, 0)?) };
    let look = look(row, 1)?;
    Ok(Claim { app: app.clone(), token, hint_no: look.hint_no, cause: look.cause(), failures: look.failures })
}

/// Nobody else reads these rows until `until`.
fn mark(connection: &Connection, claims: &[Claim], until: UtcMicros) -> SqlResult<()> {
    let mut statement = connection.prepare_cached(
        "UPDATE refreshes SET claimed_until = ?3, hinted_again_at = NULL WHERE app = ?1 AND token = ?2",
    )?;
    for claim in claims {
        statement.execute(params![claim.app.as_str(), token_text(claim.token.as_ref()), until.0])?;
    }
    Ok(())
}

/// The number of a read, drawn before its request leaves (R2), or of a judgement.
pub(super) fn draw_read_no(connection: &Connection, app: &AppName) -> SqlResult<u64> {
    connection
        .prepare_cached("UPDATE apps SET read_no = read_no + 1 WHERE app = ?1 RETURNING read_no")?
        .query_row([app.as_str()], |row| columns::count(row, 0))
}

/// Gives claims back unanswered.
pub(super) fn postpone(connection: &Connection, postponements: &[Postponement]) -> SqlResult<()> {
    let mut statement = connection.prepare_cached(
        "UPDATE refreshes SET claimed_until = NULL, not_before = max(not_before, ?3), failures = failures + ?4,
             last_error = ?5, last_request_id = coalesce(?6, last_request_id)
         WHERE app = ?1 AND token = ?2",
    )?;
    for Postponement { claim, until, error, request_id, counts } in postponements {
        statement.execute(params![
            claim.app.as_str(),
            token_text(claim.token.as_ref()),
            until.0,
            counts,
            error,
            request_id
        ])?;
    }
    Ok(())
}

/// The app's list was read whole: its claim is answered. A list that was wished for meanwhile, to prove a deletion, stays so.
pub(super) fn swept(
    connection: &Connection,
    claim: &Claim,
    now: UtcMicros,
    not_before: UtcMicros,
    next_at: UtcMicros,
) -> SqlResult<()> {
    connection
        .prepare_cached(
            "UPDATE refreshes SET
                 answered_no = max(answered_no, ?2),
                 hinted_at = CASE WHEN hint_no > max(answered_no, ?2) THEN coalesce(hinted_again_at, hinted_at) END,
                 claimed_until = NULL,
                 failures = 0,
                 last_error = NULL,
                 not_before = ?4,
                 reason = CASE WHEN reason = 'missing' AND scheduled_at BETWEEN ?3 + 1 AND ?5
                     THEN 'missing' ELSE 'sweep' END,
                 scheduled_at = CASE WHEN reason = 'missing' AND scheduled_at BETWEEN ?3 + 1 AND ?5
                     THEN scheduled_at ELSE ?5 END
             WHERE app = ?1 AND token = ''",
        )?
        .execute(params![claim.app.as_str(), claim.hint_no as i64, now.0, not_before.0, next_at.0])?;
    connection
        .prepare_cached("UPDATE apps SET swept_at = max(coalesce(swept_at, ?2), ?2) WHERE app = ?1")?
        .execute(params![claim.app.as_str(), now.0])?;
    Ok(())
}

/// A token as the key of `refreshes` has it: '' is the app.
pub(super) fn token_text(token: Option<&ConnectionToken>) -> &str {
    token.map_or("", ConnectionToken::as_str)
}
