//! Every function over every frame and type against a fold of the frame's rows.

use super::*;
use crate::batch::ColumnBuffer;
use AccumulatorKind::{Avg, Count, Max, Min, Moments, Sum};
use FrameFunction::{Aggregate, FirstValue, Lag, LastValue, RowNumber};
use proptest::prelude::*;

/// The results of each call for rows given as (key, value), in batches of `cut`.
fn run(calls: &[FrameCall], data_type: DataType, rows: &[(u32, Value)], cut: usize) -> Result<Vec<Vec<Value>>> {
    let mut states = FrameStates::new(calls.to_vec());
    let mut results = vec![Vec::new(); calls.len()];
    for part in rows.chunks(cut) {
        let mut column = ColumnBuffer::new(data_type);
        part.iter().for_each(|row| column.push(&row.1));
        let groups: Vec<u32> = part.iter().map(|row| row.0).collect();
        let arena = Bump::new();
        let columns = [column.column()];
        for (found, column) in results.iter_mut().zip(states.push(&groups, &columns, &arena)?) {
            found.extend((0..part.len()).map(|i| column.value(i)));
        }
    }
    Ok(results)
}

fn call(function: FrameFunction, rows: Option<u64>, argument: DataType, result: DataType) -> FrameCall {
    FrameCall { function, rows, argument: Some((0, argument)), result }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Null => None,
        Value::Boolean(value) => Some(f64::from(u8::from(*value))),
        Value::Int32(value) => Some(f64::from(*value)),
        Value::Int64(value) => Some(*value as f64),
        Value::Float64(value) => Some(*value),
        // Tests use DECIMAL(10, 2).
        Value::Int128(value) => Some(*value as f64 / 100.0),
        Value::Utf8(text) => Some(text.parse().unwrap()),
    }
}

/// The definition, over whole quarters or hundredths, whose sums are exact.
fn fold(call: &FrameCall, frame: &[Value], all: &[Value]) -> Value {
    let known: Vec<&Value> = frame.iter().filter(|value| **value != Value::Null).collect();
    let numbers: Vec<f64> = known.iter().filter_map(|value| number(value)).collect();
    let (n, sum) = (numbers.len() as f64, numbers.iter().sum::<f64>());
    let by = |a: &&&Value, b: &&&Value| number(a).unwrap().total_cmp(&number(b).unwrap());
    match &call.function {
        Aggregate(Count) if call.argument.is_none() => Value::Int64(frame.len() as i64),
        RowNumber => Value::Int64(all.len() as i64),
        Aggregate(Count) => Value::Int64(known.len() as i64),
        LastValue => frame[frame.len() - 1].clone(),
        FirstValue => frame[0].clone(),
        Lag { offset, default } => {
            all.len().checked_sub(*offset as usize + 1).map_or(default.clone(), |i| all[i].clone())
        }
        Aggregate(AccumulatorKind::Folded { .. }) => unreachable!("no frame has it"),
        Aggregate(_) if known.is_empty() => Value::Null,
        Aggregate(Min) => (*known.iter().min_by(by).unwrap()).clone(),
        Aggregate(Max) => (*known.iter().max_by(by).unwrap()).clone(),
        Aggregate(Avg) => Value::Float64(sum / n),
        Aggregate(Sum) => match call.result {
            DataType::Double => Value::Float64(sum),
            DataType::BigInt => Value::Int64(sum as i64),
            _ => Value::Int128((sum * 100.0).round() as i128),
        },
        Aggregate(Moments { population: false, .. }) if n == 1.0 => Value::Null,
        Aggregate(Moments { population, root }) => {
            let distance: f64 = numbers.iter().map(|v| (v - sum / n).powi(2)).sum();
            let variance = distance / if *population { n } else { n - 1.0 };
            Value::Float64(if *root { variance.sqrt() } else { variance })
        }
    }
}

fn close(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Float64(a), Value::Float64(b)) => (a - b).abs() <= 1e-9 * b.abs().max(1.0),
        _ => a == b,
    }
}

fn value_of(data_type: DataType, v: i32) -> Value {
    match data_type {
        DataType::Boolean => Value::Boolean(v % 2 == 0),
        DataType::Int | DataType::Date => Value::Int32(v),
        DataType::Double => Value::Float64(f64::from(v) / 4.0),
        DataType::Decimal { .. } => Value::Int128(i128::from(v)),
        // Of one length, so that they order as numbers do.
        DataType::Varchar => Value::Utf8(format!("{}", 5000 + v).into()),
        _ => Value::Int64(i64::from(v)),
    }
}

