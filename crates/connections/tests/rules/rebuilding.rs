//! What is known of a connection, derived again from the reads on record.

use std::time::Duration;

use connections::{Cause, Known, Read, Recorded, Verdict, differing_fields, rebuild};
use proptest::prelude::*;
use serde_json::json;

use crate::any_order::any_deliveries;
use crate::life::{Life, but, found, minute, not_found, not_listed, ready, second};

/// A life, the reads of which are put on record.
struct Recording {
    life: Life,
    records: Vec<(u64, Recorded)>,
}

impl Recording {
    fn of(life: Life) -> Self {
        Self { life, records: Vec::new() }
    }

    fn observe(&mut self, read: &Read) -> Verdict {
        let (circumstances, transition) = (self.life.circumstances, self.life.observe(read));
        let verdict = transition.verdict;
        if let (false, Some(after)) = (verdict == Verdict::Stale, transition.after) {
            self.records.push((after.version, Recorded { read: read.clone(), circumstances, verdict }));
        }
        verdict
    }

    /// What the records make of it: as far as they show it in the order in which they were judged.
    fn rebuilt(&self) -> (Option<Known>, Vec<Verdict>) {
        let mut records = self.records.clone();
        records
            .sort_by_key(|(version, recorded)| (*version, !recorded.verdict.raises_version(), recorded.read.read_no));
        let (mut known, mut verdicts) = (None, Vec::new());
        for (_, recorded) in &records {
            let (after, verdict) = rebuild(known.as_ref(), recorded);
            known = after;
            verdicts.push(verdict);
        }
        (known, verdicts)
    }
}

#[test]
fn what_durations_decided_is_decided_so_again_whatever_they_are_today() {
    let mut life = Life::new();
    life.schedule.second_look = Duration::from_hours(1);
    life.schedule.deletion_rounds_apart = Duration::from_mins(1);
    let mut recording = Recording::of(life);
    recording.observe(&found(1, minute(0), &but(&ready(), json!({"updatedAt": minute(-1)}))));
    let earlier = but(&ready(), json!({"updatedAt": minute(-2)}));
    // The rules' own durations would have let the second of these count, and deleted nothing.
    assert_eq!(recording.observe(&found(2, minute(1), &earlier)), Verdict::Suspect);
    assert_eq!(recording.observe(&found(3, minute(5), &earlier)), Verdict::Suspect);
    assert_eq!(recording.observe(&not_listed(4, minute(6))), Verdict::Missing);
    assert_eq!(recording.observe(&not_found(5, minute(6))), Verdict::Missing);
    assert_eq!(recording.observe(&not_listed(6, minute(7))), Verdict::Missing);
    assert_eq!(recording.observe(&not_found(7, minute(7))), Verdict::Deleted);
    let (known, verdicts) = recording.rebuilt();
    assert_eq!(known.as_ref(), recording.life.known.as_ref());
    assert!(verdicts.iter().eq(recording.records.iter().map(|(_, recorded)| &recorded.verdict)), "{verdicts:?}");
}

#[test]
fn reads_that_overtook_each_other_are_rebuilt_though_their_order_is_not_on_record() {
    let mut life = Life::new();
    life.schedule.second_look = Duration::from_hours(1);
    let mut recording = Recording::of(life);
    let updated = |at, id: &str| but(&ready(), json!({"updatedAt": minute(at), "externalId": id}));
    recording.observe(&found(1, minute(0), &updated(-1, "first")));
    assert_eq!(recording.observe(&found(6, minute(30), &updated(-3, "sixth"))), Verdict::Suspect);
    assert_eq!(recording.observe(&found(2, minute(5), &updated(-1, "second"))), Verdict::Changed);
    assert_eq!(recording.observe(&found(5, minute(20), &updated(-3, "fifth"))), Verdict::Suspect);
    assert_eq!(recording.observe(&found(4, minute(10), &updated(-3, "fourth"))), Verdict::Suspect);
    assert_eq!(recording.rebuilt().0.as_ref(), recording.life.known.as_ref());
}

#[test]
fn a_verdict_that_no_durations_explain_is_told() {
    let mut recording = Recording::of(Life::new());
    recording.observe(&found(1, minute(0), &ready()));
    recording.observe(&found(2, minute(1), &but(&ready(), json!({"externalId": "other"}))));
    recording.records.remove(0);
    let (known, verdicts) = recording.rebuilt();
    assert_eq!(verdicts, [Verdict::Discovered], "on record it is a change");
    assert_eq!(known.unwrap().version, 1);
}

#[test]
fn fields_differ_by_the_measure_of_a_change() {
    let life = Life::starting_with(&ready());
    let mut other = life.known().clone();
    other.raw = but(&ready(), json!({"lastSync": "2026-01-01T00:00:00Z", "new": {"kept": true}}));
    let differing = differing_fields(life.known(), &other);
    assert_eq!(differing.len(), 1, "the same time in another writing is the same: {differing:?}");
    assert_eq!(
        (differing[0].name.as_str(), &differing[0].expected, &differing[0].found),
        ("new", &json!(null), &json!({"kept": true}))
    );
}

fn any_duration() -> impl Strategy<Value = Duration> {
    prop::sample::select(vec![1, 30, 60, 600, 3600]).prop_map(Duration::from_secs)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_known_is_rebuilt_from_the_records(
        (_, deliveries) in any_deliveries(),
        allowed in prop::collection::vec(any::<bool>(), 1..10),
        (second_look, rounds_apart) in (any_duration(), any_duration()),
    ) {
        let mut life = Life::new();
        life.circumstances.cause = Cause::Sweep;
        (life.schedule.second_look, life.schedule.deletion_rounds_apart) = (second_look, rounds_apart);
        let mut recording = Recording::of(life);
        for (read, allowed) in deliveries.iter().zip(allowed.iter().cycle()) {
            recording.life.circumstances.deletions_allowed = *allowed;
            recording.observe(read);
        }
        let (rebuilt, _) = recording.rebuilt();
        prop_assert_eq!(rebuilt.as_ref(), Some(recording.life.known()));
    }
}

#[test]
fn a_read_on_record_keeps_its_own_time() {
    let mut recording = Recording::of(Life::new());
    recording.observe(&found(1, second(1), &ready()));
    recording.observe(&found(2, second(2), &ready()));
    assert_eq!(recording.rebuilt().0.map(|known| (known.read_no, known.as_of)), Some((2, second(2))));
}
