//! The command line as `--help` shows it: a snapshot, so that a change is seen in review.

use super::process::{code, run, stdout};

#[test]
fn the_help_of_every_command_is_as_reviewed() {
    let commands: [&[&str]; 24] = [
        &[],
        &["run"],
        &["ingress"],
        &["consumer"],
        &["reconciler"],
        &["feed"],
        &["demo"],
        &["simulate"],
        &["status"],
        &["connections"],
        &["connections", "explain"],
        &["connections", "refresh"],
        &["webhooks"],
        &["webhooks", "replay"],
        &["events", "tail"],
        &["dead-letters"],
        &["dead-letters", "redrive"],
        &["dead-letters", "discard"],
        &["gaps"],
        &["ledger", "verify"],
        &["rebuild"],
        &["check-config"],
        &["schema"],
        &["healthcheck"],
    ];
    let all: Vec<String> = commands
        .iter()
        .map(|command| {
            let arguments = [command, &["--help"][..]].concat();
            let output = run(&arguments, &[]);
            assert_eq!(code(&output), 0);
            format!("$ finlinkd {}\n{}", arguments.join(" "), stdout(&output))
        })
        .collect();
    insta::assert_snapshot!("help", all.join("\n"));
}

#[test]
fn schemas_are_printed_one_or_all() {
    let all: serde_json::Value = serde_json::from_str(&stdout(&run(&["schema"], &[]))).unwrap();
    let one: serde_json::Value = serde_json::from_str(&stdout(&run(&["schema", "connection_event"], &[]))).unwrap();
    assert_eq!(all["connection_event"], one);
    assert_eq!(one["title"], "ConnectionEvent");
}
