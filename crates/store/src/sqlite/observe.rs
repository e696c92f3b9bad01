//! A batch of reads in one transaction (R2): rows loaded in key order, judged, written table by table.

use std::collections::{BTreeMap, BTreeSet};

use connections::Transition;
use events::{AppName, ConnectionToken, UtcMicros};
use sqlite::rusqlite::{Connection, OptionalExtension, Result as SqlResult, params};

use super::claims::draw_read_no;
use super::fault::Fault;
use super::{columns, known, outbox, tally};
use crate::judging::{AppState, Bench, Depth, GapChange, Kept, Look, Record, Rows, Verdicts};
use crate::refresh::of_one_app;
use crate::tally::{Sum, Tally};
use crate::{Lease, Observation, Rules};

/// Judges and writes.
pub(super) fn observe(
    connection: &Connection,
    rules: &Rules,
    lease: &Lease,
    observations: &[Observation],
    request_id: Option<&str>,
    now: UtcMicros,
) -> Result<Vec<Transition>, Fault> {
    let app = &lease.app;
    of_one_app(lease, observations)?;
    let tokens: BTreeSet<_> = observations.iter().map(|observation| &observation.read.token).collect();
    let mut rows = BTreeMap::new();
    for token in tokens {
        rows.insert(token.clone(), load(connection, app, token)?);
    }
    let mut bench = Bench::new(rules, app_state(connection, app)?, rows, now);
    for observation in observations {
        bench.judge(observation);
    }
    let verdicts = bench.verdicts();
    write(connection, app, &verdicts, request_id, now)?;
    Ok(verdicts.transitions)
}

fn load(connection: &Connection, app: &AppName, token: &ConnectionToken) -> SqlResult<(Option<Kept>, Option<Look>)> {
    let key = params![app.as_str(), token.as_str()];
    let kept = connection
        .prepare_cached(&format!("SELECT {} FROM connections WHERE app = ?1 AND token = ?2", known::COLUMNS))?
        .query_row(key, known::kept)
        .optional()?;
    let look = connection
        .prepare_cached(
            "SELECT hint_no, answered_no, told_no, hinted_at, hinted_again_at, scheduled_at, not_before, claimed_until,
                 failures, reason
             FROM refreshes WHERE app = ?1 AND token = ?2",
        )?
        .query_row(key, |row| known::look(row, 0))
        .optional()?;
    Ok((kept, look))
}

fn app_state(connection: &Connection, app: &AppName) -> SqlResult<AppState> {
    connection
        .prepare_cached(
            "SELECT coalesce((SELECT swept_at IS NOT NULL FROM apps WHERE app = ?1), 0),
                    coalesce((SELECT told_no > answered_no FROM refreshes WHERE app = ?1 AND token = ''), 0),
                    (SELECT count(*) FROM connections WHERE app = ?1 AND deleted_at IS NULL),
                    (SELECT count(*) FROM connections WHERE app = ?1 AND missing = 1),
                    coalesce((SELECT hints_forgotten FROM apps WHERE app = ?1), 0)",
        )?
        .query_row([app.as_str()], |row| {
            Ok(AppState {
                swept: row.get(0)?,
                told: row.get(1)?,
                live: columns::count(row, 2)?,
                missing: columns::count(row, 3)?,
                hints_forgotten: columns::count(row, 4)?,
            })
        })
}

fn write(
    connection: &Connection,
    app: &AppName,
    verdicts: &Verdicts,
    request_id: Option<&str>,
    now: UtcMicros,
) -> SqlResult<()> {
    let mut tally = Tally::default();
    for (token, rows) in &verdicts.rows {
        write_rows(connection, app, token, rows, request_id)?;
    }
    if let Some(at) = verdicts.list_at {
        want_list(connection, app, at)?;
    }
    for record in &verdicts.records {
        keep_record(connection, record, request_id)?;
    }
    outbox::add(connection, app, &verdicts.events, now, &mut tally)?;
    for change in &verdicts.gaps {
        change_gap(connection, app, change, &mut tally)?;
    }
    tally::write(connection, &tally)
}

