//! Merging ascending sequences of keys: a few of them, which partitions or batches made.

use super::OrderKey;

/// Sequences by the key that each has next. A merge by insertion: what comes after a run of one sequence is mostly near.
#[derive(Debug)]
pub struct Merging<T> {
    next: Vec<(OrderKey, T)>,
}

impl<T> Default for Merging<T> {
    fn default() -> Self {
        Self { next: Vec::new() }
    }
}

impl<T: Copy + Ord> Merging<T> {
    /// Begins with the next key of each sequence; of those with equal keys the least comes first.
    pub fn begin(&mut self, sequences: impl Iterator<Item = (OrderKey, T)>) {
        self.next.clear();
        self.next.extend(sequences);
        self.next.sort_unstable();
    }

    /// The sequence that comes next.
    pub fn first(&self) -> Option<T> {
        self.next.first().map(|(_, sequence)| *sequence)
    }

    /// The least key that another one has next.
    pub fn bound(&self) -> OrderKey {
        self.next.get(1).map_or(OrderKey::MAX, |(key, _)| *key)
    }

    /// The sequence that came first has this key next.
    pub fn advance(&mut self, key: OrderKey) {
        self.next[0].0 = key;
        let mut place = 0;
        while place + 1 < self.next.len() && self.next[place + 1] < self.next[place] {
            self.next.swap(place, place + 1);
            place += 1;
        }
    }

    /// The sequence that came first has ended.
    pub fn end_first(&mut self) {
        self.next.remove(0);
    }
}

/// Number of leading items of `sorted` whose keys are not after `bound`: mostly few, so those are looked at one by one.
pub fn not_after<I>(sorted: &[I], bound: OrderKey, key: impl Fn(&I) -> OrderKey) -> usize {
    const FEW: usize = 16;
    let few = sorted.iter().take(FEW).take_while(|item| key(item) <= bound).count();
    let more = if few == FEW { sorted[FEW..].partition_point(|item| key(item) <= bound) } else { 0 };
    few + more
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::EventTime;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn merging_is_sorting(lists in prop::collection::vec(prop::collection::vec(-40i64..40, 0..60), 0..6)) {
            let key = |&time: &i64| OrderKey { time: EventTime(time), ..OrderKey::MIN };
            let lists: Vec<Vec<i64>> = lists.into_iter().map(|mut list| { list.sort_unstable(); list }).collect();
            let mut taken = vec![0; lists.len()];
            let mut merging = Merging::default();
            merging.begin(lists.iter().enumerate().filter_map(|(i, list)| Some((key(list.first()?), i))));
            let mut merged = Vec::new();
            while let Some(list) = merging.first() {
                let rest = &lists[list][taken[list]..];
                let run = not_after(rest, merging.bound(), key);
                prop_assert!(run > 0, "what comes first is not after what comes next");
                merged.extend_from_slice(&rest[..run]);
                taken[list] += run;
                match rest.get(run) {
                    Some(time) => merging.advance(key(time)),
                    None => merging.end_first(),
                }
            }
            let mut sorted = lists.concat();
            sorted.sort_unstable();
            prop_assert_eq!(merged, sorted);
        }
    }
}
