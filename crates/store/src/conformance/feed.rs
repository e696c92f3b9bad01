//! The feed (R7): one order, without holes, for everyone.

use super::Engine;
use super::world::{World, app, found, ready, token};
use crate::{Cursor, FeedFilter, Numbered};

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

/// Two feeds may relay at once for a moment; the place only moves on.
pub async fn a_relay_never_goes_back(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    let feed = &world.stores.feed;
    assert_eq!(feed.relay_cursor("amqp").await.unwrap(), Cursor(0));
    feed.relayed("amqp", Cursor(7)).await.unwrap();
    feed.relayed("amqp", Cursor(5)).await.unwrap();
    feed.relayed("other", Cursor(1)).await.unwrap();
    assert_eq!(feed.relay_cursor("amqp").await.unwrap(), Cursor(7));
    assert_eq!(feed.relay_cursor("other").await.unwrap(), Cursor(1));
}
