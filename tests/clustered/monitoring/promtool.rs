//! What Prometheus itself says of its configuration, the alert rules and the dashboard's queries.

use std::process::Command;

use serde_json::json;
use tests::deployment;

/// Runs `promtool` in the folder of its files and returns what it printed, where it is content.
fn promtool(arguments: &[&str]) -> Result<String, String> {
    let output =
        Command::new("promtool").args(arguments).current_dir(deployment::path("prometheus")).output().unwrap_or_else(
            |error| panic!("promtool could not be started ({error}); `cargo xtask test` installs it as root"),
        );
    let printed = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() { Ok(printed) } else { Err(printed) }
}

#[test]
fn prometheus_takes_its_configuration_and_the_rules() {
    promtool(&["check", "config", "prometheus.yml"]).unwrap();
}

#[test]
fn every_alert_fires_when_it_should_and_not_else() {
    promtool(&["test", "rules", "alerts.test.yml"]).unwrap();
}

#[test]
fn every_query_of_the_dashboard_is_one() {
    // promtool checks queries in rules only, and JSON is YAML too.
    let rule = |(number, query)| json!({ "record": format!("query_{number}"), "expr": query });
    let rules: Vec<_> = deployment::dashboard_queries().unwrap().into_iter().enumerate().map(rule).collect();
    assert!(rules.len() > 20, "the dashboard has few queries: {}", rules.len());
    let file = tempfile::Builder::new().suffix(".yml").tempfile().unwrap();
    let groups = json!({ "groups": [{ "name": "dashboard", "rules": rules }] });
    std::fs::write(file.path(), groups.to_string()).unwrap();
    promtool(&["check", "rules", file.path().to_str().unwrap()]).unwrap();
}
