//! What `docker-compose.yml` must say of every service, whether or not an engine runs here; `tests/composed` brings it up.

use std::collections::BTreeMap;

use tests::workspace;

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

#[test]
fn every_service_is_asked_of_its_health() {
    let text = std::fs::read_to_string(workspace::root().join("docker-compose.yml")).unwrap();
    let services = services(&text);
    assert!(services.len() > 10 && services.contains_key("caddy"), "{:?}", services.keys());
    for (name, lines) in services {
        let has = |start: &str| lines.iter().any(|line| line.starts_with(start));
        // `<<: *finlinkd` brings one along.
        assert!(has("healthcheck:") || has("<<: *finlinkd"), "{name} has no health check");
    }
}
