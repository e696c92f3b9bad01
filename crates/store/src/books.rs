//! Ranges of the books (R8): merging what a mark says was refused into what is known, and numbers into ranges.

use std::collections::BTreeMap;

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

/// Numbers, kept as the ranges that they make up: first to last of each.
#[derive(Debug, Default)]
pub(crate) struct Numbers(BTreeMap<u64, u64>);

impl Numbers {
    /// Adds one; one that is there already changes nothing.
    pub(crate) fn add(&mut self, number: u64) {
        let before = self.0.range(..=number).next_back().map(|(from, through)| (*from, *through));
        let from = match before {
            Some((_, through)) if number <= through => return,
            Some((from, through)) if through + 1 == number => from,
            _ => number,
        };
        let through = number.checked_add(1).and_then(|next| self.0.remove(&next)).unwrap_or(number);
        self.0.insert(from, through);
    }

    /// The ranges, in order.
    pub(crate) fn ranges(self) -> Vec<SequenceRange> {
        self.0.into_iter().map(|(from, through)| SequenceRange { from, through }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_any_order_and_multiplicity_make_the_same_ranges() {
        for order in [[1, 2, 3, 5, 7, 6, 1], [7, 1, 5, 6, 3, 2, 5], [2, 6, 1, 7, 3, 5, 6]] {
            let mut numbers = Numbers::default();
            for number in order {
                numbers.add(number);
            }
            let ranges = [SequenceRange { from: 1, through: 3 }, SequenceRange { from: 5, through: 7 }];
            assert_eq!(numbers.ranges(), ranges, "{order:?}");
        }
    }

    #[test]
    fn the_highest_number_has_none_after_it() {
        let mut numbers = Numbers::default();
        for number in [u64::MAX, u64::MAX - 1, u64::MAX] {
            numbers.add(number);
        }
        assert_eq!(numbers.ranges(), [SequenceRange { from: u64::MAX - 1, through: u64::MAX }]);
    }
}
