//! Windows, watermarks and late records against a slow reference, over random records, windows, disorder, splits and idle
//! gaps: the same rows in the same order and the same counts under every processor, number of partitions, batch size,
//! strategy and schedule.

mod harness;
mod reference;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arrow_array::{Float64Array, Int64Array, RecordBatch, TimestampMicrosecondArray};
use corelane::batch::{Chunk, ChunkSource, Payload, Pull};
use corelane::engine::{Engine, JobReport};
use corelane::plan::{JobPlan, ProcessorKind, Strategy as Routing};
use corelane::time::Clock;
use corelane::types::{Options, Sequence, SplitId};
use proptest::prelude::*;

use harness::simulation::{Shape, Simulated, simulated, simulated_sources};
use harness::{Cell, Row, options, run, sorted};
use reference::{Arrival, Emit, Event, OPS, Outcome, Query, Windows};

const SECOND_US: i64 = 1_000_000;

/// A random case.
#[derive(Debug, Clone)]
struct Case {
    splits: Vec<Vec<Event>>,
    query: Query,
    warning: bool,
    /// How the window is written: 0 to 3.
    notation: usize,
}

/// Windows of every kind, of whole seconds or any length.
fn windows() -> impl Strategy<Value = Windows> {
    let size = || prop_oneof![(1i64..40).prop_map(|s| s * SECOND_US), 1i64..10 * SECOND_US];
    let unit = prop_oneof![(1i64..6).prop_map(|s| s * SECOND_US), 1000i64..3 * SECOND_US];
    prop_oneof![
        2 => size().prop_map(|size| Windows::Tumbling { size }),
        2 => (unit.clone(), 1i64..13, 1i64..13)
            .prop_map(|(unit, a, b)| Windows::Hopping { size: a.max(b) * unit, slide: a.min(b) * unit }),
        1 => (unit, 1i64..9).prop_map(|(step, steps)| Windows::Cumulating { step, max: steps * step }),
        3 => size().prop_map(|gap| Windows::Session { gap }),
    ]
}

/// A length that every slice of the windows divides.
fn common_length(windows: Windows) -> i64 {
    match windows {
        Windows::All => 0,
        Windows::Tumbling { size } => size,
        Windows::Hopping { size, slide } => divisor(size, slide),
        Windows::Cumulating { step, .. } => step,
        Windows::Session { gap } => gap,
    }
}

fn divisor(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { divisor(b, a % b) }
}

fn emit() -> impl Strategy<Value = Emit> {
    prop_oneof![
        3 => Just(Emit::Final),
        1 => Just(Emit::Changes),
        1 => Just(Emit::ChangesPerBatch),
        2 => prop_oneof![(1i64..30).prop_map(|s| s * SECOND_US), (1i64..30).prop_map(|n| n * SECOND_US / 8)].prop_map(Emit::Every),
    ]
}

/// Records whose time mostly goes up, with disorder, now and then a gap, few without a time.
fn events() -> impl Strategy<Value = Vec<Event>> {
    let step = prop_oneof![
        12 => 0i64..4 * SECOND_US,
        6 => -12 * SECOND_US..0i64,
        2 => -90 * SECOND_US..0i64,
        1 => 20 * SECOND_US..200 * SECOND_US,
    ];
    let event = (step, 0i64..4, -50i64..50, prop::bool::weighted(0.03), prop::bool::weighted(0.9));
    let start = prop_oneof![Just(0i64), -100 * SECOND_US..100 * SECOND_US];
    (start, prop::collection::vec(event, 0..70)).prop_map(|(start, events)| {
        let mut clock = start;
        let event = |(step, key, value, is_null, wanted): (i64, i64, i64, bool, bool)| {
            let time = clock + step;
            clock = clock.max(time);
            Event { time: (!is_null).then_some(time), key, value, wanted }
        };
        events.into_iter().map(event).collect()
    })
}

