//! States of all types of argument: any split into batches and blocks, in any way of updating, gives the same results.

use proptest::prelude::*;

use super::*;
use crate::arena::PaneArena;
use crate::batch::{Column, ColumnBuffer, Strings, Values};
use crate::kernel::Simd;
use crate::kernel::update::Running;
use crate::types::DataType;

const DECIMAL: DataType = DataType::Decimal { precision: 20, scale: 3 };

/// Every aggregate over every type that has it, and the type of each argument.
fn calls() -> (Vec<Accumulator>, Vec<DataType>) {
    use AccumulatorKind::{Avg, Count, Max, Min, Moments, Sum};
    let types = [
        DataType::Double,
        DataType::BigInt,
        DataType::Int,
        DataType::Boolean,
        DECIMAL,
        DataType::Varchar,
        DataType::Double,
        DataType::Date,
    ];
    let over = |kind, index: usize, result| Accumulator { kind, argument: Some((index, types[index])), result };
    let moments = |root, population| Moments { root, population };
    let sum = DataType::Decimal { precision: 38, scale: 3 };
    let calls = vec![
        Accumulator { kind: Count, argument: None, result: DataType::BigInt },
        over(Avg, 0, DataType::Double),
        over(Min, 0, DataType::Double),
        over(Sum, 1, DataType::BigInt),
        over(Max, 0, DataType::Double),
        over(moments(true, false), 0, DataType::Double),
        over(moments(false, true), 0, DataType::Double),
        over(Avg, 1, DataType::Double),
        over(Max, 1, DataType::BigInt),
        over(Min, 2, DataType::Int),
        over(Min, 3, DataType::Boolean),
        over(Max, 3, DataType::Boolean),
        over(Sum, 4, sum),
        over(Avg, 4, DataType::Double),
        over(Min, 4, DECIMAL),
        over(Max, 4, DECIMAL),
        over(Min, 5, DataType::Varchar),
        over(Max, 5, DataType::Varchar),
        over(Count, 5, DataType::BigInt),
        over(Sum, 6, DataType::Double),
        over(Max, 7, DataType::Date),
        over(Count, 6, DataType::BigInt),
    ];
    (calls, types.to_vec())
}

#[derive(Debug, Clone)]
struct Row {
    group: u32,
    number: i32,
    double: f64,
    text: String,
    valid: u8,
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let double = prop_oneof![9 => -1e4..1e4, 1 => prop::sample::select(vec![f64::NAN, f64::INFINITY, 0.0, -0.0])];
    let valid = prop_oneof![3 => Just(u8::MAX), 1 => any::<u8>()];
    let row = (0u32..9, any::<i32>(), double, "[a-d]{0,5}", valid);
    let row = row.prop_map(|(group, number, double, text, valid)| Row { group, number, double, text, valid });
    prop::collection::vec(row, 1..150)
}

