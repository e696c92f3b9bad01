//! What the lanes report of their connections, and what follows for the whole.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
    /// Its connection could not be opened on what was found as this generation. It tries again while others are up.
    Shut { generation: u64, code: Option<u16>, why: String },
    /// Its connection of this generation was lost.
    Broken { generation: u64, code: Option<u16>, why: String },
}

/// The lanes by number.
pub(super) type Conditions = BTreeMap<u64, Condition>;

/// A lane's voice. When it drops, the lane is no more.
pub(super) struct Reporter {
    lane: u64,
    conditions: watch::Sender<Conditions>,
    is_shut: Arc<AtomicBool>,
}

impl Reporter {
    /// Of the lane with this number, which starts.
    pub(super) fn new(lane: u64, conditions: watch::Sender<Conditions>) -> Self {
        let reporter = Self { lane, conditions, is_shut: Arc::default() };
        reporter.report(Condition::Starting);
        reporter
    }

    /// Whether nothing should be sent to the lane, since it could not open.
    pub(super) fn is_shut(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.is_shut)
    }

    pub(super) fn report(&self, condition: Condition) {
        self.is_shut.store(matches!(condition, Condition::Shut { .. }), Ordering::Relaxed);
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
    /// Those that are up publish; `all`: none is still starting. `shut`: why one could not open, while others are up.
    Up { all: bool, shut: Option<String> },
    /// The broker lets nobody publish.
    Blocked(String),
    /// One of them was lost, or none could be opened: the broker has to be looked for again.
    Broken { code: Option<u16>, why: String },
}

pub(super) fn judge(conditions: &Conditions, generation: u64) -> Verdict {
    let (mut is_up, mut is_starting) = (false, false);
    let (mut blocked, mut shut) = (None, None);
    for condition in conditions.values() {
        match condition {
            Condition::Broken { generation: of, code, why } if *of == generation => {
                return Verdict::Broken { code: *code, why: why.clone() };
            }
            Condition::Shut { generation: of, code, why } if *of == generation => {
                shut = Some((*code, why.clone()));
            }
            Condition::Starting | Condition::Broken { .. } | Condition::Shut { .. } => is_starting = true,
            Condition::Blocked(reason) => blocked = Some(reason.clone()),
            Condition::Up => is_up = true,
        }
    }
    match (blocked, shut) {
        (Some(reason), _) => Verdict::Blocked(reason),
        (None, shut) if is_up => Verdict::Up { all: !is_starting, shut: shut.map(|(_, why)| why) },
        (None, Some((code, why))) if !is_starting => Verdict::Broken { code, why },
        (None, _) => Verdict::Starting,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shut(generation: u64) -> Condition {
        Condition::Shut { generation, code: Some(530), why: "a limit".to_owned() }
    }

    fn broken(generation: u64) -> Condition {
        Condition::Broken { generation, code: None, why: "lost".to_owned() }
    }

    #[test]
    fn a_lane_that_cannot_open_takes_down_none_that_is_up_and_one_that_is_lost_takes_down_all() {
        let up = |all, shut: Option<&str>| Verdict::Up { all, shut: shut.map(str::to_owned) };
        let limit = || Verdict::Broken { code: Some(530), why: "a limit".to_owned() };
        let lost = || Verdict::Broken { code: None, why: "lost".to_owned() };
        for (conditions, verdict) in [
            (vec![Condition::Starting, Condition::Starting], Verdict::Starting),
            (vec![Condition::Up, Condition::Starting], up(false, None)),
            (vec![Condition::Up, shut(2)], up(true, Some("a limit"))),
            (vec![shut(2), Condition::Up, Condition::Starting], up(false, Some("a limit"))),
            (vec![shut(2), Condition::Starting], Verdict::Starting),
            (vec![shut(2), shut(1)], Verdict::Starting),
            (vec![shut(2), shut(2)], limit()),
            (vec![shut(2), broken(2), Condition::Up], lost()),
            (vec![Condition::Up, broken(1)], up(false, None)),
            (vec![Condition::Up, Condition::Blocked("disk".to_owned()), shut(2)], Verdict::Blocked("disk".to_owned())),
        ] {
            let lanes = (0..).zip(conditions.clone()).collect();
            assert_eq!(judge(&lanes, 2), verdict, "{conditions:?}");
        }
    }
}
