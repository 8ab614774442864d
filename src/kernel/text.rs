//! Texts as words of keys: two words each, which are equal for equal texts of up to 16 bytes and for no others.

use super::hash::Hasher;

/// Both words of a text that is NULL. No UTF-8 text holds the byte 0xFE (or 0xFF).
pub const NULL: u64 = 0xfefe_fefe_fefe_fefe;
/// Topmost byte of the second word of a text of more than 16 bytes; the other bytes are its length, the first word its
/// hash.
pub const LONG: u64 = 0xfe << 56;
/// Texts of up to so many bytes lie in the words themselves, padded with 0xFF.
pub const SHORT_BYTES: usize = 16;

/// Padding of a short text, by its length.
static PADDING: [[u64; 2]; SHORT_BYTES + 1] = {
    let mut padding = [[0; 2]; SHORT_BYTES + 1];
    let mut length = 0;
    while length < SHORT_BYTES {
        padding[length] = match length {
            0..8 => [u64::MAX << (8 * length), u64::MAX],
            _ => [0, u64::MAX << (8 * (length - 8))],
        };
        length += 1;
    }
    padding
};

/// Length of the text of these words; `None` of a long or a NULL one.
#[inline]
pub fn short_length([first, second]: [u64; 2]) -> Option<usize> {
    let padding = match second {
        u64::MAX => 8 + first.leading_ones() / 8,
        _ if second >> 56 == LONG >> 56 => return None,
        second => second.leading_ones() / 8,
    };
    Some(SHORT_BYTES - padding as usize)
}

/// The length that the second word of a long text tells.
#[inline]
pub fn long_length(second: u64) -> Option<usize> {
    (second >> 56 == LONG >> 56 && second != NULL).then_some((second & !LONG) as usize)
}

/// The words of one text: the definition.
fn words_of(text: &[u8], hasher: &Hasher) -> [u64; 2] {
    if text.len() > SHORT_BYTES {
        return [hasher.text(text), LONG | text.len() as u64];
    }
    let mut bytes = [0xff; SHORT_BYTES];
    bytes[..text.len()].copy_from_slice(text);
    let all = u128::from_le_bytes(bytes);
    [all as u64, (all >> 64) as u64]
}

/// Writes the words of the texts `rows`, or of the first ones, to words `word` and `word + 1` of keys of `width` words, of as
/// many as there are; text `i` is `bytes[offsets[i]..offsets[i + 1]]`. Tells whether one is long.
#[inline]
pub fn pack(
    (offsets, bytes): (&[i32], &[u8]),
    rows: Option<&[u32]>,
    hasher: &Hasher,
    words: &mut [u64],
    width: usize,
    word: usize,
) -> bool {
    let count = words.len() / width;
    match rows {
        None => {
            let offsets = &offsets[..count + 1];
            pack_rows((offsets, bytes), count, |k| k, hasher, words, width, word)
        }
        Some(rows) => {
            let rows = &rows[..count];
            pack_rows((offsets, bytes), count, |k| rows[k] as usize, hasher, words, width, word)
        }
    }
}

#[inline(always)]
fn pack_rows(
    (offsets, bytes): (&[i32], &[u8]),
    count: usize,
    row: impl Fn(usize) -> usize + Copy,
    hasher: &Hasher,
    words: &mut [u64],
    width: usize,
    word: usize,
) -> bool {
    let bounds = |k: usize| {
        let i = row(k);
        (offsets[i] as u32, offsets[i + 1] as u32)
    };
    // Nearly always all texts are short, and none so near the end of the bytes that sixteen cannot be read at once.
    let (mut longest, mut last) = (0, 0);
    for k in 0..count {
        let (start, end) = bounds(k);
        longest = longest.max(end.wrapping_sub(start));
        last = last.max(start);
    }
    let fits = |start: u32, length: u32| length as usize <= SHORT_BYTES && start as usize + SHORT_BYTES <= bytes.len();
    // Called for texts that fit and no others.
    let short = |start: u32, length: u32| {
        // SAFETY: there are sixteen bytes from `start` on.
        let text = unsafe { bytes.as_ptr().add(start as usize) };
        // SAFETY: as above; any bytes are words.
        let text = unsafe { text.cast::<[u64; 2]>().read_unaligned() };
        // SAFETY: there is padding for each length up to sixteen.
        let padding = unsafe { PADDING.get_unchecked(length as usize) };
        [u64::from_le(text[0]) | padding[0], u64::from_le(text[1]) | padding[1]]
    };
    if fits(last, longest) {
        put(words, width, word, |k| {
            let (start, end) = bounds(k);
            short(start, end.wrapping_sub(start))
        });
        return false;
    }
    put(words, width, word, |k| {
        let (start, end) = bounds(k);
        match end.wrapping_sub(start) {
            length if fits(start, length) => short(start, length),
            _ => words_of(&bytes[start as usize..end as usize], hasher),
        }
    });
    longest as usize > SHORT_BYTES
}

