//! Each way to start wrong: one clear line that names the thing, and an exit code that is not 0.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::{Output, Stdio};

use super::process::{Pipeline, code, finlinkd, run, stderr, stdout, variables};

/// The last line of standard error, which is the reason.
fn reason(output: &Output) -> String {
    stderr(output).lines().last().unwrap_or_default().to_owned()
}

fn start(variables: Vec<(String, String)>) -> Output {
    finlinkd(&["run"]).envs(variables).output().unwrap()
}

#[test]
fn settings_that_do_not_fit_exit_with_64_and_a_line_each() {
    let output = run(&["run"], &[("FINLINKD__LISTENN", "x"), ("FINLINKD__LISTEN", "y")]);
    assert_eq!(code(&output), 64);
    let told = stderr(&output);
    assert_eq!(told.lines().count(), 2, "{told}");
    assert!(told.starts_with("finlinkd: listen (FINLINKD__LISTEN): \"y\" does not fit"), "{told}");
}

#[test]
fn a_missing_secret_exits_with_64_and_names_the_variable() {
    let output = run(&["run"], &[("FINLINKD__APPS__DEMO__CLIENT_ID", "x")]);
    assert_eq!(code(&output), 64);
    assert!(stderr(&output).contains("FINLINKD__APPS__DEMO__CLIENT_SECRET): missing"), "{}", stderr(&output));
}

#[test]
fn arguments_that_do_not_read_exit_with_2() {
    assert_eq!(code(&run(&["connections", "list", "--limit", "many"], &[])), 2);
    assert_eq!(code(&run(&["frobnicate"], &[])), 2);
}

#[test]
fn a_taken_port_names_its_setting() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut variables = variables(folder.path(), "127.0.0.1:0");
    variables.push(("FINLINKD__LISTEN".to_owned(), taken.local_addr().unwrap().to_string()));
    let output = start(variables);
    assert_eq!(code(&output), 1);
    let told = reason(&output);
    assert!(told.contains("the port is taken") && told.contains("`listen`"), "{told}");
}

#[test]
fn a_folder_in_use_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = Pipeline::start(folder.path());
    let output = start(variables(folder.path(), "127.0.0.1:0"));
    assert_eq!(code(&output), 1);
    let told = reason(&output);
    assert!(told.contains("data folder in use") && told.contains(folder.path().to_str().unwrap()), "{told}");
    pipeline.signal("TERM");
    assert_eq!(pipeline.exit_code(), Some(0));
}

#[test]
fn an_unwritable_folder_is_named() {
    // A file where the folder should be is unwritable for root too, unlike a folder without permissions.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("data");
    std::fs::write(&file, "").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let output = start(variables(&file, "127.0.0.1:0"));
    assert_eq!(code(&output), 1);
    assert!(reason(&output).contains(file.to_str().unwrap()), "{}", stderr(&output));
}

#[test]
fn a_listing_of_a_folder_without_a_store_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(&["connections"], &[("FINLINKD__DATA_DIR", folder.path().to_str().unwrap())]);
    assert_eq!(code(&output), 1);
    assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
    assert!(stderr(&output).contains(folder.path().to_str().unwrap()), "{}", stderr(&output));
}

#[test]
fn an_unknown_schema_exits_with_64_and_lists_the_known_ones() {
    let output = run(&["schema", "nonsense"], &[]);
    assert_eq!(code(&output), 64);
    assert!(stderr(&output).contains("connection_event"), "{}", stderr(&output));
}

#[test]
fn check_config_prints_masked_settings_and_tells_what_is_missing() {
    let variables = [("FINLINKD__APPS__DEMO__CLIENT_ID", "an-id"), ("FINLINKD__APPS__DEMO__CLIENT_SECRET", "hunter2")];
    let output = run(&["check-config"], &variables);
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert!(stdout(&output).contains("client_secret = \"********\""), "{}", stdout(&output));
    assert!(!stdout(&output).contains("hunter2"));

    let output = run(&["check-config", "--json"], &[]);
    assert_eq!(code(&output), 64);
    let shown: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(shown["listen"], "127.0.0.1:8080");
}

#[test]
fn output_into_a_closed_pipe_is_no_error() {
    let mut child = finlinkd(&["schema"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(stderr(&output), "");
}

#[test]
fn nobody_to_ask_is_not_healthy() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let output = run(&["healthcheck"], &[("FINLINKD__ADMIN_LISTEN", &free)]);
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("nobody listens on"), "{}", stderr(&output));
}
