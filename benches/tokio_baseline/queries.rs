//! The five scenarios over records that are maps, as one would write them by hand.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, VecDeque};

use corelane::cli::bench::Scenario;

use crate::rows::{Message, Record, Value};

/// One of the scenarios.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Query {
    Select,
    RowsWindow,
    GroupBy,
    Tumbling,
    Changes,
}

const WINDOW_US: i64 = 60_000_000;
/// Rows of a frame.
const FRAME_ROWS: usize = 100;
/// What corelane waits for disorder where a query names no bound, so that rows leave in the same order.
const BOUND_DEFAULT_US: i64 = 60_000_000;

impl Query {
    pub fn of(scenario: &Scenario) -> Self {
        match scenario.name.split(' ').next() {
            Some("0") => Self::Select,
            Some("1") => Self::RowsWindow,
            Some("2") => Self::GroupBy,
            Some("3a") => Self::Tumbling,
            Some("3b") => Self::Changes,
            _ => panic!("scenario {} has no form over maps", scenario.name),
        }
    }

    /// What records are grouped by.
    pub fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Select => &[],
            Self::RowsWindow | Self::GroupBy => &["symbol"],
            Self::Tumbling | Self::Changes => &["trader_id", "symbol"],
        }
    }

    /// The columns of the result, in order.
    pub fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Select => &["order_id", "customer_id", "order_date", "total_amount"],
            Self::RowsWindow => &["symbol", "price", "average", "lowest", "highest"],
            Self::GroupBy => &["symbol", "count", "average", "lowest", "highest", "quantity"],
            Self::Tumbling | Self::Changes => &["trader_id", "symbol", "count", "average", "quantity", "value"],
        }
    }

    /// When a record happened, and how much later one may still come that happened before; 0 where it does not matter.
    pub fn event_time(self, record: &Record) -> (i64, i64) {
        match self {
            Self::Select | Self::GroupBy => (0, 0),
            Self::RowsWindow => (integer(record, "timestamp"), BOUND_DEFAULT_US),
            Self::Tumbling | Self::Changes => (integer(record, "trade_time"), 1_000_000),
        }
    }
}

fn integer(record: &Record, name: &str) -> i64 {
    match &record[name] {
        Value::Integer(integer) => *integer,
        other => panic!("{name} is {other:?}"),
    }
}

fn float(record: &Record, name: &str) -> f64 {
    match &record[name] {
        Value::Float(float) => *float,
        other => panic!("{name} is {other:?}"),
    }
}

/// Moves a text out of the record.
fn text(record: &mut Record, name: &str) -> String {
    match record.remove(name) {
        Some(Value::Text(text)) => text,
        other => panic!("{name} is {other:?}"),
    }
}

fn record<const N: usize>(values: [(&str, Value); N]) -> Record {
    values.into_iter().map(|(name, value)| (name.to_string(), value)).collect()
}

/// Running values of a group.
#[derive(Debug, Clone, Copy)]
struct Group {
    count: i64,
    sum: f64,
    lowest: f64,
    highest: f64,
    quantity: i64,
    value: f64,
}

impl Group {
    const EMPTY: Self =
        Self { count: 0, sum: 0.0, lowest: f64::INFINITY, highest: f64::NEG_INFINITY, quantity: 0, value: 0.0 };

    fn add(&mut self, price: f64, quantity: i64) {
        self.count += 1;
        self.sum += price;
        self.lowest = self.lowest.min(price);
        self.highest = self.highest.max(price);
        self.quantity += quantity;
        self.value += price * quantity as f64;
    }

    fn average(&self) -> Value {
        Value::Float(self.sum / self.count as f64)
    }

    fn of_trader(&self, trader: i64, symbol: String) -> Record {
        record([
            ("trader_id", Value::Integer(trader)),
            ("symbol", Value::Text(symbol)),
            ("count", Value::Integer(self.count)),
            ("average", self.average()),
            ("quantity", Value::Integer(self.quantity)),
            ("value", Value::Float(self.value)),
        ])
    }
}

/// A row that waits until no earlier one can come: by time, then by its place in the input.
struct Waiting {
    time: i64,
    number: u64,
    symbol: String,
    price: f64,
}

impl Waiting {
    fn order(&self) -> (i64, u64) {
        (self.time, self.number)
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.order() == other.order()
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.order().cmp(&other.order())
    }
}

type Traders = HashMap<(i64, String), Group>;

