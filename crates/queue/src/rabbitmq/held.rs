//! What was taken from the broker for the batches to come, in order, and where a batch ends.
//!
//! Promises: a batch keeps to its limits, and what did not fit begins the next one; nothing is lost with a call that was given
//! up half-way, since all of it is kept here.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::{BatchLimits, Content, Delivery};

/// Messages, each with what settles it.
pub(super) struct Held<A> {
    messages: VecDeque<One<A>>,
    /// Of all of them.
    bytes: usize,
}

struct One<A> {
    delivery: Delivery,
    acker: A,
    bytes: usize,
    since: Instant,
}

impl<A> Default for Held<A> {
    fn default() -> Self {
        Self { messages: VecDeque::new(), bytes: 0 }
    }
}

impl<A> Held<A> {
    /// Takes one more.
    pub(super) fn take(&mut self, delivery: Delivery, acker: A) {
        let bytes = match &delivery.content {
            Content::Message(message) => message.size_bytes(),
            Content::TooLarge { webhook, .. } => webhook.body.len(),
            Content::Foreign { bytes, .. } => bytes.len(),
        };
        self.bytes += bytes;
        self.messages.push_back(One { delivery, acker, bytes, since: Instant::now() });
    }

    /// Whether there is nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Whether a batch of these limits has no room for more.
    pub(super) fn fills(&self, limits: &BatchLimits) -> bool {
        self.messages.len() >= limits.count_max || (self.bytes >= limits.bytes_max && !self.is_empty())
    }

    /// How much longer the first of them waits for others; `None` where there is none.
    pub(super) fn remaining(&self, linger: Duration) -> Option<Duration> {
        self.messages.front().map(|first| linger.saturating_sub(first.since.elapsed()))
    }

    /// A batch of these limits: one message at least, where there is any.
    pub(super) fn batch(&mut self, limits: &BatchLimits) -> (Vec<Delivery>, Vec<A>) {
        let (mut deliveries, mut ackers, mut bytes) = (Vec::new(), Vec::new(), 0);
        while let Some(next) = self.messages.pop_front_if(|next| {
            let fits = deliveries.len() < limits.count_max && bytes + next.bytes <= limits.bytes_max;
            fits || deliveries.is_empty()
        }) {
            bytes += next.bytes;
            deliveries.push(next.delivery);
            ackers.push(next.acker);
        }
        self.bytes -= bytes;
        (deliveries, ackers)
    }
}

#[cfg(test)]
mod tests {
    //! Where batches end, by messages that nobody sent.

    use bytes::Bytes;

    use super::*;
    use crate::testing::limits;

    fn held(sizes: &[usize]) -> Held<usize> {
        let mut held = Held::default();
        for (number, &size) in sizes.iter().enumerate() {
            let content = Content::Foreign { bytes: Bytes::from(vec![0; size]), reason: String::new() };
            held.take(Delivery { content, earlier_attempts: 0 }, number);
        }
        held
    }

    #[test]
    fn what_does_not_fit_begins_the_next_batch() {
        let ten = BatchLimits { bytes_max: 10, ..limits(3) };
        let mut held = held(&[4, 4, 4, 11, 1, 1, 1, 1]);
        let mut batches = Vec::new();
        while !held.is_empty() {
            batches.push(held.batch(&ten).1);
        }
        assert_eq!(batches, [vec![0, 1], vec![2], vec![3], vec![4, 5, 6], vec![7]]);
        assert_eq!(held.bytes, 0);
        assert_eq!(held.remaining(Duration::ZERO), None);
    }

    #[test]
    fn a_batch_is_full_by_count_or_by_bytes() {
        let ten = BatchLimits { bytes_max: 10, ..limits(3) };
        let fills = |sizes: &[usize]| held(sizes).fills(&ten);
        assert!(!fills(&[]) && !fills(&[9]) && !fills(&[0, 0]));
        assert!(fills(&[10]) && fills(&[0, 0, 0]) && fills(&[4, 8]));
    }
}
