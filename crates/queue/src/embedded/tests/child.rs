//! The process that the crash tests kill: this test binary again, told by its environment what to do.
//!
//! It says on its standard output what it knows to be true, and at the armed failpoint it says so and waits for the end.

use std::io::Write;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::embedded::EmbeddedQueue;
use crate::embedded::failpoint::Failpoint;
use crate::testing::{limits, numbers, webhook};
use crate::{Batch, Settings};

pub(super) const FOLDER: &str = "QUEUE_CRASH_FOLDER";
pub(super) const SCRIPT: &str = "QUEUE_CRASH_SCRIPT";
pub(super) const FAILPOINT: &str = "QUEUE_CRASH_FAILPOINT";
pub(super) const ROUND: &str = "QUEUE_CRASH_ROUND";
pub(super) const REACHED: &str = "reached";

/// Publishes five messages one by one, then takes them two by two.
pub(super) const BOTH_WAYS: &str = "both ways";
/// Takes a batch of two and keeps it.
pub(super) const TAKE_ONE: &str = "take one";
/// Publishes without end, many at a time.
pub(super) const FLOOD: &str = "flood";

fn told(variable: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "how a test talks to its child, not a setting")]
    std::env::var(variable).ok()
}

fn say(line: &str) {
    // One write per line: several threads may speak, and the reader must not see halves.
    let mut out = std::io::stdout().lock();
    out.write_all(format!("\n{line}\n").as_bytes()).expect("the parent listens");
    out.flush().expect("the parent listens");
}

/// Called at each failpoint of the engine. The armed one, in the armed round, never returns.
pub(crate) fn reached(point: Failpoint) {
    static ARMED: OnceLock<Option<(String, u32)>> = OnceLock::new();
    static ROUNDS: AtomicU32 = AtomicU32::new(0);
    let armed = ARMED.get_or_init(|| Some((told(FAILPOINT)?, told(ROUND)?.parse().ok()?)));
    let Some((name, round)) = armed else { return };
    if format!("{point:?}") == *name && ROUNDS.fetch_add(1, Ordering::SeqCst) + 1 == *round {
        say(REACHED);
        loop {
            std::thread::park();
        }
    }
}

#[tokio::test]
async fn child_of_the_crash_tests() {
    let (Some(folder), Some(script)) = (told(FOLDER), told(SCRIPT)) else { return };
    let settings = Settings { folder: folder.into(), ..Settings::default() };
    let queue = EmbeddedQueue::open(&settings).expect("it opens");
    match script.as_str() {
        BOTH_WAYS => both_ways(&queue).await,
        TAKE_ONE => take_one(&queue).await,
        FLOOD => flood(&queue).await,
        other => panic!("no such script: {other}"),
    }
}

async fn both_ways(queue: &EmbeddedQueue) {
    let publisher = queue.publisher();
    for n in 1..=5 {
        publisher.publish(webhook(n)).await.expect("kept");
        say(&format!("confirmed {n}"));
    }
    let mut subscription = queue.subscribe();
    while queue.depth().messages > 0 {
        let batch = subscription.next_batch(&limits(2)).await.expect("open");
        let taken = say_delivered(&batch);
        batch.ack().await.expect("acknowledged");
        for n in taken {
            say(&format!("acknowledged {n}"));
        }
    }
}

async fn take_one(queue: &EmbeddedQueue) {
    let batch = queue.subscribe().next_batch(&limits(2)).await.expect("open");
    say_delivered(&batch);
    say(REACHED);
    std::future::pending::<()>().await;
}

async fn flood(queue: &EmbeddedQueue) {
    let lanes = (0..64u64).map(|lane| {
        let publisher = queue.publisher();
        async move {
            for n in (lane..).step_by(64) {
                publisher.publish(webhook(n)).await.expect("kept");
                say(&format!("confirmed {n}"));
            }
        }
    });
    futures_util::future::join_all(lanes).await;
}

fn say_delivered(batch: &Batch) -> Vec<u64> {
    let taken = numbers(batch);
    for (n, _) in &taken {
        say(&format!("delivered {n}"));
    }
    taken.into_iter().map(|(n, _)| n).collect()
}