/// All functions that a type has, over one frame.
fn calls_over(data_type: DataType, rows: Option<u64>) -> Vec<FrameCall> {
    let lag = |offset, default| Lag { offset, default };
    let mut calls = vec![
        call(Aggregate(Count), rows, data_type, DataType::BigInt),
        call(Aggregate(Min), rows, data_type, data_type),
        call(Aggregate(Max), rows, data_type, data_type),
        call(FirstValue, rows, data_type, data_type),
        call(LastValue, rows, data_type, data_type),
        call(lag(1, Value::Null), rows, data_type, data_type),
        call(lag(3, value_of(data_type, 8)), rows, data_type, data_type),
        call(lag(0, Value::Null), rows, data_type, data_type),
        FrameCall { function: Aggregate(Count), rows, argument: None, result: DataType::BigInt },
        FrameCall { function: RowNumber, rows, argument: None, result: DataType::BigInt },
    ];
    if data_type.is_numeric() && data_type != DataType::Int {
        let sum = if let DataType::Decimal { scale, .. } = data_type {
            DataType::Decimal { precision: 38, scale }
        } else {
            data_type
        };
        calls.push(call(Aggregate(Sum), rows, data_type, sum));
        calls.push(call(Aggregate(Avg), rows, data_type, DataType::Double));
        if !matches!(data_type, DataType::Decimal { .. }) {
            for (root, population) in [(false, false), (true, false), (false, true), (true, true)] {
                calls.push(call(Aggregate(Moments { root, population }), rows, data_type, DataType::Double));
            }
        }
    }
    calls
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn frames_agree_with_folding_each_frame(
        numbers in prop::collection::vec((0u32..4, -1000i32..1000, 0u8..6), 0..120),
        rows in prop_oneof![Just(None), (1u64..40).prop_map(Some)],
        cut in 1usize..80,
    ) {
        use DataType::{BigInt, Boolean, Date, Decimal, Double, Int, Timestamp, Varchar};
        for data_type in [Double, BigInt, Int, Date, Timestamp, Boolean, Varchar, Decimal { precision: 10, scale: 2 }] {
            let input: Vec<(u32, Value)> = numbers.iter().map(|&(key, v, null)| {
                (key, if null == 0 { Value::Null } else { value_of(data_type, v) })
            }).collect();
            let calls = calls_over(data_type, rows);
            let together = run(&calls, data_type, &input, cut).unwrap();
            for (call, found) in calls.iter().zip(&together) {
                let mut all: Vec<Vec<Value>> = vec![Vec::new(); 4];
                for (row, found) in input.iter().zip(found) {
                    let all = &mut all[row.0 as usize];
                    all.push(row.1.clone());
                    let first = rows.map_or(0, |rows| all.len().saturating_sub(rows as usize));
                    let expected = fold(call, &all[first..], all);
                    prop_assert!(close(found, &expected), "{:?}: {:?}, expected {:?}", call, found, expected);
                }
                // Alone, a call gives what it gives beside others.
                prop_assert_eq!(&run(std::slice::from_ref(call), data_type, &input, cut).unwrap()[0], found);
            }
        }
    }
}

#[test]
fn sums_that_no_bigint_holds_are_errors_and_averages_are_not() {
    let rows: Vec<(u32, Value)> = [i64::MAX, 1, -5].iter().map(|&v| (0, Value::Int64(v))).collect();
    let sum = call(Aggregate(Sum), Some(2), DataType::BigInt, DataType::BigInt);
    let error = run(&[sum], DataType::BigInt, &rows, 3).unwrap_err().to_string();
    assert!(error.contains("the sum is 9223372036854775808"), "{error}");
    let average = call(Aggregate(Avg), Some(2), DataType::BigInt, DataType::Double);
    let found = run(&[average], DataType::BigInt, &rows, 3).unwrap();
    assert_eq!(found[0][1..], [Value::Float64(9_223_372_036_854_775_808.0 / 2.0), Value::Float64(-2.0)]);
}

#[test]
fn decimal_sums_wrap_and_come_back() {
    let most = 10_i128.pow(38) - 1;
    let decimal = DataType::Decimal { precision: 38, scale: 0 };
    let rows: Vec<(u32, Value)> = [most, -most, most, 1].iter().map(|&v| (0, Value::Int128(v))).collect();
    let sum = |rows| call(Aggregate(Sum), Some(rows), decimal, decimal);
    let found = run(&[sum(2)], decimal, &rows[..3], 1).unwrap();
    assert_eq!(found[0], [Value::Int128(most), Value::Int128(0), Value::Int128(0)]);
    assert!(run(&[sum(2)], decimal, &rows, 4).unwrap_err().to_string().contains("38 digits"));
}
