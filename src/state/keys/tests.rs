//! Keys against a map from the values themselves.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, DictionaryArray, Int32Array, StringArray};
use arrow_buffer::NullBuffer;
use bumpalo::Bump;
use proptest::prelude::*;

use super::*;
use crate::arena::PaneArena;
use crate::batch::{ColumnBuffer, view};
use crate::kernel::Simd;
use crate::types::Value;

const TYPES: [DataType; 7] = [
    DataType::Varchar,
    DataType::Int,
    DataType::BigInt,
    DataType::Double,
    DataType::Boolean,
    DataType::Decimal { precision: 20, scale: 2 },
    DataType::Timestamp,
];

/// A few values of each type, the awkward ones among them, so that keys meet again.
fn value(data_type: DataType, pick: u8) -> Value {
    let i = i64::from(pick % 9);
    match (data_type, pick % 9) {
        (_, 8) => Value::Null,
        (DataType::Varchar, i) => {
            let text = [
                "",
                "a",
                "ab",
                "exactly 8",
                "sixteen bytes ok",
                "seventeen bytes !",
                "seventeen bytes ?",
                "\u{10ffff}",
            ];
            Value::Utf8(text[usize::from(i)].into())
        }
        (DataType::Int, _) => Value::Int32([0, -1, 7, i32::MIN, i32::MAX, 3, 4, 5][i as usize]),
        (DataType::BigInt | DataType::Timestamp, _) => {
            Value::Int64([0, -1, 7, i64::MIN, i64::MAX, 3, 4, 5][i as usize])
        }
        (DataType::Double, _) => {
            let nan = f64::from_bits(f64::NAN.to_bits() | 1 << 63 | 5);
            Value::Float64([0.0, -0.0, f64::NAN, nan, f64::INFINITY, 1.5, -1.5, 1e300][i as usize])
        }
        (DataType::Boolean, _) => Value::Boolean(i % 2 == 0),
        _ => Value::Int128([0, -1, 1 << 64, 1, 2, 3, 1 << 65, -(1 << 64)][i as usize]),
    }
}

/// What makes two keys one.
fn canonical(value: &Value) -> String {
    match value {
        Value::Float64(v) if v.is_nan() => "nan".into(),
        Value::Float64(v) => format!("{:?}", v + 0.0),
        other => format!("{other:?}"),
    }
}

fn columns(types: &[DataType], rows: &[Vec<Value>]) -> Vec<ColumnBuffer> {
    let mut columns: Vec<_> = types.iter().map(|&data_type| ColumnBuffer::new(data_type)).collect();
    for row in rows {
        columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
    }
    columns
}

/// Numbers that a map from the values gives, first come first numbered.
fn expected(rows: &[Vec<Value>], known: &mut HashMap<Vec<String>, u32>) -> Vec<u32> {
    let mut number = |row: &Vec<Value>| {
        let next = known.len() as u32;
        *known.entry(row.iter().map(canonical).collect()).or_insert(next)
    };
    rows.iter().map(&mut number).collect()
}

proptest! {
    /// Batches of keys of any columns, selected or not, with small domains and without, through several tables by way of
    /// blocks: every key gets one number, in the order of appearance, and comes back as it was.
    #[test]
    fn keys_are_numbered_as_by_a_map(
        picked in prop::collection::vec(0usize..TYPES.len(), 0..4),
        batches in prop::collection::vec(prop::collection::vec(any::<[u8; 4]>(), 0..60), 1..6),
        every in 1usize..3,
        table_rows in prop_oneof![Just(0usize), Just(100_000)],
    ) {
        let types: Vec<DataType> = picked.iter().map(|&i| TYPES[i]).collect();
        let arena = Bump::new();
        let mut keyer = Keyer::new(types.iter().copied(), KeyHasher::new(7));
        let mut table = KeyTable::new(&keyer.layout, 0, &PaneArena::default());
        let mut merged = KeyTable::new(&keyer.layout, 5, &PaneArena::default());
        let mut known = HashMap::new();
        let mut first: Vec<Vec<Value>> = Vec::new();
        for picks in batches {
            let rows: Vec<Vec<Value>> =
                picks.iter().map(|pick| types.iter().zip(pick).map(|(&t, &p)| value(t, p)).collect()).collect();
            let made = columns(&types, &rows);
            let views: Vec<_> = made.iter().map(ColumnBuffer::column).collect();
            let selection: Vec<u32> = (0..rows.len() as u32).step_by(every).collect();
            let selected: Vec<Vec<Value>> = selection.iter().map(|&i| rows[i as usize].clone()).collect();
            let direct = keyer.index(&views, rows.len(), table_rows, &arena);
            let keys = keyer.keys(Simd::detect(), &views, rows.len(), (every > 1).then_some(&selection[..]));
            let mut numbers = vec![0; selection.len()];
            table.assign(&keys, direct, &mut numbers, &mut KeyScratch::default(), |j| first.push(selected[j].clone()));
            prop_assert_eq!(&numbers, &expected(&selected, &mut known));
            prop_assert_eq!(table.len(), known.len());
            let hashes = keyer.hashes(&keys, &arena);
            prop_assert!(numbers.iter().zip(hashes).all(|(&n, &hash)| keyer.hasher.hash(table.words(n)) == hash));
        }
        // The keys, each as it first came.
        prop_assert_eq!(first.len(), table.len());
        let all: Vec<u32> = (0..table.len() as u32).collect();
        let mut back = columns(&types, &[]);
        table.push_keys(&keyer.layout, &all, &mut back);
        let arrays: Vec<ArrayRef> = back.iter().map(ColumnBuffer::to_array).collect();
        let wanted: Vec<ArrayRef> = columns(&types, &first).iter().map(ColumnBuffer::to_array).collect();
        for (array, wanted) in arrays.iter().zip(&wanted) {
            if *array.data_type() == arrow_schema::DataType::Float64 {
                continue;
            }
            prop_assert_eq!(array, wanted);
        }
        // Half by half to another table, the later first.
        let mut sent = HashMap::new();
        for part in [&all[all.len() / 2..], &all[..all.len() / 2], &all[..]] {
            let mut block = KeyBlock::default();
            table.export(&keyer.layout, part, &mut block);
            let mut numbers = vec![0; block.len()];
            let keys = BlockKeys { layout: &keyer.layout, block: &block };
            merged.assign_packed(&keyer.layout, &keyer.hasher, &keys, &mut numbers, &mut KeyScratch::default(), |_| {});
            let rows: Vec<Vec<Value>> = part.iter().map(|&n| first[n as usize].clone()).collect();
            prop_assert_eq!(numbers, expected(&rows, &mut sent));
        }
    }
}

