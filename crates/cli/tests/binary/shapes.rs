//! What the commands print about a pipeline that runs, in-process and against the simulator: the exact shapes of the JSON,
//! and a refresh through the running process and without it.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use finlinkd::settings::{App, Role, Secret, Settings};
use finlinkd::{Running, start};
use serde_json::Value;
use simulator::{Ended, Simulator};
use tokio_util::sync::CancellationToken;

use super::process::{code, run, stderr, stdout};

const CONNECTION_FIELDS: [&str; 16] = [
    "app",
    "token",
    "status",
    "entity",
    "update_token",
    "restore_token",
    "two_factor_enabled",
    "has_credentials",
    "external_id",
    "created_at",
    "updated_at",
    "last_sync",
    "error_details",
    "version",
    "as_of",
    "deleted_at",
];

fn settings(simulator: &Simulator, folder: &Path) -> Settings {
    let free_port = SocketAddr::from(([127, 0, 0, 1], 0));
    let (client_id, client_secret) = simulator.credentials();
    let app = App { client_id: Some(client_id), client_secret: Some(Secret::from(client_secret)), ..App::default() };
    let mut settings = Settings {
        listen: free_port,
        api_listen: free_port,
        admin_listen: free_port,
        internal_listen: free_port,
        data_dir: folder.to_owned(),
        apps: [("demo".parse().unwrap(), app)].into(),
        ..Settings::default()
    };
    settings.api.token = Some(Secret::from("hunter2".to_owned()));
    settings.upstream.base_url = simulator.base_url();
    settings.upstream.max_requests_per_second = 200;
    settings.rules.announce_existing = true;
    settings.schedule.hinted_reads_apart = Duration::from_millis(50);
    settings.schedule.second_look = Duration::from_millis(50);
    settings.ingress.grace = Duration::ZERO;
    settings
}

/// Waits until nothing is left to do.
async fn settled(running: &Running, connections: u64) {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let totals = running.inspect().unwrap().totals(events::UtcMicros::now()).await.unwrap();
        let known: u64 = totals.connections.values().flat_map(|statuses| statuses.values()).sum();
        let pending = totals.deliveries.get("pending").copied().unwrap_or(0);
        if totals.hints_unanswered == 0 && totals.events_unnumbered == 0 && pending == 0 && known == connections {
            return;
        }
        assert!(Instant::now() < deadline, "{totals:#?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The binary, asked for JSON about `folder`.
fn ask(arguments: &[&str], folder: &Path, api: SocketAddr) -> Value {
    let api = api.to_string();
    let variables = [
        ("FINLINKD__DATA_DIR", folder.to_str().unwrap()),
        ("FINLINKD__API_LISTEN", &api),
        ("FINLINKD__API__TOKEN", "hunter2"),
    ];
    let output = run(arguments, &variables);
    assert_eq!(code(&output), 0, "{arguments:?}: {}", stderr(&output));
    serde_json::from_str(&stdout(&output)).unwrap()
}

fn fields(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// The tokens of a listing. A read may confirm a connection between two listings, so `as_of` is nothing to compare.
fn tokens(listing: &Value) -> Vec<&str> {
    listing.as_array().unwrap().iter().map(|connection| connection["token"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn listings_have_the_promised_shapes_while_the_pipeline_runs_and_after() {
    finlinkd::install_tls_provider();
    let folder = tempfile::tempdir().unwrap();
    let world =
        simulator::Settings { connections: 4, webhooks: Some(30), deletions: 0, ..simulator::Settings::calm(5) };
    let simulator = Simulator::start_on_loopback(world).unwrap();
    let stop = CancellationToken::new();
    let running = start(Role::Run, settings(&simulator, folder.path()), stop.clone()).await.unwrap();
    let (listen, api) = (running.addresses.listen.unwrap(), running.addresses.api.unwrap());
    let folder = folder.path().to_owned();
    let url = format!("http://{listen}/webhooks/demo");
    assert_eq!(simulator.run(&url, &stop).await.unwrap(), Ended::Quiet);
    settled(&running, simulator.truth().connections.len() as u64).await;

    let looked = tokio::task::spawn_blocking({
        let folder = folder.clone();
        move || look(&folder, api)
    });
    let token = looked.await.unwrap();
    stop.cancel();
    running.ended().await.unwrap();
    simulator.stop().await;

    // Nothing runs now: the wish is noted for the next start.
    let noted = tokio::task::spawn_blocking(move || ask(&["connections", "refresh", &token, "--json"], &folder, api));
    assert_eq!(noted.await.unwrap()["requested"], true);
}

/// Looks into the running pipeline in every way there is; returns the token of a connection.
fn look(folder: &Path, api: SocketAddr) -> String {
    let connections = ask(&["connections", "--json"], folder, api);
    let first = &connections[0];
    assert_eq!(fields(first), BTreeSet::from(CONNECTION_FIELDS));
    assert_eq!(tokens(&connections), tokens(&ask(&["connections", "list", "--json", "--all"], folder, api)));
    let token = first["token"].as_str().unwrap();
    let shown = ask(&["connections", "show", token, "--json"], folder, api);
    assert_eq!(fields(&shown), BTreeSet::from(CONNECTION_FIELDS));
    assert_eq!((&shown["token"], &shown["version"]), (&first["token"], &first["version"]));
    let status = first["status"].as_str().unwrap();
    let with_status = ask(&["connections", "--status", status, "--json"], folder, api);
    assert!(tokens(&with_status).contains(&token), "{with_status}");
    assert_eq!(ask(&["connections", "--limit", "1", "--json"], folder, api).as_array().unwrap().len(), 1);

    let webhooks = ask(&["webhooks", "list", "--json", "--all"], folder, api);
    let webhook = &webhooks[0];
    let promised = ["receipt", "app", "received_at", "verification", "duplicate", "body_sha256"];
    assert!(promised.iter().all(|name| fields(webhook).contains(name)), "{webhook}");
    let receipt = webhook["receipt"].as_str().unwrap();
    let shown = ask(&["webhooks", "show", receipt, "--json"], folder, api);
    assert_eq!(shown["body_sha256"], webhook["body_sha256"]);
    assert!(shown["body"].is_string(), "{shown}");

    let replayed = ask(&["webhooks", "replay", receipt, "--json"], folder, api);
    assert_eq!((&replayed["done"], &replayed["selected"]), (&false.into(), &1.into()), "{replayed}");
    assert_eq!(ask(&["rebuild", "--verify", "--json"], folder, api), serde_json::json!([]));

    let explained = ask(&["connections", "explain", token, "--json"], folder, api);
    let sentence = explained["sentence"].as_str().unwrap();
    assert!(sentence.starts_with(&format!("{token} is {status} because ")), "{sentence}");

    let all = ask(&["events", "tail", "--all", "--json"], folder, api);
    let newest = ask(&["events", "tail", "--limit", "2", "--json"], folder, api);
    assert_eq!(newest.as_array().unwrap()[..], all.as_array().unwrap()[all.as_array().unwrap().len() - 2..]);
    assert_eq!(newest[1]["specversion"], "1.0");
    let after = all[2]["sequence"].as_str().unwrap();
    assert_eq!(ask(&["events", "tail", "--after", after, "--limit", "1", "--json"], folder, api)[0], all[3]);

    let refreshed = ask(&["connections", "refresh", token, "--json"], folder, api);
    assert_eq!(refreshed["fresh"], true, "{refreshed}");
    assert!(refreshed["as_of"].as_str() > first["as_of"].as_str(), "{refreshed}");
    token.to_owned()
}
