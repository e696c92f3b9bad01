//! How each webhook fares on its way, drawn from the seed: lost, late, doubled, forged.
//!
//! Not here: what happens when it arrives (`sender`), and how a signature is made or forged (`keys`, `sender::forgery`).

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;

use crate::draw;
use crate::sender::body;
use crate::sender::forgery::Forgery;
use crate::sender::message::Message;
use crate::settings::Settings;
use crate::world::change::{Change, Told};

/// A webhook is doubled at most so often.
const DUPLICATES_MAX: usize = 3;

/// A webhook to send.
#[derive(Debug, Clone)]
pub(crate) struct Planned {
    /// The number of the change that it tells of.
    pub(crate) change: u64,
    /// The connection of that change.
    pub(crate) token: String,
    /// What it is to the receiver.
    pub(crate) role: Role,
    /// Its bytes and its signature, shared by those that are the same.
    pub(crate) message: Arc<Message>,
    /// It is sent so long after its change.
    pub(crate) wait: Duration,
}

/// What a webhook is to the receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// The first of its change.
    First,
    /// Another one of the same bytes.
    Duplicate,
    /// Not from Finlink.
    Forged(Forgery),
}

/// Draws plans.
#[derive(Debug)]
pub(crate) struct Planner {
    rng: Rng,
    settings: Settings,
}

impl Planner {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self { rng: draw::generator(settings.seed, &settings.app, "sender"), settings: settings.clone() }
    }

    /// The webhooks for a change, the first and then at most as many as `room` for all of them; `None`: it is lost.
    pub(crate) fn plan(&mut self, change: &Change, told: Told, room: u64) -> Option<Vec<Planned>> {
        let lost = draw::happens(&mut self.rng, self.settings.loss_rate);
        let late = draw::happens(&mut self.rng, self.settings.reorder);
        let bind = draw::happens(&mut self.rng, self.settings.bind_body_rate);
        let bytes = body::draw(&mut self.rng, &self.settings, change, told);
        if lost {
            return None;
        }
        let first = Arc::new(Message::genuine(bytes.clone(), bind));
        let wait = if late { self.moment() } else { Duration::ZERO };
        let mut webhooks = vec![planned(change, Role::First, Arc::clone(&first), wait)];
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        while webhooks.len() < room.min(1 + DUPLICATES_MAX)
            && draw::happens(&mut self.rng, self.settings.duplicate_rate)
        {
            let anew = self.rng.bool();
            let message = if anew { Arc::new(Message::genuine(bytes.clone(), bind)) } else { Arc::clone(&first) };
            let wait = wait + self.moment();
            webhooks.push(planned(change, Role::Duplicate, message, wait));
        }
        if webhooks.len() < room && draw::happens(&mut self.rng, self.settings.forged_rate) {
            let forgery = Forgery::ALL[self.rng.usize(..Forgery::ALL.len())];
            let bytes = body::lie(&mut self.rng, change);
            let wait = self.moment();
            webhooks.push(planned(change, Role::Forged(forgery), Arc::new(Message::forged(bytes, forgery)), wait));
        }
        Some(webhooks)
    }

    /// A moment within the reorder window.
    fn moment(&mut self) -> Duration {
        self.settings.reorder_window.mul_f64(self.rng.f64())
    }
}

fn planned(change: &Change, role: Role, message: Arc<Message>, wait: Duration) -> Planned {
    Planned { change: change.number, token: change.token.clone(), role, message, wait }
}
