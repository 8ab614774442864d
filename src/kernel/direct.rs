//! Groups by direct index: a map from the number that a key has in a small domain (the code of a dictionary, an integer
//! less the least one) to its group.

/// `out[j]` is `map[indices[j]]`, or of `indices[selection[j]]`, less one; a zero in the map stands for "no group yet" and
/// comes out as `u32::MAX`. Returns whether there was one. Panics on an index past the map.
pub fn translate(map: &[u32], indices: &[u32], selection: Option<&[u32]>, out: &mut [u32]) -> bool {
    let mut least = u32::MAX;
    let mut look_up = |index: u32| {
        let group = map[index as usize];
        least = least.min(group);
        group.wrapping_sub(1)
    };
    match selection {
        None => {
            assert!(indices.len() >= out.len(), "one index a row");
            for (out, &index) in out.iter_mut().zip(indices) {
                *out = look_up(index);
            }
        }
        Some(selection) => {
            assert_eq!(selection.len(), out.len(), "one group a selected row");
            for (out, &row) in out.iter_mut().zip(selection) {
                *out = look_up(indices[row as usize]);
            }
        }
    }
    least == 0
}

/// Least and greatest value; `None` of nothing.
#[inline(always)]
pub fn bounds<T: Copy + Ord>(values: &[T]) -> Option<(T, T)> {
    let first = *values.first()?;
    // Two folds in one pass: the compiler vectorises both.
    let (mut least, mut greatest) = (first, first);
    for &value in values {
        least = least.min(value);
        greatest = greatest.max(value);
    }
    Some((least, greatest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn translation_is_a_look_up(map in prop::collection::vec(0u32..5, 1..40), rows in prop::collection::vec(any::<u32>(), 0..200)) {
            let indices: Vec<u32> = rows.iter().map(|row| row % map.len() as u32).collect();
            let expected: Vec<u32> = indices.iter().map(|&i| map[i as usize].wrapping_sub(1)).collect();
            let mut out = vec![0; indices.len()];
            let missing = translate(&map, &indices, None, &mut out);
            prop_assert_eq!(&out, &expected);
            prop_assert_eq!(missing, expected.contains(&u32::MAX));
            let selection: Vec<u32> = (0..indices.len() as u32).step_by(3).collect();
            let mut some = vec![0; selection.len()];
            translate(&map, &indices, Some(&selection), &mut some);
            prop_assert!(selection.iter().zip(&some).all(|(&row, &group)| group == expected[row as usize]));
            let expected = indices.iter().min().zip(indices.iter().max()).map(|(a, b)| (*a, *b));
            prop_assert_eq!(bounds(&indices), expected);
        }
    }
}
