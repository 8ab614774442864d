//! Nexmark: the queries of `examples/nexmark` give the rows of the plain reference, and the generator's events have the
//! published proportions.

mod harness;
#[path = "reference/nexmark/mod.rs"]
mod reference;

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};

use corelane::engine::{Engine, JobReport};
use corelane::error::Error;
use corelane::types::Options;
use harness::{Row, options, rows_of, run};
use reference::Events;

const QUERIES: usize = 23;

/// How many events there are, how far apart in time, and in how many splits each table is.
#[derive(Clone, Copy)]
struct Input {
    events: u64,
    spacing: &'static str,
    splits: u64,
}

impl Input {
    fn options(self) -> String {
        format!("events = '{}', spacing = '{}', splits = '{}', seed = '7'", self.events, self.spacing, self.splits)
    }

    fn source(self, table: &str) -> String {
        format!("CREATE SOURCE {table} WITH (connector = 'nexmark', table = '{table}', {});", self.options())
    }

    fn all(self, engine: &Engine) -> Events {
        let rows = |table: &str| {
            let sql = format!("{} SELECT * FROM {table}", self.source(table));
            run(engine, &sql, &options(&[("processor", "inline")])).1
        };
        Events::new(rows("person"), rows("auction"), rows("bid"))
    }
}

/// The example of a query, over another input.
fn example(query: usize, input: Input) -> String {
    let path = format!("{}/examples/nexmark/q{query}.sql", env!("CARGO_MANIFEST_DIR"));
    let sql = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    assert!(sql.contains("events = '100000'"), "{path}");
    let side_input = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/nexmark/");
    sql.replace("events = '100000'", &input.options()).replace("'examples/nexmark/", &format!("'{side_input}"))
}

fn attempt(engine: &Engine, sql: &str, settings: &[(&str, &str)]) -> Result<(JobReport, Vec<Row>), Error> {
    let jobs = engine.compile(sql, &Options::new())?;
    assert_eq!(jobs.len(), 1, "one query an example");
    let (report, batches) = engine.collect(&jobs[0], &options(settings))?;
    assert!(report.records_balance(), "the counts do not add up: {report:?}");
    Ok((report, rows_of(&batches)))
}

/// Compares rows in any order, by a hash of each, since there may be a million; rows are shown where they differ.
fn assert_same(found: &[Row], expected: &[Row], place: &str) {
    let hash = |row: &Row| {
        let mut hasher = DefaultHasher::new();
        row.hash(&mut hasher);
        hasher.finish()
    };
    let hashes = |rows: &[Row]| {
        let mut hashes: Vec<u64> = rows.iter().map(hash).collect();
        hashes.sort_unstable();
        hashes
    };
    let (ours, theirs) = (hashes(found), hashes(expected));
    if ours != theirs {
        let missing = |rows: &[Row], from: &[u64]| -> Vec<Row> {
            rows.iter().filter(|row| from.binary_search(&hash(row)).is_err()).take(3).cloned().collect()
        };
        panic!(
            "{place}: {} rows, expected {}\nnot expected: {:#?}\nmissing: {:#?}",
            found.len(),
            expected.len(),
            missing(found, &theirs),
            missing(expected, &ours)
        );
    }
}

