//! Queries over bids alone, without windows.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::{Bid, Events, SECOND, mean, n, t};
use crate::harness::{Cell, Row};

pub fn pass_through(events: &Events) -> Vec<Row> {
    let row = |b: &Bid| vec![n(b.auction), n(b.bidder), n(b.price), n(b.date_time), t(&b.extra)];
    events.bids.iter().map(row).collect()
}

/// Prices have three places behind the point.
pub fn currency(events: &Events) -> Vec<Row> {
    let row = |b: &Bid| vec![n(b.auction), n(b.bidder), n(b.price * 908), n(b.date_time), t(&b.extra)];
    events.bids.iter().map(row).collect()
}

pub fn selection(events: &Events) -> Vec<Row> {
    events.bids.iter().filter(|b| b.auction % 123 == 0).map(|b| vec![n(b.auction), n(b.price)]).collect()
}

pub fn log(events: &Events) -> Vec<Row> {
    let row = |b: &Bid| {
        let (day, minute) = (day(b.date_time), minute(b.date_time));
        vec![n(b.auction), n(b.bidder), n(b.price), n(b.date_time), t(&b.extra), t(&day), t(&minute)]
    };
    events.bids.iter().map(row).collect()
}

/// The table has the numbers below ten thousand, each with its digits.
pub fn side_input(events: &Events) -> Vec<Row> {
    let row =
        |b: &Bid| vec![n(b.auction), n(b.bidder), n(b.price), n(b.date_time), t(&(b.auction % 10_000).to_string())];
    events.bids.iter().map(row).collect()
}

pub fn calculation(events: &Events) -> Vec<Row> {
    let mut rows = Vec::new();
    for b in &events.bids {
        let thousandths = b.price * 908;
        if thousandths <= 1_000_000_000 || thousandths >= 50_000_000_000 {
            continue;
        }
        let hour = b.date_time / (3600 * SECOND) % 24;
        let kind = match hour {
            8..=18 => "dayTime",
            0..=6 | 20..=23 => "nightTime",
            _ => "otherTime",
        };
        let letters = b.extra.chars().filter(|&letter| letter == 'c').count() as i64;
        rows.push(vec![n(b.auction), n(b.bidder), n(thousandths), t(kind), n(b.date_time), t(&b.extra), n(letters)]);
    }
    rows
}

pub fn days(events: &Events) -> Vec<Row> {
    let mut groups: BTreeMap<String, Vec<&Bid>> = BTreeMap::new();
    for b in &events.bids {
        groups.entry(day(b.date_time)).or_default().push(b);
    }
    groups.iter().map(|(day, bids)| [vec![t(day)], ranks(bids), distinct(bids)].concat()).collect()
}

pub fn channel_days(events: &Events) -> Vec<Row> {
    let mut groups: BTreeMap<(&str, String), Vec<&Bid>> = BTreeMap::new();
    for b in &events.bids {
        groups.entry((&b.channel, day(b.date_time))).or_default().push(b);
    }
    let row = |((channel, day), bids): (&(&str, String), &Vec<&Bid>)| {
        let last = bids.iter().map(|b| minute(b.date_time)).max().expect("a group has bids");
        [vec![t(channel), t(day), t(&last)], ranks(bids), distinct(bids)].concat()
    };
    groups.iter().map(row).collect()
}

pub fn auction_days(events: &Events) -> Vec<Row> {
    let mut groups: BTreeMap<(i64, String), Vec<&Bid>> = BTreeMap::new();
    for b in &events.bids {
        groups.entry((b.auction, day(b.date_time))).or_default().push(b);
    }
    let row = |((auction, day), bids): (&(i64, String), &Vec<&Bid>)| {
        let prices: Vec<i64> = bids.iter().map(|b| b.price).collect();
        let (least, greatest) = (prices.iter().min().unwrap(), prices.iter().max().unwrap());
        let rest = vec![n(*least), n(*greatest), mean(&prices), n(prices.iter().sum())];
        [vec![n(*auction), t(day)], ranks(bids), rest].concat()
    };
    groups.iter().map(row).collect()
}

