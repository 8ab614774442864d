//! Every level against the array of lanes, to the bit; and that against plain loops.

use proptest::prelude::*;

use super::*;

fn double() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => -1e3..1e3,
        2 => any::<f64>(),
        1 => prop::sample::select(vec![0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN]),
    ]
}

fn bits(result: Doubles) -> [u64; 4] {
    // Which NaN comes out of an operation on two is the CPU's choice of operand.
    [result.high, result.low, result.least, result.greatest].map(|v| if v.is_nan() { 0 } else { v.to_bits() })
}

proptest! {
    #[test]
    fn every_level_is_the_definition(
        doubles_in in prop::collection::vec(double(), 0..330),
        ints in prop::collection::vec(any::<i64>(), 330),
        mask in prop_oneof![
            prop::collection::vec(any::<u64>(), 6),
            prop::collection::vec(prop::sample::select(vec![0, u64::MAX, 0xAAAA_AAAA_AAAA_AAAA]), 6),
        ],
        masked: bool,
        id in 0u32..3,
    ) {
        let rows = doubles_in.len();
        let words: Vec<u64> = (0..rows.div_ceil(64)).map(|w| mask[w] & live(rows, w)).collect();
        let mask: Mask<'_> = masked.then_some(&words[..]);
        let passes = |i: &usize| mask.is_none_or(|words| words[i / 64] >> (i % 64) & 1 == 1);
        let chosen: Vec<usize> = (0..rows).filter(passes).collect();
        let ints = &ints[..rows];
        let ids: Vec<u32> = ints.iter().map(|v| (v % 3).unsigned_abs() as u32).collect();
        for simd in Simd::available() {
            prop_assert_eq!(bits(doubles::<true, true>(simd, &doubles_in, mask)), bits(doubles::<true, true>(Simd::SCALAR, &doubles_in, mask)));
            prop_assert_eq!(bits(doubles::<true, false>(simd, &doubles_in, mask)), bits(doubles::<true, false>(Simd::SCALAR, &doubles_in, mask)));
            let least = chosen.iter().map(|&i| doubles_in[i]).filter(|v| !v.is_nan()).fold(f64::INFINITY, f64::min);
            let greatest = chosen.iter().map(|&i| doubles_in[i]).filter(|v| !v.is_nan()).fold(f64::NEG_INFINITY, f64::max);
            let extremes = doubles::<false, true>(simd, &doubles_in, mask);
            prop_assert_eq!((extremes.high, extremes.least, extremes.greatest), (0.0, least, greatest));
            let expected = Integers {
                sum: chosen.iter().map(|&i| i128::from(ints[i])).sum(),
                least: chosen.iter().map(|&i| ints[i]).min().unwrap_or(i64::MAX),
                greatest: chosen.iter().map(|&i| ints[i]).max().unwrap_or(i64::MIN),
            };
            prop_assert_eq!(integers::<true, true>(simd, ints, mask), expected);
            prop_assert_eq!(integers::<true, false>(simd, ints, mask).sum, expected.sum);
            prop_assert_eq!(integers::<false, true>(simd, ints, mask), Integers { sum: 0, ..expected });
            let special = chosen.iter().any(|&i| doubles_in[i].is_nan() || doubles_in[i] == f64::INFINITY);
            prop_assert_eq!(any_special(simd, &doubles_in, mask), special);
            prop_assert_eq!(count(rows, mask), chosen.len() as u64);
            let mut out = vec![u64::MAX; rows.div_ceil(64)];
            equal(simd, &ids, id, &mut out);
            for i in 0..out.len() * 64 {
                prop_assert_eq!(out[i / 64] >> (i % 64) & 1 == 1, i < rows && ids[i] == id);
            }
        }
    }
}
