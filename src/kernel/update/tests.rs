//! Every way of updating against the definition, and the sums against exact ones.

use proptest::prelude::*;

use super::*;
use crate::kernel::compare::order_key;

/// The states of some groups.
struct States {
    lines: Vec<Line>,
    shift: u32,
    groups: usize,
}

impl States {
    fn new(parts: &[Part], groups: usize) -> Self {
        let width: usize = 1 + parts.iter().map(|part| part.words()).sum::<usize>();
        let shift = width.next_power_of_two().ilog2();
        let mut lines = vec![Line::ZERO; Rows::words_for(groups, shift).div_ceil(Line::WORDS)];
        for row in Line::words_mut(&mut lines)[..groups << shift].chunks_mut(1 << shift) {
            parts.iter().for_each(|part| part.clear(row));
        }
        Self { lines, shift, groups }
    }

    fn rows(&mut self) -> Rows<'_> {
        Rows { words: Line::words_mut(&mut self.lines), shift: self.shift, groups: self.groups }
    }

    /// What comes out of each group and part: count, sum and extremes, NaN and zero as results show them.
    fn finished(&mut self, parts: &[Part]) -> Vec<Vec<u64>> {
        let shift = self.shift;
        let rows = self.rows();
        let finish = |row: &[u64]| {
            let mut out = vec![row[0]];
            for part in parts {
                if part.sum {
                    let words = [row[part.sum_word()], row[part.sum_word() + 1]];
                    match part.number {
                        Number::Integer => out.extend(words),
                        Number::Double => {
                            let sum = pair_value(f64::from_bits(words[0]), f64::from_bits(words[1]));
                            out.push(order_key(sum).cast_unsigned());
                        }
                    }
                }
                if part.extremes {
                    let words = [row[part.extremes_word()], row[part.extremes_word() + 1]];
                    out.extend(match part.number {
                        Number::Integer => words,
                        Number::Double => finished_doubles(words).map(f64::to_bits),
                    });
                }
            }
            out
        };
        (0..rows.groups).map(|group| finish(&rows.words[group << shift..][..1 << shift])).collect()
    }
}

/// Lays parts out: integers first.
fn lay_out(kinds: &[(Number, bool, bool)]) -> Vec<Part> {
    let mut kinds = kinds.to_vec();
    kinds.sort();
    let mut word = 1;
    let place = |&(number, sum, extremes): &(Number, bool, bool)| {
        let part = Part { number, sum, extremes, word };
        word += part.words();
        part
    };
    kinds.iter().map(place).collect()
}

/// The columns of one case; each part takes the column of its kind, shifted by its place so that parts differ.
#[derive(Debug, Clone)]
struct Case {
    parts: Vec<Part>,
    groups: usize,
    ids: Vec<u32>,
    selection: Option<Vec<u32>>,
    ints: Vec<i64>,
    narrow: Vec<i32>,
    doubles: Vec<f64>,
    validity: Vec<u64>,
    with_nulls: u8,
    form: u8,
}

impl Case {
    fn inputs(&self) -> Vec<Input<'_>> {
        let input = |(p, part): (usize, &Part)| Input {
            numbers: match (part.number, self.form % 3) {
                (Number::Double, _) => Numbers::F64(&self.doubles),
                (_, 0) => Numbers::I32(&self.narrow),
                (_, 1) if p == 1 => Numbers::Bits(&self.validity),
                _ => Numbers::I64(&self.ints),
            },
            validity: (self.with_nulls >> p & 1 == 1).then_some(&self.validity[..]),
        };
        self.parts.iter().enumerate().map(input).collect()
    }

    fn run(&self, simd: Simd) -> States {
        let mut states = States::new(&self.parts, self.groups);
        update(simd, &mut states.rows(), &self.parts, &self.inputs(), &self.ids, self.selection.as_deref());
        states
    }
}

