//! The files under `deploy/`, for tests that compare them with the program and with the servers that read them.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::workspace;

/// What Grafana puts in place of its variable, with the scrape interval of `prometheus.yml`.
const RATE_INTERVAL: &str = "1m";

/// A file or folder under `deploy/`.
pub fn path(name: &str) -> PathBuf {
    workspace::root().join("deploy").join(name)
}

/// The text of a file under `deploy/`.
pub fn text(name: &str) -> Result<String> {
    std::fs::read_to_string(path(name)).with_context(|| format!("deploy/{name} cannot be read"))
}

/// Every query of the dashboard, as Prometheus gets it.
pub fn dashboard_queries() -> Result<Vec<String>> {
    let dashboard: Value = serde_json::from_str(&text("grafana/dashboards/finlinkd.json")?)?;
    let panels = dashboard["panels"].as_array().context("the dashboard has no panels")?;
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let queries = targets.filter_map(|target| target["expr"].as_str());
    Ok(queries.map(|query| query.replace("$__rate_interval", RATE_INTERVAL)).collect())
}

/// The names of the jobs that Prometheus has there.
pub fn scrape_jobs() -> Result<BTreeSet<String>> {
    let configuration = text("prometheus/prometheus.yml")?;
    let jobs = configuration.lines().filter_map(|line| line.trim().strip_prefix("- job_name: "));
    Ok(jobs.map(str::to_owned).collect())
}