fn case() -> impl Strategy<Value = Case> {
    let length = |most: i64| prop_oneof![(0..=most).prop_map(|s| s * SECOND_US), 0..=most * SECOND_US];
    (
        prop::collection::vec(events(), 1..5),
        windows(),
        length(15),
        prop::option::of(length(80)),
        emit(),
        any::<bool>(),
        any::<bool>(),
        0usize..4,
    )
        .prop_map(|(splits, windows, bound, allowed, emit, changelog, warning, notation)| {
            let (windows, emit) = match (windows, emit) {
                (Windows::Session { .. } | Windows::Hopping { .. }, Emit::Every(_)) if notation == 0 => {
                    (Windows::All, emit)
                }
                both => both,
            };
            let windows = match (windows, emit) {
                // A window is made of so many slices at most.
                (_, Emit::Every(every)) if common_length(windows) / divisor(common_length(windows), every) > 1000 => {
                    Windows::All
                }
                _ => windows,
            };
            let query = Query { windows, bound, allowed, emit, changelog };
            Case { splits, query, warning, notation }
        })
}

fn batch(events: &[Event]) -> RecordBatch {
    let times: TimestampMicrosecondArray = events.iter().map(|event| event.time).collect();
    let times = times.with_timezone("UTC");
    let keys: Int64Array = events.iter().map(|event| Some(event.key)).collect();
    let values: Int64Array = events.iter().map(|event| Some(event.value)).collect();
    let wanted: Int64Array = events.iter().map(|event| Some(i64::from(event.wanted))).collect();
    let prices: Float64Array = events.iter().map(|event| Some(event.value as f64 * 0.1)).collect();
    RecordBatch::try_from_iter([
        ("event_time", Arc::new(times) as _),
        ("k", Arc::new(keys) as _),
        ("v", Arc::new(values) as _),
        ("wanted", Arc::new(wanted) as _),
        ("price", Arc::new(prices) as _),
    ])
    .unwrap()
}

impl Case {
    fn sql(&self) -> String {
        let Query { windows, bound, .. } = self.query;
        let us = |us: i64| format!("INTERVAL '{us}' MICROSECOND");
        // The clause has the size first, functions the slide.
        let (word, function, clause, lengths) = match windows {
            Windows::All => ("", "", String::new(), String::new()),
            Windows::Tumbling { size } => ("TUMBLING", "TUMBLE", us(size), us(size)),
            Windows::Session { gap } => ("SESSION", "SESSION", us(gap), us(gap)),
            Windows::Hopping { size, slide } => {
                let words = if size % 2 == 0 { "SLIDING" } else { "HOPPING" };
                (words, "HOP", format!("{}, {}", us(size), us(slide)), format!("{}, {}", us(slide), us(size)))
            }
            Windows::Cumulating { step, max } => {
                let lengths = format!("{}, {}", us(step), us(max));
                ("CUMULATE", "CUMULATE", lengths.clone(), lengths)
            }
        };
        let (from, keys) = match self.notation {
            _ if windows == Windows::All => ("events".into(), "k".into()),
            0 => ("events".into(), format!("k WINDOW {word} (event_time, {clause})")),
            1 => ("events".into(), format!("k, {function}(event_time, {lengths})")),
            2 => {
                let from = format!("TABLE({function}(TABLE events, DESCRIPTOR(event_time), {lengths}))");
                (from, "k, window_start, window_end".into())
            }
            _ => (format!("{function}(TABLE events, DESCRIPTOR(event_time), {lengths}) e"), "window_start, e.k".into()),
        };
        let bounds = if windows == Windows::All { "0 AS a, 0 AS b" } else { "window_start, window_end" };
        let emit = match self.query.emit {
            Emit::Final => "FINAL".into(),
            Emit::Changes => "CHANGES".into(),
            Emit::ChangesPerBatch => "CHANGES PER BATCH".into(),
            Emit::Every(every) => format!("EVERY {}", us(every)),
        };
        let changelog = if self.query.changelog { " WITH CHANGELOG" } else { "" };
        format!(
            "CREATE SOURCE events (event_time TIMESTAMP, k BIGINT, v BIGINT, wanted BIGINT, price DOUBLE,
               WATERMARK FOR event_time AS event_time - INTERVAL '{bound}' MICROSECOND) WITH (connector = 'memory');
             SELECT k, COUNT(*), SUM(v), MIN(v), MAX(v), {bounds}, SUM(price), AVG(price) FROM {from}
             WHERE wanted = 1 GROUP BY {keys} EMIT {emit}{changelog}"
        )
    }

    fn engine(&self) -> (Engine, Vec<Vec<RecordBatch>>) {
        let splits: Vec<_> = self.splits.iter().map(|events| vec![batch(events)]).collect();
        let mut engine = Engine::new();
        engine.register_splits("events", splits.clone());
        (engine, splits)
    }

    fn outcome(&self, batch_rows: usize) -> Outcome {
        reference::outcome(self.splits.len(), &reference::in_order(&self.splits), self.query, batch_rows)
    }

    /// Whether each key's rows must meet in order.
    fn in_order(&self) -> bool {
        matches!(self.query.emit, Emit::Changes | Emit::ChangesPerBatch)
    }

    /// Settings of event time.
    fn settings(&self) -> Vec<(&'static str, String)> {
        // The answer is the same for any.
        let min_advance = ["0s", "100ms", "7s", "1 day"][self.query.bound as usize % 4];
        match self.query.allowed {
            None => vec![("late_records", "drop".into()), ("min_advance", min_advance.into())],
            Some(allowed) => vec![
                ("min_advance", min_advance.into()),
                ("late_records", if self.warning { "process_with_warning" } else { "process_all" }.into()),
                ("allowed_lateness", format!("{allowed} microseconds")),
            ],
        }
    }

    fn job(&self, engine: &Engine) -> JobPlan {
        let mut job = engine.compile(&self.sql(), &Options::new()).unwrap().remove(0);
        job.plan.timing = self.options(&[]).timing;
        job
    }

    fn options(&self, more: &[(&str, &str)]) -> corelane::engine::RunOptions {
        let settings = self.settings();
        let settings: Vec<_> = settings.iter().map(|(key, value)| (*key, value.as_str())).collect();
        options(&[&settings, more].concat())
    }
}

