//! A batch of reads in one transaction (R2): rows locked in key order, judged, written table by table.

use std::collections::BTreeSet;

use connections::Transition;
use events::{AppName, ConnectionToken, UtcMicros};

use super::fault::Fault;
use super::session::Session;
use super::{columns, known, lease, outbox, tally};
use crate::judging::{AppState, Bench, Depth, GapChange, Record, Verdicts};
use crate::refresh::of_one_app;
use crate::tally::{Sum, Tally};
use crate::{Lease, Observation, Rules};

/// Judges and writes.
pub(super) async fn observe(
    session: &Session,
    rules: &Rules,
    lease: &Lease,
    observations: &[Observation],
    request_id: Option<&str>,
    now: UtcMicros,
) -> Result<Vec<Transition>, Fault> {
    lease::check(session, lease).await?;
    of_one_app(lease, observations)?;
    let app = &lease.app;
    let tokens: BTreeSet<_> = observations.iter().map(|observation| observation.read.token.as_str()).collect();
    let tokens: Vec<_> = tokens.into_iter().collect();
    let rows = known::hold(session, app, &tokens).await?;
    let mut bench = Bench::new(rules, app_state(session, app).await?, rows, now);
    for observation in observations {
        bench.judge(observation);
    }
    let verdicts = bench.verdicts();
    write(session, app, &verdicts, request_id, now).await?;
    Ok(verdicts.transitions)
}

async fn app_state(session: &Session, app: &AppName) -> Result<AppState, Fault> {
    let state = session
        .first(
            "SELECT coalesce((SELECT swept_at IS NOT NULL FROM apps WHERE app = $1), FALSE),
                    coalesce((SELECT told_no > answered_no FROM refreshes WHERE app = $1 AND token = ''), FALSE),
                    (SELECT count(*) FROM connections WHERE app = $1 AND deleted_at IS NULL),
                    (SELECT count(*) FROM connections WHERE app = $1 AND missing)",
            &[&app.as_str()],
        )
        .await?;
    // Rows are held before they are judged: none is new to the rules, so that nothing needs to be counted on.
    let mut answer = AppState { swept: false, told: false, live: 0, missing: 0, hints_forgotten: 0 };
    if let Some(row) = &state {
        (answer.swept, answer.told) = (columns::get(row, 0)?, columns::get(row, 1)?);
        (answer.live, answer.missing) = (columns::count(row, 2)?, columns::count(row, 3)?);
    }
    Ok(answer)
}

async fn write(
    session: &Session,
    app: &AppName,
    verdicts: &Verdicts,
    request_id: Option<&str>,
    now: UtcMicros,
) -> Result<(), Fault> {
    let (mut looks, mut forgotten, mut whole, mut touched) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (token, rows) in &verdicts.rows {
        match &rows.look {
            Some(look) => looks.push((token.as_str(), look)),
            None => forgotten.push(token.as_str()),
        }
        match (&rows.kept, rows.depth) {
            (Some(kept), Depth::Whole) => whole.push(kept),
            (Some(kept), Depth::Touched) => touched.push(&kept.known),
            (Some(_), Depth::Not) | (None, _) => {}
        }
    }
    known::write_looks(session, app, &looks, request_id).await?;
    known::forget(session, app, &forgotten, now).await?;
    if let Some(at) = verdicts.list_at {
        want_list(session, app, at).await?;
    }
    known::write(session, app, &whole).await?;
    known::touch(session, app, &touched).await?;
    keep_records(session, app, &verdicts.records, request_id).await?;
    let mut counted = Tally::default();
    outbox::add(session, app, &verdicts.events, now, &mut counted).await?;
    change_gaps(session, app, &verdicts.gaps, &mut counted).await?;
    tally::write(session, &counted).await
}

/// A deletion waits for a list without it (R3).
async fn want_list(session: &Session, app: &AppName, at: UtcMicros) -> Result<(), Fault> {
    let want = "UPDATE refreshes SET scheduled_at = $2, reason = 'missing'
        WHERE app = $1 AND token = '' AND (scheduled_at IS NULL OR scheduled_at > $2)";
    session.execute(want, &[&app.as_str(), &at.0]).await?;
    Ok(())
}

