//! Dashboard, alerts and runbook speak of the same things as the program: a renamed metric or alert is found here.

use std::collections::BTreeSet;

use serde_json::Value;
use tests::deployment;

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
