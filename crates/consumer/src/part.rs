//! A part of a batch: what goes to the store in one call, and how a part that was refused falls into smaller ones.

use events::{Checkpoint, Receipt};
use queue::{Content, Message};
use store::{Intake, Reading, Recorded, StoreError};

/// What goes to the store in one call, and so in one transaction.
#[derive(Debug)]
pub(crate) enum Part {
    Readings(Vec<Reading>),
    Marks(Vec<Checkpoint>),
}

/// What a refused part falls into.
pub(crate) struct Blamed {
    /// The message that the store cannot take, where it is known.
    pub(crate) culprit: Option<Content>,
    /// The others, to be tried again.
    pub(crate) rest: Vec<Part>,
}

impl Part {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Readings(readings) => readings.len(),
            Self::Marks(marks) => marks.len(),
        }
    }

    pub(crate) async fn store(&self, intake: &dyn Intake) -> Result<Vec<Recorded>, StoreError> {
        match self {
            Self::Readings(readings) => intake.record(readings).await,
            Self::Marks(marks) => intake.mark(marks).await.map(|()| Vec::new()),
        }
    }

    /// Takes the one out that the store named, or the only one there is; the rest in halves, so that many culprits in one
    /// batch cost calls in the order of `n log n` rows, and a culprit that is not named is found at all.
    pub(crate) fn blame(self, receipt: Option<Receipt>) -> Blamed {
        match self {
            Self::Readings(mut readings) => {
                let named = receipt.and_then(|r| readings.iter().position(|reading| reading.webhook.receipt == r));
                let at = if readings.len() == 1 { Some(0) } else { named };
                let culprit = at.map(|at| Content::Message(Message::Webhook(readings.swap_remove(at).webhook)));
                Blamed { culprit, rest: halves(readings).into_iter().map(Self::Readings).collect() }
            }
            Self::Marks(mut marks) => {
                let culprit = if marks.len() == 1 { marks.pop() } else { None };
                let culprit = culprit.map(|mark| Content::Message(Message::Checkpoint(mark)));
                Blamed { culprit, rest: halves(marks).into_iter().map(Self::Marks).collect() }
            }
        }
    }
}

fn halves<T>(mut items: Vec<T>) -> [Vec<T>; 2] {
    let second = items.split_off(items.len() / 2);
    [items, second]
}
