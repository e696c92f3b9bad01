//! R6: the same change has the same id, two changes never have one, and versions are without a hole.

use std::collections::HashSet;

use connections::{Read, Verdict};
use events::{ConnectionEvent, EventType};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::life::{Life, but, found, minute, not_found, not_listed, pending, ready};

/// Every event of these reads.
fn all_events<'a>(reads: impl IntoIterator<Item = &'a Read>) -> Vec<ConnectionEvent> {
    let mut life = Life::new();
    reads.into_iter().flat_map(|read| life.observe(read).events).collect()
}

#[test]
fn the_id_of_a_value_does_not_depend_on_who_observed_it_and_when() {
    let last_known = but(&ready(), json!({"lastSync": minute(9), "updatedAt": minute(9)}));
    let newest = but(
        &ready(),
        json!({
            "status": "UPDATE_ERROR", "lastSync": minute(50), "updatedAt": minute(60), "updateToken": "u", "restoreToken": "r",
        }),
    );
    let seen_all = all_events([
        &found(1, minute(0), &ready()),
        &found(2, minute(10), &last_known),
        &found(3, minute(61), &newest),
    ]);
    let restored_from_a_backup = all_events([&found(70, minute(0), &ready()), &found(90, minute(99), &newest)]);
    let ids = |events: &[ConnectionEvent]| -> Vec<(EventType, String)> {
        let kinds =
            [EventType::Synced, EventType::UpdateFailed, EventType::UpdateTokenIssued, EventType::ActionRequired];
        let newest = events.iter().filter(|event| event.data.connection.last_sync == Some(minute(50)));
        newest.filter(|event| kinds.contains(&event.kind)).map(|event| (event.kind, event.id.clone())).collect()
    };
    assert_eq!(ids(&seen_all).len(), 4);
    assert_eq!(ids(&seen_all), ids(&restored_from_a_backup));
}

#[test]
fn a_token_that_vanishes_and_comes_back_is_announced_under_another_id_each_time() {
    let reads: Vec<_> = (1..=61)
        .map(|number| {
            let at = minute(number as i64);
            let token = (number % 2 == 0).then_some("u");
            found(number, at, &but(&ready(), json!({"lastSync": at, "updateToken": token})))
        })
        .collect();
    let events = all_events(&reads);
    let issued = events.iter().filter(|event| event.kind == EventType::UpdateTokenIssued);
    let ids: Vec<_> = issued.map(|event| &event.id).collect();
    assert_eq!(ids.len(), 30);
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 30);
}

#[test]
fn a_store_that_starts_anew_gives_changes_of_the_same_version_other_ids() {
    let changed = |at: i64| {
        let answer = but(&ready(), json!({"status": "UPDATING", "updatedAt": minute(at)}));
        all_events([&found(1, minute(0), &ready()), &found(2, minute(99), &answer)]).pop().expect("an event")
    };
    let (one, other) = (changed(10), changed(20));
    assert_eq!((one.kind, one.data.version), (EventType::Changed, other.data.version));
    assert_ne!(one.id, other.id);
}

/// Answers out of a small world, so that values come back often.
fn any_answer() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(vec!["PENDING", "READY", "UPDATING", "ERRORED", "UPDATE_ERROR", "DREAMING"]);
    let time = || prop::option::of(1_i64..4);
    let token = || prop::option::of(prop::sample::select(vec!["a", "b"]));
    (word, time(), time(), token(), token()).prop_map(|(status, updated, synced, update_token, restore_token)| {
        let time = |at: Option<i64>| at.map(minute);
        but(
            &pending(),
            json!({
                "status": status, "updatedAt": time(updated), "lastSync": time(synced),
                "updateToken": update_token, "restoreToken": restore_token,
            }),
        )
    })
}

/// Reads in the order of their numbers, some of them absent; each answered five minutes after the one before.
fn any_reads() -> impl Strategy<Value = Vec<Read>> {
    let answer = prop_oneof![6 => any_answer().prop_map(Some), 1 => Just(None)];
    prop::collection::vec((answer, any::<bool>()), 1..60).prop_map(|answers| {
        let numbered = (1_u64..).zip(answers);
        numbered
            .map(|(number, (answer, alone))| match answer {
                Some(answer) => found(number, minute(number as i64 * 5), &answer),
                None if alone => not_found(number, minute(number as i64 * 5)),
                None => not_listed(number, minute(number as i64 * 5)),
            })
            .collect()
    })
}

/// The same, in any order and with copies.
fn any_deliveries() -> impl Strategy<Value = Vec<Read>> {
    (any_reads(), 1_usize..3).prop_flat_map(|(reads, copies)| {
        let all: Vec<Read> = std::iter::repeat_n(reads, copies).flatten().collect();
        Just(all).prop_shuffle()
    })
}

proptest! {
    #[test]
    fn no_two_events_of_a_history_share_an_id(reads in any_deliveries()) {
        let mut ids = HashSet::new();
        for event in all_events(&reads) {
            prop_assert!(ids.insert(event.id.clone()), "twice: {event:?}");
        }
    }

    #[test]
    fn ids_are_deterministic_and_do_not_depend_on_numbers_or_clocks(reads in any_reads()) {
        let elsewhere: Vec<Read> = reads
            .iter()
            .map(|read| Read { read_no: read.read_no * 7 + 1000, as_of: read.as_of.plus(minute(3).since(minute(0))), ..read.clone() })
            .collect();
        let ids = |reads: &[Read]| -> Vec<String> { all_events(reads).into_iter().map(|event| event.id).collect() };
        prop_assert_eq!(ids(&reads), ids(&elsewhere));
    }

    #[test]
    fn every_change_raises_the_version_by_one_and_is_announced_under_it(reads in any_deliveries()) {
        let mut life = Life::new();
        for read in &reads {
            let before = life.known.as_ref().map_or(0, |known| known.version);
            let transition = life.observe(read);
            let after = life.known.as_ref().map_or(0, |known| known.version);
            let changes = matches!(
                transition.verdict,
                Verdict::Discovered | Verdict::Changed | Verdict::Revived | Verdict::Deleted
            );
            prop_assert_eq!(after, before + u64::from(changes), "{:?}", transition.verdict);
            prop_assert_eq!(!transition.events.is_empty(), changes);
            for event in &transition.events {
                prop_assert_eq!(event.data.version, after);
                prop_assert!(!event.data.changed.is_empty());
                prop_assert_eq!(&event.data.connection, &life.known().view());
            }
        }
    }

    #[test]
    fn the_last_event_carries_the_final_state(reads in any_deliveries()) {
        let mut life = Life::new();
        let mut last = None;
        for read in &reads {
            last = life.observe(read).events.into_iter().last().or(last);
        }
        if let Some(known) = life.known {
            let mut announced = last.expect("a known connection was announced").data.connection;
            announced.as_of = known.view().as_of;
            prop_assert_eq!(announced, known.view());
        }
    }
}
