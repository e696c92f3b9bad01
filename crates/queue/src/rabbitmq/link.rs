//! One connection to a broker, and the supervisor that keeps one: connect, make sure of the topology, watch, start over.
//!
//! lapin's own recovery stays off: a fresh connection has no stale tags, and what was in flight on a lost one is reported as
//! of unknown outcome instead of being waited for.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use lapin::{Connection, ConnectionProperties, Event};
use secrecy::ExposeSecret;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::settings::{Addresses, Settings, shown};
use super::topology::{self, Found, Need};
use crate::QueueState;

/// lapin reports some losses only in its status, so it is looked at this often.
const STATUS_EVERY: Duration = Duration::from_millis(250);
/// A connection that does not close in order within this time is dropped.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// The connection of the moment, where there is one.
pub(super) type Links = watch::Receiver<Option<Arc<Connection>>>;

/// Who connects, to what, for what.
#[derive(Debug, Clone)]
pub(super) struct Dialer {
    pub(super) addresses: Addresses,
    pub(super) settings: Settings,
    pub(super) need: Need,
    /// Shown in the broker's list of connections.
    pub(super) name: String,
}

impl Dialer {
    /// Tries each address once; the error says what was wrong with each.
    pub(super) async fn dial(&self) -> Result<Connection, String> {
        let mut problems = Vec::new();
        for address in self.addresses.read()? {
            let attempt = async {
                let properties = ConnectionProperties::default().with_connection_name(self.name.as_str().into());
                let connection =
                    Connection::connect(address.expose_secret(), properties).await.map_err(|error| explain(&error))?;
                let found = topology::ensure(&connection, self.need, &self.settings).await;
                Ok((connection, found.map_err(|unfit| unfit.to_string())?))
            };
            let problem = match tokio::time::timeout(self.settings.connect_timeout, attempt).await {
                Ok(Ok((connection, found))) => {
                    if found == Found::NewQueue {
                        tokio::time::sleep(self.settings.new_queue_settles_for).await;
                    }
                    return Ok(connection);
                }
                Ok(Err(problem)) => problem,
                Err(_) => format!("no answer within {:?}", self.settings.connect_timeout),
            };
            problems.push(format!("{}: {problem}", shown(&address)));
        }
        Err(problems.join("; "))
    }

    /// How long to wait after so many failures in a row: doubling, with jitter, so that many clients do not come at once.
    pub(super) fn pause(&self, failures: u32) -> Duration {
        let longest = self.settings.reconnect_after_min.saturating_mul(1 << failures.min(16));
        longest.min(self.settings.reconnect_after_max).mul_f64(0.5 + fastrand::f64() / 2.0)
    }
}

/// What a person can do about the usual refusals.
fn explain(error: &lapin::Error) -> String {
    match topology::reply_code(error) {
        Some(403) => format!("the broker refused user or password: check the address ({error})"),
        Some(530) => format!("the broker has no such virtual host, or the user may not use it ({error})"),
        _ => error.to_string(),
    }
}

/// Keeps a connection until `stop`, showing it in `links` and its condition in `state`.
pub(super) async fn supervise(
    dialer: Dialer,
    links: watch::Sender<Option<Arc<Connection>>>,
    state: watch::Sender<QueueState>,
    stop: CancellationToken,
) {
    let mut failures = 0;
    let mut told = None;
    loop {
        let dialled = tokio::select! {
            () = stop.cancelled() => break,
            dialled = dialer.dial() => dialled,
        };
        match dialled {
            Ok(connection) => {
                failures = 0;
                told = None;
                tracing::info!(connection = dialer.name, "connected to the broker");
                let connection = Arc::new(connection);
                links.send_replace(Some(Arc::clone(&connection)));
                watch_over(&connection, &links, &state, &stop).await;
                links.send_replace(None);
                if stop.is_cancelled() {
                    close(&connection).await;
                    break;
                }
                tracing::warn!(connection = dialer.name, "the connection to the broker is lost");
                state.send_replace(QueueState::Down("the connection to the broker is lost".to_owned()));
            }
            Err(problem) => {
                // A broker that comes up and then refuses the password is another problem than one that is not there.
                if told.as_ref() != Some(&problem) {
                    tracing::warn!(connection = dialer.name, error = problem, "the broker cannot be used; trying on");
                    told = Some(problem.clone());
                }
                state.send_replace(QueueState::Down(problem));
                failures += 1;
            }
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(dialer.pause(failures)) => {}
        }
    }
    state.send_replace(QueueState::Down("the engine has ended".to_owned()));
}

/// Returns when the connection is lost, or when `stop` came and nobody uses the connection any more.
async fn watch_over(
    connection: &Connection,
    links: &watch::Sender<Option<Arc<Connection>>>,
    state: &watch::Sender<QueueState>,
    stop: &CancellationToken,
) {
    let mut events = connection.events_listener();
    let mut status = tokio::time::interval(STATUS_EVERY);
    let mut blocked = String::new();
    loop {
        let condition = if connection.status().blocked() {
            QueueState::Down(format!("the broker blocks publishers {blocked}"))
        } else {
            QueueState::Ready
        };
        state.send_if_modified(|shown| {
            let differs = *shown != condition;
            *shown = condition;
            differs
        });
        tokio::select! {
            // The lanes hold receivers until they have drained.
            () = async { stop.cancelled().await; links.closed().await } => return,
            _ = status.tick() => {}
            event = events.next() => match event {
                Some(Event::ConnectionBlocked(reason)) => blocked = format!("({reason})"),
                Some(_) => {}
                None => return,
            },
        }
        if !connection.status().connected() {
            return;
        }
    }
}

/// Says goodbye, where the broker still listens.
pub(super) async fn close(connection: &Connection) {
    let goodbye = connection.close(200, "finlinkd stops".into());
    match tokio::time::timeout(CLOSE_WITHIN, goodbye).await {
        Ok(Ok(())) => {}
        // It is gone either way; what was confirmed is stored, what was not will be reported as unknown.
        Ok(Err(error)) => tracing::debug!(error = %error, "the connection to the broker was not closed in order"),
        Err(_) => tracing::debug!("the broker did not answer to the end of the connection"),
    }
}
