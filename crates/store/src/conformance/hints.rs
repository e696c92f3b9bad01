//! Which rows a webhook hints at, and what a hint does (R1, R11).

use events::BodyTells;

use super::Engine;
use super::world::{World, again, app, at, bound, found, names, ready, token, unbound, webhook};
use connections::{Answer, Cause, Verdict};
use events::Verification;

/// Whatever its signature covers: it costs one read of a connection that is known anyway.
pub async fn a_known_token_is_hinted_at_itself(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    world.see(1, found(ready(1, 1)), 1).await;
    world.record(&[webhook(names(&[1]), unbound(), at(2))]).await;
    let look = world.look(1).await.unwrap();
    assert_eq!((look.hint_no, look.answered_no, look.hinted_at), (1, 0, Some(at(2))));
    let due = world.due(20).await;
    assert_eq!((due.hinted, due.list), (1, false));
    let claimed = world.claim_one(20).await.unwrap();
    assert_eq!((claimed.claims[0].cause, claimed.claims[0].hint_no), (Cause::Hint, 1));
}

/// R11: the signature vouches for the token; a read decides whether it exists.
pub async fn an_unknown_token_in_a_bound_body_gets_one_read(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    world.hint(1, 1).await;
    let claimed = world.claim_one(1).await.unwrap();
    assert_eq!(claimed.claims[0].token, Some(token(1)));
    assert_eq!(world.answer(&claimed, found(ready(1, 1)), 2).await.verdict, Verdict::Discovered);
    assert!(!world.due(1).await.list);
}

/// R11: anyone may have written the body, so it costs a list read at most, however many tokens it names.
pub async fn an_unknown_token_in_an_unbound_body_hints_at_its_app_once(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    world.record(&[webhook(names(&[1, 2, 3]), unbound(), at(1))]).await;
    assert_eq!((world.look(1).await, world.look(2).await), (None, None));
    let due = world.due(1).await;
    assert_eq!((due.hinted, due.scheduled, due.list), (0, 0, true));
    let claimed = world.claim_list(1, 10).await;
    assert_eq!((claimed.claims.len(), claimed.claims[0].hint_no, claimed.claims[0].cause), (1, 1, Cause::Hint));
}

/// Something happened in this app; a list tells what.
pub async fn a_body_that_names_nobody_hints_at_its_app(engine: &dyn Engine) {
    for tells in [BodyTells::Nothing, BodyTells::Unreadable] {
        let world = World::swept(engine).await;
        assert!(!world.due(1).await.list);
        world.record(&[webhook(tells, bound(), at(1))]).await;
        assert!(world.due(1).await.list);
    }
}

/// The tokens that count are hinted at, and the app for the rest; each once per delivery.
pub async fn a_body_that_names_more_than_counts_hints_at_its_app_too(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    let tells = BodyTells::Tokens { tokens: vec![token(1), token(2)], more: true };
    let first = webhook(tells, bound(), at(1));
    world.record(&[first.clone(), again(&first)]).await;
    assert_eq!(world.look(1).await.unwrap().hint_no, 2);
    assert_eq!(world.look(2).await.unwrap().hint_no, 2);
    assert_eq!(world.claim_list(1, 0).await.claims[0].hint_no, 2);
}

/// With verification off nobody vouches for a body.
pub async fn an_unchecked_webhook_hints_like_an_unbound_one(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    world.record(&[webhook(names(&[1]), Verification::Unchecked, at(1))]).await;
    assert_eq!(world.look(1).await, None);
    assert!(world.due(1).await.list);
}

/// R4, R11: hints pile up, reads do not.
pub async fn a_hint_never_lowers_not_before(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    world.see(1, found(ready(1, 1)), 1).await;
    let not_before = world.look(1).await.unwrap().not_before;
    assert!(not_before > at(1));
    world.hint(1, 2).await;
    world.hint(1, 3).await;
    assert_eq!(world.look(1).await.unwrap().not_before, not_before);
    assert_eq!(world.due(2).await.hinted, 0);
    assert!(world.claim_one(2).await.is_none());
    assert_eq!(world.due(2).await.next_at, Some(not_before));
}

/// R1: a read answers the hints that were there when it was claimed, and no later ones.
pub async fn a_hint_during_a_read_stays_unanswered(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    world.hint(1, 1).await;
    let claimed = world.claim_one(2).await.unwrap();
    world.hint(1, 3).await;
    world.hint(1, 4).await;
    assert!(world.claim_one(5).await.is_none(), "it is being read");
    world.answer(&claimed, found(ready(1, 1)), 5).await;
    let look = world.look(1).await.unwrap();
    assert_eq!((look.hint_no, look.answered_no, look.hinted_at), (3, 1, Some(at(3))));
    let claimed = world.claim_one(60).await.unwrap();
    assert_eq!((claimed.claims[0].hint_no, claimed.claims[0].cause), (3, Cause::Hint));
    world.answer(&claimed, found(ready(1, 2)), 61).await;
    let look = world.look(1).await.unwrap();
    assert_eq!((look.answered_no, look.hinted_at), (3, None));
}

/// R1: not even when nothing was left of the row that it was claimed from.
pub async fn an_answer_that_comes_too_late_answers_no_later_hint(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    for second in 1..=3 {
        world.hint(1, second).await;
    }
    let slow = world.claim_one(4).await.unwrap();
    let fast = world.claim_one(70).await.unwrap();
    world.answer(&fast, Answer::NotFound, 71).await;
    assert_eq!(world.look(1).await, None);
    world.hint(1, 72).await;
    world.answer(&slow, Answer::NotFound, 73).await;
    let look = world.look(1).await.unwrap();
    assert_eq!((look.hint_no - look.answered_no, look.hinted_at), (1, Some(at(72))));
}

/// A person asks about what exists; for the app itself a list is read.
pub async fn a_request_hints_at_what_is_known_only(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    let refresh = &world.stores.refresh;
    assert!(!refresh.request(&app(), Some(&token(1)), at(1)).await.unwrap());
    assert!(!refresh.request(&"nobody".parse().unwrap(), None, at(1)).await.unwrap());
    world.see(1, found(ready(1, 1)), 1).await;
    assert!(refresh.request(&app(), Some(&token(1)), at(20)).await.unwrap());
    assert!(refresh.request(&app(), None, at(20)).await.unwrap());
    let due = world.due(20).await;
    assert_eq!((due.hinted, due.list), (1, true));
    assert_eq!(world.claim_one(20).await.unwrap().claims[0].cause, Cause::Request);
    world.hint(1, 21).await;
    let claimed = world.claim_one(100).await.unwrap();
    assert_eq!(claimed.claims[0].cause, Cause::Hint, "a webhook told of it as well");
}
