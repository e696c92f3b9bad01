//! Recording: deliveries, bodies, letters and marks.

use bytes::Bytes;
use events::{BodyHash, Checkpoint, SequenceRange};
use serde_json::json;
use uuid::Uuid;

use super::Engine;
use super::world::{World, again, app, at, bound, long_after, names, webhook};
use crate::{
    Books, DeadLetter, DeadLetterFilter, DeadLetterReason, DeliveryFilter, Recorded, Rules, StoreError, Verdict,
};

/// R1: the body is kept once, the hint is counted twice.
pub async fn a_body_seen_before_is_a_duplicate_and_hints_all_the_same(engine: &dyn Engine) {
    let world = World::open(engine).await;
    let first = webhook(names(&[1]), bound(), at(1));
    let second = again(&first);
    assert_eq!(world.record(std::slice::from_ref(&first)).await, [Recorded::New]);
    assert_eq!(world.record(&[second]).await, [Recorded::Duplicate]);
    assert_eq!(world.look(1).await.unwrap().hint_no, 2);
    let totals = world.stores.inspect.totals(at(1)).await.unwrap();
    assert_eq!((totals.bodies, totals.duplicates, totals.deliveries["verified"]), (1, 1, 2));
}

/// The queue delivers at least once: what is recorded already does not hint again, not even within one batch.
pub async fn a_receipt_recorded_again_changes_nothing(engine: &dyn Engine) {
    let world = World::open(engine).await;
    let reading = webhook(names(&[1]), bound(), at(1));
    let twice = [reading.clone(), reading.clone()];
    assert_eq!(world.record(&twice).await, [Recorded::New, Recorded::Redelivered]);
    assert_eq!(world.record(&twice).await, [Recorded::Redelivered; 2]);
    assert_eq!(world.look(1).await.unwrap().hint_no, 1);
    let totals = world.stores.inspect.totals(at(1)).await.unwrap();
    assert_eq!((totals.bodies, totals.duplicates, totals.deliveries["verified"]), (1, 0, 1));
}

/// Rows are written in key order; that is nobody's business.
pub async fn answers_come_in_the_order_asked(engine: &dyn Engine) {
    let world = World::open(engine).await;
    let old = webhook(names(&[1]), bound(), at(1));
    world.record(std::slice::from_ref(&old)).await;
    let (a, b) = (webhook(names(&[2]), bound(), at(2)), webhook(names(&[3]), bound(), at(2)));
    let batch = [b.clone(), again(&b), old, a.clone(), again(&a)];
    let expected = [Recorded::New, Recorded::Duplicate, Recorded::Redelivered, Recorded::New, Recorded::Duplicate];
    assert_eq!(world.record(&batch).await, expected);
    let newest = world.stores.inspect.delivery(b.webhook.receipt).await.unwrap().unwrap();
    assert!(!newest.row.duplicate);
    assert_eq!(newest.body, Some(b.webhook.body));
}

/// R12: two apps never share a row.
pub async fn the_same_body_in_two_apps_is_two_bodies(engine: &dyn Engine) {
    let world = World::open(engine).await;
    let ours = webhook(names(&[1]), bound(), at(1));
    let mut theirs = again(&ours);
    theirs.webhook.app = "bank".parse().unwrap();
    assert_eq!(world.record(&[ours, theirs]).await, [Recorded::New, Recorded::New]);
    assert_eq!(world.stores.inspect.apps().await.unwrap(), ["bank".parse().unwrap(), app()]);
}

