//! The publishing engine: bounds what is in flight, and gives threads that ask for it a lane of their own.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::body_limit::BodyLimit;
use super::envelope::{self, Outgoing};
use super::in_flight::{InFlight, Permit};
use super::lane::{Confirmed, Lane, Request};
use super::link::{self, Dialer, Links};
use super::reports::{Conditions, Reporter};
use super::settings::Settings;
use crate::{Message, PublishEngine, PublishError, QueueState};

/// Messages that may wait for a lane's task.
const WAITING_PER_LANE_MAX: usize = 1024;

static ENGINES: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static LANE: RefCell<Option<OwnLane>> = const { RefCell::new(None) };
}

/// The lane of a thread. Weak, so that a thread does not keep an engine alive.
struct OwnLane {
    /// The number of its engine.
    engine: u64,
    requests: mpsc::WeakSender<Request>,
    is_shut: Arc<AtomicBool>,
}

/// The callers' end of a lane.
struct Entrance {
    requests: mpsc::Sender<Request>,
    is_shut: Arc<AtomicBool>,
}

/// Publishes on lanes; when it drops, the lanes drain and their connections are closed.
///
/// One lane, its home, lives on the runtime where the engine was started, and is there for everyone. A thread that
/// [attaches](PublishEngine::attach_thread) gets one that lives on the thread's own runtime.
pub(super) struct Engine {
    number: u64,
    settings: Settings,
    name: String,
    links: Links,
    pub(super) state: watch::Receiver<QueueState>,
    conditions: watch::Sender<Conditions>,
    home: Entrance,
    attached: Mutex<Attached>,
    body_limit: BodyLimit,
    in_flight: Arc<InFlight>,
    _stop: DropGuard,
}

/// The lanes of threads.
#[derive(Default)]
struct Attached {
    lanes: Vec<Entrance>,
    /// Lanes made so far, which numbers them: the home is 0.
    made: u64,
}

impl Engine {
    /// Starts the supervisor and the home on the current runtime. The handle ends when the engine was dropped and has
    /// drained.
    pub(super) fn start(dialer: Dialer) -> (Self, JoinHandle<()>) {
        let (links_sender, links) = watch::channel(None);
        let (state_sender, state) = watch::channel(QueueState::Starting);
        let conditions = watch::Sender::new(Conditions::new());
        let stop = CancellationToken::new();
        let (settings, name) = (dialer.settings.clone(), dialer.name.clone());
        let (home, lane) = new_lane(0, &links, &conditions, &settings, &name);
        tokio::spawn(lane.run());
        let body_limit = BodyLimit::new(settings.message_bytes_max);
        let supervisor = tokio::spawn(link::supervise(
            dialer,
            links_sender,
            conditions.subscribe(),
            state_sender,
            body_limit.clone(),
            stop.clone(),
        ));
        let engine = Self {
            number: ENGINES.fetch_add(1, Ordering::Relaxed),
            links,
            state,
            conditions,
            home,
            attached: Mutex::default(),
            body_limit,
            in_flight: InFlight::new(settings.in_flight_max, settings.in_flight_bytes_max),
            settings,
            name,
            _stop: stop.drop_guard(),
        };
        (engine, supervisor)
    }

    /// Publishes one message and waits for its confirm.
    pub(super) async fn send(&self, outgoing: Outgoing) -> Result<Confirmed, PublishError> {
        if let QueueState::Down(reason) = &*self.state.borrow() {
            return Err(PublishError::Unavailable(reason.clone()));
        }
        let bytes = outgoing.body.len();
        self.body_limit.check(bytes)?;
        let permit = match self.in_flight.try_enter(bytes) {
            Some(permit) => permit,
            None => self.wait_for_room(bytes).await?,
        };
        let (reply, answer) = oneshot::channel();
        let request = Request { outgoing, reply, permit };
        self.lane().send(request).await.map_err(|_| PublishError::Unavailable("the lane has ended".to_owned()))?;
        answer.await.unwrap_or_else(|_| {
            Err(PublishError::OutcomeUnknown("the lane to the broker ended before the confirm came".to_owned()))
        })
    }

    /// Waits no longer than there is a broker that could make room.
    async fn wait_for_room(&self, bytes: usize) -> Result<Permit, PublishError> {
        let ended = || PublishError::Unavailable("the engine has ended".to_owned());
        let mut state = self.state.clone();
        tokio::select! {
            permit = self.in_flight.enter(bytes) => permit.map_err(|_| ended()),
            down = state.wait_for(|state| matches!(state, QueueState::Down(_))) => match down.as_deref() {
                Ok(QueueState::Down(reason)) => Err(PublishError::Unavailable(reason.clone())),
                _ => Err(ended()),
            },
        }
    }

    /// This thread's lane while there is one that can be used, else the home.
    fn lane(&self) -> mpsc::Sender<Request> {
        let own = LANE.with_borrow(|own| match own {
            Some(own) if own.engine == self.number && !own.is_shut.load(Ordering::Relaxed) => {
                own.requests.upgrade().filter(|requests| !requests.is_closed())
            }
            _ => None,
        });
        own.unwrap_or_else(|| self.home())
    }

    /// Where the home could not open, another lane has to do.
    fn home(&self) -> mpsc::Sender<Request> {
        let can_be_used = |lane: &&Entrance| !lane.is_shut.load(Ordering::Relaxed) && !lane.requests.is_closed();
        if can_be_used(&&self.home) {
            return self.home.requests.clone();
        }
        let attached = self.attached.lock().unwrap_or_else(PoisonError::into_inner);
        attached.lanes.iter().find(can_be_used).unwrap_or(&self.home).requests.clone()
    }
}

fn new_lane(
    number: u64,
    links: &Links,
    conditions: &watch::Sender<Conditions>,
    settings: &Settings,
    name: &str,
) -> (Entrance, Lane) {
    let (sender, requests) = mpsc::channel(WAITING_PER_LANE_MAX);
    let reporter = Reporter::new(number, conditions.clone());
    let entrance = Entrance { requests: sender, is_shut: reporter.is_shut() };
    let lane =
        Lane { requests, links: links.clone(), reporter, settings: settings.clone(), name: format!("{name} {number}") };
    (entrance, lane)
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

    /// Threads beyond `lanes_max` share the home: a lane of another thread would end with that thread.
    fn attach_thread(&self) {
        let mut attached = self.attached.lock().unwrap_or_else(PoisonError::into_inner);
        let Attached { lanes, made } = &mut *attached;
        lanes.retain(|lane| !lane.requests.is_closed());
        if lanes.len() + 1 >= self.settings.lanes_max {
            return;
        }
        *made += 1;
        let (entrance, lane) = new_lane(*made, &self.links, &self.conditions, &self.settings, &self.name);
        tokio::spawn(lane.run());
        LANE.set(Some(OwnLane {
            engine: self.number,
            requests: entrance.requests.downgrade(),
            is_shut: Arc::clone(&entrance.is_shut),
        }));
        lanes.push(entrance);
    }

    fn state(&self) -> watch::Receiver<QueueState> {
        self.state.clone()
    }
}
