//! The generator: fills any schema with plausible rows, each a pure function of the seed and its number.
//!
//! Guarantees: row `i` is the same whichever partition makes it, in whatever company, and whatever columns are read with
//! it. Types decide what is generated, names only flavour it:
//!
//! | type | values |
//! |---|---|
//! | VARCHAR | one of `keys` texts; tickers for a column called `symbol` or `ticker` |
//! | INT, BIGINT | `1..=keys` if the name ends in `id` or `key`, else `1..=1000` |
//! | DOUBLE, DECIMAL | two decimals: 1.00 to 1000.00 for prices and amounts, else 0.00 to 100.00 |
//! | TIMESTAMP, DATE | `start` + row x `spacing`, moved back by up to `disorder_by` for the `disorder` fraction of rows |
//! | BOOLEAN, INTERVAL | even odds; up to an hour |
//!
//! `nulls` applies to every column but TIMESTAMP, so that event time is always there.

use std::sync::Arc;

use arrow_array::types::{
    ArrowDictionaryKeyType, Date32Type, Decimal128Type, DurationMicrosecondType, Float64Type, Int32Type, Int64Type,
    TimestampMicrosecondType,
};
use arrow_array::{ArrayRef, ArrowPrimitiveType, BooleanArray, DictionaryArray, PrimitiveArray, StringArray};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_schema::{Field as ArrowField, Schema as ArrowSchema, SchemaRef};

use super::draw::{Keys, Stream, below, mix, threshold};
use super::shares::{Shares, slice, take_duration, take_rate, take_start};
use crate::batch::{Chunk, Decode, Decoded, Payload, arrow_type};
use crate::error::{Error, Result};
use crate::types::{DataType, OptionEntry, Options, Schema};

/// Options that [`Generator::take`] takes.
pub const GENERATOR_OPTIONS: [OptionEntry; 11] = [
    OptionEntry::new("rows", "a whole number", "without end", "Rows to make, over all splits."),
    OptionEntry::new("rate", "rows a second", "as fast as can be", "How many rows to make in a second."),
    OptionEntry::new("seed", "a whole number", "0", "Rows are a function of it and their number."),
    OptionEntry::new(
        "keys",
        "1 to 4194304",
        "100",
        "Distinct values of text columns, and of integers called *id or *key.",
    ),
    OptionEntry::new("skew", "0 to 20", "0", "Zipf exponent of those values; with 0 all are as frequent."),
    OptionEntry::new("disorder", "0 to 1", "0", "Share of rows whose event time is moved back."),
    OptionEntry::new("disorder_by", "a length of time", "5s", "By how much at most."),
    OptionEntry::new("start", "a timestamp", "2024-01-01T00:00:00Z", "Event time of the first row."),
    OptionEntry::new("spacing", "a length of time", "1ms, or as rate says", "Event time from row to row."),
    OptionEntry::new("nulls", "0 to 1", "0", "Share of NULLs in every column but TIMESTAMP."),
    OptionEntry::new("splits", "1 to 4096", "1", "Splits that the rows are dealt to; needs rows."),
];
/// Their names.
pub const GENERATOR_KEYS: &[&str] = &OptionEntry::names(&GENERATOR_OPTIONS);

const DAY_US: i64 = 86_400_000_000;
/// Most keys; their texts and weights are kept in tables.
const KEYS_MAX: u64 = 1 << 22;

/// A generator's options and its tables.
#[derive(Debug, Clone)]
pub struct Generator {
    schema: Schema,
    shares: Shares,
    seed: u64,
    /// Draws below it are NULL.
    nulls: u64,
    keys: Arc<Keys>,
    key_count: u64,
    times: Times,
}

/// How event time runs.
#[derive(Debug, Clone, Copy)]
struct Times {
    stream: Stream,
    start_us: i64,
    spacing_us: i64,
    /// Draws below it are moved back.
    disorder: u64,
    disorder_by_us: u64,
}

