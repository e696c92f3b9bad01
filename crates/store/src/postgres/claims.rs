//! Who is read next (R1, R4): what is due, claims, and giving them back. `claimable_at` of the schema says who may be.

use events::{AppName, ConnectionToken, UtcMicros};
use tokio_postgres::Row;

use super::fault::Fault;
use super::known::{self, look};
use super::session::Session;
use super::{columns, lease};
use crate::refresh::not_enrolled;
use crate::{Claim, Claimed, Due, Lease, Postponement};

/// The columns that [`claim`] reads: the token, then those of [`look`].
const COLUMNS: &str =
    "refreshes.token, hint_no, answered_no, told_no, hinted_at, hinted_again_at, scheduled_at, not_before,
    claimed_until, failures, reason";

/// The number of a read, drawn before its request leaves (R2).
const DRAW: &str = "SELECT nextval('read_numbers')";

/// How long the row of a forgotten token is kept: no claim is answered so late.
const FORGOTTEN_FOR: std::time::Duration = std::time::Duration::from_hours(24);

/// What waits, and when the next row does where none does now.
pub(super) async fn due(session: &Session, app: &AppName, now: UtcMicros) -> Result<Due, Fault> {
    let counts = session
        .first(
            "SELECT count(*) FILTER (WHERE token <> '' AND hinted_at IS NOT NULL),
                    count(*) FILTER (WHERE token <> '' AND hinted_at IS NULL),
                    count(*) FILTER (WHERE token <> '' AND reason = 'missing'),
                    count(*) FILTER (WHERE token = ''),
                    (SELECT min(claimable_at) FROM refreshes WHERE app = $1 AND claimable_at > $2)
             FROM refreshes WHERE app = $1 AND claimable_at <= $2",
            &[&app.as_str(), &now.0],
        )
        .await?;
    let Some(row) = counts else { return Ok(Due::default()) };
    let (hinted, scheduled) = (columns::count(&row, 0)?, columns::count(&row, 1)?);
    let list = columns::count(&row, 3)? > 0;
    let idle = hinted + scheduled == 0 && !list;
    Ok(Due {
        hinted,
        scheduled,
        single_only: columns::count(&row, 2)?,
        list,
        next_at: columns::time_option(&row, 4)?.filter(|_| idle),
    })
}

/// Claims the next connection: the oldest hint, else what is due for longest. A row that somebody holds just now is passed by.
pub(super) async fn one(
    session: &Session,
    lease: &Lease,
    now: UtcMicros,
    until: UtcMicros,
) -> Result<Option<Claimed>, Fault> {
    lease::check(session, lease).await?;
    for (hinted, order) in [("NOT", "hinted_at"), ("", "claimable_at")] {
        // Materialized: within a join PostgreSQL might look for the next row again and again.
        let claim_next = format!(
            "WITH next AS MATERIALIZED (
                 SELECT token FROM refreshes
                 WHERE app = $1 AND token <> '' AND hinted_at IS {hinted} NULL AND claimable_at <= $2
                 ORDER BY {order}, token LIMIT 1 FOR UPDATE SKIP LOCKED)
             UPDATE refreshes SET claimed_until = $3, hinted_again_at = NULL FROM next
             WHERE app = $1 AND refreshes.token = next.token RETURNING {COLUMNS}"
        );
        if let Some(row) = session.first(&claim_next, &[&lease.app.as_str(), &now.0, &until.0]).await? {
            let claims = vec![claim(&lease.app, &row)?];
            return Ok(Some(Claimed { read_no: draw_read_no(session).await?, claims }));
        }
    }
    Ok(None)
}

/// Claims the app and the due connections that a list can answer, hinted ones first.
pub(super) async fn list(
    session: &Session,
    lease: &Lease,
    now: UtcMicros,
    until: UtcMicros,
    limit: usize,
) -> Result<Claimed, Fault> {
    lease::check(session, lease).await?;
    let app = lease.app.as_str();
    let due = format!(
        "SELECT {COLUMNS} FROM refreshes
         WHERE app = $1 AND token <> '' AND claimable_at <= $2 AND reason <> 'missing'
         ORDER BY hinted_at IS NULL, hinted_at, claimable_at, token LIMIT $3 FOR UPDATE SKIP LOCKED"
    );
    let due = session.query(&due, &[&app, &now.0, &i64::try_from(limit).unwrap_or(i64::MAX)]).await?;
    let itself = format!("SELECT {COLUMNS} FROM refreshes WHERE app = $1 AND token = '' FOR UPDATE");
    let itself = session.first(&itself, &[&app]).await?.ok_or_else(|| not_enrolled(&lease.app))?;
    let mut claims = vec![claim(&lease.app, &itself)?];
    for row in &due {
        claims.push(claim(&lease.app, row)?);
    }
    let tokens: Vec<_> = claims.iter().map(|claim| token_text(claim.token.as_ref())).collect();
    let mark = "UPDATE refreshes SET claimed_until = $3, hinted_again_at = NULL
        WHERE app = $1 AND token = ANY ($2::text[])";
    session.execute(mark, &[&app, &tokens, &until.0]).await?;
    Ok(Claimed { read_no: draw_read_no(session).await?, claims })
}

