//! The definition: each frame is gone through anew.

use std::collections::VecDeque;

use crate::kernel::update::{add_moments, squared_distances};

use super::number::Number;
use super::{Looks, Results};

/// Writes, for each row, what its frame holds: the last `rows` rows of its key, the row included, or all for `None`.
/// `groups[j]` is the key of the j-th, `validity` (if there are NULLs) has a set bit for each that is not. Slices of
/// `results` that are empty are left out.
pub fn rescan<T: Number>(
    rows: Option<u64>,
    groups: &[u32],
    values: &[T],
    validity: Option<&[u64]>,
    results: &mut Results<'_, T>,
) {
    let keys = groups.iter().max().map_or(0, |group| *group as usize + 1);
    let mut frames: Vec<VecDeque<Option<T>>> = vec![VecDeque::new(); keys];
    for (j, &group) in groups.iter().enumerate() {
        let frame = &mut frames[group as usize];
        if Some(frame.len() as u64) == rows {
            frame.pop_front();
        }
        let is_value = validity.is_none_or(|words| words[j / 64] >> (j % 64) & 1 == 1);
        frame.push_back(is_value.then_some(values[j]));
        write(frame, Some(frame.len() as u64) == rows, j, results);
    }
}

fn write<T: Number>(frame: &VecDeque<Option<T>>, is_full: bool, j: usize, results: &mut Results<'_, T>) {
    let mut count = 0;
    let mut nans = 0;
    let (mut least, mut greatest, mut sum) = (T::GREATEST, T::LEAST, [0; 2]);
    for value in frame.iter().flatten().copied() {
        count += 1;
        sum = T::add(sum, value);
        if value.is_nan() {
            nans += 1;
        } else {
            least = least.least(value);
            greatest = greatest.greatest(value);
        }
    }
    results.counts[j] = count;
    let (low, high) = T::finish::<false>(sum);
    put(results.sums, j, low);
    put(results.highs, j, high);
    put(results.least, j, if nans == count { T::nan() } else { least.canonical() });
    put(results.greatest, j, if nans > 0 { T::nan() } else { greatest.canonical() });
    let oldest = frame.front().copied().flatten();
    put(results.looks.oldest, j, oldest.unwrap_or_default());
    let is = u8::from(oldest.is_some()) * Looks::<T>::VALUE | u8::from(is_full) * Looks::<T>::FULL;
    put(results.looks.oldest_is, j, is);
    if !results.looks.squares.is_empty() {
        let mut moments = [0; 5];
        frame.iter().flatten().for_each(|value| add_moments(&mut moments, value.to_double()));
        results.looks.squares[j] = squared_distances(&moments);
    }
}

fn put<V>(slice: &mut [V], j: usize, value: V) {
    if let Some(slot) = slice.get_mut(j) {
        *slot = value;
    }
}