/// R11: a budget of bytes per app; a delivery is never lost by it.
pub async fn a_body_beyond_the_budget_of_its_app_is_kept_by_its_hash_alone(engine: &dyn Engine) {
    let world = World::open_with(engine, Rules { body_bytes_per_app_max: 100, ..Rules::default() }).await;
    let of_size = |size: usize, byte: u8| {
        let mut reading = webhook(names(&[1]), bound(), at(1));
        reading.webhook.body = Bytes::from(vec![byte; size]);
        reading.webhook.body_sha256 = BodyHash::of(&reading.webhook.body);
        reading
    };
    let (fits, too_much) = (of_size(80, b'a'), of_size(30, b'b'));
    world.record(std::slice::from_ref(&fits)).await;
    assert_eq!(world.record(&[too_much.clone(), again(&too_much)]).await, [Recorded::New, Recorded::Duplicate]);
    let body = async |receipt| world.stores.inspect.delivery(receipt).await.unwrap().unwrap();
    assert_eq!(body(fits.webhook.receipt).await.body, Some(fits.webhook.body));
    let without = body(too_much.webhook.receipt).await;
    assert_eq!(without.body, None);
    assert_eq!(without.row.body_sha256, too_much.webhook.body_sha256.to_string());
    assert_eq!(world.look(1).await.unwrap().hint_no, 3);
    assert_eq!(world.stores.inspect.totals(at(1)).await.unwrap().body_bytes, 80);
}

/// R9: the caller buries the culprit and records the rest.
pub async fn a_culprit_is_named_and_nothing_of_its_batch_is_kept(engine: &dyn Engine) {
    let world = World::open(engine).await;
    let good = webhook(names(&[1]), bound(), at(1));
    let mut bad = webhook(names(&[2]), bound(), at(1));
    bad.webhook.sequence = u64::MAX;
    let outcome = world.stores.intake.record(&[good.clone(), bad.clone()]).await;
    assert!(matches!(outcome, Err(StoreError::Culprit(receipt, _)) if receipt == bad.webhook.receipt), "{outcome:?}");
    assert_eq!(world.look(1).await, None);
    assert_eq!(world.record(&[good]).await, [Recorded::New]);
}

/// Burying is idempotent where there is a receipt; without one each letter is kept.
pub async fn a_letter_is_buried_once_per_receipt(engine: &dyn Engine) {
    let world = World::open(engine).await;
    let reading = webhook(names(&[1]), bound(), at(1));
    let culprit = DeadLetter {
        receipt: Some(reading.webhook.receipt),
        app: Some(app()),
        booked: Some((reading.webhook.instance, u64::MAX)),
        reason: DeadLetterReason::Culprit,
        detail: "out of range".to_owned(),
        buried_at: at(2),
        envelope: json!({"kept": "whole"}),
        body: reading.webhook.body.clone(),
    };
    let foreign =
        DeadLetter { receipt: None, app: None, booked: None, reason: DeadLetterReason::Foreign, ..culprit.clone() };
    for _ in 0..2 {
        world.stores.intake.bury(&[culprit.clone(), foreign.clone()]).await.unwrap();
    }
    let letters = world.stores.inspect.dead_letters(&DeadLetterFilter::default()).await.unwrap();
    assert_eq!(letters.len(), 3);
    let culprits = DeadLetterFilter { reason: Some("culprit".to_owned()), ..DeadLetterFilter::default() };
    let of_reason = world.stores.inspect.dead_letters(&culprits).await.unwrap();
    assert_eq!(of_reason.len(), 1);
    let whole = world.stores.inspect.dead_letter(of_reason[0].id).await.unwrap().unwrap();
    assert_eq!(whole.body, Some(culprit.body));
    assert_eq!((whole.envelope, whole.receipt, whole.app), (culprit.envelope, culprit.receipt, culprit.app));
    let totals = world.stores.inspect.totals(at(2)).await.unwrap();
    assert_eq!((totals.dead_letters["culprit"], totals.dead_letters["foreign"]), (1, 2));
}

/// R8: an old mark does not set the books back.
pub async fn marks_may_come_twice_and_in_any_order(engine: &dyn Engine) {
    let world = World::open(engine).await;
    let mark = |second: u64, through: u64| Checkpoint {
        instance: Uuid::from_u128(1),
        started_at: at(0),
        at: at(second),
        decided_through: through,
        refused: vec![SequenceRange { from: through, through }],
        last: false,
    };
    let (intake, inspect) = (&world.stores.intake, &world.stores.inspect);
    intake.mark(&[mark(20, 9), mark(10, 5)]).await.unwrap();
    let before = inspect.time().await.unwrap();
    intake.mark(&[mark(10, 5)]).await.unwrap();
    let after = inspect.time().await.unwrap();
    let books = of(Uuid::from_u128(1), inspect.books().await.unwrap());
    assert_eq!((books.marked_at, books.decided_through), (Some(at(20)), 9));
    // By the store's clock, whatever the marks say.
    assert!(books.recorded_at.is_some_and(|recorded| before <= recorded && recorded <= after), "{books:?}");
    assert_eq!(inspect.totals(at(30)).await.unwrap().checkpoint_at, books.recorded_at);
}

