//! What a person, or the passing of time, does to the rules' state: held deletions let go, old gaps closed.

use events::{AppName, UtcMicros};

use super::fault::Fault;
use super::session::Session;

/// Lets the held deletions of an app proceed, with those of the same fault that are not proven yet; each is looked at once
/// more, now. Answers how many; 0 where none is held.
pub(super) async fn approve_deletions(session: &Session, app: &AppName, now: UtcMicros) -> Result<u64, Fault> {
    let app = app.as_str();
    session
        .query(
            "SELECT FROM refreshes
             WHERE app = $1 AND token IN (SELECT token FROM connections WHERE app = $1 AND missing)
             ORDER BY token FOR UPDATE",
            &[&app],
        )
        .await?;
    let approved = session
        .execute(
            "UPDATE connections SET deletion_approved_at = $2
             WHERE app = $1 AND missing
               AND EXISTS (SELECT FROM connections WHERE app = $1 AND deletion_held_at IS NOT NULL)",
            &[&app, &now.0],
        )
        .await?;
    session
        .execute(
            "UPDATE refreshes SET scheduled_at = $2, not_before = least(not_before, $2), reason = 'missing'
             WHERE app = $1 AND token IN (
                 SELECT token FROM connections WHERE app = $1 AND missing AND deletion_approved_at = $2)",
            &[&app, &now.0],
        )
        .await?;
    Ok(approved)
}

/// Closes the open gaps that were found before `before`: their webhooks are lost.
pub(super) async fn close_gaps(
    session: &Session,
    app: &AppName,
    before: UtcMicros,
    now: UtcMicros,
) -> Result<u64, Fault> {
    let lost =
        "UPDATE gaps SET closed_at = $3, outcome = 'lost' WHERE app = $1 AND closed_at IS NULL AND found_at < $2";
    session.execute(lost, &[&app.as_str(), &before.0, &now.0]).await
}
