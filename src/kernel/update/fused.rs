//! One pass over the rows of a block that updates all words of a row before it goes to the next.

use super::block::{BLOCK, Values};
use super::sums::two_sum;
use super::{Number, Part, Rows};

/// Words that a pass looks at from its first on: the count and two parts of four words.
pub(super) const VIEW: usize = 9;

/// Rows that a prefetch is ahead. Any value is correct.
pub(super) const AHEAD: usize = 64;

/// What a pass does with the value of one row.
pub(super) trait Keep {
    /// A value.
    type Value: Copy + 'static;
    /// Words it takes.
    const WORDS: usize;
    /// Takes `value` into the words from `at` on. NaN and infinity are to be followed by [`super::plain::mark_special`].
    fn take(row: &mut [u64; VIEW], at: usize, value: Self::Value);
    /// The values.
    fn values<'a>(values: &Values<'a>) -> &'a [Self::Value];
}

/// No argument.
struct Nothing;

impl Keep for Nothing {
    type Value = ();
    const WORDS: usize = 0;

    #[inline(always)]
    fn take(_: &mut [u64; VIEW], _: usize, (): ()) {}

    fn values<'a>(_: &Values<'a>) -> &'a [()] {
        &[(); BLOCK]
    }
}

/// The sum, the extremes, or both, of integers.
pub(super) struct Integers<const SUM: bool, const EXTREMES: bool>;

impl<const SUM: bool, const EXTREMES: bool> Keep for Integers<SUM, EXTREMES> {
    type Value = i64;
    const WORDS: usize = 2 * (SUM as usize) + 2 * (EXTREMES as usize);

    #[inline(always)]
    fn take(row: &mut [u64; VIEW], mut at: usize, value: i64) {
        if SUM {
            let (low, carry) = row[at].overflowing_add(value as u64);
            row[at] = low;
            row[at + 1] = row[at + 1].wrapping_add((value >> 63) as u64).wrapping_add(u64::from(carry));
            at += 2;
        }
        if EXTREMES {
            row[at] = value.min(row[at] as i64) as u64;
            row[at + 1] = value.max(row[at + 1] as i64) as u64;
        }
    }

    fn values<'a>(values: &Values<'a>) -> &'a [i64] {
        match values {
            Values::Integers(values) => values,
            Values::Doubles(_) => panic!("a part of integers was given doubles"),
        }
    }
}

/// The sum, the extremes, or both, of doubles.
pub(super) struct Doubles<const SUM: bool, const EXTREMES: bool>;

impl<const SUM: bool, const EXTREMES: bool> Keep for Doubles<SUM, EXTREMES> {
    type Value = f64;
    const WORDS: usize = 2 * (SUM as usize) + 2 * (EXTREMES as usize);

    #[inline(always)]
    fn take(row: &mut [u64; VIEW], mut at: usize, value: f64) {
        if SUM {
            let (high, error) = two_sum(f64::from_bits(row[at]), value);
            row[at] = high.to_bits();
            row[at + 1] = (f64::from_bits(row[at + 1]) + error).to_bits();
            at += 2;
        }
        if EXTREMES {
            row[at] = least(f64::from_bits(row[at]), value).to_bits();
            row[at + 1] = greatest(f64::from_bits(row[at + 1]), value).to_bits();
        }
    }

    fn values<'a>(values: &Values<'a>) -> &'a [f64] {
        match values {
            Values::Doubles(values) => values,
            Values::Integers(_) => panic!("a part of doubles was given integers"),
        }
    }
}

/// The lesser of the two, `kept` if `value` is NaN: what `minsd` does. Called by name because the compiler otherwise joins it
/// with `greatest` into a longer sequence of vector instructions.
#[inline(always)]
fn least(kept: f64, value: f64) -> f64 {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_mm_cvtsd_f64, _mm_min_sd, _mm_set_sd};
        #[inline]
        #[target_feature(enable = "sse2")]
        fn min_sd(a: f64, b: f64) -> f64 {
            _mm_cvtsd_f64(_mm_min_sd(_mm_set_sd(a), _mm_set_sd(b)))
        }
        // SAFETY: every x86-64 CPU has SSE2.
        unsafe { min_sd(value, kept) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    if value < kept { value } else { kept }
}

/// The greater of the two, `kept` if either is NaN: what `maxsd` does.
#[inline(always)]
fn greatest(kept: f64, value: f64) -> f64 {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_mm_cvtsd_f64, _mm_max_sd, _mm_set_sd};
        #[inline]
        #[target_feature(enable = "sse2")]
        fn max_sd(a: f64, b: f64) -> f64 {
            _mm_cvtsd_f64(_mm_max_sd(_mm_set_sd(a), _mm_set_sd(b)))
        }
        // SAFETY: every x86-64 CPU has SSE2.
        unsafe { max_sd(value, kept) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    if value > kept { value } else { kept }
}

/// The same pointer, as a value that the compiler must hold in one register: with the sum of base and offset spelled out in
/// every access, as it prefers, each is split into one more instruction inside the CPU, a tenth of the whole loop.
#[inline(always)]
#[expect(clippy::pointers_in_nomem_asm_block, reason = "there is no instruction that could access memory")]
fn in_register(mut pointer: *mut u64) -> *mut u64 {
    // SAFETY: no instruction is emitted.
    unsafe { std::arch::asm!("/* {0} */", inout(reg) pointer, options(pure, nomem, nostack, preserves_flags)) };
    pointer
}

