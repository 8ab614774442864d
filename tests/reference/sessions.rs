//! Sessions, computed anew from all records that are known at every moment at which something may happen.

use std::collections::{BTreeMap, BTreeSet};

use super::{Accepted, Emit, Outcome, Query, ResultRow, leaves_at, row, with};

/// The end of the slice in which a session ends whose last record is `last`.
fn over_at(last: i64, gap: i64, slice: i64) -> i64 {
    (last + gap + slice - 1).div_euclid(slice) * slice
}

/// A session: its records, by their place in the order of arrival, and what it shows.
struct Shown {
    members: BTreeSet<usize>,
    row: ResultRow,
}

/// The sessions of one key, of records in the order of time.
fn sessions<'r>(records: &[&'r Accepted], gap: i64) -> Vec<(BTreeSet<usize>, i64, ResultRow)> {
    let sessions = records.chunk_by(|a, b| b.time - a.time < gap);
    let session = |session: &[&'r Accepted]| {
        let (first, last) = (session[0].time, session.last().unwrap().time);
        let values: Vec<i64> = session.iter().map(|record| record.value).collect();
        let members = session.iter().map(|record| record.index).collect();
        (members, last, row(session[0].key, (first, last + gap), &values))
    };
    sessions.map(session).collect()
}

/// What a session's row is in the result: it takes the place of all that share a record with it. The earliest of them is changed
/// into it, the others are gone.
fn replace(shown: &mut Vec<Shown>, members: BTreeSet<usize>, row: ResultRow, changelog: bool) -> Vec<ResultRow> {
    let replaced = |other: &Shown| !other.members.is_disjoint(&members);
    let mut before: Vec<ResultRow> = shown.iter().filter(|other| replaced(other)).map(|other| other.row).collect();
    shown.retain(|other| !replaced(other));
    shown.push(Shown { members, row });
    if !changelog {
        return vec![row];
    }
    before.sort_by_key(|row| row[5]);
    let Some((first, gone)) = before.split_first() else { return vec![with(row, 1)] };
    gone.iter().map(|gone| with(*gone, 4)).chain([with(*first, 2), with(row, 3)]).collect()
}

/// Each session leaves at the end of the slice in which it ends, with EMIT EVERY early, too, and again whenever records made
/// another one of it.
pub(super) fn by_watermark(accepted: Vec<Accepted>, gap: i64, query: Query, outcome: &mut Outcome) {
    let mut keys: BTreeMap<i64, Vec<Accepted>> = BTreeMap::new();
    for record in accepted {
        keys.entry(record.key).or_default().push(record);
    }
    let known_at = |record: &Accepted| leaves_at(record, query).0;
    let early_at =
        |now: i64| if let Emit::Every(every) = query.emit { (now + every - 1).div_euclid(every) * every } else { now };
    let mut rows = Vec::new();
    for mut records in keys.into_values() {
        records.sort_by_key(|record| (record.time, record.index));
        let slice = records[0].window.1 - records[0].window.0;
        let moments: BTreeSet<i64> = records
            .iter()
            .flat_map(|record| [known_at(record), early_at(known_at(record)), over_at(record.time, gap, slice)])
            .collect();
        let mut shown: Vec<Shown> = Vec::new();
        // What was over at some moment, as far as it was known then.
        let mut over: Vec<BTreeSet<usize>> = Vec::new();
        for now in moments {
            let known: Vec<&Accepted> = records.iter().filter(|record| known_at(record) <= now).collect();
            let mut over_now = Vec::new();
            for (members, last, row) in sessions(&known, gap) {
                let over_at = over_at(last, gap, slice);
                let corrects = now > over_at || over.iter().any(|other| !other.is_disjoint(&members));
                if over_at <= now {
                    over_now.push(members.clone());
                }
                let leaves = over_at <= now || matches!(query.emit, Emit::Every(every) if now % every == 0);
                if !leaves || shown.iter().any(|other| other.members == members) {
                    continue;
                }
                let place = *members.first().unwrap();
                let pair = replace(&mut shown, members, row, query.changelog);
                outcome.corrected += if corrects { pair.len() as u64 } else { 0 };
                rows.extend(pair.into_iter().enumerate().map(|(number, row)| ((now, corrects, place, number), row)));
            }
            over.extend(over_now);
        }
    }
    rows.sort_unstable();
    outcome.rows = rows.into_iter().map(|(_, row)| row).collect();
}

/// EMIT CHANGES, with each record a batch of its own, and EMIT CHANGES PER BATCH: after every batch the sessions that its
/// records are in, each where the last of these stood.
pub(super) fn changes(
    accepted: &[Accepted],
    gap: i64,
    query: Query,
    batch_of: impl Fn(&Accepted) -> (usize, usize),
    outcome: &mut Outcome,
) {
    let mut keys: BTreeMap<i64, (Vec<&Accepted>, Vec<Shown>)> = BTreeMap::new();
    for batch in accepted.chunk_by(|a, b| batch_of(a) == batch_of(b)) {
        for record in batch {
            keys.entry(record.key).or_default().0.push(record);
        }
        let mut rows = Vec::new();
        for (records, shown) in keys.values_mut() {
            records.sort_by_key(|record| (record.time, record.index));
            for (members, _, row) in sessions(records, gap) {
                let came = batch.iter().filter(|record| members.contains(&record.index)).map(|record| record.index);
                if let Some(place) = came.max() {
                    rows.push((place, replace(shown, members, row, query.changelog)));
                }
            }
        }
        rows.sort_unstable();
        outcome.rows.extend(rows.into_iter().flat_map(|(_, rows)| rows));
    }
}
