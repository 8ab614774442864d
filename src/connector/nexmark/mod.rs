//! The events of Nexmark, the benchmark of an auction site: people who register, auctions that open, bids on them.
//!
//! Numbers follow the published generator (Apache Beam's, which Flink's benchmark took over) with its default
//! configuration: of 50 events one is a person, three are auctions and 46 are bids; half of the bids go to a hot auction,
//! three quarters of bidders and sellers are hot ones, half of the channels are one of four; prices are spread evenly over
//! their logarithm. The random numbers themselves are corelane's own, as every implementation has its own.
//!
//! Guarantees: an event is a pure function of the seed and its number, and its time is the start plus number times spacing,
//! cut to milliseconds. So the three tables of one seed belong together, whatever splits, batches and columns they are
//! read in. No column holds NULL.

mod events;
mod texts;

use std::sync::Arc;

use arrow_array::types::{ArrowPrimitiveType, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{ArrayRef, DictionaryArray, PrimitiveArray, StringArray};
use arrow_buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{Field as ArrowField, Schema as ArrowSchema, SchemaRef};

use self::events::{Events, Table};
use self::texts::Padding;
use super::shares::{Shares, slice, take_duration, take_rate, take_start};
use crate::batch::{Chunk, Decode, Decoded, Payload, arrow_type};
use crate::error::{Error, Result, nearest};
use crate::types::{DataType, Field, OptionEntry, Options, Schema};

/// Options that [`Nexmark::take`] takes.
pub const NEXMARK_OPTIONS: [OptionEntry; 7] = [
    OptionEntry::new("table", "person, auction, bid", "none", "Which table of the events."),
    OptionEntry::new("events", "a whole number", "without end", "Events to make, of all three tables together."),
    OptionEntry::new("rate", "events a second", "as fast as can be", "How many events to make in a second."),
    OptionEntry::new("seed", "a whole number", "0", "Events are a function of it and their number."),
    OptionEntry::new("start", "a timestamp", "2024-01-01T00:00:00Z", "Event time of the first event."),
    OptionEntry::new("spacing", "a length of time", "100us, or as rate says", "Event time from event to event."),
    OptionEntry::new("splits", "1 to 4096", "1", "Splits that the events are dealt to; needs events."),
];
/// Their names.
pub const NEXMARK_KEYS: &[&str] = &OptionEntry::names(&NEXMARK_OPTIONS);

/// Event time between two events: ten thousand a second, the published default.
const SPACING_US: i64 = 100;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    Time,
    PersonId,
    Name,
    Email,
    CreditCard,
    City,
    State,
    PersonExtra,
    AuctionId,
    ItemName,
    Description,
    InitialBid,
    Reserve,
    Expires,
    Seller,
    Category,
    AuctionExtra,
    Auction,
    Bidder,
    Price,
    Channel,
    Url,
    BidExtra,
}

impl Rule {
    fn data_type(self) -> DataType {
        match self {
            Self::Time | Self::Expires => DataType::Timestamp,
            Self::PersonId | Self::AuctionId | Self::Auction | Self::Seller | Self::Bidder | Self::Category => {
                DataType::BigInt
            }
            Self::InitialBid | Self::Reserve | Self::Price => DataType::BigInt,
            _ => DataType::Varchar,
        }
    }

    /// Whether its texts are few enough to be told by codes.
    fn is_coded(self) -> bool {
        matches!(self, Self::Name | Self::City | Self::State | Self::Channel | Self::Url)
    }
}

/// The columns of a table, in the published order.
fn columns(table: Table) -> &'static [(&'static str, Rule)] {
    match table {
        Table::Person => &[
            ("id", Rule::PersonId),
            ("name", Rule::Name),
            ("email_address", Rule::Email),
            ("credit_card", Rule::CreditCard),
            ("city", Rule::City),
            ("state", Rule::State),
            ("date_time", Rule::Time),
            ("extra", Rule::PersonExtra),
        ],
        Table::Auction => &[
            ("id", Rule::AuctionId),
            ("item_name", Rule::ItemName),
            ("description", Rule::Description),
            ("initial_bid", Rule::InitialBid),
            ("reserve", Rule::Reserve),
            ("date_time", Rule::Time),
            ("expires", Rule::Expires),
            ("seller", Rule::Seller),
            ("category", Rule::Category),
            ("extra", Rule::AuctionExtra),
        ],
        Table::Bid => &[
            ("auction", Rule::Auction),
            ("bidder", Rule::Bidder),
            ("price", Rule::Price),
            ("channel", Rule::Channel),
            ("url", Rule::Url),
            ("date_time", Rule::Time),
            ("extra", Rule::BidExtra),
        ],
    }
}

