//! Folds of all kinds: whatever came before, groups hold what a table holds that saw only their rows; the order of rows does
//! not show.

use proptest::prelude::*;

use super::*;
use crate::batch::Values;
use crate::state::{Accumulator, AccumulatorKind, StateBlock};

const TYPES: [DataType; 6] = [
    DataType::Double,
    DataType::Varchar,
    DataType::BigInt,
    DataType::Decimal { precision: 20, scale: 3 },
    DataType::Boolean,
    DataType::BigInt,
];

/// The last argument is the place of a row.
const PLACE: usize = 5;

fn field(argument: usize) -> FoldField {
    FoldField { argument, data_type: TYPES[argument], descending: false, nulls: NullRule::Skip }
}

/// Folds of every kind over every type, and what is read from them.
fn layout() -> StateLayout {
    let mut folds = Vec::new();
    let mut calls = Vec::new();
    let mut add = |fold: Fold, readings: &[(Reading, DataType)]| {
        for &(reading, result) in readings {
            let kind = AccumulatorKind::Folded { fold: folds.len(), reading };
            calls.push(Accumulator { kind, argument: None, result });
        }
        folds.push(fold);
    };
    for (argument, &data_type) in TYPES[..PLACE].iter().enumerate() {
        let value = [(Reading::Value, data_type)];
        let key = (argument + 1) % PLACE;
        let descending = FoldField { descending: true, ..field(key) };
        add(Fold::Best { fields: vec![field(PLACE), field(argument)], greatest: true }, &value);
        add(Fold::Best { fields: vec![descending, field(PLACE), field(argument)], greatest: false }, &value);
        for (descending, nulls) in [(true, NullRule::First), (false, NullRule::Last)] {
            let order = FoldField { descending, nulls, ..field(key) };
            add(Fold::Best { fields: vec![order, field(PLACE), field(argument)], greatest: true }, &value);
        }
        let percentile = |fraction, continuous| Reading::Percentile { fraction, continuous };
        let mut readings = vec![(percentile(0.3, false), data_type)];
        if argument == 0 {
            readings.push((percentile(0.6, true), data_type));
            let near = [0.0, 0.6, 1.0].map(|fraction| (percentile(fraction, true), data_type));
            add(Fold::Counters { field: field(argument) }, &near);
            let descending = FoldField { descending: true, ..field(argument) };
            add(Fold::Counters { field: descending }, &near[1..]);
        }
        add(Fold::All { fields: vec![field(argument)], separator: "".into() }, &readings);
        let text = vec![FoldField { nulls: NullRule::First, ..field(argument) }, field(PLACE), field(1)];
        add(Fold::All { fields: text, separator: "; ".into() }, &[(Reading::Joined, DataType::Varchar)]);
        add(Fold::Sketch { argument }, &[(Reading::Estimate, DataType::BigInt)]);
        let over = |kind, result| Accumulator { kind, argument: Some((0, data_type)), result };
        let inner = vec![over(AccumulatorKind::Count, DataType::BigInt), over(AccumulatorKind::Max, data_type)];
        let inner = Box::new(StateLayout::new(inner, Vec::new()));
        let readings = [(Reading::Inner(0), DataType::BigInt), (Reading::Inner(1), data_type)];
        add(Fold::Distinct { argument, data_type, inner, hasher: KeyHasher::new(5) }, &readings);
    }
    let lines = [Line::Correlation, Line::Covariance, Line::SampleCovariance, Line::Slope, Line::Intercept, Line::Fit];
    let readings = lines.map(|line| (Reading::Line(line), DataType::Double));
    add(Fold::Pairs { y: 0, x: 0 }, &readings);
    add(Fold::Pairs { y: 0, x: 0 }, &[(Reading::Line(Line::Count), DataType::BigInt)]);
    StateLayout::new(calls, folds)
}

#[derive(Debug, Clone)]
struct Row {
    group: u32,
    double: f64,
    text: String,
    number: i64,
    valid: u8,
    place: i64,
}

const GROUPS: u32 = 5;

