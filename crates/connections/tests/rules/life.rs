//! A connection's life for tests: answers of Finlink in short, observed one after the other.

use connections::{Answer, Cause, Circumstances, Known, Read, Schedule, Transition, observe};
use events::{ConnectionStatus, EventType, UtcMicros};
use serde_json::{Value, json};

/// 2026-01-01T00:00:00Z.
const START: UtcMicros = UtcMicros(1_767_225_600_000_000);

/// The time `seconds` after the start.
pub(crate) fn second(seconds: i64) -> UtcMicros {
    UtcMicros(START.0 + seconds * 1_000_000)
}

/// The time `minutes` after the start.
pub(crate) fn minute(minutes: i64) -> UtcMicros {
    second(minutes * 60)
}

/// The time `hours` after the start.
pub(crate) fn hour(hours: i64) -> UtcMicros {
    minute(hours * 60)
}

/// A connection that was imported at the start and is updated by itself.
pub(crate) fn ready() -> Value {
    json!({
        "credentialsToken": "ABCDEFGH12",
        "status": "READY",
        "entity": "santander",
        "createdAt": minute(-5),
        "updatedAt": minute(0),
        "lastSync": minute(0),
        "hasCredentials": true,
        "twoFactorEnabled": false,
    })
}

/// A connection whose first import runs.
pub(crate) fn pending() -> Value {
    but(&ready(), json!({"status": "PENDING", "updatedAt": null, "lastSync": null}))
}

/// `answer` with some fields different; null takes a field away.
pub(crate) fn but(answer: &Value, fields: Value) -> Value {
    let mut answer = answer.clone();
    let (Some(all), Value::Object(fields)) = (answer.as_object_mut(), fields) else { panic!("expected objects") };
    for (name, value) in fields {
        if value.is_null() {
            all.remove(&name);
        } else {
            all.insert(name, value);
        }
    }
    answer
}

/// A read that found the connection.
pub(crate) fn found(read_no: u64, as_of: UtcMicros, answer: &Value) -> Read {
    let status = Box::new(ConnectionStatus::from_value(answer.clone()).expect("a status"));
    read(read_no, as_of, Answer::Found { status, raw: answer.clone() })
}

/// A read that was answered 404.
pub(crate) fn not_found(read_no: u64, as_of: UtcMicros) -> Read {
    read(read_no, as_of, Answer::NotFound)
}

/// A complete list without the connection.
pub(crate) fn not_listed(read_no: u64, as_of: UtcMicros) -> Read {
    read(read_no, as_of, Answer::NotListed)
}

fn read(read_no: u64, as_of: UtcMicros, answer: Answer) -> Read {
    let (app, token) = ("shop".parse().expect("an app name"), "ABCDEFGH12".parse().expect("a token"));
    Read { app, token, read_no, as_of, answer }
}

/// What is known of the connection, and the circumstances of its next read.
#[derive(Debug, Clone)]
pub(crate) struct Life {
    pub(crate) known: Option<Known>,
    pub(crate) schedule: Schedule,
    pub(crate) circumstances: Circumstances,
}

impl Life {
    /// Nothing is known yet; reads are scheduled, nobody hinted, deletions are allowed, first sights are announced.
    pub(crate) fn new() -> Self {
        let circumstances =
            Circumstances { cause: Cause::Schedule, hinted: false, deletions_allowed: true, announce: true };
        Self { known: None, schedule: Schedule::default(), circumstances }
    }

    /// `answer` was read at the start under the number 1.
    pub(crate) fn starting_with(answer: &Value) -> Self {
        let mut life = Self::new();
        life.observe(&found(1, minute(0), answer));
        life
    }

    pub(crate) fn observe(&mut self, read: &Read) -> Transition {
        let transition = observe(self.known.as_ref(), read, self.circumstances, &self.schedule);
        self.known.clone_from(&transition.after);
        transition
    }

    /// Observes a read made for `cause`; a hint or what follows from one is hinted.
    pub(crate) fn observe_because(&mut self, cause: Cause, read: &Read) -> Transition {
        let usual = self.circumstances;
        self.circumstances.cause = cause;
        self.circumstances.hinted = matches!(cause, Cause::Hint | Cause::Lag);
        let transition = self.observe(read);
        self.circumstances = usual;
        transition
    }

    pub(crate) fn known(&self) -> &Known {
        self.known.as_ref().expect("something is known")
    }
}

/// The kinds of a transition's events.
pub(crate) fn kinds(transition: &Transition) -> Vec<EventType> {
    transition.events.iter().map(|event| event.kind).collect()
}

/// When the next look is due and why.
pub(crate) fn next(transition: &Transition) -> (UtcMicros, Cause) {
    let due = transition.due.expect("a next look");
    (due.scheduled_at, due.cause)
}
