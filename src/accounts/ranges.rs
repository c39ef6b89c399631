//! [`Ranges`]: a set of ids, held as disjoint ranges, so that a subordinate range of 65,536 ids
//! costs what one id costs.

use std::collections::BTreeMap;

/// A set of ids as half-open ranges.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ranges {
    /// Start to end; disjoint, none touching the next.
    ranges: BTreeMap<u32, u32>,
}

impl Ranges {
    /// Adds the ids from `start` up to, not including, `end`.
    pub(super) fn insert(&mut self, mut start: u32, mut end: u32) {
        if start >= end {
            return;
        }
        while let Some((&s, &e)) = self.ranges.range(..=end).next_back() {
            if e < start {
                break;
            }
            self.ranges.remove(&s);
            start = start.min(s);
            end = end.max(e);
        }
        self.ranges.insert(start, end);
    }

    /// Whether any id from `start` up to, not including, `end` is in the set.
    pub(super) fn overlaps(&self, start: u32, end: u32) -> bool {
        self.ranges.range(..end).next_back().is_some_and(|(_, &e)| e > start)
    }

    /// The first id from `id` on that is not in the set.
    pub(super) fn first_free(&self, id: u32) -> u32 {
        match self.ranges.range(..=id).next_back() {
            Some((_, &end)) if end > id => end,
            _ => id,
        }
    }

    /// The start of the lowest gap of `count` ids from `from` on that ends at or before `limit`.
    pub(super) fn gap(&self, from: u32, count: u32, limit: u32) -> Option<u32> {
        let mut start = self.first_free(from);
        for (&s, &e) in self.ranges.range(start..) {
            if s - start >= count {
                break;
            }
            start = e;
        }
        (start.checked_add(count)? <= limit).then_some(start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_gap_is_the_lowest_that_is_wide_enough() {
        let mut ranges = Ranges::default();
        ranges.insert(100, 200);
        ranges.insert(205, 300);
        assert_eq!(ranges.gap(100, 5, 1000), Some(200));
        assert_eq!(ranges.gap(100, 6, 1000), Some(300));
        assert_eq!(ranges.gap(10, 90, 1000), Some(10));
        assert_eq!(ranges.gap(100, 6, 305), None);
        assert_eq!(ranges.gap(100, u32::MAX, u32::MAX), None);
    }

    proptest! {
        #[test]
        fn ranges_hold_what_was_inserted_and_nothing_else(
            inserted in prop::collection::vec((0u32..60, 0u32..60), 0..12),
            (start, len) in (0u32..60, 1u32..20),
        ) {
            let mut ranges = Ranges::default();
            let mut plain = [false; 200];
            for (s, e) in inserted {
                ranges.insert(s, e);
                (s..e).for_each(|id| plain[id as usize] = true);
            }
            let taken = |id: u32| plain[id as usize];
            prop_assert_eq!(ranges.overlaps(start, start + len), (start..start + len).any(taken));
            prop_assert_eq!(Some(ranges.first_free(start)), (start..).find(|&id| !taken(id)));
            let gap = (start..).find(|&at| !(at..at + len).any(taken));
            prop_assert_eq!(ranges.gap(start, len, 1000), gap);
        }
    }
}