/// The columns that the reference has.
fn integers(rows: &[Row]) -> Vec<reference::ResultRow> {
    let cell = |cell: &Cell| match cell {
        Cell::Integer(value) => *value as i64,
        other => panic!("{other:?} is no integer"),
    };
    // Behind the two sums stands what a row of a changelog does.
    let op = |row: &Row| match row.get(9) {
        None => 0,
        Some(Cell::Text(op)) => OPS.iter().position(|known| known == op).unwrap() as i64,
        Some(other) => panic!("{other:?} is no op"),
    };
    rows.iter().map(|row| std::array::from_fn(|column| if column < 7 { cell(&row[column]) } else { op(row) })).collect()
}

fn check_counts(report: &JobReport, expected: &Outcome) {
    let found = (report.records_filtered, report.records_failed, report.records_late, report.records_dropped);
    assert_eq!(found, (expected.filtered, expected.failed, expected.late, expected.dropped));
    assert_eq!(report.records_corrected, expected.corrected);
    let lateness = report.lateness.clone().unwrap_or_default();
    assert_eq!(lateness.records, expected.late);
    let greatest = expected.lateness.iter().copied().max().unwrap_or(0) as u64;
    assert!(lateness.max_us.abs_diff(greatest) <= 1 + greatest / 1000, "{} for {greatest}", lateness.max_us);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, max_shrink_iters: 400, ..ProptestConfig::default() })]

    /// Every processor with every number of partitions and batch size, and every strategy that is not refused.
    #[test]
    fn all_processors_agree_with_the_reference(case in case()) {
        let (engine, _) = case.engine();
        let sql = case.sql();
        let hashed = if case.in_order() { "fan_in" } else { "always_hash" };
        let mut last: Option<Vec<Row>> = None;
        for batch_rows in ["1", "64", "8192"] {
            let expected = case.outcome(batch_rows.parse().unwrap());
            let inline = case.options(&[("processor", "inline"), ("batch_rows", batch_rows)]);
            let (report, first) = run(&engine, &sql, &inline);
            prop_assert_eq!(integers(&first), expected.rows.clone());
            check_counts(&report, &expected);
            if case.query.emit != Emit::ChangesPerBatch {
                prop_assert_eq!(last.as_ref().unwrap_or(&first), &first);
                last = Some(first.clone());
            }
            let runs = [("inline", "1", "auto"), ("simple", "1", "auto")].into_iter()
                .chain(["1", "2", "5"].into_iter().flat_map(|n| [
                    ("partitioned", n, "auto"), ("partitioned", n, hashed), ("partitioned", n, "fan_in"), ("stp", n, "auto"),
                ]));
            for (processor, partitions, strategy) in runs {
                let more = [("processor", processor), ("partitions", partitions), ("batch_rows", batch_rows), ("strategy", strategy)];
                let (report, rows) = run(&engine, &sql, &case.options(&more));
                if processor == "stp" {
                    prop_assert_eq!(sorted(rows), sorted(first.clone()), "{:?}", more);
                } else {
                    prop_assert_eq!(&rows, &first, "{:?}", more);
                }
                check_counts(&report, &expected);
            }
        }
    }

    /// Random schedules over tiny rings.
    #[test]
    fn all_schedules_agree_with_the_reference(case in case(), seed in any::<u64>()) {
        let (engine, splits) = case.engine();
        let job = case.job(&engine);
        for step in 0..16 {
            let seed = seed.wrapping_add(step);
            let shape = Shape {
                processor: if step % 4 == 3 { ProcessorKind::Stp } else { ProcessorKind::Partitioned },
                partitions: [1, 2, 3, 5][step as usize / 4 % 4],
                strategy: match step % 4 {
                    2 if !case.in_order() => Some(Routing::AlwaysHash),
                    _ => None,
                },
                batch_rows: [1, 3, 16, 100][seed as usize % 4],
                ring_slots: 1 + seed as usize / 4 % 3,
                seed,
            };
            let expected = case.outcome(shape.batch_rows);
            let batch_rows = shape.batch_rows.to_string();
            let inline = case.options(&[("processor", "inline"), ("batch_rows", &batch_rows)]);
            let first = run(&engine, &case.sql(), &inline).1;
            prop_assert_eq!(integers(&first), expected.rows.clone());
            let found = simulated(&job, &splits, shape);
            let counts = (found.sum(|p| p.filtered), found.sum(|p| p.failed), found.sum(|p| p.late), found.sum(|p| p.dropped));
            prop_assert_eq!(counts, (expected.filtered, expected.failed, expected.late, expected.dropped), "{:?}", shape);
            prop_assert_eq!(found.sum(|p| p.corrected), expected.corrected, "{:?}", shape);
            if found.ordered {
                prop_assert_eq!(&found.rows, &first, "{:?}", shape);
            } else {
                prop_assert_eq!(sorted(found.rows), sorted(first.clone()), "{:?}", shape);
            }
        }
    }
}

