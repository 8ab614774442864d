//! OVER by event time against a slow reference, over random records with disorder, ties and gaps: the same rows in the same
//! order under every processor, number of partitions and batch size. And that rows leave as soon as the watermark says so, and
//! keys that have expired leave no memory behind.

mod harness;

use std::sync::Arc;

use arrow_array::{Int64Array, RecordBatch, TimestampMicrosecondArray};
use bumpalo::Bump;
use corelane::batch::{Batch, BatchBuffer, RowOrder, Selection};
use corelane::engine::Engine;
use corelane::kernel::Simd;
use corelane::operator::{Context, Counts, Frames, OnError, Operator};
use corelane::plan::{FramesNode, Node, Plan};
use corelane::state::KeyHasher;
use corelane::types::{EventTime, Options, OrderKey};
use proptest::prelude::*;

use harness::{Cell, Row, options, run, sorted};

#[derive(Debug, Clone, Copy)]
struct Record {
    time: i64,
    key: i64,
    value: i64,
    number: i64,
}

/// Times in units of ten, so that there are many ties.
fn splits() -> impl Strategy<Value = Vec<Vec<Record>>> {
    let step = prop_oneof![6 => 0i64..3, 3 => -4i64..0, 1 => -40i64..0, 1 => 10i64..60];
    let record = (step, 0i64..4, -20i64..20);
    let split = (0i64..30, prop::collection::vec(record, 0..50)).prop_map(|(start, records)| {
        let mut clock = start;
        let record = |(number, (step, key, value)): (usize, (i64, i64, i64))| {
            let time = clock + step;
            clock = clock.max(time);
            Record { time: time * 10, key, value, number: number as i64 }
        };
        records.into_iter().enumerate().map(record).collect()
    });
    prop::collection::vec(split, 1..4)
}

/// What a case asks for.
#[derive(Debug, Clone, Copy)]
struct Asked {
    bound: i64,
    before: i64,
    behind: i64,
    rows_before: usize,
    rows_behind: usize,
    expire: Option<i64>,
}

fn asked() -> impl Strategy<Value = Asked> {
    (0i64..60, 0i64..50, 0i64..50, 0usize..4, 0usize..4, prop::option::of(1i64..80)).prop_map(
        |(bound, before, behind, rows_before, rows_behind, expire)| Asked {
            bound,
            before,
            behind,
            rows_before,
            rows_behind,
            expire,
        },
    )
}

fn sql(asked: Asked) -> String {
    let Asked { bound, before, behind, rows_before, rows_behind, expire } = asked;
    let us = |us: i64| format!("INTERVAL '{us}' MICROSECOND");
    let expire = expire.map_or(String::new(), |expire| format!("EXPIRE AFTER {}", us(expire)));
    format!(
        "CREATE SOURCE s (at TIMESTAMP, key BIGINT, value BIGINT, number BIGINT, WATERMARK FOR at AS at - {}) WITH (connector = 'memory');
         SELECT at, key, number,
            SUM(value) OVER (w RANGE BETWEEN {} PRECEDING AND {} FOLLOWING) AS within,
            COUNT(*) OVER (w ROWS BETWEEN {rows_before} PRECEDING AND {rows_behind} FOLLOWING) AS around,
            SUM(value) OVER w AS running, RANK() OVER w AS r, DENSE_RANK() OVER w AS d, LEAD(number, 2, -1) OVER w AS l,
            ROW_NUMBER() OVER w AS n, MEDIAN(value) OVER (w ROWS {rows_before} PRECEDING) AS m,
            COUNT(*) OVER (ORDER BY at) AS everywhere
         FROM s WINDOW w AS (PARTITION BY key ORDER BY at {expire})",
        us(bound),
        us(before),
        us(behind),
    )
}

/// The rows that are not late, in the order in which they are released.
fn released(splits: &[Vec<Record>], bound: i64) -> Vec<Record> {
    let mut rows = Vec::new();
    for split in splits {
        let mut greatest = i64::MIN;
        for record in split {
            if greatest == i64::MIN || record.time >= greatest - bound {
                rows.push(*record);
            }
            greatest = greatest.max(record.time);
        }
    }
    // Stable: ties stay in the order of the input.
    rows.sort_by_key(|record| record.time);
    rows
}

fn median(mut values: Vec<i64>) -> f64 {
    values.sort_unstable();
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] as f64 } else { (values[middle - 1] + values[middle]) as f64 / 2.0 }
}

