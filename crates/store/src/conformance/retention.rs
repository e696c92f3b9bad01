//! Retention: what is old goes, what still matters stays, and nobody's proof is another after it.

use std::collections::BTreeMap;
use std::time::Duration;

use events::{AppName, Checkpoint, Receipt, SequenceRange, UtcMicros};
use uuid::{NoContext, Timestamp, Uuid};

use super::Engine;
use super::world::{World, again, app, at, bound, found, long_after, names, pending, ready, webhook};
use crate::{
    Cursor, Decision, DeliveryFilter, FeedFilter, Lease, PurgedDeliveries, PurgedEvents, Reading, Recorded, Ruling,
    StoreError, Verdict,
};

/// More than any scenario has.
const MANY: usize = 1000;

fn other_app() -> AppName {
    "bank".parse().unwrap()
}

fn reading() -> Reading {
    webhook(names(&[1]), bound(), at(1))
}

/// The same webhook under a receipt of the time that an ingress with another clock would draw.
fn drawn_at(reading: Reading, place: u128) -> Reading {
    let mut reading = reading;
    reading.webhook.receipt = Receipt(Uuid::from_u128(place));
    reading
}

impl World {
    async fn purge(&self, before: UtcMicros) -> PurgedDeliveries {
        self.purge_as(&self.lease, before).await
    }

    /// All that may go at once.
    async fn purge_as(&self, lease: &Lease, before: UtcMicros) -> PurgedDeliveries {
        self.stores.refresh.purge_deliveries(lease, before, None, MANY).await.unwrap()
    }

    async fn purge_events(&self, second: u64, limit: usize) -> PurgedEvents {
        self.stores.refresh.purge_events(&self.lease, at(second), Cursor(0), limit).await.unwrap()
    }

    /// The receipts on record that are among these. Each can be shown with its body.
    async fn kept(&self, readings: &[&Reading]) -> Vec<bool> {
        let mut kept = Vec::new();
        for reading in readings {
            let found = self.stores.inspect.delivery(reading.webhook.receipt).await.unwrap();
            if let Some(detail) = &found {
                assert_eq!(detail.body.as_ref(), Some(&reading.webhook.body));
            }
            kept.push(found.is_some());
        }
        kept
    }

    async fn bodies(&self) -> u64 {
        self.stores.inspect.totals(at(1)).await.unwrap().bodies
    }

    async fn lease_of(&self, app: &AppName) -> Lease {
        self.stores.refresh.lease(app, Uuid::from_u128(9), at(0), at(3600)).await.unwrap().unwrap()
    }
}

/// What nobody decided yet has an effect still.
pub async fn old_deliveries_go_and_young_and_pending_ones_stay(engine: &dyn Engine) {
    let world = World::open(engine).await;
    let (old, waits) = (reading(), webhook(names(&[1]), pending(5), at(1)));
    world.record(&[old.clone(), waits.clone()]).await;
    let before = world.store_time().await;
    let young = reading();
    world.record(std::slice::from_ref(&young)).await;
    assert_eq!(world.purge(before).await, PurgedDeliveries { deliveries: 1, bodies: 1, next: None });
    assert_eq!(world.kept(&[&old, &waits, &young]).await, [false, true, true]);
    let verified = Ruling { receipt: waits.webhook.receipt, decision: Decision::Verified { binds_body: true } };
    world.stores.refresh.decide(&world.lease, &[verified]).await.unwrap();
    assert_eq!(world.look(1).await.unwrap().hint_no, 3, "each of them hinted");
    assert_eq!(world.purge(before).await, PurgedDeliveries { deliveries: 1, bodies: 1, next: None });
    assert_eq!(world.kept(&[&waits, &young]).await, [false, true]);
}