impl Times {
    #[inline]
    fn at(&self, row: u64) -> i64 {
        let steps = i64::try_from(row).unwrap_or(i64::MAX).saturating_mul(self.spacing_us);
        let time = self.start_us.saturating_add(steps);
        if self.disorder == 0 {
            return time;
        }
        let bits = self.stream.bits(row);
        if bits >= self.disorder {
            return time;
        }
        // The distance is drawn apart: rows that are moved have small bits.
        let back = below(mix(bits), self.disorder_by_us.saturating_add(1));
        time.saturating_sub(i64::try_from(back).unwrap_or(i64::MAX))
    }
}

impl Generator {
    /// Takes the generator's keys out of `options`.
    pub fn take(options: &mut Options, schema: &Schema) -> Result<Self> {
        let rows = options.take_parsed("rows", "a whole number of rows")?;
        let rate = take_rate(options)?;
        let seed = options.take_parsed("seed", "a whole number")?.unwrap_or(0);
        let key_count: u64 = options.take_parsed("keys", "a whole number of keys")?.unwrap_or(100);
        if !(1..=KEYS_MAX).contains(&key_count) {
            return Err(Error::Config(format!("option keys = '{key_count}': expected 1 to {KEYS_MAX}")));
        }
        let skew: f64 = options.take_parsed("skew", "a Zipf exponent, 0 for uniform")?.unwrap_or(0.0);
        if !(0.0..=20.0).contains(&skew) {
            return Err(Error::Config(format!("option skew = '{skew}': expected 0 (uniform) to 20")));
        }
        let disorder = take_fraction(options, "disorder")?;
        let disorder_by_us = take_duration(options, "disorder_by")?.unwrap_or(5_000_000);
        // With a rate, event time keeps pace with the clock unless told otherwise.
        let spacing_default = rate.map_or(1_000, |rate| ((1e6 / rate) as i64).max(1));
        let spacing_us = take_duration(options, "spacing")?.unwrap_or(spacing_default);
        let start_us = take_start(options)?;
        let nulls = threshold(take_fraction(options, "nulls")?);
        let shares = Shares::take(options, "rows", rows, rate)?;
        let times = Times {
            stream: Stream::new(seed, "event time"),
            start_us,
            spacing_us,
            disorder: threshold(disorder),
            disorder_by_us: disorder_by_us.unsigned_abs(),
        };
        let keys = Arc::new(Keys::new(key_count, skew));
        Ok(Self { schema: schema.clone(), shares, seed, nulls, keys, key_count, times })
    }

    /// How many rows there are, and how they are dealt to splits.
    pub fn shares(&self) -> Shares {
        self.shares
    }

    /// A decoder that makes the columns at `projection`.
    pub fn decoder(&self, projection: &[usize]) -> GeneratorDecoder {
        let columns: Vec<Column> = projection.iter().map(|&i| self.column(i)).collect();
        let fields = projection.iter().zip(&columns).map(|(&i, column)| {
            let field = &self.schema.fields[i];
            let arrow = match &column.rule {
                Rule::Text(_) => arrow_schema::DataType::Dictionary(
                    Box::new(Int32Type::DATA_TYPE),
                    Box::new(arrow_schema::DataType::Utf8),
                ),
                _ => arrow_type(field.data_type),
            };
            ArrowField::new(&field.name, arrow, true)
        });
        let schema = Arc::new(ArrowSchema::new(fields.collect::<Vec<_>>()));
        GeneratorDecoder { schema, columns, keys: Arc::clone(&self.keys), nulls: self.nulls, times: self.times }
    }