/// Row by row, each frame looked for among all rows.
fn reference(splits: &[Vec<Record>], asked: Asked) -> Vec<Row> {
    let rows = released(splits, asked.bound);
    // The life of its key that each row belongs to.
    let mut lives = vec![0; rows.len()];
    for (i, row) in rows.iter().enumerate() {
        if let Some(before) = (0..i).rev().find(|&j| rows[j].key == row.key) {
            let anew = asked.expire.is_some_and(|expire| row.time - rows[before].time > expire);
            lives[i] = lives[before] + usize::from(anew);
        }
    }
    let mut out = Vec::new();
    for (i, row) in rows.iter().enumerate() {
        let own: Vec<usize> = (0..rows.len()).filter(|&j| rows[j].key == row.key && lives[j] == lives[i]).collect();
        let at = own.iter().position(|&j| j == i).unwrap();
        let sum = |wanted: &dyn Fn(i64) -> bool| -> i64 {
            own.iter().filter(|&&j| wanted(rows[j].time)).map(|&j| rows[j].value).sum()
        };
        let less = own.iter().filter(|&&j| rows[j].time < row.time).count();
        let mut earlier: Vec<i64> = own.iter().map(|&j| rows[j].time).filter(|&time| time < row.time).collect();
        earlier.dedup();
        let first = at.saturating_sub(asked.rows_before);
        let last = (at + asked.rows_behind).min(own.len() - 1);
        let whole = |value: i64| Cell::Integer(value.into());
        out.push(vec![
            whole(row.time),
            whole(row.key),
            whole(row.number),
            whole(sum(&|time| time >= row.time - asked.before && time <= row.time + asked.behind)),
            whole((last - first + 1) as i64),
            whole(sum(&|time| time <= row.time)),
            whole(less as i64 + 1),
            whole(earlier.len() as i64 + 1),
            whole(own.get(at + 2).map_or(-1, |&j| rows[j].number)),
            whole(at as i64 + 1),
            Cell::Double(median(own[first..=at].iter().map(|&j| rows[j].value).collect()).to_bits()),
            whole(rows.iter().filter(|other| other.time <= row.time).count() as i64),
        ]);
    }
    out
}

fn batches(records: &[Record]) -> Vec<RecordBatch> {
    let column = |of: fn(&Record) -> i64| Arc::new(records.iter().map(of).collect::<Int64Array>());
    let times: TimestampMicrosecondArray = records.iter().map(|record| Some(record.time)).collect();
    let batch = RecordBatch::try_from_iter([
        ("at", Arc::new(times.with_timezone("UTC")) as arrow_array::ArrayRef),
        ("key", column(|record| record.key)),
        ("value", column(|record| record.value)),
        ("number", column(|record| record.number)),
    ]);
    vec![batch.unwrap()]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn frames_by_event_time_equal_the_reference(splits in splits(), asked in asked()) {
        let expected = reference(&splits, asked);
        let mut engine = Engine::new();
        engine.register_splits("s", splits.iter().map(|split| batches(split)).collect());
        let sql = sql(asked);
        for processor in ["inline", "simple", "partitioned", "stp"] {
            let partitions: &[&str] = if matches!(processor, "inline" | "simple") { &["1"] } else { &["1", "2", "5"] };
            for partitions in partitions {
                for batch_rows in ["1", "64", "8192"] {
                    let settings = [("processor", processor), ("partitions", *partitions), ("batch_rows", batch_rows)];
                    let (report, rows) = run(&engine, &sql, &options(&settings));
                    let late = splits.iter().map(Vec::len).sum::<usize>() - expected.len();
                    prop_assert_eq!(report.records_late as usize, late, "{:?}", settings);
                    if processor == "stp" {
                        prop_assert_eq!(sorted(rows), sorted(expected.clone()), "{:?}\n{}", settings, sql);
                    } else {
                        prop_assert_eq!(&rows, &expected, "{:?}\n{}", settings, sql);
                    }
                }
            }
        }
    }
}

/// The operator of a query, and its plan.
fn operator(select: &str) -> (Frames, Plan) {
    let sql = format!(
        "CREATE SOURCE s (at TIMESTAMP, key BIGINT, value BIGINT, WATERMARK FOR at AS at - INTERVAL '1' SECOND) WITH (connector = 'memory');
         SELECT at, key, value, {select}"
    );
    let mut engine = Engine::new();
    engine.register("s", Vec::new());
    let plan = engine.compile(&sql, &Options::new()).unwrap_or_else(|error| panic!("{error}")).remove(0).plan;
    let found = plan.steps.iter().position(|step| matches!(step.node, Node::Frames(_)));
    let step = &plan.steps[found.expect("the query has a step of frames")];
    let Node::Frames(node) = &step.node else { unreachable!() };
    let node: &FramesNode = node;
    (Frames::new(node, &plan.scan.schema(), &step.schema, KeyHasher::new(7)), plan)
}

/// Runs `work` beside a context; says how many rows left.
fn told(work: impl FnOnce(&mut Context<'_>, &mut corelane::operator::Next<'_>)) -> usize {
    let arena = Bump::new();
    let mut counts = Counts::default();
    let mut context = Context {
        arena: &arena,
        counts: &mut counts,
        greatest_before: EventTime::MIN,
        latest: EventTime::MAX,
        now: EventTime::MIN,
        stage: 0,
        rows_are_records: true,
        on_error: OnError::Skip,
        simd: Simd::detect(),
    };
    let mut left = 0;
    work(&mut context, &mut |batch, _| {
        left += batch.selected();
        Ok(())
    });
    left
}