/// R1: neither what a receipt says of its time nor `received_at` counts.
pub async fn the_clock_of_an_ingress_decides_not_what_goes(engine: &dyn Engine) {
    let world = World::open(engine).await;
    let ahead = drawn_at(webhook(names(&[1]), bound(), at(1_000_000_000)), u128::MAX);
    world.record(std::slice::from_ref(&ahead)).await;
    let before = world.store_time().await;
    let behind = drawn_at(webhook(names(&[1]), bound(), UtcMicros(1)), 1);
    world.record(std::slice::from_ref(&behind)).await;
    assert_eq!(world.purge(before).await.deliveries, 1);
    assert_eq!(world.kept(&[&ahead, &behind]).await, [false, true]);
}

/// Young deliveries whose receipts say that they are from 1970 do not hide the old ones behind them.
pub async fn a_purge_goes_on_behind_an_ingress_whose_clock_is_far_behind(engine: &dyn Engine) {
    const YOUNG: u32 = 25;
    let world = World::open(engine).await;
    let old = reading();
    world.record(std::slice::from_ref(&old)).await;
    let before = world.store_time().await;
    for n in 0..YOUNG {
        let drawn = Uuid::new_v7(Timestamp::from_unix(NoContext, 1, n));
        world.record(&[drawn_at(reading(), drawn.as_u128())]).await;
    }
    let (mut from, mut purged) = (None, 0);
    loop {
        let some = world.stores.refresh.purge_deliveries(&world.lease, before, from, 1).await.unwrap();
        purged += some.deliveries;
        from = some.next;
        if from.is_none() {
            break;
        }
    }
    assert_eq!((purged, world.kept(&[&old]).await), (1, vec![false]));
}

/// R12, whichever delivery of a body goes first.
pub async fn a_body_stays_for_as_long_as_a_delivery_refers_to_it(engine: &dyn Engine) {
    for (first_place, second_place) in [(10, 20), (20, 10)] {
        for first_waits in [false, true] {
            let world = World::open(engine).await;
            let verification = if first_waits { pending(5) } else { bound() };
            let first = drawn_at(webhook(names(&[1]), verification, at(1)), first_place);
            let second = drawn_at(Reading { webhook: again(&first).webhook, ..reading() }, second_place);
            let mut second = second;
            second.webhook.verification = bound();
            world.record(std::slice::from_ref(&first)).await;
            let between = world.store_time().await;
            assert_eq!(world.record(std::slice::from_ref(&second)).await, [Recorded::Duplicate]);
            let after = world.store_time().await;
            if first_waits {
                assert_eq!(world.purge(after).await, PurgedDeliveries { deliveries: 1, bodies: 0, next: None });
                assert_eq!(world.kept(&[&first, &second]).await, [true, false]);
                let why = "no such key".to_owned();
                let rejected = Ruling { receipt: first.webhook.receipt, decision: Decision::Rejected(why) };
                world.stores.refresh.decide(&world.lease, &[rejected]).await.unwrap();
            } else {
                assert_eq!(world.purge(between).await, PurgedDeliveries { deliveries: 1, bodies: 0, next: None });
                assert_eq!(world.kept(&[&first, &second]).await, [false, true]);
            }
            assert_eq!(world.purge(after).await, PurgedDeliveries { deliveries: 1, bodies: 1, next: None });
            assert_eq!((world.bodies().await, world.kept(&[&first, &second]).await), (0, vec![false, false]));
        }
    }
}

/// Two duplicates stay in turn for a body whose first delivery is long gone.
pub async fn the_last_duplicate_takes_its_body_along(engine: &dyn Engine) {
    let world = World::open(engine).await;
    let first = reading();
    let mut times = Vec::new();
    let all = [first.clone(), again(&first), again(&first), again(&first)];
    for one in &all {
        world.record(std::slice::from_ref(one)).await;
        times.push(world.store_time().await);
    }
    for (time, bodies) in times.iter().zip([0, 0, 0, 1]) {
        assert_eq!(world.purge(*time).await, PurgedDeliveries { deliveries: 1, bodies, next: None });
    }
    assert_eq!(world.record(&[again(&first)]).await, [Recorded::New], "it is as if it had never been there");
    let last = world.store_time().await;
    assert_eq!(world.purge(last).await, PurgedDeliveries { deliveries: 1, bodies: 1, next: None });
}

