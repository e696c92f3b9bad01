//! Dead letters through the binary: told about, published again, discarded; the books balance after either.

use std::path::Path;
use std::process::Output;
use std::time::Duration;

use consumer::envelope::letter;
use events::{RawWebhook, UtcMicros};
use queue::embedded::EmbeddedQueue;
use queue::{BatchLimits, Content, Message};
use serde_json::{Value, json};
use store::DeadLetterReason::{Culprit, Foreign};
use store::Intake;

use super::folder::{an_hour_passes, command, mark, open, record, webhook};
use super::process::{Pipeline, code, stderr, stdout};

/// A folder with a foreign letter (1) and those of three webhooks (2, 3, 4), all of them in the books of a run that ended an
/// hour ago.
async fn folder_with_letters() -> (tempfile::TempDir, Vec<RawWebhook>) {
    let folder = tempfile::tempdir().unwrap();
    let webhooks: Vec<_> = (1..=3).map(webhook).collect();
    let mut letters = vec![letter(
        &Content::Foreign { bytes: "hello".into(), reason: "no content type".to_owned() },
        Foreign,
        "no content type",
        UtcMicros(1),
    )];
    for webhook in &webhooks {
        let content = Content::Message(Message::Webhook(webhook.clone()));
        letters.push(letter(&content, Culprit, "no column takes it", UtcMicros(2)));
    }
    let store = open(folder.path());
    for letter in letters {
        store.bury(&[letter]).await.unwrap();
    }
    store.mark(&[mark(true)]).await.unwrap();
    store.close().await;
    an_hour_passes(folder.path());
    (folder, webhooks)
}

fn dead_letters(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, &[&["dead-letters"], arguments].concat())
}

/// What it answers in JSON.
fn asked(folder: &Path, arguments: &[&str]) -> Value {
    let output = dead_letters(folder, &[arguments, &["--json"]].concat());
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    serde_json::from_str(&stdout(&output)).unwrap()
}

/// The numbers of the letters that are left, newest first.
fn left(folder: &Path) -> Vec<i64> {
    let letters = asked(folder, &["list"]);
    letters.as_array().unwrap().iter().map(|letter| letter["id"].as_i64().unwrap()).collect()
}

/// The numbers that `ledger verify` misses, its verdict and its exit code.
fn missing(folder: &Path) -> (Value, Value, i32) {
    let output = command(folder, &["ledger", "verify", "--json"]);
    let books: Value = serde_json::from_str(&stdout(&output)).unwrap();
    (books[0]["missing"].clone(), books[0]["verdict"].clone(), code(&output))
}

