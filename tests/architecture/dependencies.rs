//! Dependencies point one way, and each third-party driver has an allow-list of crates.

use std::collections::{BTreeMap, BTreeSet};

use tests::workspace;

/// What each of our crates may name of ours, outside its own tests. A crate that is not listed may name nothing.
const OURS: &[(&str, &[&str])] = &[
    ("events", &[]),
    ("connections", &["events"]),
    ("verification", &["events"]),
    ("sqlite", &[]),
    ("queue", &["events", "sqlite"]),
    ("store", &["events", "connections", "sqlite"]),
    ("listener", &[]),
    ("ingress", &["events", "verification", "queue", "listener"]),
    ("consumer", &["events", "queue", "store"]),
    ("reconciler", &["events", "connections", "verification", "store", "listener"]),
    ("feed", &["events", "queue", "store", "listener"]),
    ("simulator", &[]),
];

/// Who may name a third-party driver, outside its own tests.
const DRIVERS: &[(&str, &[&str])] = &[
    ("lapin", &["queue"]),
    ("amq-protocol", &["queue"]),
    ("rusqlite", &["sqlite"]),
    ("tokio-postgres", &["store"]),
    ("deadpool", &["store"]),
    ("deadpool-postgres", &["store"]),
    ("tokio-postgres-rustls", &["store"]),
    ("reqwest", &["reconciler", "simulator"]),
    ("actix-web", &["listener", "ingress", "reconciler", "feed", "simulator", "finlinkd"]),
    ("jsonwebtoken", &["simulator"]),
    ("config", &["finlinkd"]),
    ("clap", &["finlinkd", "xtask"]),
];

/// Crate to the names of its normal and build dependencies.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = workspace::metadata().unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    packages
        .iter()
        .map(|package| {
            let named = package["dependencies"].as_array().unwrap().iter();
            let named = named.filter(|dependency| dependency["kind"] != "dev");
            let names = named.map(|dependency| dependency["name"].as_str().unwrap().to_owned()).collect();
            (package["name"].as_str().unwrap().to_owned(), names)
        })
        .collect()
}

#[test]
fn crates_name_only_crates_below_them() {
    let ours: BTreeSet<&str> = OURS.iter().map(|(name, _)| *name).chain(["finlinkd", "tests", "xtask"]).collect();
    for (name, named) in dependencies() {
        if matches!(name.as_str(), "finlinkd" | "tests") {
            continue;
        }
        let allowed = OURS.iter().find(|(crate_name, _)| *crate_name == name).map_or(&[][..], |(_, allowed)| allowed);
        for other in named.iter().filter(|other| ours.contains(other.as_str())) {
            assert!(allowed.contains(&other.as_str()), "{name} may not depend on {other}; it may on {allowed:?}");
        }
    }
}

#[test]
fn nothing_depends_on_the_binary() {
    for (name, named) in dependencies() {
        assert!(name == "tests" || !named.contains("finlinkd"), "{name} depends on the binary's crate");
    }
}

#[test]
fn each_driver_is_named_only_by_its_owners() {
    for (name, named) in dependencies() {
        if name == "tests" {
            continue;
        }
        for (driver, owners) in DRIVERS {
            assert!(
                !named.contains(*driver) || owners.contains(&name.as_str()),
                "{name} may not name {driver}: {owners:?} may"
            );
        }
    }
}

#[test]
fn every_crate_is_in_the_table() {
    let known: BTreeSet<&str> = OURS.iter().map(|(name, _)| *name).chain(["finlinkd", "tests", "xtask"]).collect();
    for name in dependencies().keys() {
        assert!(known.contains(name.as_str()), "{name} is not in the table of tests/architecture/dependencies.rs");
    }
}

#[test]
fn finlinks_field_names_stay_where_finlink_is_spoken() {
    const SPEAKERS: [&str; 5] =
        ["crates/events/", "crates/verification/", "crates/reconciler/src/finlink", "crates/simulator/", "tests/"];
    const NAMES: [&str; 5] = ["credentialsToken", "restoreToken", "updateToken", "vumi-verification", "hasCredentials"];
    for file in workspace::rust_files().unwrap() {
        let path = file.strip_prefix(workspace::root()).unwrap().to_str().unwrap().to_owned();
        if SPEAKERS.iter().any(|speaker| path.starts_with(speaker))
            || path.contains("/tests/")
            || path.ends_with("tests.rs")
        {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        for name in NAMES {
            assert!(!text.contains(name), "{path} says {name}: Finlink's field names belong to {SPEAKERS:?}");
        }
    }
}
