//! Joins of two streams, row by row, in the plainest way: every row is judged by the watermark of its own stream, and every
//! row on time is compared with every other.

use std::collections::BTreeMap;

/// A row of a stream, in the order of its input.
#[derive(Debug, Clone, Copy)]
pub struct Event {
    /// Microseconds; none is a failed record.
    pub time: Option<i64>,
    pub key: Option<i64>,
    pub id: i64,
}

/// Rows on time, and the number of late ones. A row is late if `closes`, of its time, is at or before the watermark of its
/// stream.
pub fn on_time(events: &[Event], bound: i64, closes: impl Fn(i64) -> i64) -> (Vec<Event>, u64) {
    let mut greatest: Option<i64> = None;
    let (mut kept, mut late) = (Vec::new(), 0);
    for event in events {
        let Some(time) = event.time else { continue };
        if greatest.is_some_and(|greatest| closes(time) <= greatest - bound) {
            late += 1;
        } else {
            kept.push(*event);
        }
        greatest = greatest.max(Some(time));
    }
    (kept, late)
}

/// Each row with the end of every window of `size`, one each `slide`, that holds it and was not closed by the watermark of its stream; and
/// the number of rows that missed one.
pub fn in_windows(events: &[Event], bound: i64, size: i64, slide: i64) -> (Vec<(i64, Event)>, u64) {
    let mut greatest: Option<i64> = None;
    let (mut kept, mut late) = (Vec::new(), 0);
    for event in events {
        let Some(time) = event.time else { continue };
        let first = time.div_euclid(slide) * slide + slide;
        let ends = (0..).map(|step| first + step * slide).take_while(|end| end - size <= time);
        let is_closed = |end: &i64| greatest.is_some_and(|greatest| *end <= greatest - bound);
        late += u64::from(ends.clone().any(|end| is_closed(&end)));
        kept.extend(ends.filter(|end| !is_closed(end)).map(|end| (end, *event)));
        greatest = greatest.max(Some(time));
    }
    (kept, late)
}

/// Pairs of ids whose keys are equal and whose times are at most `apart` apart; those without a partner with none, where
/// `outer` wants them.
pub fn paired(left: &[Event], right: &[Event], apart: i64, outer: [bool; 2]) -> Vec<[Option<i64>; 2]> {
    let is_pair =
        |a: &Event, b: &Event| a.key.is_some() && a.key == b.key && (a.time.unwrap() - b.time.unwrap()).abs() <= apart;
    let mut pairs = Vec::new();
    for a in left {
        let partners = right.iter().filter(|b| is_pair(a, b)).map(|b| [Some(a.id), Some(b.id)]);
        let before = pairs.len();
        pairs.extend(partners);
        if outer[0] && pairs.len() == before {
            pairs.push([Some(a.id), None]);
        }
    }
    if outer[1] {
        let alone = right.iter().filter(|b| !left.iter().any(|a| is_pair(a, b)));
        pairs.extend(alone.map(|b| [None, Some(b.id)]));
    }
    pairs
}

/// Each row with the last version of its key up to its time; of versions of one time the one that came last.
pub fn as_of(rows: &[Event], versions: &[Event], outer: bool) -> Vec<[Option<i64>; 2]> {
    let held = |row: &Event| {
        let known = versions.iter().filter(|version| row.key.is_some() && version.key == row.key);
        known.filter(|version| version.time <= row.time).max_by_key(|version| version.time).map(|version| version.id)
    };
    rows.iter().map(|row| [Some(row.id), held(row)]).filter(|pair| outer || pair[1].is_some()).collect()
}

/// Number of rows by window of `size` and key.
pub fn counts(events: &[Event], size: i64) -> BTreeMap<(i64, Option<i64>), i64> {
    let mut counts = BTreeMap::new();
    for event in events {
        let start = event.time.unwrap().div_euclid(size) * size;
        *counts.entry((start, event.key)).or_insert(0) += 1;
    }
    counts
}

/// Keys in the order in which they leave: each unless it left less than `ttl` before.
pub fn distinct(events: &[Event], ttl: i64) -> Vec<Option<i64>> {
    let mut events = events.to_vec();
    events.sort_by_key(|event| event.time);
    let mut left: BTreeMap<Option<i64>, i64> = BTreeMap::new();
    let mut keys = Vec::new();
    for event in events {
        let time = event.time.unwrap();
        if left.get(&event.key).is_none_or(|before| time - before >= ttl) {
            left.insert(event.key, time);
            keys.push(event.key);
        }
    }
    keys
}
