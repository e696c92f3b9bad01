//! Raising hints (R1): the same statements for a webhook verified at once, for one decided later, and for a person; and what
//! recorded webhooks would hint at.

use std::collections::BTreeSet;

use events::{AppName, ConnectionToken, Receipt, UtcMicros};
use sqlite::rusqlite::{Connection, OptionalExtension, Result, Row, params};

use super::columns;
use crate::hints::{Aims, Target, Telling, Told, named, targets};

/// The tokens of [`named`] that have a row.
fn known(connection: &Connection, tellings: &[Telling<'_>]) -> Result<BTreeSet<(AppName, ConnectionToken)>> {
    let mut known = BTreeSet::new();
    let mut statement = connection.prepare_cached("SELECT 1 FROM refreshes WHERE app = ?1 AND token = ?2")?;
    for (app, token) in named(tellings) {
        if statement.exists(params![app.as_str(), token.as_str()])? {
            known.insert((app, token));
        }
    }
    Ok(known)
}

/// Raises what `tellings` hint at, in key order.
pub(super) fn raise(connection: &Connection, tellings: &[Telling<'_>]) -> Result<()> {
    let known = known(connection, tellings)?;
    let mut statement = connection.prepare_cached(
        "INSERT INTO refreshes (app, token, hint_no, told_no, answered_no, hinted_at, hinted_again_at, reason)
         SELECT ?1, ?2, forgotten + ?3, forgotten + ?3, forgotten, ?4, ?4, 'schedule'
         FROM (SELECT coalesce((SELECT hints_forgotten FROM apps WHERE app = ?1), 0) AS forgotten) WHERE TRUE
         ON CONFLICT (app, token) DO UPDATE SET
             hint_no = hint_no + ?3,
             told_no = hint_no + ?3,
             hinted_at = min(coalesce(hinted_at, ?4), ?4),
             hinted_again_at = min(coalesce(hinted_again_at, ?4), ?4)",
    )?;
    for ((app, token), raise) in targets(tellings, known) {
        let token = token.as_ref().map_or("", ConnectionToken::as_str);
        statement.execute(params![app.as_str(), token, raise.count as i64, raise.oldest.0])?;
    }
    Ok(())
}

/// Raises a known row by one on behalf of a person: no webhook told of it. False where there is no such row.
pub(super) fn request(
    connection: &Connection,
    app: &AppName,
    token: Option<&ConnectionToken>,
    now: UtcMicros,
) -> Result<bool> {
    let mut statement = connection.prepare_cached(
        "UPDATE refreshes SET
             hint_no = hint_no + 1,
             hinted_at = min(coalesce(hinted_at, ?3), ?3),
             hinted_again_at = min(coalesce(hinted_again_at, ?3), ?3)
         WHERE app = ?1 AND token = ?2",
    )?;
    let raised = statement.execute(params![app.as_str(), token.map_or("", ConnectionToken::as_str), now.0])?;
    Ok(raised > 0)
}

/// What recorded webhooks point at.
pub(super) fn aims(connection: &Connection, receipts: &[Receipt]) -> Result<Aims> {
    let mut deliveries = Vec::with_capacity(receipts.len());
    let mut statement = connection.prepare_cached(
        "SELECT deliveries.app, verification, binds_body, tells, received_at
         FROM deliveries JOIN bodies ON bodies.id = deliveries.body_id WHERE receipt = ?1",
    )?;
    for receipt in receipts {
        deliveries.extend(statement.query_row([receipt.0.as_bytes()], told).optional()?);
    }
    let tellings: Vec<_> = deliveries.iter().filter_map(Told::telling).collect();
    Ok(Aims::of(&deliveries, known(connection, &tellings)?))
}

fn told(row: &Row<'_>) -> Result<Told> {
    Ok(Told {
        app: columns::parsed(row, 0)?,
        verification: row.get(1)?,
        binds_body: row.get(2)?,
        tells: columns::json(row, 3)?,
        received_at: columns::time(row, 4)?,
    })
}

/// Raises rows by one on behalf of a person, those that are not there too: no webhook told of it.
pub(super) fn replay(connection: &Connection, targets: &BTreeSet<Target>, now: UtcMicros) -> Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO refreshes (app, token, hint_no, told_no, answered_no, hinted_at, hinted_again_at, reason)
         SELECT ?1, ?2, forgotten + 1, forgotten, forgotten, ?3, ?3, 'schedule'
         FROM (SELECT coalesce((SELECT hints_forgotten FROM apps WHERE app = ?1), 0) AS forgotten) WHERE TRUE
         ON CONFLICT (app, token) DO UPDATE SET
             hint_no = hint_no + 1,
             hinted_at = min(coalesce(hinted_at, ?3), ?3),
             hinted_again_at = min(coalesce(hinted_again_at, ?3), ?3)",
    )?;
    for (app, token) in targets {
        statement.execute(params![app.as_str(), token.as_ref().map_or("", ConnectionToken::as_str), now.0])?;
    }
    Ok(())
}
