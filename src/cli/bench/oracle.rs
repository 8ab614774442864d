//! What the cases must give, by the plainest loops: sums in 128-bit fixed point, frames scanned anew for every row.
//!
//! Prices are whole cents below 1,000 as doubles, so that every price is a whole number of 2^-60 and sums of them are
//! exact here; rounding such a sum once is what a compensated pair gives, too.

use std::collections::{HashMap, VecDeque};

use super::cases::{Case, Shape};
use super::drive::{Sums, row_hash, sum_doubles, text_value};
use super::input::{BLOCK_ROWS, Input, Keys};
use crate::batch::{Column, Values};
use crate::kernel::update::add_pair;

const MINUTE_US: i64 = 60_000_000;

#[derive(Debug, Clone, Copy)]
struct Group {
    rows: u64,
    quantity: i128,
    /// In units of 2^-60.
    price: i128,
    least: f64,
    greatest: f64,
}

impl Default for Group {
    fn default() -> Self {
        Self { rows: 0, quantity: 0, price: 0, least: f64::INFINITY, greatest: f64::NEG_INFINITY }
    }
}

const UNIT: f64 = (1_u64 << 60) as f64;

impl Group {
    fn add(&mut self, quantity: i64, price: f64) {
        self.rows += 1;
        self.quantity += i128::from(quantity);
        self.price += (price * UNIT) as i128;
        self.least = self.least.min(price);
        self.greatest = self.greatest.max(price);
    }

    fn sum(&self) -> f64 {
        self.price as f64 / UNIT
    }

    fn average(&self) -> f64 {
        self.sum() / self.rows as f64
    }

    /// Hash of the row `key, COUNT, SUM(quantity), AVG, MIN, MAX`.
    fn row(&self, key: u64) -> u64 {
        let values = [
            key,
            self.rows,
            (self.quantity as i64).cast_unsigned(),
            self.average().to_bits(),
            self.least.to_bits(),
            self.greatest.to_bits(),
        ];
        row_hash(values.into_iter())
    }
}

fn key_value(column: &Column<'_>, i: usize) -> u64 {
    match column.values {
        Values::Int64(values) => values[i].cast_unsigned(),
        _ => text_value(column.text(i)),
    }
}

/// What the rows of the first `blocks` blocks give under [`Look::Rows`](super::drive::Look).
pub(super) fn expected(case: &Case, input: &Input, blocks: usize) -> Sums {
    let rows = blocks * BLOCK_ROWS;
    let keys: Vec<u64> = match input.key {
        Keys::None => Vec::new(),
        _ => (0..rows).map(|i| key_value(&input.column(1, i / BLOCK_ROWS), i % BLOCK_ROWS)).collect(),
    };
    let hashes: Vec<u64> = match case.shape {
        Shape::Sum { quantity_below } => {
            let mut group = Group::default();
            (0..rows)
                .filter(|&i| quantity_below.is_none_or(|bound| input.quantity[i] < bound))
                .for_each(|i| group.add(0, input.price[i]));
            vec![row_hash(std::iter::once(group.sum().to_bits()))]
        }
        Shape::Tumbling | Shape::Groups => {
            let mut groups: HashMap<(i64, u64), Group> = HashMap::new();
            for (i, &key) in keys.iter().enumerate() {
                let minute = if case.shape == Shape::Tumbling { input.time[i].div_euclid(MINUTE_US) } else { 0 };
                groups.entry((minute, key)).or_default().add(input.quantity[i], input.price[i]);
            }
            groups.iter().map(|((_, key), group)| group.row(*key)).collect()
        }
        Shape::Changes => {
            let mut groups: HashMap<u64, Group> = HashMap::new();
            let running = |(i, &key): (usize, &u64)| {
                let group = groups.entry(key).or_default();
                group.add(input.quantity[i], input.price[i]);
                group.row(key)
            };
            keys.iter().enumerate().map(running).collect()
        }
        Shape::Rows(frame_rows) => {
            let mut frames: HashMap<u64, VecDeque<f64>> = HashMap::new();
            let over = |(i, &key): (usize, &u64)| {
                let frame = frames.entry(key).or_default();
                slide(frame, frame_rows, input.price[i]);
                let mut group = Group::default();
                frame.iter().for_each(|&price| group.add(0, price));
                row_hash([group.average(), group.least, group.greatest].map(f64::to_bits).into_iter())
            };
            keys.iter().enumerate().map(over).collect()
        }
    };
    Sums { rows: hashes.len() as u64, sum: hashes.into_iter().fold(0, u64::wrapping_add) }
}

fn slide(frame: &mut VecDeque<f64>, frame_rows: usize, value: f64) {
    if frame.len() == frame_rows {
        frame.pop_front();
    }
    frame.push_back(value);
}

/// The contender that scans a frame anew for every row: AVG, MIN and MAX of the last `frame_rows` prices of each key, with
/// the compensated sum that DOUBLE has. What it gives is what [`Look::Columns`](super::drive::Look) gives of the query.
pub(super) fn naive_rows(input: &Input, blocks: std::ops::Range<usize>, frame_rows: usize) -> Sums {
    let Keys::Codes { codes, names } = &input.key else { panic!("the case has coded keys") };
    let frame = || VecDeque::with_capacity(frame_rows);
    let mut frames: Vec<VecDeque<f64>> = (0..names.len()).map(|_| frame()).collect();
    let [mut average, mut least, mut greatest] = [[0.0; BLOCK_ROWS]; 3];
    let mut sums = Sums::default();
    for block in blocks {
        for i in 0..BLOCK_ROWS {
            let row = block * BLOCK_ROWS + i;
            let frame = &mut frames[codes[row] as usize];
            slide(frame, frame_rows, input.price[row]);
            let (mut high, mut low, mut min, mut max) = (0, 0, f64::INFINITY, f64::NEG_INFINITY);
            for &price in frame.iter() {
                add_pair(&mut high, &mut low, price, 0.0);
                min = min.min(price);
                max = max.max(price);
            }
            average[i] = (f64::from_bits(high) + f64::from_bits(low)) / frame.len() as f64;
            least[i] = min;
            greatest[i] = max;
        }
        sums = sums.and(sum_doubles(&[&average, &least, &greatest]));
    }
    sums
}
