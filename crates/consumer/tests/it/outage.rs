//! The store is away, hangs or does not fit; the consumer is told to stop in the middle of it. The clock is made up.

use std::sync::Arc;
use std::time::Duration;

use consumer::{Error, Settings, Step};
use store::StoreError;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::fakes::{Queue, Settled, Store, consumer, counted, deliveries};

#[tokio::test(start_paused = true)]
async fn a_short_outage_costs_a_wait_and_no_message() {
    let store = Arc::<Store>::default();
    store.fails(3);
    let (queue, subscription) = Queue::new(false);
    queue.holds(deliveries(5).1);
    let (mut consumer, registry) = consumer(subscription, &store, Settings::default());

    assert_eq!(consumer.step().await, Step::Taken(5));
    let Step::Stored(tally) = consumer.step().await else { panic!("expected the batch to be stored") };

    assert_eq!(tally.new, 5);
    assert_eq!(store.state.lock().unwrap().calls, [5; 4]);
    assert_eq!((queue.settled(), counted(&registry, "given_back")), (vec![Settled::Acked(0)], 0));
}

#[tokio::test(start_paused = true)]
async fn while_a_batch_is_held_no_other_is_taken() {
    let store = Arc::<Store>::default();
    store.fails(10);
    let (queue, subscription) = Queue::new(false);
    queue.holds(deliveries(1).1);
    let (mut consumer, _) = consumer(subscription, &store, Settings::default());
    assert_eq!(consumer.step().await, Step::Taken(1));
    while store.state.lock().unwrap().calls.is_empty() {
        tokio::task::yield_now().await;
    }
    queue.holds(deliveries(1).1);

    assert!(matches!(consumer.step().await, Step::Stored(_)), "the one that was held, and not the next one taken");
    assert_eq!(store.state.lock().unwrap().calls.len(), 11);
    assert_eq!(consumer.step().await, Step::Taken(1));
}

