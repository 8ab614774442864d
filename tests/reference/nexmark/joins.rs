//! Queries that bring two tables together without windows.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use super::{Auction, Bid, Events, mean, n, t};
use crate::harness::Row;

pub fn local_items(events: &Events) -> Vec<Row> {
    let mut rows = Vec::new();
    let person: HashMap<i64, _> = events.people.iter().map(|p| (p.id, p)).collect();
    for a in events.auctions.iter().filter(|a| a.category == 10) {
        if let Some(p) = person.get(&a.seller)
            && ["OR", "ID", "CA"].contains(&p.state.as_str())
        {
            rows.push(vec![t(&p.name), t(&p.city), t(&p.state), n(a.id)]);
        }
    }
    rows
}

/// Each auction with the bids that came while it was open, for auctions that had any.
fn open_bids(events: &Events) -> Vec<(&Auction, Vec<&Bid>)> {
    let mut of_auction: HashMap<i64, Vec<&Bid>> = HashMap::new();
    for b in &events.bids {
        of_auction.entry(b.auction).or_default().push(b);
    }
    let mut found = Vec::new();
    for a in &events.auctions {
        let bids = of_auction.get(&a.id).into_iter().flatten().copied();
        let bids: Vec<&Bid> = bids.filter(|b| (a.date_time..=a.expires).contains(&b.date_time)).collect();
        if !bids.is_empty() {
            found.push((a, bids));
        }
    }
    found
}

pub fn category_prices(events: &Events) -> Vec<Row> {
    let mut of_category: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for (a, bids) in open_bids(events) {
        let greatest = bids.iter().map(|b| b.price).max().expect("it had bids");
        of_category.entry(a.category).or_default().push(greatest);
    }
    of_category.iter().map(|(category, prices)| vec![n(*category), mean(prices)]).collect()
}

pub fn seller_prices(events: &Events) -> Vec<Row> {
    // Time, auction and price of what each seller sold.
    let mut sold: BTreeMap<i64, Vec<(i64, i64, i64)>> = BTreeMap::new();
    for (a, bids) in open_bids(events) {
        let winner = bids.iter().min_by_key(|b| (Reverse(b.price), b.date_time)).expect("it had bids");
        sold.entry(a.seller).or_default().push((winner.date_time, a.id, winner.price));
    }
    let mut rows = Vec::new();
    for (seller, mut sold) in sold {
        sold.sort_unstable();
        for last in 0..sold.len() {
            let prices: Vec<i64> = sold[last.saturating_sub(10)..=last].iter().map(|(_, _, price)| *price).collect();
            rows.push(vec![n(seller), mean(&prices)]);
        }
    }
    rows
}

pub fn winning_bids(events: &Events) -> Vec<Row> {
    let mut rows = Vec::new();
    for (a, bids) in open_bids(events) {
        let order = |b: &&&Bid| (Reverse(b.price), b.date_time, b.bidder, b.extra.clone());
        let b = bids.iter().min_by_key(order).expect("it had bids");
        let auction = [n(a.id), t(&a.item_name), t(&a.description), n(a.initial_bid), n(a.reserve), n(a.date_time)];
        let more = [n(a.expires), n(a.seller), n(a.category), t(&a.extra)];
        let bid = [n(b.auction), n(b.bidder), n(b.price), n(b.date_time), t(&b.extra)];
        rows.push(auction.into_iter().chain(more).chain(bid).collect());
    }
    rows
}

pub fn bids_with_auctions(events: &Events) -> Vec<Row> {
    let auction: HashMap<i64, &Auction> = events.auctions.iter().map(|a| (a.id, a)).collect();
    let mut rows = Vec::new();
    for b in &events.bids {
        let Some(a) = auction.get(&b.auction).filter(|a| a.category == 10) else { continue };
        let bid = [n(b.auction), n(b.bidder), n(b.price), t(&b.channel), t(&b.url), n(b.date_time), t(&b.extra)];
        let item = [t(&a.item_name), t(&a.description), n(a.initial_bid), n(a.reserve), n(a.date_time), n(a.expires)];
        let more = [n(a.seller), n(a.category), t(&a.extra)];
        rows.push(bid.into_iter().chain(item).chain(more).collect());
    }
    rows
}
