//! Whether grouping before the exchange pays: how many rows become one group, as seen in the stream.
//!
//! Grouping first is worth its work where several rows of a group meet before their pane closes. Where they do not, a
//! partition stops to take new groups in: rows of groups that it holds (the hot keys are among them) are still taken in,
//! the others go to the owner of their key at once, as groups of one row. Now and then a batch is grouped all the same, to
//! see whether the stream has changed. Whatever is decided, the result is the same.

/// What one partition has seen.
#[derive(Debug, Default)]
pub struct Reduction {
    scattering: bool,
    /// Runs since that was decided.
    runs: u32,
}

impl Reduction {
    /// Rows that must meet in a group, on average, for grouping first to pay: half of what an exchanged group costs more
    /// than a row.
    const ROWS_PER_GROUP: usize = 4;
    /// Groups that a pane takes in before anything is concluded: their states fit a second-level cache.
    pub const GROUPS_SEEN: usize = 1 << 14;
    /// Groups that a pane takes in while rows are scattered: the hot keys.
    pub const GROUPS_HELD: usize = 1 << 12;
    /// Runs of which one is grouped all the same.
    const LOOK_EVERY: u32 = 64;

    /// The greatest number of groups that a pane of `groups` may have after the next run.
    pub fn limit(&mut self, groups: usize) -> usize {
        self.runs = self.runs.saturating_add(1);
        if self.scattering && !self.runs.is_multiple_of(Self::LOOK_EVERY) {
            groups.max(Self::GROUPS_HELD)
        } else {
            usize::MAX
        }
    }

    /// A run of `run_rows` rows was taken in without limit: its pane had `before` groups, has `after` now, made of `rows`
    /// rows.
    pub fn observe(&mut self, run_rows: usize, before: usize, after: usize, rows: usize) {
        let pays = if self.scattering {
            run_rows >= (after - before) * Self::ROWS_PER_GROUP
        } else {
            after < Self::GROUPS_SEEN || rows >= after * Self::ROWS_PER_GROUP
        };
        if pays == self.scattering {
            self.scattering = !pays;
            self.runs = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_of_distinct_keys_is_scattered_until_keys_meet_again() {
        let mut reduction = Reduction::default();
        let mut groups = 0;
        while reduction.limit(groups) == usize::MAX {
            let before = groups;
            groups += 1000;
            reduction.observe(1000, before, groups, groups);
            assert!(groups < 100_000, "distinct keys must be scattered");
        }
        assert!(groups >= Reduction::GROUPS_SEEN);
        // A new pane takes some groups in; a full one no more.
        assert_eq!(reduction.limit(0), Reduction::GROUPS_HELD);
        assert_eq!(reduction.limit(groups), groups);
        let looks = (0..256).filter(|_| reduction.limit(groups) == usize::MAX).count();
        assert_eq!(looks, 4, "one run of 64 is looked at");
        reduction.observe(1000, groups, groups + 10, 3 * groups);
        assert_eq!(reduction.limit(groups), usize::MAX, "rows meet again");
    }
}
