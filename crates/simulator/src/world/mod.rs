//! The world: the connections as they truly are, and as they were a moment ago.
//!
//! [`World`] keeps state and lets changes happen; [`script`] chooses them; the API reads through [`views`].
//! Promises: the same changes with the same seed and base time give the same world.

pub(crate) mod change;
mod connection;
pub(crate) mod script;
#[cfg(test)]
mod tests;
mod views;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::Value;
use uuid::Uuid;

use crate::draw;
use crate::settings::Settings;
use change::{Change, Kind};
use connection::{Connection, Stage};
use views::Views;

pub(crate) use connection::iso;

/// Every connection of one app.
#[derive(Debug)]
pub(crate) struct World {
    connections: Vec<Connection>,
    views: Vec<Views>,
    by_token: HashMap<String, usize>,
    values: Rng,
    changes: u64,
    /// The moment from which the run's time counts, in Unix milliseconds and by the monotonic clock.
    epoch: (i64, Instant),
}

impl World {
    /// A world in which `existing` connections have been for days.
    pub(crate) fn new(settings: &Settings, existing: usize, epoch_ms: i64) -> Self {
        let mut world = Self {
            connections: Vec::new(),
            views: Vec::new(),
            by_token: HashMap::new(),
            values: draw::generator(settings.seed, &settings.app, "world"),
            changes: 0,
            epoch: (epoch_ms, Instant::now()),
        };
        for _ in 0..existing {
            let connection = Connection::settled(&mut world.values, epoch_ms);
            world.admit(connection);
        }
        world
    }

    /// From now on the run's time counts from here.
    pub(crate) fn set_epoch(&mut self, unix_ms: i64, monotonic: Instant) {
        self.epoch = (unix_ms, monotonic);
    }

    /// The run's time.
    pub(crate) fn now(&self) -> Duration {
        self.epoch.1.elapsed()
    }

    /// How many changes have happened.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// Links a connection.
    pub(crate) fn create(&mut self, at: Duration) -> (usize, Change) {
        let now = self.time(at);
        let connection = Connection::linked(&mut self.values, now);
        let index = self.admit(connection);
        (index, self.changed(index, at, Kind::Created))
    }

    /// Lets `kind` happen to a connection; `None` where it doesn't fit its state.
    pub(crate) fn apply(&mut self, index: usize, at: Duration, kind: Kind) -> Option<Change> {
        let now = self.time(at);
        let connection = &mut self.connections[index];
        if !connection.apply(kind, now, &mut self.values) {
            return None;
        }
        let shown = (connection.stage == Stage::Shown).then(|| connection.json().to_string());
        self.views[index].show(Instant::now(), shown);
        Some(self.changed(index, at, kind))
    }

    /// Exchanges a public token, once.
    pub(crate) fn exchange(&mut self, public_token: Uuid) -> Option<String> {
        let index = self.connections.iter().position(|connection| connection.public_token == public_token)?;
        self.apply(index, self.now(), Kind::Exchanged).map(|change| change.token)
    }

    /// The connection of a token, deleted ones included.
    pub(crate) fn find(&self, token: &str) -> Option<usize> {
        self.by_token.get(token).copied()
    }

    /// What one connection is shown as: now, or as of `then`.
    pub(crate) fn single(&self, token: &str, then: Option<Instant>) -> Option<String> {
        self.views[self.find(token)?].at(then).map(str::to_owned)
    }

    /// All that are shown, as a JSON array: now, or as of `then`.
    pub(crate) fn list(&self, external_id: Option<&str>, then: Option<Instant>) -> String {
        let mut list = String::from("[");
        for (connection, views) in self.connections.iter().zip(&self.views) {
            let wanted = external_id.is_none_or(|id| connection.external_id.as_deref() == Some(id));
            if let (true, Some(shown)) = (wanted, views.at(then)) {
                if list.len() > 1 {
                    list.push(',');
                }
                list.push_str(shown);
            }
        }
        list.push(']');
        list
    }

    /// Those that wait to be exchanged, as the API shows them.
    pub(crate) fn pending(&self, external_id: Option<&str>) -> Vec<Value> {
        let waiting = self.connections.iter().filter(|connection| connection.stage == Stage::Unexchanged);
        waiting
            .filter(|connection| external_id.is_none_or(|id| connection.external_id.as_deref() == Some(id)))
            .map(|connection| {
                serde_json::json!({
                    "publicToken": connection.public_token,
                    "externalId": connection.external_id,
                    "createdAt": iso(connection.created_at),
                })
            })
            .collect()
    }

    /// The statuses of all that are shown, as they truly are, by token.
    pub(crate) fn truth(&self) -> Vec<Value> {
        let mut shown: Vec<_> = self.in_stage(Stage::Shown).collect();
        shown.sort_by(|one, other| one.token.cmp(&other.token));
        shown.into_iter().map(Connection::json).collect()
    }

    /// The tokens of those that were deleted, sorted.
    pub(crate) fn deleted(&self) -> Vec<String> {
        let mut tokens: Vec<_> = self.in_stage(Stage::Deleted).map(|connection| connection.token.clone()).collect();
        tokens.sort();
        tokens
    }

    fn connection(&self, index: usize) -> &Connection {
        &self.connections[index]
    }

    fn in_stage(&self, stage: Stage) -> impl Iterator<Item = &Connection> {
        self.connections.iter().filter(move |connection| connection.stage == stage)
    }

    fn admit(&mut self, mut connection: Connection) -> usize {
        while self.by_token.contains_key(&connection.token) {
            connection.token = draw::token(&mut self.values);
        }
        let index = self.connections.len();
        self.by_token.insert(connection.token.clone(), index);
        let shown = (connection.stage == Stage::Shown).then(|| connection.json().to_string());
        self.views.push(Views::new(Instant::now(), shown));
        self.connections.push(connection);
        index
    }

    fn changed(&mut self, index: usize, at: Duration, kind: Kind) -> Change {
        self.changes += 1;
        Change { number: self.changes, at, token: self.connections[index].token.clone(), kind }
    }

    fn time(&self, at: Duration) -> i64 {
        self.epoch.0.saturating_add(i64::try_from(at.as_millis()).unwrap_or(i64::MAX))
    }
}
