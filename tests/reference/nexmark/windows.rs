//! Queries over windows of event time.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Bid, Events, SECOND, n, t};
use crate::harness::Row;

const SIZE: i64 = 10 * SECOND;
const SLIDE: i64 = 2 * SECOND;

/// The start of the tumbling window of a time.
fn start(time: i64) -> i64 {
    time.div_euclid(SIZE) * SIZE
}

pub fn hot_items(events: &Events) -> Vec<Row> {
    let mut counts: BTreeMap<i64, HashMap<i64, i64>> = BTreeMap::new();
    for b in &events.bids {
        let last = b.date_time.div_euclid(SLIDE) * SLIDE;
        for slides in 0..SIZE / SLIDE {
            *counts.entry(last - slides * SLIDE).or_default().entry(b.auction).or_default() += 1;
        }
    }
    let mut rows = Vec::new();
    for of_window in counts.values() {
        let most = *of_window.values().max().expect("a window has bids");
        rows.extend(of_window.iter().filter(|(_, num)| **num == most).map(|(auction, num)| vec![n(*auction), n(*num)]));
    }
    rows
}

/// With both ends of the interval, as published.
pub fn highest_bids(events: &Events) -> Vec<Row> {
    let mut greatest: BTreeMap<i64, i64> = BTreeMap::new();
    let mut of_price: HashMap<i64, Vec<&Bid>> = HashMap::new();
    for b in &events.bids {
        let price = greatest.entry(start(b.date_time)).or_insert(b.price);
        *price = b.price.max(*price);
        of_price.entry(b.price).or_default().push(b);
    }
    let mut rows = Vec::new();
    for (start, price) in greatest {
        let hits = of_price[&price].iter().filter(|b| (start..=start + SIZE).contains(&b.date_time));
        rows.extend(hits.map(|b| vec![n(b.auction), n(b.price), n(b.bidder), n(b.date_time), t(&b.extra)]));
    }
    rows
}

pub fn new_users(events: &Events) -> Vec<Row> {
    let people: BTreeSet<(i64, i64, &str)> =
        events.people.iter().map(|p| (start(p.date_time), p.id, p.name.as_str())).collect();
    let sellers: BTreeSet<(i64, i64)> = events.auctions.iter().map(|a| (start(a.date_time), a.seller)).collect();
    let both = people.into_iter().filter(|(window, id, _)| sellers.contains(&(*window, *id)));
    both.map(|(window, id, name)| vec![n(id), t(name), n(window)]).collect()
}

pub fn sessions(events: &Events) -> Vec<Row> {
    let mut times: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for b in &events.bids {
        times.entry(b.bidder).or_default().push(b.date_time);
    }
    let mut rows = Vec::new();
    for (bidder, mut times) in times {
        times.sort_unstable();
        for session in times.chunk_by(|before, after| after - before < SIZE) {
            let (first, last) = (session[0], session[session.len() - 1]);
            rows.push(vec![n(bidder), n(session.len() as i64), n(first), n(last + SIZE)]);
        }
    }
    rows
}

pub fn bids_of_people(events: &Events) -> Vec<Row> {
    let mut counts: BTreeMap<(i64, i64), i64> = BTreeMap::new();
    for b in &events.bids {
        *counts.entry((start(b.date_time), b.bidder)).or_default() += 1;
    }
    counts.iter().map(|((window, bidder), count)| vec![n(*bidder), n(*count), n(*window), n(*window + SIZE)]).collect()
}