/// What a split of an unbounded source does when it is asked.
#[derive(Debug, Clone, Copy)]
enum Action {
    /// It has one record.
    Record(Event),
    /// It has none; so much time goes by.
    Silent(i64),
}

/// A split that does what it is told, with one record a chunk.
struct Scripted {
    split: SplitId,
    actions: std::vec::IntoIter<Action>,
    projection: Vec<usize>,
    number: u64,
    now_us: Arc<AtomicI64>,
}

impl ChunkSource for Scripted {
    fn name(&self) -> &str {
        "scripted"
    }

    fn pull(&mut self, _: usize) -> corelane::error::Result<Pull> {
        Ok(match self.actions.next() {
            None => Pull::End,
            Some(Action::Silent(us)) => {
                self.now_us.fetch_add(us, Ordering::Relaxed);
                Pull::Pending(1)
            }
            Some(Action::Record(event)) => {
                let batch = batch(&[event]).project(&self.projection).unwrap();
                self.number += 1;
                Pull::Chunk(Chunk {
                    sequence: Sequence::new(self.split, self.number - 1),
                    first_record: self.number,
                    records: 1,
                    payload: Payload::Columns { batch: Arc::new(batch), offset: 0, rows: 1 },
                })
            }
        })
    }

    fn recycle(&mut self, _: Chunk) {}
}

/// How long a split may be silent in these tests.
const IDLE_US: i64 = 30 * SECOND_US;