/// A message may come again from a queue that was away for long. It counts as new, and hints.
pub async fn what_is_delivered_again_after_its_purge_is_new(engine: &dyn Engine) {
    let world = World::open(engine).await;
    let one = reading();
    world.record(std::slice::from_ref(&one)).await;
    let before = world.store_time().await;
    world.purge(before).await;
    assert_eq!(world.record(std::slice::from_ref(&one)).await, [Recorded::New]);
    assert_eq!(world.look(1).await.unwrap().hint_no, 2);
    assert_eq!(world.kept(&[&one]).await, [true]);
}

/// R8: balanced, holes, an unproven tail and what is waited for are what they were, for the numbers that are gone too.
pub async fn the_books_prove_the_same_before_and_after(engine: &dyn Engine) {
    let world = World::open(engine).await;
    let runs: [(u128, &[u64], u64, bool); 4] = [
        (11, &[1, 2, 3, 4], 4, true),
        (12, &[1, 2, 5, 6, 9], 9, true),
        (13, &[1, 2, 3, 7], 3, false),
        (14, &[2], 0, false),
    ];
    let of = |run: u128, sequence: u64| {
        let mut reading = reading();
        (reading.webhook.instance, reading.webhook.sequence) = (Uuid::from_u128(run), sequence);
        reading
    };
    for (run, sequences, decided_through, last) in runs {
        let readings: Vec<_> = sequences.iter().map(|sequence| of(run, *sequence)).collect();
        world.record(&readings).await;
        let refused = vec![SequenceRange { from: 2, through: 2 }];
        let mark =
            Checkpoint { instance: Uuid::from_u128(run), started_at: at(0), at: at(2), decided_through, refused, last };
        world.stores.intake.mark(&[mark]).await.unwrap();
    }
    let books = async || (world.stores.inspect.books().await.unwrap(), world.stores.inspect.booked().await.unwrap());
    let before = books().await;
    // In pieces, which are put together.
    for limit in [1, 2, MANY] {
        let time = world.store_time().await;
        world.stores.refresh.purge_deliveries(&world.lease, time, None, limit).await.unwrap();
        assert_eq!(books().await, before);
    }
    assert!(world.stores.inspect.deliveries(&DeliveryFilter::default()).await.unwrap().is_empty());
    let verdicts: BTreeMap<_, _> = before
        .0
        .iter()
        .map(|run| (run.instance.as_u128(), run.verdict(long_after(run), Duration::from_mins(2))))
        .collect();
    let missing = [(3, 4), (7, 8)].map(|(from, through)| SequenceRange { from, through }).to_vec();
    let expected = [
        (11, Verdict::Balanced),
        (12, Verdict::Holes { missing }),
        (13, Verdict::UnprovenTail { after: 7 }),
        (14, Verdict::UnprovenTail { after: 2 }),
    ];
    assert_eq!(verdicts, BTreeMap::from(expected));
    world.record(&[of(12, 3), of(11, 5)]).await;
    let now = books().await.0;
    let stored = |run: u128| now.iter().find(|books| books.instance.as_u128() == run).unwrap().stored.clone();
    assert_eq!(stored(11), [SequenceRange { from: 1, through: 5 }], "what is recorded later joins what is gone");
    let ranges = [(1, 3), (5, 6), (9, 9)].map(|(from, through)| SequenceRange { from, through });
    assert_eq!(stored(12), ranges);
}

