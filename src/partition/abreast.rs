//! Which of several splits to read next, so that their event times stay abreast.
//!
//! What a join or a window holds of one input waits for the event time of the others: it stays small only if no split is read
//! far ahead. Always the split comes next whose event time is least, as far as it is known from chunks that were decoded, and
//! guessed from those for the ones under way. What is known counts in the order in which chunks were dealt, so many chunks
//! later and no sooner: so the choice follows from the input and the number of partitions, never from how fast a partition
//! was. The answer does not depend on it: it is for queries whose rows are put in order by event time and place in
//! the split.

use std::collections::VecDeque;

use crate::limits::ABREAST_CHUNKS;
use crate::types::EventTime;

/// What is known of a split.
#[derive(Debug, Clone, Copy)]
struct Progress {
    /// Greatest event time of its decoded chunks.
    reached: EventTime,
    /// By how much the last of them moved it, in microseconds.
    step_us: i64,
    /// Chunks under way.
    chunks: i64,
}

impl Progress {
    /// Where the chunks under way will bring it, if they are like the last one; then how many they are, so that splits of which
    /// nothing is known take turns.
    fn expected(&self) -> (EventTime, i64) {
        let ahead_us = self.step_us.saturating_mul(self.chunks);
        let reached = if self.reached == EventTime::MIN { i64::MIN } else { self.reached.0.saturating_add(ahead_us) };
        (EventTime(reached), self.chunks)
    }
}

/// A chunk that was dealt.
#[derive(Debug, Clone, Copy)]
struct UnderWay {
    split: usize,
    partition: usize,
    /// Its greatest event time, once it was decoded.
    greatest: Option<EventTime>,
}

/// Chooses splits.
#[derive(Debug)]
pub struct Abreast {
    splits: Vec<Progress>,
    under_way: VecDeque<UnderWay>,
    under_way_max: usize,
}

impl Abreast {
    /// For splits whose chunks go to so many partitions.
    pub fn new(splits: usize, partitions: usize) -> Self {
        let under_way_max = ABREAST_CHUNKS * partitions;
        let progress = Progress { reached: EventTime::MIN, step_us: 0, chunks: 0 };
        Self { splits: vec![progress; splits], under_way: VecDeque::with_capacity(under_way_max), under_way_max }
    }

    /// A chunk of `split` was dealt to `partition`.
    pub fn dealt(&mut self, split: usize, partition: usize) {
        self.splits[split].chunks += 1;
        self.under_way.push_back(UnderWay { split, partition, greatest: None });
    }

    /// `partition` is through with the first chunk that it had not given back; event time goes up to `greatest` in it.
    pub fn returned(&mut self, partition: usize, greatest: EventTime) {
        let mut waiting = self.under_way.iter_mut();
        let chunk = waiting.find(|chunk| chunk.partition == partition && chunk.greatest.is_none());
        chunk.expect("a chunk comes back once").greatest = Some(greatest);
    }

    /// `partition` will give nothing back any more.
    pub fn gone(&mut self, partition: usize) {
        for chunk in self.under_way.iter_mut().filter(|chunk| chunk.partition == partition) {
            chunk.greatest.get_or_insert(EventTime::MIN);
        }
    }

    /// The split to read next among those that `open` says are; `None` if there is none, or a chunk must come back first.
    pub fn choose(&mut self, open: impl Fn(usize) -> bool) -> Option<usize> {
        while self.under_way.len() >= self.under_way_max {
            let UnderWay { split, greatest, .. } = *self.under_way.front()?;
            let progress = &mut self.splits[split];
            let reached = progress.reached.max(greatest?);
            if progress.reached > EventTime::MIN {
                progress.step_us = reached.0.saturating_sub(progress.reached.0);
            }
            progress.reached = reached;
            progress.chunks -= 1;
            self.under_way.pop_front();
        }
        (0..self.splits.len()).filter(|&split| open(split)).min_by_key(|&split| self.splits[split].expected())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads splits whose chunks move event time by `steps`, until `chunks` were dealt; partitions are `late` chunks behind at
    /// most. Gives the order of the splits, and how far apart their event times were at most.
    fn read(steps: &[i64], partitions: usize, chunks: usize, late: usize) -> (Vec<usize>, i64) {
        let mut abreast = Abreast::new(steps.len(), partitions);
        let mut times = vec![0; steps.len()];
        let mut behind = VecDeque::new();
        let (mut order, mut apart) = (Vec::new(), 0);
        while order.len() < chunks {
            let chosen = abreast.choose(|_| true);
            if let Some(split) = chosen {
                let partition = order.len() % partitions;
                abreast.dealt(split, partition);
                times[split] += steps[split];
                behind.push_back((partition, EventTime(times[split])));
                order.push(split);
                if times.iter().all(|&time| time > 0) {
                    apart = apart.max(times.iter().max().unwrap() - times.iter().min().unwrap());
                }
            }
            while behind.len() > late || chosen.is_none() {
                let Some((partition, greatest)) = behind.pop_front() else { break };
                abreast.returned(partition, greatest);
            }
        }
        (order, apart)
    }

    #[test]
    fn fast_and_slow_splits_stay_abreast_however_late_chunks_come_back() {
        for (steps, partitions) in [(&[10, 10][..], 1), (&[10, 10], 3), (&[100, 10], 2), (&[1, 50, 7], 2)] {
            let (order, apart) = read(steps, partitions, 3000, 0);
            let most = steps.iter().max().unwrap() * (ABREAST_CHUNKS * partitions + 1) as i64;
            assert!(apart <= most, "{steps:?} at {partitions} partitions: {apart} apart");
            for late in [1, 3, 1000] {
                assert_eq!(read(steps, partitions, 3000, late).0, order, "{steps:?} {late} late");
            }
        }
    }

    #[test]
    fn a_partition_that_is_gone_is_not_waited_for() {
        let mut abreast = Abreast::new(2, 1);
        let dealt = std::iter::from_fn(|| abreast.choose(|_| true).inspect(|&split| abreast.dealt(split, 0))).count();
        assert_eq!(dealt, ABREAST_CHUNKS);
        abreast.gone(0);
        assert!(abreast.choose(|_| true).is_some());
        assert_eq!(abreast.choose(|_| false), None);
    }
}