/// State of an engine task.
pub struct State {
    query: Query,
    waiting: BinaryHeap<Reverse<Waiting>>,
    frames: HashMap<String, VecDeque<f64>>,
    groups: HashMap<String, Group>,
    /// By start.
    windows: BTreeMap<i64, Traders>,
}

impl State {
    pub fn new(query: Query) -> Self {
        let (waiting, frames) = (BinaryHeap::new(), HashMap::new());
        Self { query, waiting, frames, groups: HashMap::new(), windows: BTreeMap::new() }
    }

    pub fn process(&mut self, message: Message, emitted: &mut Vec<Record>) {
        let Message { mut record, number, watermark } = message;
        match self.query {
            Query::Select => {
                if float(&record, "total_amount") > 100.0 {
                    emitted.push(record);
                }
            }
            Query::RowsWindow => {
                self.release(watermark, emitted);
                let (time, price) = (integer(&record, "timestamp"), float(&record, "price"));
                let symbol = text(&mut record, "symbol");
                self.waiting.push(Reverse(Waiting { time, number, symbol, price }));
            }
            Query::GroupBy => {
                let (price, quantity) = (float(&record, "price"), integer(&record, "quantity"));
                let group = self.groups.entry(text(&mut record, "symbol")).or_insert(Group::EMPTY);
                group.add(price, quantity);
            }
            Query::Tumbling | Query::Changes => {
                self.close(watermark, emitted);
                let (price, quantity) = (float(&record, "price"), integer(&record, "quantity"));
                let time = integer(&record, "trade_time");
                let start = time - time.rem_euclid(WINDOW_US);
                if start.saturating_add(WINDOW_US) <= watermark {
                    return;
                }
                let trader = integer(&record, "trader_id");
                let symbol = text(&mut record, "symbol");
                let traders = self.windows.entry(start).or_default();
                if self.query == Query::Changes {
                    let group = traders.entry((trader, symbol.clone())).or_insert(Group::EMPTY);
                    group.add(price, quantity);
                    emitted.push(group.of_trader(trader, symbol));
                } else {
                    traders.entry((trader, symbol)).or_insert(Group::EMPTY).add(price, quantity);
                }
            }
        }
    }

    pub fn finish(&mut self, emitted: &mut Vec<Record>) {
        match self.query {
            Query::Select | Query::Changes => {}
            Query::RowsWindow => self.release(i64::MAX, emitted),
            Query::GroupBy => {
                emitted.extend(self.groups.drain().map(|(symbol, group)| {
                    record([
                        ("symbol", Value::Text(symbol)),
                        ("count", Value::Integer(group.count)),
                        ("average", group.average()),
                        ("lowest", Value::Float(group.lowest)),
                        ("highest", Value::Float(group.highest)),
                        ("quantity", Value::Integer(group.quantity)),
                    ])
                }));
            }
            Query::Tumbling => self.close(i64::MAX, emitted),
        }
    }

    /// Drops windows that have ended; their groups leave now unless each change left already.
    fn close(&mut self, watermark: i64, emitted: &mut Vec<Record>) {
        while let Some(window) = self.windows.first_entry()
            && window.key().saturating_add(WINDOW_US) <= watermark
        {
            let traders = window.remove();
            if self.query == Query::Tumbling {
                emitted.extend(traders.into_iter().map(|((trader, symbol), group)| group.of_trader(trader, symbol)));
            }
        }
    }

    /// Emits rows that no earlier one can come before, each with its frame.
    fn release(&mut self, watermark: i64, emitted: &mut Vec<Record>) {
        while self.waiting.peek().is_some_and(|Reverse(row)| row.time <= watermark)
            && let Some(Reverse(Waiting { symbol, price, .. })) = self.waiting.pop()
        {
            let frame = match self.frames.get_mut(&symbol) {
                Some(frame) => frame,
                None => self.frames.entry(symbol.clone()).or_default(),
            };
            if frame.len() == FRAME_ROWS {
                frame.pop_front();
            }
            frame.push_back(price);
            let mut group = Group::EMPTY;
            frame.iter().for_each(|&price| group.add(price, 0));
            emitted.push(record([
                ("symbol", Value::Text(symbol)),
                ("price", Value::Float(price)),
                ("average", group.average()),
                ("lowest", Value::Float(group.lowest)),
                ("highest", Value::Float(group.highest)),
            ]));
        }
    }
}