/// One transaction is short, however much is old; and an app's deliveries are its own lease's.
pub async fn no_more_go_at_once_than_asked_for_and_none_of_another_app(engine: &dyn Engine) {
    let world = World::open(engine).await;
    let mut readings = Vec::new();
    for n in 0..40 {
        let mut reading = reading();
        if n % 8 != 0 {
            reading.webhook.app = other_app();
        }
        readings.push(reading);
    }
    world.record(&readings).await;
    let (before, refresh) = (world.store_time().await, &world.stores.refresh);
    let (mut from, mut gone) = (None, Vec::new());
    loop {
        let purged = refresh.purge_deliveries(&world.lease, before, from, 2).await.unwrap();
        gone.push((purged.deliveries, purged.bodies));
        from = purged.next;
        if from.is_none() {
            break;
        }
    }
    assert_eq!(gone, [(2, 2), (2, 2), (1, 1)]);
    let left = world.stores.inspect.deliveries(&DeliveryFilter::default()).await.unwrap();
    assert!(left.len() == 35 && left.iter().all(|row| row.app == other_app()), "{left:?}");
    // Of one at a time there is more to pass over than one look takes.
    let (mut from, mut calls) = (None, 0);
    loop {
        let purged = refresh.purge_deliveries(&world.lease, before, from, 1).await.unwrap();
        assert_eq!((purged.deliveries, purged.bodies), (0, 0));
        (from, calls) = (purged.next, calls + 1);
        if from.is_none() {
            break;
        }
    }
    assert_eq!(calls, 4);
    let theirs = world.lease_of(&other_app()).await;
    assert_eq!(world.purge_as(&theirs, before).await, PurgedDeliveries { deliveries: 35, bodies: 35, next: None });
}

/// R5: one at a time, the one with the lease.
pub async fn whoever_lost_the_lease_purges_nothing(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    world.record(&[reading()]).await;
    world.see(1, found(ready(1, 1)), 1).await;
    world.stores.feed.number(MANY).await.unwrap();
    let (refresh, before) = (&world.stores.refresh, world.store_time().await);
    refresh.release(&world.lease).await.unwrap();
    let theirs = world.lease_of(&app()).await;
    let deliveries = refresh.purge_deliveries(&world.lease, before, None, MANY).await;
    assert_eq!(deliveries, Err(StoreError::Fenced(app())));
    let events = refresh.purge_events(&world.lease, at(9), Cursor(0), MANY).await;
    assert_eq!(events, Err(StoreError::Fenced(app())));
    let totals = world.stores.inspect.totals(at(1)).await.unwrap();
    assert_eq!((totals.deliveries["verified"], totals.bodies, totals.events), (1, 1, 2));
    assert_eq!(world.purge_as(&theirs, before).await.deliveries, 1);
}

/// Totals count what is on record; the bytes of bodies that are gone may be used again.
pub async fn totals_count_what_is_left(engine: &dyn Engine) {
    let rules = crate::Rules { body_bytes_per_app_max: 60, ..crate::Rules::default() };
    let world = World::open_with(engine, rules).await;
    let (one, beyond) = (reading(), reading());
    assert!(one.webhook.body.len() > 30 && one.webhook.body.len() < 60);
    let rejected = webhook(names(&[1]), pending(5), at(1));
    world.record(&[one.clone(), again(&one), beyond.clone(), rejected.clone()]).await;
    let ruling = Ruling { receipt: rejected.webhook.receipt, decision: Decision::Rejected("no".to_owned()) };
    world.stores.refresh.decide(&world.lease, &[ruling]).await.unwrap();
    let before = world.store_time().await;
    let young = reading();
    world.record(std::slice::from_ref(&young)).await;
    assert_eq!(world.purge(before).await, PurgedDeliveries { deliveries: 4, bodies: 3, next: None });
    let totals = world.stores.inspect.totals(at(1)).await.unwrap();
    assert_eq!((totals.deliveries["verified"], totals.deliveries["rejected"], totals.duplicates), (1, 0, 0));
    assert_eq!((totals.bodies, totals.body_bytes), (1, 0), "the young one was beyond the budget");
    let last = reading();
    world.record(std::slice::from_ref(&last)).await;
    assert_eq!(world.kept(&[&last]).await, [true]);
}

/// A connection found, and then changed so many times, at seconds 100, 200 ...
async fn changes(world: &World, times: u64) {
    for change in 0..=times {
        world.see(1, found(ready(1, 1 + change * 100)), 100 + change * 100).await;
    }
}

