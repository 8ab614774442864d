//! Sessions, computed anew from all records that are known at every moment at which something may happen.

use std::collections::{BTreeMap, BTreeSet};

use super::{Accepted, Outcome, Query, row};

/// A record and the watermark from which on it is known: the end of its slice, or if it was late by then, one of the moments at
/// which corrections leave.
fn known_at(record: &Accepted, gap: i64, allowed: i64) -> i64 {
    let end = record.window.1;
    if record.watermark < end {
        return end;
    }
    let spacing = gap.min(allowed);
    let stage = (record.watermark - end) / spacing + 1;
    end + (stage * spacing).min(allowed)
}

/// The end of the slice in which a session ends whose last record is `last`.
fn over_at(last: i64, gap: i64, slice: i64) -> i64 {
    (last + gap + slice - 1).div_euclid(slice) * slice
}

/// Each session leaves at the end of the slice in which it ends, and again whenever records made another one of it.
pub(super) fn emit_final(accepted: Vec<Accepted>, gap: i64, query: Query, outcome: &mut Outcome) {
    let allowed = query.allowed.unwrap_or(0);
    let mut keys: BTreeMap<i64, Vec<Accepted>> = BTreeMap::new();
    for record in accepted {
        keys.entry(record.key).or_default().push(record);
    }
    let mut rows = Vec::new();
    for (key, mut records) in keys {
        records.sort_by_key(|record| (record.time, record.index));
        let slice = records[0].window.1 - records[0].window.0;
        let moments: BTreeSet<i64> = records
            .iter()
            .flat_map(|record| [known_at(record, gap, allowed), over_at(record.time, gap, slice)])
            .collect();
        let mut left: Vec<BTreeSet<usize>> = Vec::new();
        for now in moments {
            let known: Vec<&Accepted> = records.iter().filter(|record| known_at(record, gap, allowed) <= now).collect();
            for session in known.chunk_by(|a, b| b.time - a.time < gap) {
                let (first, last) = (session[0].time, session.last().unwrap().time);
                let over = over_at(last, gap, slice);
                let members: BTreeSet<usize> = session.iter().map(|record| record.index).collect();
                if over > now || left.contains(&members) {
                    continue;
                }
                let corrects = now > over || left.iter().any(|other| !other.is_disjoint(&members));
                outcome.corrected += u64::from(corrects);
                let values: Vec<i64> = session.iter().map(|record| record.value).collect();
                let place = *members.first().unwrap();
                rows.push(((now, corrects, place), row(key, (first, last + gap), &values)));
                left.push(members);
            }
        }
    }
    rows.sort_unstable();
    outcome.rows = rows.into_iter().map(|(_, row)| row).collect();
}
