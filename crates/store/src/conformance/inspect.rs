//! What a person sees.

use std::time::Duration;

use connections::Cause;
use events::{Checkpoint, UtcMicros};
use uuid::Uuid;

use super::Engine;
use super::world::{World, app, at, bound, found, names, pending, ready, token, unbound, webhook};
use crate::{ConnectionFilter, DeliveryFilter, RUN_HEARD_WITHIN};

/// Newest first, in the order of receipts.
pub async fn deliveries_are_listed_newest_first_by_filter_and_page(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    let mut all = vec![
        webhook(names(&[1]), bound(), at(1)),
        webhook(names(&[2, 1]), unbound(), at(2)),
        webhook(names(&[1]), pending(9), at(3)),
        webhook(events::BodyTells::Nothing, bound(), at(4)),
    ];
    all.push(super::world::again(&all[0]));
    world.record(&all).await;
    all.sort_by_key(|reading| std::cmp::Reverse(reading.webhook.receipt));
    let newest_first: Vec<_> = all.iter().map(|reading| reading.webhook.receipt).collect();
    let list = async |filter: DeliveryFilter| {
        let rows = world.stores.inspect.deliveries(&filter).await.unwrap();
        rows.iter().map(|row| row.receipt).collect::<Vec<_>>()
    };
    let any = DeliveryFilter::default;
    assert_eq!(list(any()).await, newest_first);
    assert_eq!(list(DeliveryFilter { limit: Some(2), ..any() }).await, newest_first[..2]);
    assert_eq!(list(DeliveryFilter { before: Some(newest_first[1]), ..any() }).await, newest_first[2..]);
    assert_eq!(list(DeliveryFilter { app: Some(app()), since: Some(at(3)), ..any() }).await.len(), 2);
    assert_eq!(list(DeliveryFilter { app: Some("nobody".parse().unwrap()), ..any() }).await, []);
    assert_eq!(list(DeliveryFilter { duplicate: Some(true), ..any() }).await.len(), 1);
    assert_eq!(list(DeliveryFilter { token: Some(token(1)), ..any() }).await.len(), 3);
    for (word, count) in [("verified", 4), ("pending", 1), ("rejected", 0), ("unchecked", 0), ("no such word", 0)] {
        let filter = DeliveryFilter { verification: Some(word.to_owned()), ..any() };
        assert_eq!(list(filter).await.len(), count, "{word}");
    }
}

/// By app and token.
pub async fn connections_are_listed_by_filter_and_page(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    for n in [3, 1, 2] {
        world.see(n, found(ready(n, 1)), 1).await;
    }
    let mut pending = ready(4, 1);
    pending["status"] = "PENDING".into();
    world.see(4, found(pending), 1).await;
    let list = async |filter: ConnectionFilter| {
        let rows = world.stores.inspect.connections(&filter).await.unwrap();
        rows.into_iter().map(|row| row.token).collect::<Vec<_>>()
    };
    let any = ConnectionFilter::default;
    assert_eq!(list(any()).await, [1, 2, 3, 4].map(token));
    assert_eq!(list(ConnectionFilter { limit: Some(2), ..any() }).await, [1, 2].map(token));
    assert_eq!(list(ConnectionFilter { after: Some((app(), token(2))), ..any() }).await, [3, 4].map(token));
    assert_eq!(list(ConnectionFilter { status: Some("PENDING".to_owned()), ..any() }).await, [token(4)]);
    assert_eq!(list(ConnectionFilter { external_id: Some("customer-3".to_owned()), ..any() }).await, [token(3)]);
    assert_eq!(list(ConnectionFilter { app: Some("nobody".parse().unwrap()), ..any() }).await, []);
    assert_eq!(list(ConnectionFilter { deleted: Some(true), ..any() }).await, []);
}

