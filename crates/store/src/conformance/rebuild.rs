//! The table of connections is what the reads on record make of it (R2, R3, R6).

use std::fmt::Write;

use connections::{Answer, Cause, Verdict};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use super::world::{World, app, at, found, read, ready, token};
use super::{Engine, Stores};
use crate::{Claim, Compared, Observation, RebuildFilter, Rules};

/// Connections of a page.
const LIMIT: usize = 7;

fn any() -> RebuildFilter {
    RebuildFilter { app: app(), token: None, limit: LIMIT, after: None }
}

/// All pages together.
async fn compare(stores: &Stores) -> Compared {
    let (mut all, mut filter) = (Compared::default(), any());
    loop {
        let page = stores.inspect.compare(&filter).await.unwrap();
        all.connections += page.connections;
        all.differing += page.differing;
        all.differences.extend(page.differences);
        filter.after = page.next;
        if filter.after.is_none() {
            return all;
        }
    }
}

fn same(connections: u64) -> Compared {
    Compared { connections, ..Compared::default() }
}

/// Its status word, too.
fn with_status(n: u32, updated: u64, status: &str) -> Value {
    let mut raw = ready(n, updated);
    raw["status"] = status.into();
    raw
}

/// A connection of each kind: read once, again and again, changed, gone back and repeated, missing, held, deleted, revived.
pub async fn what_every_rule_did_is_rebuilt(engine: &dyn Engine) {
    let world = World::open_with(engine, Rules { deletions_at_once_max: 1, ..Rules::default() }).await;
    assert_eq!(compare(&world.stores).await, same(0));
    // Not announced: it was there before.
    world.see(1, found(ready(1, 1)), 1).await;
    world.sweep(2).await;
    for n in 2..=9 {
        world.see(n, found(ready(n, 1)), 10).await;
    }
    assert_eq!(compare(&world.stores).await, same(9));
    // The same in another writing, by the schedule: nothing is put on record.
    let mut rewritten = ready(2, 1);
    rewritten["somethingElse"] = Value::Null;
    let claim = Claim { app: app(), token: Some(token(2)), hint_no: 0, cause: Cause::Schedule, failures: 0 };
    let read_no = world.claim_list(400, 0).await.read_no;
    let again = Observation { read: read(token(2), read_no, found(rewritten), 400), claim: Some(claim) };
    assert_eq!(world.observe(&[again], 400).await[0].verdict, Verdict::Unchanged);
    world.see(3, found(with_status(3, 2, "UPDATING")), 20).await;
    world.see(3, found(with_status(3, 2, "A\u{0}WORD")), 30).await;
    // Its `updatedAt` goes back: repeated, not yet, never.
    world.see(4, found(ready(4, 0)), 20).await;
    world.see(4, found(ready(4, 0)), 90).await;
    assert_eq!(world.see(5, found(ready(5, 0)), 20).await.verdict, Verdict::Suspect);
    world.see(2, found(ready(2, 0)), 500).await;
    assert_eq!(world.see(2, found(ready(2, 1)), 510).await.verdict, Verdict::Unchanged);
    // Missing for a while; deleted; deleted and there again.
    world.see(6, Answer::NotFound, 20).await;
    world.see(6, Answer::NotListed, 21).await;
    assert_eq!(world.see(6, found(ready(6, 1)), 22).await.verdict, Verdict::Unchanged);
    for (n, second) in [(7, 100), (7, 800), (8, 900), (8, 1600)] {
        world.see(n, Answer::NotListed, second).await;
        world.see(n, Answer::NotFound, second + 1).await;
    }
    assert_eq!(world.see(7, found(ready(7, 5)), 1700).await.verdict, Verdict::Revived);
    assert!(world.connection(8).await.unwrap().deleted_at.is_some());
    assert_eq!(compare(&world.stores).await, same(9));
    // Too many at once wait for an operator; then one of them proceeds and one is there after all.
    for second in [2000, 2700] {
        for n in [1, 3, 9] {
            world.see(n, Answer::NotListed, second).await;
            world.see(n, Answer::NotFound, second + 1).await;
        }
    }
    assert_eq!(world.stores.inspect.totals(at(2701)).await.unwrap().deletions_held[&app()], 3);
    assert_eq!(compare(&world.stores).await, same(9));
    assert_eq!(world.stores.refresh.approve_deletions(&app(), at(2800)).await.unwrap(), 3);
    assert_eq!(world.see(1, Answer::NotFound, 2801).await.verdict, Verdict::Deleted);
    world.see(9, found(ready(9, 1)), 2802).await;
    assert_eq!(compare(&world.stores).await, same(9));
    // Nothing is remembered of what was never there.
    assert_eq!(world.see(10, Answer::NotFound, 3000).await.verdict, Verdict::Unknown);
    assert_eq!(compare(&world.stores).await, same(9));
}

