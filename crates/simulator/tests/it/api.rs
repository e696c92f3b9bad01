//! Sessions, scopes, connections: what the API answers while nothing goes wrong.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use simulator::{Kind, Settings, Simulator};
use uuid::Uuid;

use crate::caller::Caller;

const LIST: &str = "/queries/connections";

fn start() -> Simulator {
    Simulator::start_on_loopback(Settings::calm(7)).unwrap()
}

#[actix_web::test]
async fn wrong_credentials_and_malformed_logins_are_refused() {
    let simulator = start();
    let caller = Caller::stranger(&simulator);
    let (id, secret) = simulator.credentials();
    assert_eq!(caller.login(&id, "wrong", Value::Null).await.status(), 401);
    assert_eq!(caller.login(&Uuid::nil().to_string(), &secret, Value::Null).await.status(), 401);
    assert_eq!(caller.login(&id, &secret, json!(["everything"])).await.status(), 400);
    assert_eq!(caller.login(&id, &secret, Value::Null).await.status(), 200);
    assert_eq!((simulator.asked().logins, simulator.asked().logins_denied), (4, 2));
    simulator.stop().await;
}

#[actix_web::test]
async fn a_secret_has_one_session_and_a_new_login_revokes_it() {
    let simulator = start();
    let first = Caller::reader(&simulator).await;
    let neighbour = Caller::with(&simulator, simulator.other_credentials(), json!(["read"])).await;
    assert_eq!(first.status(Method::GET, LIST).await, 200);
    let second = Caller::reader(&simulator).await;
    assert_eq!(first.status(Method::GET, LIST).await, 401);
    assert_eq!(second.status(Method::GET, LIST).await, 200);
    let stolen = simulator.steal_session();
    assert_eq!(second.status(Method::GET, LIST).await, 401);
    let mut thief = Caller::stranger(&simulator);
    thief.token = stolen;
    assert_eq!(thief.status(Method::GET, LIST).await, 200);
    assert_eq!(neighbour.status(Method::GET, LIST).await, 200, "another secret, another session");
    simulator.stop().await;
}

#[actix_web::test]
async fn a_session_ends_with_its_lifetime() {
    let settings = Settings { session_lifetime: Duration::ZERO, ..Settings::calm(7) };
    let simulator = Simulator::start_on_loopback(settings).unwrap();
    let caller = Caller::reader(&simulator).await;
    assert_eq!(caller.status(Method::GET, LIST).await, 401);
    simulator.stop().await;
}

#[actix_web::test]
async fn each_path_asks_for_its_scope() {
    let simulator = start();
    let token = simulator.create();
    let single = format!("{LIST}/{token}");
    let command = format!("/commands/connections/{token}");
    let exchange = format!("/commands/connections/exchange/{}", Uuid::nil());
    let key = format!("/webhook_verification/{}", simulator.key().0);

    let stranger = Caller::stranger(&simulator);
    for path in [LIST, &single, "/queries/connections/pending", &key] {
        assert_eq!(stranger.status(Method::GET, path).await, 401, "{path}");
    }
    assert_eq!(stranger.status(Method::POST, &exchange).await, 401);
    assert_eq!(stranger.status(Method::DELETE, &command).await, 401);

    let writer = Caller::with_scopes(&simulator, json!(["write"])).await;
    for path in [LIST, &single, "/queries/connections/pending"] {
        assert_eq!(writer.status(Method::GET, path).await, 403, "{path}");
    }
    assert_eq!(writer.status(Method::GET, &key).await, 200, "keys need a session and no scope");
    assert_eq!(writer.status(Method::POST, &exchange).await, 404);
    assert_eq!(writer.status(Method::DELETE, &command).await, 403);

    let reader = Caller::reader(&simulator).await;
    assert_eq!(reader.status(Method::GET, &single).await, 200);
    assert_eq!(reader.status(Method::POST, &exchange).await, 403);

    let all = Caller::with_scopes(&simulator, Value::Null).await;
    assert_eq!(all.status(Method::DELETE, &command).await, 200);
    assert_eq!(all.status(Method::DELETE, &command).await, 404, "irreversible, and once");
    assert_eq!(all.status(Method::GET, &single).await, 404);
    assert_eq!(all.status(Method::GET, "/nowhere").await, 404);
    simulator.stop().await;
}

#[actix_web::test]
async fn list_single_and_truth_agree_through_many_changes() {
    let simulator = start();
    let caller = Caller::reader(&simulator).await;
    for _ in 0..20 {
        simulator.advance(15).await;
        let mut list = caller.list().await;
        list.sort_by_key(|connection| connection["credentialsToken"].as_str().unwrap().to_owned());
        let truth = simulator.truth();
        assert_eq!(list, truth.connections);
        for connection in &list {
            let path = format!("{LIST}/{}", connection["credentialsToken"].as_str().unwrap());
            assert_eq!(&caller.json(&path).await, connection);
        }
        for deleted in &truth.deleted {
            assert_eq!(caller.status(Method::GET, &format!("{LIST}/{deleted}")).await, 404);
        }
    }
    simulator.stop().await;
}