/// One table of the events, with its options.
#[derive(Debug, Clone)]
pub struct Nexmark {
    table: Table,
    /// What the declared columns hold; all columns if none is declared.
    declared: Vec<(String, Rule)>,
    shares: Shares,
    events: Events,
}

impl Nexmark {
    /// Takes the keys of this connector out of `options`; the columns of `schema` are found by name, with or without the
    /// underscores.
    pub fn take(options: &mut Options, schema: &Schema) -> Result<Self> {
        let table = take_table(options)?;
        let events: Option<u64> = options.take_parsed("events", "a whole number of events")?;
        let rate = take_rate(options)?;
        let seed = options.take_parsed("seed", "a whole number")?.unwrap_or(0);
        let start_us = take_start(options)?;
        let spacing_default = rate.map_or(SPACING_US, |rate| ((1e6 / rate) as i64).max(1));
        let spacing_us = take_duration(options, "spacing")?.unwrap_or(spacing_default);
        // Events are counted and paced over the three tables; this one has a part of them.
        let rate = rate.map(|rate| rate * table.share());
        let shares = Shares::take(options, "events", events.map(|events| table.rows(events)), rate)?;
        let declared = match schema.is_empty() {
            true => columns(table).iter().map(|&(name, rule)| (name.to_string(), rule)).collect(),
            false => schema.fields.iter().map(|field| find(table, field)).collect::<Result<_>>()?,
        };
        Ok(Self { table, declared, shares, events: Events::new(seed, start_us, spacing_us) })
    }

    /// The columns of the table.
    pub fn schema(&self) -> Schema {
        let field = |&(name, rule): &(&str, Rule)| Field { nullable: false, ..Field::new(name, rule.data_type()) };
        Schema::new(columns(self.table).iter().map(field).collect())
    }

    /// How many rows the table has, and how they are dealt to splits.
    pub fn shares(&self) -> Shares {
        self.shares
    }

    /// A decoder that makes the columns at `projection`.
    pub fn decoder(&self, projection: &[usize]) -> NexmarkDecoder {
        let columns = projection.iter().map(|&index| {
            let (_, rule) = self.declared[index];
            let texts = rule.is_coded().then(|| Arc::new(texts::coded(rule, &self.events)) as ArrayRef);
            Column { rule, texts }
        });
        let columns: Vec<Column> = columns.collect();
        let fields = projection.iter().zip(&columns).map(|(&index, column)| {
            let data_type = match column.texts {
                Some(_) => arrow_schema::DataType::Dictionary(
                    Box::new(arrow_schema::DataType::Int32),
                    Box::new(arrow_schema::DataType::Utf8),
                ),
                None => arrow_type(column.rule.data_type()),
            };
            ArrowField::new(&self.declared[index].0, data_type, true)
        });
        let schema = Arc::new(ArrowSchema::new(fields.collect::<Vec<_>>()));
        let needs_padding =
            columns.iter().any(|c| matches!(c.rule, Rule::PersonExtra | Rule::AuctionExtra | Rule::BidExtra));
        let padding = if needs_padding { Padding::new(&self.events) } else { Padding::default() };
        NexmarkDecoder { schema, columns, table: self.table, events: self.events, padding, scratch: Vec::new() }
    }
}

fn take_table(options: &mut Options) -> Result<Table> {
    let name = options.take("table").unwrap_or_default();
    let found = Table::ALL.iter().find(|(known, _)| known.eq_ignore_ascii_case(&name));
    found.map(|&(_, table)| table).ok_or_else(|| {
        let known = Table::ALL.map(|(known, _)| known);
        let hint = match nearest(&name, known) {
            Some(near) if !name.is_empty() => format!("did you mean '{near}'?"),
            _ => format!("valid tables are {}", known.join(", ")),
        };
        match name.is_empty() {
            true => Error::Config(format!("connector 'nexmark' needs a table: {hint}")),
            false => Error::Config(format!("connector 'nexmark' has no table '{name}': {hint}")),
        }
    })
}

/// What a declared column holds.
fn find(table: Table, field: &Field) -> Result<(String, Rule)> {
    // The published tables write dateTime, others date_time.
    let plain = |name: &str| name.replace('_', "").to_ascii_lowercase();
    let wanted = plain(&field.name);
    let names = columns(table).iter().map(|(name, _)| *name);
    let Some(&(_, rule)) = columns(table).iter().find(|(name, _)| plain(name) == wanted) else {
        let hint = match nearest(&field.name, names.clone()) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("it has {}", names.collect::<Vec<_>>().join(", ")),
        };
        return Err(Error::Config(format!(
            "the nexmark table '{}' has no column {}: {hint}",
            table.name(),
            field.name
        )));
    };
    if field.data_type != rule.data_type() {
        let (name, wanted, found) = (&field.name, rule.data_type(), field.data_type);
        return Err(Error::Config(format!(
            "column {name} of the nexmark table '{}' is {wanted}, not {found}",
            table.name()
        )));
    }
    Ok((field.name.clone(), rule))
}

