//! The sender against a receiver: what arrives, how often, and what is counted.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use simulator::{Ended, RunError, Settings, Simulator};
use tokio_util::sync::CancellationToken;

use crate::caller::Caller;
use crate::keys::confirmed;
use crate::receiver::{Delivery, Receiver};

/// A fast run: no time between changes, retries at once.
fn quick(seed: u64) -> Settings {
    Settings {
        connections: 20,
        webhooks: Some(200),
        retry_first: Duration::ZERO,
        reorder_window: Duration::from_millis(20),
        ..Settings::calm(seed)
    }
}

async fn run(settings: Settings, receiver: &Receiver) -> Simulator {
    let simulator = Simulator::start_on_loopback(settings).unwrap();
    let ended = simulator.run(receiver.url(), &CancellationToken::new()).await.unwrap();
    assert_eq!(ended, Ended::Quiet);
    simulator
}

fn all_ok() -> Receiver {
    Receiver::start(|_, _, _| 200)
}

fn bodies(deliveries: &[Delivery]) -> HashMap<Bytes, usize> {
    deliveries.iter().fold(HashMap::new(), |mut counts, delivery| {
        *counts.entry(delivery.body.clone()).or_default() += 1;
        counts
    })
}

#[actix_web::test]
async fn in_a_calm_world_each_webhook_arrives_once_and_every_receipt_is_kept() {
    let receiver = all_ok();
    let simulator = run(quick(1), &receiver).await;
    let deliveries = receiver.deliveries();
    let tally = simulator.tally();
    assert_eq!(deliveries.len(), 200);
    assert_eq!((tally.sent, tally.attempts, tally.acknowledged), (200, 200, 200));
    assert_eq!((tally.duplicates, tally.lost, tally.given_up, tally.unanswered, tally.forged_sent), (0, 0, 0, 0, 0));
    assert_eq!(bodies(&deliveries).len(), 200, "bodies tell changes apart");
    let receipts: HashSet<_> = tally.receipts.iter().map(|receipt| receipt.id).collect();
    assert_eq!(receipts, deliveries.iter().filter_map(|delivery| delivery.receipt).collect());
    assert!(simulator.truth().unheard.is_empty());
    let progress = simulator.progress();
    assert_eq!((progress.target, progress.sent, progress.waiting), (Some(200), 200, 0));
    simulator.stop().await;
    receiver.stop().await;
}

#[actix_web::test]
async fn every_webhook_is_signed_and_names_a_connection_that_the_api_knows() {
    let receiver = all_ok();
    // Few wait, so that keys are replaced while webhooks are signed.
    let settings = Settings { deletions: 0, key_rotations: 3, waiting_max: 10, ..quick(2) };
    let simulator = run(settings, &receiver).await;
    let caller = Caller::reader(&simulator).await;
    let known: HashSet<_> =
        caller.list().await.iter().map(|c| c["credentialsToken"].as_str().unwrap().to_owned()).collect();
    let (mut bound, mut shapes, mut kids) = (0, HashSet::new(), HashSet::new());
    for delivery in receiver.deliveries() {
        let jwt = delivery.jwt.unwrap();
        let claims = confirmed(&caller, &jwt).await.unwrap();
        bound += usize::from(claims["request_body_sha256"].is_string());
        kids.insert(jsonwebtoken::decode_header(&jwt).unwrap().kid);
        assert!((590..=620).contains(&delivery.body.len()), "{}", delivery.body.len());
        let body: Value = serde_json::from_slice(&delivery.body).unwrap();
        let deep = body.get("data").is_some();
        let subject = body.get("data").unwrap_or(&body);
        let field = ["connectionToken", "credentialsToken", "token"].into_iter().find(|f| subject.get(f).is_some());
        assert!(known.contains(subject[field.unwrap()].as_str().unwrap()));
        shapes.insert((field, deep));
    }
    assert_eq!((shapes.len(), kids.len()), (6, 4));
    assert!((70..=130).contains(&bound), "half of them bind the body: {bound}");
    simulator.stop().await;
    receiver.stop().await;
}

