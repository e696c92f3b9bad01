//! `fresh_within`: asks for a read of Finlink and waits for its result, for a bounded time and in bounded number.
//!
//! Where no read can be had in time the row is given as it is, marked as not fresh: an old answer with its date is worth more
//! to the caller than an error, and `as_of` says how old it is.

use std::time::Duration;

use ::events::{Connection, UtcMicros};
use listener::Problem;
use tokio::time::{Instant, sleep_until};

use super::connections::find;
use super::{Api, store_problem};

/// How often the row is looked at while its read is under way.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The connection, read again where it is older than `within` at `now`, and whether it is that new.
pub(super) async fn wait(
    api: &Api,
    connection: Connection,
    within: Duration,
    now: UtcMicros,
) -> Result<(Connection, bool), Problem> {
    let as_of_min = now.minus(within);
    if connection.as_of >= as_of_min {
        return Ok((connection, true));
    }
    let Connection { app, token, .. } = &connection;
    api.refresh.request(app, Some(token), now).await.map_err(|error| store_problem(&error))?;
    let Ok(_permit) = api.fresh_waiting.try_acquire() else { return Ok((connection, false)) };
    let deadline = Instant::now() + api.settings.fresh_wait_max;
    loop {
        let look = (Instant::now() + LOOK_EVERY).min(deadline);
        tokio::select! {
            () = api.stop.cancelled() => return Ok((connection, false)),
            () = sleep_until(look) => {}
        }
        let seen = find(api, Some(app), token).await?;
        let fresh = seen.as_of >= as_of_min;
        if fresh || look >= deadline {
            return Ok((seen, fresh));
        }
    }
}