/// A read: what was answered, so many seconds after the one before, and how many reads overtake it.
type Step = (Answered, u64, usize);

#[derive(Debug, Clone, Copy)]
enum Answered {
    /// It is there, last updated at this second of ten.
    Found(u64),
    NotFound,
    NotListed,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let answered = prop_oneof![
        4 => (0_u64..4).prop_map(Answered::Found),
        2 => Just(Answered::NotFound),
        2 => Just(Answered::NotListed),
    ];
    proptest::collection::vec((answered, prop::sample::select(vec![1, 60, 300, 700]), 0_usize..4), 1..16)
}

/// The reads of a connection in the order in which they are answered: some are overtaken. The first one found it.
fn reads(n: u32, steps: &[Step]) -> Vec<Observation> {
    let mut second = 1;
    let mut reads = vec![(0, read(token(n), 1, found(ready(n, 2)), second))];
    for ((place, read_no), (answered, after, overtaken)) in (1..).zip(2..).zip(steps) {
        second += after;
        let answer = match answered {
            Answered::Found(updated) => found(ready(n, *updated)),
            Answered::NotFound => Answer::NotFound,
            Answered::NotListed => Answer::NotListed,
        };
        reads.push((place + 2 * overtaken, read(token(n), read_no, answer, second)));
    }
    reads[1..].sort_by_key(|(place, _)| *place);
    let causes = Cause::ALL.into_iter().cycle();
    let claim = |cause| Claim { app: app(), token: Some(token(n)), hint_no: 0, cause, failures: 0 };
    let observed = reads.into_iter().zip(causes);
    observed.map(|((_, read), cause)| Observation { read, claim: Some(claim(cause)) }).collect()
}

/// Of many connections at the same time, so that now and then too many are missing.
pub async fn any_history_is_rebuilt(engine: &dyn Engine) {
    const CONNECTIONS: u32 = 60;
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
    let world = World::swept(engine).await;
    let histories: Vec<_> = (1..=CONNECTIONS).map(|n| (n, steps().new_tree(&mut runner).unwrap().current())).collect();
    let mut left: Vec<_> = histories.iter().map(|(n, steps)| reads(*n, steps).into_iter()).collect();
    let mut second = 0;
    while left.iter().any(|reads| !reads.as_slice().is_empty()) {
        second += 1;
        for read in left.iter_mut().filter_map(Iterator::next) {
            world.observe(&[read.clone(), read], second).await;
        }
        if second % 4 == 0 {
            world.stores.refresh.approve_deletions(&app(), at(second)).await.unwrap();
        }
    }
    let compared = compare(&world.stores).await;
    let mut told = String::new();
    for difference in &compared.differences {
        let history = histories.iter().find(|(n, _)| token(*n) == difference.token).unwrap();
        writeln!(told, "{difference:?}: {history:?}").unwrap();
    }
    assert_eq!(compared, same(u64::from(CONNECTIONS)), "{told}");
}

/// The end of a proof, that it is there after all, and that it is missing once more, in every order in which they can be judged:
/// whether its deletion is still held depends on it.
pub async fn a_held_deletion_is_rebuilt_in_whatever_order_its_reads_were_judged(engine: &dyn Engine) {
    const BEGINNING: [Step; 2] = [(Answered::NotListed, 1, 0), (Answered::NotFound, 1, 0)];
    const END: [Step; 4] = [
        (Answered::NotListed, 700, 0),
        (Answered::NotFound, 1, 0),
        (Answered::Found(2), 1, 0),
        (Answered::NotListed, 1, 0),
    ];
    let world = World::open_with(engine, Rules { deletions_at_once_max: 0, ..Rules::default() }).await;
    world.sweep(0).await;
    let judged = |(n, order): (u32, [usize; 4])| {
        let mut reads = reads(n, &[&BEGINNING[..], &END[..]].concat());
        let end = reads.split_off(1 + BEGINNING.len());
        reads.extend(order.map(|place| end[place].clone()));
        reads
    };
    let histories: Vec<_> = (1..).zip(orders()).map(judged).collect();
    for place in 0..histories[0].len() {
        let judged: Vec<_> = histories.iter().map(|reads| reads[place].clone()).collect();
        world.observe(&judged, 5000 + place as u64).await;
    }
    let held = world.stores.inspect.totals(at(6000)).await.unwrap().deletions_held[&app()];
    assert!(held > 0 && held < histories.len() as u64, "{held}");
    assert_eq!(compare(&world.stores).await, same(histories.len() as u64));
}

