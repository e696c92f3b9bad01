//! Deletion (R3): two questions, each answered twice, and an operator for many at once.

use connections::{Answer, Verdict};

use super::Engine;
use super::world::{World, app, at, found, ready, token};
use crate::{ConnectionFilter, Rules};

/// Asked when the store says that the questions are due, nothing else.
pub async fn a_404_and_an_absence_twice_apart_delete(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    world.see(1, found(ready(1, 1)), 10).await;
    world.hint(1, 100).await;
    let claimed = world.claim_one(100).await.unwrap();
    assert_eq!(world.answer(&claimed, Answer::NotFound, 101).await.verdict, Verdict::Missing);
    assert!(world.due(101).await.list, "the other question");
    assert_eq!(absent_from_a_list(&world, &[1], 102).await, [Verdict::Missing]);
    let due = world.due(103).await;
    assert_eq!((due.hinted, due.scheduled, due.list), (0, 0, false), "now the second round, ten minutes later");
    assert!(due.next_at.unwrap() >= at(102 + 600));

    let claimed = world.claim_one(702).await.unwrap();
    assert_eq!(world.answer(&claimed, Answer::NotFound, 703).await.verdict, Verdict::Missing);
    assert!(world.due(703).await.list);
    assert_eq!(absent_from_a_list(&world, &[1], 704).await, [Verdict::Deleted]);
    assert_eq!(world.connection(1).await.unwrap().deleted_at, Some(at(704)));
    assert_eq!(world.event_types().await.last().unwrap(), "deleted");
    assert_eq!(world.stores.refresh.live_tokens(&app()).await.unwrap(), []);
    let look = world.look(1).await.unwrap();
    assert_eq!((look.scheduled_at, look.hinted_at), (None, None), "nobody asks for it again");
}

/// However often and over whatever time.
pub async fn neither_answer_alone_deletes(engine: &dyn Engine) {
    for answer in [Answer::NotFound, Answer::NotListed] {
        let world = World::swept(engine).await;
        world.see(1, found(ready(1, 1)), 10).await;
        for round in 1..5 {
            let transition = world.see(1, answer.clone(), round * 3600).await;
            assert_eq!(transition.verdict, Verdict::Missing);
        }
        assert_eq!(world.connection(1).await.unwrap().deleted_at, None);
    }
}

/// R3: a later 200 revives.
pub async fn a_deleted_connection_revives_when_a_hint_finds_it(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    world.see(1, found(ready(1, 1)), 10).await;
    for second in [100, 800] {
        world.see(1, Answer::NotFound, second).await;
        world.see(1, Answer::NotListed, second + 1).await;
    }
    assert!(world.connection(1).await.unwrap().deleted_at.is_some());
    let listed = |deleted| ConnectionFilter { deleted: Some(deleted), ..ConnectionFilter::default() };
    assert_eq!(world.stores.inspect.connections(&listed(true)).await.unwrap().len(), 1);
    world.hint(1, 1000).await;
    let claimed = world.claim_one(1000).await.unwrap();
    assert_eq!(world.answer(&claimed, found(ready(1, 900)), 1001).await.verdict, Verdict::Revived);
    assert_eq!(world.connection(1).await.unwrap().deleted_at, None);
    assert!(world.look(1).await.unwrap().scheduled_at.is_some());
    assert!(world.event_types().await.contains(&"revived".to_owned()));
    assert_eq!(world.stores.inspect.connections(&listed(false)).await.unwrap().len(), 1);
}

/// A fault of Finlink's must not delete an app.
pub async fn many_missing_at_once_wait_for_an_operator(engine: &dyn Engine) {
    let rules = Rules { deletions_at_once_max: 2, ..Rules::default() };
    let world = World::open_with(engine, rules).await;
    world.sweep(0).await;
    for n in 1..=4 {
        world.see(n, found(ready(n, 1)), 10).await;
    }
    assert_eq!(world.stores.refresh.approve_deletions(&app(), at(11)).await.unwrap(), 0, "nothing is held");
    for second in [100, 2000] {
        for n in 1..=3 {
            world.see(n, Answer::NotListed, second).await;
            world.see(n, Answer::NotFound, second + 1).await;
        }
    }
    let totals = world.stores.inspect.totals(at(2001)).await.unwrap();
    assert_eq!(totals.deletions_held[&app()], 3);
    assert_eq!(totals.connections[&app()].get("DELETED"), None);
    assert!(world.stores.inspect.explain(&app(), &token(1)).await.unwrap().deletions_held);

    assert_eq!(world.stores.refresh.approve_deletions(&app(), at(2100)).await.unwrap(), 3);
    // One of them is there after all: the approval was not for that.
    world.see(3, found(ready(3, 1)), 2101).await;
    for n in 1..=2 {
        let claimed = world.claim_one(2102).await.unwrap();
        assert_eq!(claimed.claims[0].token, Some(token(n)));
        assert_eq!(world.answer(&claimed, Answer::NotFound, 2103).await.verdict, Verdict::Deleted);
    }
    let totals = world.stores.inspect.totals(at(2104)).await.unwrap();
    assert_eq!(totals.deletions_held.get(&app()), None);
    assert_eq!((totals.connections[&app()]["DELETED"], totals.connections[&app()]["READY"]), (2, 2));
}

/// Reads a list without the connections, and tells the store that it was complete.
async fn absent_from_a_list(world: &World, missing: &[u32], second: u64) -> Vec<Verdict> {
    let list = world.claim_list(second, 100).await;
    let observations: Vec<_> = missing
        .iter()
        .map(|n| crate::Observation {
            read: super::world::read(token(*n), list.read_no, Answer::NotListed, second),
            claim: list.claims.iter().find(|claim| claim.token == Some(token(*n))).cloned(),
        })
        .collect();
    let transitions = world.observe(&observations, second).await;
    world.stores.refresh.swept(&world.lease, &list.claims[0], at(second), at(second)).await.unwrap();
    transitions.iter().map(|transition| transition.verdict).collect()
}
