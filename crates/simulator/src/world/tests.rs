//! The world alone, without clock or sockets: what the seed decides, and where a run ends.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde_json::Value;

use super::World;
use super::change::{Change, Kind};
use super::script::Script;
use crate::sender::plan::{Planned, Role};
use crate::settings::Settings;

const BASE_MS: i64 = 1_767_225_600_000;

/// A whole run.
struct Played {
    changes: Vec<Change>,
    webhooks: Vec<Planned>,
    lost: u64,
    world: World,
}

fn play(settings: &Settings) -> Played {
    let (mut script, existing) = Script::new(settings);
    let mut world = World::new(settings, existing, BASE_MS);
    let (mut changes, mut webhooks, mut lost) = (Vec::new(), Vec::new(), 0);
    while let Some(step) = script.step(&mut world) {
        changes.extend(step.change);
        webhooks.extend(step.webhooks);
        lost += u64::from(step.lost);
    }
    Played { changes, webhooks, lost, world }
}

fn sent(played: &Played) -> Vec<(u64, String, Role, Duration, Vec<u8>)> {
    played.webhooks.iter().map(|w| (w.change, w.token.clone(), w.role, w.wait, w.message.body.to_vec())).collect()
}

#[test]
fn the_same_seed_gives_the_same_changes_the_same_webhooks_and_the_same_truth() {
    let settings = Settings { connections: 40, webhooks: Some(700), forged_rate: 0.1, ..Settings::default() };
    let (one, other) = (play(&settings), play(&settings));
    assert_eq!(one.changes, other.changes);
    assert_eq!(sent(&one), sent(&other));
    assert_eq!(one.world.truth(), other.world.truth());
    assert_eq!(one.world.deleted(), other.world.deleted());
}

#[test]
fn another_seed_or_another_app_gives_another_world() {
    let settings = Settings::default();
    let truth = play(&settings).world.truth();
    assert_ne!(truth, play(&Settings { seed: 2, ..settings.clone() }).world.truth());
    assert_ne!(truth, play(&Settings { app: "other".to_owned(), ..settings }).world.truth());
}

#[test]
fn a_run_sends_exactly_as_many_webhooks_as_asked_and_leaves_nothing_running() {
    for (connections, webhooks, duplicate_rate, loss_rate) in [
        (1, 0, 0.0, 0.0),
        (1, 1, 1.0, 0.9),
        (20, 7, 0.5, 0.5),
        (20, 20, 0.0, 0.0),
        (50, 1_000, 0.9, 0.3),
        (3, 500, 0.2, 0.95),
    ] {
        let settings = Settings {
            connections,
            webhooks: Some(webhooks),
            duplicate_rate,
            loss_rate,
            forged_rate: 0.3,
            ..Settings::default()
        };
        let played = play(&settings);
        let case = format!("{connections} connections, {webhooks} webhooks");
        assert_eq!(played.webhooks.len() as u64, webhooks, "{case}");
        let truth = played.world.truth();
        assert_eq!(truth.len() + played.world.deleted().len(), connections, "{case}");
        assert_eq!(played.world.deleted().len(), settings.deletions.min(connections - 1), "{case}");
        assert!(truth.iter().all(|c| c["status"] != "PENDING" && c["status"] != "UPDATING"), "{case}");
        assert_eq!(played.world.pending(None), Vec::<Value>::new(), "{case}");
    }
}

#[test]
fn every_told_change_is_either_lost_or_sent_first_once() {
    let played = play(&Settings { webhooks: Some(2_000), loss_rate: 0.2, ..Settings::default() });
    let told = played.changes.iter().filter(|change| change.kind.told().is_some()).count() as u64;
    let first: Vec<_> = played.webhooks.iter().filter(|w| w.role == Role::First).map(|w| w.change).collect();
    assert_eq!(first.iter().collect::<HashSet<_>>().len(), first.len());
    assert_eq!(told, first.len() as u64 + played.lost);
    assert!(played.lost > 100, "a fifth is lost, and {} are", played.lost);
}