#[actix_web::test]
async fn what_is_not_answered_with_200_is_sent_again_byte_for_byte() {
    // Every first arrival of a body is refused, with a success other than 200 among the answers.
    let receiver = Receiver::start(|number, jwt, before| {
        let seen = before.iter().any(|delivery| delivery.jwt.as_deref() == jwt);
        if seen { 200 } else { [503, 202, 401, 500][number % 4] }
    });
    let simulator = run(quick(3), &receiver).await;
    let tally = simulator.tally();
    assert_eq!((tally.sent, tally.attempts, tally.acknowledged), (200, 400, 200));
    assert_eq!((tally.refused_total(), tally.given_up), (200, 0));
    assert!([202, 401, 500, 503].iter().all(|status| tally.refused.contains_key(status)));
    assert!(bodies(&receiver.deliveries()).values().all(|&count| count == 2));
    simulator.stop().await;
    receiver.stop().await;
}

#[actix_web::test]
async fn a_webhook_that_is_never_acknowledged_is_given_up_and_its_change_counts_as_unheard() {
    let receiver = Receiver::start(|_, _, _| 503);
    let settings = Settings { retries_max: 3, webhooks: Some(30), ..quick(4) };
    let simulator = run(settings, &receiver).await;
    let tally = simulator.tally();
    assert_eq!((tally.sent, tally.attempts, tally.acknowledged, tally.given_up), (30, 120, 0, 30));
    assert_eq!(simulator.truth().unheard.values().sum::<u64>(), 30);
    simulator.stop().await;
    receiver.stop().await;
}

#[actix_web::test]
async fn without_a_receiver_all_is_given_up_and_the_run_ends() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let settings = Settings { retries_max: 1, webhooks: Some(10), ..quick(4) };
    let simulator = Simulator::start_on_loopback(settings).unwrap();
    let url = format!("http://{gone}/webhooks/demo");
    assert_eq!(simulator.run(&url, &CancellationToken::new()).await.unwrap(), Ended::Quiet);
    let tally = simulator.tally();
    assert_eq!((tally.unanswered, tally.given_up, tally.acknowledged), (20, 10, 0));
    simulator.stop().await;
}

#[actix_web::test]
async fn duplicates_repeat_the_bytes_and_some_are_signed_anew() {
    let receiver = all_ok();
    let settings = Settings { duplicate_rate: 0.5, webhooks: Some(400), key_rotations: 2, ..quick(5) };
    let simulator = run(settings, &receiver).await;
    let tally = simulator.tally();
    let deliveries = receiver.deliveries();
    let distinct = bodies(&deliveries).len() as u64;
    assert_eq!(tally.sent, 400);
    assert_eq!(tally.duplicates, 400 - distinct);
    assert!((100..=220).contains(&tally.duplicates), "{}", tally.duplicates);
    let signatures: HashSet<_> = deliveries.iter().map(|delivery| delivery.jwt.clone()).collect();
    assert!((signatures.len() as u64) > distinct && signatures.len() < 400, "{} {distinct}", signatures.len());
    simulator.stop().await;
    receiver.stop().await;
}

#[actix_web::test]
async fn lost_webhooks_are_counted_and_their_changes_are_unheard() {
    let receiver = all_ok();
    let settings = Settings { loss_rate: 0.4, ..quick(6) };
    let simulator = run(settings, &receiver).await;
    let tally = simulator.tally();
    assert_eq!((tally.sent, receiver.deliveries().len()), (200, 200));
    assert!((90..=190).contains(&tally.lost), "{}", tally.lost);
    assert_eq!(simulator.truth().unheard.values().sum::<u64>(), tally.lost);
    simulator.stop().await;
    receiver.stop().await;
}

