//! What was published and not confirmed, by delivery tag, and who waits for it.
//!
//! Tags are dealt out here in the order in which the frames are written; the broker counts the same way. Dropped, everyone
//! who still waits learns that the outcome is unknown.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Broken;
use crate::PublishError;
use crate::rabbitmq::in_flight::Permit;
use crate::rabbitmq::lane::{Confirmed, Reply};

/// One message on its way.
struct Publish {
    /// `None` where the caller was told that nothing is known.
    reply: Option<Reply>,
    /// It takes its room until it is settled, whether anyone waits or not.
    _permit: Permit,
    sent_at: Instant,
    returned: bool,
}

/// What the broker says of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Ack,
    Nack,
}

pub(super) struct Unconfirmed {
    /// The tag of the first of `publishes`.
    first: u64,
    /// `None` where it is settled and one before it is not.
    publishes: VecDeque<Option<Publish>>,
}

impl Unconfirmed {
    pub(super) fn new() -> Self {
        Self { first: 1, publishes: VecDeque::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.publishes.len()
    }

    /// The tag of the next message.
    pub(super) fn next_tag(&self) -> u64 {
        self.first + self.publishes.len() as u64
    }

    /// The message with [`Unconfirmed::next_tag`] is on its way.
    pub(super) fn push(&mut self, reply: Reply, permit: Permit, now: Instant) {
        self.publishes.push_back(Some(Publish { reply: Some(reply), _permit: permit, sent_at: now, returned: false }));
    }

    /// The broker could not route the message; its verdict follows.
    pub(super) fn returned(&mut self, tag: u64) -> Result<(), Broken> {
        let publish = self.at(tag).and_then(Option::as_mut);
        publish.ok_or_else(|| Broken::because("it returns a message that it was not sent"))?.returned = true;
        Ok(())
    }

    /// Answers who waits for `tag`; with `multiple` for it and everything before it. That AMQP lets 0
    /// stand for all there is nobody makes use of, so it is taken for an error.
    pub(super) fn settle(&mut self, tag: u64, multiple: bool, verdict: Verdict) -> Result<(), Broken> {
        if tag == 0 || tag >= self.next_tag() || (!multiple && tag < self.first) {
            return Err(Broken::because(format!("it confirms {tag}, which is not on its way")));
        }
        if multiple {
            while self.first <= tag {
                if let Some(publish) = self.publishes.pop_front().flatten() {
                    publish.answer(verdict);
                }
                self.first += 1;
            }
        } else {
            let publish = self.at(tag).and_then(Option::take);
            publish.ok_or_else(|| Broken::because(format!("it confirms {tag} twice")))?.answer(verdict);
        }
        while let Some(None) = self.publishes.front() {
            self.publishes.pop_front();
            self.first += 1;
        }
        Ok(())
    }

    /// When the first was sent that has no verdict.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.publishes.front().and_then(Option::as_ref).map(|publish| publish.sent_at)
    }

    /// Tells whoever waits for longer than `after` that nothing is known. The verdict may still come.
    pub(super) fn give_up(&mut self, now: Instant, after: Duration, why: &str) {
        let old = |publish: &&mut Publish| now.saturating_duration_since(publish.sent_at) > after;
        for publish in self.publishes.iter_mut().flatten().take_while(old) {
            if let Some(reply) = publish.reply.take() {
                // A caller that went away wants no answer.
                drop(reply.send(Err(PublishError::OutcomeUnknown(why.to_owned()))));
            }
        }
    }

    /// Tells everyone who waits that nothing is known.
    pub(super) fn abandon(self, why: &str) {
        for reply in self.publishes.into_iter().flatten().filter_map(|publish| publish.reply) {
            // A caller that went away wants no answer.
            drop(reply.send(Err(PublishError::OutcomeUnknown(format!("the channel to the broker is lost: {why}")))));
        }
    }

    /// Whether anyone waits.
    pub(super) fn is_awaited(&self) -> bool {
        self.publishes.iter().flatten().any(|publish| publish.reply.is_some())
    }

    fn at(&mut self, tag: u64) -> Option<&mut Option<Publish>> {
        self.publishes.get_mut(usize::try_from(tag.checked_sub(self.first)?).ok()?)
    }
}

impl Publish {
    fn answer(self, verdict: Verdict) {
        let Some(reply) = self.reply else { return };
        let answer = match verdict {
            Verdict::Ack if self.returned => Ok(Confirmed::Unrouted),
            Verdict::Ack => Ok(Confirmed::Stored),
            Verdict::Nack => {
                Err(PublishError::Full("the broker refused the message: its queue is full or has no leader".to_owned()))
            }
        };
        // A caller that went away wants no answer.
        drop(reply.send(answer));
    }
}
