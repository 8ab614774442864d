//! Text of MIN and MAX: a heap of bytes, and words that say where in it a piece stands.

use allocator_api2::alloc::Allocator;
use allocator_api2::vec::Vec;

use super::layout::NO_TEXT;

/// Bits of a text word that hold its length; the others hold where it starts. A record is shorter than 2^27 bytes
/// (`limits::RECORD_BYTES_MAX`), and so is its text.
const LENGTH_BITS: u32 = 27;

/// The word of a text that starts at `start`.
pub(super) fn word_of(start: usize, length: usize) -> u64 {
    assert!(length < 1 << LENGTH_BITS, "a text of {length} bytes is longer than a record may be");
    (start as u64) << LENGTH_BITS | length as u64
}

/// Where the text of `word` starts.
pub(super) fn start_of(word: u64) -> usize {
    (word >> LENGTH_BITS) as usize
}

/// Where the text of `word` stands.
pub(super) fn range_of(word: u64) -> std::ops::Range<usize> {
    let start = start_of(word);
    start..start + (word & ((1 << LENGTH_BITS) - 1)) as usize
}

/// The text of `word`, if there is one.
pub(super) fn text_of(heap: &[u8], word: u64) -> Option<&[u8]> {
    (word != NO_TEXT).then(|| &heap[range_of(word)])
}

/// Keeps `text` in place of that of `word` if there is none, or if it is less (`LEAST`) or greater.
pub(super) fn keep<const LEAST: bool, A: Allocator>(word: &mut u64, heap: &mut Vec<u8, A>, text: &[u8]) {
    let better = match text_of(heap, *word) {
        None => true,
        Some(kept) if LEAST => text < kept,
        Some(kept) => text > kept,
    };
    if !better {
        return;
    }
    // The old text's place is used again if it is long enough, so that a value that only grows in rank leaves no trail.
    if *word != NO_TEXT && text.len() <= range_of(*word).len() {
        let start = range_of(*word).start;
        heap[start..start + text.len()].copy_from_slice(text);
        *word = word_of(start, text.len());
    } else {
        heap.extend_from_slice(text);
        *word = word_of(heap.len() - text.len(), text.len());
    }
}