#[test]
fn everything_that_can_happen_happens_in_a_world_large_enough() {
    use Kind::{
        Blocked, Created, CredentialsChanged, Deleted, Exchanged, ImportFailed, Imported, UpdateFailed, UpdateStarted,
        UpdateTokenIssued, Updated, UpdatedOddly,
    };
    let played = play(&Settings { connections: 100, webhooks: Some(5_000), ..Settings::default() });
    let happened: HashSet<_> = played.changes.iter().map(|change| change.kind).collect();
    for kind in [
        Blocked,
        Created,
        CredentialsChanged,
        Deleted,
        Exchanged,
        ImportFailed,
        Imported,
        UpdateFailed,
        UpdateStarted,
        UpdateTokenIssued,
        Updated,
        UpdatedOddly,
    ] {
        assert!(happened.contains(&kind), "{kind:?}");
    }
}

#[test]
fn times_only_rise_and_every_change_of_a_shown_connection_shows() {
    let settings = Settings { connections: 5, webhooks: Some(3_000), ..Settings::default() };
    let (mut script, existing) = Script::new(&settings);
    let mut world = World::new(&settings, existing, BASE_MS);
    let mut last: HashMap<String, Value> = HashMap::new();
    let mut last_at = Duration::ZERO;
    while let Some(step) = script.step(&mut world) {
        let Some(change) = step.change else { continue };
        assert!(change.at >= last_at);
        last_at = change.at;
        let Some(shown) = world.single(&change.token, None) else { continue };
        let shown: Value = serde_json::from_str(&shown).unwrap();
        if let Some(before) = last.insert(change.token.clone(), shown.clone()) {
            assert_ne!(before, shown, "{change:?}");
            for field in ["updatedAt", "lastSync"] {
                // ISO 8601 in one format: text order is time order. A missing value reads as the empty text.
                let [before, after] = [&before, &shown].map(|c| c[field].as_str().unwrap_or_default());
                assert!(before <= after, "{field} of {change:?}");
            }
        }
    }
    assert!(last_at <= settings.duration);
}

#[test]
fn a_connection_looks_as_the_api_documents_it() {
    let truth = play(&Settings::default()).world.truth();
    for connection in &truth {
        let token = connection["credentialsToken"].as_str().unwrap();
        assert!(token.len() == 10 && token.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()), "{token}");
        let created = connection["createdAt"].as_str().unwrap();
        assert!(created.len() == 24 && created.ends_with('Z'), "{created}");
        assert!(created.parse::<jiff::Timestamp>().is_ok());
        let failed = matches!(connection["status"].as_str(), Some("ERRORED" | "UPDATE_ERROR"));
        assert_eq!(failed, connection["errorDetails"].is_object());
    }
    assert!(truth.iter().any(|c| c.get("restoreToken") == Some(&Value::Null)), "some show no value as null");
    assert!(truth.iter().any(|c| c.get("restoreToken").is_none()), "others leave it out");
}

#[test]
fn a_list_is_every_shown_connection_and_the_past_can_be_asked() {
    let mut world = World::new(&Settings::default(), 2, BASE_MS);
    let before_change = std::time::Instant::now();
    let (index, change) = world.create(Duration::ZERO);
    assert_eq!(world.single(&change.token, None), None, "not exchanged, not shown");
    world.apply(index, Duration::from_secs(1), Kind::Exchanged);
    world.apply(index, Duration::from_secs(2), Kind::Imported);
    let list: Vec<Value> = serde_json::from_str(&world.list(None, None)).unwrap();
    assert_eq!(list.len(), 3);
    assert_eq!(list[2], serde_json::from_str::<Value>(&world.single(&change.token, None).unwrap()).unwrap());
    assert_eq!(world.single(&change.token, Some(before_change)), None);
    let list: Vec<Value> = serde_json::from_str(&world.list(None, Some(before_change))).unwrap();
    assert_eq!(list.len(), 2);
}

#[test]
fn a_living_world_has_no_end_and_keeps_its_size() {
    let settings = Settings { live: true, connections: 30, ..Settings::default() };
    let (mut script, existing) = Script::new(&settings);
    let mut world = World::new(&settings, existing, BASE_MS);
    for _ in 0..20_000 {
        assert!(script.step(&mut world).is_some());
    }
    assert!(world.deleted().len() > 10);
    let there = world.truth().len() + world.pending(None).len();
    assert!((25..=30).contains(&there), "{there}");
    let running = world.truth().iter().filter(|c| c["status"] == "UPDATING" || c["status"] == "PENDING").count();
    assert!(running < 10, "{running} run at once");
}
