//! What happens next: the order of changes, drawn from the seed.
//!
//! Promises: the same settings give the same sequence, whatever the clock does; the run ends with every import and update
//! ended, every creation and deletion done, and exactly the asked number of webhooks planned (where as many connections as
//! webhooks or fewer are asked for, some connections never change). Not here: what a change does (`connection`), and how a
//! webhook fares on its way (`sender::plan`).

use std::time::Duration;

use fastrand::Rng;

use crate::draw;
use crate::sender::plan::{Planned, Planner};
use crate::settings::Settings;
use crate::world::World;
use crate::world::change::{Change, Kind};
use crate::world::connection::{Connection, Stage};

/// In live mode one change in so many is a deletion, which a new connection makes up for ...
const LIVE_DELETION_ONE_IN: u32 = 300;
/// ... until so many were deleted: the world remembers them.
const LIVE_DELETIONS_MAX: usize = 10_000;
/// In live mode the signing key is replaced once in so many changes.
const LIVE_ROTATION_ONE_IN: u32 = 2_000;

/// Chooses changes.
#[derive(Debug)]
pub(crate) struct Script {
    rng: Rng,
    planner: Planner,
    pace: Pace,
    /// Connections still to be created, and how many of them in all.
    creations: Quota,
    deletions: Quota,
    rotations: Quota,
    /// Connections in which something runs that will end with a webhook.
    open: Vec<usize>,
    /// The others that are there.
    stable: Vec<usize>,
    /// Webhooks that were planned to be sent.
    planned: u64,
    last_at: Duration,
}

#[derive(Debug, Clone, Copy)]
enum Pace {
    /// So many webhooks in so long.
    Run { webhooks: u64, duration: Duration },
    /// A change each so often, without end.
    Live { apart: Duration },
}

/// What one step did.
#[derive(Debug)]
pub(crate) struct Step {
    /// `None`: the drawn change did not fit, since the API was asked for another meanwhile.
    pub(crate) change: Option<Change>,
    /// The webhooks to send for it; empty for an untold change and for a lost webhook.
    pub(crate) webhooks: Vec<Planned>,
    /// Its webhook is never sent.
    pub(crate) lost: bool,
    /// The signing key is replaced before them.
    pub(crate) rotate: bool,
}

impl Script {
    /// A script and how many connections exist before it starts.
    pub(crate) fn new(settings: &Settings) -> (Self, usize) {
        let live = settings.live;
        let webhooks = settings.webhooks_target();
        let share = 1.0 - settings.existing_share;
        let creations = (settings.connections as f64 * share).round() as usize;
        // A created connection tells of its import, so there can't be more of them than webhooks.
        let creations = if live { creations } else { creations.min(usize::try_from(webhooks).unwrap_or(usize::MAX)) };
        let existing = settings.connections - creations;
        let pace = if live {
            Pace::Live { apart: Duration::from_secs_f64(1.0 / settings.live_per_second) }
        } else {
            Pace::Run { webhooks, duration: settings.duration }
        };
        let script = Self {
            rng: draw::generator(settings.seed, &settings.app, "script"),
            planner: Planner::new(settings),
            pace,
            creations: Quota::new(creations),
            deletions: Quota::new(settings.deletions),
            rotations: Quota::new(settings.key_rotations as usize),
            open: Vec::new(),
            stable: (0..existing).collect(),
            planned: 0,
            last_at: Duration::ZERO,
        };
        (script, existing)
    }

    /// How many webhooks the whole run sends; `None` in live mode.
    pub(crate) fn target(&self) -> Option<u64> {
        match self.pace {
            Pace::Run { webhooks, .. } => Some(webhooks),
            Pace::Live { .. } => None,
        }
    }

    /// When the last change happened, counted from the start of the run.
    pub(crate) fn last_at(&self) -> Duration {
        self.last_at
    }

