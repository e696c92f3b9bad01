//! What the lanes report of their connections, and what follows for the whole.

use std::collections::BTreeMap;

use tokio::sync::watch;

/// How a lane is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    /// It has no connection yet.
    Starting,
    /// It publishes.
    Up,
    /// The broker lets nobody publish; says why.
    Blocked(String),
    /// Its connection of this generation could not be opened, or was lost.
    Broken { generation: u64, code: Option<u16>, why: String },
}

/// The lanes by number.
pub(super) type Conditions = BTreeMap<u64, Condition>;

/// A lane's voice. When it drops, the lane is no more.
pub(super) struct Reporter {
    lane: u64,
    conditions: watch::Sender<Conditions>,
}

impl Reporter {
    /// Of the lane with this number, which starts.
    pub(super) fn new(lane: u64, conditions: watch::Sender<Conditions>) -> Self {
        let reporter = Self { lane, conditions };
        reporter.report(Condition::Starting);
        reporter
    }

    pub(super) fn report(&self, condition: Condition) {
        self.conditions.send_modify(|conditions| {
            conditions.insert(self.lane, condition);
        });
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        self.conditions.send_modify(|conditions| {
            conditions.remove(&self.lane);
        });
    }
}

/// What the lanes are together, on the connections of one generation.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// None is up yet.
    Starting,
    /// Those that are up publish; `all`: none is missing.
    Up { all: bool },
    /// The broker lets nobody publish.
    Blocked(String),
    /// One of them was lost: the broker has to be looked for again.
    Broken { code: Option<u16>, why: String },
}

pub(super) fn judge(conditions: &Conditions, generation: u64) -> Verdict {
    let mut verdict = Verdict::Starting;
    let mut all = true;
    for condition in conditions.values() {
        match condition {
            Condition::Broken { generation: broken, code, why } if *broken == generation => {
                return Verdict::Broken { code: *code, why: why.clone() };
            }
            Condition::Starting | Condition::Broken { .. } => all = false,
            Condition::Blocked(reason) => verdict = Verdict::Blocked(reason.clone()),
            Condition::Up => {
                if verdict == Verdict::Starting {
                    verdict = Verdict::Up { all: true };
                }
            }
        }
    }
    match verdict {
        Verdict::Up { .. } => Verdict::Up { all },
        other => other,
    }
}
