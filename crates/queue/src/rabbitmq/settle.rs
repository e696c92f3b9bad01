//! How a batch ends: one acknowledgement for all of it where that is safe, a rejection of each where it failed.
//!
//! Only through lapin's own ackers: a bare tag kept over a reconnection could acknowledge another message.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use lapin::Acker;
use lapin::options::{BasicAckOptions, BasicRejectOptions};
use tokio::runtime::Handle;

use crate::{Settle, Stale};

/// An acknowledgement that lapin has not written by then is given up: with a connection that ends just then it may wait for
/// ever, and the consumer with it. The broker delivers again what it did not hear of.
const WRITTEN_WITHIN: Duration = Duration::from_secs(5);

/// What one delivery is answered with. Each call ends once the answer is written.
#[async_trait]
pub(super) trait Answer: Send + Sync {
    /// The message, or with `multiple` every message up to it, may be forgotten.
    async fn ack(&self, multiple: bool) -> Result<(), Stale>;

    /// The message is to be delivered again, and this attempt counts.
    async fn reject(&self) -> Result<(), Stale>;
}

#[async_trait]
impl Answer for Acker {
    async fn ack(&self, multiple: bool) -> Result<(), Stale> {
        written(Self::ack(self, BasicAckOptions { multiple }).await)
    }

    async fn reject(&self) -> Result<(), Stale> {
        // `reject`, not `nack`: from RabbitMQ 4.3 on only a rejection counts towards the delivery limit.
        written(Self::reject(self, BasicRejectOptions { requeue: true }).await)
    }
}

fn written(answered: lapin::Result<bool>) -> Result<(), Stale> {
    match answered {
        Ok(true) => Ok(()),
        Ok(false) => Err(Stale("the channel that delivered it is gone".to_owned())),
        Err(error) => Err(Stale(error.to_string())),
    }
}

/// The batches of one channel that are not settled yet, by the order in which they were taken.
#[derive(Debug, Clone, Default)]
pub(super) struct Outstanding(Arc<Mutex<Numbers>>);

#[derive(Debug, Default)]
struct Numbers {
    next: u64,
    open: BTreeSet<u64>,
}

impl Outstanding {
    fn begin(&self) -> u64 {
        let mut numbers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = numbers.next;
        numbers.next += 1;
        numbers.open.insert(number);
        number
    }

    fn end(&self, number: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).open.remove(&number);
    }

    /// Whether no earlier batch is still open: "everything up to this tag" would settle that one too.
    fn is_oldest(&self, number: u64) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).open.first() == Some(&number)
    }
}

/// Settles the messages of one batch on the channel that they came from.
pub(super) struct SettleOnChannel<A> {
    answers: Vec<A>,
    outstanding: Outstanding,
    number: u64,
    runtime: Handle,
}

impl<A: Answer> SettleOnChannel<A> {
    /// `answers`: in the order of delivery.
    pub(super) fn new(answers: Vec<A>, outstanding: Outstanding) -> Self {
        let number = outstanding.begin();
        Self { answers, outstanding, number, runtime: Handle::current() }
    }

