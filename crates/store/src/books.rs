//! Ranges of the books (R8): merging what a mark says was refused into what is known, numbers into ranges, and ranges into
//! text and back.

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

/// What the webhooks of a batch add to the books of their run.
#[derive(Debug, Default)]
pub(crate) struct Entry {
    /// How far the run had decided when they left, as they tell.
    pub(crate) told_through: i64,
    /// Their numbers.
    pub(crate) numbers: Numbers,
}

/// Ranges as `booked` keeps them, like `1-4,7`.
pub(crate) fn written(ranges: &[SequenceRange]) -> String {
    let one = |range: &SequenceRange| match *range {
        SequenceRange { from, through } if from == through => from.to_string(),
        SequenceRange { from, through } => format!("{from}-{through}"),
    };
    ranges.iter().map(one).collect::<Vec<_>>().join(",")
}

/// Ranges as they were written; `None` for what no program of ours wrote.
pub(crate) fn read(text: &str) -> Option<Vec<SequenceRange>> {
    let one = |part: &str| {
        let (from, through) = part.split_once('-').unwrap_or((part, part));
        Some(SequenceRange { from: from.parse().ok()?, through: through.parse().ok()? })
    };
    text.split(',').map(one).collect()
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
    pub(crate) fn ranges(&self) -> Vec<SequenceRange> {
        self.0.iter().map(|(from, through)| SequenceRange { from: *from, through: *through }).collect()
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
    fn ranges_are_read_as_they_were_written() {
        let ranges = [(1, 4), (7, 7), (9, u64::MAX)].map(|(from, through)| SequenceRange { from, through });
        assert_eq!(written(&ranges), "1-4,7,9-18446744073709551615");
        assert_eq!(read(&written(&ranges)), Some(ranges.to_vec()));
        for garbage in ["", "1,", "-", "1-", "a", "1-2-3"] {
            assert_eq!(read(garbage), None, "{garbage}");
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
