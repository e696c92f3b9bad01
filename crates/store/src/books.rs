//! Ranges of the books (R8): merging what a mark says was refused into what is known.

use events::SequenceRange;

/// The union of `ranges` as ranges that neither overlap nor touch, in order. Ranges that end before they begin are dropped.
pub(crate) fn union(ranges: impl IntoIterator<Item = SequenceRange>) -> Vec<SequenceRange> {
    let mut sorted: Vec<_> = ranges.into_iter().filter(|range| range.from <= range.through).collect();
    sorted.sort_by_key(|range| range.from);
    let mut merged: Vec<SequenceRange> = Vec::with_capacity(sorted.len());
    for range in sorted {
        match merged.last_mut() {
            Some(last) if range.from <= last.through.saturating_add(1) => {
                last.through = last.through.max(range.through);
            }
            _ => merged.push(range),
        }
    }
    merged
}

/// A sequence number as SQL takes it; none is so high that one more would not fit.
pub(crate) fn number(sequence: u64) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX).min(i64::MAX - 1)
}
