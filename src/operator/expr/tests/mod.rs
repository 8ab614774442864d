//! The evaluator against a slow interpreter of one row, on random typed expressions; and fixed cases of its own.

mod cases;
mod functions;
mod generate;
mod slow;

use bumpalo::Bump;
use proptest::prelude::*;

use super::super::listed;
use super::{Evaluator, RowFailures};
use crate::batch::{Batch, Column, RowOrder, Selection, Values};
use crate::kernel::Simd;
use crate::plan::Expr;
use crate::types::{DataType, Value};
use generate::{Generator, TYPES};

/// Equal to the bit, except that one NaN is as good as another.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Float64(a), Value::Float64(b)) => a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan(),
        _ => a == b,
    }
}

/// The selected rows.
fn indices(selection: Selection<'_>, rows: usize, arena: &Bump) -> Vec<u32> {
    let order = RowOrder::Keys(&[]);
    let batch = listed(Batch { rows, columns: &[], selection, order }, arena, Simd::detect());
    batch.selection.list().map_or_else(|| (0..rows as u32).collect(), <[u32]>::to_vec)
}

/// Evaluates both ways and compares the selected rows: values, failed rows, and (BOOLEAN) the selection.
fn check(expr: &Expr, rows: &[Vec<Value>], columns: &[Column<'_>], selection: Option<&[u32]>, arena: &Bump) {
    let evaluator = Evaluator::new(expr);
    let chosen = selection.map_or(Selection::All, |rows| Selection::Rows(arena.alloc_slice_copy(rows)));
    let mut failures = RowFailures::new(arena, rows.len());
    // Columns live in the caller's arena; a view of the same lifetime as the results' arena is what operators have too.
    let column = evaluator.evaluate(columns, rows.len(), chosen, arena, &mut failures, Simd::detect());
    assert_eq!(column.physical(), expr.data_type.physical(), "{expr:?}");
    let all: Vec<u32> = (0..rows.len() as u32).collect();
    let selected = selection.unwrap_or(&all);
    let mut passing = vec![];
    let mut failed = vec![];
    for &i in selected {
        match slow::evaluate(expr, &rows[i as usize]) {
            Err(slow::Failed) => failed.push(i as usize),
            Ok(expected) => {
                let found = column.value(i as usize);
                assert!(
                    same(&expected, &found),
                    "row {i} {:?}: {expected:?}, found {found:?}\n{expr:#?}",
                    rows[i as usize]
                );
                if expected == Value::Boolean(true) {
                    passing.push(i);
                }
            }
        }
    }
    assert_eq!(failures.iter().map(|(row, _)| row).collect::<Vec<_>>(), failed, "{expr:#?}");
    assert_eq!(failures.count(), failed.len());
    for words in column.validity.into_iter().chain(match column.values {
        Values::Boolean(words) => Some(words),
        _ => None,
    }) {
        assert_eq!(words.len(), rows.len().div_ceil(64));
        assert!(
            (rows.len()..words.len() * 64).all(|i| words[i / 64] >> (i % 64) & 1 == 0),
            "zero past the end: {expr:#?}"
        );
    }
    if expr.data_type == DataType::Boolean {
        let mut mask = vec![0; rows.len().div_ceil(64)];
        selected.iter().for_each(|&i| mask[i as usize / 64] |= 1 << (i % 64));
        for chosen in [chosen, Selection::Mask(arena.alloc_slice_copy(&mask))] {
            let mut failures = RowFailures::new(arena, rows.len());
            let selection = evaluator.select(columns, rows.len(), chosen, arena, &mut failures, Simd::detect());
            assert_eq!(indices(selection, rows.len(), arena), passing, "{expr:#?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    /// Random expressions of every type over random columns (NULLs, plain and dictionary text), with and without a
    /// selection, give the rows and the failures of the interpreter.
    #[test]
    fn evaluator_agrees_with_the_interpreter(seed: u64, rows in 0usize..200, depth in 1usize..5) {
        let arena = Bump::new();
        let mut generator = Generator::new(seed);
        let rows = generator.rows(rows);
        let columns = generator.columns(&rows, &arena);
        for data_type in TYPES {
            let expr = generator.expr(data_type, depth);
            let selection = generator.selection(rows.len());
            check(&expr, &rows, &columns, selection.as_deref(), &arena);
        }
    }

    /// After a warm-up, evaluating takes no memory beyond the arena's, which stays as large as it was.
    #[test]
    fn steady_state_stays_in_the_arena(seed: u64) {
        let inputs = Bump::new();
        let mut generator = Generator::new(seed);
        let rows = generator.rows(200);
        let columns = generator.columns(&rows, &inputs);
        let expr = generator.expr(TYPES[(seed % TYPES.len() as u64) as usize], 4);
        let evaluator = Evaluator::new(&expr);
        let mut sizes = vec![];
        for _ in 0..6 {
            let mut arena = Bump::new();
            for _ in 0..4 {
                arena.reset();
                let mut failures = RowFailures::new(&arena, rows.len());
                let scratch = arena.alloc_slice_copy(&columns);
                evaluator.evaluate(scratch, rows.len(), Selection::All, &arena, &mut failures, Simd::detect());
            }
            sizes.push(arena.allocated_bytes());
        }
        prop_assert!(sizes.windows(2).all(|pair| pair[0] == pair[1]));
    }
}
