//! The committed configuration and rules, for processes at other addresses and a person with less time.
//!
//! These panic, as a test's own sentences do.
#![allow(clippy::unwrap_used, clippy::panic, clippy::missing_panics_doc, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::deployment;

/// As often as a loaded machine answers in time.
const SCRAPE_SECONDS: u32 = 2;
/// Instead of however long a rule waits.
const RULES_WAIT: &str = "1s";

/// `prometheus.yml` as it is, but that each name it asks of DNS stands for these addresses, that Prometheus itself is at
/// `own`, and that it looks more often.
pub fn configuration(places: &BTreeMap<&str, Vec<SocketAddr>>, own: SocketAddr) -> String {
    let committed = deployment::text("prometheus/prometheus.yml").unwrap();
    let mut names = Vec::new();
    let mut lines = Vec::new();
    for line in committed.lines() {
        let Some((indent, discovery)) = line.split_once("dns_sd_configs:") else {
            lines.push(sooner(line).replace("localhost:9090", &own.to_string()));
            continue;
        };
        let name = discovery.split(['[', ']']).find(|part| places.contains_key(part));
        let name = name.unwrap_or_else(|| panic!("nobody runs under the name in `{line}`"));
        let targets: Vec<String> = places[name].iter().map(|place| format!("\"{place}\"")).collect();
        lines.push(format!("{indent}static_configs: [{{targets: [{}]}}]", targets.join(", ")));
        names.push(name);
    }
    let unused: Vec<_> = places.keys().filter(|name| !names.contains(name)).collect();
    assert!(unused.is_empty(), "prometheus.yml does not scrape {unused:?}");
    lines.join("\n")
}

/// How often the global section looks.
fn sooner(line: &str) -> String {
    let setting = ["scrape_interval", "scrape_timeout", "evaluation_interval"]
        .into_iter()
        .find(|setting| line.trim_start().starts_with(&format!("{setting}:")));
    setting.map_or_else(|| line.to_owned(), |setting| format!("  {setting}: {SCRAPE_SECONDS}s"))
}

/// `alerts.yml` as it is, but that no rule waits.
pub fn rules() -> String {
    let waits = |line: &str| match line.split_once("for: ") {
        Some((indent, _)) if indent.trim().is_empty() => format!("{indent}for: {RULES_WAIT}"),
        _ => line.to_owned(),
    };
    deployment::text("prometheus/alerts.yml").unwrap().lines().map(waits).collect::<Vec<_>>().join("\n")
}