async fn keep_records(
    session: &Session,
    app: &AppName,
    records: &[Record],
    request_id: Option<&str>,
) -> Result<(), Fault> {
    if records.is_empty() {
        return Ok(());
    }
    let read = || records.iter().map(|record| &record.observation.read);
    let circumstances = || records.iter().map(|record| record.circumstances);
    let tokens: Vec<_> = read().map(|read| read.token.as_str()).collect();
    let read_nos: Vec<_> = read().map(|read| read.read_no as i64).collect();
    let as_of: Vec<_> = read().map(|read| read.as_of.0).collect();
    let causes: Vec<_> = circumstances().map(|circumstances| circumstances.cause.word()).collect();
    let hinted: Vec<_> = circumstances().map(|circumstances| circumstances.hinted).collect();
    let allowed: Vec<_> = circumstances().map(|circumstances| circumstances.deletions_allowed).collect();
    let announce: Vec<_> = circumstances().map(|circumstances| circumstances.announce).collect();
    let (answers, raw): (Vec<_>, Vec<_>) = records.iter().map(Record::answer).unzip();
    let verdicts: Vec<_> = records.iter().map(|record| record.verdict.word()).collect();
    let versions: Vec<_> = records.iter().map(|record| record.version as i64).collect();
    session
        .execute(
            "INSERT INTO observations (app, request_id, token, read_no, as_of, cause, hinted, deletions_allowed, announce,
                 answer, raw, verdict, version, judged_no)
             SELECT $1, $2, *, nextval('read_numbers') FROM unnest($3::text[], $4::bigint[], $5::bigint[], $6::text[],
                 $7::boolean[], $8::boolean[], $9::boolean[], $10::text[], $11::text[], $12::text[], $13::bigint[])
             ON CONFLICT (app, token, read_no) DO NOTHING",
            &[
                &app.as_str(),
                &columns::plain_option(request_id),
                &tokens,
                &read_nos,
                &as_of,
                &causes,
                &hinted,
                &allowed,
                &announce,
                &answers,
                &raw,
                &verdicts,
                &versions,
            ],
        )
        .await?;
    Ok(())
}

/// Gaps that were found, and then those whose webhook may have come late: the oldest open one of each connection.
async fn change_gaps(
    session: &Session,
    app: &AppName,
    changes: &[GapChange],
    counted: &mut Tally,
) -> Result<(), Fault> {
    let mut opened = Vec::new();
    let mut late: Vec<(&ConnectionToken, UtcMicros)> = Vec::new();
    for change in changes {
        match change {
            GapChange::Opened { token, kind, read_no, found_at } => opened.push((token, *kind, read_no, found_at)),
            GapChange::Late { token, at } => late.push((token, *at)),
        }
    }
    if !opened.is_empty() {
        let tokens: Vec<_> = opened.iter().map(|(token, ..)| token.as_str()).collect();
        let kinds: Vec<_> = opened.iter().map(|(_, kind, ..)| *kind).collect();
        let read_nos: Vec<_> = opened.iter().map(|(_, _, read_no, _)| **read_no as i64).collect();
        let found: Vec<_> = opened.iter().map(|(.., found_at)| found_at.0).collect();
        let written = session
            .query(
                "INSERT INTO gaps (app, token, kind, read_no, found_at)
                 SELECT $1, * FROM unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[])
                 ON CONFLICT (app, token, kind, read_no) DO NOTHING RETURNING kind",
                &[&app.as_str(), &tokens, &kinds, &read_nos, &found],
            )
            .await?;
        for row in &written {
            let word: &str = columns::get(row, 0)?;
            let kind = kinds.iter().find(|kind| **kind == word).copied().unwrap_or_default();
            counted.add_word(app.as_str(), Sum::Gaps, kind, 1);
        }
    }
    if !late.is_empty() {
        let tokens: Vec<_> = late.iter().map(|(token, _)| token.as_str()).collect();
        let at: Vec<_> = late.iter().map(|(_, at)| at.0).collect();
        let closed = session
            .execute(
                "UPDATE gaps SET closed_at = oldest.at, outcome = 'late' FROM (
                     SELECT DISTINCT ON (late.token) gaps.id, late.at
                     FROM unnest($2::text[], $3::bigint[]) AS late (token, at)
                     JOIN gaps ON gaps.app = $1 AND gaps.token = late.token AND gaps.closed_at IS NULL
                     ORDER BY late.token, gaps.found_at, gaps.id) AS oldest
                 WHERE gaps.id = oldest.id",
                &[&app.as_str(), &tokens, &at],
            )
            .await?;
        counted.add(app, Sum::GapsLate, closed as i64);
    }
    Ok(())
}