fn claim(app: &AppName, row: &Row) -> Result<Claim, Fault> {
    let token: &str = columns::get(row, 0)?;
    let token = if token.is_empty() { None } else { Some(columns::parsed(row, 0)?) };
    let look = look(row, 1)?;
    Ok(Claim { app: app.clone(), token, hint_no: look.hint_no, cause: look.cause(), failures: look.failures })
}

async fn draw_read_no(session: &Session) -> Result<u64, Fault> {
    session.first(DRAW, &[]).await?.map_or(Ok(0), |row| columns::count(&row, 0))
}

/// Gives claims back unanswered.
pub(super) async fn postpone(session: &Session, app: &AppName, postponements: &[Postponement]) -> Result<(), Fault> {
    let tokens: Vec<_> = postponements.iter().map(|given| token_text(given.claim.token.as_ref())).collect();
    let until: Vec<_> = postponements.iter().map(|given| given.until.0).collect();
    let counts: Vec<_> = postponements.iter().map(|given| i64::from(given.counts)).collect();
    let errors: Vec<_> = postponements.iter().map(|given| columns::plain(&given.error)).collect();
    let requests: Vec<_> =
        postponements.iter().map(|given| columns::plain_option(given.request_id.as_deref())).collect();
    known::lock(session, app, &tokens).await?;
    session
        .execute(
            "UPDATE refreshes SET claimed_until = NULL, not_before = greatest(not_before, given.until),
                 failures = failures + given.counts, last_error = given.error,
                 last_request_id = coalesce(given.request, last_request_id)
             FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::text[])
                 AS given (token, until, counts, error, request)
             WHERE app = $1 AND refreshes.token = given.token",
            &[&app.as_str(), &tokens, &until, &counts, &errors, &requests],
        )
        .await?;
    Ok(())
}

/// The app's list was read whole: its claim is answered. A list that was wished for meanwhile, to prove a deletion, stays so.
pub(super) async fn swept(
    session: &Session,
    claim: &Claim,
    now: UtcMicros,
    not_before: UtcMicros,
    next_at: UtcMicros,
) -> Result<(), Fault> {
    let app = claim.app.as_str();
    let forgotten = "WITH forgotten AS MATERIALIZED (
            SELECT token FROM refreshes WHERE app = $1 AND forgotten_at < $2 FOR UPDATE SKIP LOCKED)
        DELETE FROM refreshes USING forgotten WHERE app = $1 AND refreshes.token = forgotten.token";
    session.execute(forgotten, &[&app, &now.minus(FORGOTTEN_FOR).0]).await?;
    session
        .execute(
            "UPDATE refreshes SET
                 answered_no = greatest(answered_no, $2),
                 hinted_at = CASE WHEN hint_no > greatest(answered_no, $2) THEN coalesce(hinted_again_at, hinted_at) END,
                 claimed_until = NULL,
                 failures = 0,
                 last_error = NULL,
                 not_before = $4,
                 reason = CASE WHEN reason = 'missing' AND scheduled_at > $3 AND scheduled_at <= $5
                     THEN 'missing' ELSE 'sweep' END,
                 scheduled_at = CASE WHEN reason = 'missing' AND scheduled_at > $3 AND scheduled_at <= $5
                     THEN scheduled_at ELSE $5 END
             WHERE app = $1 AND token = ''",
            &[&app, &(claim.hint_no as i64), &now.0, &not_before.0, &next_at.0],
        )
        .await?;
    let swept = "UPDATE apps SET swept_at = greatest(swept_at, $2) WHERE app = $1";
    session.execute(swept, &[&app, &now.0]).await?;
    Ok(())
}

/// A token as the key of `refreshes` has it: '' is the app.
pub(super) fn token_text(token: Option<&ConnectionToken>) -> &str {
    token.map_or("", ConnectionToken::as_str)
}
