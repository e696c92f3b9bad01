//! A lane: one task with a connection of its own, on which nobody else ever publishes.
//!
//! So the delivery tags are counted in the order in which the frames are written, and everything that was asked for between
//! two wake-ups leaves in one write. The task lives on the runtime where it was started; when that ends, whoever waits here
//! learns that the outcome is unknown.

use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::MissedTickBehavior;

use super::envelope::Outgoing;
use super::in_flight::Permit;
use super::link::{Link, Links};
use super::reports::{Condition, Reporter};
use super::settings::Settings;
use super::wire::{self, Broken, Connection};
use crate::PublishError;

/// Messages taken from the callers at a time.
const TAKEN_MAX: usize = 256;
/// How often the connection is checked for silence, and confirms for being abandoned.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// Why a request is refused that finds no connection.
const UNCONNECTED: &str = "there is no connection to the broker";

/// What a confirm said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Confirmed {
    /// At least one queue stored it.
    Stored,
    /// No queue is bound for it; nobody stored it.
    Unrouted,
}

/// Who waits for a confirm.
pub(super) type Reply = oneshot::Sender<Result<Confirmed, PublishError>>;

/// A message on its way, and who waits for it.
pub(super) struct Request {
    pub(super) outgoing: Outgoing,
    pub(super) reply: Reply,
    pub(super) permit: Permit,
}

/// What a lane is made of.
pub(super) struct Lane {
    pub(super) requests: mpsc::Receiver<Request>,
    pub(super) links: Links,
    pub(super) reporter: Reporter,
    pub(super) settings: Settings,
    /// Shown in the broker's list of connections.
    pub(super) name: String,
}

pub(super) enum Ended {
    /// Every caller is gone and everything is confirmed.
    Drained,
    /// The connection cannot be used any more.
    Lost(Broken),
}

impl Lane {
    /// Runs until every sender of requests is gone and what was in flight is settled.
    pub(super) async fn run(mut self) {
        let (mut tried, mut failures) = (0, 0);
        while let Some(link) = self.next_link(tried, failures).await {
            tried = link.generation;
            let limit = self.settings.connect_timeout;
            let opened = tokio::time::timeout(limit, wire::open(&link.address, &self.name)).await;
            let condition = match opened.unwrap_or_else(|_| Err(Broken::because(format!("no answer within {limit:?}"))))
            {
                Ok(connection) => {
                    failures = 0;
                    match self.drive(connection).await {
                        Ended::Drained => return,
                        Ended::Lost(Broken { code, text: why }) => Condition::Broken { generation: tried, code, why },
                    }
                }
                Err(Broken { code, text: why }) => {
                    failures += 1;
                    Condition::Shut { generation: tried, code, why }
                }
            };
            self.reporter.report(condition);
        }
    }

    /// Waits for a link that was not tried yet, or after so many failures to open it in a row for the time to try it again,
    /// and refuses meanwhile; `None` when all callers are gone.
    async fn next_link(&mut self, tried: u64, failures: u32) -> Option<Link> {
        let mut is_due = false;
        let pause = tokio::time::sleep(self.settings.pause(failures));
        tokio::pin!(pause);
        loop {
            let link = self.links.borrow_and_update().clone();
            if let Some(link) = link.filter(|link| link.generation > tried || is_due) {
                return Some(link);
            }
            tokio::select! {
                () = &mut pause, if failures > 0 && !is_due => is_due = true,
                changed = self.links.changed() => if changed.is_err() {
                    // The supervisor has ended: refuse whoever is left.
                    refuse(self.requests.recv().await?, UNCONNECTED);
                },
                request = self.requests.recv() => refuse(request?, UNCONNECTED),
            }
        }
    }

    pub(super) async fn drive(&mut self, mut connection: Connection) -> Ended {
        let abandoned_after = self.settings.confirm_abandoned_after;
        let mut pump = Pump { taken: Vec::with_capacity(TAKEN_MAX), is_open: true, is_blocked: None };
        let mut check = tokio::time::interval(CHECK_EVERY);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let ended = loop {
            tokio::select! {
                biased;
                ended = poll_fn(|context| pump.poll(self, &mut connection, context)) => break ended,
                _ = check.tick() => {
                    if let Err(broken) = connection.check(Instant::now(), abandoned_after) {
                        break Ended::Lost(broken);
                    }
                    if let Some(reason) = connection.blocked() {
                        pump.refuse_waiting(self, reason);
                    }
                }
            }
        };
        match &ended {
            Ended::Drained => connection.close().await,
            Ended::Lost(broken) => connection.abandon(broken),
        }
        ended
    }
}

fn refuse(request: Request, why: &str) {
    // A caller that went away wants no answer.
    drop(request.reply.send(Err(PublishError::Unavailable(why.to_owned()))));
}

/// Between the callers and a connection.
struct Pump {
    taken: Vec<Request>,
    /// Whether there are callers.
    is_open: bool,
    /// Whether it was reported that the broker blocks publishers; `None` before the first report.
    is_blocked: Option<bool>,
}

impl Pump {
    fn poll(&mut self, lane: &mut Lane, connection: &mut Connection, context: &mut Context<'_>) -> Poll<Ended> {
        let now = Instant::now();
        loop {
            let took_all = self.take(lane, connection, context, now);
            if let Poll::Ready(broken) = connection.poll(context, now) {
                return Poll::Ready(Ended::Lost(broken));
            }
            self.report(lane, connection);
            if !self.is_open && !connection.is_awaited() {
                return Poll::Ready(Ended::Drained);
            }
            if took_all || !connection.has_room() {
                return Poll::Pending;
            }
        }
    }

    /// Takes what the callers ask for, as far as there is room; false where something may be left.
    fn take(&mut self, lane: &mut Lane, connection: &mut Connection, context: &mut Context<'_>, now: Instant) -> bool {
        while self.is_open && connection.has_room() {
            match lane.requests.poll_recv_many(context, &mut self.taken, TAKEN_MAX) {
                Poll::Pending => return true,
                Poll::Ready(count) => self.is_open = count > 0,
            }
            for request in self.taken.drain(..) {
                // Who went away before anything was written has found another way.
                if !request.reply.is_closed() {
                    connection.publish(request, now);
                }
            }
        }
        !self.is_open
    }

    /// A broker that blocks publishers takes nothing for as long as it likes: nobody waits for that who was not written.
    fn refuse_waiting(&mut self, lane: &mut Lane, reason: &str) {
        let why = format!("the broker blocks publishers ({reason})");
        loop {
            match lane.requests.try_recv() {
                Ok(request) => refuse(request, &why),
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => return self.is_open = false,
            }
        }
    }

    fn report(&mut self, lane: &Lane, connection: &Connection) {
        let blocked = connection.blocked();
        if self.is_blocked != Some(blocked.is_some()) {
            self.is_blocked = Some(blocked.is_some());
            lane.reporter.report(match blocked {
                Some(reason) => Condition::Blocked(reason.to_owned()),
                None => Condition::Up,
            });
        }
    }
}
