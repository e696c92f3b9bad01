//! Retention: what may be purged, and what its purge leaves behind. Pure; the engines delete by it.
//!
//! A delivery may go once it was recorded long enough ago, by the store's clock (`deliveries.recorded_at`): neither the time in
//! its receipt nor `received_at` counts, which are an ingress' (R1). A pending one never goes. What else refers to deliveries, and
//! why nothing is lost with them:
//!
//! - **The books** (R8) need their numbers and nothing else of them. A purge keeps the numbers of exactly the rows that it deletes,
//!   as ranges in `purged`, in the same transaction. So every verdict is the same before and after: holes stay holes, an
//!   unproven tail goes on beginning behind the same number, and no delivery has to stay for the proof.
//! - **Bodies**: one goes when no delivery refers to it any more (R12). Of those that do, at most one is no duplicate: the one that
//!   brought it. `bodies_left` notes that this one went while duplicates stayed, and an index over duplicates alone tells when the
//!   last of these went. Where deliveries are recorded by several processes, a purge is alone meanwhile: whoever found a
//!   body there still finds it when its delivery is written.
//! - **Redelivery**: a message that is delivered once more after its delivery was purged is recorded as new. It hints once more,
//!   which costs one read at most (R11) and changes nothing.
//!
//! Events go once they are numbered, old enough and behind every relay. Their ids are not needed to keep an event from coming
//! twice: it is made of what a read changed in the row of a connection, under its lock, and an unchanged read makes none. A value
//! that went away and came back is another change, and another event of a higher version (R6).
//!
//! Observations stay (`rebuild --verify` needs all of them), and so do gaps, dead letters and the marks of the books.

use std::collections::BTreeMap;
use std::time::Duration;

use events::{AppName, Receipt, UtcMicros};
use uuid::Uuid;

use crate::Cursor;
use crate::books::Numbers;
use crate::tally::{Sum, Tally};

/// What one purge of deliveries did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PurgedDeliveries {
    /// Deliveries that are gone.
    pub deliveries: u64,
    /// Bodies that are gone with them.
    pub bodies: u64,
    /// Where to go on; `None` where nothing old is left.
    pub next: Option<Receipt>,
}

/// What one purge of events did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PurgedEvents {
    /// Events that are gone.
    pub events: u64,
    /// Where to go on; `None` where nothing is left that may go.
    pub next: Option<Cursor>,
}

/// Rows are looked at, so many for each that may go: those of other apps, and those that have to stay, are passed over.
const LOOKED_AT_PER_ROW: usize = 10;

/// How many rows a purge of `limit` looks at.
pub(crate) fn looked_at(limit: usize) -> i64 {
    i64::try_from(limit.saturating_mul(LOOKED_AT_PER_ROW)).unwrap_or(i64::MAX)
}

/// A row that was looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<K> {
    pub(crate) key: K,
    /// It is older than what is kept, whatever keeps it; or its key is, and there may be old ones behind it.
    pub(crate) old: bool,
    /// It may go.
    pub(crate) goes: bool,
}

/// What is purged of the rows looked at.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Choice<K> {
    pub(crate) go: Vec<K>,
    pub(crate) next: Option<K>,
}

/// Whether a receipt was drawn before `before` by the clock of its ingress, which may be far behind: then young deliveries stand
/// before old ones, and are no reason to look no further.
pub(crate) fn drawn_before(receipt: Receipt, before: UtcMicros) -> bool {
    let drawn = receipt.0.get_timestamp().map(|drawn| drawn.to_unix());
    drawn.is_some_and(|(seconds, _)| UtcMicros(0).plus(Duration::from_secs(seconds)) < before)
}