/// What the consumer asks before it takes batches again.
pub async fn a_store_that_can_be_written_says_so(engine: &dyn Engine) {
    let world = World::open(engine).await;
    world.stores.intake.probe().await.unwrap();
    assert!(world.stores.inspect.deliveries(&DeliveryFilter::default()).await.unwrap().is_empty());
}

/// R8: the books say of every number whether it is stored or refused; a buried message counts as stored.
pub async fn the_books_account_for_every_number(engine: &dyn Engine) {
    let world = World::open(engine).await;
    let instance = Uuid::new_v4();
    let mut readings = Vec::new();
    for sequence in [1, 2, 5] {
        let mut reading = webhook(names(&[1]), bound(), at(1));
        (reading.webhook.instance, reading.webhook.sequence) = (instance, sequence);
        readings.push(reading);
    }
    world.record(&readings).await;
    let letter = DeadLetter {
        receipt: None,
        app: None,
        booked: Some((instance, 3)),
        reason: DeadLetterReason::Culprit,
        detail: "it does not fit".to_owned(),
        buried_at: at(1),
        envelope: json!({}),
        body: Bytes::new(),
    };
    world.stores.intake.bury(&[letter]).await.unwrap();
    let mark = Checkpoint {
        instance,
        started_at: at(0),
        at: at(2),
        decided_through: 6,
        refused: vec![SequenceRange { from: 6, through: 6 }],
        last: true,
    };
    world.stores.intake.mark(&[mark]).await.unwrap();
    let books = of(instance, world.stores.inspect.books().await.unwrap());
    assert_eq!(books.stored, [SequenceRange { from: 1, through: 3 }, SequenceRange { from: 5, through: 5 }]);
    assert_eq!((books.decided_through, books.ended, books.marked_at), (6, true, Some(at(2))));
    let missing = vec![SequenceRange { from: 4, through: 4 }];
    assert_eq!(books.verdict(long_after(&books), std::time::Duration::from_mins(2)), Verdict::Holes { missing });
    assert_eq!(of(instance, world.stores.inspect.booked().await.unwrap()), books, "the consumer's note says the same");
}

/// R8: what the consumer noted batch by batch is what the deliveries show, also where some come again, in disorder, or late.
pub async fn what_is_booked_is_what_is_stored(engine: &dyn Engine) {
    let world = World::open(engine).await;
    let instance = Uuid::new_v4();
    let numbered = |sequence| {
        let mut reading = webhook(names(&[1]), bound(), at(1));
        (reading.webhook.instance, reading.webhook.sequence) = (instance, sequence);
        reading
    };
    let mark = async |second: u64, last| {
        let mark =
            Checkpoint { instance, started_at: at(0), at: at(second), decided_through: 12, refused: Vec::new(), last };
        world.stores.intake.mark(&[mark]).await.unwrap();
    };
    let both = async || {
        let inspect = &world.stores.inspect;
        (of(instance, inspect.booked().await.unwrap()), of(instance, inspect.books().await.unwrap()))
    };
    let again = numbered(4);
    world.record(&[numbered(9), again.clone(), numbered(2), numbered(1)]).await;
    world.record(&[again, numbered(3), numbered(11)]).await;
    mark(10, false).await;
    let (booked, books) = both().await;
    assert_eq!(booked, books);
    assert_eq!(books.stored.len(), 3);
    mark(20, true).await;
    world.record(&[numbered(10), numbered(12)]).await;
    world.record(&[numbered(5), numbered(6), numbered(7), numbered(8)]).await;
    let (booked, books) = both().await;
    assert_eq!(booked, books);
    assert_eq!(booked.verdict(long_after(&booked), std::time::Duration::from_mins(2)), Verdict::Balanced);
}

fn of(instance: Uuid, books: Vec<Books>) -> Books {
    books.into_iter().find(|books| books.instance == instance).unwrap()
}
