//! `finlinkd run` as a process: what it says of itself, what the other commands see of it, and how it stops.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use super::process::{Pipeline, code, run, stderr, stdout};

fn json(arguments: &[&str], variables: &[(&str, &str)]) -> Value {
    let output = run(arguments, variables);
    assert_eq!(code(&output), 0, "{arguments:?}: {}", stderr(&output));
    serde_json::from_str(&stdout(&output)).unwrap()
}

#[test]
fn a_running_pipeline_is_ready_and_can_be_looked_into() {
    let folder = tempfile::tempdir().unwrap();
    let mut pipeline = Pipeline::start(folder.path());
    let admin = pipeline.address("admin_listen");
    let variables =
        [("FINLINKD__DATA_DIR", folder.path().to_str().unwrap()), ("FINLINKD__ADMIN_LISTEN", admin.as_str())];

    let health = run(&["healthcheck"], &variables);
    assert_eq!(code(&health), 0, "{}", stderr(&health));
    let ready: Value = serde_json::from_str(&stdout(&health)).unwrap();
    assert_eq!(ready["parts"]["ingress"]["status"], "ready", "{ready}");

    for listing in ["connections", "webhooks", "dead-letters", "gaps"] {
        assert_eq!(json(&[listing, "--json"], &variables), Value::Array(Vec::new()), "{listing}");
        assert_eq!(json(&[listing, "list", "--json", "--all"], &variables), Value::Array(Vec::new()), "{listing}");
        let text = run(&[listing], &variables);
        assert!(stdout(&text).lines().count() == 1, "an empty listing says so: {}", stdout(&text));
    }
    assert_eq!(json(&["events", "tail", "--json"], &variables), Value::Array(Vec::new()));
    let status = json(&["status", "--json"], &variables);
    assert_eq!(status["totals"]["duplicates"], 0);
    assert!(status["process"]["status"].is_string(), "{status}");

    let unknown = run(&["connections", "explain", "ABCDEFGHIJ"], &variables);
    assert_eq!(code(&unknown), 1);

    pipeline.signal("TERM");
    assert_eq!(pipeline.exit_code(), Some(0));
}

#[test]
fn an_interrupt_stops_it_as_well_and_the_folder_is_free_again() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let pipeline = Pipeline::start(folder.path());
        pipeline.signal("INT");
        assert_eq!(pipeline.exit_code(), Some(0));
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut pipeline = Pipeline::start_with(folder.path(), &[("FINLINKD__INGRESS__GRACE", "20s")]);
    pipeline.signal("TERM");
    pipeline.wait_for_message("stopping");
    pipeline.signal("TERM");
    assert_eq!(pipeline.exit_code(), Some(1));
}

#[test]
fn a_stop_that_takes_too_long_ends_with_1_and_names_what_hangs() {
    let folder = tempfile::tempdir().unwrap();
    let settings = [("FINLINKD__SHUTDOWN_DEADLINE", "100ms"), ("FINLINKD__INGRESS__BODY_TIMEOUT", "10m")];
    let mut pipeline = Pipeline::start_with(folder.path(), &settings);
    // A request whose body never ends; the interim answer says that it is being read.
    let mut sender = TcpStream::connect(pipeline.address("listen")).unwrap();
    let head = "POST /webhooks/demo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n";
    sender.write_all(head.as_bytes()).unwrap();
    let mut interim = [0; 12];
    sender.read_exact(&mut interim).unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100");

    pipeline.signal("TERM");
    let told = pipeline.wait_for_message("stopping took longer");
    assert!(told["message"].as_str().unwrap().contains("ingress"), "{told}");
    assert_eq!(pipeline.exit_code(), Some(1));
}

#[test]
fn verification_switched_off_is_told_loudly() {
    let folder = tempfile::tempdir().unwrap();
    let mut pipeline = Pipeline::start_with(folder.path(), &[("FINLINKD__VERIFICATION__MODE", "off")]);
    let told = pipeline.wait_for_message("verification.mode is off");
    assert_eq!(told["level"], "WARN");
    pipeline.signal("TERM");
    assert_eq!(pipeline.exit_code(), Some(0));
}