/// Every query over the input, under all these settings.
fn check(input: Input, settings: &[[(&str, &str); 2]]) {
    let engine = Engine::new();
    let events = input.all(&engine);
    let mut wrong = Vec::new();
    for query in 0..QUERIES {
        let sql = example(query, input);
        let expected = events.answer(query);
        assert!(!expected.is_empty(), "q{query} shows nothing");
        for settings in settings {
            let place = format!("q{query} over {} under {settings:?}", input.options());
            match attempt(&engine, &sql, settings) {
                Ok((report, rows)) => {
                    assert_same(&rows, &expected, &place);
                    assert_eq!((report.records_late, report.records_failed), (0, 0), "{place}");
                }
                Err(error) => wrong.push(format!("{place}: {error}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_million_events() {
    let input = Input { events: 1_000_000, spacing: "1ms", splits: 1 };
    check(input, &[[("processor", "partitioned"), ("partitions", "2")]]);
}

fn every_processor() -> Vec<[(&'static str, &'static str); 2]> {
    let processors = ["inline", "simple", "partitioned", "stp"];
    let all = processors.iter().flat_map(|processor| ["1", "2", "5"].map(|partitions| (*processor, partitions)));
    all.map(|(processor, partitions)| [("processor", processor), ("partitions", partitions)]).collect()
}

/// As fast as published: many events a millisecond.
#[test]
fn dense_events_under_every_processor() {
    check(Input { events: 20_000, spacing: "100us", splits: 1 }, &every_processor());
}

/// Two days, so that there are several of what is grouped by day, and sessions and auctions that end.
#[test]
fn sparse_events_in_splits_under_every_processor() {
    check(Input { events: 20_000, spacing: "9s", splits: 3 }, &every_processor());
}

#[test]
fn every_example_is_one_of_the_queries() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/nexmark");
    let names = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let queries: BTreeSet<String> = names.filter(|name| name.ends_with(".sql")).collect();
    assert_eq!(queries, (0..QUERIES).map(|query| format!("q{query}.sql")).collect());
}

/// Events do not depend on how they are read: splits, batches, columns beside them.
#[test]
fn events_depend_on_their_number_alone() {
    let engine = Engine::new();
    let input = Input { events: 5_003, spacing: "100us", splits: 1 };
    for (table, columns) in [("person", 8), ("auction", 10), ("bid", 7)] {
        let select = |input: Input, columns: &str, batch_rows: &str| {
            let sql = format!("{} SELECT {columns} FROM {table}", input.source(table));
            run(&engine, &sql, &options(&[("processor", "inline"), ("batch_rows", batch_rows)])).1
        };
        let all = select(input, "*", "8192");
        assert!(all.iter().all(|row| row.len() == columns));
        assert_eq!(select(input, "*", "7"), all, "{table}");
        assert_eq!(select(Input { splits: 4, ..input }, "*", "100"), all, "{table}");
        let extra: Vec<Row> = all.iter().map(|row| row[row.len() - 1..].to_vec()).collect();
        assert_eq!(select(input, "extra", "64"), extra, "{table}");
        // Fewer events are the first ones.
        let fewer = select(Input { events: 1_001, ..input }, "*", "8192");
        assert_eq!(fewer, all[..fewer.len()], "{table}");
    }
}

/// Frequencies against the published ones, within five standard deviations.
#[test]
fn events_have_the_published_proportions() {
    let input = Input { events: 500_000, spacing: "100us", splits: 1 };
    let Events { people, auctions, bids } = input.all(&Engine::new());
    assert_eq!((people.len(), auctions.len(), bids.len()), (10_000, 30_000, 460_000));
    let share = |what: &str, hits: usize, of: usize, p: f64| {
        let (of, hits) = (of as f64, hits as f64);
        let deviation = (of * p * (1.0 - p)).sqrt();
        assert!((hits - of * p).abs() < 5.0 * deviation, "{what}: {hits} of {of}, expected {}", of * p);
    };
    // Ids are dense, times of the three tables those of one stream of events, ten a millisecond.
    assert!(people.iter().map(|p| p.id).eq(1000..11_000));
    assert!(auctions.iter().map(|a| a.id).eq(1000..31_000));
    let start = people[0].date_time;
    let time = |event: usize| start + (event / 10 * 1000) as i64;
    assert!(people.iter().enumerate().all(|(i, p)| p.date_time == time(i * 50)));
    assert!(auctions.iter().enumerate().all(|(i, a)| a.date_time == time(i / 3 * 50 + 1 + i % 3)));
    assert!(bids.iter().enumerate().all(|(i, b)| b.date_time == time(i / 46 * 50 + 4 + i % 46)));

    for state in ["AZ", "CA", "ID", "OR", "WA", "WY"] {
        share(state, people.iter().filter(|p| p.state == state).count(), people.len(), 1.0 / 6.0);
    }
    assert_eq!(people.iter().map(|p| &p.city).collect::<BTreeSet<_>>().len(), 10);
    assert_eq!(people.iter().map(|p| &p.name).collect::<BTreeSet<_>>().len(), 99);

    for category in 10..15 {
        share("category", auctions.iter().filter(|a| a.category == category).count(), auctions.len(), 0.2);
    }
    // Once there are a thousand people: three quarters to the hot one, the others evenly over 1010.
    let late = &auctions[3_000..];
    let people_at = |i: usize| (i / 3) as i64;
    let hot = |i: usize| 1000 + people_at(i) / 100 * 100;
    let hits = late.iter().enumerate().filter(|(i, a)| a.seller == hot(i + 3_000)).count();
    share("hot sellers", hits, late.len(), 0.75 + 0.25 / 1010.0);
    assert!(late.iter().enumerate().all(|(i, a)| {
        let last = 1000 + people_at(i + 3_000);
        (last - 999..=last + 10).contains(&a.seller) || a.seller == hot(i + 3_000)
    }));
    // 1666 events are to come until a hundred auctions have opened: 166 ms.
    let lengths = auctions.iter().map(|a| a.expires - a.date_time);
    assert!(lengths.clone().all(|length| (1_000..=334_000).contains(&length)));
    let mean = lengths.sum::<i64>() as f64 / auctions.len() as f64;
    assert!((mean - 167_100.0).abs() < 3_000.0, "auctions last {mean} us in the mean");
    assert!(auctions.iter().all(|a| a.reserve > a.initial_bid && a.initial_bid >= 100));
    let size = |a: &reference::Auction| 48 + a.item_name.len() + a.description.len() + a.extra.len();
    let mean = auctions.iter().map(size).sum::<usize>() as f64 / auctions.len() as f64;
    assert!((mean - 500.0).abs() < 3.0, "auctions have {mean} bytes in the mean");

    let late = &bids[46_000..];
    let block = |i: usize| (i + 46_000) / 46;
    let last_auction = |i: usize| block(i) as i64 * 3 + 2;
    let hot_auction = |i: usize| 1000 + last_auction(i) / 100 * 100;
    let hits = late.iter().enumerate().filter(|(i, b)| b.auction == hot_auction(*i)).count();
    // A cold bid meets the hot auction now and then: it is among the last hundred, and one of 111.
    share("hot auctions", hits, late.len(), 0.5 + 0.5 / 111.0);
    assert!(late.iter().enumerate().all(|(i, b)| {
        let last = 1000 + last_auction(i);
        (last - 100..=last + 10).contains(&b.auction) || b.auction == hot_auction(i)
    }));
    let hits = late.iter().enumerate().filter(|(i, b)| b.bidder == 1001 + block(*i) as i64 / 100 * 100).count();
    share("hot bidders", hits, late.len(), 0.75 + 0.25 / 1010.0);
    // Prices are even over their logarithm: a sixth in each power of ten.
    for power in 2..8 {
        let hits = bids.iter().filter(|b| (b.price as f64).log10().floor() as i64 == power).count();
        share("prices", hits, bids.len(), 1.0 / 6.0);
    }
    for channel in ["Google", "Facebook", "Baidu", "Apple"] {
        share(channel, bids.iter().filter(|b| b.channel == channel).count(), bids.len(), 0.125);
    }
    let mut url_of: BTreeMap<&str, &str> = BTreeMap::new();
    for b in &bids {
        assert_eq!(*url_of.entry(&b.channel).or_insert(&b.url), b.url, "a channel has one URL");
    }
    assert_eq!(url_of.len(), 10_004);
    share("channel ids", url_of.values().filter(|url| url.contains("&channel_id=")).count(), 10_000, 0.9);
    let mean = bids.iter().map(|b| 32 + b.extra.len()).sum::<usize>() as f64 / bids.len() as f64;
    // 54 to 81 letters: the published range leaves the greatest out.
    assert!((mean - 99.5).abs() < 0.1, "bids have {mean} bytes in the mean");
}

/// The published tables write names in camel case, and a source may declare a part of the columns.
#[test]
fn columns_are_declared_or_found() {
    let engine = Engine::new();
    let rows = |columns: &str, select: &str| {
        let sql = format!(
            "CREATE SOURCE a {columns} WITH (connector = 'nexmark', table = 'Auction', events = '500'); SELECT {select} FROM a"
        );
        run(&engine, &sql, &options(&[])).1
    };
    let declared = rows("(initialBid BIGINT NOT NULL, dateTime TIMESTAMP)", "dateTime, initialBid");
    assert_eq!(declared, rows("", "date_time, initial_bid"));
    assert_eq!(declared.len(), 30);
}

#[test]
fn wrong_options_say_what_would_work() {
    let engine = Engine::new();
    let cases = [
        ("bids", "", "events = '10'", "no table 'bids': did you mean 'bid'?"),
        ("bid", "(pric BIGINT)", "events = '10'", "has no column pric: did you mean price?"),
        ("bid", "(price INT)", "events = '10'", "column price of the nexmark table 'bid' is BIGINT, not INT"),
        ("bid", "", "event = '10'", "unknown option event for source s (did you mean events?)"),
        ("bid", "", "events = 'many'", "option events = 'many': expected a whole number of events"),
        ("bid", "", "splits = '2'", "option splits: needs events"),
        ("bid", "", "spacing = '5'", "expected a length of time like 250ms, 5s or 1m"),
    ];
    for (table, columns, given, expected) in cases {
        let sql = format!(
            "CREATE SOURCE s {columns} WITH (connector = 'nexmark', table = '{table}', {given}); SELECT 1 FROM s"
        );
        let error = engine.compile(&sql, &Options::new()).err().map(|error| error.to_string());
        assert!(error.as_ref().is_some_and(|error| error.contains(expected)), "{sql}: {error:?}");
    }
    let error = engine.compile("CREATE SOURCE s WITH (connector = 'nexmark'); SELECT 1 FROM s", &Options::new());
    assert!(error.unwrap_err().to_string().contains("needs a table: valid tables are person, auction, bid"));
}
