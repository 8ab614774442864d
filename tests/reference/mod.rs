//! Windows over splits with watermarks, event by event, in the plainest way: every record is classified by the definition,
//! and every result is computed anew from all records that belong to it.

mod sessions;

use std::collections::{BTreeMap, BTreeSet};

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
    pub windows: Windows,
    pub bound: i64,
    /// None drops late records.
    pub allowed: Option<i64>,
    pub emit: Emit,
    /// Whether rows come with what they do to the row of the same group and window before.
    pub changelog: bool,
}

/// When rows leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Emit {
    Final,
    Changes,
    ChangesPerBatch,
    Every(i64),
}

/// The windows that it asks for, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Windows {
    /// One, of all time: only with [`Emit::Every`].
    All,
    Tumbling {
        size: i64,
    },
    Hopping {
        size: i64,
        slide: i64,
    },
    Cumulating {
        step: i64,
        max: i64,
    },
    Session {
        gap: i64,
    },
}

impl Windows {
    /// Start and end of every window that holds `time`, by the end. Of a session: the slice of time that decides whether
    /// the record is late, which is an eighth of the gap, or what else of up to eight parts divides it.
    fn holding(self, time: i64) -> Vec<(i64, i64)> {
        let aligned = |size: i64| time - time.rem_euclid(size);
        match self {
            Self::All => vec![(i64::MIN, i64::MAX)],
            Self::Tumbling { size } => vec![(aligned(size), aligned(size) + size)],
            Self::Hopping { size, slide } => {
                let mut start = aligned(slide);
                let mut windows = Vec::new();
                while start + size > time {
                    windows.insert(0, (start, start + size));
                    start -= slide;
                }
                windows
            }
            Self::Cumulating { step, max } => {
                let ends = (1..=max / step).map(|j| aligned(max) + j * step);
                ends.filter(|&end| time < end).map(|end| (aligned(max), end)).collect()
            }
            Self::Session { gap } => {
                let slice = gap / (1..=8).rev().find(|parts| gap % parts == 0).unwrap();
                vec![(aligned(slice), aligned(slice) + slice)]
            }
        }
    }

    /// From the end of one window to that of the next: corrections leave as often.
    fn spacing(self) -> i64 {
        match self {
            Self::All => i64::MAX,
            Self::Tumbling { size } => size,
            Self::Hopping { slide, .. } => slide,
            Self::Cumulating { step, .. } => step,
            Self::Session { gap } => gap,
        }
    }
}

/// A window and a key.
type Group = ((i64, i64), i64);

/// A row of the result: key, COUNT(*), SUM, MIN, MAX of the values, the window's start and end (0 without one), and what the
/// row does: 0 if that is not asked for, else a place in [`OPS`].
pub type ResultRow = [i64; 8];

/// What a row of a changelog does.
pub const OPS: [&str; 5] = ["", "+I", "-U", "+U", "-D"];

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
    time: i64,
    /// A window that takes it: a record is there once for each.
    window: (i64, i64),
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
        let windows = query.windows.holding(time);
        if windows.iter().any(|&(_, end)| end <= watermark) {
            outcome.late += 1;
            outcome.lateness.push(watermark - time);
        }
        let before = accepted.len();
        for window in windows {
            let end = window.1;
            if watermark < end || watermark < end.saturating_add(query.allowed.unwrap_or(0)) {
                let (key, value) = (event.key, event.value);
                accepted.push(Accepted { index, time, window, watermark, key, value });
            }
        }
        outcome.dropped += u64::from(accepted.len() == before);
    }
    accepted
}

fn row(key: i64, window: (i64, i64), values: &[i64]) -> ResultRow {
    let (least, greatest) = (values.iter().min().unwrap(), values.iter().max().unwrap());
    let (start, end) = if window.0 == i64::MIN { (0, 0) } else { window };
    [key, values.len() as i64, values.iter().sum(), *least, *greatest, start, end, 0]
}

/// The row of a changelog that does `op`.
fn with(row: ResultRow, op: i64) -> ResultRow {
    [row[0], row[1], row[2], row[3], row[4], row[5], row[6], op]
}