    async fn ack_all(&self) -> Result<(), Stale> {
        if self.outstanding.is_oldest(self.number) {
            return match self.answers.last() {
                Some(last) => last.ack(true).await,
                None => Ok(()),
            };
        }
        for answer in &self.answers {
            answer.ack(false).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl<A: Answer + 'static> Settle for SettleOnChannel<A> {
    async fn ack(self: Box<Self>) -> Result<(), Stale> {
        let settled = tokio::time::timeout(WRITTEN_WITHIN, self.ack_all()).await;
        self.outstanding.end(self.number);
        settled.unwrap_or_else(|_| Err(Stale(format!("it was not written within {WRITTEN_WITHIN:?}"))))
    }

    fn give_back(self: Box<Self>) {
        let runtime = self.runtime.clone();
        runtime.spawn(async move {
            // Without a limit, since nobody waits for it: as long as one may not have gone out the batch stays open, lest a
            // later acknowledgement of "everything up to this tag" takes with it what nobody stored.
            for answer in &self.answers {
                // Where the channel is gone, the broker has requeued the message by itself.
                if answer.reject().await.is_err() {
                    break;
                }
            }
            self.outstanding.end(self.number);
        });
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::Semaphore;

    use super::*;

    /// What was written on a channel, which writes nothing more once its permits are used up.
    struct Channel {
        written: Mutex<Vec<String>>,
        permits: Semaphore,
    }

    impl Channel {
        fn that_writes(writes: usize) -> Arc<Self> {
            Arc::new(Self { written: Mutex::default(), permits: Semaphore::new(writes) })
        }

        async fn write(&self, frame: String) -> Result<(), Stale> {
            self.permits.acquire().await.map_err(|_| Stale("the channel is gone".to_owned()))?.forget();
            self.written.lock().unwrap().push(frame);
            Ok(())
        }

        fn written(&self) -> Vec<String> {
            self.written.lock().unwrap().clone()
        }
    }

    struct Tag(u64, Arc<Channel>);

    #[async_trait]
    impl Answer for Tag {
        async fn ack(&self, multiple: bool) -> Result<(), Stale> {
            self.1.write(format!("ack {}{}", self.0, if multiple { " and before" } else { "" })).await
        }

        async fn reject(&self) -> Result<(), Stale> {
            self.1.write(format!("reject {}", self.0)).await
        }
    }

    fn batch(channel: &Arc<Channel>, outstanding: &Outstanding, tags: &[u64]) -> SettleOnChannel<Tag> {
        let answers = tags.iter().map(|tag| Tag(*tag, Arc::clone(channel))).collect();
        SettleOnChannel::new(answers, outstanding.clone())
    }

    #[tokio::test(start_paused = true)]
    async fn an_acknowledgement_that_is_never_written_is_given_up() {
        let (channel, outstanding) = (Channel::that_writes(0), Outstanding::default());
        let Err(Stale(why)) = Box::new(batch(&channel, &outstanding, &[1, 2])).ack().await else {
            panic!("it was not written")
        };
        assert_eq!(why, "it was not written within 5s");
        channel.permits.add_permits(1);
        Box::new(batch(&channel, &outstanding, &[3])).ack().await.unwrap();
        // What the first one holds is stored: the second may take it along.
        assert_eq!(channel.written(), ["ack 3 and before"]);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_that_is_still_to_be_given_back_is_acknowledged_by_a_later_batch() {
        let (channel, outstanding) = (Channel::that_writes(1), Outstanding::default());
        let [first, second, third] =
            [[1, 2], [3, 4], [5, 6]].map(|tags| Box::new(batch(&channel, &outstanding, &tags)));
        first.give_back();
        // Far longer than anything else here takes; the second rejection is still on its way.
        tokio::time::sleep(WRITTEN_WITHIN * 100).await;
        assert_eq!(channel.written(), ["reject 1"]);
        let acknowledging = tokio::spawn(second.ack());
        channel.permits.add_permits(3);
        acknowledging.await.unwrap().unwrap();
        // The last rejection goes out beside it.
        channel.permits.add_permits(1);
        third.ack().await.unwrap();
        let written = channel.written().into_iter().collect::<BTreeSet<_>>();
        let expected = ["reject 1", "reject 2", "ack 3", "ack 4", "ack 6 and before"].map(str::to_owned);
        assert_eq!(written, BTreeSet::from(expected));
    }

    #[tokio::test(start_paused = true)]
    async fn on_a_channel_that_is_gone_nothing_waits() {
        let (channel, outstanding) = (Channel::that_writes(0), Outstanding::default());
        let [first, second] = [[1, 2], [3, 4]].map(|tags| Box::new(batch(&channel, &outstanding, &tags)));
        channel.permits.close();
        first.give_back();
        assert_eq!(second.ack().await, Err(Stale("the channel is gone".to_owned())));
        assert_eq!(channel.written(), [] as [&str; 0]);
    }
}
