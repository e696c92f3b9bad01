//! `webhooks replay` through the binary: told about, done, and what is left out.

use std::path::Path;
use std::process::Output;

use events::{AppName, BodyTells, RawWebhook, TokenFields, UtcMicros, Verification};
use serde_json::{Value, json};
use store::{AppPin, Decision, Inspect, Intake, Reading, Refresh, Ruling};
use tempfile::TempDir;
use uuid::Uuid;

use super::folder::{command, open, webhook};
use super::process::{Pipeline, code, stderr, stdout};

const START: UtcMicros = UtcMicros(1_800_000_000_000_000);

fn shop() -> AppName {
    "shop".parse().unwrap()
}

fn verified(sequence: u64, binds_body: bool) -> RawWebhook {
    RawWebhook {
        verification: Verification::Verified { kid: Uuid::from_u128(1), binds_body },
        received_at: UtcMicros(START.0 + sequence as i64 * 1_000_000),
        ..webhook(sequence)
    }
}

/// A folder with webhooks of the shop: one that vouches for a connection it names, twice; one that does not; one that was
/// rejected; and one of the bank that is pending. Oldest first.
async fn folder_with_webhooks() -> (TempDir, Vec<RawWebhook>) {
    let folder = tempfile::tempdir().unwrap();
    let (bound, unbound) = (verified(1, true), verified(2, false));
    let again = RawWebhook { receipt: events::Receipt::draw(), ..bound.clone() };
    let webhooks = vec![bound, unbound, again, webhook(4), webhook(3)];
    let reading = |webhook: &RawWebhook| Reading {
        webhook: webhook.clone(),
        tells: BodyTells::read(&webhook.body, &TokenFields::default()),
    };
    let store = open(folder.path());
    store.record(&webhooks.iter().map(reading).collect::<Vec<_>>()).await.unwrap();
    store.enrol(&AppPin { app: shop(), client_id: "client".to_owned() }, START).await.unwrap();
    let lease = store.lease(&shop(), Uuid::from_u128(2), START, START).await.unwrap().unwrap();
    let decision = Decision::Rejected("no such key".to_owned());
    store.decide(&lease, &[Ruling { receipt: webhooks[3].receipt, decision }]).await.unwrap();
    store.close().await;
    (folder, webhooks)
}

fn replay(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, &[&["webhooks", "replay"], arguments].concat())
}

/// What it answers in JSON.
fn asked(folder: &Path, arguments: &[&str]) -> Value {
    let output = replay(folder, &[arguments, &["--json"]].concat());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    serde_json::from_str(&stdout(&output)).unwrap()
}

/// How often the connection that the first webhook names was hinted at, and how many webhooks there are.
async fn hints(folder: &Path) -> (u64, u64) {
    let store = open(folder);
    let look = store.explain(&shop(), &"TOKEN00001".parse().unwrap()).await.unwrap().refresh.unwrap();
    let deliveries = store.totals(START).await.unwrap().deliveries;
    store.close().await;
    (look.hint_no, deliveries.values().sum())
}

#[tokio::test]
async fn a_replay_is_told_first_and_then_done() {
    let (folder, _) = folder_with_webhooks().await;
    let folder = folder.path();
    let told = replay(folder, &["--all"]);
    assert_eq!(code(&told), 0, "{}", stderr(&told));
    assert_eq!(
        stdout(&told),
        "3 of 5 selected webhooks would count as hints again.\n\
         1 are pending and left out: they hint once it is known who signed them.\n\
         1 are rejected and left out: they never have an effect.\n  \
         shop: 1 connections, and the list of all\n\
         Nothing was changed: --yes does it.\n"
    );
    let told = asked(folder, &["--all"]);
    let shop = json!({"shop": {"connections": 1, "list": true}});
    let left_out = json!({"pending": 1, "rejected": 1});
    assert_eq!(told, json!({"done": false, "selected": 5, "webhooks": 3, "left_out": left_out, "apps": shop}));
    assert_eq!(hints(folder).await, (2, 5));

    let done = asked(folder, &["--all", "--yes"]);
    assert_eq!(done, json!({"done": true, "selected": 5, "webhooks": 3, "left_out": left_out, "apps": shop}));
    assert_eq!(hints(folder).await, (3, 5), "two webhooks named it, and it is hinted at once");
    let done = stdout(&replay(folder, &["--token", "TOKEN00001", "--yes"]));
    assert_eq!(
        done,
        "2 of 2 selected webhooks count as hints again.\n  shop: 1 connections\n\
         They are read next, by the reconciler that runs or by the next one that starts.\n"
    );
    assert_eq!(hints(folder).await, (4, 5));
}

#[tokio::test]
async fn webhooks_are_selected_by_receipt_or_by_filter() {
    let (folder, webhooks) = folder_with_webhooks().await;
    let folder = folder.path();
    let selects = |arguments: &[&str]| {
        let told = asked(folder, arguments);
        (told["selected"].as_u64().unwrap(), told["webhooks"].as_u64().unwrap())
    };
    let receipts: Vec<String> = webhooks.iter().map(|webhook| webhook.receipt.to_string()).collect();
    assert_eq!(selects(&[&receipts[0], &receipts[3], &receipts[0]]), (2, 1));
    assert_eq!(selects(&["--limit", "2"]), (2, 0), "the newest");
    assert_eq!(selects(&["--limit", "4"]), (4, 2));
    assert_eq!(selects(&["--app", "bank"]), (1, 0));
    assert_eq!(selects(&["--verification", "verified", "--all"]), (3, 3));
    assert_eq!(selects(&["--verification", "verified", "--limit", "1"]), (1, 1));
    assert_eq!(selects(&["--duplicates"]), (1, 1));
    assert_eq!(selects(&["--first", "--token", "TOKEN00001"]), (1, 1));
    assert_eq!(selects(&["--since", &webhooks[1].received_at.to_string(), "--app", "shop"]), (1, 1));
    assert_eq!(stdout(&replay(folder, &["--app", "nobody"])), "No webhook fits.\n");

    for wrong in [&["--yes"][..], &["--all", "--limit", "1"], &["--app", "shop", &receipts[0]]] {
        assert_eq!(code(&replay(folder, wrong)), 2, "{wrong:?}");
    }
    let nobodys = "00000000-0000-7000-8000-000000000000";
    let unknown = replay(folder, &[&receipts[0], nobodys, "--yes"]);
    assert_eq!(code(&unknown), 1);
    let why = format!("no webhook with the receipt {nobodys} is on record");
    assert!(stderr(&unknown).contains(&why), "{}", stderr(&unknown));
    assert_eq!(hints(folder).await, (2, 5));
}

#[tokio::test]
async fn a_running_pipeline_is_to_be_stopped_first() {
    let (folder, _) = folder_with_webhooks().await;
    let folder = folder.path();
    let pipeline = Pipeline::start(folder);
    assert_eq!(asked(folder, &["--all"])["webhooks"], 3);
    let refused = replay(folder, &["--all", "--yes"]);
    assert_eq!(code(&refused), 1);
    assert!(stderr(&refused).contains("stop it first"), "{}", stderr(&refused));
    pipeline.signal("TERM");
    assert_eq!(pipeline.exit_code(), Some(0));
    assert_eq!(hints(folder).await, (2, 5));
}