/// Codes of one dictionary are numbered by code, of another by the text: the same text is the same key.
#[test]
fn dictionaries_may_change_between_batches() {
    let arena = Bump::new();
    let mut keyer = Keyer::new([DataType::Varchar], KeyHasher::new(3));
    let mut table = KeyTable::new(&keyer.layout, 0, &PaneArena::default());
    let values = |texts: &[&str]| Arc::new(StringArray::from(texts.to_vec())) as ArrayRef;
    let (one, two) = (values(&["x", "y", "x"]), values(&["z", "y"]));
    let mut direct_used = 0;
    for round in 0..4 {
        for (dictionary, codes, numbers) in
            [(&one, vec![0, 1, 2, 1], vec![0, 1, 0, 2]), (&two, vec![1, 0, 1, 1], vec![1, 3, 1, 2])]
        {
            // The last row is NULL, whatever its code.
            let nulls = NullBuffer::from(vec![true, true, true, false]);
            let codes = Int32Array::new(codes.into(), Some(nulls));
            let array: ArrayRef = Arc::new(DictionaryArray::new(codes, Arc::clone(dictionary)));
            let columns = [view(&array, 0, 4, &arena)];
            let direct = keyer.index(&columns, 4, 1000, &arena);
            direct_used += usize::from(direct.is_some());
            let mut out = vec![9; 4];
            table.assign(
                &keyer.keys(Simd::detect(), &columns, 4, None),
                direct,
                &mut out,
                &mut KeyScratch::default(),
                |_| {},
            );
            assert_eq!(out, numbers, "round {round}");
        }
    }
    assert!(direct_used > 0, "a small dictionary is numbered by code");
}

/// Keys whose hashes agree in the upper half, by which slots and tags go, are still told apart.
#[test]
fn colliding_keys_are_told_apart() {
    let keyer = Keyer::new([DataType::BigInt], KeyHasher::new(11));
    // A birthday search over the upper 32 bits finds some pairs among 300,000 keys.
    let mut seen: HashMap<u64, i64> = HashMap::new();
    let mut colliding = Vec::new();
    for key in 0..300_000_i64 {
        if let Some(other) = seen.insert(keyer.hasher.hash(&[key as u64]) >> 32, key) {
            colliding.extend([other, key]);
        }
    }
    assert!(colliding.len() >= 2, "{} colliding keys", colliding.len());
    let mut buffer = ColumnBuffer::new(DataType::BigInt);
    colliding.iter().chain(&colliding).for_each(|&key| buffer.push_int64(key));
    let columns = [buffer.column()];
    let mut table = KeyTable::new(&keyer.layout, 0, &PaneArena::default());
    let mut numbers = vec![0; colliding.len() * 2];
    table.assign(
        &keyer.keys(Simd::detect(), &columns, numbers.len(), None),
        None,
        &mut numbers,
        &mut KeyScratch::default(),
        |_| {},
    );
    let distinct: std::collections::HashSet<_> = colliding.iter().collect();
    assert_eq!(table.len(), distinct.len());
    assert_eq!(numbers[..colliding.len()], numbers[colliding.len()..]);
}

#[test]
fn a_wide_range_of_integers_is_no_small_domain_and_a_narrow_one_is() {
    let arena = Bump::new();
    let mut keyer = Keyer::new([DataType::BigInt], KeyHasher::new(1));
    let batch = |values: &[i64]| {
        let mut buffer = ColumnBuffer::new(DataType::BigInt);
        values.iter().for_each(|&v| buffer.push_int64(v));
        buffer
    };
    let narrow = batch(&[-3, 5, 100]);
    // A map of more entries than the batch has rows waits until the domain has shown to last.
    assert!(keyer.index(&[narrow.column()], 3, 0, &arena).is_none());
    let indices = keyer.index(&[narrow.column()], 3, 0, &arena).expect("a small domain").indices;
    assert_eq!((indices[1] - indices[0], indices[2] - indices[0]), (8, 103));
    assert!(keyer.index(&[batch(&[i64::MIN, i64::MAX]).column()], 2, 1 << 40, &arena).is_none());
    // It is looked at again after a while.
    let again = (0..200).any(|_| keyer.index(&[narrow.column()], 3, 0, &arena).is_some());
    assert!(again, "a domain that was too large once is not given up for ever");
}

#[test]
fn owners_are_all_used() {
    let hasher = KeyHasher::new(1);
    let mut seen = [0; 3];
    (0..300_u64).for_each(|i| seen[KeyHasher::owner(hasher.hash(&[i]), 3)] += 1);
    assert!(seen.iter().all(|&n| n > 60), "{seen:?}");
}
