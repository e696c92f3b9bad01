//! Order and multiplicity of what arrives do not matter (R2).

use connections::{Answer, Verdict};
use events::UtcMicros;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};

use super::Engine;
use super::world::{World, at, bound, found, names, read, ready, token, webhook};
use crate::{ConnectionFilter, Observation, Reading};

/// The highest number wins, whichever read comes last.
pub async fn an_older_read_changes_nothing(engine: &dyn Engine) {
    let world = World::swept(engine).await;
    let see = async |read_no: u64, updated: u64| {
        let read = read(token(1), read_no, found(ready(1, updated)), read_no);
        world.observe(&[Observation { read, claim: None }], read_no).await.remove(0).verdict
    };
    assert_eq!(see(10, 10).await, Verdict::Discovered);
    let (before, scheduled) = (world.connection(1).await, world.look(1).await);
    assert_eq!(see(5, 5).await, Verdict::Stale);
    assert_eq!(see(10, 10).await, Verdict::Stale);
    assert_eq!((world.connection(1).await, world.look(1).await), (before, scheduled));
}

/// Steps of a history: a webhook, or a read under its number.
#[derive(Debug, Clone)]
enum Step {
    Webhook(Box<Reading>),
    Read { n: u32, read_no: u64, answer: Answer },
}

/// What everyone must agree on in the end.
type Outcome = Vec<(String, String, Option<UtcMicros>, UtcMicros, Option<UtcMicros>)>;

/// A history of webhooks and reads of three connections; `updatedAt` never goes back from one read to a later one, as R2
/// holds such reads back until they are repeated.
fn histories() -> impl Strategy<Value = Vec<Step>> {
    let step = (1..=3_u32, 0..4_u8);
    proptest::collection::vec(step, 1..12).prop_map(|steps| {
        let numbered = steps.into_iter().zip(1_u64..);
        let step = |((n, kind), number): ((u32, u8), u64)| match kind {
            0 => Step::Webhook(Box::new(webhook(names(&[n]), bound(), at(number)))),
            1 => Step::Read { n, read_no: number, answer: Answer::NotFound },
            _ => Step::Read { n, read_no: number, answer: found(ready(n, number * 100)) },
        };
        numbered.map(step).collect()
    })
}

/// The history in another order, with steps repeated.
fn shuffled(history: Vec<Step>) -> impl Strategy<Value = (Vec<Step>, Vec<Step>)> {
    let repeated = proptest::sample::subsequence(history.clone(), 0..=history.len());
    repeated
        .prop_map(move |repeated| history.iter().cloned().chain(repeated).collect::<Vec<_>>())
        .prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle()))
}

/// Webhooks and reads in any order and any number of times.
pub async fn reads_in_any_order_and_multiplicity_end_in_the_same_connections(engine: &dyn Engine) {
    let mut runner = TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() });
    let strategy = histories().prop_flat_map(shuffled);
    for _ in 0..runner.config().cases {
        let (one, other) = strategy.new_tree(&mut runner).unwrap().current();
        let (one_way, other_way) = (outcome(engine, &one).await, outcome(engine, &other).await);
        assert_eq!(one_way, other_way, "{one:#?}\n{other:#?}");
    }
}

async fn outcome(engine: &dyn Engine, steps: &[Step]) -> Outcome {
    let world = World::swept(engine).await;
    // Nothing is remembered of a token that was never found: each is known from the start.
    for n in 1..=3 {
        observe(&world, n, 0, found(ready(n, 0))).await;
    }
    for step in steps {
        match step {
            Step::Webhook(reading) => drop(world.record(std::slice::from_ref(reading)).await),
            Step::Read { n, read_no, answer } => observe(&world, *n, *read_no, answer.clone()).await,
        }
    }
    let all = world.stores.inspect.connections(&ConnectionFilter::default()).await.unwrap();
    let summary = all.into_iter().map(|connection| {
        let status = connection.status.as_str().to_owned();
        (connection.token.to_string(), status, connection.updated_at, connection.as_of, connection.deleted_at)
    });
    summary.collect()
}

async fn observe(world: &World, n: u32, read_no: u64, answer: Answer) {
    let read = read(token(n), read_no, answer, read_no);
    world.observe(&[Observation { read, claim: None }], 1000).await;
}
