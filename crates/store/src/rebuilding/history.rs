//! The reads on record of one connection, and what they make of it.

use connections::{Known, Verdict, rebuild};
use serde_json::{Value, json};

use super::Line;

/// Reads that do not fit, as far as they are named.
const MISFITS_MAX: usize = 5;

/// What the reads so far make of a connection.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub(crate) known: Option<Known>,
    /// Its deletion waits for an operator (R3).
    pub(crate) held: bool,
    /// Reads whose verdict is not the one that the rules come to after those before them, as differences: one before them is
    /// not on record, or not as it was. Only worth telling where the outcome differs.
    pub(crate) misfits: Vec<(String, Value, Value)>,
}

impl History {
    /// Takes the next read.
    pub(crate) fn take(&mut self, line: Line) {
        let recorded = match line.recorded {
            Ok(recorded) => recorded,
            Err(why) => return self.misfit(line.place.read_no, json!("readable"), json!(why)),
        };
        let (known, verdict) = rebuild(self.known.as_ref(), &recorded);
        if verdict != recorded.verdict {
            self.misfit(line.place.read_no, json!(verdict.word()), json!(recorded.verdict.word()));
        }
        self.held = match recorded.verdict {
            Verdict::DeletionHeld => true,
            _ => self.held && known.as_ref().is_some_and(crate::judging::missing),
        };
        self.known = known;
    }

    fn misfit(&mut self, read_no: u64, expected: Value, found: Value) {
        if self.misfits.len() < MISFITS_MAX {
            self.misfits.push((format!("read {read_no}"), expected, found));
        }
    }
}
