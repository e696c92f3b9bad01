//! The way to a broker: find one that can be used, make sure of the topology, watch the lanes, start over.
//!
//! lapin's own recovery stays off: a fresh connection has no stale tags, and what was in flight on a lost one is reported as
//! of unknown outcome instead of being waited for. The lanes have connections of their own, so of the one that made sure of
//! the topology only the address is kept. One lane that loses its connection is taken for all of them: the broker is looked
//! for again before anything more is published, while the others settle what they have in flight. One that cannot open its own
//! tries again by itself as long as another is up, since a limit of connections says nothing about those that are there.

use std::time::Duration;

use lapin::{Connection, ConnectionProperties};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::address::{Address, Addresses};
use super::body_limit::BodyLimit;
use super::reports::{self, Conditions, Verdict};
use super::screen;
use super::settings::Settings;
use super::topology::{self, Found, Need};
use crate::QueueState;

/// A connection that does not close in order within this time is dropped.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// A broker that can be used and has what is needed.
#[derive(Debug, Clone)]
pub(super) struct Link {
    /// Counts up from 1.
    pub(super) generation: u64,
    pub(super) address: Address,
}

/// The link of the moment, where there is one.
pub(super) type Links = watch::Receiver<Option<Link>>;

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
    /// The first address where everything is as needed.
    pub(super) async fn find(&self) -> Result<Address, String> {
        let (connection, address) = self.dial().await?;
        close(&connection).await;
        Ok(address)
    }

    /// Tries each address once; gives the connection and the address that it leads to. The error says what was wrong with
    /// each.
    pub(super) async fn dial(&self) -> Result<(Connection, Address), String> {
        let mut problems = Vec::new();
        for address in self.addresses.read()? {
            let address = match address {
                Ok(address) => address,
                Err(problem) => {
                    problems.push(problem);
                    continue;
                }
            };
            let attempt = async {
                let properties = ConnectionProperties::default().with_connection_name(self.name.as_str().into());
                let connection = screen::connect(address.uri(), properties)
                    .await
                    .map_err(|error| explain(topology::reply_code(&error), error.to_string()))?;
                let found = topology::ensure(&connection, self.need, &self.settings).await;
                Ok((connection, found.map_err(|unfit| unfit.to_string())?))
            };
            let problem = match tokio::time::timeout(self.settings.connect_timeout, attempt).await {
                Ok(Ok((connection, found))) => {
                    if found == Found::NewQueue {
                        tokio::time::sleep(self.settings.new_queue_settles_for).await;
                    }
                    return Ok((connection, address));
                }
                Ok(Err(problem)) => problem,
                Err(_) => format!("no answer within {:?}", self.settings.connect_timeout),
            };
            problems.push(format!("{address}: {problem}"));
        }
        Err(problems.join("; "))
    }
}

/// What a person can do about the usual refusals.
fn explain(code: Option<u16>, error: String) -> String {
    match code {
        Some(403) => format!("the broker refused user or password: check the address ({error})"),
        Some(530) => format!(
            "the broker has no such virtual host, the user may not use it, or a limit of connections is reached ({error})"
        ),
        _ => error,
    }
}

/// Keeps a link for the lanes until `stop`, and says in `state` how they are together. Ends once all lanes have.
pub(super) async fn supervise(
    dialer: Dialer,
    links: watch::Sender<Option<Link>>,
    mut conditions: watch::Receiver<Conditions>,
    state: watch::Sender<QueueState>,
    body_limit: BodyLimit,
    stop: CancellationToken,
) {
    let (mut failures, mut generation) = (0, 0);
    let mut told = None;
    loop {
        let found = tokio::select! {
            () = stop.cancelled() => break,
            found = dialer.find() => found,
        };
        let problem = match found {
            Ok(address) => {
                generation += 1;
                links.send_replace(Some(Link { generation, address }));
                let ended = tokio::select! {
                    () = stop.cancelled() => break,
                    ended = watch_over(&dialer, generation, &mut conditions, &state) => ended,
                };
                // Before anyone is told that the connection is lost, and may send the same again.
                body_limit.learn(&ended.why);
                links.send_replace(None);
                if ended.was_up {
                    (failures, told) = (0, None);
                    format!("the connection to the broker is lost: {}", ended.why)
                } else {
                    failures += 1;
                    ended.why
                }
            }
            Err(problem) => {
                failures += 1;
                problem
            }
        };
        // A broker that comes up and then refuses the password is another problem than one that is not there.
        if told.as_ref() != Some(&problem) {
            tracing::warn!(connection = dialer.name, error = problem, "the broker cannot be used; trying on");
            told = Some(problem.clone());
        }
        state.send_replace(QueueState::Down(problem));
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(dialer.settings.pause(failures)) => {}
        }
    }
    // The lanes hold receivers until they have drained.
    links.closed().await;
    state.send_replace(QueueState::Down("the engine has ended".to_owned()));
}

/// How a generation of connections ended.
struct Generation {
    /// Whether a lane had its connection, and none was still to get one.
    was_up: bool,
    why: String,
}

/// Returns when a lane has lost its connection, or none got one.
async fn watch_over(
    dialer: &Dialer,
    generation: u64,
    conditions: &mut watch::Receiver<Conditions>,
    state: &watch::Sender<QueueState>,
) -> Generation {
    let (mut was_up, mut is_told, mut is_shut) = (false, false, false);
    loop {
        let verdict = reports::judge(&conditions.borrow_and_update(), generation);
        let condition = match verdict {
            Verdict::Broken { code, why } => return Generation { was_up, why: explain(code, why) },
            Verdict::Starting => None,
            Verdict::Blocked(reason) => Some(QueueState::Down(format!("the broker blocks publishers ({reason})"))),
            Verdict::Up { all, shut } => {
                was_up |= all;
                if !is_told {
                    is_told = true;
                    tracing::info!(connection = dialer.name, "connected to the broker");
                }
                if let Some(why) = shut.filter(|_| !std::mem::replace(&mut is_shut, true)) {
                    tracing::warn!(
                        connection = dialer.name,
                        error = why,
                        "not every connection can be opened; the others are used"
                    );
                }
                Some(QueueState::Ready)
            }
        };
        if let Some(condition) = condition {
            state.send_if_modified(|shown| {
                let differs = *shown != condition;
                *shown = condition;
                differs
            });
        }
        if conditions.changed().await.is_err() {
            // All lanes have ended, and so does the engine.
            std::future::pending::<()>().await;
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