/// Writes `text(k)` to the words of the k-th key.
#[inline(always)]
fn put(words: &mut [u64], width: usize, word: usize, text: impl Fn(usize) -> [u64; 2]) {
    if width == 2 {
        words.as_chunks_mut::<2>().0.iter_mut().enumerate().for_each(|(k, key)| *key = text(k));
    } else {
        let keys = words.chunks_exact_mut(width).enumerate();
        keys.for_each(|(k, key)| key[word..word + 2].copy_from_slice(&text(k)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Texts of all lengths, at the end of the bytes and before it, of all rows and of some, in keys of any width: the
        /// words are those of the definition, and short texts come back.
        #[test]
        fn texts_are_packed_as_defined(
            texts in prop::collection::vec(
                prop_oneof![
                    8 => prop::collection::vec(any::<u8>().prop_map(|byte| byte % 0xf8), 0..=16),
                    1 => prop::collection::vec(any::<u8>().prop_map(|byte| byte % 0xf8), 0..200),
                ],
                0..200,
            ),
            short in any::<bool>(),
            behind in 0usize..20,
            (width, word) in prop_oneof![Just((2, 0)), Just((3, 1)), Just((4, 2))],
            every in 1usize..4,
        ) {
            let texts: Vec<_> = texts.into_iter().map(|text| if short { text[..text.len().min(16)].to_vec() } else { text }).collect();
            let mut offsets = vec![0];
            let mut bytes = Vec::new();
            for text in &texts {
                bytes.extend_from_slice(text);
                offsets.push(bytes.len() as i32);
            }
            bytes.resize(bytes.len() + behind, b'x');
            let hasher = Hasher::new(3);
            let rows: Vec<u32> = (0..texts.len() as u32).rev().step_by(every).collect();
            let all: Vec<u32> = (0..texts.len() as u32).collect();
            for (list, rows) in [(None, &all), (Some(&rows[..]), &rows)] {
                let mut words = vec![7; rows.len() * width];
                let long = pack((&offsets, &bytes), list, &hasher, &mut words, width, word);
                prop_assert_eq!(long, rows.iter().any(|&row| texts[row as usize].len() > SHORT_BYTES));
                for (key, &row) in words.chunks(width).zip(rows) {
                    let text = &texts[row as usize];
                    prop_assert_eq!(&key[word..word + 2], &words_of(text, &hasher));
                    prop_assert!(key.iter().enumerate().all(|(i, &other)| i == word || i == word + 1 || other == 7));
                    let packed = [key[word], key[word + 1]];
                    prop_assert_eq!(short_length(packed), Some(text.len()).filter(|&length| length <= SHORT_BYTES));
                    prop_assert_eq!(long_length(packed[1]), Some(text.len()).filter(|&length| length > SHORT_BYTES));
                    let back = (u128::from(packed[1]) << 64 | u128::from(packed[0])).to_le_bytes();
                    prop_assert!(text.len() > SHORT_BYTES || back[..text.len()] == text[..]);
                }
            }
        }
    }

    #[test]
    fn a_null_is_no_text() {
        assert_eq!((short_length([NULL, NULL]), long_length(NULL)), (None, None));
    }
}
