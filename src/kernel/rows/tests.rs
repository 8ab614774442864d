//! The frames against their definition, bit for bit.

use super::*;
use crate::kernel::update::two_sum;
use proptest::prelude::*;

/// Everything that can be asked for, kept.
#[derive(Debug, Clone, PartialEq)]
struct Kept<T> {
    counts: Vec<i64>,
    sums: Vec<T>,
    highs: Vec<i64>,
    least: Vec<T>,
    greatest: Vec<T>,
    oldest: Vec<T>,
    oldest_is: Vec<u8>,
    squares: Vec<f64>,
}

impl<T: Number> Kept<T> {
    fn new(n: usize, wanted: Wanted, oldest: bool) -> Self {
        let of = |asked: bool| vec![T::default(); if asked { n } else { 0 }];
        Self {
            counts: vec![0; n],
            sums: of(wanted.sums),
            highs: vec![0; if wanted.sums { n } else { 0 }],
            least: of(wanted.extremes),
            greatest: of(wanted.extremes),
            oldest: of(oldest),
            oldest_is: vec![0; if oldest { n } else { 0 }],
            squares: vec![0.0; if wanted.squares { n } else { 0 }],
        }
    }

    fn results(&mut self) -> Results<'_, T> {
        let looks = Looks { oldest: &mut self.oldest, oldest_is: &mut self.oldest_is, squares: &mut self.squares };
        Results {
            counts: &mut self.counts,
            sums: &mut self.sums,
            highs: &mut self.highs,
            least: &mut self.least,
            greatest: &mut self.greatest,
            looks,
        }
    }

    /// Results as words; what means nothing is left out, all NaNs are one.
    fn words(&self) -> Vec<Vec<u64>> {
        let word = |value: T| if value.is_nan() { u64::MAX } else { value.to_word() };
        let known = |values: &[T]| -> Vec<u64> {
            values.iter().zip(&self.counts).map(|(&value, &count)| if count > 0 { word(value) } else { 0 }).collect()
        };
        vec![
            self.counts.iter().map(|&count| count as u64).collect(),
            known(&self.sums),
            self.highs.iter().map(|&high| high as u64).collect(),
            known(&self.least),
            known(&self.greatest),
            self.oldest.iter().zip(&self.oldest_is).map(|(&v, is)| word(v) * u64::from(is & 1)).collect(),
            self.oldest_is.iter().map(|&is| u64::from(is)).collect(),
            self.squares.iter().map(|v| if v.is_nan() { u64::MAX } else { v.to_bits() }).collect(),
        ]
    }
}

/// Rows: a key, and a value or NULL.
type Row<T> = (u32, Option<T>);

/// The rows through [`Frames`], in calls of `cut` rows.
fn framed<T: Number>(rows: Option<u64>, wanted: Wanted, oldest: bool, input: &[Row<T>], cut: usize) -> Kept<T> {
    let mut frames = Frames::<T>::new(rows, wanted);
    let mut kept = Kept::<T>::new(input.len(), wanted, oldest);
    for (number, part) in input.chunks(cut).enumerate() {
        let (groups, values, validity) = columns(part);
        let validity = part.iter().any(|row| row.1.is_none()).then_some(&validity[..]);
        let mut results = kept.results();
        let mut results = results.from(number * cut);
        frames.push(&groups, &values, validity, &mut results);
    }
    kept
}

fn columns<T: Number>(rows: &[Row<T>]) -> (Vec<u32>, Vec<T>, Vec<u64>) {
    let mut validity = vec![0; rows.len().div_ceil(64)];
    for (j, row) in rows.iter().enumerate() {
        validity[j / 64] |= u64::from(row.1.is_some()) << (j % 64);
    }
    let values = rows.iter().map(|row| row.1.unwrap_or_default()).collect();
    (rows.iter().map(|row| row.0).collect(), values, validity)
}

fn check<T: Number>(rows: Option<u64>, input: &[Row<T>], cut: usize) {
    for asked in 0..16 {
        let wanted = Wanted { sums: asked & 1 > 0, extremes: asked & 2 > 0, squares: asked & 4 > 0 };
        let oldest = asked & 8 > 0;
        let mut expected = Kept::new(input.len(), wanted, oldest);
        let (groups, values, validity) = columns(input);
        rescan(rows, &groups, &values, Some(&validity), &mut expected.results());
        let got = framed(rows, wanted, oldest, input, cut);
        for (got, expected) in got.words().iter().zip(expected.words()) {
            assert_eq!(*got, expected, "{rows:?} rows, {wanted:?}, {cut} rows a call");
        }
    }
}