#[actix_web::test]
async fn late_webhooks_are_overtaken() {
    let receiver = all_ok();
    // One at a time: what arrives out of order was sent so.
    let settings = Settings { reorder: 0.5, in_flight_max: 1, ..quick(7) };
    let simulator = run(settings, &receiver).await;
    let order: Vec<u64> = receiver.deliveries().iter().map(sequence).collect();
    assert_eq!(order.len(), 200);
    assert!(!order.is_sorted());
    simulator.stop().await;
    receiver.stop().await;

    let receiver = all_ok();
    let simulator = run(Settings { in_flight_max: 1, ..quick(7) }, &receiver).await;
    assert!(receiver.deliveries().iter().map(sequence).is_sorted(), "without it the order is kept");
    simulator.stop().await;
    receiver.stop().await;
}

fn sequence(delivery: &Delivery) -> u64 {
    let body: Value = serde_json::from_slice(&delivery.body).unwrap();
    body.get("data").unwrap_or(&body)["sequence"].as_u64().unwrap()
}

#[actix_web::test]
async fn forgeries_are_sent_once_and_counted_by_how_they_are_answered() {
    let receiver = Receiver::start(|number, _, _| if number % 2 == 0 { 200 } else { 401 });
    let settings = Settings { forged_rate: 1.0, retries_max: 20, ..quick(8) };
    let simulator = run(settings, &receiver).await;
    let tally = simulator.tally();
    assert_eq!(tally.sent, 200);
    let forged: Vec<_> =
        receiver.deliveries().into_iter().filter(|d| d.body.windows(6).any(|part| part == b"FORGED")).collect();
    assert!((80..=100).contains(&forged.len()), "{}", forged.len());
    assert_eq!(tally.forged_sent, forged.len() as u64);
    assert_eq!(tally.forged_refused, forged.iter().filter(|d| d.answered == 401).count() as u64);
    assert_eq!(tally.forged_acknowledged, forged.iter().filter(|d| d.answered == 200).count() as u64);
    let marked: HashSet<_> = tally.receipts.iter().filter(|receipt| receipt.forged).map(|r| r.id).collect();
    assert_eq!(marked, forged.iter().filter_map(|delivery| delivery.receipt).collect());
    simulator.stop().await;
    receiver.stop().await;
}

#[actix_web::test]
async fn requests_at_once_are_bounded() {
    let receiver = all_ok();
    let settings = Settings { in_flight_max: 4, waiting_max: 10, webhooks: Some(500), ..quick(9) };
    let simulator = run(settings, &receiver).await;
    assert!(receiver.at_once_max() <= 4, "{}", receiver.at_once_max());
    assert_eq!(simulator.tally().acknowledged, 500);
    simulator.stop().await;
    receiver.stop().await;
}

#[actix_web::test]
async fn the_truth_stands_still_after_the_run_and_the_api_shows_it() {
    let receiver = all_ok();
    let simulator = run(quick(10), &receiver).await;
    let truth = simulator.truth();
    assert_eq!(truth.deleted.len(), 2);
    assert_eq!(truth.connections.len(), 18);
    let mut list = Caller::reader(&simulator).await.list().await;
    list.sort_by_key(|connection| connection["credentialsToken"].as_str().unwrap().to_owned());
    assert_eq!(list, truth.connections);
    assert_eq!(simulator.run(receiver.url(), &CancellationToken::new()).await.unwrap(), Ended::Quiet);
    assert_eq!(simulator.truth(), truth, "a quiet world has nothing left to run");
    simulator.stop().await;
    receiver.stop().await;
}

#[actix_web::test]
async fn two_runs_of_one_seed_end_in_one_truth_whatever_the_receiver_does() {
    let base = Settings { base_time_unix_ms: Some(1_767_225_600_000), ..quick(11) };
    let (patient, moody) = (all_ok(), Receiver::start(|number, _, _| if number % 3 == 0 { 500 } else { 200 }));
    let one = run(base.clone(), &patient).await;
    let other = run(base, &moody).await;
    assert_eq!(one.truth(), other.truth());
    one.stop().await;
    other.stop().await;
    patient.stop().await;
    moody.stop().await;
}

