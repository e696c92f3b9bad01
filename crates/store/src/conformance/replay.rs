//! Recorded webhooks that count as hints again (R1, R11).

use std::collections::{BTreeMap, BTreeSet};

use connections::{Answer, Cause, Verdict};
use events::{BodyTells, Receipt, Verification};

use super::Engine;
use super::world::{World, again, app, at, bound, found, names, pending, ready, token, unbound, webhook};
use crate::{Aims, Decision, DeliveryFilter, Reading, Ruling, Target};

fn itself(n: u32) -> Target {
    (app(), Some(token(n)))
}

fn all() -> Target {
    (app(), None)
}

async fn aims(world: &World, readings: &[&Reading]) -> Aims {
    let receipts: Vec<Receipt> = readings.iter().map(|reading| reading.webhook.receipt).collect();
    world.stores.inspect.aims(&receipts).await.unwrap()
}

async fn replay(world: &World, targets: &[Target], second: u64) {
    let targets = targets.iter().cloned().collect();
    world.stores.refresh.replay(&targets, at(second)).await.unwrap();
}

/// R11: by what is known now, not by what was known then.
pub async fn webhooks_point_at_what_they_would_hint_at_now(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    let bound_unknown = webhook(names(&[1]), bound(), at(1));
    let unbound_unknown = webhook(names(&[2]), unbound(), at(1));
    let unbound_late = webhook(names(&[3]), unbound(), at(1));
    let unchecked = webhook(names(&[3, 4]), Verification::Unchecked, at(1));
    let nothing = webhook(BodyTells::Nothing, bound(), at(1));
    let more = webhook(BodyTells::Tokens { tokens: vec![token(5)], more: true }, bound(), at(1));
    let waits = webhook(names(&[6]), pending(9), at(1));
    let forged = webhook(names(&[7]), pending(8), at(1));
    let twice = again(&bound_unknown);
    let all_of_them =
        [&bound_unknown, &unbound_unknown, &unbound_late, &unchecked, &nothing, &more, &waits, &forged, &twice];
    world.record(&all_of_them.map(Clone::clone)).await;
    let rejected = Ruling { receipt: forged.webhook.receipt, decision: Decision::Rejected("no such key".to_owned()) };
    world.stores.refresh.decide(&world.lease, &[rejected]).await.unwrap();
    world.see(3, found(ready(3, 1)), 2).await;

    let of = async |reading: &Reading| {
        let aims = aims(&world, &[reading]).await;
        assert_eq!((aims.webhooks, aims.silent.len()), (1, 0));
        aims.targets.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(of(&bound_unknown).await, [itself(1)]);
    assert_eq!(of(&unbound_unknown).await, [all()]);
    assert_eq!(of(&unbound_late).await, [itself(3)], "it is known meanwhile");
    assert_eq!(of(&unchecked).await, [all(), itself(3)]);
    assert_eq!(of(&nothing).await, [all()]);
    assert_eq!(of(&more).await, [all(), itself(5)]);

    let silent = |words: &[(&str, u64)]| words.iter().map(|&(word, count)| (word.to_owned(), count)).collect();
    let expected = Aims { webhooks: 0, silent: silent(&[("pending", 1), ("rejected", 1)]), targets: BTreeSet::new() };
    assert_eq!(aims(&world, &[&waits, &forged]).await, expected);
    let mut together = all_of_them.to_vec();
    together.push(&nothing);
    let unrecorded = webhook(names(&[1]), bound(), at(1));
    together.push(&unrecorded);
    let together = aims(&world, &together).await;
    assert_eq!(together.silent, expected.silent);
    assert_eq!(together.targets, BTreeSet::from([all(), itself(1), itself(3), itself(5)]));
    assert_eq!(aims(&world, &[&unrecorded]).await, Aims::default());
}

/// The rows are raised and nothing else: deliveries, sums, books and connections are as before.
pub async fn a_replay_hints_at_everything_once_and_records_nothing(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    world.see(1, found(ready(1, 1)), 1).await;
    world.hint(1, 2).await;
    let claimed = world.claim_one(20).await.unwrap();
    world.answer(&claimed, found(ready(1, 2)), 21).await;
    let before = (
        world.connection(1).await,
        world.stores.inspect.deliveries(&DeliveryFilter::default()).await.unwrap(),
        world.stores.inspect.books().await.unwrap(),
        world.stores.inspect.totals(at(30)).await.unwrap(),
    );
    let not_before = world.look(1).await.unwrap().not_before;
    replay(&world, &[itself(1), itself(2), all()], 22).await;
    let known = world.look(1).await.unwrap();
    assert_eq!((known.hint_no, known.answered_no, known.hinted_at), (2, 1, Some(at(22))));
    assert_eq!(known.not_before, not_before, "it is read no sooner than it may be");
    let unknown = world.look(2).await.unwrap();
    assert_eq!((unknown.hint_no - unknown.answered_no, unknown.hinted_at), (1, Some(at(22))));
    assert_eq!(world.claim_list(40, 0).await.claims[0].hint_no, 1);

    let mut totals = world.stores.inspect.totals(at(30)).await.unwrap();
    assert_eq!((totals.hints_unanswered, totals.hint_oldest_at), (3, Some(at(22))));
    // What waits is more, and nothing else.
    (totals.hints_unanswered, totals.hint_oldest_at) = (before.3.hints_unanswered, before.3.hint_oldest_at);
    (totals.overdue_since, totals.overdue) = (before.3.overdue_since, before.3.overdue.clone());
    let after = (
        world.connection(1).await,
        world.stores.inspect.deliveries(&DeliveryFilter::default()).await.unwrap(),
        world.stores.inspect.books().await.unwrap(),
        totals,
    );
    assert_eq!(after, before);
    replay(&world, &[], 23).await;
    assert_eq!(world.look(1).await.unwrap().hint_no, 2);
}

/// No webhook came: a gap that is open stays so, and what is found now no webhook told of. One that waits still counts.
pub async fn a_replay_is_a_persons_wish_and_waits_its_turn(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    world.see(1, found(ready(1, 1)), 1).await;
    world.see(1, found(ready(1, 2)), 2).await;
    let gaps = world.stores.inspect.totals(at(2)).await.unwrap().gaps_open;
    assert_eq!(gaps, 2, "no webhook told of its import, nor of its update");
    replay(&world, &[itself(1)], 20).await;
    let claimed = world.claim_one(20).await.unwrap();
    assert_eq!((claimed.claims[0].cause, claimed.claims[0].hint_no), (Cause::Request, 1));
    replay(&world, &[itself(1)], 21).await;
    world.answer(&claimed, found(ready(1, 2)), 22).await;
    let look = world.look(1).await.unwrap();
    assert_eq!((look.hint_no, look.answered_no, look.hinted_at), (2, 1, Some(at(21))), "it came during the read");
    let claimed = world.claim_one(100).await.unwrap();
    world.answer(&claimed, found(ready(1, 2)), 101).await;
    let look = world.look(1).await.unwrap();
    assert_eq!((look.answered_no, look.reason.as_str()), (2, "schedule"), "nothing lags a webhook");
    assert_eq!(world.stores.inspect.totals(at(101)).await.unwrap().gaps_open, gaps);

    world.hint(1, 200).await;
    replay(&world, &[itself(1)], 201).await;
    let claimed = world.claim_one(210).await.unwrap();
    assert_eq!((claimed.claims[0].cause, claimed.claims[0].hint_no), (Cause::Hint, 4));
}

/// R1: whatever was claimed before answers no hint that comes after, also where nothing was left of the row.
pub async fn a_replay_has_a_token_read_again_that_was_not_there(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    let reading = webhook(names(&[1]), bound(), at(1));
    world.record(std::slice::from_ref(&reading)).await;
    let slow = world.claim_one(4).await.unwrap();
    let fast = world.claim_one(70).await.unwrap();
    assert_eq!(world.answer(&fast, Answer::NotFound, 71).await.verdict, Verdict::Unknown);
    assert_eq!(world.look(1).await, None);
    let aims = aims(&world, &[&reading]).await;
    assert_eq!(aims, Aims { webhooks: 1, silent: BTreeMap::new(), targets: BTreeSet::from([itself(1)]) });
    replay(&world, &[itself(1)], 72).await;
    world.answer(&slow, Answer::NotFound, 73).await;
    let look = world.look(1).await.unwrap();
    assert_eq!((look.hint_no - look.answered_no, look.hinted_at), (1, Some(at(72))));
    let claimed = world.claim_one(140).await.unwrap();
    assert_eq!(claimed.claims[0].cause, Cause::Request);
    assert_eq!(world.answer(&claimed, found(ready(1, 1)), 141).await.verdict, Verdict::Discovered);
}