fn rows(most: usize) -> impl Strategy<Value = Vec<Row>> {
    let double = prop_oneof![(-9i32..9).prop_map(f64::from), prop::sample::select(vec![f64::NAN, 0.0, -0.0])];
    let text = prop_oneof!["[a-c]{0,2}", "[a-c]{18,30}"];
    let valid = prop_oneof![3 => Just(u8::MAX), 1 => any::<u8>()];
    prop::collection::vec((0..GROUPS, double, text, -5i64..5, valid), 0..most).prop_map(|rows| {
        let row = |(place, (group, double, text, number, valid))| Row {
            group,
            double,
            text,
            number,
            valid,
            place: place as i64,
        };
        rows.into_iter().enumerate().map(row).collect()
    })
}

fn take(states: &mut crate::state::States, layout: &StateLayout, rows: &[Row]) {
    let mut buffers = TYPES.map(ColumnBuffer::new);
    for row in rows {
        for (i, buffer) in buffers.iter_mut().enumerate() {
            match i {
                PLACE => buffer.push_int64(row.place),
                _ if row.valid >> i & 1 == 0 => buffer.push_null(),
                0 => buffer.push_float64(row.double),
                1 => buffer.push_text(row.text.as_bytes()),
                2 => buffer.push_int64(row.number),
                3 => buffer.push_int128(i128::from(row.number) << 66),
                _ => buffer.push_boolean(row.number > 0),
            }
        }
    }
    let columns: Vec<Column<'_>> = buffers.iter().map(ColumnBuffer::column).collect();
    assert!(matches!(columns[4].values, Values::Boolean(_)));
    let groups: Vec<u32> = rows.iter().map(|row| row.group).collect();
    states.update(Simd::detect(), layout, &groups, None, &columns);
}

fn fresh(layout: &StateLayout) -> crate::state::States {
    let mut states = crate::state::States::new(layout, 0, &PaneArena::default());
    states.grow(layout, GROUPS as usize);
    states
}

fn finished(layout: &StateLayout, states: &crate::state::States) -> Vec<String> {
    let groups: Vec<u32> = (0..GROUPS).collect();
    let mut out: Vec<ColumnBuffer> = layout.accumulators.iter().map(|call| ColumnBuffer::new(call.result)).collect();
    states.finish(layout, &groups, &mut out).unwrap();
    out.iter().map(|column| format!("{:?}", column.column())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// Groups that start anew again and again hold what came since.
    #[test]
    fn groups_that_start_anew_forget(steps in prop::collection::vec((rows(40), prop::option::weighted(0.8, 0..GROUPS)), 1..12)) {
        let layout = layout();
        let mut states = fresh(&layout);
        let mut since: Vec<Row> = Vec::new();
        for (rows, reset) in steps {
            take(&mut states, &layout, &rows);
            since.extend(rows);
            if let Some(group) = reset {
                states.reset(&layout, group);
                since.retain(|row| row.group != group);
            }
        }
        // Places repeat from step to step; among equal ones the first stays.
        let mut expected = fresh(&layout);
        take(&mut expected, &layout, &since);
        let (found, expected) = (finished(&layout, &states), finished(&layout, &expected));
        for (call, (found, expected)) in found.iter().zip(&expected).enumerate() {
            prop_assert_eq!(found, expected, "{:?}", layout.accumulators[call].kind);
        }
    }

    /// Any order of rows, in parts, merged in any order, cleared tables among them.
    #[test]
    fn order_and_merging_do_not_show(rows in rows(160), cut in 0usize..160, seed in any::<u64>()) {
        let layout = layout();
        let mut whole = fresh(&layout);
        take(&mut whole, &layout, &rows);
        let expected = finished(&layout, &whole);
        let mut shuffled = rows.clone();
        shuffled.sort_by_key(|row| crate::kernel::hash::Hasher::new(seed).words(&[row.place as u64]));
        let (first, second) = shuffled.split_at(cut.min(rows.len()));
        let mut part = whole;
        let groups: Vec<u32> = (0..GROUPS).collect();
        let mut merged = fresh(&layout);
        for rows in [second, first] {
            part.clear();
            part.grow(&layout, GROUPS as usize);
            take(&mut part, &layout, rows);
            let mut block = StateBlock::default();
            part.export(&layout, &groups, &mut block);
            merged.merge(&layout, &groups, &block);
        }
        for (call, (found, expected)) in finished(&layout, &merged).iter().zip(&expected).enumerate() {
            prop_assert_eq!(found, expected, "{:?}", layout.accumulators[call].kind);
        }
    }
}