/// What a query gives over chunks of `batch_rows` records.
pub fn outcome(splits: usize, arrivals: &[(usize, Arrival)], query: Query, batch_rows: usize) -> Outcome {
    let mut outcome = match query.emit {
        Emit::Final | Emit::Every(_) => by_watermark(splits, arrivals, query),
        Emit::Changes => changes(splits, arrivals, query, None),
        Emit::ChangesPerBatch => changes(splits, arrivals, query, Some(batch_rows)),
    };
    if query.changelog && !matches!(query.windows, Windows::Session { .. }) {
        let mut shown: BTreeMap<[i64; 3], ResultRow> = BTreeMap::new();
        let mut rows = Vec::new();
        for row in outcome.rows {
            match shown.insert([row[0], row[5], row[6]], row) {
                None => rows.push(with(row, 1)),
                Some(before) => rows.extend([with(before, 2), with(row, 3)]),
            }
        }
        outcome.rows = rows;
    }
    outcome
}

/// When a record comes to a result of a window that takes it: at the window's end or, if it came later than that, so many
/// times the spacing after it; with EMIT EVERY as soon as the time of the record and the watermark are behind.
fn leaves_at(record: &Accepted, query: Query) -> (i64, i64) {
    let (_, end) = record.window;
    if record.watermark < end {
        let Emit::Every(every) = query.emit else { return (end, 0) };
        let early = (record.time.max(record.watermark).div_euclid(every) + 1) * every;
        return (early.min(end), 0);
    }
    let allowed = query.allowed.unwrap_or(0);
    let spacing = query.windows.spacing().min(allowed);
    let stage = (record.watermark - end) / spacing + 1;
    (end + (stage * spacing).min(allowed), stage)
}

/// EMIT FINAL and EMIT EVERY: results leave at some watermarks, each with all that came to it up to there, if anything did
/// since the last.
fn by_watermark(splits: usize, arrivals: &[(usize, Arrival)], query: Query) -> Outcome {
    let mut outcome = Outcome::default();
    let accepted = accept(splits, arrivals, query, &mut outcome);
    if let Windows::Session { gap } = query.windows {
        sessions::by_watermark(accepted, gap, query, &mut outcome);
        return outcome;
    }
    let mut groups: BTreeMap<Group, Vec<Accepted>> = BTreeMap::new();
    for record in accepted {
        groups.entry((record.window, record.key)).or_default().push(record);
    }
    // Rows with what they are sorted by: when they leave; first results before corrections; the group's first record; the
    // window's end.
    let mut rows = Vec::new();
    for ((window, key), records) in groups {
        let leaves: BTreeSet<(i64, i64)> = records.iter().map(|record| leaves_at(record, query)).collect();
        for (at, stage) in leaves {
            let there: Vec<&Accepted> = records.iter().filter(|record| leaves_at(record, query).0 <= at).collect();
            let values: Vec<i64> = there.iter().map(|record| record.value).collect();
            let first = there.iter().map(|record| record.index).min().unwrap();
            // Of a pair both rows are counted.
            let is_new = there.iter().all(|record| leaves_at(record, query).0 == at);
            let count = if query.changelog && !is_new { 2 } else { 1 };
            outcome.corrected += if stage == 0 { 0 } else { count };
            rows.push(((at, stage, first, window.1), row(key, window, &values)));
        }
    }
    rows.sort_unstable();
    outcome.rows = rows.into_iter().map(|(_, row)| row).collect();
    outcome
}

/// EMIT CHANGES: after every record that counts, its group's values so far; or after every batch, the last ones of each group
/// in it, where the group's last record stood.
fn changes(splits: usize, arrivals: &[(usize, Arrival)], query: Query, batch_rows: Option<usize>) -> Outcome {
    let mut outcome = Outcome::default();
    // The batch of each arrival: records of a split one after another, so many at a time.
    let mut counts = vec![0; splits];
    let mut batches = Vec::new();
    for &(split, _) in arrivals {
        batches.push((split, counts[split] / batch_rows.unwrap_or(1)));
        counts[split] += 1;
    }
    if let Windows::Session { gap } = query.windows {
        let accepted = accept(splits, arrivals, query, &mut outcome);
        let batch_of = |record: &Accepted| batch_rows.map_or((0, record.index), |_| batches[record.index]);
        sessions::changes(&accepted, gap, query, batch_of, &mut outcome);
        return outcome;
    }
    let mut groups: BTreeMap<Group, Vec<i64>> = BTreeMap::new();
    let mut rows: Vec<((usize, usize), Group, ResultRow)> = Vec::new();
    for record in accept(splits, arrivals, query, &mut outcome) {
        let group = (record.window, record.key);
        let values = groups.entry(group).or_default();
        values.push(record.value);
        let batch = batches[record.index];
        if batch_rows.is_some() {
            rows.retain(|other| (other.0, other.1) != (batch, group));
        }
        rows.push((batch, group, row(record.key, record.window, values)));
    }
    outcome.rows = rows.into_iter().map(|(_, _, row)| row).collect();
    outcome
}
