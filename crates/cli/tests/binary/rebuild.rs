//! `rebuild --verify` through the binary: what it names, and the exit code that a script goes by.

use std::path::Path;
use std::process::Output;

use connections::{Answer, Read};
use events::{AppName, ConnectionStatus, UtcMicros};
use serde_json::{Value, json};
use sqlite::rusqlite::Connection;
use store::{AppPin, Observation, Refresh};
use tempfile::TempDir;
use uuid::Uuid;

use super::folder::{command, open};
use super::process::{Pipeline, code, stderr, stdout};

const START: UtcMicros = UtcMicros(1_800_000_000_000_000);

/// A folder whose shop and bank have a connection each, which was read twice.
async fn folder_with_connections() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for (name, token) in [("shop", "TOKEN00001"), ("bank", "TOKEN00002")] {
        let app: AppName = name.parse().unwrap();
        store.enrol(&AppPin { app: app.clone(), client_id: "client".to_owned() }, START).await.unwrap();
        let lease = store.lease(&app, Uuid::from_u128(2), START, START).await.unwrap().unwrap();
        for (read_no, word) in [(1, "PENDING"), (2, "READY")] {
            let raw = json!({"credentialsToken": token, "status": word, "entity": "santander"});
            let status = Box::new(ConnectionStatus::from_value(raw.clone()).unwrap());
            let (app, token) = (app.clone(), token.parse().unwrap());
            let read = Read { app, token, read_no, as_of: START, answer: Answer::Found { status, raw } };
            store.observe(&lease, &[Observation { read, claim: None }], None, START).await.unwrap();
        }
    }
    store.close().await;
    folder
}

fn verify(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, &[&["rebuild", "--verify"], arguments].concat())
}

fn spoil(folder: &Path) {
    let store = Connection::open(folder.join("store.sqlite")).unwrap();
    let spoilt = "UPDATE connections SET status = 'ERRORED', entity = NULL WHERE token = 'TOKEN00001'";
    assert_eq!(store.execute(spoilt, []).unwrap(), 1);
}

#[tokio::test]
async fn connections_that_are_as_the_reads_made_them_exit_with_0() {
    let folder = folder_with_connections().await;
    let folder = folder.path();
    let said = "2 connections: each is as the reads on record make it.\n";
    let output = verify(folder, &[]);
    assert_eq!((stdout(&output).as_str(), code(&output)), (said, 0), "{}", stderr(&output));
    let output = verify(folder, &["--json"]);
    assert_eq!((stdout(&output).as_str(), code(&output)), ("[]\n", 0));
    let output = verify(folder, &["--app", "nobody"]);
    let nobody = format!("No connection in the store in {} fits.\n", folder.display());
    assert_eq!((stdout(&output), code(&output)), (nobody, 0));

    let pipeline = Pipeline::start(folder);
    assert_eq!(stdout(&verify(folder, &[])), said, "beside a pipeline that runs");
    pipeline.signal("TERM");
    assert_eq!(pipeline.exit_code(), Some(0));
}

#[tokio::test]
async fn what_differs_is_named_and_exits_with_1() {
    let folder = folder_with_connections().await;
    let folder = folder.path();
    spoil(folder);
    let output = verify(folder, &[]);
    assert_eq!(code(&output), 1, "{}", stderr(&output));
    let said: Vec<String> =
        stdout(&output).lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        said,
        [
            "APP TOKEN FIELD EXPECTED FOUND",
            "shop TOKEN00001 status READY ERRORED",
            "shop TOKEN00001 entity santander -",
            "1 of 2 connections are not as the reads on record make them.",
        ]
    );
    let output = verify(folder, &["--json"]);
    assert_eq!(code(&output), 1);
    let told: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let difference = |field: &str, expected: Value, found: Value| json!({"app": "shop", "token": "TOKEN00001", "field": field, "expected": expected, "found": found});
    let status = difference("status", json!("READY"), json!("ERRORED"));
    assert_eq!(told, json!([status, difference("entity", json!("santander"), Value::Null)]));

    for (only, exits) in
        [(["--app", "bank"], 0), (["--app", "shop"], 1), (["--token", "TOKEN00002"], 0), (["--token", "TOKEN00001"], 1)]
    {
        assert_eq!(code(&verify(folder, &only)), exits, "{only:?}");
    }
}

#[test]
fn what_cannot_be_looked_at_is_neither() {
    let folder = tempfile::tempdir().unwrap();
    let output = verify(folder.path(), &[]);
    assert_eq!((code(&output), stdout(&output).as_str()), (1, ""));
    assert!(stderr(&output).contains("store.sqlite"), "{}", stderr(&output));
    let output = command(folder.path(), &["rebuild"]);
    assert_eq!((code(&output), stdout(&output).as_str()), (64, ""));
    assert!(stderr(&output).contains("there is only `rebuild --verify` so far"), "{}", stderr(&output));
}
