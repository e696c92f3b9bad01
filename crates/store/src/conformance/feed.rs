//! The feed (R7): one order, without holes, for everyone.

use uuid::Uuid;

use super::Engine;
use super::world::{World, app, at, found, ready, token};
use crate::{Cursor, FeedFilter, Numbered};

/// So many ask for the turn at once.
const ASKERS: u128 = 8;

/// A connection found, and then changed so many times.
async fn changes(world: &World, n: u32, times: u64) {
    for change in 0..=times {
        world.see(n, found(ready(n, 1 + change * 100)), u64::from(n) * 10_000 + change * 100).await;
    }
}

/// Nothing is seen before it has a number; numbering goes on where it ended.
pub async fn events_are_numbered_without_holes_in_the_order_of_commit(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    let feed = &world.stores.feed;
    changes(&world, 1, 3).await;
    let all = FeedFilter::default();
    let page = feed.after(Cursor(0), &all, 100).await.unwrap();
    assert_eq!((page.entries.len(), page.next, page.last), (0, Cursor(0), Cursor(0)));
    let waiting = world.stores.inspect.totals(super::world::START).await.unwrap();
    assert_eq!((waiting.events, waiting.events_unnumbered, waiting.outbox_oldest_at.is_some()), (5, 5, true));
    assert_eq!(feed.number(2).await.unwrap(), Numbered { count: 2, last: Cursor(2) });
    assert_eq!(feed.number(100).await.unwrap(), Numbered { count: 3, last: Cursor(5) });
    assert_eq!(feed.number(100).await.unwrap(), Numbered { count: 0, last: Cursor(5) });
    let page = feed.after(Cursor(0), &all, 3).await.unwrap();
    let numbers: Vec<_> = page.entries.iter().map(|entry| entry.number).collect();
    assert_eq!((numbers, page.next, page.last), (vec![1, 2, 3], Cursor(3), Cursor(5)));
    let page = feed.after(page.next, &all, 3).await.unwrap();
    assert_eq!((page.entries.len(), page.next), (2, Cursor(5)));
    assert_eq!(feed.after(Cursor(9), &all, 3).await.unwrap().next, Cursor(9), "a cursor is not set back");
    let event: events::ConnectionEvent = serde_json::from_str(&page.entries[0].event).unwrap();
    assert_eq!((event.kind.as_str(), event.subject), (page.entries[0].kind.as_str(), token(1)));
}

/// A reader of one connection does not read the rest again and again.
pub async fn a_page_goes_on_past_what_its_filter_left_out(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    changes(&world, 1, 2).await;
    changes(&world, 2, 2).await;
    changes(&world, 1, 0).await;
    let last = world.stores.feed.number(100).await.unwrap().last;
    let of_one = FeedFilter { app: Some(app()), token: Some(token(1)) };
    let page = world.stores.feed.after(Cursor(0), &of_one, 2).await.unwrap();
    assert_eq!((page.entries.len(), page.next), (2, Cursor(2)));
    let page = world.stores.feed.after(page.next, &of_one, 100).await.unwrap();
    assert!(page.entries.iter().all(|entry| entry.token == token(1)));
    assert_eq!((page.next, page.last), (last, last));
    let of_nobody = FeedFilter { app: Some("nobody".parse().unwrap()), token: None };
    let page = world.stores.feed.after(Cursor(0), &of_nobody, 1).await.unwrap();
    assert_eq!((page.entries.len(), page.next), (0, last));
}

/// Each event goes to a target once while nobody dies; whoever lost its turn moves nothing, and the place never goes back.
pub async fn one_relays_at_a_time_and_the_next_goes_on_from_there(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    let feed = &world.stores.feed;
    let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let take = async |holder, now, until| feed.lease_relay("amqp", holder, at(now), at(until)).await.unwrap();
    let first = take(one, 0, 10).await.unwrap();
    assert_eq!((first.reached, first.expires_at), (Cursor(0), at(10)));
    assert!(feed.relayed(&first, Cursor(7)).await.unwrap());
    assert!(feed.relayed(&first, Cursor(5)).await.unwrap());
    assert_eq!(take(other, 9, 20).await, None);
    let prolonged = take(one, 9, 19).await.unwrap();
    assert_eq!((prolonged.fence, prolonged.reached, prolonged.expires_at), (first.fence, Cursor(7), at(19)));

    // Past its end it holds until another takes it.
    assert!(feed.relayed(&prolonged, Cursor(8)).await.unwrap());
    let second = take(other, 19, 30).await.unwrap();
    assert_eq!(second.reached, Cursor(8));
    assert!(second.fence > prolonged.fence);
    assert!(!feed.relayed(&prolonged, Cursor(9)).await.unwrap());
    feed.release_relay(&prolonged).await.unwrap();
    assert_eq!(take(one, 20, 30).await, None, "one cannot give back what one has lost");

    feed.release_relay(&second).await.unwrap();
    let third = take(one, 21, 30).await.unwrap();
    assert_eq!(third.reached, Cursor(8));
    assert!(third.fence > second.fence);
    assert!(!feed.relayed(&second, Cursor(9)).await.unwrap());

    let elsewhere = feed.lease_relay("other", other, at(0), at(10)).await.unwrap().unwrap();
    assert_eq!(elsewhere.reached, Cursor(0), "each target has a place and a turn of its own");
}

/// Of those that come at once, one gets the turn.
pub async fn many_that_ask_for_the_relays_turn_at_once_get_one(engine: &dyn Engine) {
    let world = World::open(engine).await;
    let feed = &world.stores.feed;
    let asked = (1..=ASKERS).map(|holder| feed.lease_relay("amqp", Uuid::from_u128(holder), at(0), at(10)));
    let got = futures_util::future::try_join_all(asked).await.unwrap();
    assert_eq!(got.iter().flatten().count(), 1, "{got:?}");
}
