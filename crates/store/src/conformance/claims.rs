//! Who is read next, and that nobody else reads it meanwhile (R1, R4).

use std::collections::BTreeSet;

use connections::{Answer, Cause};

use super::Engine;
use super::world::{World, at, found, ready, token};
use crate::Postponement;

/// R4: whoever was told of does not wait behind routine.
pub async fn hinted_rows_come_first_then_those_due_for_longest(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    for n in 1..=3 {
        world.see(n, found(ready(n, 0)), u64::from(n)).await;
    }
    let late = 8 * 24 * 3600;
    world.hint(3, 40).await;
    world.hint(9, 30).await;
    let mut order = Vec::new();
    while let Some(claimed) = world.claim_one(late).await {
        order.push((claimed.claims[0].token.clone().unwrap(), claimed.claims[0].cause));
    }
    let expected =
        [(token(9), Cause::Hint), (token(3), Cause::Hint), (token(1), Cause::Schedule), (token(2), Cause::Schedule)];
    assert_eq!(order, expected);
}

/// Claims are made one by one, whoever makes them at the same time.
pub async fn two_claimers_never_get_the_same_row(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    for n in 0..20 {
        world.hint(n, 1).await;
    }
    let all_of = async || {
        let mut claimed = Vec::new();
        while let Some(one) = world.claim_one(2).await {
            claimed.push(one);
        }
        claimed
    };
    let list = world.claim_list(2, 7);
    let (mut claimed, more, list) = tokio::join!(all_of(), all_of(), list);
    claimed.extend(more);
    claimed.push(list);
    let tokens: Vec<_> =
        claimed.iter().flat_map(|claimed| &claimed.claims).filter_map(|claim| claim.token.clone()).collect();
    assert_eq!(tokens.len(), 20);
    assert_eq!(tokens.into_iter().collect::<BTreeSet<_>>().len(), 20);
    let numbers: BTreeSet<_> = claimed.iter().map(|claimed| claimed.read_no).collect();
    assert_eq!(numbers.len(), claimed.len(), "R2: every read has a number of its own");
}

/// A process that died holds nobody up for longer than its claim.
pub async fn a_claim_that_is_not_answered_ends_by_itself(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    world.hint(1, 1).await;
    let lost = world.claim_one(2).await.unwrap();
    assert!(world.claim_one(61).await.is_none());
    let anew = world.claim_one(63).await.unwrap();
    assert_eq!(anew.claims, lost.claims);
    assert!(anew.read_no > lost.read_no);
}

/// R3, R4: many due rows become one list; the second question of a deletion is asked alone.
pub async fn a_list_claims_the_app_and_what_a_list_can_answer(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    for n in 1..=4 {
        world.see(n, found(ready(n, 0)), 1).await;
    }
    world.see(4, Answer::NotListed, 2).await;
    world.hint(2, 3).await;
    let late = 8 * 24 * 3600;
    let due = world.due(late).await;
    assert_eq!((due.hinted, due.scheduled, due.single_only, due.list), (1, 3, 1, true));
    let claimed = world.claim_list(late, 2).await;
    let tokens: Vec<_> = claimed.claims.iter().map(|claim| claim.token.clone()).collect();
    assert_eq!(tokens, [None, Some(token(2)), Some(token(1))], "the app, hinted ones, then the rest up to the limit");
    let single = world.claim_one(late).await.unwrap();
    assert_eq!((single.claims[0].token.clone(), single.claims[0].cause), (Some(token(4)), Cause::Missing));
    let due = world.due(late).await;
    assert_eq!((due.hinted, due.scheduled, due.single_only, due.list), (0, 1, 0, false));
}

/// An answer that did not come leaves the question open.
pub async fn a_postponed_claim_waits_and_keeps_its_hint(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    world.hint(1, 1).await;
    let claimed = world.claim_one(2).await.unwrap();
    let postponement = |counts| Postponement {
        claim: claimed.claims[0].clone(),
        until: at(30),
        error: "503".to_owned(),
        request_id: Some("request-9".to_owned()),
        counts,
    };
    world.stores.refresh.postpone(&world.lease, &[postponement(true)]).await.unwrap();
    world.stores.refresh.postpone(&world.lease, &[postponement(false)]).await.unwrap();
    let look = world.look(1).await.unwrap();
    assert_eq!((look.hinted_at, look.answered_no, look.failures), (Some(at(1)), 0, 1));
    assert_eq!((look.last_error.as_deref(), look.last_request_id.as_deref()), (Some("503"), Some("request-9")));
    assert!(world.claim_one(29).await.is_none());
    let claimed = world.claim_one(30).await.unwrap();
    assert_eq!((claimed.claims[0].cause, claimed.claims[0].failures), (Cause::Hint, 1));
    world.answer(&claimed, found(ready(1, 1)), 31).await;
    let look = world.look(1).await.unwrap();
    assert_eq!((look.failures, look.last_error, look.last_request_id.as_deref()), (0, None, Some("request-1")));
}

/// So that the loop sleeps for as long as it may.
pub async fn due_says_when_the_next_row_becomes_claimable(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    world.see(1, found(ready(1, 0)), 1).await;
    let scheduled_at = world.look(1).await.unwrap().scheduled_at.unwrap();
    world.see(2, found(ready(2, 0)), 2).await;
    let due = world.due(3).await;
    assert_eq!((due.hinted, due.scheduled, due.list), (0, 0, false));
    assert_eq!(due.next_at, Some(at(3600).min(scheduled_at)), "the next sweep, or the first connection");
    assert!(world.due(3600).await.list);
    assert_eq!(world.due(3600).await.next_at, None);
}
