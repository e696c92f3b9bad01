//! Sums for gauges: counters, and counts over indexes that hold only what waits. Meant for every few seconds.

use events::{AppName, UtcMicros};

use crate::postgres::columns;
use crate::postgres::fault::Fault;
use crate::postgres::session::Session;
use crate::{OVERDUE_COUNTS_AFTER, RUN_HEARD_WITHIN, RUNS_HEARD_MAX, Totals};

pub(super) async fn read(session: &Session, now: UtcMicros) -> Result<Totals, Fault> {
    let mut totals = Totals::default();
    let sums = "SELECT app, name, word, sum(value)::bigint FROM counters GROUP BY app, name, word";
    for row in &session.query(sums, &[]).await? {
        let (app, name, word): (&str, &str, &str) =
            (columns::get(row, 0)?, columns::get(row, 1)?, columns::get(row, 2)?);
        totals.take_counter(app, name, word, columns::get(row, 3)?);
    }
    let live = "SELECT app, status, deleted_at IS NOT NULL, count(*) FROM connections GROUP BY app, status, 3";
    for row in &session.query(live, &[]).await? {
        let count = columns::count(row, 3)?;
        totals.take_connections(columns::parsed(row, 0)?, columns::get(row, 1)?, columns::get(row, 2)?, count);
    }
    let apps =
        "SELECT app, swept_at, (SELECT max(last_webhook_at) FROM arrivals WHERE arrivals.app = apps.app) FROM apps";
    for row in &session.query(apps, &[]).await? {
        let app: AppName = columns::parsed(row, 0)?;
        totals.swept_at.extend(columns::time_option(row, 1)?.map(|at| (app.clone(), at)));
        totals.last_webhook_at.extend(columns::time_option(row, 2)?.map(|at| (app, at)));
    }
    let held = "SELECT app, count(*) FROM connections WHERE deletion_held_at IS NOT NULL GROUP BY app";
    for row in &session.query(held, &[]).await? {
        totals.deletions_held.insert(columns::parsed(row, 0)?, columns::count(row, 1)?);
    }
    let overdue = "SELECT app, (SELECT count(*) FROM refreshes
            WHERE refreshes.app = apps.app AND claimable_at IS NOT NULL AND claimable_at < $1 AND token <> '')
        FROM apps";
    for row in &session.query(overdue, &[&now.minus(OVERDUE_COUNTS_AFTER).0]).await? {
        totals.overdue.insert(columns::parsed(row, 0)?, columns::count(row, 1)?);
    }
    let heard = "SELECT instance, recorded_at FROM checkpoints WHERE NOT last AND recorded_at > $1
        ORDER BY recorded_at DESC LIMIT $2";
    for row in &session.query(heard, &[&now.minus(RUN_HEARD_WITHIN).0, &(RUNS_HEARD_MAX as i64)]).await? {
        totals.checkpoints.insert(columns::get(row, 0)?, columns::time(row, 1)?);
    }
    read_waiting(session, now, &mut totals).await?;
    Ok(totals)
}

/// What waits, and since when.
async fn read_waiting(session: &Session, now: UtcMicros, totals: &mut Totals) -> Result<(), Fault> {
    let waiting = session
        .first(
            "SELECT outbox.count, outbox.oldest, hints.count, hints.oldest,
                 (SELECT min((SELECT min(claimable_at) FROM refreshes
                     WHERE refreshes.app = apps.app AND claimable_at IS NOT NULL)) FROM apps),
                 (SELECT count(*) FROM gaps WHERE closed_at IS NULL),
                 (SELECT coalesce(max(recorded_at), max(at)) FROM checkpoints)
             FROM (SELECT count(*), min(committed_at) AS oldest FROM outbox WHERE number IS NULL) AS outbox,
                 (SELECT count(*), min(hinted_at) AS oldest FROM refreshes WHERE hinted_at IS NOT NULL) AS hints",
            &[],
        )
        .await?;
    let Some(row) = &waiting else { return Ok(()) };
    (totals.events_unnumbered, totals.outbox_oldest_at) = (columns::count(row, 0)?, columns::time_option(row, 1)?);
    (totals.hints_unanswered, totals.hint_oldest_at) = (columns::count(row, 2)?, columns::time_option(row, 3)?);
    totals.overdue_since = columns::time_option(row, 4)?.filter(|at| *at <= now);
    totals.gaps_open = columns::count(row, 5)?;
    totals.checkpoint_at = columns::time_option(row, 6)?;
    Ok(())
}