#[derive(Debug)]
struct Column {
    rule: Rule,
    /// What the codes of a column of few texts mean.
    texts: Option<ArrayRef>,
}

/// Makes the projected columns of numbered rows.
pub struct NexmarkDecoder {
    schema: SchemaRef,
    columns: Vec<Column>,
    table: Table,
    events: Events,
    padding: Padding,
    /// A text that is only made to be measured.
    scratch: Vec<u8>,
}

impl NexmarkDecoder {
    fn build(&mut self, index: usize, first: u64, rows: u32) -> Result<ArrayRef> {
        let Column { rule, texts } = &self.columns[index];
        let (table, events, rule) = (self.table, self.events, *rule);
        let numbers = (first..first + u64::from(rows)).map(|row| table.event(row));
        if let Some(texts) = texts {
            let codes = fill::<Int32Type>(numbers.map(|event| texts::code(rule, &events, event)));
            return Ok(Arc::new(DictionaryArray::new(codes, Arc::clone(texts))));
        }
        let whole = |column: PrimitiveArray<Int64Type>| -> Result<ArrayRef> { Ok(Arc::new(column)) };
        match rule {
            Rule::Time => Ok(moments(numbers.map(|event| events.time_us(event)))),
            Rule::Expires => Ok(moments(numbers.map(|event| events.expires_us(event)))),
            Rule::PersonId => whole(fill(numbers.map(|event| events.person_id(event)))),
            Rule::AuctionId => whole(fill(numbers.map(|event| events.auction_id(event)))),
            Rule::InitialBid => whole(fill(numbers.map(|event| events.initial_bid(event)))),
            Rule::Reserve => whole(fill(numbers.map(|event| events.reserve(event)))),
            Rule::Seller => whole(fill(numbers.map(|event| events.seller(event)))),
            Rule::Category => whole(fill(numbers.map(|event| events.category(event)))),
            Rule::Auction => whole(fill(numbers.map(|event| events.auction(event)))),
            Rule::Bidder => whole(fill(numbers.map(|event| events.bidder(event)))),
            Rule::Price => whole(fill(numbers.map(|event| events.price(event)))),
            _ => {
                let mut offsets = Vec::with_capacity(rows as usize + 1);
                let mut bytes = Vec::with_capacity(rows as usize * texts::expected_bytes(rule));
                offsets.push(0_i32);
                for event in numbers {
                    match rule {
                        Rule::Email => texts::email(&events, event, &mut bytes),
                        Rule::CreditCard => texts::credit_card(&events, event, &mut bytes),
                        Rule::ItemName => texts::item_name(&events, event, &mut bytes),
                        Rule::Description => texts::description(&events, event, &mut bytes),
                        Rule::PersonExtra => self.padding.person(&events, event, &mut self.scratch, &mut bytes),
                        Rule::AuctionExtra => self.padding.auction(&events, event, &mut self.scratch, &mut bytes),
                        _ => self.padding.bid(&events, event, &mut bytes),
                    }
                    offsets.push(i32::try_from(bytes.len()).map_err(|_| {
                        Error::Data("the texts of a batch exceed 2 GB: set batch_rows to a smaller number".into())
                    })?);
                }
                let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
                Ok(Arc::new(StringArray::new(offsets, Buffer::from_vec(bytes), None)))
            }
        }
    }
}

fn fill<T: ArrowPrimitiveType>(values: impl Iterator<Item = T::Native>) -> PrimitiveArray<T> {
    PrimitiveArray::new(values.collect(), None)
}

fn moments(values: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(fill::<TimestampMicrosecondType>(values).with_timezone("UTC"))
}

impl Decode for NexmarkDecoder {
    fn decode(&mut self, chunk: &Chunk, rows_max: usize, into: &mut Decoded) -> Result<()> {
        let Payload::Generated { first, rows } = chunk.payload else {
            return Err(Error::Data("a generator's decoder was given a chunk of another source".into()));
        };
        let arrays = (0..self.columns.len()).map(|index| self.build(index, first, rows)).collect::<Result<_>>()?;
        slice(&self.schema, arrays, rows as usize, rows_max, into)
    }
}
