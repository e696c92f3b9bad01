//! Each fault of the API does what its setting says.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::Value;
use simulator::{Faults, Kind, Settings, Simulator};

use crate::caller::Caller;

const LIST: &str = "/queries/connections";

async fn with(faults: Faults) -> (Simulator, Caller) {
    let simulator = Simulator::start_on_loopback(Settings::calm(3)).unwrap();
    let caller = Caller::reader(&simulator).await;
    simulator.set_faults(faults);
    (simulator, caller)
}

#[actix_web::test]
async fn errors_come_at_their_rate_from_the_seed() {
    let (simulator, caller) = with(Faults { error_rate: 0.3, ..Faults::default() }).await;
    for _ in 0..200 {
        caller.get(LIST).await;
    }
    let by_status = simulator.asked().by_status;
    assert_eq!(by_status[&200] + by_status[&500], 201);
    assert!((40..=80).contains(&by_status[&500]), "{by_status:?}");
    simulator.stop().await;
}

#[actix_web::test]
async fn too_many_requests_say_when_to_come_back() {
    let faults = Faults { too_many_rate: 1.0, retry_after_seconds: 7, ..Faults::default() };
    let (simulator, caller) = with(faults).await;
    let response = caller.get(LIST).await;
    assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (429, &"7".parse().unwrap()));
    assert!(response.headers().contains_key("x-request-id"));
    simulator.stop().await;
}

#[actix_web::test]
async fn a_slow_answer_is_late_and_whole() {
    let slow = Duration::from_millis(50);
    let (simulator, caller) = with(Faults { slow_rate: 1.0, slow, ..Faults::default() }).await;
    let asked = Instant::now();
    assert!(!caller.list().await.is_empty());
    assert!(asked.elapsed() >= slow);
    simulator.stop().await;
}

#[actix_web::test]
async fn a_cut_answer_ends_before_its_content_length() {
    let (simulator, caller) = with(Faults { cut_rate: 1.0, ..Faults::default() }).await;
    let response = caller.get(LIST).await;
    assert_eq!(response.status(), 200);
    assert!(response.content_length().unwrap() > 100);
    assert!(response.bytes().await.is_err());
    simulator.stop().await;
}

#[actix_web::test]
async fn a_list_can_be_wrongly_empty_and_a_connection_wrongly_missing() {
    let (simulator, caller) = with(Faults { empty_list_rate: 1.0, not_found_rate: 1.0, ..Faults::default() }).await;
    let token = simulator.create();
    assert_eq!(caller.list().await, Vec::<Value>::new());
    assert_eq!(caller.status(Method::GET, &format!("{LIST}/{token}")).await, 404);
    simulator.set_faults(Faults::default());
    assert!(!caller.list().await.is_empty());
    assert_eq!(caller.status(Method::GET, &format!("{LIST}/{token}")).await, 200);
    simulator.stop().await;
}

#[actix_web::test]
async fn a_stale_answer_is_the_state_of_a_moment_ago() {
    let (simulator, caller) = with(Faults::default()).await;
    let existing = caller.list().await;
    let token = existing[0]["credentialsToken"].as_str().unwrap().to_owned();
    let path = format!("{LIST}/{token}");
    assert!(simulator.make(&token, Kind::UpdateFailed));
    let created = simulator.create();
    // Longer ago than this test takes.
    let stale_by = Duration::from_hours(1);
    simulator.set_faults(Faults { stale_rate: 1.0, stale_by, ..Faults::default() });
    assert_eq!(caller.json(&path).await, existing[0]);
    assert_eq!(caller.list().await, existing);
    assert_eq!(caller.status(Method::GET, &format!("{LIST}/{created}")).await, 404);
    simulator.set_faults(Faults::default());
    assert_eq!(caller.json(&path).await["status"], "UPDATE_ERROR");
    assert_eq!(caller.list().await.len(), existing.len() + 1);
    simulator.stop().await;
}

#[actix_web::test]
async fn an_outage_answers_503_to_everything_until_it_ends() {
    let (simulator, caller) = with(Faults::default()).await;
    simulator.outage(true);
    assert_eq!(caller.status(Method::GET, LIST).await, 503);
    let (id, secret) = simulator.credentials();
    assert_eq!(caller.login(&id, &secret, Value::Null).await.status(), 503);
    simulator.outage(false);
    assert_eq!(caller.status(Method::GET, LIST).await, 200, "the login in between did not get through");
    simulator.stop().await;
}