fn frame() -> impl Strategy<Value = Option<u64>> {
    prop_oneof![8 => (1u64..=70).prop_map(Some), 2 => Just(Some(100)), 1 => Just(None), 1 => Just(Some(u64::MAX))]
}

/// Doubles whose sums a pair holds; `special` ones among them.
fn double(special: bool) -> impl Strategy<Value = f64> {
    let plain = prop_oneof![-1e6f64..1e6, (-9i32..9).prop_map(|v| f64::from(v) / 4.0), Just(-0.0)];
    let of = vec![f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, 1e300];
    (plain, prop::sample::select(of), 0..20)
        .prop_map(move |(plain, odd, n)| if special && n == 0 { odd } else { plain })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Plain values, plain values and NULLs, and everything.
    #[test]
    fn frames_of_doubles_equal_the_definition(
        rows in frame(),
        keys in 1u32..5,
        values in prop::collection::vec((any::<u32>(), double(false), double(true), 0u8..10), 0..400),
        cut in 1usize..300,
    ) {
        let plain: Vec<Row<f64>> = values.iter().map(|v| (v.0 % keys, Some(v.1))).collect();
        check(rows, &plain, cut);
        let nulls: Vec<Row<f64>> = values.iter().map(|v| (v.0 % keys, (v.3 > 0).then_some(v.1))).collect();
        check(rows, &nulls, cut);
        // From a row in the middle on, so that plain records are met by what is not.
        let odd = |i: usize, v: &(u32, f64, f64, u8)| if i < 150 { Some(v.1) } else { (v.3 > 1).then_some(v.2) };
        let mixed: Vec<Row<f64>> = values.iter().enumerate().map(|(i, v)| (v.0 % keys, odd(i, v))).collect();
        check(rows, &mixed, cut);
    }

    /// Integers to the ends of their range, with and without NULLs.
    #[test]
    fn frames_of_integers_equal_the_definition(
        rows in frame(),
        keys in 1u32..5,
        values in prop::collection::vec((any::<u32>(), any::<i64>(), 0u8..10), 0..400),
        cut in 1usize..300,
    ) {
        let ends = |v: i64| match v % 5 { 0 => i64::MAX, 1 => i64::MIN, _ => v >> (v & 31) };
        let plain: Vec<Row<i64>> = values.iter().map(|v| (v.0 % keys, Some(ends(v.1)))).collect();
        check(rows, &plain, cut);
        let nulls: Vec<Row<i64>> = values.iter().map(|v| (v.0 % keys, (v.2 > 2).then_some(ends(v.1)))).collect();
        check(rows, &nulls, cut);
    }

    /// Many keys of few rows each, whose records grow and take over what others left.
    #[test]
    fn records_that_grow_keep_their_rows(
        values in prop::collection::vec((0u32..40, -1e6f64..1e6, 0u8..9), 0..3000),
        rows in 20u64..200,
    ) {
        let input: Vec<Row<f64>> = values.iter().map(|v| (v.0, (v.2 > 0).then_some(v.1))).collect();
        check(Some(rows), &input, 512);
    }
}

#[test]
fn a_large_value_that_left_leaves_no_error() {
    let values = [1e280, 1e100, 1.0, 2.0, 3.0, 4.0];
    for rows in 1..4 {
        let input: Vec<Row<f64>> = values.iter().map(|&v| (0, Some(v))).collect();
        let wanted = Wanted { sums: true, ..Wanted::default() };
        let sums = framed(Some(rows), wanted, false, &input, 2).sums;
        assert_eq!(sums[5], (0..rows).map(|i| 4.0 - i as f64).sum::<f64>());
    }
}

#[test]
fn a_key_with_few_rows_takes_little_memory() {
    let mut frames = Frames::<f64>::new(Some(1_000_000), Wanted { sums: true, extremes: true, squares: false });
    let groups: Vec<u32> = (0..3000).map(|i| i % 1000).collect();
    let mut kept = Kept::new(3000, Wanted { sums: true, extremes: true, squares: false }, false);
    frames.push(&groups, &vec![1.0; 3000], None, &mut kept.results());
    assert!(frames.bytes() <= 400_000, "{}", frames.bytes());
    assert_eq!(kept.sums[2999], 3.0);
}

#[test]
fn pairs_are_those_of_two_sum() {
    for (a, b) in [(1e16, 1.0), (1.0, 1e16), (0.1, 0.2), (-5.5, 5.25)] {
        let (high, low) = two_sum(a, b);
        assert_eq!(f64::add([a.to_bits(), 0], b), [high.to_bits(), low.to_bits()]);
    }
}
