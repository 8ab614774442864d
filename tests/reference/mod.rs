//! Tumbling windows over splits with watermarks, event by event, in the plainest way: every record is classified by the
//! definition, and every result is computed anew from all records that belong to it.

use std::collections::BTreeMap;

/// A record.
#[derive(Debug, Clone, Copy)]
pub struct Event {
    /// Microseconds; none is a failed record.
    pub time: Option<i64>,
    pub key: i64,
    pub value: i64,
    /// Whether WHERE lets it through. The watermark runs over those it does not, too.
    pub wanted: bool,
}

/// What a query asks for.
#[derive(Debug, Clone, Copy)]
pub struct Query {
    pub size: i64,
    pub bound: i64,
    /// None drops late records.
    pub allowed: Option<i64>,
}

/// A row of the result: key, COUNT(*), SUM, MIN, MAX of the values, and the window's start.
pub type ResultRow = [i64; 6];

/// Rows in order, and what became of records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    pub rows: Vec<ResultRow>,
    pub corrected: u64,
    pub filtered: u64,
    pub failed: u64,
    pub late: u64,
    pub dropped: u64,
    /// Microseconds by which each late record was behind its split's watermark.
    pub lateness: Vec<i64>,
}

/// A record that counts.
#[derive(Debug, Clone, Copy)]
struct Accepted {
    /// Place in the order of arrival.
    index: usize,
    window_start: i64,
    /// The watermark of its split when it came; the beginning of time before the first record.
    watermark: i64,
    key: i64,
    value: i64,
}

/// What comes of a split.
#[derive(Debug, Clone, Copy)]
pub enum Arrival {
    Record(Event),
    /// It has been silent for so long that the others no longer wait for it.
    Idle,
}

/// Splits one after another.
pub fn in_order(splits: &[Vec<Event>]) -> Vec<(usize, Arrival)> {
    let records = |(split, events): (usize, &Vec<Event>)| -> Vec<_> {
        events.iter().map(|event| (split, Arrival::Record(*event))).collect()
    };
    splits.iter().enumerate().flat_map(records).collect()
}

/// Watermarks of splits that are read until the last one ends, so that none of them leaves but by being idle.
struct Watermarks {
    bound: i64,
    greatest: Vec<Option<i64>>,
    idle: Vec<bool>,
    /// The least over those that are not idle; it never goes back.
    least: i64,
}

impl Watermarks {
    fn of(&self, split: usize) -> i64 {
        self.greatest[split].map_or(i64::MIN, |greatest| greatest - self.bound)
    }

    fn settle(&mut self) {
        let live = (0..self.idle.len()).filter(|&split| !self.idle[split]);
        if let Some(least) = live.map(|split| self.of(split)).min() {
            self.least = self.least.max(least);
        }
    }

    /// Before a record of a split: one that was idle is measured against where the others went.
    fn wake(&mut self, split: usize) {
        if self.idle[split] && self.least > i64::MIN {
            self.greatest[split] = self.greatest[split].max(Some(self.least + self.bound));
        }
        self.idle[split] = false;
    }
}

fn accept(splits: usize, arrivals: &[(usize, Arrival)], query: Query, outcome: &mut Outcome) -> Vec<Accepted> {
    let mut accepted = Vec::new();
    let (greatest, idle) = (vec![None; splits], vec![false; splits]);
    let mut watermarks = Watermarks { bound: query.bound, greatest, idle, least: i64::MIN };
    for (index, &(split, arrival)) in arrivals.iter().enumerate() {
        let event = match arrival {
            Arrival::Record(event) => event,
            Arrival::Idle => {
                watermarks.idle[split] = true;
                watermarks.settle();
                continue;
            }
        };
        watermarks.wake(split);
        let watermark = watermarks.of(split);
        watermarks.greatest[split] = watermarks.greatest[split].max(event.time);
        watermarks.settle();
        if !event.wanted {
            outcome.filtered += 1;
            continue;
        }
        let Some(time) = event.time else {
            outcome.failed += 1;
            continue;
        };
        let window_start = time - time.rem_euclid(query.size);
        let end = window_start + query.size;
        if end <= watermark {
            outcome.late += 1;
            outcome.lateness.push(watermark - time);
            if watermark >= end + query.allowed.unwrap_or(0) {
                outcome.dropped += 1;
                continue;
            }
        }
        let (key, value) = (event.key, event.value);
        accepted.push(Accepted { index, window_start, watermark, key, value });
    }
    accepted
}

fn row(key: i64, window_start: i64, values: &[i64]) -> ResultRow {
    let (least, greatest) = (values.iter().min().unwrap(), values.iter().max().unwrap());
    [key, values.len() as i64, values.iter().sum(), *least, *greatest, window_start]
}

/// EMIT FINAL: at the end of a window what came before its split's watermark got there; then, every so often, what came
/// late up to then, if anything did.
pub fn emit_final(splits: usize, arrivals: &[(usize, Arrival)], query: Query) -> Outcome {
    let mut outcome = Outcome::default();
    let mut groups: BTreeMap<(i64, i64), Vec<Accepted>> = BTreeMap::new();
    for record in accept(splits, arrivals, query, &mut outcome) {
        groups.entry((record.window_start, record.key)).or_default().push(record);
    }
    // Rows with what they are sorted by: when they leave; first results before corrections, the newest window first; the
    // group's first record.
    let mut rows = Vec::new();
    for ((window_start, key), records) in groups {
        let end = window_start + query.size;
        let allowed = query.allowed.unwrap_or(0);
        let mut leaves: Vec<i64> = vec![end];
        while *leaves.last().unwrap() < end + allowed {
            leaves.push((leaves.last().unwrap() + query.size).min(end + allowed));
        }
        let mut before = 0;
        for (stage, &at) in leaves.iter().enumerate() {
            let there: Vec<&Accepted> = records.iter().filter(|record| record.watermark < at).collect();
            if there.len() > before {
                let values: Vec<i64> = there.iter().map(|record| record.value).collect();
                let first = there.iter().map(|record| record.index).min().unwrap();
                outcome.corrected += u64::from(stage > 0);
                rows.push(((at, stage, first), row(key, window_start, &values)));
            }
            before = there.len();
        }
        assert_eq!(before, records.len(), "every record that was accepted is in a result");
    }
    rows.sort_unstable();
    outcome.rows = rows.into_iter().map(|(_, row)| row).collect();
    outcome
}

/// EMIT CHANGES: after every record that counts, its group's values so far.
pub fn emit_changes(splits: usize, arrivals: &[(usize, Arrival)], query: Query) -> Outcome {
    let mut outcome = Outcome::default();
    let mut groups: BTreeMap<(i64, i64), Vec<i64>> = BTreeMap::new();
    for record in accept(splits, arrivals, query, &mut outcome) {
        let values = groups.entry((record.window_start, record.key)).or_default();
        values.push(record.value);
        let row = row(record.key, record.window_start, values);
        outcome.rows.push(row);
    }
    outcome
}
