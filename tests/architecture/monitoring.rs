//! Dashboard, alerts and runbook speak of the same things as the program: a renamed metric or alert is found here.

use std::collections::BTreeSet;

use serde_json::Value;
use tests::{deployment, workspace};

/// Whole words of `text` that start with `prefix`.
fn words(text: &str, prefix: &str) -> BTreeSet<String> {
    text.split(|character: char| !character.is_ascii_alphanumeric() && character != '_')
        .filter(|word| word.starts_with(prefix))
        .map(str::to_owned)
        .collect()
}

/// A histogram's series have endings that its name has not.
fn metric_of(series: &str) -> &str {
    ["_bucket", "_sum", "_count"].iter().find_map(|ending| series.strip_suffix(ending)).unwrap_or(series)
}

/// Every metric that some `metrics.rs` or gauge registers: the names stand in the code as whole string literals.
fn registered() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for file in workspace::rust_files().unwrap() {
        if file.starts_with(workspace::root().join("crates")) {
            let text = std::fs::read_to_string(file).unwrap();
            let literals = text.split('"').filter(|literal| literal.starts_with("finlinkd_"));
            names.extend(literals.map(str::to_owned));
        }
    }
    names
}

#[test]
fn every_metric_asked_for_is_one_that_the_program_registers() {
    let mut asked = words(&deployment::text("prometheus/alerts.yml").unwrap(), "finlinkd_");
    for query in deployment::dashboard_queries().unwrap() {
        asked.extend(words(&query, "finlinkd_"));
    }
    let registered = registered();
    let missing: Vec<&String> = asked.iter().filter(|name| !registered.contains(metric_of(name))).collect();
    assert!(
        asked.len() > 20 && missing.is_empty(),
        "asked for by dashboard or alerts, but registered nowhere: {missing:?}"
    );
}

#[test]
fn every_alert_has_its_paragraph_in_the_runbook_and_says_where() {
    let rules = deployment::text("prometheus/alerts.yml").unwrap();
    let runbook = deployment::text("prometheus/RUNBOOK.md").unwrap();
    let names = |text: &str, mark: &str| -> BTreeSet<String> {
        text.lines().filter_map(|line| line.trim().strip_prefix(mark)).map(str::to_owned).collect()
    };
    let alerts = names(&rules, "- alert: ");
    assert_eq!(alerts, names(&runbook, "### "));
    for alert in alerts {
        let link = format!("runbook: deploy/prometheus/RUNBOOK.md#{}\n", alert.to_lowercase());
        assert!(rules.contains(&link), "{alert} does not link to its paragraph");
    }
}

#[test]
fn every_alert_is_shown_to_fire() {
    let rules = deployment::text("prometheus/alerts.yml").unwrap();
    let stories = deployment::text("prometheus/alerts.test.yml").unwrap();
    let stories: Vec<&str> = stories.split("- name: ").collect();
    for alert in rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        let fires = format!("alertname: {alert}\n");
        assert!(stories.iter().any(|story| story.contains(&fires)), "no story of alerts.test.yml lets {alert} fire");
    }
}

#[test]
fn the_first_row_of_the_dashboard_answers_the_first_questions() {
    let dashboard: Value =
        serde_json::from_str(&deployment::text("grafana/dashboards/finlinkd.json").unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let first_row: Vec<&str> =
        panels.iter().filter(|panel| panel["gridPos"]["y"] == 0).filter_map(|panel| panel["title"].as_str()).collect();
    let expected = [
        "Requests by outcome",
        "Age of queue and spool",
        "Oldest unanswered hint",
        "Connections within schedule",
        "Gaps",
    ];
    assert_eq!(first_row, expected);
}