fn write_rows(
    connection: &Connection,
    app: &AppName,
    token: &ConnectionToken,
    rows: &Rows,
    request_id: Option<&str>,
) -> SqlResult<()> {
    match (&rows.kept, rows.depth) {
        (Some(kept), Depth::Whole) => known::write(connection, kept)?,
        (Some(kept), Depth::Touched) => known::touch(connection, &kept.known)?,
        (Some(_), Depth::Not) | (None, _) => {}
    }
    if let Some(look) = &rows.look {
        return known::write_look(connection, app, token.as_str(), look, request_id);
    }
    forget(connection, app, token)
}

/// Nothing is left of a token that is unknown to Finlink but how far its hints were counted.
fn forget(connection: &Connection, app: &AppName, token: &ConnectionToken) -> SqlResult<()> {
    let hints: Option<i64> = connection
        .prepare_cached("DELETE FROM refreshes WHERE app = ?1 AND token = ?2 RETURNING hint_no")?
        .query_row(params![app.as_str(), token.as_str()], columns::scalar)
        .optional()?;
    connection
        .prepare_cached("UPDATE apps SET hints_forgotten = ?2 WHERE app = ?1 AND hints_forgotten < ?2")?
        .execute(params![app.as_str(), hints])?;
    Ok(())
}

/// A deletion waits for a list without it (R3).
fn want_list(connection: &Connection, app: &AppName, at: UtcMicros) -> SqlResult<()> {
    connection
        .prepare_cached(
            "UPDATE refreshes SET scheduled_at = ?2, reason = 'missing'
             WHERE app = ?1 AND token = '' AND (scheduled_at IS NULL OR scheduled_at > ?2)",
        )?
        .execute(params![app.as_str(), at.0])?;
    Ok(())
}

fn keep_record(connection: &Connection, record: &Record, request_id: Option<&str>) -> SqlResult<()> {
    let (read, circumstances) = (&record.observation.read, record.circumstances);
    let (answer, raw) = record.answer();
    let judged_no = draw_read_no(connection, &read.app)?;
    connection
        .prepare_cached(
            "INSERT INTO observations (app, token, read_no, as_of, cause, hinted, deletions_allowed, announce, answer, raw,
                 verdict, version, request_id, judged_no)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
             ON CONFLICT (app, token, read_no) DO NOTHING",
        )?
        .execute(params![
            read.app.as_str(),
            read.token.as_str(),
            read.read_no as i64,
            read.as_of.0,
            circumstances.cause.word(),
            circumstances.hinted,
            circumstances.deletions_allowed,
            circumstances.announce,
            answer,
            raw,
            record.verdict.word(),
            record.version as i64,
            request_id,
            judged_no as i64,
        ])?;
    Ok(())
}

fn change_gap(connection: &Connection, app: &AppName, change: &GapChange, tally: &mut Tally) -> SqlResult<()> {
    match change {
        GapChange::Opened { token, kind, read_no, found_at } => {
            let opened = connection
                .prepare_cached(
                    "INSERT INTO gaps (app, token, kind, read_no, found_at) VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT (app, token, kind, read_no) DO NOTHING",
                )?
                .execute(params![app.as_str(), token.as_str(), kind, *read_no as i64, found_at.0])?;
            tally.add_word(app.as_str(), Sum::Gaps, kind, opened as i64);
        }
        GapChange::Late { token, at } => {
            let closed = connection
                .prepare_cached(
                    "UPDATE gaps SET closed_at = ?3, outcome = 'late' WHERE id = (
                         SELECT id FROM gaps WHERE app = ?1 AND token = ?2 AND closed_at IS NULL
                         ORDER BY found_at, id LIMIT 1)",
                )?
                .execute(params![app.as_str(), token.as_str(), at.0])?;
            tally.add(app, Sum::GapsLate, closed as i64);
        }
    }
    Ok(())
}
