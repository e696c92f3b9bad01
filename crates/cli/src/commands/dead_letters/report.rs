//! What would be done to dead letters, or was.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;
use store::DeadLetterRow;

use crate::commands::{finish, stdout};
use crate::exit::Failure;
use crate::output;

/// Letters shown as a sample.
const SAMPLES_MAX: usize = 5;

/// Letters that stay, as far as people are told of each.
const LEFT_SHOWN_MAX: usize = 20;

/// The answer of `redrive` and `discard`.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// `redrive` or `discard`.
    action: &'static str,
    /// False: nothing was changed.
    pub(super) done: bool,
    /// Letters that were selected.
    selected: usize,
    /// Letters that it was done to, or would be.
    pub(super) letters: u64,
    /// The same by reason.
    by_reason: BTreeMap<String, u64>,
    /// The oldest of them, without their envelopes, which may hold a signature.
    samples: Vec<DeadLetterRow>,
    /// Letters that it cannot be done to.
    pub(super) left: Vec<Left>,
    /// Letters that are there again: the store could not take their messages this time either.
    pub(super) buried_again: u64,
    /// Why it ended before all was done.
    pub(super) stopped: Option<String>,
}

/// A letter that stays, and why.
#[derive(Debug, Serialize)]
pub(super) struct Left {
    pub(super) id: i64,
    pub(super) why: String,
}

impl Report {
    pub(super) fn new(action: &'static str, done: bool, selected: usize) -> Self {
        Self {
            action,
            done,
            selected,
            letters: 0,
            by_reason: BTreeMap::new(),
            samples: Vec::new(),
            left: Vec::new(),
            buried_again: 0,
            stopped: None,
        }
    }

    /// Counts a letter that it is done to.
    pub(super) fn take(&mut self, reason: &str) {
        self.letters += 1;
        *self.by_reason.entry(reason.to_owned()).or_insert(0) += 1;
    }

    /// Whether another sample is wanted.
    pub(super) fn wants_sample(&self) -> bool {
        self.samples.len() < SAMPLES_MAX
    }

    /// Keeps a letter as a sample, while there is room.
    pub(super) fn sample(&mut self, letter: DeadLetterRow) {
        if self.wants_sample() {
            self.samples.push(DeadLetterRow { envelope: Value::Null, ..letter });
        }
    }

    pub(super) fn leave(&mut self, id: i64, why: &impl ToString) {
        self.left.push(Left { id, why: why.to_string() });
    }

    /// Prints it; `verdict` says it in a sentence, `after` what follows from it. An error where it ended early.
    pub(super) fn print(&self, json: bool, verdict: &str, after: &str) -> Result<(), Failure> {
        let mut out = stdout();
        if json {
            output::json(&mut out, self)?;
        } else {
            self.tell(&mut out, verdict, after)?;
        }
        finish(out)?;
        match &self.stopped {
            None => Ok(()),
            Some(why) => Err(anyhow::anyhow!("it ended early, the other letters stay as they are: {why}").into()),
        }
    }

    fn tell(&self, out: &mut impl Write, verdict: &str, after: &str) -> io::Result<()> {
        if self.selected == 0 {
            return writeln!(out, "No dead letter fits.");
        }
        let reasons: Vec<String> = self.by_reason.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
        let reasons = if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join(", ")) };
        writeln!(out, "{} of {} selected dead letters {verdict}{reasons}.", self.letters, self.selected)?;
        output::table(out, &self.samples)?;
        let more = self.letters.saturating_sub(self.samples.len() as u64);
        if more > 0 {
            writeln!(out, "and {more} more")?;
        }
        if self.buried_again > 0 {
            writeln!(out, "{} of them became dead letters again at once.", self.buried_again)?;
        }
        if !self.left.is_empty() {
            writeln!(out, "{} cannot be published and stay:", self.left.len())?;
        }
        for Left { id, why } in self.left.iter().take(LEFT_SHOWN_MAX) {
            writeln!(out, "  {id}: {}", output::clean(why))?;
        }
        if self.left.len() > LEFT_SHOWN_MAX {
            writeln!(out, "  and {} more; --json names them all", self.left.len() - LEFT_SHOWN_MAX)?;
        }
        if !after.is_empty() && self.letters > 0 {
            writeln!(out, "{after}")?;
        }
        if !self.done {
            writeln!(out, "Nothing was changed: --yes does it.")?;
        }
        Ok(())
    }
}
