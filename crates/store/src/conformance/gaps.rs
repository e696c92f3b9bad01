//! Gaps: changes that a read found and that no webhook had told of.

use super::Engine;
use super::world::{World, app, at, bound, found, ready, webhook};
use crate::{GapFilter, GapRow};

async fn gaps(world: &World) -> Vec<GapRow> {
    world.stores.inspect.gaps(&GapFilter::default()).await.unwrap()
}

/// It is healed when it is found, and open until its webhook comes or cannot come any more.
pub async fn a_change_that_no_webhook_told_of_is_a_gap(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    world.see(1, found(ready(1, 1)), 10).await;
    let before = gaps(&world).await.len();
    world.see(1, found(ready(1, 500)), 1000).await;
    let all = gaps(&world).await;
    assert_eq!(all.len(), before + 1);
    assert_eq!((all[0].kind.as_str(), all[0].found_at, all[0].closed_at), ("update", at(1000), None));
    let of = async |filter| world.stores.inspect.gaps(&filter).await.unwrap();
    let limited = of(GapFilter { app: Some(app()), open: Some(true), since: Some(at(1000)), limit: Some(5) }).await;
    assert_eq!(limited, all[..1]);
    assert_eq!(of(GapFilter { open: Some(false), ..GapFilter::default() }).await, []);
    let totals = world.stores.inspect.totals(at(1000)).await.unwrap();
    assert_eq!((totals.gaps[&app()]["update"], totals.gaps_open), (1, all.len() as u64));
}

/// A sweep finds it first, but the webhook had arrived.
pub async fn a_change_that_a_waiting_hint_told_of_is_none(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    world.hint(1, 1).await;
    world.see(1, found(ready(1, 1)), 10).await;
    world.hint(1, 600).await;
    world.see(1, found(ready(1, 500)), 1000).await;
    assert_eq!(gaps(&world).await, []);
}

/// The API lagged the webhook, and a sweep comes before the second look.
pub async fn a_change_found_before_the_second_look_after_a_hint_is_none(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    world.hint(1, 1).await;
    let claimed = world.claim_one(2).await.unwrap();
    world.answer(&claimed, found(ready(1, 1)), 3).await;
    world.hint(1, 1000).await;
    let claimed = world.claim_one(1000).await.unwrap();
    world.answer(&claimed, found(ready(1, 1)), 1001).await;
    world.see(1, found(ready(1, 999)), 1030).await;
    assert_eq!(gaps(&world).await, []);
    world.see(1, found(ready(1, 1999)), 2030).await;
    assert_eq!(gaps(&world).await.len(), 1, "nothing told of this one");
}

/// A webhook told of something in this app; it may have been this.
pub async fn a_change_found_while_its_app_is_hinted_at_is_none(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    world.record(&[webhook(events::BodyTells::Unreadable, bound(), at(1))]).await;
    let transition = world.see(1, found(ready(1, 1)), 10).await;
    assert_eq!(transition.gap, None);
    assert_eq!(gaps(&world).await, []);
    world.sweep(20).await;
    assert!(world.see(2, found(ready(2, 1)), 30).await.gap.is_some(), "the hint is answered now");
}

/// A hint that finds nothing new, at the second look neither, may be the webhook that was missed: that one, and no other.
pub async fn a_late_hint_closes_the_oldest_gap(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    world.hint(1, 1).await;
    let claimed = world.claim_one(2).await.unwrap();
    world.answer(&claimed, found(ready(1, 1)), 3).await;
    world.see(1, found(ready(1, 500)), 1000).await;
    world.see(1, found(ready(1, 1500)), 2000).await;
    world.hint(1, 3000).await;
    let claimed = world.claim_one(3000).await.unwrap();
    world.answer(&claimed, found(ready(1, 1500)), 3001).await;
    assert_eq!(world.stores.inspect.totals(at(3001)).await.unwrap().gaps_open, 2, "the API may lag its webhook");
    let claimed = world.claim_one(3061).await.unwrap();
    world.answer(&claimed, found(ready(1, 1500)), 3062).await;
    let all = gaps(&world).await;
    assert_eq!(all.len(), 2);
    assert_eq!((all[0].found_at, all[0].outcome.as_deref()), (at(2000), None));
    assert_eq!((all[1].found_at, all[1].outcome.as_deref()), (at(1000), Some("late")));
    assert_eq!(all[1].closed_at, Some(at(3062)));
    let totals = world.stores.inspect.totals(at(3062)).await.unwrap();
    assert_eq!((totals.gaps_open, totals.gaps_late), (1, 1));
}

/// After the time within which the sender may still retry.
pub async fn a_gap_whose_webhook_never_comes_is_lost(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    world.see(1, found(ready(1, 1)), 10).await;
    let close = async |second| world.stores.refresh.close_gaps(&app(), at(second)).await.unwrap();
    assert_eq!(close(10 + 25 * 3600).await, 0);
    assert_eq!(close(11 + 25 * 3600).await, 1);
    assert_eq!(close(12 + 25 * 3600).await, 0);
    let all = gaps(&world).await;
    assert_eq!((all[0].outcome.as_deref(), all[0].closed_at), (Some("lost"), Some(at(11 + 25 * 3600))));
    assert_eq!(world.stores.inspect.totals(at(0)).await.unwrap().gaps_open, 0);
}
