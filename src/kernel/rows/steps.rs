//! The loops: one row after another into the records of their keys.

use crate::kernel::update::{add_moments, squared_distances};

use super::number::Number;
use super::record::{Folded, HEAD, Shape, WIDTH, aggregate_at, is_null, word};
use super::{Looks, Results};

/// Words of the head of a record of a frame without bounds.
mod running {
    /// First value.
    pub const FIRST: usize = 0;
    /// Rows (twice), and in the lowest bit whether the first is NULL.
    pub const ROWS: usize = 1;
    pub const NULLS: usize = 2;
    pub const NANS: usize = 3;
    pub const FOLDED: usize = 4;
    /// Sums of values and squares, where VARIANCE or STDDEV is asked for.
    pub const MOMENTS: usize = 8;
}

/// Words of a record of a frame without bounds.
pub(super) fn running_words(squares: bool) -> usize {
    if squares { 2 * HEAD } else { HEAD }
}

/// Writes an empty record of a frame without bounds.
pub(super) fn write_empty_running<T: Number>(record: &mut [u64]) {
    record.fill(0);
    Folded::<T>::NEUTRAL.write(aggregate_at(record, running::FOLDED));
}

/// Rows to take in: `groups[j]` is the key of the j-th.
pub(super) struct Input<'a, T> {
    pub(super) groups: &'a [u32],
    pub(super) values: &'a [T],
    /// Bit `first_bit + j` says whether the j-th is a value, not NULL.
    pub(super) validity: Option<&'a [u64]>,
    pub(super) first_bit: usize,
    /// Whether the records are more than the nearest caches hold.
    pub(super) prefetch: bool,
}

impl<T: Number> Input<'_, T> {
    /// Rows ahead that records are fetched. Any value is correct.
    const AHEAD: usize = 16;

    #[inline(always)]
    fn get(&self, j: usize) -> Option<T> {
        let bit = self.first_bit + j;
        self.validity.is_none_or(|words| words[bit / 64] >> (bit % 64) & 1 == 1).then(|| self.values[j])
    }

    /// How many rows of the call are looked ahead from.
    #[inline(always)]
    fn prefetched(&self) -> usize {
        if self.prefetch { self.groups.len().saturating_sub(Self::AHEAD) } else { 0 }
    }

    /// Fetches the head of the record of a row to come, and the places that a nearer one will touch. `j` is below
    /// [`Self::prefetched`].
    #[inline(always)]
    fn prefetch(&self, j: usize, words: &mut [u64], starts: &[u32], bounded: bool) {
        debug_assert!(j + Self::AHEAD < self.groups.len());
        // SAFETY: that many rows are still to come.
        let far = unsafe { *self.groups.get_unchecked(j + Self::AHEAD) };
        prefetch(words, start_of(starts, far));
        if bounded {
            // SAFETY: nearer than the other.
            let near = unsafe { *self.groups.get_unchecked(j + Self::AHEAD / 2) };
            let start = start_of(starts, near);
            let head = head_at(words, start);
            let place = head[word::PLACE] as u32 as usize;
            let older = (head[word::OLDER] as usize).wrapping_add(place * WIDTH);
            prefetch(words, start + place);
            prefetch(words, older);
        }
    }
}

/// Where the record of a key starts.
#[inline(always)]
fn start_of(starts: &[u32], group: u32) -> usize {
    debug_assert!((group as usize) < starts.len());
    // SAFETY: `Frames::push` has made records for all groups of the rows before it calls the loops.
    let start = unsafe { *starts.get_unchecked(group as usize) };
    start as usize * HEAD
}

/// The head of the record that starts there.
#[inline(always)]
fn head_at(words: &mut [u64], start: usize) -> &mut [u64; HEAD] {
    debug_assert!(start + HEAD <= words.len());
    // SAFETY: `start` is of a record of this memory, and a record is not shorter than its head.
    let head = unsafe { words.get_unchecked_mut(start..start + HEAD) };
    head.try_into().expect("the slice is as long")
}