/// Values whose sums of thousands need no more than 106 bits, and the special ones.
fn doubles(specials: bool) -> BoxedStrategy<f64> {
    let plain = prop_oneof![-1e6..1e6, (-4000i32..4000).prop_map(f64::from)];
    if specials {
        let special = prop::sample::select(vec![f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0]);
        prop_oneof![20 => plain, 1 => special].boxed()
    } else {
        plain.boxed()
    }
}

prop_compose! {
    fn cases()(
        groups in prop_oneof![1usize..6, 6usize..100, Just(40_000)],
        rows in prop_oneof![0usize..200, 500usize..1300],
        specials in any::<bool>()
    )(
        kinds in prop::collection::vec((
            prop::sample::select(vec![Number::Integer, Number::Double]),
            prop::sample::select(vec![(true, false), (false, true), (true, true)]),
        ), 0..5),
        groups in Just(groups),
        ids in prop_oneof![
            prop::collection::vec(0..groups as u32, rows),
            (0..groups as u32).prop_map(move |id| vec![id; rows]),
            Just((0..rows).map(|j| (j % groups) as u32).collect::<Vec<_>>()),
        ],
        picks in prop::option::of(prop::collection::vec(0..rows.max(1) as u32 + 70, rows)),
        ints in prop::collection::vec(prop_oneof![any::<i64>(), -5i64..5], rows + 70),
        narrow in prop::collection::vec(any::<i32>(), rows + 70),
        doubles in prop::collection::vec(doubles(specials), rows + 70),
        validity in prop_oneof![
            prop::collection::vec(any::<u64>(), (rows + 70).div_ceil(64)),
            prop::collection::vec(prop::sample::select(vec![0, u64::MAX, u64::MAX - 8]), (rows + 70).div_ceil(64)),
        ],
        with_nulls in prop_oneof![Just(0), any::<u8>()],
        form in any::<u8>()
    ) -> Case {
        let kinds: Vec<_> = kinds.into_iter().map(|(number, (sum, extremes))| (number, sum, extremes)).collect();
        Case { parts: lay_out(&kinds), groups, ids, selection: picks, ints, narrow, doubles, validity, with_nulls, form }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    /// All levels give what the definition gives.
    #[test]
    fn every_level_is_the_definition(case in cases()) {
        let expected = case.run(Simd::SCALAR).finished(&case.parts);
        for simd in Simd::available() {
            prop_assert!(case.run(simd).finished(&case.parts) == expected, "{}", simd);
        }
    }

    /// Rows that a bitmap lets through are the rows that a selection names.
    #[test]
    fn a_mask_is_a_selection(case in cases(), mask in prop::collection::vec(any::<u64>(), 22), masked: bool) {
        let rows = case.ids.len();
        let words: Vec<u64> = (0..rows.div_ceil(64)).map(|w| mask[w] & crate::kernel::bitmap::live(rows, w)).collect();
        let passes = |&j: &u32| !masked || words[j as usize / 64] >> (j % 64) & 1 == 1;
        let selection: Vec<u32> = (0..rows as u32).filter(passes).collect();
        let group = case.groups as u32 / 2;
        let chosen = Case { ids: vec![group; selection.len()], selection: Some(selection), ..case.clone() };
        let expected = chosen.run(Simd::SCALAR).finished(&case.parts);
        for simd in Simd::available() {
            let mut states = States::new(&case.parts, case.groups);
            let mask = masked.then_some(&words[..]);
            update_one(simd, &mut states.rows(), group, &case.parts, &case.inputs(), rows, mask);
            prop_assert!(states.finished(&case.parts) == expected, "{}", simd);
        }
    }

    /// The states of two halves, merged, are those of the whole, whichever is merged into which.
    #[test]
    fn merged_parts_are_the_whole(case in cases(), cut in 0usize..1300) {
        let simd = Simd::detect();
        let expected = case.run(simd).finished(&case.parts);
        let cut = (cut / 64 * 64).min(case.ids.len());
        let half = |range: std::ops::Range<usize>| {
            let selection: Vec<u32> = match &case.selection {
                None => range.clone().map(|j| j as u32).collect(),
                Some(selection) => selection[range.clone()].to_vec(),
            };
            Case { ids: case.ids[range].to_vec(), selection: Some(selection), ..case.clone() }.run(simd)
        };
        for [first, second] in [[0..cut, cut..case.ids.len()], [cut..case.ids.len(), 0..cut]] {
            let (mut states, mut from) = (half(first), half(second));
            let groups: Vec<u32> = (0..case.groups as u32).collect();
            let end = case.groups << from.shift;
            merge(&mut states.rows(), &case.parts, &groups, &from.rows().words[..end]);
            prop_assert!(states.finished(&case.parts) == expected);
        }
    }

    /// After each row the states are those of the rows so far.
    #[test]
    fn running_states_are_those_of_the_rows_so_far(case in cases(), at in 0usize..1300) {
        let mut states = States::new(&case.parts, case.groups);
        let mut running = Box::<Running>::default();
        for simd in Simd::available() {
            states = States::new(&case.parts, case.groups);
            let mut seen = Vec::new();
            for (b, groups) in case.ids.chunks(Running::ROWS).enumerate() {
                let range = b * Running::ROWS..b * Running::ROWS + groups.len();
                running.count(&mut states.rows(), groups);
                for (part, input) in case.parts.iter().zip(&case.inputs()) {
                    running.take(simd, &mut states.rows(), *part, input, groups, range.clone(), case.selection.as_deref());
                    if range.contains(&at) {
                        let j = at - range.start;
                        seen.push((running.counts[j], part.sum.then_some(running.sums[j]), part.extremes.then_some(running.extremes[j])));
                    }
                }
            }
            let mut until = case.clone();
            if at < case.ids.len() {
                until.ids.truncate(at + 1);
                if let Some(selection) = &mut until.selection {
                    selection.truncate(at + 1);
                }
                let mut expected = until.run(Simd::SCALAR);
                let group = case.ids[at] as usize;
                let row = expected.rows().row(group).to_vec();
                for (part, (count, sum, extremes)) in case.parts.iter().zip(seen) {
                    prop_assert_eq!(count, row[0]);
                    let pick = |word: usize| [row[word], row[word + 1]];
                    if let Some(sum) = sum && part.number == Number::Integer {
                        prop_assert_eq!(sum, pick(part.sum_word()));
                    } else if let Some(sum) = sum {
                        let value = |words: [u64; 2]| pair_value(f64::from_bits(words[0]), f64::from_bits(words[1]));
                        prop_assert_eq!(order_key(value(sum)), order_key(value(pick(part.sum_word()))));
                    }
                    if let Some(extremes) = extremes && part.number == Number::Integer {
                        prop_assert_eq!(extremes, pick(part.extremes_word()));
                    } else if let Some(extremes) = extremes {
                        let bits = |words| finished_doubles(words).map(f64::to_bits);
                        prop_assert_eq!(bits(extremes), bits(pick(part.extremes_word())));
                    }
                }
            }
        }
        prop_assert_eq!(states.finished(&case.parts), case.run(Simd::SCALAR).finished(&case.parts));
    }

    /// The definition is what SQL says: exact sums, and the order in which NaN is the greatest.
    #[test]
    fn the_definition_sums_and_orders(values in prop::collection::vec(doubles(true), 1..100), ints in prop::collection::vec(any::<i64>(), 1..100)) {
        let parts = lay_out(&[(Number::Integer, true, true), (Number::Double, true, true)]);
        let rows = values.len().min(ints.len());
        let (values, ints) = (&values[..rows], &ints[..rows]);
        let inputs = [Numbers::I64(ints), Numbers::F64(values)].map(|numbers| Input { numbers, validity: None });
        let mut states = States::new(&parts, 1);
        update(Simd::SCALAR, &mut states.rows(), &parts, &inputs, &vec![0; rows], None);
        let finished = states.finished(&parts).remove(0);
        prop_assert_eq!(finished[0], rows as u64);
        prop_assert_eq!(i128_of(finished[1], finished[2]), ints.iter().map(|&v| i128::from(v)).sum::<i128>());
        prop_assert_eq!([finished[3], finished[4]], [ints.iter().min(), ints.iter().max()].map(|v| *v.unwrap() as u64));
        let plain: f64 = values.iter().sum();
        if plain.is_finite() {
            // Integers and small numbers: the sum of thousandths of a bit, rounded once.
            let exact: i128 = values.iter().map(|v| (v * 2f64.powi(60)) as i128).sum();
            prop_assert!((f64::from_bits(unkey(finished[5])) - exact as f64 / 2f64.powi(60)).abs() <= 1e-6);
        } else {
            prop_assert_eq!(finished[5], order_key(plain).cast_unsigned());
        }
        let by_order = |a: &&f64, b: &&f64| order_key(**a).cmp(&order_key(**b));
        let expected = [values.iter().min_by(by_order), values.iter().max_by(by_order)];
        prop_assert_eq!([finished[6], finished[7]].map(|bits| order_key(f64::from_bits(bits))), expected.map(|v| order_key(*v.unwrap())));
    }

    /// The variance of shifted values equals that of the values themselves, where plain DOUBLE loses every digit.
    #[test]
    fn variance_survives_a_large_mean(values in prop::collection::vec(0i32..1000, 2..100)) {
        let of = |shift: f64| {
            let mut state = [0; 5];
            values.iter().for_each(|&v| add_moments(&mut state, f64::from(v) + shift));
            squared_distances(&state)
        };
        let (plain, shifted) = (of(0.0), of(1e12));
        prop_assert!((plain - shifted).abs() <= 1e-6 * plain.max(1.0), "{} {}", plain, shifted);
    }
}

/// The bits of the DOUBLE that `order_key` made `key` of.
fn unkey(key: u64) -> u64 {
    let key = key.cast_signed();
    (key ^ ((key >> 63).cast_unsigned() >> 1).cast_signed()).cast_unsigned()
}

/// NaN and infinity in any order, over blocks and merges: the least value is NaN only if all are.
#[test]
fn nan_and_infinity_come_out_in_any_order() {
    let parts = lay_out(&[(Number::Double, false, true)]);
    let (nan, infinity) = (f64::NAN, f64::INFINITY);
    for (values, expected) in [
        (vec![nan, infinity], [infinity, nan]),
        (vec![infinity, nan], [infinity, nan]),
        (vec![nan, nan], [nan, nan]),
        (vec![infinity, infinity], [infinity, infinity]),
        (vec![-infinity, nan], [-infinity, nan]),
        (vec![-infinity], [-infinity, -infinity]),
        (vec![-0.0], [0.0, 0.0]),
    ] {
        for simd in Simd::available() {
            for groups in [1, 2, 50] {
                // One value a call, so that every value meets the states that the others left.
                let mut states = States::new(&parts, groups);
                for value in &values {
                    let inputs = [Input { numbers: Numbers::F64(&[*value, 1.0]), validity: None }];
                    update(simd, &mut states.rows(), &parts, &inputs, &[0, groups as u32 - 1][..groups.min(2)], None);
                }
                let finished = states.finished(&parts).remove(0);
                assert_eq!(finished[1..], expected.map(f64::to_bits), "{values:?} {simd} {groups}");
            }
        }
    }
}

#[test]
fn infinities_and_nan_behave_as_in_plain_addition() {
    let sum = |values: &[f64]| {
        let pair = values.iter().fold((0.0, 0.0), |(high, low), &value| {
            let (sum, error) = two_sum(high, value);
            (sum, low + error)
        });
        pair_value(pair.0, pair.1)
    };
    assert_eq!(sum(&[1.0, f64::INFINITY, 2.0]), f64::INFINITY);
    assert!(sum(&[f64::NEG_INFINITY, f64::INFINITY]).is_nan());
    assert!(sum(&[1.0, f64::NAN]).is_nan());
    assert_eq!(sum(&[1e100, 1.0, -1e100]), 1.0);
    assert_eq!(sum(&[1e308, 1e308]), f64::INFINITY);
}