/// Asks for the line of a word that is used soon.
#[inline(always)]
pub(super) fn prefetch(pointer: *const u64) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch does not access memory as far as the program can tell; any address is allowed.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(pointer.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = pointer;
}

/// The pass. All `ids` must be below `rows.groups` + `SPARE_ROWS`; the words from `word` on are updated. If `FAR`, the rows
/// of `next` are prefetched, one with each row.
#[inline(always)]
fn pass<A: Keep, B: Keep, const COUNT: bool, const FAR: bool>(
    rows: &mut Rows<'_>,
    word: usize,
    ids: &[u32],
    next: &[u32],
    a: &[A::Value],
    b: &[B::Value],
) {
    const { assert!(COUNT as usize + A::WORDS + B::WORDS <= VIEW) };
    let shift = rows.shift;
    debug_assert!(rows.words.len() >= Rows::words_for(rows.groups, shift));
    debug_assert!(ids.iter().all(|&id| (id as usize) < rows.groups + super::SPARE_ROWS));
    let first = rows.words.as_mut_ptr().wrapping_add(word);
    let step = |id: u32, a: A::Value, b: B::Value| {
        let row = in_register(first.wrapping_add((id as usize) << shift));
        // SAFETY: `Rows::check` has seen that there are `VIEW` words behind the start of every row and spare row, wherever
        // in the row the pass begins, and `update` that no id is past them; the reference ends before the next row's begins.
        let row = unsafe { &mut *row.cast::<[u64; VIEW]>() };
        if COUNT {
            row[0] += 1;
        }
        A::take(row, usize::from(COUNT), a);
        B::take(row, usize::from(COUNT) + A::WORDS, b);
    };
    let begun = if FAR { next.len().min(ids.len()) } else { 0 };
    if FAR {
        for (((&id, &next), &a), &b) in ids.iter().zip(next).zip(a).zip(b) {
            prefetch(first.wrapping_add((next as usize) << shift));
            step(id, a, b);
        }
    }
    let (ids, a, b) = (&ids[begun..], &a[begun..ids.len()], &b[begun..ids.len()]);
    let ((id_fours, id_rest), (a_fours, a_rest), (b_fours, b_rest)) =
        (ids.as_chunks::<4>(), a.as_chunks::<4>(), b.as_chunks::<4>());
    for ((id, a), b) in id_fours.iter().zip(a_fours).zip(b_fours) {
        for k in 0..4 {
            step(id[k], a[k], b[k]);
        }
    }
    for ((&id, &a), &b) in id_rest.iter().zip(a_rest).zip(b_rest) {
        step(id, a, b);
    }
}

/// Runs `$body` with `$K` standing for what `$part` does.
macro_rules! with_kind {
    ($part:expr, $K:ident => $body:expr) => {
        match ($part.number, $part.sum, $part.extremes) {
            (Number::Integer, true, false) => with_kind!(@ Integers<true, false>, $K => $body),
            (Number::Integer, false, true) => with_kind!(@ Integers<false, true>, $K => $body),
            (Number::Integer, true, true) => with_kind!(@ Integers<true, true>, $K => $body),
            (Number::Double, true, false) => with_kind!(@ Doubles<true, false>, $K => $body),
            (Number::Double, false, true) => with_kind!(@ Doubles<false, true>, $K => $body),
            (Number::Double, true, true) => with_kind!(@ Doubles<true, true>, $K => $body),
            (_, false, false) => {}
        }
    };
    (@ $kind:ty, $K:ident => $body:expr) => {{
        type $K = $kind;
        $body
    }};
}
pub(super) use with_kind;

/// Counts rows. `next`, here and below: the ids that come [`AHEAD`] rows after `ids`, if their rows are worth a prefetch.
pub(super) fn count(rows: &mut Rows<'_>, ids: &[u32], next: Option<&[u32]>) {
    let units = &[(); BLOCK];
    match next {
        Some(next) => pass::<Nothing, Nothing, true, true>(rows, 0, ids, next, units, units),
        None => pass::<Nothing, Nothing, true, false>(rows, 0, ids, &[], units, units),
    }
}

/// Updates one part, and counts rows if `counts`, which takes the first part.
pub(super) fn single(
    rows: &mut Rows<'_>,
    counts: bool,
    ids: &[u32],
    next: Option<&[u32]>,
    (part, values): (Part, &Values<'_>),
) {
    let units = &[(); BLOCK];
    with_kind!(part, A => {
        let values = A::values(values);
        match (counts, next) {
            (true, Some(next)) => pass::<A, Nothing, true, true>(rows, 0, ids, next, values, units),
            (true, None) => pass::<A, Nothing, true, false>(rows, 0, ids, &[], values, units),
            (false, Some(next)) => pass::<A, Nothing, false, true>(rows, part.word, ids, next, values, units),
            (false, None) => pass::<A, Nothing, false, false>(rows, part.word, ids, &[], values, units),
        }
    });
}

/// Updates the first two parts and counts rows.
pub(super) fn pair(
    rows: &mut Rows<'_>,
    ids: &[u32],
    next: Option<&[u32]>,
    (a, a_values): (Part, &Values<'_>),
    (b, b_values): (Part, &Values<'_>),
) {
    with_kind!(a, A => {
        with_kind!(b, B => {
            let (a_values, b_values) = (A::values(a_values), B::values(b_values));
            match next {
                Some(next) => pass::<A, B, true, true>(rows, 0, ids, next, a_values, b_values),
                None => pass::<A, B, true, false>(rows, 0, ids, &[], a_values, b_values),
            }
        })
    });
}