#[tokio::test(start_paused = true)]
async fn a_long_outage_gives_the_batch_back_after_ten_minutes_and_probes_before_the_next() {
    let store = Arc::<Store>::default();
    store.fails(100_000);
    let (queue, subscription) = Queue::new(false);
    queue.holds(deliveries(3).1);
    let (mut consumer, registry) = consumer(subscription, &store, Settings::default());
    let begin = Instant::now();

    assert_eq!(consumer.step().await, Step::Taken(3));
    assert_eq!(consumer.step().await, Step::GivenBack(3));

    let held = begin.elapsed();
    assert!((600..601).contains(&held.as_secs()), "held for {held:?}");
    let tries = store.state.lock().unwrap().calls.len();
    assert!((120..300).contains(&tries), "{tries} tries: up to 5 s apart, with jitter");
    assert_eq!((queue.settled(), counted(&registry, "given_back")), (vec![Settled::GivenBack(0)], 3));

    queue.holds(deliveries(3).1);
    for _ in 0..5 {
        assert_eq!(consumer.step().await, Step::Probed { writable: false });
    }
    store.state.lock().unwrap().errors.clear();
    assert_eq!(consumer.step().await, Step::Probed { writable: true });
    assert_eq!(consumer.step().await, Step::Taken(3));
    assert!(matches!(consumer.step().await, Step::Stored(_)));
    assert_eq!(queue.settled(), [Settled::GivenBack(0), Settled::Acked(1)]);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_fit_ends_the_consumer_and_leaves_the_messages_in_the_queue() {
    let store = Arc::<Store>::default();
    store.state.lock().unwrap().errors.push_back(StoreError::Incompatible("schema 9, known are 1 to 3".to_owned()));
    let (queue, subscription) = Queue::new(false);
    queue.holds(deliveries(3).1);
    let (consumer, _) = consumer(subscription, &store, Settings::default());

    let Err(Error::Unfit(why)) = consumer.run(CancellationToken::new()).await else { panic!("expected it to fail") };

    assert!(why.contains("schema 9"), "{why}");
    assert_eq!(queue.settled(), [Settled::GivenBack(0)]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_while_the_store_is_away_gives_back_at_once() {
    let store = Arc::<Store>::default();
    store.fails(100_000);
    let (queue, subscription) = Queue::new(false);
    queue.holds(deliveries(3).1);
    let (consumer, _) = consumer(subscription, &store, Settings::default());
    let stop = CancellationToken::new();
    let begin = Instant::now();
    let running = tokio::spawn(consumer.run(stop.clone()));
    while store.state.lock().unwrap().calls.len() < 3 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    stop.cancel();

    assert_eq!(running.await.unwrap(), Ok(()));
    assert_eq!(queue.settled(), [Settled::GivenBack(0)]);
    assert!(begin.elapsed() < Duration::from_mins(1), "it did not wait for the store");
}

#[tokio::test]
async fn a_stop_in_the_middle_of_batches_finishes_them() {
    let (store, gate) = Store::gated();
    let (queue, subscription) = Queue::new(false);
    queue.holds(deliveries(3).1);
    queue.holds(deliveries(4).1);
    let (mut consumer, _) = consumer(subscription, &store, Settings::default());
    assert_eq!(consumer.step().await, Step::Taken(3));
    assert_eq!(consumer.step().await, Step::Taken(4), "the next is taken while the one before is being committed");
    let stop = CancellationToken::new();
    stop.cancel();
    let running = tokio::spawn(consumer.run(stop));

    gate.add_permits(2);

    assert_eq!(running.await.unwrap(), Ok(()));
    assert_eq!(queue.settled(), [Settled::Acked(0), Settled::Acked(1)], "in the order of taking");
    assert_eq!(store.state.lock().unwrap().receipts.len(), 7);
}

#[tokio::test]
async fn no_more_batches_are_in_flight_than_the_setting_says() {
    let (store, gate) = Store::gated();
    let (queue, subscription) = Queue::new(false);
    for _ in 0..5 {
        queue.holds(deliveries(1).1);
    }
    let settings = Settings { batches_in_flight_max: 3, ..Settings::default() };
    let (mut consumer, _) = consumer(subscription, &store, settings);
    for _ in 0..3 {
        assert_eq!(consumer.step().await, Step::Taken(1));
    }
    gate.add_permits(1);

    assert!(matches!(consumer.step().await, Step::Stored(_)));
    assert_eq!(consumer.step().await, Step::Taken(1));
}

#[tokio::test(start_paused = true)]
async fn the_next_batch_is_taken_while_the_one_before_is_acknowledged() {
    let store = Arc::<Store>::default();
    let (queue, subscription) = Queue::that_acks_after(2);
    queue.holds(deliveries(1).1);
    let settings = Settings { batches_in_flight_max: 1, ..Settings::default() };
    let (mut consumer, _) = consumer(subscription, &store, settings);
    assert_eq!(consumer.step().await, Step::Taken(1));

    // The acknowledgement is not answered before the queue was asked for the next batch.
    let stored = tokio::time::timeout(Duration::from_mins(1), consumer.step()).await;
    assert!(matches!(stored, Ok(Step::Stored(_))), "{stored:?}");

    queue.holds(deliveries(1).1);
    assert_eq!(consumer.step().await, Step::Taken(1));
}

#[tokio::test]
async fn the_end_of_the_queue_ends_the_consumer_after_its_last_batch() {
    let store = Arc::<Store>::default();
    let (queue, subscription) = Queue::new(false);
    queue.holds(deliveries(2).1);
    let settled = queue.settled.clone();
    drop(queue);
    let (consumer, _) = consumer(subscription, &store, Settings::default());

    assert_eq!(consumer.run(CancellationToken::new()).await, Ok(()));
    assert_eq!(*settled.lock().unwrap(), [Settled::Acked(0)]);
}
