//! Stopping in order, by itself, and too late.

use std::sync::{Arc, Mutex};

use super::*;

type Log = Arc<Mutex<Vec<&'static str>>>;

/// A part that works until `stop`, then says so.
fn obedient(name: &'static str, stop: &CancellationToken, log: &Log) -> Part {
    let (stop, log) = (stop.clone(), log.clone());
    Part::spawn(name, async move {
        stop.cancelled().await;
        log.lock().unwrap().push(name);
        anyhow::Ok(())
    })
}

fn failing(name: &'static str) -> Part {
    Part::spawn(name, async { Err(anyhow::anyhow!("the disk is gone")) })
}

#[tokio::test]
async fn a_stage_stops_only_after_the_one_before_it() {
    let (stop, later, log) = (CancellationToken::new(), CancellationToken::new(), Log::default());
    let stages = vec![
        Stage::new(stop.clone(), vec![obedient("ingress", &stop, &log)]),
        Stage::new(later.clone(), vec![obedient("consumer", &later, &log)]),
    ];
    stop.cancel();
    run(stages, &stop, Duration::from_secs(30)).await.unwrap();
    assert_eq!(*log.lock().unwrap(), ["ingress", "consumer"]);
}

#[tokio::test]
async fn a_part_that_ends_by_itself_stops_the_others_and_is_named() {
    let (stop, log) = (CancellationToken::new(), Log::default());
    let stages = vec![Stage::new(stop.clone(), vec![obedient("ingress", &stop, &log), failing("store")])];
    let ended = run(stages, &stop, Duration::from_secs(30)).await.unwrap_err();
    assert_eq!(ended.to_string(), "the store ended by itself: the disk is gone");
    assert_eq!(*log.lock().unwrap(), ["ingress"]);
}

#[tokio::test]
async fn a_part_that_does_not_end_is_named_at_the_deadline() {
    let (stop, log) = (CancellationToken::new(), Log::default());
    let stuck = Part::spawn("consumer", std::future::pending::<anyhow::Result<()>>());
    let stages = vec![Stage::new(stop.clone(), vec![obedient("ingress", &stop, &log), stuck])];
    stop.cancel();
    // It never ends, so no deadline is too short to show it; the obedient one needs none.
    let ended = run(stages, &stop, Duration::from_millis(50)).await.unwrap_err();
    assert_eq!(ended.to_string(), "stopping took longer than 50ms: consumer did not end");
}
