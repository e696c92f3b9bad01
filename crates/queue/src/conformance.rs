//! What every engine of the queue must do, as scenarios over its two ends alone.
//!
//! [`queue_conformance_tests!`](crate::queue_conformance_tests) makes a test of each; an engine brings an [`Engine`], which
//! opens empty queues. Not here: what only one engine can show (files, connections, limits), nor what happens while it is away.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "this is test code, in a library to be shared"
)]

pub mod batches;
pub mod publishing;
pub mod settling;

use std::time::Duration;

use async_trait::async_trait;

use crate::testing::{limits, numbers, webhook};
use crate::{Batch, BatchLimits, Publisher, Subscription};

/// Nothing that must come takes longer, however busy the machine is.
const PATIENCE: Duration = Duration::from_mins(1);

/// An engine under test.
#[async_trait]
pub trait Engine: Send + Sync {
    /// Opens an empty queue that nobody else uses, and waits until messages can be published.
    async fn open(&self) -> Box<dyn Queue>;
}

/// A queue that is open.
#[async_trait]
pub trait Queue: Send + Sync {
    /// A way in.
    fn publisher(&self) -> Publisher;

    /// A way out.
    fn subscribe(&self) -> Subscription;

    /// The queue as it is found after everything that used it was cut off from it at once.
    async fn cut_off(self: Box<Self>) -> Box<dyn Queue>;
}

/// A `#[tokio::test]` for each scenario, on the engine that the expression makes.
#[macro_export]
macro_rules! queue_conformance_tests {
    ($engine:expr) => {
        $crate::queue_conformance_tests! { @each $engine;
            publishing::messages_come_out_as_they_went_in_and_in_order,
            publishing::what_was_published_is_there_after_everyone_was_cut_off,
            publishing::what_many_publish_at_once_comes_out_once,
            batches::a_batch_holds_as_many_messages_as_it_may,
            batches::a_batch_holds_as_many_bytes_as_it_may_and_one_that_is_too_large_goes_alone,
            batches::a_full_batch_is_handed_out_at_once_and_another_after_the_linger,
            batches::a_waiting_subscription_is_woken_by_a_publish,
            batches::subscriptions_never_share_a_message,
            batches::a_call_given_up_half_way_loses_nothing_and_counts_no_attempt,
            settling::a_dropped_batch_comes_back_with_its_attempt_counted,
            settling::an_acknowledged_batch_never_comes_back,
            settling::batches_are_settled_each_by_itself_in_any_order,
            settling::a_batch_that_is_out_when_all_are_cut_off_comes_again_and_its_acknowledgement_is_stale,
        }
    };
    (@each $engine:expr; $($area:ident::$scenario:ident),* $(,)?) => {
        $(
            #[::tokio::test(flavor = "multi_thread")]
            async fn $scenario() {
                $crate::conformance::$area::$scenario(&$engine).await;
            }
        )*
    };
}

async fn publish(queue: &dyn Queue, numbers: impl IntoIterator<Item = u64>) {
    let publisher = queue.publisher();
    for number in numbers {
        publisher.publish(webhook(number)).await.unwrap();
    }
}

/// The next batch, which must come.
async fn next(subscription: &mut Subscription, limits: &BatchLimits) -> Batch {
    let batch = tokio::time::timeout(PATIENCE, subscription.next_batch(limits)).await;
    batch.expect("a batch comes").expect("the queue is open")
}

/// Takes and acknowledges until so many messages came; their numbers and earlier attempts.
async fn take_all(subscription: &mut Subscription, count: usize) -> Vec<(u64, u32)> {
    let mut taken = Vec::new();
    while taken.len() < count {
        let batch = next(subscription, &limits(100)).await;
        taken.extend(numbers(&batch));
        batch.ack().await.unwrap();
    }
    taken
}

/// Batches of so many messages, which are waited for.
fn whole(count_max: usize) -> BatchLimits {
    BatchLimits { linger: PATIENCE, ..limits(count_max) }
}
