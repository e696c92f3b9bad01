//! SIGKILL between every pair of steps: what was confirmed is there, what was not acknowledged comes back, attempts count.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use super::{Scene, child, take_all};
use crate::embedded::failpoint::Failpoint;

/// The numbers and attempts of what a kill must leave.
type Left = &'static [(u64, u32)];

/// What the killed process had said.
#[derive(Debug, Default)]
struct Testimony {
    reached: bool,
    confirmed: BTreeSet<u64>,
    delivered: BTreeSet<u64>,
    acknowledged: BTreeSet<u64>,
}

impl Testimony {
    /// Says whether that was the word to end it.
    fn hear(&mut self, line: &str) -> bool {
        let mut words = line.split(' ');
        let verb = words.next();
        let number = words.next().and_then(|word| word.parse().ok());
        match (verb, number) {
            (Some("confirmed"), Some(n)) => drop(self.confirmed.insert(n)),
            (Some("delivered"), Some(n)) => drop(self.delivered.insert(n)),
            (Some("acknowledged"), Some(n)) => drop(self.acknowledged.insert(n)),
            (Some(child::REACHED), None) => self.reached = true,
            // The test harness of the child says a few things of its own.
            _ => {}
        }
        self.reached
    }
}

fn start(scene: &Scene, script: &str, failpoint: Option<(Failpoint, u32)>) -> Child {
    let mut command = Command::new(std::env::current_exe().expect("this test binary"));
    command.args(["--exact", "embedded::tests::child::child_of_the_crash_tests", "--nocapture"]);
    command.env(child::FOLDER, scene.path()).env(child::SCRIPT, script);
    if let Some((point, round)) = failpoint {
        command.env(child::FAILPOINT, format!("{point:?}")).env(child::ROUND, round.to_string());
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("it starts")
}

/// Runs the script until it ends or `enough` says so, kills it, and gives all that it had said by then.
fn run_and_kill(mut process: Child, mut enough: impl FnMut(&mut Testimony, &str) -> bool) -> Testimony {
    let mut testimony = Testimony::default();
    let mut lines = BufReader::new(process.stdout.take().expect("piped")).lines();
    let mut next = || lines.next().map(|line| line.expect("readable"));
    while let Some(line) = next() {
        if enough(&mut testimony, &line) {
            break;
        }
    }
    // SIGKILL; it may have ended by itself.
    process.kill().ok();
    process.wait().expect("it ends");
    while let Some(line) = next() {
        testimony.hear(&line);
    }
    testimony
}

/// Checks the file that a killed process left against what it had said.
async fn check(scene: &Scene, said: &Testimony, what: &str) -> Vec<(u64, u32)> {
    let queue = scene.open();
    let count = queue.depth().messages;
    assert_eq!(count, scene.rows(), "{what}");
    let found = take_all(&queue, count as usize).await;
    queue.close().await;
    let numbers: BTreeSet<u64> = found.iter().map(|(n, _)| *n).collect();
    assert_eq!(numbers.len(), found.len(), "{what}: nothing is there twice");
    let lost: Vec<_> = said.confirmed.difference(&numbers).filter(|n| !said.delivered.contains(n)).collect();
    assert!(lost.is_empty(), "{what}: confirmed and lost: {lost:?}");
    let back: Vec<_> = said.acknowledged.intersection(&numbers).collect();
    assert!(back.is_empty(), "{what}: acknowledged and back again: {back:?}");
    found
}

#[tokio::test]
async fn killed_between_any_two_steps_nothing_confirmed_is_lost_and_attempts_count() {
    use Failpoint::{
        ClaimedNotCommitted, ClaimedNotHandedOut, CommittedNotConfirmed, InsertedNotCommitted, ReadNotClaimed,
        RemovedNotCommitted, RemovedNotTold,
    };
    // Each point, and what must be left by a kill in its first, second and third round. A batch is (1, 2), (3, 4), (5).
    let cases: [(Failpoint, [Left; 3]); 7] = [
        (InsertedNotCommitted, [&[], &[(1, 0)], &[(1, 0), (2, 0)]]),
        (CommittedNotConfirmed, [&[(1, 0)], &[(1, 0), (2, 0)], &[(1, 0), (2, 0), (3, 0)]]),
        (ReadNotClaimed, [&[(1, 0), (2, 0), (3, 0), (4, 0), (5, 0)], &[(3, 0), (4, 0), (5, 0)], &[(5, 0)]]),
        (ClaimedNotCommitted, [&[(1, 0), (2, 0), (3, 0), (4, 0), (5, 0)], &[(3, 0), (4, 0), (5, 0)], &[(5, 0)]]),
        (ClaimedNotHandedOut, [&[(1, 1), (2, 1), (3, 0), (4, 0), (5, 0)], &[(3, 1), (4, 1), (5, 0)], &[(5, 1)]]),
        (RemovedNotCommitted, [&[(1, 1), (2, 1), (3, 0), (4, 0), (5, 0)], &[(3, 1), (4, 1), (5, 0)], &[(5, 1)]]),
        (RemovedNotTold, [&[(3, 0), (4, 0), (5, 0)], &[(5, 0)], &[]]),
    ];
    for (point, left) in cases {
        for (round, left) in (1..).zip(left) {
            let what = format!("{point:?}, round {round}");
            let scene = Scene::new();
            let process = start(&scene, child::BOTH_WAYS, Some((point, round)));
            let said = tokio::task::spawn_blocking(|| run_and_kill(process, Testimony::hear)).await.expect("killed");
            assert!(said.reached, "{what}: never reached");
            assert_eq!(check(&scene, &said, &what).await, left, "{what}");
        }
    }
}

#[tokio::test]
async fn the_script_of_the_kills_ends_with_everything_acknowledged_when_nobody_kills_it() {
    let scene = Scene::new();
    let process = start(&scene, child::BOTH_WAYS, None);
    let said = tokio::task::spawn_blocking(|| run_and_kill(process, Testimony::hear)).await.expect("ended");
    assert_eq!(said.acknowledged, (1..=5).collect());
    assert_eq!(check(&scene, &said, "not killed").await, []);
}

#[tokio::test]
async fn a_message_that_kills_its_consumer_is_seen_to_do_so() {
    let scene = Scene::new();
    let queue = scene.open();
    super::publish(&queue, 1..=3).await;
    queue.close().await;
    for _ in 0..3 {
        let process = start(&scene, child::TAKE_ONE, None);
        let said = tokio::task::spawn_blocking(|| run_and_kill(process, Testimony::hear)).await.expect("killed");
        assert_eq!(said.delivered, [1, 2].into());
    }
    assert_eq!(take_all(&scene.open(), 3).await, [(1, 3), (2, 3), (3, 0)]);
}

#[tokio::test]
async fn killed_under_load_nothing_confirmed_is_lost() {
    let scene = Scene::new();
    let process = start(&scene, child::FLOOD, None);
    let said = tokio::task::spawn_blocking(|| {
        run_and_kill(process, |testimony, line| {
            testimony.hear(line);
            testimony.confirmed.len() > 2000
        })
    });
    let said = said.await.expect("killed");
    assert!(said.confirmed.len() > 2000, "{said:?}");
    check(&scene, &said, "flood").await;
}