    /// When the next change happens; `None` once the world is quiet.
    pub(crate) fn next_at(&self) -> Option<Duration> {
        match self.pace {
            Pace::Live { apart } => Some(self.last_at + apart),
            Pace::Run { .. } if self.quiet() => None,
            Pace::Run { duration, .. } => Some(duration.mul_f64(self.progress()).max(self.last_at)),
        }
    }

    /// Lets the next change happen.
    pub(crate) fn step(&mut self, world: &mut World) -> Option<Step> {
        let at = self.next_at()?;
        self.last_at = at;
        let rotate = self.rotation_due();
        let change = self.choose(world, at);
        let mut step = Step { change, webhooks: Vec::new(), lost: false, rotate };
        if let Some((change, told)) = step.change.as_ref().and_then(|change| Some((change, change.kind.told()?))) {
            let room = self.room();
            match self.planner.plan(change, told, room) {
                Some(webhooks) => step.webhooks = webhooks,
                None => step.lost = true,
            }
            self.planned += step.webhooks.len() as u64;
        }
        Some(step)
    }

    fn quiet(&self) -> bool {
        let nothing_to_delete = self.deletions.left() == 0 || self.stable.len() <= 1;
        let nothing_to_start = self.room() == 0 || self.stable.is_empty();
        self.open.is_empty() && self.creations.left() == 0 && nothing_to_delete && nothing_to_start
    }

    /// How much of the run is over, from 0 to 1.
    fn progress(&self) -> f64 {
        match self.pace {
            Pace::Run { webhooks: 0, .. } => 1.0,
            Pace::Run { webhooks, .. } => (self.planned as f64 / webhooks as f64).min(1.0),
            Pace::Live { .. } => 0.0,
        }
    }

    /// How many webhooks may still be planned beyond those that open connections and creations will need.
    fn room(&self) -> u64 {
        match self.pace {
            Pace::Run { webhooks, .. } => {
                let owed = self.open.len() + self.creations.left();
                webhooks.saturating_sub(self.planned).saturating_sub(owed as u64)
            }
            Pace::Live { .. } => u64::MAX,
        }
    }

    fn choose(&mut self, world: &mut World, at: Duration) -> Option<Change> {
        let room = self.room() > 0;
        let finish = self.rng.bool();
        if !self.open.is_empty() && (finish || (!room && self.creations.left() == 0)) {
            return self.advance(world, at);
        }
        if self.deletion_due() {
            return self.delete(world, at);
        }
        let nothing_else = self.stable.is_empty() || !room;
        if self.creations.left() > 0 && (nothing_else || self.creation_due()) {
            self.creations.done += 1;
            let (index, change) = world.create(at);
            self.open.push(index);
            return Some(change);
        }
        if room && !self.stable.is_empty() { self.start(world, at) } else { self.advance(world, at) }
    }

    /// Brings an open connection one change further.
    fn advance(&mut self, world: &mut World, at: Duration) -> Option<Change> {
        if self.open.is_empty() {
            return None;
        }
        let place = self.rng.usize(..self.open.len());
        let index = self.open[place];
        let kind = match world.connection(index) {
            Connection { stage: Stage::Unexchanged, .. } => Kind::Exchanged,
            Connection { status: "PENDING", .. } => self.weighted(&[(9, Kind::Imported), (1, Kind::ImportFailed)]),
            _ => self.weighted(&[(80, Kind::Updated), (18, Kind::UpdateFailed), (2, Kind::UpdatedOddly)]),
        };
        let change = world.apply(index, at, kind);
        if change.is_none() {
            self.open.swap_remove(place);
        } else if kind.told().is_some() {
            self.open.swap_remove(place);
            self.stable.push(index);
        }
        change
    }

