//! Dead letters that a person redrives or discards.

use std::time::Duration;

use bytes::Bytes;
use events::Checkpoint;
use serde_json::json;
use uuid::Uuid;

use super::Engine;
use super::world::{World, app, at, bound, long_after, names, webhook};
use crate::{DeadLetter, DeadLetterFilter, DeadLetterReason, DeadLetterRow, Reading, Recorded, Verdict};

/// The letter of a webhook that has this number in the books.
fn letter_of(reading: &Reading, sequence: u64) -> DeadLetter {
    DeadLetter {
        receipt: Some(reading.webhook.receipt),
        app: Some(reading.webhook.app.clone()),
        booked: Some((reading.webhook.instance, sequence)),
        reason: DeadLetterReason::Culprit,
        detail: "no column takes it".to_owned(),
        buried_at: at(2),
        envelope: json!({"kept": "whole"}),
        body: reading.webhook.body.clone(),
    }
}

fn foreign() -> DeadLetter {
    DeadLetter {
        receipt: None,
        app: None,
        booked: None,
        reason: DeadLetterReason::Foreign,
        detail: "no envelope".to_owned(),
        buried_at: at(1),
        envelope: json!({"kind": "foreign"}),
        body: Bytes::from_static(b"?"),
    }
}

/// The letters left, newest first.
async fn left(world: &World) -> Vec<DeadLetterRow> {
    world.stores.inspect.dead_letters(&DeadLetterFilter::default()).await.unwrap()
}

/// The sum of a reason.
async fn counted(world: &World, reason: &str) -> u64 {
    world.stores.inspect.totals(at(9)).await.unwrap().dead_letters.get(reason).copied().unwrap_or(0)
}

/// The books of the run that every webhook here is of: it ended long ago, having decided `through`.
async fn verdict(world: &World, instance: Uuid, through: u64) -> Verdict {
    let mark = Checkpoint {
        instance,
        started_at: at(0),
        at: at(2),
        decided_through: through,
        refused: Vec::new(),
        last: true,
    };
    world.stores.intake.mark(&[mark]).await.unwrap();
    let books = world.stores.inspect.books().await.unwrap();
    let books = books.iter().find(|books| books.instance == instance).unwrap();
    books.verdict(long_after(books), Duration::from_mins(2))
}

/// Its delivery counts in the books from then on.
pub async fn a_letter_is_gone_once_its_message_is_in_the_queue_again(engine: &dyn Engine) {
    let world = World::open(engine).await;
    let reading = webhook(names(&[1]), bound(), at(1));
    world.stores.intake.bury(&[letter_of(&reading, reading.webhook.sequence), foreign()]).await.unwrap();
    assert_eq!(verdict(&world, reading.webhook.instance, 1).await, Verdict::Balanced);
    let culprit = left(&world).await.into_iter().find(|letter| letter.reason == "culprit").unwrap().id;

    assert_eq!(world.stores.intake.unbury(&[culprit, i64::MAX]).await.unwrap(), 1);
    assert_eq!(world.stores.intake.unbury(&[culprit]).await.unwrap(), 0);
    assert_eq!(left(&world).await.len(), 1);
    assert_eq!((counted(&world, "culprit").await, counted(&world, "foreign").await), (0, 1));
    assert_eq!(verdict(&world, reading.webhook.instance, 1).await.holes(), 1);

    assert_eq!(world.record(std::slice::from_ref(&reading)).await, [Recorded::New]);
    assert_eq!(verdict(&world, reading.webhook.instance, 1).await, Verdict::Balanced);
}

/// A consumer may be quicker than whoever published the message: then the letter that it wrote is the only copy.
pub async fn a_message_buried_again_meanwhile_keeps_its_letter(engine: &dyn Engine) {
    let world = World::open(engine).await;
    let reading = webhook(names(&[1]), bound(), at(1));
    let first = letter_of(&reading, 1);
    world.stores.intake.bury(std::slice::from_ref(&first)).await.unwrap();
    let published = left(&world).await[0].id;
    let again = DeadLetter { reason: DeadLetterReason::Attempts, buried_at: at(5), ..first };
    world.stores.intake.bury(&[again]).await.unwrap();

    assert_eq!(world.stores.intake.unbury(&[published]).await.unwrap(), 0);
    let letters = left(&world).await;
    assert_eq!(letters.len(), 1);
    assert_eq!((letters[0].reason.as_str(), letters[0].buried_at), ("attempts", at(5)));
    assert_eq!((counted(&world, "culprit").await, counted(&world, "attempts").await), (0, 1));
}

/// R8: a person decided about the message, so its number is not missing.
pub async fn a_discarded_letter_leaves_no_hole_in_the_books(engine: &dyn Engine) {
    let world = World::open(engine).await;
    let (a, b) = (webhook(names(&[1]), bound(), at(1)), webhook(names(&[2]), bound(), at(1)));
    world.stores.intake.bury(&[letter_of(&a, 1), letter_of(&b, 2), foreign()]).await.unwrap();
    let ids: Vec<i64> = left(&world).await.iter().map(|letter| letter.id).collect();

    assert_eq!(world.stores.intake.discard(&ids, at(6)).await.unwrap(), 3);
    assert_eq!(world.stores.intake.discard(&ids, at(7)).await.unwrap(), 0);
    assert_eq!(left(&world).await, []);
    assert_eq!((counted(&world, "culprit").await, counted(&world, "foreign").await), (0, 0));
    assert_eq!(verdict(&world, a.webhook.instance, 2).await, Verdict::Balanced);
    assert_eq!(verdict(&world, a.webhook.instance, 3).await.holes(), 1);
}

/// Each restriction alone, and pages that meet.
pub async fn letters_are_listed_newest_first_by_filter_and_page(engine: &dyn Engine) {
    let world = World::open(engine).await;
    for sequence in 1..=3 {
        let letter = letter_of(&webhook(names(&[1]), bound(), at(1)), sequence);
        world.stores.intake.bury(&[letter]).await.unwrap();
    }
    world.stores.intake.bury(&[foreign()]).await.unwrap();
    let list = async |filter: DeadLetterFilter| {
        let letters = world.stores.inspect.dead_letters(&filter).await.unwrap();
        letters.iter().map(|letter| letter.id).collect::<Vec<i64>>()
    };
    let all = list(DeadLetterFilter::default()).await;
    assert_eq!(all.len(), 4);
    assert!(all.is_sorted_by(|newer, older| newer > older), "{all:?}");
    let page = list(DeadLetterFilter { limit: Some(2), ..DeadLetterFilter::default() }).await;
    let next = list(DeadLetterFilter { before: page.last().copied(), ..DeadLetterFilter::default() }).await;
    assert_eq!([page, next].concat(), all);
    assert_eq!(list(DeadLetterFilter { app: Some(app()), ..DeadLetterFilter::default() }).await, all[1..]);
    assert_eq!(
        list(DeadLetterFilter { reason: Some("foreign".to_owned()), ..DeadLetterFilter::default() }).await,
        all[..1]
    );
}