/// The order in which a reader that asks split after split gets what they have, and which become idle. A split that
/// ends takes no part any more; so that this shows nothing here, scripts are cut to one length.
fn arrivals(scripts: &[Vec<Action>]) -> Vec<(usize, Arrival)> {
    let mut arrivals = Vec::new();
    let mut now = 0;
    // Since when each split is silent, and whether that was noticed.
    let mut silent: Vec<Option<(i64, bool)>> = vec![None; scripts.len()];
    for step in 0..scripts[0].len() {
        for (split, script) in scripts.iter().enumerate() {
            match script[step] {
                Action::Record(event) => {
                    silent[split] = None;
                    arrivals.push((split, Arrival::Record(event)));
                }
                Action::Silent(us) => {
                    now += us;
                    let (since, noticed) = silent[split].get_or_insert((now, false));
                    if !*noticed && now - *since >= IDLE_US {
                        *noticed = true;
                        arrivals.push((split, Arrival::Idle));
                    }
                }
            }
        }
    }
    arrivals
}

/// Splits that speak, and are silent for a while now and then; all of one length.
fn scripts() -> impl Strategy<Value = Vec<Vec<Action>>> {
    let pauses = prop::collection::vec((prop::bool::weighted(0.15), 1usize..12, 0..20 * SECOND_US), 70);
    let script = (events(), pauses).prop_map(|(events, pauses)| {
        let mut actions = Vec::new();
        for (event, (pauses, length, us)) in events.into_iter().zip(pauses) {
            if pauses {
                actions.extend(std::iter::repeat_n(Action::Silent(us), length));
            }
            actions.push(Action::Record(event));
        }
        actions
    });
    prop::collection::vec(script, 1..5).prop_map(|mut scripts: Vec<Vec<Action>>| {
        let longest = scripts.iter().map(Vec::len).max().unwrap_or(0);
        scripts.iter_mut().for_each(|script| script.resize(longest, Action::Silent(SECOND_US)));
        scripts
    })
}

fn scripted(job: &JobPlan, scripts: &[Vec<Action>], shape: Shape) -> Simulated {
    let now_us = Arc::new(AtomicI64::new(0));
    let source = |(split, actions): (u32, &Vec<Action>)| -> Box<dyn ChunkSource> {
        Box::new(Scripted {
            split: SplitId(split),
            actions: actions.clone().into_iter(),
            projection: job.plan.scan.projection.clone(),
            number: 0,
            now_us: Arc::clone(&now_us),
        })
    };
    let sources = (0..).zip(scripts).map(source).collect();
    let clock = Arc::clone(&now_us);
    simulated_sources(job, sources, false, Clock::new(move || clock.load(Ordering::Relaxed)), shape)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, max_shrink_iters: 400, ..ProptestConfig::default() })]

    /// An unbounded source of several splits, some of which are silent for long: no window waits for them for ever, and
    /// what they bring then is late.
    #[test]
    fn idle_splits_are_waited_for_no_more(case in case(), scripts in scripts(), seed in any::<u64>()) {
        let (engine, _) = case.engine();
        let mut job = case.job(&engine);
        job.plan.timing.idle_timeout_us = Some(IDLE_US);
        // There is one record in a chunk.
        let expected = reference::outcome(scripts.len(), &arrivals(&scripts), case.query, 1);
        for step in 0..8 {
            let seed = seed.wrapping_add(step);
            let shape = Shape {
                processor: ProcessorKind::Partitioned,
                partitions: [1, 2, 3, 5][step as usize % 4],
                strategy: (step == 7 && !case.in_order()).then_some(Routing::AlwaysHash),
                batch_rows: 10,
                ring_slots: 1 + seed as usize % 3,
                seed,
            };
            let found = scripted(&job, &scripts, shape);
            prop_assert_eq!(integers(&found.rows), expected.rows.clone(), "{:?}", shape);
            let counts = (found.sum(|p| p.filtered), found.sum(|p| p.failed), found.sum(|p| p.late), found.sum(|p| p.dropped));
            prop_assert_eq!(counts, (expected.filtered, expected.failed, expected.late, expected.dropped), "{:?}", shape);
            prop_assert_eq!(found.sum(|p| p.corrected), expected.corrected, "{:?}", shape);
        }
    }
}

