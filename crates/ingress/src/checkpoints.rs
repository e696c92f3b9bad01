//! Leaves marks in the books (R8): one at the start, one every so often, one at the end.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use events::UtcMicros;
use queue::{Message, PublishError, Publisher};

use crate::books::{Books, RANGES_PER_MARK_MAX};

/// However often marks are asked for, they leave room for webhooks.
const APART_MIN: Duration = Duration::from_millis(1);

/// Whoever leaves the marks.
pub(crate) struct Checkpoints {
    pub(crate) books: Arc<Books>,
    pub(crate) publisher: Publisher,
    pub(crate) every: Duration,
    pub(crate) publish_timeout: Duration,
}

impl Checkpoints {
    /// Leaves one now and then, until it is dropped.
    pub(crate) async fn run(&self) -> Infallible {
        loop {
            self.leave(UtcMicros::now(), false).await;
            tokio::time::sleep(self.every.max(APART_MIN)).await;
        }
    }

    /// Leaves a mark, and more where the refused ranges do not fit into one. What cannot be published waits for the next.
    pub(crate) async fn leave(&self, now: UtcMicros, last: bool) {
        loop {
            let mark = self.books.mark(now, last);
            let publish = self.publisher.publish(Message::Checkpoint(mark.clone()));
            let published = tokio::time::timeout(self.publish_timeout, publish)
                .await
                .unwrap_or_else(|_| Err(PublishError::OutcomeUnknown("it takes too long".to_owned())));
            if let Err(error) = published {
                tracing::warn!(%error, last, "no checkpoint left; the next one says the same and more");
                return;
            }
            self.books.published(&mark);
            if mark.refused.len() < RANGES_PER_MARK_MAX {
                return;
            }
        }
    }
}
