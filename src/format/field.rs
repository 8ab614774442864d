//! Where the fields of a chunk's records lie: what the text scanners find and the column builders read.

/// What a field's bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// NULL, or not there.
    Null,
    /// As they stand: an unquoted CSV field; a JSON number, `true` or `false`.
    Plain,
    /// Between quotes, nothing escaped.
    Quoted,
    /// Between quotes, with escapes.
    Escaped,
    /// A JSON object or array, as it stands.
    Nested,
}

/// One field: `bytes[start..end]` of the chunk, quotes left out.
#[derive(Debug, Clone, Copy)]
pub(super) struct FieldRef {
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) kind: Kind,
}

impl FieldRef {
    pub(super) const NULL: Self = Self { start: 0, end: 0, kind: Kind::Null };

    pub(super) fn new(start: usize, end: usize, kind: Kind) -> Self {
        // A chunk is part of a block, and blocks stay far below 4 GiB (`limits::RECORD_BYTES_MAX`).
        Self { start: start as u32, end: end as u32, kind }
    }

    pub(super) fn of<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[self.start as usize..self.end as usize]
    }
}

/// A record that is no record: where it lies and why.
#[derive(Debug, Clone)]
pub(super) struct Broken {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) reason: String,
}

/// The projected fields of the good records of a chunk, and the broken ones. Kept between chunks for its memory.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// Record-major, `width` a record.
    pub(super) fields: Vec<FieldRef>,
    pub(super) width: usize,
    /// Start and end of each record, line end included.
    pub(super) spans: Vec<(u32, u32)>,
    pub(super) broken: Vec<Broken>,
}

impl Records {
    pub(super) fn clear(&mut self, width: usize) {
        self.fields.clear();
        self.spans.clear();
        self.broken.clear();
        self.width = width;
    }

    pub(super) fn len(&self) -> usize {
        self.spans.len()
    }

    /// Starts a record with every field NULL and says where its fields are.
    pub(super) fn begin(&mut self) -> usize {
        let base = self.fields.len();
        self.fields.resize(base + self.width, FieldRef::NULL);
        base
    }

    pub(super) fn keep(&mut self, start: usize, end: usize) {
        self.spans.push((start as u32, end as u32));
    }

    /// Turns the record begun at `base` into a broken one.
    pub(super) fn reject(&mut self, base: usize, start: usize, end: usize, reason: String) {
        self.fields.truncate(base);
        self.broken.push(Broken { start, end, reason });
    }

    /// The fields of one column.
    pub(super) fn column(&self, slot: usize) -> impl Iterator<Item = FieldRef> + '_ {
        self.fields.iter().skip(slot).step_by(self.width.max(1)).copied()
    }
}

/// First `a` or `b` at or after `from`, else the length. Eight bytes a step: fields are too short for a wider search.
#[inline]
pub(super) fn find_either(bytes: &[u8], from: usize, a: u8, b: u8) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let (wide_a, wide_b) = (ONES * u64::from(a), ONES * u64::from(b));
    let mut at = from;
    while let Some(word) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*word);
        let (x, y) = (word ^ wide_a, word ^ wide_b);
        // Exact for the lowest match, which is the one that is used.
        let found = ((x.wrapping_sub(ONES) & !x) | (y.wrapping_sub(ONES) & !y)) & HIGHS;
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while at < bytes.len() && bytes[at] != a && bytes[at] != b {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn find_either_equals_the_plain_search(bytes in prop::collection::vec(prop::sample::select(vec![0u8, 1, 10, 11, 44, 45, 128, 255]), 0..40), from in 0usize..40) {
            let from = from.min(bytes.len());
            let wanted = (from..bytes.len()).find(|&i| bytes[i] == 44 || bytes[i] == 10).unwrap_or(bytes.len());
            prop_assert_eq!(find_either(&bytes, from, 44, 10), wanted);
        }
    }
}