/// Every order of four.
fn orders() -> impl Iterator<Item = [usize; 4]> {
    let all = (0..256_usize).map(|digits| [digits & 3, digits >> 2 & 3, digits >> 4 & 3, digits >> 6]);
    all.filter(|order| (0..4).all(|place| order.contains(&place)))
}

/// By token, those of an app.
pub async fn connections_are_compared_by_filter_and_page(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    for n in 1..=5 {
        world.see(n, found(ready(n, 1)), 10).await;
        world.see(n, found(ready(n, 2)), 20).await;
    }
    let page = async |filter: RebuildFilter| {
        let compared = world.stores.inspect.compare(&filter).await.unwrap();
        assert_eq!(compared.differences, []);
        (compared.connections, compared.next)
    };
    assert_eq!(page(any()).await, (5, None));
    assert_eq!(page(RebuildFilter { limit: 2, ..any() }).await, (2, Some(token(2))));
    let after = Some(token(3));
    assert_eq!(page(RebuildFilter { after, ..any() }).await, (2, None));
    assert_eq!(page(RebuildFilter { token: Some(token(4)), ..any() }).await, (1, None));
    assert_eq!(page(RebuildFilter { token: Some(token(6)), ..any() }).await, (0, None));
    assert_eq!(page(RebuildFilter { app: "nobody".parse().unwrap(), ..any() }).await, (0, None));
}

/// What somebody did to the tables behind the store's back, and what is told of it.
pub struct Spoilt {
    stores: Stores,
}

/// What is done to a connection, and the fields that differ then, with what is found there. Each was read three times: it was
/// discovered, changed its entity, and was found unchanged.
fn damages() -> [(&'static str, Value); 12] {
    [
        ("UPDATE connections SET status = 'PENDING'", json!({"status": "PENDING"})),
        ("UPDATE connections SET last_sync = NULL", json!({"last_sync": null})),
        ("UPDATE connections SET raw = replace(raw, 'santander', 'bbva')", json!({"raw.entity": "bbva"})),
        ("UPDATE connections SET raw = '{}'", json!({"row": "not readable"})),
        ("UPDATE connections SET version = 9", json!({"version": 9})),
        (
            "UPDATE connections SET read_no = 0, as_of = 0",
            json!({"read_no": 0, "as_of": "1970-01-01T00:00:00.000000Z"}),
        ),
        (
            "UPDATE connections SET deleted_at = 1, deletion_held_at = 2",
            json!({
                "deleted_at": "1970-01-01T00:00:00.000001Z",
                "deletion_held_at": "1970-01-01T00:00:00.000002Z",
            }),
        ),
        ("UPDATE connections SET announced = NULL", json!({"announced": []})),
        ("DELETE FROM connections", json!({"row": null})),
        ("DELETE FROM observations", json!({"row": "there"})),
        (
            "DELETE FROM observations WHERE verdict = 'changed'",
            json!({"entity": "santander", "raw.entity": "santander", "version": 2}),
        ),
        ("DELETE FROM observations WHERE verdict = 'discovered'", json!({"version": 2, "read": "changed"})),
    ]
}

impl Spoilt {
    /// A store, until now empty, with connections that nobody has spoilt yet; and the statements that spoil them.
    pub async fn of(stores: &Stores) -> (Self, Vec<String>) {
        let world = World::of(stores.clone()).await;
        world.sweep(0).await;
        let mut statements = Vec::new();
        for (n, (statement, _)) in (1..).zip(damages()) {
            let mut before = ready(n, 1);
            before["entity"] = "caixa".into();
            for (answer, second) in [(before, 10), (ready(n, 1), 20), (ready(n, 1), 30)] {
                world.see(n, found(answer), second).await;
            }
            let also = if statement.contains(" WHERE ") { "AND" } else { "WHERE" };
            statements.push(format!("{statement} {also} token = '{}'", token(n)));
        }
        assert_eq!(compare(stores).await, same(damages().len() as u64));
        (Self { stores: stores.clone() }, statements)
    }

    /// Demands that all that was done is told, and nothing else.
    pub async fn is_told(&self) {
        let compared = compare(&self.stores).await;
        let count = damages().len() as u64;
        assert_eq!((compared.connections, compared.differing), (count, count), "{compared:#?}");
        for (n, (statement, expected)) in (1..).zip(damages()) {
            let mut told = serde_json::Map::new();
            for difference in compared.differences.iter().filter(|difference| difference.token == token(n)) {
                assert_ne!(difference.expected, difference.found, "{statement}");
                // A read is named by its number, and what is wrong with a row is told in words.
                let field = difference.field.split(' ').next().unwrap_or_default();
                let readable = difference.expected != "readable";
                let found = if readable { difference.found.clone() } else { json!("not readable") };
                told.insert(field.to_owned(), found);
            }
            assert_eq!(Value::from(told), expected, "{statement}");
        }
    }
}
