//! The queries of Nexmark in the plainest way: loops, maps and sorts over all events in memory. Each function is the
//! published query read aloud; none knows of watermarks, batches or partitions.

mod joins;
mod single;
mod windows;

use crate::harness::{Cell, Row};

pub const SECOND: i64 = 1_000_000;

pub struct Person {
    pub id: i64,
    pub name: String,
    pub city: String,
    pub state: String,
    pub date_time: i64,
}

pub struct Auction {
    pub id: i64,
    pub item_name: String,
    pub description: String,
    pub initial_bid: i64,
    pub reserve: i64,
    pub date_time: i64,
    pub expires: i64,
    pub seller: i64,
    pub category: i64,
    pub extra: String,
}

pub struct Bid {
    pub auction: i64,
    pub bidder: i64,
    pub price: i64,
    pub channel: String,
    pub url: String,
    pub date_time: i64,
    pub extra: String,
}

/// All events, each table in its order.
pub struct Events {
    pub people: Vec<Person>,
    pub auctions: Vec<Auction>,
    pub bids: Vec<Bid>,
}

impl Events {
    /// From the rows of `SELECT *` over the three tables.
    pub fn new(people: Vec<Row>, auctions: Vec<Row>, bids: Vec<Row>) -> Self {
        let person = |row: Row| {
            let [id, name, _, _, city, state, date_time, _] = row.try_into().expect("eight columns");
            let (name, city, state) = (text(name), text(city), text(state));
            Person { id: whole(&id), name, city, state, date_time: whole(&date_time) }
        };
        let auction = |row: Row| {
            let row: [Cell; 10] = row.try_into().expect("ten columns");
            let [id, item_name, description, initial_bid, reserve, date_time, expires, seller, category, extra] = row;
            Auction {
                id: whole(&id),
                item_name: text(item_name),
                description: text(description),
                initial_bid: whole(&initial_bid),
                reserve: whole(&reserve),
                date_time: whole(&date_time),
                expires: whole(&expires),
                seller: whole(&seller),
                category: whole(&category),
                extra: text(extra),
            }
        };
        let bid = |row: Row| {
            let [auction, bidder, price, channel, url, date_time, extra] = row.try_into().expect("seven columns");
            Bid {
                auction: whole(&auction),
                bidder: whole(&bidder),
                price: whole(&price),
                channel: text(channel),
                url: text(url),
                date_time: whole(&date_time),
                extra: text(extra),
            }
        };
        Self {
            people: people.into_iter().map(person).collect(),
            auctions: auctions.into_iter().map(auction).collect(),
            bids: bids.into_iter().map(bid).collect(),
        }
    }

    /// The rows of a query, in any order.
    pub fn answer(&self, query: usize) -> Vec<Row> {
        match query {
            0 => single::pass_through(self),
            1 => single::currency(self),
            2 => single::selection(self),
            3 => joins::local_items(self),
            4 => joins::category_prices(self),
            5 => windows::hot_items(self),
            6 => joins::seller_prices(self),
            7 => windows::highest_bids(self),
            8 => windows::new_users(self),
            9 => joins::winning_bids(self),
            10 => single::log(self),
            11 => windows::sessions(self),
            12 => windows::bids_of_people(self),
            13 => single::side_input(self),
            14 => single::calculation(self),
            15 => single::days(self),
            16 => single::channel_days(self),
            17 => single::auction_days(self),
            18 => single::last_bids(self),
            19 => single::top_ten(self),
            20 => joins::bids_with_auctions(self),
            21 => single::channel_ids(self),
            22 => single::directories(self),
            _ => panic!("there is no q{query}"),
        }
    }
}

fn whole(cell: &Cell) -> i64 {
    let Cell::Integer(value) = cell else { panic!("{cell:?} is no whole number") };
    i64::try_from(*value).expect("a BIGINT or TIMESTAMP")
}

fn text(cell: Cell) -> String {
    let Cell::Text(text) = cell else { panic!("{cell:?} is no text") };
    text
}

fn n(value: i64) -> Cell {
    Cell::Integer(value.into())
}

fn t(text: &str) -> Cell {
    Cell::Text(text.to_string())
}

/// The mean of whole numbers: their exact sum by their number.
fn mean(values: &[i64]) -> Cell {
    let sum: i128 = values.iter().map(|&value| i128::from(value)).sum();
    Cell::Double((sum as f64 / values.len() as f64).to_bits())
}