#[actix_web::test]
async fn a_stopped_run_is_carried_on_at_another_receiver_with_nothing_left_out() {
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    let first = Receiver::start(move |number, _, _| {
        if number == 50 {
            stopping.cancel();
        }
        200
    });
    let second = all_ok();
    let simulator = Simulator::start_on_loopback(quick(12)).unwrap();
    assert_eq!(simulator.run(first.url(), &stop).await.unwrap(), Ended::Stopped);
    let before = first.deliveries().len();
    assert!((51..200).contains(&before), "{before}");
    assert_eq!(simulator.run(second.url(), &CancellationToken::new()).await.unwrap(), Ended::Quiet);
    let all = [first.deliveries(), second.deliveries()].concat();
    assert_eq!((all.len(), bodies(&all).len()), (200, 200));
    simulator.stop().await;
    first.stop().await;
    second.stop().await;
}

#[actix_web::test]
async fn what_a_silent_receiver_never_answered_is_sent_again_by_the_next_run() {
    // Takes connections into its backlog and answers none.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent_url = format!("http://{}/webhooks/demo", silent.local_addr().unwrap());
    let simulator = Simulator::start_on_loopback(Settings { webhooks: Some(25), ..quick(14) }).unwrap();
    let stop = CancellationToken::new();
    let (ended, ()) = tokio::join!(simulator.run(&silent_url, &stop), async {
        let (_connected, _) = tokio::task::spawn_blocking(move || silent.accept()).await.unwrap().unwrap();
        stop.cancel();
    });
    assert_eq!(ended.unwrap(), Ended::Stopped);
    assert_eq!(simulator.tally().acknowledged, 0);
    let receiver = all_ok();
    assert_eq!(simulator.run(receiver.url(), &CancellationToken::new()).await.unwrap(), Ended::Quiet);
    assert_eq!(bodies(&receiver.deliveries()).len(), 25);
    assert_eq!((simulator.tally().sent, simulator.tally().acknowledged), (25, 25));
    simulator.stop().await;
    receiver.stop().await;
}

#[actix_web::test]
async fn one_run_at_a_time_and_only_to_a_url() {
    let receiver = all_ok();
    let settings = Settings { live: true, live_per_second: 100.0, ..quick(13) };
    let simulator = std::sync::Arc::new(Simulator::start_on_loopback(settings).unwrap());
    assert!(matches!(simulator.run("webhooks/demo", &CancellationToken::new()).await, Err(RunError::Url(_))));
    let stop = CancellationToken::new();
    let (running, url, token) = (simulator.clone(), receiver.url().to_owned(), stop.clone());
    let live = tokio::spawn(async move { running.run(&url, &token).await });
    receiver.until(3).await;
    assert!(matches!(simulator.run(receiver.url(), &stop).await, Err(RunError::Running)));
    stop.cancel();
    assert_eq!(live.await.unwrap().unwrap(), Ended::Stopped, "a living world ends only when told to");
    assert_eq!(simulator.progress().target, None);
    std::sync::Arc::into_inner(simulator).unwrap().stop().await;
    receiver.stop().await;
}

#[test]
fn a_setting_out_of_bounds_is_named() {
    let error = Settings { loss_rate: 1.0, ..Settings::default() }.check().unwrap_err();
    assert_eq!(error.to_string(), "simulator setting `loss_rate` must be from 0 to 0.95, but is 1");
    let parsed: Settings = serde_json::from_str("{\"seed\": 9, \"duration\": \"3s\"}").unwrap();
    assert_eq!((parsed.seed, parsed.duration), (9, Duration::from_secs(3)));
    assert!(serde_json::from_str::<Settings>("{\"sed\": 9}").is_err());
}
