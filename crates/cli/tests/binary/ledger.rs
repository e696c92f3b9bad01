//! `ledger verify` through the binary: what it says of the books, and the exit code that a script goes by.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::{Value, json};
use store::Intake;
use tempfile::TempDir;

use super::folder::{an_hour_passes, command, mark, open, record, webhook};
use super::process::{code, finlinkd, stderr, stdout};

/// The store of a run that marked three webhooks; these of them are recorded.
async fn marked(recorded: &[u64], last: bool) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    record(&store, &recorded.iter().copied().map(webhook).collect::<Vec<_>>()).await;
    store.mark(&[mark(last)]).await.unwrap();
    store.close().await;
    folder
}

fn verify(folder: &TempDir, options: &[&str]) -> Output {
    command(folder.path(), &[&["ledger", "verify"], options].concat())
}

/// The verdict and what it misses, and the exit code.
fn verdict(folder: &TempDir, options: &[&str]) -> (Value, Value, i32) {
    let output = verify(folder, &[options, &["--json"]].concat());
    let books: Value = serde_json::from_str(&stdout(&output)).unwrap();
    (books[0]["verdict"].clone(), books[0]["missing"].clone(), code(&output))
}

#[tokio::test]
async fn a_hole_of_long_ago_is_named_and_exits_with_1() {
    for last in [true, false] {
        let folder = marked(&[1, 3], last).await;
        an_hour_passes(folder.path());
        assert_eq!(verdict(&folder, &[]), (json!("holes"), json!([{"from": 2, "through": 2}]), 1));
        let output = verify(&folder, &[]);
        assert_eq!(code(&output), 1);
        let told = stdout(&output);
        assert!(told.contains("marked through 3, 2 stored, 0 refused: holes: 2 are missing"), "{told}");
        assert!(told.contains("1 numbers are missing: lost, or in the spool"), "{told}");
        // There is nothing to wait for.
        assert_eq!(verdict(&folder, &["--wait", "1h", "--stopped"]).2, 1);
    }
}

#[tokio::test]
async fn what_is_missing_behind_a_fresh_mark_is_neither_proven_nor_lost() {
    for last in [true, false] {
        let folder = marked(&[1, 3], last).await;
        for options in [&[][..], &["--wait", "10ms"]] {
            let waiting = (json!("waiting"), json!([{"from": 2, "through": 2}]), 75);
            assert_eq!(verdict(&folder, options), waiting, "{options:?}");
        }
        let told = stdout(&verify(&folder, &[]));
        assert!(told.contains("waiting: 2 may still be on the way\nNot decided yet"), "{told}");
    }
}

#[tokio::test]
async fn where_every_ingress_was_stopped_books_without_a_last_mark_are_not_proven() {
    let goes_on = marked(&[1, 2, 3], false).await;
    assert_eq!(verdict(&goes_on, &[]), (json!("balanced"), Value::Null, 0));
    assert_eq!(verdict(&goes_on, &["--stopped"]), (json!("waiting"), json!([]), 75));
    an_hour_passes(goes_on.path());
    assert_eq!(verdict(&goes_on, &["--stopped"]), (json!("unproven_tail"), Value::Null, 0));

    let ended = marked(&[1, 2, 3], true).await;
    assert_eq!(verdict(&ended, &["--stopped"]), (json!("balanced"), Value::Null, 0));
    let told = stdout(&verify(&ended, &["--stopped"]));
    assert!(told.ends_with("balanced\nNo holes: whatever was acknowledged and marked is stored.\n"), "{told}");
}

/// Has it verify and wait, does something to the store once it waits, and answers how it ends.
async fn wait_while(folder: &Path, options: &[&str], change: impl AsyncFnOnce()) -> i32 {
    let mut command = finlinkd(&[&["ledger", "verify", "--wait", "1h"], options].concat());
    let command = command.env("FINLINKD__DATA_DIR", folder).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut waiting = command.spawn().unwrap();
    let mut said = String::new();
    BufReader::new(waiting.stderr.take().unwrap()).read_line(&mut said).unwrap();
    assert_eq!(said, "Waiting for what may still be on its way.\n");
    change().await;
    waiting.wait().unwrap().code().unwrap()
}

#[tokio::test]
async fn it_waits_for_what_is_on_its_way() {
    let folder = marked(&[1, 3], true).await;
    let path = folder.path();
    let comes = async || {
        let store = open(path);
        record(&store, &[webhook(2)]).await;
        store.close().await;
    };
    assert_eq!(wait_while(path, &["--stopped"], comes).await, 0);
    assert_eq!(verdict(&folder, &["--stopped"]).2, 0);

    let goes_on = marked(&[1, 2, 3], false).await;
    let path = goes_on.path();
    let ends = async || {
        let store = open(path);
        store.mark(&[mark(true)]).await.unwrap();
        store.close().await;
    };
    assert_eq!(wait_while(path, &["--stopped"], ends).await, 0);
}

#[tokio::test]
async fn what_does_not_come_is_a_hole_in_the_end() {
    let folder = marked(&[1, 3], true).await;
    let path = folder.path();
    assert_eq!(wait_while(path, &[], async || an_hour_passes(path)).await, 1);
}

#[test]
fn it_waits_for_a_day_at_most() {
    let folder = tempfile::tempdir().unwrap();
    for (wait, why) in [("25h", "at most 1day were expected"), ("soon", "expected number at 0")] {
        let output = verify(&folder, &["--wait", wait]);
        assert_eq!(code(&output), 2);
        assert!(stderr(&output).contains(why), "{}", stderr(&output));
    }
}