    fn column(&self, index: usize) -> Column {
        let field = &self.schema.fields[index];
        let name = field.name.to_ascii_lowercase();
        let is_money = ["price", "amount", "total", "cost", "value", "fee"].iter().any(|word| name.contains(word));
        let cents = if is_money { (100, 100_000) } else { (0, 10_000) };
        let is_key = name.ends_with("id") || name.ends_with("key");
        let rule = match field.data_type {
            DataType::Boolean => Rule::Boolean,
            DataType::Int if is_key => Rule::KeyInt,
            DataType::BigInt if is_key => Rule::KeyBigInt,
            DataType::Int => Rule::Int,
            DataType::BigInt => Rule::BigInt,
            DataType::Double => Rule::Double(cents.0, cents.1),
            DataType::Decimal { precision, scale } => {
                Rule::Decimal { cents, scale, data_type: field.data_type, modulus: 10i128.pow(u32::from(precision)) }
            }
            DataType::Varchar => Rule::Text(Arc::new(texts(&name, self.key_count))),
            DataType::Date => Rule::Date,
            DataType::Timestamp => Rule::Timestamp,
            DataType::Interval => Rule::Interval,
        };
        Column { stream: Stream::new(self.seed, &name), rule }
    }
}

fn take_fraction(options: &mut Options, key: &str) -> Result<f64> {
    let fraction: f64 = options.take_parsed(key, "a fraction from 0 to 1")?.unwrap_or(0.0);
    if (0.0..=1.0).contains(&fraction) {
        return Ok(fraction);
    }
    Err(Error::Config(format!("option {key} = '{fraction}': expected a fraction from 0 to 1")))
}

/// The texts of a VARCHAR column's keys.
fn texts(name: &str, count: u64) -> StringArray {
    const TICKERS: &[&str] = &[
        "AAPL", "MSFT", "NVDA", "AMZN", "GOOG", "META", "TSLA", "AVGO", "JPM", "V", "UNH", "XOM", "MA", "JNJ", "PG",
        "HD", "COST", "ABBV", "CRM", "MRK", "CVX", "KO", "PEP", "AMD", "ADBE", "WMT", "BAC", "NFLX", "ORCL", "CSCO",
        "INTC", "QCOM", "IBM", "GE", "CAT", "BA", "DIS", "NKE", "PFE", "T",
    ];
    let is_ticker = name.contains("symbol") || name.contains("ticker");
    let prefix: String = name.chars().filter(char::is_ascii_alphanumeric).take(3).collect::<String>().to_uppercase();
    let text = |i: u64| match TICKERS.get(i as usize) {
        Some(ticker) if is_ticker => (*ticker).to_string(),
        // Five letters, so that none is a ticker of the list.
        _ if is_ticker => {
            let letter = |place: u32| char::from(b'A' + (i / 26u64.pow(place) % 26) as u8);
            (0..5).rev().map(letter).collect()
        }
        _ => format!("{prefix}{i:04}"),
    };
    (0..count).map(|i| Some(text(i))).collect()
}

/// What a column's values are.
enum Rule {
    Boolean,
    Int,
    BigInt,
    KeyInt,
    KeyBigInt,
    /// Least and greatest, in hundredths.
    Double(u64, u64),
    Decimal {
        cents: (u64, u64),
        scale: u8,
        data_type: DataType,
        /// First value with too many digits.
        modulus: i128,
    },
    Text(Arc<StringArray>),
    Date,
    Timestamp,
    Interval,
}

struct Column {
    stream: Stream,
    rule: Rule,
}

/// Makes the projected columns of numbered rows.
pub struct GeneratorDecoder {
    schema: SchemaRef,
    columns: Vec<Column>,
    keys: Arc<Keys>,
    nulls: u64,
    times: Times,
}

