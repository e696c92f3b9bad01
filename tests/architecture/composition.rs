//! What `docker-compose.yml` must say of every service, whether or not an engine runs here; `tests/composed` brings it up.

use std::collections::{BTreeMap, BTreeSet};

use tests::workspace;

/// The image's check asks a role of finlinkd: the simulated Finlink is none, and nobody waits for a person's command.
const MAY_GO_UNASKED: [&str; 2] = ["finlink", "operator"];

/// The lines of each service, by its name.
fn services(text: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut services: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let within = text.lines().skip_while(|line| *line != "services:").skip(1);
    let mut name = "";
    for line in within.take_while(|line| line.is_empty() || line.starts_with([' ', '#'])) {
        match line.strip_prefix("  ").and_then(|line| line.strip_suffix(':')).filter(|line| !line.starts_with(' ')) {
            Some(service) => name = service,
            None if line.trim_start().starts_with('#') => {}
            None => services.entry(name).or_default().push(line.trim()),
        }
    }
    services
}

/// The lines of what all services of our image have.
fn ours(text: &str) -> Vec<&str> {
    let within = text.lines().skip_while(|line| *line != "x-finlinkd: &finlinkd").skip(1);
    let lines = within.take_while(|line| line.starts_with("  ")).map(str::trim);
    lines.filter(|line| !line.starts_with('#')).collect()
}

/// Those of the committed file.
fn committed() -> String {
    let text = std::fs::read_to_string(workspace::root().join("docker-compose.yml")).unwrap();
    let services = services(&text);
    assert!(services.len() > 10 && services.contains_key("caddy"), "{:?}", services.keys());
    text
}

/// Whether a service says this itself or, where it runs our image, what all of those have says it.
fn says(text: &str, lines: &[&str], start: &str) -> bool {
    let say = |lines: &[&str]| lines.iter().any(|line| line.starts_with(start));
    say(lines) || (lines.contains(&"<<: *finlinkd") && say(&ours(text)))
}

/// Whether its health check is none.
fn goes_unasked(lines: &[&str]) -> bool {
    lines.iter().any(|line| line.contains("disable: true") || (line.starts_with("test:") && line.contains("NONE")))
}

/// The networks of a service.
fn networks<'a>(services: &BTreeMap<&str, Vec<&'a str>>, service: &str) -> BTreeSet<&'a str> {
    let list = services[service].iter().find_map(|line| line.strip_prefix("networks: [")?.strip_suffix(']'));
    list.unwrap_or_else(|| panic!("{service} names no networks")).split(", ").collect()
}

#[test]
fn every_service_is_asked_of_its_health() {
    let text = committed();
    assert!(!goes_unasked(&ours(&text)), "what runs our image is not asked");
    for (name, lines) in services(&text) {
        assert!(says(&text, &lines, "healthcheck:"), "{name} has no health check");
        assert!(!goes_unasked(&lines) || MAY_GO_UNASKED.contains(&name), "{name} has turned its health check off");
    }
}

#[test]
fn every_service_is_held_to_the_limits_of_all_and_to_one_of_memory() {
    let text = committed();
    for (name, lines) in services(&text) {
        assert!(says(&text, &lines, "<<: *service"), "{name} is not held to the limits of all");
        assert!(says(&text, &lines, "mem_limit:"), "{name} has no limit of memory");
    }
}

#[test]
fn whom_the_internet_reaches_shares_no_network_with_the_database() {
    let text = committed();
    let services = services(&text);
    let of_database = networks(&services, "postgres");
    for service in ["ingress", "gateway", "caddy"] {
        let shared: Vec<_> = networks(&services, service).intersection(&of_database).copied().collect();
        assert!(shared.is_empty(), "{service} reaches the database by {shared:?}");
    }
    let out = text.lines().find(|line| line.starts_with("  database:"));
    assert_eq!(out, Some("  database: {internal: true}"), "the database has a way out");
}
