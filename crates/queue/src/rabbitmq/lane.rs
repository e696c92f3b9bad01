//! A lane: one task, one channel, confirms pipelined.
//!
//! Everything about confirms that loses data when done otherwise is here. Only this task ever publishes on its channel, so
//! a delivery tag is taken in the same order as its frames are queued: sharing a channel between threads reports refused
//! messages as stored. Every confirm is looked at on its own. Confirms are taken in the order in which they complete: the
//! broker returns an unroutable message before it confirms it, and lapin hands the returned message to whichever confirm
//! completes next, so it is always seen no later than the confirm of the message itself.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{Channel, Confirmation, Connection};
use tokio::sync::{mpsc, oneshot};

use super::envelope::Outgoing;
use super::link::Links;
use super::settings::Settings;
use crate::PublishError;

/// Messages taken from the callers at a time.
const TAKEN_MAX: usize = 256;
/// How often confirms are checked for being abandoned.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// What a confirm said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Confirmed {
    /// At least one queue stored it.
    Stored,
    /// No queue is bound for it; nobody stored it.
    Unrouted,
}

/// A message on its way, and who waits for it.
pub(super) struct Request {
    pub(super) outgoing: Outgoing,
    pub(super) reply: oneshot::Sender<Result<Confirmed, PublishError>>,
}

struct Outcome {
    number: u64,
    message_id: String,
    reply: oneshot::Sender<Result<Confirmed, PublishError>>,
    result: lapin::Result<Confirmation>,
}

enum Ended {
    /// Every caller is gone and everything is confirmed.
    Drained,
    /// The channel cannot be used any more.
    Lost,
}

/// Runs until every sender of `requests` is gone and what was in flight is settled.
pub(super) async fn run(mut requests: mpsc::Receiver<Request>, mut links: Links, settings: Settings) {
    loop {
        let link = links.borrow_and_update().clone();
        let opened = match link {
            Some(link) => open(&link, &settings).await,
            None => None,
        };
        if let Some(channel) = opened {
            match drive(&channel, &mut requests, &mut links, &settings).await {
                Ended::Drained => return,
                Ended::Lost => {}
            }
        } else if refuse_until_changed(&mut requests, &mut links).await.is_none() {
            return;
        }
    }
}

async fn open(link: &Arc<Connection>, settings: &Settings) -> Option<Channel> {
    let opened = async {
        let channel = link.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok::<_, lapin::Error>(channel)
    };
    // Where it fails, the supervisor sees that the connection is lost and says so.
    tokio::time::timeout(settings.connect_timeout, opened).await.ok()?.ok()
}

/// Answers callers at once while there is no channel; `None` when they are all gone.
async fn refuse_until_changed(requests: &mut mpsc::Receiver<Request>, links: &mut Links) -> Option<()> {
    let again = tokio::time::sleep(CHECK_EVERY);
    tokio::pin!(again);
    loop {
        tokio::select! {
            changed = links.changed() => {
                if changed.is_ok() {
                    return Some(());
                }
                // The supervisor has ended: refuse whoever is left.
                refuse(requests.recv().await?);
            }
            () = &mut again => return Some(()),
            request = requests.recv() => refuse(request?),
        }
    }
}

fn refuse(request: Request) {
    // A caller that went away wants no answer.
    drop(request.reply.send(Err(PublishError::Unavailable("there is no connection to the broker".to_owned()))));
}

async fn drive(
    channel: &Channel,
    requests: &mut mpsc::Receiver<Request>,
    links: &mut Links,
    settings: &Settings,
) -> Ended {
    let mut lane =
        Lane { in_flight: FuturesUnordered::new(), sent_at: BTreeMap::new(), returned: HashSet::new(), next: 0 };
    let mut taken = Vec::with_capacity(TAKEN_MAX);
    let mut check = tokio::time::interval(CHECK_EVERY);
    let mut open = true;
    loop {
        tokio::select! {
            count = requests.recv_many(&mut taken, TAKEN_MAX), if open => {
                open = count > 0;
                for request in taken.drain(..) {
                    lane.publish(channel.clone(), request);
                }
            }
            Some(outcome) = lane.in_flight.next() => {
                if !lane.settle(outcome) {
                    return Ended::Lost;
                }
            }
            changed = links.changed() => {
                if changed.is_err() || links.borrow().is_none() {
                    return Ended::Lost;
                }
            }
            _ = check.tick() => {
                if lane.is_abandoned(settings.confirm_abandoned_after) {
                    tracing::warn!(in_flight = lane.sent_at.len(), "the broker does not confirm; the channel is left");
                    return Ended::Lost;
                }
            }
        }
        if !open && lane.in_flight.is_empty() {
            return Ended::Drained;
        }
    }
}

/// What is on the way on one channel. Dropped, every caller that still waits learns that its outcome is unknown.
struct Lane<F> {
    in_flight: FuturesUnordered<F>,
    sent_at: BTreeMap<u64, Instant>,
    returned: HashSet<String>,
    next: u64,
}

impl<F> Lane<F> {
    /// Notes an outcome and answers its caller; false where the channel is lost.
    fn settle(&mut self, outcome: Outcome) -> bool {
        self.sent_at.remove(&outcome.number);
        let answer = match outcome.result {
            Ok(Confirmation::Ack(message)) => {
                self.note_returned(message);
                let unrouted = self.returned.remove(&outcome.message_id);
                Ok(if unrouted { Confirmed::Unrouted } else { Confirmed::Stored })
            }
            Ok(Confirmation::Nack(message)) => {
                self.note_returned(message);
                self.returned.remove(&outcome.message_id);
                Err(PublishError::Full("the broker refused the message: its queue is full or has no leader".to_owned()))
            }
            Ok(Confirmation::NotRequested) => {
                Err(PublishError::OutcomeUnknown("the channel is not in confirm mode".to_owned()))
            }
            Err(error) => {
                let lost = PublishError::OutcomeUnknown(format!("the channel to the broker is lost: {error}"));
                drop(outcome.reply.send(Err(lost)));
                return false;
            }
        };
        // A caller that went away wants no answer.
        drop(outcome.reply.send(answer));
        true
    }

    fn note_returned(&mut self, message: Option<lapin::message::BasicReturnMessage>) {
        if let Some(id) = message.and_then(|message| message.properties.message_id().as_ref().map(ToString::to_string))
        {
            self.returned.insert(id);
        }
    }

    fn is_abandoned(&self, after: Duration) -> bool {
        self.sent_at.first_key_value().is_some_and(|(_, sent_at)| sent_at.elapsed() > after)
    }
}

type InFlight = std::pin::Pin<Box<dyn Future<Output = Outcome> + Send>>;

impl Lane<InFlight> {
    /// Puts a message on its way. The frames are queued when the task polls, in the order of these calls.
    fn publish(&mut self, channel: Channel, request: Request) {
        let number = self.next;
        self.next += 1;
        self.sent_at.insert(number, Instant::now());
        self.in_flight.push(Box::pin(async move {
            let Request { outgoing, reply } = request;
            let options = BasicPublishOptions { mandatory: true, ..Default::default() };
            let sent = channel
                .basic_publish(
                    outgoing.exchange.into(),
                    outgoing.routing_key,
                    options,
                    &outgoing.body,
                    outgoing.properties,
                )
                .await;
            let result = match sent {
                Ok(confirm) => confirm.await,
                Err(error) => Err(error),
            };
            Outcome { number, message_id: outgoing.message_id, reply, result }
        }));
    }
}