/// Under stp a pipeline whose splits are idle goes on with the others. When that happens depends on the schedule, but
/// whatever it is, each group leaves once and every record is accounted for; and it does happen.
#[test]
fn an_idle_pipeline_holds_no_other_back() {
    let event = |second: i64| Event { time: Some(second * SECOND_US), key: second % 3, value: 1, wanted: true };
    let speaks = (0..300).map(|second| Action::Record(event(second)));
    let pauses = std::iter::repeat_n(Action::Silent(SECOND_US), 150);
    let sleeps =
        [Action::Record(event(0))].into_iter().chain(pauses).chain([1, 2, 290].map(|s| Action::Record(event(s))));
    let scripts = [sleeps.collect(), speaks.clone().collect(), speaks.collect::<Vec<_>>()];
    let query = Query {
        windows: Windows::Tumbling { size: 10 * SECOND_US },
        bound: SECOND_US,
        allowed: None,
        emit: Emit::Final,
        changelog: false,
    };
    let case = Case { splits: vec![Vec::new(); 3], query, warning: false, notation: 0 };
    let (engine, _) = case.engine();
    let mut job = case.job(&engine);
    job.plan.timing.idle_timeout_us = Some(IDLE_US);
    let mut late = 0;
    for seed in 0..100 {
        let partitions = 2 + seed as usize % 2;
        let shape =
            Shape { processor: ProcessorKind::Stp, partitions, strategy: None, batch_rows: 8, ring_slots: 2, seed };
        let found = scripted(&job, &scripts, shape);
        let rows = integers(&found.rows);
        let mut groups: Vec<_> = rows.iter().map(|row| (row[0], row[5])).collect();
        groups.sort_unstable();
        assert!(groups.is_sorted_by(|a, b| a < b), "a group left twice under {shape:?}");
        let counted: i64 = rows.iter().map(|row| row[1]).sum();
        assert_eq!(counted as u64 + found.sum(|p| p.dropped), 604, "{shape:?}");
        assert!(found.sum(|p| p.dropped) <= 2, "only what the idle split brought can be late: {shape:?}");
        late += found.sum(|p| p.dropped);
    }
    assert!(late > 20, "others went on without the idle split: {late}");
}

/// Running values of groups that nobody touches for long start anew, by the clock at which records are read; and what is
/// given back does not show.
#[test]
fn groups_without_records_expire() {
    let ttl_us = 10 * SECOND_US;
    let mut actions = Vec::new();
    let mut now = 0;
    let mut groups: std::collections::HashMap<i64, (i64, i64, i64)> = std::collections::HashMap::new();
    let mut expected = Vec::new();
    let mut restarts = 0;
    for i in 0..600_i64 {
        let us = (i * 7919) % (2 * SECOND_US);
        now += us;
        actions.push(Action::Silent(us));
        // Few keys that come again soon, some that come again late, many that never do.
        let key = [i % 3, 100 + i % 29, 1000 + i][(i / 2) as usize % 3];
        let event = Event { time: Some(i), key, value: i % 11 - 5, wanted: true };
        actions.push(Action::Record(event));
        let group = groups.entry(key).or_insert((now, 0, 0));
        if now - group.0 >= ttl_us {
            restarts += 1;
            *group = (now, 0, 0);
        }
        *group = (now, group.1 + 1, group.2 + event.value);
        expected.push([key, group.1, group.2]);
    }
    assert!(restarts > 20, "{restarts}");
    let sql = "CREATE SOURCE events (event_time TIMESTAMP, k BIGINT, v BIGINT, wanted BIGINT, price DOUBLE)
      WITH (connector = 'memory'); SELECT k, COUNT(*), SUM(v) FROM events GROUP BY k EMIT CHANGES";
    let mut engine = Engine::new();
    engine.register_splits("events", vec![Vec::new()]);
    let mut job = engine.compile(sql, &Options::new()).unwrap().remove(0);
    job.plan.timing = options(&[("state_ttl", "10s")]).timing;
    for seed in 0..20 {
        let partitions = [1, 2, 3, 5][seed as usize % 4];
        let (processor, strategy) = (ProcessorKind::Partitioned, None);
        let shape = Shape { processor, partitions, strategy, batch_rows: 8, ring_slots: 2, seed };
        let found = scripted(&job, std::slice::from_ref(&actions), shape);
        let cell = |cell: &Cell| if let Cell::Integer(value) = cell { *value as i64 } else { panic!("{cell:?}") };
        let rows: Vec<[i64; 3]> = found.rows.iter().map(|row| std::array::from_fn(|i| cell(&row[i]))).collect();
        assert!(rows == expected, "{shape:?}: {rows:?}");
    }
}

