//! The running sums of `counters`.

use super::fault::Fault;
use super::session::Session;
use crate::tally::Tally;

/// Changes sums, in the stripe of this connection. `pg_backend_pid` tells connections apart: two that share a stripe wait for
/// each other now and then, and that is all.
pub(super) const CHANGE: &str = "
    INSERT INTO counters (stripe, app, name, word, value)
    SELECT pg_backend_pid() % 64, * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[])
    ON CONFLICT (stripe, app, name, word) DO UPDATE SET value = counters.value + excluded.value";

/// Writes the gathered changes.
pub(super) async fn write(session: &Session, tally: &Tally) -> Result<(), Fault> {
    let (mut apps, mut names, mut words, mut values) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (app, name, word, by) in tally.changes() {
        apps.push(app);
        names.push(name);
        words.push(word);
        values.push(by);
    }
    if !apps.is_empty() {
        session.execute(CHANGE, &[&apps, &names, &words, &values]).await?;
    }
    Ok(())
}
