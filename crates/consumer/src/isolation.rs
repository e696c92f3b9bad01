//! One batch into the store: everything that can be stored is, what cannot is buried, and nothing else is touched by it.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use events::{Receipt, TokenFields, UtcMicros};
use futures_util::FutureExt;
use queue::{Content, Message};
use store::{DeadLetter, DeadLetterReason, Intake, Recorded, StoreError};
use tokio::time::Instant;
use tracing::{error, warn};

use crate::Metrics;
use crate::envelope::letter;
use crate::part::Part;
use crate::patience::{Leave, Patience};
use crate::sorting::{Sorted, part_of};

/// A part that fails so often in a row, with the store writable each time, is divided ...
const PART_FAILURES_MAX: u32 = 3;

/// ... and a single message that does is buried: more often, since that is final.
const MESSAGE_FAILURES_MAX: u32 = 10;

/// What became of the messages of a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Deliveries whose body is new.
    pub new: u64,
    /// Deliveries whose body had been delivered before.
    pub duplicates: u64,
    /// Messages whose receipt had been recorded before.
    pub redelivered: u64,
    /// Marks of the books.
    pub checkpoints: u64,
    /// Messages buried.
    pub dead: u64,
}

/// The clock as it was read when the batch was taken, carried on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taken {
    pub(crate) at: UtcMicros,
    pub(crate) instant: Instant,
}

impl Taken {
    fn now(self) -> UtcMicros {
        self.at.plus(self.instant.elapsed())
    }
}

/// One batch on its way into the store.
pub(crate) struct Storing<'a> {
    intake: &'a dyn Intake,
    metrics: &'a Metrics,
    patience: Patience<'a>,
    taken: Taken,
    letters: Vec<DeadLetter>,
    tally: Tally,
}

enum Attempt {
    Stored(Vec<Recorded>),
    /// By the store, which may have named the message, or by a panic, which did not.
    Refused(Option<Receipt>, String),
}

impl<'a> Storing<'a> {
    pub(crate) fn new(intake: &'a dyn Intake, metrics: &'a Metrics, patience: Patience<'a>, taken: Taken) -> Self {
        Self { intake, metrics, patience, taken, letters: Vec::new(), tally: Tally::default() }
    }

    /// Returns when every message is committed, as what it is or as a dead letter. May be repeated from the start at any time.
    pub(crate) async fn all(mut self, sorted: Sorted, fields: &TokenFields) -> Result<Tally, Leave> {
        self.letters = sorted.letters;
        self.part(Part::Readings(sorted.readings), DeadLetterReason::Culprit).await?;
        self.part(Part::Marks(sorted.marks), DeadLetterReason::Culprit).await?;
        for message in &sorted.alone {
            self.part(part_of(message, fields), DeadLetterReason::Attempts).await?;
        }
        self.bury().await?;
        Ok(self.tally)
    }

    /// Stores a part; what is to blame for its being refused becomes a letter.
    async fn part(&mut self, part: Part, reason: DeadLetterReason) -> Result<(), Leave> {
        let mut waiting = vec![part];
        while let Some(part) = waiting.pop() {
            if part.len() == 0 {
                continue;
            }
            match self.attempt(&part).await? {
                Attempt::Stored(recorded) => self.count(&part, &recorded),
                Attempt::Refused(receipt, why) => {
                    let blamed = part.blame(receipt);
                    waiting.extend(blamed.rest);
                    if let Some(culprit) = blamed.culprit {
                        self.letters.push(letter(&culprit, reason, &why, self.taken.now()));
                    }
                }
            }
        }
        Ok(())
    }