/// All bids, and those of each of the three ranks of prices.
fn by_rank<'b>(bids: &[&'b Bid]) -> [Vec<&'b Bid>; 4] {
    let of = |wanted: &dyn Fn(i64) -> bool| bids.iter().copied().filter(|b| wanted(b.price)).collect();
    [of(&|_| true), of(&|p| p < 10_000), of(&|p| (10_000..1_000_000).contains(&p)), of(&|p| p >= 1_000_000)]
}

fn ranks(bids: &[&Bid]) -> Vec<Cell> {
    by_rank(bids).iter().map(|of| n(of.len() as i64)).collect()
}

fn distinct(bids: &[&Bid]) -> Vec<Cell> {
    let count = |of: &Vec<&Bid>, what: &dyn Fn(&Bid) -> i64| {
        n(of.iter().map(|b| what(b)).collect::<BTreeSet<i64>>().len() as i64)
    };
    let ranks = by_rank(bids);
    let bidders = ranks.iter().map(|of| count(of, &|b| b.bidder));
    let auctions = ranks.iter().map(|of| count(of, &|b| b.auction));
    bidders.chain(auctions).collect()
}

pub fn last_bids(events: &Events) -> Vec<Row> {
    let mut last: BTreeMap<(i64, i64), &Bid> = BTreeMap::new();
    let order = |b: &Bid| (Reverse(b.date_time), Reverse(b.price), b.extra.clone());
    for b in &events.bids {
        let kept = last.entry((b.bidder, b.auction)).or_insert(b);
        if order(b) < order(kept) {
            *kept = b;
        }
    }
    last.values().map(|b| whole_bid(b)).collect()
}

pub fn top_ten(events: &Events) -> Vec<Row> {
    let mut of_auction: BTreeMap<i64, Vec<&Bid>> = BTreeMap::new();
    for b in &events.bids {
        of_auction.entry(b.auction).or_default().push(b);
    }
    let mut rows = Vec::new();
    for bids in of_auction.values_mut() {
        bids.sort_by_key(|b| (Reverse(b.price), b.date_time, b.bidder, b.extra.clone()));
        for (place, b) in bids.iter().take(10).enumerate() {
            rows.push([whole_bid(b), vec![n(place as i64 + 1)]].concat());
        }
    }
    rows
}

fn whole_bid(b: &Bid) -> Row {
    vec![n(b.auction), n(b.bidder), n(b.price), t(&b.channel), t(&b.url), n(b.date_time), t(&b.extra)]
}

pub fn channel_ids(events: &Events) -> Vec<Row> {
    let mut rows = Vec::new();
    for b in &events.bids {
        let in_url = b.url.split('&').find_map(|part| part.strip_prefix("channel_id="));
        let id = match b.channel.to_lowercase().as_str() {
            "apple" => "0",
            "google" => "1",
            "facebook" => "2",
            "baidu" => "3",
            _ => match in_url {
                Some(id) => id,
                None => continue,
            },
        };
        rows.push(vec![n(b.auction), n(b.bidder), n(b.price), t(&b.channel), t(id)]);
    }
    rows
}

pub fn directories(events: &Events) -> Vec<Row> {
    let row = |b: &Bid| {
        let parts: Vec<&str> = b.url.split('/').collect();
        vec![n(b.auction), n(b.bidder), n(b.price), t(&b.channel), t(parts[3]), t(parts[4]), t(parts[5])]
    };
    events.bids.iter().map(row).collect()
}

/// `2024-01-31`, for times from 2024 to 2027: counted off month by month.
fn day(time: i64) -> String {
    let mut rest = time / (24 * 3600 * SECOND) - 19_723;
    for year in 2024.. {
        let february = if year == 2024 { 29 } else { 28 };
        for (month, days) in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31].into_iter().enumerate() {
            if rest < days {
                return format!("{year}-{:02}-{:02}", month + 1, rest + 1);
            }
            rest -= days;
        }
    }
    unreachable!("a time has a year")
}

fn minute(time: i64) -> String {
    let minutes = time / (60 * SECOND);
    format!("{:02}:{:02}", minutes / 60 % 24, minutes % 60)
}