/// Records at the given seconds, all of key 0 and value 1.
fn at_seconds(seconds: &[i64]) -> Vec<Event> {
    let event = |&second: &i64| Event { time: Some(second * SECOND_US), key: 0, value: 1, wanted: true };
    seconds.iter().map(event).collect()
}

/// Window start in seconds and COUNT(*) of each row.
fn counted(rows: &[Row]) -> Vec<(i64, i64)> {
    integers(rows).iter().map(|row| (row[5] / SECOND_US, row[1])).collect()
}

/// Windows of 10 seconds, a bound of 2: what the documentation says of late records, in numbers.
#[test]
fn a_closed_window_is_corrected_while_lateness_is_allowed() {
    let splits = vec![at_seconds(&[1, 5, 13, 3, 4, 25, 6, 40, 2])];
    // The watermark is at 11 when 3 and 4 come, at 23 when 6 comes, at 38 when 2 comes.
    let mut case = Case {
        splits,
        query: Query {
            windows: Windows::Tumbling { size: 10 * SECOND_US },
            bound: 2 * SECOND_US,
            allowed: Some(20 * SECOND_US),
            emit: Emit::Final,
            changelog: false,
        },
        warning: false,
        notation: 1,
    };
    let (engine, _) = case.engine();
    let (report, rows) = run(&engine, &case.sql(), &case.options(&[]));
    assert_eq!(counted(&rows), [(0, 2), (10, 1), (0, 4), (20, 1), (0, 5), (40, 1)]);
    assert_eq!((report.records_late, report.records_dropped, report.records_corrected), (4, 1, 2));
    assert_eq!(report.lateness.unwrap().max_us / 1_000_000, 36);
    case.query.allowed = None;
    let (report, rows) = run(&engine, &case.sql(), &case.options(&[]));
    assert_eq!(counted(&rows), [(0, 2), (10, 1), (20, 1), (40, 1)]);
    assert_eq!((report.records_late, report.records_dropped, report.records_corrected), (4, 4, 0));
    // The default is the bound of the watermark: at 11 the window is one second over, at 23 it is gone.
    case.query.allowed = Some(2 * SECOND_US);
    let by_default = options(&[("late_records", "process_all")]);
    let (report, rows) = run(&engine, &case.sql(), &by_default);
    assert_eq!(counted(&rows), [(0, 2), (0, 4), (10, 1), (20, 1), (40, 1)]);
    assert_eq!((report.records_late, report.records_dropped, report.records_corrected), (4, 2, 1));
}

/// Runs a query over records of one split at the given seconds, with a bound of 2 seconds and 20 of allowed lateness; gives
/// its counts of late, dropped and corrected records, and window start, window end and COUNT(*) of its rows.
fn windows_over(windows: Windows, seconds: &[i64]) -> ((u64, u64, u64), Vec<[i64; 3]>) {
    let query =
        Query { windows, bound: 2 * SECOND_US, allowed: Some(20 * SECOND_US), emit: Emit::Final, changelog: false };
    let case = Case { splits: vec![at_seconds(seconds)], query, warning: false, notation: 0 };
    let (engine, _) = case.engine();
    let (report, rows) = run(&engine, &case.sql(), &case.options(&[]));
    let rows = integers(&rows).iter().map(|row| [row[5] / SECOND_US, row[6] / SECOND_US, row[1]]).collect();
    ((report.records_late, report.records_dropped, report.records_corrected), rows)
}

