//! The demo, small, with harsh rates and odd seeds: the exit code is the verdict.

use serde_json::Value;

use super::process::{code, finlinkd, stderr, stdout};

fn demo(arguments: &[&str]) -> Value {
    let output = finlinkd(&[&["demo", "--json"], arguments].concat()).output().unwrap();
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap_or_default();
    assert_eq!(code(&output), 0, "{report:#}\n{}", stderr(&output));
    report
}

#[test]
fn a_harsh_world_still_ends_at_the_truth() {
    let report = demo(&[
        "--connections",
        "12",
        "--webhooks",
        "150",
        "--seed",
        "18446744073709551557",
        "--loss-rate",
        "0.5",
        "--duplicate-rate",
        "0.9",
        "--reorder",
        "1",
        "--forged-rate",
        "0.3",
    ]);
    assert_eq!(report["converged"], true);
    assert_eq!(report["mismatches"], 0);
    assert!(report["healed_without_webhook"].as_u64().unwrap() > 0, "{report:#}");
    assert!(report["duplicates"].as_u64().unwrap() > 0, "{report:#}");
    assert!(report["refused"].as_u64().unwrap() > 0, "{report:#}");
    for field in ["sent", "acknowledged", "deliveries", "connections", "events", "elapsed_seconds"] {
        assert!(report[field].as_f64().unwrap() > 0.0, "{field}: {report:#}");
    }
}

#[test]
fn a_calm_world_of_one_connection_is_enough() {
    let report = demo(&[
        "--connections",
        "1",
        "--webhooks",
        "5",
        "--seed",
        "0",
        "--loss-rate",
        "0",
        "--duplicate-rate",
        "0",
        "--reorder",
        "0",
        "--forged-rate",
        "0",
    ]);
    assert_eq!(report["refused"], 0, "{report:#}");
}

#[test]
fn a_rate_out_of_its_bounds_exits_with_64_and_names_it() {
    let output = finlinkd(&["demo", "--loss-rate", "2"]).output().unwrap();
    assert_eq!(code(&output), 64);
    assert!(stderr(&output).contains("loss_rate"), "{}", stderr(&output));
}