/// Gives an operator rows of (time, key), value 1.
fn give(operator: &mut Frames, plan: &Plan, rows: impl Iterator<Item = (i64, i64)>) -> usize {
    let mut buffer = BatchBuffer::for_schema(&plan.scan.schema());
    let mut keys = Vec::new();
    for (time, key) in rows {
        buffer.columns[0].push_int64(time);
        buffer.columns[1].push_int64(key);
        buffer.columns[2].push_int64(1);
        buffer.rows_pushed(1);
        keys.push(OrderKey { time: EventTime(time), ..OrderKey::MIN });
    }
    let arena = Bump::new();
    let order = RowOrder::Keys(&keys);
    let batch = Batch { rows: keys.len(), columns: buffer.views(&arena), selection: Selection::All, order };
    told(|context, next| operator.process(batch, context, next).unwrap())
}

fn advance(operator: &mut Frames, watermark: EventTime) -> usize {
    told(|context, next| operator.advance(watermark, context, next).unwrap())
}

const SECOND: i64 = 1_000_000;

#[test]
fn the_watermark_releases_rows_that_look_ahead() {
    let frame = "RANGE BETWEEN INTERVAL '2' SECOND PRECEDING AND INTERVAL '3' SECOND FOLLOWING";
    let (mut frames, plan) = operator(&format!("SUM(value) OVER (PARTITION BY key ORDER BY at {frame}) FROM s"));
    // No row of a key follows that would tell that a frame is full.
    assert_eq!(give(&mut frames, &plan, (0..10).map(|i| (i * SECOND, i))), 0);
    assert_eq!(frames.oldest().unwrap().time, EventTime(0));
    assert_eq!(advance(&mut frames, EventTime(5 * SECOND)), 2);
    assert_eq!(frames.oldest().unwrap().time, EventTime(2 * SECOND));
    assert_eq!(advance(&mut frames, EventTime(8 * SECOND)), 3);
    assert_eq!(advance(&mut frames, EventTime::MAX), 5);
    assert_eq!(frames.oldest(), None);
}

#[test]
fn equal_rows_leave_when_the_watermark_has_passed_them() {
    let (mut frames, plan) =
        operator("RANK() OVER w, SUM(value) OVER w FROM s WINDOW w AS (PARTITION BY key ORDER BY at)");
    assert_eq!(give(&mut frames, &plan, [(1, 1), (1, 1), (2, 1), (2, 2)].into_iter()), 2);
    assert_eq!(advance(&mut frames, EventTime(2)), 0);
    assert_eq!(give(&mut frames, &plan, [(2, 1)].into_iter()), 0);
    assert_eq!(advance(&mut frames, EventTime(3)), 3);
}

#[test]
fn rows_that_wait_for_others_leave_when_their_key_has_expired() {
    let (mut frames, plan) =
        operator("LEAD(value) OVER (PARTITION BY key ORDER BY at EXPIRE AFTER INTERVAL '10' SECOND) FROM s");
    assert_eq!(give(&mut frames, &plan, [(0, 1), (SECOND, 2), (2 * SECOND, 2)].into_iter()), 0);
    assert_eq!(advance(&mut frames, EventTime(10 * SECOND)), 0);
    assert_eq!(advance(&mut frames, EventTime(10 * SECOND + 1)), 2);
    assert_eq!(advance(&mut frames, EventTime(13 * SECOND)), 1);
}

/// Every row has a key of its own; a thousand of them live at a time.
#[test]
fn memory_is_bounded_by_keys_that_live() {
    let (mut frames, plan) = operator(
        "SUM(value) OVER w, MIN(value) OVER (w ROWS 3 PRECEDING), LAG(value, 2) OVER w, STRING_AGG(key, ' ') OVER w FROM s
         WINDOW w AS (PARTITION BY key ORDER BY at EXPIRE AFTER INTERVAL '10' SECOND)",
    );
    let (mut early, mut late, mut left) = (0, 0, 0);
    for part in 0..500_i64 {
        left += give(&mut frames, &plan, (0..1000).map(|i| ((part * 1000 + i) * SECOND / 100, part * 1000 + i)));
        left += advance(&mut frames, EventTime((part * 1000 + 1000) * SECOND / 100));
        let (_, bytes) = frames.state().unwrap();
        let most = if part < 100 { &mut early } else { &mut late };
        *most = bytes.max(*most);
    }
    left += advance(&mut frames, EventTime::MAX);
    assert_eq!(left, 500_000);
    assert!(early < 8 << 20, "{early} bytes");
    assert!(late <= early + early / 4, "{early} bytes, then {late}");
}