/// Takes what is in the queue and records it, as a consumer does.
async fn consume(folder: &Path) -> Vec<RawWebhook> {
    let settings = queue::Settings { folder: folder.to_owned(), ..queue::Settings::default() };
    let queue = EmbeddedQueue::open(&settings).unwrap();
    let limits = BatchLimits { count_max: 10, bytes_max: 1_000_000, linger: Duration::ZERO };
    let batch = queue.subscribe().next_batch(&limits).await.unwrap();
    let webhooks: Vec<RawWebhook> = batch
        .deliveries()
        .iter()
        .map(|delivery| match &delivery.content {
            Content::Message(Message::Webhook(webhook)) => webhook.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    let store = open(folder);
    record(&store, &webhooks).await;
    batch.ack().await.unwrap();
    queue.close().await;
    store.close().await;
    webhooks
}

#[tokio::test]
async fn a_redrive_is_told_first_and_then_done_in_order() {
    let (folder, webhooks) = folder_with_letters().await;
    let folder = folder.path();

    let told = dead_letters(folder, &["redrive", "--all"]);
    assert_eq!(code(&told), 0, "{}", stderr(&told));
    let told = stdout(&told);
    assert!(told.starts_with("3 of 4 selected dead letters would be published again"), "{told}");
    assert!(told.contains("1: it is foreign: ingress never wrote it"), "{told}");
    assert!(told.ends_with("Nothing was changed: --yes does it.\n"), "{told}");
    let told = asked(folder, &["redrive", "--all"]);
    assert_eq!(
        (&told["done"], &told["letters"], &told["by_reason"]),
        (&json!(false), &json!(3), &json!({"culprit": 3}))
    );
    assert!(!told.to_string().contains("secret"), "{told}");
    assert_eq!(left(folder), [4, 3, 2, 1]);
    assert!(!folder.join("queue.db").exists());

    let done = asked(folder, &["redrive", "--all", "--yes"]);
    assert_eq!((&done["done"], &done["letters"], &done["buried_again"]), (&json!(true), &json!(3), &json!(0)));
    assert_eq!(done["left"], json!([{"id": 1, "why": "it is foreign: ingress never wrote it"}]));
    assert_eq!(left(folder), [1]);
    assert_eq!(missing(folder), (json!([{"from": 1, "through": 3}]), json!("holes"), 1));

    assert_eq!(consume(folder).await, webhooks);
    assert_eq!(missing(folder), (Value::Null, json!("balanced"), 0));
    assert!(!stdout(&command(folder, &["status"])).contains("culprit"));
}

#[tokio::test]
async fn letters_are_selected_by_number_and_by_filter() {
    let (folder, _) = folder_with_letters().await;
    let folder = folder.path();
    let selects = |arguments: &[&str]| {
        let told = asked(folder, &[&["discard"], arguments].concat());
        told["samples"].as_array().unwrap().iter().map(|letter| letter["id"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(selects(&["3", "1", "3"]), [1, 3]);
    assert_eq!(selects(&["--reason", "culprit"]), [2, 3, 4]);
    assert_eq!(selects(&["--app", "bank"]), [4]);
    assert_eq!(selects(&["--reason", "culprit", "--limit", "2"]), [2, 3]);
    assert_eq!(selects(&["1", "2", "--reason", "foreign"]), [1]);
    assert_eq!(selects(&["--reason", "attempts"]), [0_i64; 0]);

    assert_eq!(code(&dead_letters(folder, &["discard", "--yes"])), 2);
    let unknown = dead_letters(folder, &["discard", "2", "99", "--yes"]);
    assert_eq!(code(&unknown), 1);
    assert!(stderr(&unknown).contains("there is no dead letter 99; nothing was changed"), "{}", stderr(&unknown));
    assert_eq!(left(folder), [4, 3, 2, 1]);
}

#[tokio::test]
async fn discarded_letters_are_gone_and_leave_no_hole_in_the_books() {
    let (folder, _) = folder_with_letters().await;
    let folder = folder.path();
    let told = stdout(&dead_letters(folder, &["discard", "--all"]));
    assert!(told.contains("4 of 4 selected dead letters would be removed for good, bodies included"), "{told}");
    assert!(told.contains("This cannot be undone"), "{told}");
    assert_eq!(left(folder), [4, 3, 2, 1]);

    let done = stdout(&dead_letters(folder, &["discard", "1", "3", "--yes"]));
    assert!(done.starts_with("2 of 2 selected dead letters were removed for good"), "{done}");
    assert_eq!(left(folder), [4, 2]);
    assert_eq!(missing(folder), (Value::Null, json!("balanced"), 0));
}

#[tokio::test]
async fn a_running_pipeline_is_to_be_stopped_first() {
    let (folder, _) = folder_with_letters().await;
    let folder = folder.path();
    let pipeline = Pipeline::start(folder);
    assert_eq!(asked(folder, &["redrive", "--all"])["letters"], 3);
    for action in ["redrive", "discard"] {
        let refused = dead_letters(folder, &[action, "--all", "--yes"]);
        assert_eq!(code(&refused), 1);
        assert!(stderr(&refused).contains("stop it first"), "{}", stderr(&refused));
    }
    assert_eq!(left(folder), [4, 3, 2, 1]);
    pipeline.signal("TERM");
    assert_eq!(pipeline.exit_code(), Some(0));
}
