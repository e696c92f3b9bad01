//! The publishing engine: bounds what is in flight, and gives each thread of its callers a lane of its own.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use lapin::Connection;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::envelope::{self, Outgoing};
use super::lane::{self, Confirmed, Request};
use super::link::{self, Dialer, Links};
use super::settings::Settings;
use crate::{Message, PublishEngine, PublishError, QueueState};

/// Bytes are counted in units of this many, since a semaphore counts in 32 bits.
const BYTES_PER_PERMIT: usize = 1024;
/// Messages that may wait for a lane's task.
const WAITING_PER_LANE_MAX: usize = 1024;

static ENGINES: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// The lane of this thread, with the number of its engine. Weak, so that a thread does not keep an engine alive.
    static LANE: RefCell<Option<(u64, mpsc::WeakSender<Request>)>> = const { RefCell::new(None) };
}

/// Publishes on lanes; when it drops, the lanes drain and the connection is closed.
pub(super) struct Engine {
    number: u64,
    settings: Settings,
    links: Links,
    pub(super) state: watch::Receiver<QueueState>,
    lanes: Mutex<Vec<mpsc::Sender<Request>>>,
    turn: AtomicU64,
    messages: Semaphore,
    bytes: Semaphore,
    _stop: DropGuard,
}

impl Engine {
    /// Starts the supervisor on the current runtime. The handle ends when the engine was dropped and has drained.
    pub(super) fn start(dialer: Dialer) -> (Self, JoinHandle<()>) {
        let (links_sender, links) = watch::channel::<Option<Arc<Connection>>>(None);
        let (state_sender, state) = watch::channel(QueueState::Starting);
        let stop = CancellationToken::new();
        let settings = dialer.settings.clone();
        let supervisor = tokio::spawn(link::supervise(dialer, links_sender, state_sender, stop.clone()));
        let engine = Self {
            number: ENGINES.fetch_add(1, Ordering::Relaxed),
            links,
            state,
            lanes: Mutex::default(),
            turn: AtomicU64::new(0),
            messages: Semaphore::new(settings.in_flight_max),
            bytes: Semaphore::new((settings.in_flight_bytes_max / BYTES_PER_PERMIT).max(1)),
            settings,
            _stop: stop.drop_guard(),
        };
        (engine, supervisor)
    }

    /// Publishes one message and waits for its confirm.
    pub(super) async fn send(&self, outgoing: Outgoing) -> Result<Confirmed, PublishError> {
        if let QueueState::Down(reason) = &*self.state.borrow() {
            return Err(PublishError::Unavailable(reason.clone()));
        }
        let bytes = outgoing.body.len().div_ceil(BYTES_PER_PERMIT).max(1);
        let bytes = bytes.min((self.settings.in_flight_bytes_max / BYTES_PER_PERMIT).max(1));
        let ended = |_| PublishError::Unavailable("the engine has ended".to_owned());
        let _message = self.messages.acquire().await.map_err(ended)?;
        let _bytes = self.bytes.acquire_many(u32::try_from(bytes).unwrap_or(u32::MAX)).await.map_err(ended)?;
        let (reply, answer) = oneshot::channel();
        let request = Request { outgoing, reply };
        self.lane().send(request).await.map_err(|_| PublishError::Unavailable("the lane has ended".to_owned()))?;
        answer.await.unwrap_or_else(|_| {
            Err(PublishError::OutcomeUnknown("the channel to the broker was left before the confirm came".to_owned()))
        })
    }

    /// This thread's lane; threads beyond `lanes_max` share.
    fn lane(&self) -> mpsc::Sender<Request> {
        LANE.with_borrow_mut(|cached| {
            let own = cached.as_ref().filter(|(number, _)| *number == self.number);
            if let Some(lane) = own.and_then(|(_, lane)| lane.upgrade()).filter(|lane| !lane.is_closed()) {
                return lane;
            }
            let lane = self.new_lane();
            *cached = Some((self.number, lane.downgrade()));
            lane
        })
    }

    fn new_lane(&self) -> mpsc::Sender<Request> {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.retain(|lane| !lane.is_closed());
        if lanes.len() >= self.settings.lanes_max.max(1) {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed) as usize;
            return lanes[turn % lanes.len()].clone();
        }
        let (sender, requests) = mpsc::channel(WAITING_PER_LANE_MAX);
        // On the runtime of the caller: a worker's requests and their confirms meet on its own thread.
        tokio::spawn(lane::run(requests, self.links.clone(), self.settings.clone()));
        lanes.push(sender.clone());
        sender
    }
}

#[async_trait]
impl PublishEngine for Engine {
    async fn publish(&self, message: Message) -> Result<(), PublishError> {
        match self.send(envelope::write(message)).await? {
            Confirmed::Stored => Ok(()),
            Confirmed::Unrouted => Err(PublishError::Unavailable(format!(
                "no queue is bound to the exchange {}: load deploy/rabbitmq/definitions.json, or start a consumer",
                super::topology::WEBHOOKS
            ))),
        }
    }

    fn state(&self) -> watch::Receiver<QueueState> {
        self.state.clone()
    }
}