    /// Lets something happen to a stable connection.
    fn start(&mut self, world: &mut World, at: Duration) -> Option<Change> {
        let place = self.rng.usize(..self.stable.len());
        let index = self.stable[place];
        let kind = self.next_of(world.connection(index));
        let change = world.apply(index, at, kind);
        if change.is_none() {
            self.stable.swap_remove(place);
        } else if kind == Kind::UpdateStarted {
            self.stable.swap_remove(place);
            self.open.push(index);
        }
        change
    }

    /// What happens next to a stable connection, by its state.
    fn next_of(&mut self, connection: &Connection) -> Kind {
        use Kind::{
            Blocked, CredentialsChanged, UpdateFailed, UpdateStarted, UpdateTokenIssued, Updated, UpdatedOddly,
        };
        if connection.restore_token.is_some() {
            return self.weighted(&[(7, UpdateStarted), (3, Updated)]);
        }
        match connection.status {
            "ERRORED" => self.weighted(&[(6, Updated), (2, UpdateStarted), (2, Blocked)]),
            "UPDATE_ERROR" => self.weighted(&[(6, Updated), (2, UpdateFailed), (1, Blocked), (1, UpdateStarted)]),
            _ if connection.update_token.is_some() => self.weighted(&[(6, UpdateStarted), (3, Updated), (1, Blocked)]),
            _ if connection.automatic() => self.weighted(&[
                (50, Updated),
                (12, UpdateStarted),
                (10, UpdateFailed),
                (15, UpdateTokenIssued),
                (7, Blocked),
                (4, CredentialsChanged),
                (2, UpdatedOddly),
            ]),
            _ => self.weighted(&[(80, UpdateTokenIssued), (15, Blocked), (5, CredentialsChanged)]),
        }
    }

    fn delete(&mut self, world: &mut World, at: Duration) -> Option<Change> {
        self.deletions.done += 1;
        if matches!(self.pace, Pace::Live { .. }) {
            self.creations.all += 1;
        }
        let place = self.rng.usize(..self.stable.len());
        world.apply(self.stable.swap_remove(place), at, Kind::Deleted)
    }

    /// Creations are done by the middle of a run; in live mode one step in three is one until all are there.
    fn creation_due(&mut self) -> bool {
        match self.pace {
            Pace::Run { .. } => self.creations.due(self.progress() * 2.0),
            Pace::Live { .. } => self.rng.u8(..3) == 0,
        }
    }

    fn deletion_due(&mut self) -> bool {
        let possible = self.stable.len() > 1;
        match self.pace {
            Pace::Run { .. } => possible && self.deletions.due(self.progress()),
            Pace::Live { .. } => {
                let wanted = self.deletions.all > 0 && self.deletions.done < LIVE_DELETIONS_MAX;
                self.rng.u32(..LIVE_DELETION_ONE_IN) == 0 && possible && wanted
            }
        }
    }

    fn rotation_due(&mut self) -> bool {
        let due = match self.pace {
            Pace::Run { .. } => self.rotations.due(self.progress()),
            Pace::Live { .. } => self.rng.u32(..LIVE_ROTATION_ONE_IN) == 0,
        };
        self.rotations.done += usize::from(due);
        due
    }

    fn weighted(&mut self, choices: &[(u32, Kind)]) -> Kind {
        let mut drawn = self.rng.u32(..choices.iter().map(|(weight, _)| weight).sum::<u32>());
        for &(weight, kind) in choices {
            if drawn < weight {
                return kind;
            }
            drawn -= weight;
        }
        Kind::Updated
    }
}

/// Things to be done over a run, evenly.
#[derive(Debug)]
struct Quota {
    all: usize,
    done: usize,
}

impl Quota {
    fn new(all: usize) -> Self {
        Self { all, done: 0 }
    }

    fn left(&self) -> usize {
        self.all.saturating_sub(self.done)
    }

    /// Whether the next one should be done once so much is over; all are at 1.
    fn due(&self, progress: f64) -> bool {
        let share = (self.done + 1) as f64 / (self.all + 1) as f64;
        self.left() > 0 && share <= progress
    }
}