#[inline(always)]
fn prefetch(words: &[u64], at: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing that the program sees, and may be given any address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(words.as_ptr().wrapping_add(at).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (words, at);
}

/// Takes rows into bounded frames and writes their results, up to one whose record must have more room first; returns
/// how many. Without `SPECIAL`, all values are and have been plain numbers, none of them NULL.
#[inline(always)]
pub(super) fn bounded<T: Number, const SUMS: bool, const EXTREMES: bool, const SPECIAL: bool>(
    words: &mut [u64],
    starts: &[u32],
    shape: &Shape,
    input: &Input<'_, T>,
    results: &mut Results<'_, T>,
) -> usize {
    let folds = const { SUMS || EXTREMES };
    let n = input.groups.len();
    let ring_end = HEAD + shape.rows;
    let looks = !results.looks.is_empty();
    let prefetched = input.prefetched();
    let (groups, values, counts) = (&input.groups[..n], &input.values[..n], &mut results.counts[..n]);
    let (sums, highs) = if SUMS { (&mut results.sums[..n], &mut *results.highs) } else { Default::default() };
    let least = if EXTREMES { &mut results.least[..n] } else { Default::default() };
    let greatest = if EXTREMES { &mut results.greatest[..n] } else { Default::default() };
    for j in 0..n {
        if j < prefetched {
            input.prefetch(j, words, starts, true);
        }
        let start = start_of(starts, groups[j]);
        let places = head_at(words, start)[word::PLACE];
        if places as u32 == (places >> 32) as u32 && !shape.turn::<T, SUMS, EXTREMES>(words, start) {
            return j;
        }
        let head = head_at(words, start);
        let place = head[word::PLACE] as u32 as usize;
        let full_rows = head[word::ROWS] as u32 as usize;
        let rows = full_rows.max(place + 1 - HEAD);
        let older = (head[word::OLDER] as usize).wrapping_add(place * WIDTH);
        head[word::PLACE] += 1;
        if !folds && place + 1 == ring_end {
            head[word::PLACE] -= shape.rows as u64;
            head[word::ROWS] |= shape.rows as u64;
        }
        let mut newer = Folded::read(aggregate_at(head, word::NEWER));
        let room = (head[word::ROWS] >> 32) as usize;
        let mut count = rows as u64;
        let mut nans = 0;
        let value = if SPECIAL {
            let value = input.get(j);
            let record = &mut words[start..];
            let special = &mut record[word::SPECIAL];
            let (mut nulls, old_nans) = (*special & u64::from(u32::MAX), *special >> 32);
            nans = old_nans;
            let row = place - HEAD;
            if is_null(record, room, row) {
                nulls -= 1;
            }
            nans -= u64::from(T::from_word(record[place]).is_nan());
            let bits = &mut record[HEAD + room + row / 64];
            *bits &= !(1 << (row % 64));
            match value {
                Some(value) => {
                    newer = newer.with_special::<SUMS, EXTREMES>(value);
                    nans += u64::from(value.is_nan());
                }
                None => {
                    *bits |= 1 << (row % 64);
                    nulls += 1;
                }
            }
            record[word::SPECIAL] = nulls | nans << 32;
            count -= nulls;
            value.unwrap_or_default()
        } else {
            newer = newer.with::<SUMS, EXTREMES>(values[j]);
            values[j]
        };
        debug_assert!(place < HEAD + room && start + place < words.len());
        // SAFETY: the next place of a ring is less than where it stops, which is in the record.
        *unsafe { words.get_unchecked_mut(start + place) } = value.to_word();
        counts[j] = count as i64;
        if folds {
            newer.write(aggregate_at(head_at(words, start), word::NEWER));
            debug_assert!(older + WIDTH <= words.len());
            // SAFETY: a head tells of an aggregate for each place up to where its ring stops, in its record or among
            // the neutral ones, and records are never taken away from the memory.
            let older = unsafe { words.get_unchecked_mut(older..older + WIDTH) };
            let folded = Folded::<T>::read(aggregate_at(older, 0)).join::<SUMS, EXTREMES>(newer);
            if SUMS {
                let (sum, high) = if SPECIAL { T::finish::<false>(folded.sum) } else { T::finish::<true>(folded.sum) };
                sums[j] = sum;
                if T::WIDE_SUMS {
                    highs[j] = high;
                }
            }
            if EXTREMES {
                (least[j], greatest[j]) = match SPECIAL {
                    true => extremes(&folded, count, nans),
                    false => (folded.least, folded.greatest),
                };
            }
        }
        if looks {
            look_back(words, start, shape, place, rows, j, &mut results.looks);
        }
    }
    n
}

/// MIN and MAX of a frame of `count` values, of which `nans` are NaN.
#[inline(always)]
fn extremes<T: Number>(folded: &Folded<T>, count: u64, nans: u64) -> (T, T) {
    let least = if nans == count { T::nan() } else { folded.least.canonical() };
    let greatest = if nans > 0 { T::nan() } else { folded.greatest.canonical() };
    (least, greatest)
}

/// Reads the ring after a row was written to `place`: its oldest row, and all of them.
#[inline(never)]
fn look_back<T: Number>(
    words: &[u64],
    start: usize,
    shape: &Shape,
    place: usize,
    rows: usize,
    j: usize,
    looks: &mut Looks<'_, T>,
) {
    let record = &words[start..];
    let is_full = rows == shape.rows;
    let newest = place - HEAD;
    let oldest = if is_full && newest + 1 < rows { newest + 1 } else { 0 };
    let room = Shape::room(record);
    if let Some(slot) = looks.oldest.get_mut(j) {
        *slot = T::from_word(record[HEAD + oldest]);
        looks.oldest_is[j] = Looks::<T>::state(!is_null(record, room, oldest), is_full);
    }
    if let Some(slot) = looks.squares.get_mut(j) {
        let mut moments = [0; 5];
        for row in (oldest..rows).chain(0..oldest) {
            if !is_null(record, room, row) {
                add_moments(&mut moments, T::from_word(record[HEAD + row]).to_double());
            }
        }
        *slot = squared_distances(&moments);
    }
}

/// Takes rows into frames without bounds, which keep no rows, and writes their results.
#[inline(always)]
pub(super) fn unbounded<T: Number, const SUMS: bool, const EXTREMES: bool>(
    words: &mut [u64],
    starts: &[u32],
    input: &Input<'_, T>,
    results: &mut Results<'_, T>,
) {
    let looks = &mut results.looks;
    let prefetched = input.prefetched();
    for (j, &group) in input.groups.iter().enumerate() {
        if j < prefetched {
            input.prefetch(j, words, starts, false);
        }
        let record = &mut words[start_of(starts, group)..];
        let value = input.get(j);
        if record[running::ROWS] == 0 {
            record[running::FIRST] = value.unwrap_or_default().to_word();
            record[running::ROWS] = u64::from(value.is_none());
        }
        record[running::ROWS] += 2;
        let mut folded = Folded::<T>::read(aggregate_at(record, running::FOLDED));
        match value {
            Some(value) => {
                folded = folded.with_special::<SUMS, EXTREMES>(value);
                folded.write(aggregate_at(record, running::FOLDED));
                record[running::NANS] += u64::from(value.is_nan());
            }
            None => record[running::NULLS] += 1,
        }
        let (nans, count) = (record[running::NANS], record[running::ROWS] / 2 - record[running::NULLS]);
        results.counts[j] = count as i64;
        if SUMS {
            let (sum, high) = T::finish::<false>(folded.sum);
            results.sums[j] = sum;
            if T::WIDE_SUMS {
                results.highs[j] = high;
            }
        }
        if EXTREMES {
            (results.least[j], results.greatest[j]) = extremes(&folded, count, nans);
        }
        if let Some(slot) = looks.oldest.get_mut(j) {
            *slot = T::from_word(record[running::FIRST]);
            looks.oldest_is[j] = Looks::<T>::state(record[running::ROWS] & 1 == 0, false);
        }
        if let Some(slot) = looks.squares.get_mut(j) {
            let moments: &mut [u64; 5] =
                (&mut record[running::MOMENTS..running::MOMENTS + 5]).try_into().expect("five words");
            if let Some(value) = value {
                add_moments(moments, value.to_double());
            }
            *slot = squared_distances(moments);
        }
    }
}