impl GeneratorDecoder {
    fn build(&self, column: &Column, first: u64, rows: usize) -> ArrayRef {
        let stream = column.stream;
        let draw = |n: u64, row: u64| below(stream.bits(row), n);
        let key = |row: u64| self.keys.draw(stream.bits(row));
        let nulls = match column.rule {
            Rule::Timestamp => None,
            _ => self.null_buffer(stream, first, rows),
        };
        let span = Span { first, rows, nulls };
        match &column.rule {
            Rule::Boolean => {
                let values = BooleanBuffer::collect_bool(rows, |i| stream.bits(first + i as u64) & 1 == 1);
                Arc::new(BooleanArray::new(values, span.nulls))
            }
            // At most KEYS_MAX and 1000: both fit.
            Rule::KeyInt => Arc::new(span.fill::<Int32Type>(|row| key(row) as i32 + 1)),
            Rule::KeyBigInt => Arc::new(span.fill::<Int64Type>(|row| key(row) as i64 + 1)),
            Rule::Int => Arc::new(span.fill::<Int32Type>(|row| draw(1000, row) as i32 + 1)),
            Rule::BigInt => Arc::new(span.fill::<Int64Type>(|row| draw(1000, row) as i64 + 1)),
            Rule::Double(least, greatest) => {
                Arc::new(span.fill::<Float64Type>(|row| (least + draw(greatest - least + 1, row)) as f64 / 100.0))
            }
            Rule::Decimal { cents: (least, greatest), scale, data_type, modulus } => {
                // Cut to the precision before scaling up: 10^38 times a price would not fit.
                let value = |row| {
                    let cents = i128::from(least + draw(greatest - least + 1, row));
                    match scale {
                        0..=2 => cents / 10i128.pow(u32::from(2 - scale)) % modulus,
                        _ => {
                            let up = 10i128.pow(u32::from(scale - 2));
                            cents % (modulus / up) * up
                        }
                    }
                };
                Arc::new(span.fill::<Decimal128Type>(value).with_data_type(arrow_type(*data_type)))
            }
            Rule::Text(texts) => {
                let codes = span.fill::<Int32Type>(|row| key(row) as i32);
                Arc::new(dictionary(codes, texts))
            }
            Rule::Date => Arc::new(
                span.fill::<Date32Type>(|row| i32::try_from(self.times.at(row).div_euclid(DAY_US)).unwrap_or(i32::MAX)),
            ),
            Rule::Timestamp => {
                Arc::new(span.fill::<TimestampMicrosecondType>(|row| self.times.at(row)).with_timezone("UTC"))
            }
            Rule::Interval => Arc::new(span.fill::<DurationMicrosecondType>(|row| draw(3_600, row) as i64 * 1_000_000)),
        }
    }

    fn null_buffer(&self, stream: Stream, first: u64, rows: usize) -> Option<NullBuffer> {
        // Drawn from the bits once more mixed, so that NULL does not follow the value.
        (self.nulls > 0).then(|| {
            let is_valid = |i: usize| mix(!stream.bits(first + i as u64)) >= self.nulls;
            NullBuffer::new(BooleanBuffer::collect_bool(rows, is_valid))
        })
    }
}

fn dictionary<K: ArrowDictionaryKeyType>(codes: PrimitiveArray<K>, texts: &Arc<StringArray>) -> DictionaryArray<K> {
    DictionaryArray::new(codes, Arc::clone(texts) as ArrayRef)
}

/// The rows of one column.
struct Span {
    first: u64,
    rows: usize,
    nulls: Option<NullBuffer>,
}

impl Span {
    fn fill<T: ArrowPrimitiveType>(&self, value: impl Fn(u64) -> T::Native) -> PrimitiveArray<T> {
        let values: Vec<T::Native> = (self.first..self.first + self.rows as u64).map(value).collect();
        PrimitiveArray::new(values.into(), self.nulls.clone())
    }
}

impl Decode for GeneratorDecoder {
    fn decode(&mut self, chunk: &Chunk, rows_max: usize, into: &mut Decoded) -> Result<()> {
        let Payload::Generated { first, rows } = chunk.payload else {
            return Err(Error::Data("a generator's decoder was given a chunk of another source".into()));
        };
        let rows = rows as usize;
        let arrays = self.columns.iter().map(|column| self.build(column, first, rows)).collect();
        slice(&self.schema, arrays, rows, rows_max, into)
    }
}