/// Two sessions leave; a record that comes between them late makes one of them, which leaves once more.
#[test]
fn sessions_that_a_late_record_bridges_become_one() {
    let session = Windows::Session { gap: 8 * SECOND_US };
    // The watermark is at 28 when 7 comes: its slice ended at 8, so it leaves three gaps later, when the watermark is past 32.
    let (counts, rows) = windows_over(session, &[1, 2, 12, 30, 9, 40]);
    assert_eq!(counts, (1, 0, 1));
    assert_eq!(rows, [[1, 10, 2], [12, 20, 1], [1, 20, 4], [30, 38, 1], [40, 48, 1]]);
    // A record exactly the gap away starts a session of its own; the one that comes too late is dropped.
    let (counts, rows) = windows_over(session, &[1, 9, 10, 60, 12]);
    assert_eq!(counts, (1, 1, 0));
    assert_eq!(rows, [[1, 9, 1], [9, 18, 2], [60, 68, 1]]);
}

/// Running sessions that a record bridges are held until what they became is over: here the watermark passes the end of the
/// first of them alone (with a record that WHERE drops) before the next one comes.
#[test]
fn running_sessions_that_become_one_are_held_together() {
    let query = Query {
        windows: Windows::Session { gap: 8 * SECOND_US },
        bound: 2 * SECOND_US,
        allowed: None,
        emit: Emit::Changes,
        changelog: false,
    };
    let mut events = at_seconds(&[1, 10, 8, 14, 17, 15]);
    events[3].wanted = false;
    let case = Case { splits: vec![events], query, warning: false, notation: 0 };
    for batch_rows in ["1", "64"] {
        let rows = run(&case.engine().0, &case.sql(), &case.options(&[("batch_rows", batch_rows)])).1;
        assert_eq!(integers(&rows), case.outcome(1).rows);
        assert_eq!(counted(&rows), [(1, 1), (10, 1), (1, 3), (1, 4), (1, 5)]);
    }
}

/// A record that is too late for one window, late for the next and on time for the last.
#[test]
fn a_record_may_be_late_for_some_of_its_windows() {
    // The watermark is at 38 when 11 comes: [0, 15) is given up at 35, [5, 20) leaves again at 40, [10, 25) at 40.
    let hopping = Windows::Hopping { size: 15 * SECOND_US, slide: 5 * SECOND_US };
    let (counts, rows) = windows_over(hopping, &[11, 40, 11]);
    assert_eq!(counts, (1, 0, 2));
    let first = [[0, 15, 1], [5, 20, 1], [10, 25, 1]];
    let last = [[10, 25, 2], [5, 20, 2], [30, 45, 1], [35, 50, 1], [40, 55, 1]];
    let mut expected = [&first[..], &last[..]].concat();
    expected.sort_unstable();
    let mut rows = rows;
    rows.sort_unstable();
    assert_eq!(rows, expected);
    // At 18, [5, 15) and what came before are over, [10, 20) is not.
    let hopping = Windows::Hopping { size: 10 * SECOND_US, slide: 5 * SECOND_US };
    let (counts, rows) = windows_over(hopping, &[20, 12]);
    assert_eq!(counts, (1, 0, 1));
    assert_eq!(rows, [[10, 20, 1], [5, 15, 1], [15, 25, 1], [20, 30, 1]]);
}

/// The table of sessions is made anew when many are gone, also when none is left.
#[test]
fn sessions_may_all_be_over() {
    const SESSIONS: i64 = 3_000;
    let times: TimestampMicrosecondArray = (0..SESSIONS).map(|i| Some(i * 10 * SECOND_US)).collect();
    let batch = RecordBatch::try_from_iter([("ts", Arc::new(times) as _)]).unwrap();
    let mut engine = Engine::new();
    engine.register("e", vec![batch]);
    let sql =
        "CREATE SOURCE e (ts TIMESTAMP, WATERMARK FOR ts AS ts - INTERVAL '0' SECOND) WITH (connector = 'memory');
        SELECT COUNT(*) FROM e WINDOW SESSION (ts, INTERVAL '1' SECOND)";
    for (processor, batch_rows) in [("inline", "1"), ("inline", "8192"), ("partitioned", "1")] {
        let rows = run(&engine, sql, &options(&[("processor", processor), ("batch_rows", batch_rows)])).1;
        assert_eq!(rows, vec![vec![Cell::Integer(1)]; SESSIONS as usize], "{processor}, batches of {batch_rows}");
    }
}
