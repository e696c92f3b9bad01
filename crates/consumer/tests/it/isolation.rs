//! One bad message stops nothing, and what is buried is named.

use std::sync::Arc;

use bytes::Bytes;
use consumer::{Settings, Step, Tally};
use events::Checkpoint;
use queue::{Content, Delivery, Message};
use store::DeadLetterReason;
use uuid::Uuid;

use crate::fakes::{Queue, Settled, Store, consumer, counted, deliveries, delivery, webhook};

async fn tally_of(deliveries: Vec<Delivery>, store: &Arc<Store>) -> Tally {
    let (queue, subscription) = Queue::new(false);
    let count = deliveries.len();
    queue.holds(deliveries);
    let (mut consumer, _) = consumer(subscription, store, Settings::default());
    assert_eq!(consumer.step().await, Step::Taken(count));
    let Step::Stored(tally) = consumer.step().await else { panic!("expected the batch to be stored") };
    assert_eq!(queue.settled(), [Settled::Acked(0)]);
    tally
}

#[tokio::test]
async fn a_batch_is_one_call_and_then_acknowledged() {
    let store = Arc::<Store>::default();
    let (webhooks, mut deliveries) = deliveries(10);
    deliveries.push(delivery(&webhook(r#"{"connectionToken":"CONN000003"}"#), 0));
    deliveries.push(delivery(&webhooks[4], 1));
    let mark = Checkpoint {
        instance: Uuid::nil(),
        started_at: events::UtcMicros(0),
        at: events::UtcMicros(5_000_000),
        decided_through: 11,
        refused: Vec::new(),
        last: false,
    };
    deliveries.push(Delivery { content: Content::Message(Message::Checkpoint(mark.clone())), earlier_attempts: 0 });

    let tally = tally_of(deliveries, &store).await;

    assert_eq!(tally, Tally { new: 10, duplicates: 1, redelivered: 1, checkpoints: 1, dead: 0 });
    let state = store.state.lock().unwrap();
    assert_eq!((state.calls.as_slice(), state.marks.as_slice()), (&[12][..], &[mark][..]));
}

#[tokio::test]
async fn one_culprit_among_five_hundred_is_buried_with_its_bytes_and_the_rest_is_stored() {
    let store = Arc::<Store>::default();
    let (webhooks, deliveries) = deliveries(500);
    store.state.lock().unwrap().culprits.insert(webhooks[250].receipt);

    let tally = tally_of(deliveries, &store).await;

    assert_eq!((tally.new, tally.dead), (499, 1));
    let state = store.state.lock().unwrap();
    assert_eq!(state.receipts.len(), 499);
    let letter = &state.letters[0];
    assert_eq!((letter.receipt, letter.reason), (Some(webhooks[250].receipt), DeadLetterReason::Culprit));
    assert_eq!((letter.body.clone(), letter.booked), (webhooks[250].body.clone(), Some((Uuid::nil(), 1))));
    assert_eq!(letter.detail, "a value that no column takes");
}

#[tokio::test]
async fn a_batch_of_nothing_but_culprits_is_buried_in_a_bounded_number_of_calls() {
    let store = Arc::<Store>::default();
    let (webhooks, deliveries) = deliveries(256);
    store.state.lock().unwrap().culprits.extend(webhooks.iter().map(|webhook| webhook.receipt));

    let tally = tally_of(deliveries, &store).await;

    assert_eq!((tally.new, tally.dead), (0, 256));
    let rows: usize = store.state.lock().unwrap().calls.iter().sum();
    assert!(rows <= 256 * 9, "{rows} rows were sent for 256 culprits");
}

#[tokio::test]
async fn a_panic_while_recording_is_narrowed_down_to_its_message() {
    let store = Arc::<Store>::default();
    let (webhooks, deliveries) = deliveries(100);
    store.state.lock().unwrap().panics_on.insert(webhooks[77].receipt);

    let tally = tally_of(deliveries, &store).await;

    assert_eq!((tally.new, tally.dead), (99, 1));
    let state = store.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    assert_eq!(state.letters[0].receipt, Some(webhooks[77].receipt));
    assert!(state.letters[0].detail.contains("a fault of ours"), "{}", state.letters[0].detail);
}

#[tokio::test(start_paused = true)]
async fn a_message_with_which_a_writable_store_always_fails_is_no_outage() {
    let store = Arc::<Store>::default();
    let (webhooks, deliveries) = deliveries(100);
    store.state.lock().unwrap().stumbles_on.insert(webhooks[42].receipt);

    let tally = tally_of(deliveries, &store).await;

    assert_eq!((tally.new, tally.dead), (99, 1));
    let letter = &store.state.lock().unwrap().letters[0];
    assert_eq!((letter.receipt, letter.detail.as_str()), (Some(webhooks[42].receipt), "the write failed"));
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_row_is_locked_for_long_is_waited_for() {
    let store = Arc::<Store>::default();
    let (webhooks, deliveries) = deliveries(100);
    store.state.lock().unwrap().locked = Some((webhooks[42].receipt, 60));

    let tally = tally_of(deliveries, &store).await;

    assert_eq!((tally.new, tally.dead), (100, 0));
    let state = store.state.lock().unwrap();
    assert_eq!((state.locked, state.letters.len()), (Some((webhooks[42].receipt, 0)), 0));
}

#[tokio::test]
async fn a_message_over_the_limit_is_tried_alone_and_buried_only_if_it_fails_again() {
    let store = Arc::<Store>::default();
    let (webhooks, mut deliveries) = deliveries(4);
    deliveries[1].earlier_attempts = 20;
    deliveries[2].earlier_attempts = 21;
    store.state.lock().unwrap().culprits.insert(webhooks[2].receipt);

    let tally = tally_of(deliveries, &store).await;

    assert_eq!((tally.new, tally.dead), (3, 1));
    let state = store.state.lock().unwrap();
    assert_eq!(state.calls, [2, 1, 1], "the others together, each of the two alone");
    assert_eq!(
        (state.letters[0].receipt, state.letters[0].reason),
        (Some(webhooks[2].receipt), DeadLetterReason::Attempts)
    );
}

#[tokio::test]
async fn a_message_whose_lonely_tries_never_come_to_an_end_is_buried_untried() {
    let store = Arc::<Store>::default();
    let (_, mut deliveries) = deliveries(2);
    deliveries[0].earlier_attempts = 23;

    let tally = tally_of(deliveries, &store).await;

    assert_eq!((tally.new, tally.dead), (1, 1));
    assert_eq!(store.state.lock().unwrap().letters[0].reason, DeadLetterReason::Attempts);
}

#[tokio::test]
async fn what_ingress_never_wrote_is_buried_as_it_came() {
    let store = Arc::<Store>::default();
    let (_, mut deliveries) = deliveries(1);
    let bytes = Bytes::from_static(b"\xff\x00 not ours");
    let content = Content::Foreign { bytes: bytes.clone(), reason: "no message\0type".to_owned() };
    deliveries.push(Delivery { content, earlier_attempts: 0 });

    let tally = tally_of(deliveries, &store).await;

    assert_eq!((tally.new, tally.dead), (1, 1));
    let letter = &store.state.lock().unwrap().letters[0];
    assert_eq!((letter.reason, letter.receipt, &letter.body), (DeadLetterReason::Foreign, None, &bytes));
    assert_eq!(letter.detail, "no message\u{fffd}type", "a letter must be storable whatever it says");
}

#[tokio::test]
async fn a_webhook_that_is_too_large_is_buried_whole_and_is_in_the_books() {
    let store = Arc::<Store>::default();
    let (_, mut deliveries) = deliveries(1);
    let large = webhook("[]");
    let content = Content::TooLarge { webhook: large.clone(), reason: "the body has 2 bytes".to_owned() };
    deliveries.push(Delivery { content, earlier_attempts: 0 });

    let tally = tally_of(deliveries, &store).await;

    assert_eq!((tally.new, tally.dead), (1, 1));
    let letter = &store.state.lock().unwrap().letters[0];
    assert_eq!(
        (letter.reason, letter.receipt, &letter.body),
        (DeadLetterReason::TooLarge, Some(large.receipt), &large.body)
    );
    assert_eq!(letter.booked, Some((large.instance, large.sequence)));
}

#[tokio::test]
async fn an_acknowledgement_that_comes_too_late_is_counted_and_harmless() {
    let store = Arc::<Store>::default();
    let (queue, subscription) = Queue::new(true);
    queue.holds(deliveries(1).1);
    queue.holds(deliveries(1).1);
    let (mut consumer, registry) = consumer(subscription, &store, Settings::default());
    let mut stored = 0;
    while stored < 2 {
        stored += usize::from(matches!(consumer.step().await, Step::Stored(_)));
    }

    let families = registry.gather();
    let stale = families.iter().find(|family| family.name() == "finlinkd_consumer_stale_acks_total").unwrap();
    assert_eq!(stale.get_metric()[0].get_counter().get_value() as u64, 2);
    assert_eq!((counted(&registry, "new"), counted(&registry, "duplicate")), (1, 1));
}