/// The arguments as columns, for `f`.
fn with_columns<R>(rows: &[Row], types: &[DataType], f: impl FnOnce(&[Column<'_>]) -> R) -> R {
    let mut buffers: Vec<ColumnBuffer> = types.iter().map(|&data_type| ColumnBuffer::new(data_type)).collect();
    for row in rows {
        for (i, buffer) in buffers.iter_mut().enumerate() {
            match types[i] {
                _ if row.valid >> i & 1 == 0 => buffer.push_null(),
                DataType::Double => buffer.push_float64(row.double * (i + 1) as f64),
                DataType::BigInt => buffer.push_int64(i64::from(row.number) << 20),
                DataType::Boolean => buffer.push_boolean(row.number % 2 == 0),
                DECIMAL => buffer.push_int128(i128::from(row.number) << 30),
                DataType::Varchar => buffer.push_text(row.text.as_bytes()),
                _ => buffer.push_int32(row.number),
            }
        }
    }
    let mut columns: Vec<Column<'_>> = buffers.iter().map(ColumnBuffer::column).collect();
    // Text comes through a dictionary too.
    let codes: Vec<u32> = (0..rows.len() as u32).collect();
    if let Values::Utf8(Strings { offsets, bytes }) = columns[5].values
        && rows.len().is_multiple_of(2)
    {
        columns[5].values = Values::Dictionary { codes: &codes, values: Strings { offsets, bytes }, source: None };
    }
    f(&columns)
}

fn results(layout: &StateLayout) -> Vec<ColumnBuffer> {
    layout.accumulators.iter().map(|call| ColumnBuffer::new(call.result)).collect()
}

fn finished(layout: &StateLayout, states: &States, groups: &[u32]) -> Vec<String> {
    let mut out = results(layout);
    states.finish(layout, groups, &mut out).unwrap();
    out.iter().map(|column| format!("{:?}", column.column())).collect()
}

const GROUPS: u32 = 9;

proptest! {
    /// Batches of one row at the plain level, one batch at each level, running results, and merged halves all agree.
    #[test]
    fn any_way_gives_the_same_results(rows in rows(), cut in 0usize..150) {
        let (calls, types) = calls();
        let layout = StateLayout::new(calls, Vec::new());
        let arena = PaneArena::default();
        let all: Vec<u32> = (0..GROUPS).collect();
        let groups: Vec<u32> = rows.iter().map(|row| row.group).collect();
        let new = || {
            let mut states = States::new(&layout, 0, &arena);
            states.grow(&layout, 2);
            states.grow(&layout, GROUPS as usize);
            states
        };
        let update = |states: &mut States, simd, from: usize, to: usize| {
            with_columns(&rows, &types, |columns| {
                let selection: Vec<u32> = (from as u32..to as u32).collect();
                states.update(simd, &layout, &groups[from..to], Some(&selection), columns);
            });
        };
        let mut one_by_one = new();
        (0..rows.len()).for_each(|j| update(&mut one_by_one, Simd::SCALAR, j, j + 1));
        let expected = finished(&layout, &one_by_one, &all);
        for simd in Simd::available() {
            let mut whole = new();
            with_columns(&rows, &types, |columns| whole.update(simd, &layout, &groups, None, columns));
            prop_assert_eq!(&finished(&layout, &whole, &all), &expected);
            let mut running = new();
            let mut after_each = results(&layout);
            with_columns(&rows, &types, |columns| {
                running.update_running(simd, &layout, &groups, None, columns, &mut Running::default(), &mut after_each).unwrap();
            });
            prop_assert_eq!(&finished(&layout, &running, &all), &expected);
            let mut last = results(&layout);
            let mut from = new();
            for j in 0..rows.len() {
                update(&mut from, simd, j, j + 1);
                from.finish(&layout, &groups[j..=j], &mut last).unwrap();
            }
            let show = |columns: &[ColumnBuffer]| columns.iter().map(|c| format!("{:?}", c.column())).collect::<Vec<_>>();
            prop_assert_eq!(show(&after_each), show(&last));
        }
        let mask: Vec<u64> = (0..rows.len().div_ceil(64))
            .map(|w| rows.iter().enumerate().skip(64 * w).take(64).fold(0, |word, (i, row)| word | u64::from(row.group == 3) << (i % 64)))
            .collect();
        let mut masked = new();
        with_columns(&rows, &types, |columns| {
            masked.update_one(Simd::detect(), &layout, 3, rows.len(), Some(&mask), columns);
        });
        prop_assert_eq!(finished(&layout, &masked, &[3]), finished(&layout, &one_by_one, &[3]));
        let cut = cut.min(rows.len());
        let (mut first, mut second) = (new(), new());
        update(&mut first, Simd::detect(), 0, cut);
        update(&mut second, Simd::detect(), cut, rows.len());
        let mut block = StateBlock::default();
        second.export(&layout, &all, &mut block);
        first.merge(&layout, &all, &block);
        prop_assert_eq!(&finished(&layout, &first, &all), &expected);
        block.clear();
        let backwards: Vec<u32> = all.iter().rev().copied().collect();
        first.export(&layout, &backwards, &mut block);
        let mut copied = new();
        copied.merge(&layout, &backwards, &block);
        prop_assert_eq!(&finished(&layout, &copied, &all), &expected);
    }
}

proptest! {
    /// Whole columns reduced under the mask of a group's rows give that group's results.
    #[test]
    fn a_mask_gives_what_a_group_gives(rows in rows(), all_pass: bool) {
        let (calls, types) = calls();
        let layout = StateLayout::new(calls, Vec::new());
        let arena = PaneArena::default();
        let groups: Vec<u32> = rows.iter().map(|row| if all_pass { 0 } else { row.group }).collect();
        let mut grouped = States::new(&layout, GROUPS as usize, &arena);
        grouped.grow(&layout, GROUPS as usize);
        with_columns(&rows, &types, |columns| grouped.update(Simd::SCALAR, &layout, &groups, None, columns));
        for simd in Simd::available() {
            for group in 0..GROUPS {
                let mut mask = vec![0_u64; rows.len().div_ceil(64)];
                groups.iter().enumerate().for_each(|(i, &g)| mask[i / 64] |= u64::from(g == group) << (i % 64));
                let mask = (!all_pass).then_some(&mask[..]);
                if all_pass && group > 0 {
                    continue;
                }
                let mut only = States::new(&layout, 1, &arena);
                only.grow(&layout, 1);
                with_columns(&rows, &types, |columns| {
                    only.update_one(simd, &layout, 0, rows.len(), mask, columns);
                });
                prop_assert_eq!(finished(&layout, &only, &[0]), finished(&layout, &grouped, &[group]));
            }
        }
    }
}

#[test]
fn sums_that_do_not_fit_are_errors() {
    let layout = |data_type, result| {
        let kind = AccumulatorKind::Sum;
        StateLayout::new(vec![Accumulator { kind, argument: Some((0, data_type)), result }], Vec::new())
    };
    let arena = PaneArena::default();
    let fails = |layout: &StateLayout, values: Values<'_>| {
        let mut states = States::new(layout, 0, &arena);
        states.grow(layout, 1);
        states.update(Simd::detect(), layout, &[0, 0], None, &[Column::valid(values)]);
        states.finish(layout, &[0], &mut results(layout)).unwrap_err().to_string()
    };
    let bigint = fails(&layout(DataType::BigInt, DataType::BigInt), Values::Int64(&[i64::MAX, 1]));
    assert!(bigint.contains("the sum is 9223372036854775808"), "{bigint}");
    let decimal =
        fails(&layout(DECIMAL, DataType::Decimal { precision: 38, scale: 3 }), Values::Int128(&[i128::MAX, 1]));
    assert!(decimal.contains("38 digits"), "{decimal}");
}