/// Why is it as it is, and when will it be looked at again?
pub async fn an_explanation_has_all_that_bears_on_a_connection(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    world.see(1, found(ready(1, 1)), 10).await;
    for second in 0..7 {
        world.hint(1, 100 + second).await;
        world.see(1, found(ready(1, 100 + second)), 200 + second).await;
    }
    let explanation = world.stores.inspect.explain(&app(), &token(1)).await.unwrap();
    assert_eq!(explanation.known.unwrap().version, 8);
    let look = explanation.refresh.unwrap();
    assert_eq!((look.hint_no, look.answered_no, look.hinted_at), (7, 0, Some(at(100))));
    assert_eq!(look.last_request_id.as_deref(), Some("request-1"));
    assert_eq!(explanation.deliveries.len(), 5);
    assert_eq!(explanation.events.len(), 5);
    assert_eq!(explanation.events[0], (None, "finlinkd.connection.synced.v1".to_owned(), at(206)));
    assert_eq!(explanation.gaps.len(), 1);
    assert!(!explanation.deletions_held);
    let nobody = world.stores.inspect.explain(&app(), &token(2)).await.unwrap();
    assert_eq!((nobody.known, nobody.refresh, nobody.deliveries.len()), (None, None, 0));
}

/// Counters and tables agree.
pub async fn totals_count_everything_once(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    let first = webhook(names(&[1]), bound(), at(5));
    world.record(&[first.clone(), super::world::again(&first), webhook(names(&[2]), pending(9), at(7))]).await;
    let claimed = world.claim_one(20).await.unwrap();
    assert_eq!(claimed.claims[0].cause, Cause::Hint);
    let waiting = world.stores.inspect.totals(at(20)).await.unwrap();
    assert_eq!((waiting.hints_unanswered, waiting.hint_oldest_at), (1, Some(at(5))));
    assert_eq!(waiting.overdue_since, None, "it is being read");
    let late = world.stores.inspect.totals(at(90)).await.unwrap();
    assert_eq!((late.overdue_since, late.overdue[&app()]), (Some(at(80)), 0), "nobody answered");
    assert_eq!(world.stores.inspect.totals(at(141)).await.unwrap().overdue[&app()], 1, "nor for a minute after");
    world.answer(&claimed, found(ready(1, 1)), 21).await;
    let totals = world.stores.inspect.totals(at(21)).await.unwrap();
    assert_eq!((totals.deliveries["verified"], totals.deliveries["pending"]), (2, 1));
    assert_eq!((totals.duplicates, totals.bodies), (1, 2));
    assert!(totals.body_bytes > 0);
    assert_eq!(totals.last_webhook_at[&app()], at(7));
    assert_eq!(totals.connections[&app()]["READY"], 1);
    assert_eq!((totals.events, totals.hints_unanswered, totals.hint_oldest_at), (2, 0, None));
    assert_eq!((totals.gaps_open, totals.overdue_since), (0, None));
}

/// Which runs should be heard of, and when each was: one that ended in order is left out, and one that nobody hears of for long.
pub async fn totals_tell_when_each_run_was_last_heard(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    let [first, second, ended] = [Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4()];
    let mark = async |instance, second: u64, last| {
        let mark =
            Checkpoint { instance, started_at: at(0), at: at(second), decided_through: 0, refused: Vec::new(), last };
        world.stores.intake.mark(&[mark]).await.unwrap();
    };
    let began = UtcMicros::now().minus(Duration::from_secs(1));
    mark(first, 10, false).await;
    mark(second, 10, false).await;
    mark(ended, 10, false).await;
    mark(ended, 20, true).await;
    // Recorded by the store's own clock.
    let now = world.stores.inspect.time().await.unwrap();
    let runs = world.stores.inspect.totals(now).await.unwrap().checkpoints;
    assert_eq!(runs.keys().copied().collect::<Vec<_>>(), {
        let mut open = vec![first, second];
        open.sort();
        open
    });
    assert!(runs.values().all(|heard| *heard > began), "{runs:?}");

    mark(second, 20, false).await;
    let later = world.stores.inspect.totals(now).await.unwrap();
    assert_eq!(later.checkpoints[&first], runs[&first], "the other one's marks do not count for it");
    assert!(later.checkpoints[&second] > runs[&second]);
    assert_eq!(later.checkpoint_at, later.checkpoints.values().max().copied());
    let long_after = later.checkpoints[&first].plus(RUN_HEARD_WITHIN);
    let runs = world.stores.inspect.totals(long_after).await.unwrap().checkpoints;
    assert_eq!(runs.into_keys().collect::<Vec<_>>(), [second]);
}
