//! What reads do (R2, R6): state, events and the next look in one transaction.

use connections::{Answer, Cause, Verdict};

use super::Engine;
use super::world::{World, at, found, read, ready, token};
use crate::{Observation, Rules, StoreError};

/// The row, its version, its event and what a person sees of it.
pub async fn the_state_and_its_events_come_together(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    world.see(1, found(ready(1, 1)), 10).await;
    let transition = world.see(1, found(ready(1, 500)), 1000).await;
    assert_eq!(transition.verdict, Verdict::Changed);
    let connection = world.connection(1).await.unwrap();
    assert_eq!((connection.version, connection.as_of), (2, at(1000)));
    assert_eq!((connection.updated_at, connection.entity.as_deref()), (Some(at(500)), Some("santander")));
    let known = world.stores.inspect.explain(&world.lease.app, &token(1)).await.unwrap().known.unwrap();
    assert_eq!(Some(known), transition.after, "what is kept is what the rules said, unknown fields included");
    assert_eq!(world.event_types().await, ["discovered", "imported", "synced"]);
}

/// It moves the time of the newest look, and nothing else.
pub async fn an_unchanged_read_is_no_event(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    world.see(1, found(ready(1, 1)), 10).await;
    let events = world.event_types().await;
    for second in [1000, 2000] {
        let transition = world.see(1, found(ready(1, 1)), second).await;
        assert_eq!(transition.verdict, Verdict::Unchanged);
        let known = world.stores.inspect.explain(&world.lease.app, &token(1)).await.unwrap().known;
        assert_eq!(known, transition.after);
    }
    assert_eq!(world.connection(1).await.unwrap().as_of, at(2000));
    assert_eq!(world.event_types().await, events);
}

/// R6: a first start is not a thousand events.
pub async fn what_the_first_sweep_finds_is_not_announced_unless_asked_for(engine: &dyn Engine) {
    let world = World::open(engine).await;
    world.see(1, found(ready(1, 1)), 1).await;
    assert_eq!(world.event_types().await, [""; 0]);
    world.sweep(2).await;
    world.see(2, found(ready(2, 1)), 3).await;
    assert_eq!(world.event_types().await, ["discovered", "imported"]);

    let asked = World::open_with(engine, Rules { announce_existing: true, ..Rules::default() }).await;
    asked.see(1, found(ready(1, 1)), 1).await;
    assert_eq!(asked.event_types().await, ["discovered", "imported"]);
}

/// The elements of a list, some claimed and some not, one of them twice.
pub async fn a_list_of_many_is_one_transaction_in_the_order_asked(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    world.hint(5, 1).await;
    let list = world.claim_list(2, 10).await;
    let element = |n: u32, updated: u64| Observation {
        read: read(token(n), list.read_no, found(ready(n, updated)), 3),
        claim: list.claims.iter().find(|claim| claim.token == Some(token(n))).cloned(),
    };
    let elements: Vec<_> = [9, 5, 7, 5].map(|n| element(n, 1)).to_vec();
    let transitions = world.observe(&elements, 3).await;
    let tokens: Vec<_> = transitions.iter().map(|t| t.after.as_ref().unwrap().token().clone()).collect();
    assert_eq!(tokens, [9, 5, 7, 5].map(token));
    let verdicts: Vec<_> = transitions.iter().map(|transition| transition.verdict).collect();
    assert_eq!(verdicts[..3], [Verdict::Discovered; 3]);
    assert_eq!(verdicts[3], Verdict::Stale, "the same read again");
    let look = world.look(5).await.unwrap();
    assert_eq!((look.answered_no, look.claimed_until, look.hinted_at), (1, None, None));
    assert_eq!(world.stores.refresh.live_tokens(&world.lease.app).await.unwrap(), [5, 7, 9].map(token));
}

/// R11: one read of it; then nothing is left, unless somebody hinted again meanwhile.
pub async fn an_unknown_token_that_is_not_there_is_forgotten(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    world.hint(1, 1).await;
    let claimed = world.claim_one(2).await.unwrap();
    world.hint(1, 3).await;
    assert_eq!(world.answer(&claimed, Answer::NotFound, 4).await.verdict, Verdict::Unknown);
    let look = world.look(1).await.unwrap();
    assert_eq!((look.hint_no, look.answered_no, look.hinted_at), (2, 1, Some(at(3))));
    assert!(world.claim_one(5).await.is_none(), "not at once again");
    let claimed = world.claim_one(60).await.unwrap();
    world.answer(&claimed, Answer::NotFound, 61).await;
    assert_eq!(world.look(1).await, None);
    assert_eq!(world.connection(1).await, None);
}

/// R2: the API may lag its webhook; a list read for another reason does not stand in for the second look.
pub async fn the_second_look_after_a_hint_outlives_a_sweep(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    world.see(1, found(ready(1, 1)), 10).await;
    world.hint(1, 100).await;
    let claimed = world.claim_one(101).await.unwrap();
    assert_eq!(world.answer(&claimed, found(ready(1, 1)), 102).await.verdict, Verdict::Unchanged);
    let second_look = world.look(1).await.unwrap();
    assert_eq!(second_look.reason, "lag");
    world.see(1, found(ready(1, 1)), 110).await;
    let look = world.look(1).await.unwrap();
    assert_eq!((look.reason, look.scheduled_at), (second_look.reason, second_look.scheduled_at));
    let claimed = world.claim_one(170).await.unwrap();
    assert_eq!(claimed.claims[0].cause, Cause::Lag);
    world.answer(&claimed, found(ready(1, 1)), 171).await;
    assert_eq!(world.look(1).await.unwrap().reason, "schedule", "it is repeated once");
}

/// A list closer than `not_before` is not due, hinted or not.
pub async fn a_sweep_answers_the_app_and_schedules_the_next(engine: &dyn Engine) {
    let world = World::open(engine).await;
    let list = world.claim_list(0, 10).await;
    assert_eq!(list.claims[0].cause, Cause::Sweep);
    world.record(&[super::world::webhook(events::BodyTells::Nothing, super::world::bound(), at(1))]).await;
    world.stores.refresh.swept(&world.lease, &list.claims[0], at(2), at(30)).await.unwrap();
    assert!(!world.due(29).await.list);
    assert!(world.due(30).await.list, "the hint during the list is not answered");
    let list = world.claim_list(30, 10).await;
    assert_eq!(list.claims[0].cause, Cause::Hint);
    world.stores.refresh.swept(&world.lease, &list.claims[0], at(31), at(60)).await.unwrap();
    // The API may lag the webhook that hinted: a list that answered it is repeated, once.
    assert!(!world.due(90).await.list);
    assert!(world.due(91).await.list);
    let list = world.claim_list(91, 10).await;
    assert_eq!(list.claims[0].cause, Cause::Sweep);
    world.stores.refresh.swept(&world.lease, &list.claims[0], at(92), at(120)).await.unwrap();
    assert!(!world.due(92 + 3599).await.list);
    assert!(world.due(92 + 3600).await.list);
    let totals = world.stores.inspect.totals(at(92)).await.unwrap();
    assert_eq!(totals.swept_at[&world.lease.app], at(92));
}

/// The lease is for one app.
pub async fn a_read_of_another_app_is_refused(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    let mut stray = read(token(1), 1, found(ready(1, 1)), 1);
    stray.app = "bank".parse().unwrap();
    let stray = Observation { read: stray, claim: None };
    let outcome = world.stores.refresh.observe(&world.lease, &[stray], None, at(1)).await;
    assert!(matches!(outcome, Err(StoreError::Incompatible(_))), "{outcome:?}");
}