/// Chooses at most `limit` of the rows `seen`, which are in key order. A look at none that is old has come to the young ones: keys
/// are roughly in the order of recording. Where a clock of an ingress is ahead they are not, and its deliveries go later.
pub(crate) fn choose<K: Copy>(seen: &[Seen<K>], limit: usize) -> Choice<K> {
    let mut go = Vec::new();
    for row in seen.iter().filter(|row| row.goes) {
        go.push(row.key);
        if go.len() >= limit {
            return Choice { go, next: Some(row.key) };
        }
    }
    let full = i64::try_from(seen.len()).is_ok_and(|seen| seen >= looked_at(limit));
    let goes_on = full && seen.iter().any(|row| row.old);
    Choice { go, next: seen.last().filter(|_| goes_on).map(|row| row.key) }
}

/// The rows of `seen` before the first young one: events go in the order of their numbers and leave no gap behind them.
pub(crate) fn before_young<K>(seen: &[Seen<K>]) -> &[Seen<K>] {
    let old = seen.iter().position(|row| !row.old).unwrap_or(seen.len());
    &seen[..old]
}

/// A delivery that is gone.
#[derive(Debug)]
pub(crate) struct Gone {
    pub(crate) instance: Uuid,
    pub(crate) sequence: u64,
    pub(crate) body_id: Uuid,
    pub(crate) verification: String,
    pub(crate) duplicate: bool,
}

/// What deliveries that are gone leave to be done.
#[derive(Debug, Default)]
pub(crate) struct Left {
    /// Their numbers, by run.
    pub(crate) numbers: BTreeMap<Uuid, Numbers>,
    /// The bodies that they referred to, and whether the delivery that brought it is among them.
    pub(crate) bodies: BTreeMap<Uuid, bool>,
    pub(crate) counted: Tally,
}

impl Left {
    pub(crate) fn by(app: &AppName, gone: &[Gone]) -> Self {
        let mut left = Self::default();
        for Gone { instance, sequence, body_id, verification, duplicate } in gone {
            left.numbers.entry(*instance).or_default().add(*sequence);
            *left.bodies.entry(*body_id).or_default() |= !duplicate;
            left.counted.add(app, Sum::Duplicates, -i64::from(*duplicate));
            if let Some(word) = WORDS.into_iter().find(|word| word == verification) {
                left.counted.add_word(app.as_str(), Sum::Deliveries, word, -1);
            }
        }
        left
    }

    /// A body is gone, of which so many bytes were kept.
    pub(crate) fn body_gone(&mut self, app: &AppName, bytes: u64) {
        self.counted.add(app, Sum::Bodies, -1);
        self.counted.add(app, Sum::BodyBytes, -i64::try_from(bytes).unwrap_or(i64::MAX));
    }
}

/// What is said of the signature of a delivery that may go.
const WORDS: [&str; 3] = ["verified", "unchecked", "rejected"];

#[cfg(test)]
mod tests {
    //! Which of the rows looked at go, and whether there may be more.

    use super::*;

    fn seen(rows: &str) -> Vec<Seen<usize>> {
        let row = |(key, kind)| Seen { key, old: kind != 'y', goes: kind == 'g' };
        rows.chars().enumerate().map(row).collect()
    }

    #[test]
    fn no_more_go_than_asked_for_and_the_rest_is_for_the_next_time() {
        assert_eq!(choose(&seen("gkgg"), 2), Choice { go: vec![0, 2], next: Some(2) });
        assert_eq!(choose(&seen("gkg"), 5), Choice { go: vec![0, 2], next: None }, "there are no others");
    }

    #[test]
    fn what_has_to_stay_is_passed_over_as_long_as_anything_is_old() {
        assert_eq!(choose(&seen("kkkkkkkkkk"), 1), Choice { go: vec![], next: Some(9) });
        assert_eq!(choose(&seen("yyyyyyyyyk"), 1), Choice { go: vec![], next: Some(9) });
        assert_eq!(choose(&seen("yyyyyyyyyy"), 1), Choice { go: vec![], next: None });
        assert_eq!(choose(&seen("kkkkkkkkk"), 1), Choice { go: vec![], next: None }, "there are no others");
    }

    #[test]
    fn no_event_behind_a_young_one_goes() {
        assert_eq!(before_young(&seen("gkgyg")).len(), 3);
        assert_eq!(before_young(&seen("gg")).len(), 2);
    }
}