#[actix_web::test]
async fn a_list_is_filtered_by_external_id() {
    let simulator = start();
    simulator.advance(100).await;
    let caller = Caller::reader(&simulator).await;
    let list = caller.list().await;
    let id = list.iter().find_map(|connection| connection["externalId"].as_str()).unwrap();
    let wanted: Vec<_> = list.iter().filter(|connection| connection["externalId"] == id).cloned().collect();
    assert_eq!(caller.json(&format!("{LIST}?externalId={id}")).await, Value::Array(wanted));
    assert_eq!(caller.json(&format!("{LIST}?externalId=nobody")).await, json!([]));
    simulator.stop().await;
}

#[actix_web::test]
async fn a_connection_is_invisible_until_it_is_exchanged_once() {
    let settings = Settings { existing_share: 0.0, connections: 3, deletions: 0, ..Settings::calm(7) };
    let simulator = Simulator::start_on_loopback(settings).unwrap();
    let caller = Caller::with_scopes(&simulator, Value::Null).await;
    simulator.advance(1).await;
    assert_eq!(caller.list().await, Vec::<Value>::new());
    let pending = caller.json("/queries/connections/pending").await;
    let public_token = pending[0]["publicToken"].as_str().unwrap();
    let exchange = format!("/commands/connections/exchange/{public_token}");
    let exchanged = caller.request(Method::POST, &exchange).send().await.unwrap();
    let token = exchanged.json::<Value>().await.unwrap()["connectionToken"].as_str().unwrap().to_owned();
    assert_eq!(caller.status(Method::POST, &exchange).await, 404);
    let connection = caller.json(&format!("{LIST}/{token}")).await;
    assert_eq!(connection["status"], "PENDING");
    assert_eq!(caller.json("/queries/connections/pending").await, json!([]));
    // The script meets what was exchanged meanwhile, and carries on.
    while simulator.advance(10).await == 10 {}
    assert_eq!(simulator.truth().connections.len(), 3);
    simulator.stop().await;
}

#[actix_web::test]
async fn changes_by_hand_show_at_once_and_in_the_right_fields() {
    let simulator = start();
    let caller = Caller::reader(&simulator).await;
    let token = simulator.create();
    let path = format!("{LIST}/{token}");
    assert!(simulator.make(&token, Kind::Imported));
    let imported = caller.json(&path).await;
    assert_eq!(imported["status"], "READY");
    assert_eq!(imported["lastSync"], imported["updatedAt"]);
    assert!(simulator.make(&token, Kind::UpdateFailed));
    let failed = caller.json(&path).await;
    assert_eq!((&failed["status"], &failed["lastSync"]), (&json!("UPDATE_ERROR"), &imported["lastSync"]));
    assert!(failed["updatedAt"].as_str() > imported["updatedAt"].as_str());
    assert!(failed["errorDetails"]["retryable"].is_boolean());
    assert!(simulator.make(&token, Kind::Blocked));
    assert!(caller.json(&path).await["restoreToken"].is_string());
    assert!(simulator.make(&token, Kind::Deleted));
    assert!(!simulator.make(&token, Kind::Updated), "what is deleted stays so");
    assert!(!simulator.make("NOSUCHONE1", Kind::Updated));
    simulator.stop().await;
}

#[actix_web::test]
async fn every_answer_has_a_request_id_and_echoes_the_trace_id() {
    let simulator = start();
    let caller = Caller::reader(&simulator).await;
    for path in [LIST, "/nowhere"] {
        let response = caller.request(Method::GET, path).header("X-Client-Trace-ID", "trace-1").send().await.unwrap();
        let id = response.headers()["x-request-id"].to_str().unwrap();
        assert!(Uuid::try_parse(id).is_ok());
        assert_eq!(response.headers()["x-client-trace-id"], "trace-1");
    }
    simulator.stop().await;
}

#[actix_web::test]
async fn what_was_asked_is_counted() {
    let simulator = start();
    let caller = Caller::reader(&simulator).await;
    caller.list().await;
    caller.status(Method::GET, "/queries/connections/NOSUCHONE1").await;
    caller.status(Method::GET, &format!("/webhook_verification/{}", Uuid::nil())).await;
    caller.status(Method::GET, "/queries/connections/pending").await;
    caller.status(Method::DELETE, "/commands/connections/NOSUCHONE1").await;
    caller.status(Method::GET, "/nowhere").await;
    let asked = simulator.asked();
    assert_eq!((asked.logins, asked.lists, asked.singles, asked.keys), (1, 1, 1, 1));
    assert_eq!((asked.pending, asked.commands, asked.other, asked.requests()), (1, 1, 1, 7));
    assert_eq!((asked.by_status[&200], asked.by_status[&404], asked.by_status[&403]), (3, 3, 1));
    assert!((1..=7).contains(&asked.per_second_max));
    simulator.stop().await;
}