    /// One call of the store, made again for as long as it is away. A store that answers probes and yet fails the same part
    /// again and again is not away: something in the part makes it fail, by a fault of ours. Unless the store says that it is
    /// obstructed, which no message can be blamed for.
    async fn attempt(&mut self, part: &Part) -> Result<Attempt, Leave> {
        let failures_max = if part.len() == 1 { MESSAGE_FAILURES_MAX } else { PART_FAILURES_MAX };
        let mut failures = 0;
        loop {
            let called = AssertUnwindSafe(part.store(self.intake)).catch_unwind().await;
            let attempt = match called {
                Ok(Ok(recorded)) => Attempt::Stored(recorded),
                // Divided it may be, so that what is not in the way gets by; a single message is never buried for it.
                Ok(Err(StoreError::Obstructed(why))) if part.len() == 1 => {
                    self.patience.wait(&why).await?;
                    continue;
                }
                Ok(Err(StoreError::Unavailable(why) | StoreError::Obstructed(why))) => {
                    self.patience.wait(&why).await?;
                    let writable = AssertUnwindSafe(self.intake.probe()).catch_unwind().await;
                    failures = if matches!(writable, Ok(Ok(()))) { failures + 1 } else { 0 };
                    if failures < failures_max {
                        continue;
                    }
                    error!(error = why, messages = part.len(), "the store can be written, but not with these messages");
                    Attempt::Refused(None, why)
                }
                Ok(Err(StoreError::Culprit(receipt, why))) => Attempt::Refused(Some(receipt), why),
                Ok(Err(unfit @ (StoreError::Incompatible(_) | StoreError::Fenced(_)))) => {
                    return Err(Leave::Unfit(unfit.to_string()));
                }
                Err(panic) => {
                    let why = format!("recording it panicked: {}", text(panic.as_ref()));
                    error!(error = why, "a call of the store panicked; looking for the message that is to blame");
                    Attempt::Refused(None, why)
                }
            };
            self.patience.relieve();
            return Ok(attempt);
        }
    }

    async fn bury(&mut self) -> Result<(), Leave> {
        while !self.letters.is_empty() {
            let called = AssertUnwindSafe(self.intake.bury(&self.letters)).catch_unwind().await;
            match called {
                Ok(Ok(())) => {
                    self.patience.relieve();
                    for letter in std::mem::take(&mut self.letters) {
                        self.buried(&letter);
                    }
                }
                Ok(Err(StoreError::Unavailable(why) | StoreError::Obstructed(why))) => self.patience.wait(&why).await?,
                // A letter is made to be storable whatever it says. Where it is not, acknowledging would lose its message.
                Ok(Err(refused)) => return Err(Leave::Unfit(format!("dead letters cannot be kept: {refused}"))),
                Err(panic) => {
                    return Err(Leave::Unfit(format!("keeping dead letters panicked: {}", text(panic.as_ref()))));
                }
            }
        }
        Ok(())
    }

    fn buried(&mut self, letter: &DeadLetter) {
        let receipt = letter.receipt.map_or_else(|| "none".to_owned(), |receipt| receipt.to_string());
        warn!(receipt, reason = letter.reason.word(), detail = letter.detail, "a message became a dead letter");
        self.tally.dead += 1;
        self.metrics.of(letter.app.as_ref()).dead.inc();
    }

    fn count(&mut self, part: &Part, recorded: &[Recorded]) {
        let now = self.taken.now();
        match part {
            Part::Readings(readings) => {
                for (reading, recorded) in readings.iter().zip(recorded) {
                    match recorded {
                        Recorded::New => self.tally.new += 1,
                        Recorded::Duplicate => self.tally.duplicates += 1,
                        Recorded::Redelivered => self.tally.redelivered += 1,
                    }
                    self.metrics.of(Some(&reading.webhook.app)).recorded(*recorded);
                    self.metrics.lag_seconds.observe(now.since(reading.webhook.received_at).as_secs_f64());
                }
            }
            Part::Marks(marks) => {
                self.tally.checkpoints += marks.len() as u64;
                self.metrics.of(None).checkpoint.inc_by(marks.len() as u64);
            }
        }
    }
}

/// The app that a message names, where it names one.
pub(crate) fn app_of(content: &Content) -> Option<&events::AppName> {
    match content {
        Content::Message(Message::Webhook(webhook)) | Content::TooLarge { webhook, .. } => Some(&webhook.app),
        Content::Message(Message::Checkpoint(_)) | Content::Foreign { .. } => None,
    }
}

/// What a panic said.
fn text(panic: &(dyn Any + Send)) -> String {
    let said = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    said.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}
