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
pub(super) struct SettleOnChannel {
    ackers: Vec<Acker>,
    outstanding: Outstanding,
    number: u64,
    runtime: Handle,
}

impl SettleOnChannel {
    /// `ackers`: in the order of delivery.
    pub(super) fn new(ackers: Vec<Acker>, outstanding: Outstanding) -> Self {
        let number = outstanding.begin();
        Self { ackers, outstanding, number, runtime: Handle::current() }
    }

    async fn ack_each(&self, ackers: &[Acker], multiple: bool) -> Result<(), Stale> {
        for acker in ackers {
            match acker.ack(BasicAckOptions { multiple }).await {
                Ok(true) => {}
                Ok(false) => return Err(Stale("the channel that delivered it is gone".to_owned())),
                Err(error) => return Err(Stale(error.to_string())),
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Settle for SettleOnChannel {
    async fn ack(self: Box<Self>) -> Result<(), Stale> {
        let (ackers, multiple) = if self.outstanding.is_oldest(self.number) {
            (self.ackers.last().map_or(&[] as &[Acker], std::slice::from_ref), true)
        } else {
            (self.ackers.as_slice(), false)
        };
        let settled = tokio::time::timeout(WRITTEN_WITHIN, self.ack_each(ackers, multiple)).await;
        self.outstanding.end(self.number);
        settled.unwrap_or_else(|_| Err(Stale(format!("it was not written within {WRITTEN_WITHIN:?}"))))
    }

    fn give_back(self: Box<Self>) {
        let runtime = self.runtime.clone();
        runtime.spawn(async move {
            for acker in &self.ackers {
                // `reject`, not `nack`: from RabbitMQ 4.3 on only a rejection counts towards the delivery limit. Where the
                // channel is gone, the broker has requeued the message by itself.
                // Without a limit, since nobody waits for it: as long as one may not have gone out the batch stays open, lest
                // a later acknowledgement of "everything up to this tag" takes with it what nobody stored.
                if acker.reject(BasicRejectOptions { requeue: true }).await.is_err() {
                    break;
                }
            }
            self.outstanding.end(self.number);
        });
    }
}
