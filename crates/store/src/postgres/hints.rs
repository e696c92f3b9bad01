//! Raising hints (R1): the same statements for a webhook verified at once, for one decided later, and for a person; and what
//! recorded webhooks would hint at.

use std::collections::{BTreeMap, BTreeSet};

use events::{AppName, ConnectionToken, Receipt, UtcMicros};

use super::claims::token_text;
use super::columns;
use super::fault::Fault;
use super::session::Session;
use crate::hints::{Aims, Raise, Target, Telling, Told, named};

/// Raises rows, and makes those that are not there. The highest `hint_no` of a row that was forgotten goes on.
pub(super) const RAISE: &str = "
    INSERT INTO refreshes (app, token, hint_no, told_no, hinted_at, hinted_again_at)
    SELECT app, token, count, count, oldest, oldest
    FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[]) AS raised (app, token, count, oldest)
    ON CONFLICT (app, token) DO UPDATE SET
        hint_no = refreshes.hint_no + excluded.hint_no,
        told_no = refreshes.hint_no + excluded.hint_no,
        hinted_at = least(refreshes.hinted_at, excluded.hinted_at),
        hinted_again_at = least(refreshes.hinted_again_at, excluded.hinted_again_at),
        forgotten_at = NULL";

/// The places of those tokens that have a row.
pub(super) const KNOWN: &str = "
    SELECT place - 1 FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS named (app, token, place)
    WHERE EXISTS (SELECT FROM refreshes
        WHERE refreshes.app = named.app AND refreshes.token = named.token AND forgotten_at IS NULL)";

/// The tokens of [`named`] that have a row. A row that goes or comes before the hint is raised costs a read too many, or a list
/// instead of a read; no hint.
pub(super) async fn known(
    session: &Session,
    tellings: &[Telling<'_>],
) -> Result<BTreeSet<(AppName, ConnectionToken)>, Fault> {
    let named = named(tellings);
    if named.is_empty() {
        return Ok(BTreeSet::new());
    }
    let (apps, tokens): (Vec<_>, Vec<_>) = named.iter().map(|(app, token)| (app.as_str(), token.as_str())).unzip();
    let rows = session.query(KNOWN, &[&apps, &tokens]).await?;
    let places: BTreeSet<u64> = rows.iter().map(|row| columns::count(row, 0)).collect::<Result<_, _>>()?;
    Ok(named.into_iter().zip(0..).filter(|(_, place)| places.contains(place)).map(|(key, _)| key).collect())
}

/// The order in which rows are locked: the tokens of an app, then the app.
fn place((app, token): &Target) -> (&AppName, bool, Option<&ConnectionToken>) {
    (app, token.is_none(), token.as_ref())
}

/// Raises what the engine-neutral rules say, in key order.
pub(super) async fn raise(session: &Session, targets: &BTreeMap<Target, Raise>) -> Result<(), Fault> {
    if targets.is_empty() {
        return Ok(());
    }
    let mut ordered: Vec<_> = targets.iter().collect();
    ordered.sort_by_key(|(target, _)| place(target));
    let apps: Vec<_> = ordered.iter().map(|((app, _), _)| app.as_str()).collect();
    let tokens: Vec<_> = ordered.iter().map(|((_, token), _)| token_text(token.as_ref())).collect();
    let counts: Vec<_> = ordered.iter().map(|(_, raise)| raise.count as i64).collect();
    let oldest: Vec<_> = ordered.iter().map(|(_, raise)| raise.oldest.0).collect();
    session.execute(RAISE, &[&apps, &tokens, &counts, &oldest]).await?;
    Ok(())
}

/// Raises a known row by one on behalf of a person: no webhook told of it. False where there is no such row.
pub(super) async fn request(
    session: &Session,
    app: &AppName,
    token: Option<&ConnectionToken>,
    now: UtcMicros,
) -> Result<bool, Fault> {
    let raised = session
        .execute(
            "UPDATE refreshes SET
                 hint_no = hint_no + 1,
                 hinted_at = least(hinted_at, $3),
                 hinted_again_at = least(hinted_again_at, $3)
             WHERE app = $1 AND token = $2 AND forgotten_at IS NULL",
            &[&app.as_str(), &token_text(token), &now.0],
        )
        .await?;
    Ok(raised > 0)
}

/// What recorded webhooks point at.
pub(super) async fn aims(session: &Session, receipts: &[Receipt]) -> Result<Aims, Fault> {
    let receipts: Vec<_> = receipts.iter().map(|receipt| receipt.0).collect();
    let rows = session
        .query(
            "SELECT deliveries.app, verification, binds_body, tells, received_at
             FROM deliveries JOIN bodies ON bodies.id = deliveries.body_id
             WHERE receipt = ANY ($1::uuid[]) ORDER BY receipt",
            &[&receipts],
        )
        .await?;
    let deliveries = columns::all(&rows, |row| {
        Ok(Told {
            app: columns::parsed(row, 0)?,
            verification: columns::get(row, 1)?,
            binds_body: columns::get(row, 2)?,
            tells: columns::json(row, 3)?,
            received_at: columns::time(row, 4)?,
        })
    })?;
    let tellings: Vec<_> = deliveries.iter().filter_map(Told::telling).collect();
    let known = known(session, &tellings).await?;
    Ok(Aims::of(&deliveries, known))
}

/// Raises rows by one on behalf of a person, in key order, those that are not there too: no webhook told of it.
pub(super) async fn replay(session: &Session, targets: &BTreeSet<Target>, now: UtcMicros) -> Result<(), Fault> {
    let mut ordered: Vec<_> = targets.iter().collect();
    ordered.sort_by_key(|target| place(target));
    let apps: Vec<_> = ordered.iter().map(|(app, _)| app.as_str()).collect();
    let tokens: Vec<_> = ordered.iter().map(|(_, token)| token_text(token.as_ref())).collect();
    session
        .execute(
            "INSERT INTO refreshes (app, token, hint_no, hinted_at, hinted_again_at)
             SELECT app, token, 1, $3::bigint, $3 FROM unnest($1::text[], $2::text[]) AS replayed (app, token)
             ON CONFLICT (app, token) DO UPDATE SET
                 hint_no = refreshes.hint_no + 1,
                 hinted_at = least(refreshes.hinted_at, excluded.hinted_at),
                 hinted_again_at = least(refreshes.hinted_again_at, excluded.hinted_again_at),
                 forgotten_at = NULL",
            &[&apps, &tokens, &now.0],
        )
        .await?;
    Ok(())
}