async fn numbers(world: &World, cursor: u64) -> (Vec<u64>, Cursor) {
    let page = world.stores.feed.after(Cursor(cursor), &FeedFilter::default(), MANY).await.unwrap();
    (page.entries.iter().map(|entry| entry.number).collect(), page.gone)
}

/// Nobody misses an event that it was to be relayed, or that has no place in the feed yet.
pub async fn old_events_go_once_they_are_numbered_and_relayed(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    let feed = &world.stores.feed;
    // The first sight makes two events, each change one: at 100 s, 100 s, 200 s, 300 s, 400 s, 500 s.
    changes(&world, 4).await;
    assert_eq!(world.purge_events(1000, MANY).await, PurgedEvents::default(), "none is numbered");
    feed.number(5).await.unwrap();
    let relay = async |target| feed.lease_relay(target, Uuid::from_u128(1), at(0), at(60)).await.unwrap().unwrap();
    let (amqp, other) = (relay("amqp").await, relay("other").await);
    assert_eq!(world.purge_events(1000, MANY).await, PurgedEvents::default(), "none is relayed");
    assert!(feed.relayed(&amqp, Cursor(3)).await.unwrap() && feed.relayed(&other, Cursor(4)).await.unwrap());
    assert_eq!(world.purge_events(200, MANY).await, PurgedEvents { events: 2, next: None });
    assert_eq!(numbers(&world, 0).await, (vec![3, 4, 5], Cursor(2)));
    assert_eq!(world.purge_events(1000, MANY).await, PurgedEvents { events: 1, next: None });
    assert!(feed.relayed(&amqp, Cursor(5)).await.unwrap());
    feed.release_relay(&amqp).await.unwrap();
    assert_eq!(world.purge_events(1000, 1).await, PurgedEvents { events: 1, next: Some(Cursor(4)) });
    assert_eq!(world.purge_events(1000, MANY).await, PurgedEvents::default(), "the other is behind");
    assert!(feed.relayed(&other, Cursor(5)).await.unwrap());
    assert_eq!(world.purge_events(1000, MANY).await, PurgedEvents { events: 1, next: None });
    assert_eq!(numbers(&world, 0).await, (vec![], Cursor(5)));
    feed.number(MANY).await.unwrap();
    assert_eq!(numbers(&world, 5).await, (vec![6], Cursor(5)), "numbers go on");
    assert_eq!(world.stores.inspect.totals(at(1)).await.unwrap().events, 1);
}

/// A change that was told of is told of once, also after the event is gone.
pub async fn a_change_whose_event_is_gone_is_no_second_event(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    changes(&world, 2).await;
    world.stores.feed.number(MANY).await.unwrap();
    assert_eq!(world.purge_events(1000, MANY).await.events, 4);
    world.see(1, found(ready(1, 201)), 400).await;
    assert_eq!(world.stores.feed.number(MANY).await.unwrap().count, 0);
    world.see(1, found(ready(1, 301)), 500).await;
    assert_eq!(world.event_types().await, ["synced"]);
}

/// Events of an app that keeps them stay, and whoever reads that app alone misses none.
pub async fn events_go_app_by_app(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    changes(&world, 1).await;
    world.stores.feed.number(MANY).await.unwrap();
    let theirs = world.lease_of(&other_app()).await;
    let purged = world.stores.refresh.purge_events(&theirs, at(1000), Cursor(0), MANY).await.unwrap();
    assert_eq!(purged, PurgedEvents::default());
    assert_eq!(world.purge_events(1000, 2).await.events, 2);
    let gone = async |app: Option<AppName>| {
        let filter = FeedFilter { app, token: None };
        world.stores.feed.after(Cursor(0), &filter, MANY).await.unwrap().gone
    };
    assert_eq!((gone(None).await, gone(Some(app())).await), (Cursor(2), Cursor(2)));
    assert_eq!(gone(Some(other_app())).await, Cursor(0));
    assert_eq!(numbers(&world, 2).await, (vec![3], Cursor(2)));
}
