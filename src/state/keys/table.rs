//! Keys to dense numbers, in the order in which they first came.

use super::KeyHasher;
use super::domain::DirectRows;
use super::pack::{KeyLayout, KeySource, PackedColumns};
use super::slots::Slots;
use crate::arena::{PaneArena, PaneVec};
use crate::batch::ColumnBuffer;
use crate::kernel::Simd;
use crate::kernel::direct::translate;
use crate::kernel::lines::MISSING;
use crate::kernel::probe::BLOCK_ROWS;

/// Memory of one block of keys: words and hashes. One does for all tables of an operator.
#[derive(Debug, Default)]
pub struct KeyScratch(Vec<u64>);

/// Numbers keys. All of its memory is the arena's.
#[derive(Debug)]
pub struct KeyTable {
    width: usize,
    slots: Slots,
    /// Words of each key.
    words: PaneVec<u64>,
    keys: u32,
    /// The key that is NULL and nothing else, where the layout marks it so.
    absent: Option<u32>,
    /// Keys beyond so many are not taken in.
    limit: usize,
    long: LongTexts,
    /// Number plus one of each key of a small domain; a cache of `slots`.
    direct: PaneVec<u32>,
    direct_version: Option<u64>,
}

/// The texts that do not fit the words, by key and field; empty until the first one comes.
#[derive(Debug)]
struct LongTexts {
    /// Where the text of a field starts in `bytes`; its length is in the words. One entry a text field of each key.
    starts: PaneVec<u64>,
    bytes: PaneVec<u8>,
}

impl KeyTable {
    /// No keys, of the width of `layout`, in `arena`; with room for `expected` of them.
    pub fn new(layout: &KeyLayout, expected: usize, arena: &PaneArena) -> Self {
        Self {
            width: layout.width(),
            slots: Slots::new(layout.width(), expected, arena),
            words: PaneVec::with_capacity_in(expected * layout.width(), arena.clone()),
            keys: 0,
            absent: None,
            limit: u32::MAX as usize - 1,
            long: LongTexts { starts: PaneVec::new_in(arena.clone()), bytes: PaneVec::new_in(arena.clone()) },
            direct: PaneVec::new_in(arena.clone()),
            direct_version: None,
        }
    }

    /// Forgets all keys, keeps the memory.
    pub fn clear(&mut self) {
        self.slots.clear();
        self.words.clear();
        self.keys = 0;
        self.absent = None;
        self.long.starts.clear();
        self.long.bytes.clear();
        self.direct_version = None;
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.keys as usize
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.keys == 0
    }

    /// From now on a new key beyond the first `limit` gets no number but `u32::MAX`.
    pub fn limit(&mut self, limit: usize) {
        self.limit = limit.min(u32::MAX as usize - 1);
    }

    /// Writes the number of each selected row's key to `numbers`; `on_new(j)` is called, in order, for each row whose key
    /// is new, and gets the next number.
    pub fn assign(
        &mut self,
        keys: &PackedColumns<'_>,
        direct: Option<DirectRows<'_>>,
        numbers: &mut [u32],
        scratch: &mut KeyScratch,
        mut on_new: impl FnMut(usize),
    ) {
        let Some(direct) = direct else {
            return self.assign_packed(keys.layout, keys.hasher, keys, numbers, scratch, on_new);
        };
        if self.direct_version != Some(direct.version) {
            self.direct.clear();
            self.direct.resize(direct.size, 0);
            self.direct_version = Some(direct.version);
        }
        if !translate(&self.direct, direct.indices, keys.selection, numbers) {
            return;
        }
        for j in 0..numbers.len() {
            if numbers[j] == u32::MAX {
                let row = keys.selection.map_or(j, |selection| selection[j] as usize);
                let index = direct.indices[row] as usize;
                if self.direct[index] == 0 {
                    let known = self.keys;
                    self.direct[index] = self.find_or_insert_row(keys, j, scratch).wrapping_add(1);
                    if self.keys > known {
                        on_new(j);
                    }
                }
                numbers[j] = self.direct[index].wrapping_sub(1);
            }
        }
    }

    /// The same for keys from anywhere.
    pub fn assign_packed(
        &mut self,
        layout: &KeyLayout,
        hasher: &KeyHasher,
        keys: &impl KeySource,
        numbers: &mut [u32],
        scratch: &mut KeyScratch,
        on_new: impl FnMut(usize),
    ) {
        match layout.width() {
            0 => {
                numbers.fill(0);
                if !numbers.is_empty() {
                    self.number_only_key(on_new);
                }
            }
            1 => self.assign_width(Fixed::<1>, layout, hasher, keys, numbers, scratch, on_new),
            2 => self.assign_width(Fixed::<2>, layout, hasher, keys, numbers, scratch, on_new),
            3 => self.assign_width(Fixed::<3>, layout, hasher, keys, numbers, scratch, on_new),
            4 => self.assign_width(Fixed::<4>, layout, hasher, keys, numbers, scratch, on_new),
            words => self.assign_width(Any(words), layout, hasher, keys, numbers, scratch, on_new),
        }
    }

    /// Without key columns there is one key, number 0.
    pub fn number_only_key(&mut self, mut on_new: impl FnMut(usize)) {
        if self.keys == 0 {
            self.keys = 1;
            on_new(0);
        }
    }

    /// For keys of that width.
    #[expect(clippy::too_many_arguments, reason = "those of `assign_packed`, and the width")]
    fn assign_width(
        &mut self,
        width: impl Width,
        layout: &KeyLayout,
        hasher: &KeyHasher,
        keys: &impl KeySource,
        numbers: &mut [u32],
        scratch: &mut KeyScratch,
        mut on_new: impl FnMut(usize),
    ) {
        let w = width.words();
        let (simd, has_absent) = (keys.simd(), keys.has_absent());
        // Two blocks: while one is looked up memory is asked for what the next will need.
        let block = BLOCK_ROWS * (w + 1);
        scratch.0.resize(2 * block, 0);
        let (mut this, mut next) = scratch.0.split_at_mut(block);
        let total = numbers.len();
        let prepare = |from: usize, block: &mut [u64]| {
            let count = (total - from).min(BLOCK_ROWS);
            let (words, hashes) = block.split_at_mut(BLOCK_ROWS * w);
            let words = &mut words[..count * w];
            let long = keys.pack(from, count, words);
            width.hash(simd, hasher, words, &mut hashes[..count]);
            (count, long)
        };
        let mut from = 0;
        let mut prepared = prepare(0, next);
        self.slots.prefetch(&next[BLOCK_ROWS * w..][..prepared.0]);
        while from < total {
            std::mem::swap(&mut this, &mut next);
            let (count, long) = prepared;
            prepared = prepare(from + count, next);
            let (words, hashes) = this.split_at(BLOCK_ROWS * w);
            let (words, hashes) = (&words[..count * w], &hashes[..count]);
            let numbers = &mut numbers[from..from + count];
            self.reserve(count, hasher);
            let next_hashes = &next[BLOCK_ROWS * w..][..prepared.0];
            let all = self.slots.find_block(simd, words, [hashes, next_hashes], &self.words, numbers);
            from += count;
            if all && !long && !has_absent {
                continue;
            }
            // Long texts that look alike are compared in full, one by one.
            for (k, number) in numbers.iter_mut().enumerate() {
                let j = from - count + k;
                let absent = has_absent && keys.is_absent(j);
                let found = *number != MISSING && !absent && !(long && layout.has_long(&words[k * w..(k + 1) * w]));
                if !(found && width.same(&self.words, *number as usize, words, k)) {
                    let known = self.keys;
                    let key = &words[k * w..(k + 1) * w];
                    *number = if absent {
                        self.find_or_insert_absent()
                    } else {
                        self.find_or_insert(layout, key, hashes[k], &|field| keys.text(j, field))
                    };
                    if self.keys > known {
                        on_new(j);
                    }
                }
            }
        }
    }

    fn find_or_insert_row(&mut self, keys: &PackedColumns<'_>, j: usize, scratch: &mut KeyScratch) -> u32 {
        if keys.has_absent() && keys.is_absent(j) {
            return self.find_or_insert_absent();
        }
        self.reserve(1, keys.hasher);
        scratch.0.resize(self.width, 0);
        let key = &mut scratch.0[..];
        keys.pack(j, 1, key);
        match self.width {
            0 => 0,
            _ => self.find_or_insert(keys.layout, key, keys.hasher.hash(key), &|field| keys.text(j, field)),
        }
    }

    fn find_or_insert_absent(&mut self) -> u32 {
        if let Some(number) = self.absent {
            return number;
        }
        if self.is_full() {
            return u32::MAX;
        }
        let number = self.keys;
        self.absent = Some(number);
        self.words.resize(self.words.len() + self.width, 0);
        self.keys += 1;
        number
    }

    /// The number of a key; `text(field)` is a long text of it. There must be room for one more.
    fn find_or_insert<'t>(
        &mut self,
        layout: &KeyLayout,
        key: &[u64],
        hash: u64,
        text: &dyn Fn(usize) -> &'t [u8],
    ) -> u32 {
        let vacant = match self.slots.find(key, hash, |number| self.is_same(layout, number, key, text)) {
            Ok(number) => return number,
            Err(vacant) => vacant,
        };
        if self.is_full() {
            return u32::MAX;
        }
        let number = self.keys;
        self.slots.put(vacant, key, hash, number);
        // Few words: a copy of unknown length would be a call.
        key.iter().for_each(|&word| self.words.push(word));
        if !layout.texts.is_empty() {
            self.keep_long_texts(layout, key, text);
        }
        self.keys += 1;
        number
    }

    fn is_same<'t>(&self, layout: &KeyLayout, number: u32, key: &[u64], text: &dyn Fn(usize) -> &'t [u8]) -> bool {
        let number = number as usize;
        let known = &self.words[number * self.width..(number + 1) * self.width];
        known == key
            && (self.long.starts.is_empty()
                || layout.texts.iter().enumerate().all(|(t, text_field)| match text_field.long_length(key) {
                    Some(_) => self.long_text(layout, number, t) == text(text_field.field),
                    None => true,
                }))
    }

    fn keep_long_texts<'t>(&mut self, layout: &KeyLayout, key: &[u64], text: &dyn Fn(usize) -> &'t [u8]) {
        if self.long.starts.is_empty() {
            if layout.texts.iter().all(|field| field.long_length(key).is_none()) {
                return;
            }
            // The keys so far have no long text.
            self.long.starts.resize(self.keys as usize * layout.texts.len(), 0);
        }
        for field in &layout.texts {
            self.long.starts.push(self.long.bytes.len() as u64);
            if field.long_length(key).is_some() {
                self.long.bytes.extend_from_slice(text(field.field));
            }
        }
    }

    /// The text of the t-th text field, which is long.
    fn long_text(&self, layout: &KeyLayout, number: usize, t: usize) -> &[u8] {
        let start = self.long.starts[number * layout.texts.len() + t] as usize;
        let length = layout.texts[t].long_length(self.words(number as u32)).unwrap_or(0);
        &self.long.bytes[start..start + length]
    }

    /// The words of a key.
    pub fn words(&self, number: u32) -> &[u64] {
        let number = number as usize;
        &self.words[number * self.width..(number + 1) * self.width]
    }

    /// Appends the keys of `numbers` to `columns`, one a field.
    pub fn push_keys(&self, layout: &KeyLayout, numbers: &[u32], columns: &mut [ColumnBuffer]) {
        for (field, column) in columns.iter_mut().enumerate() {
            let words = |k: usize| self.words(numbers[k]);
            let is_absent = |k: usize| self.absent == Some(numbers[k]);
            let text = |k: usize, t| self.long_text(layout, numbers[k] as usize, t);
            layout.unpack(field, numbers.len(), words, is_absent, text, column);
        }
    }

    /// Copies some keys to where they may cross threads.
    pub fn export(&self, layout: &KeyLayout, numbers: &[u32], into: &mut KeyBlock) {
        for &number in numbers {
            let words = self.words(number);
            if self.absent == Some(number) {
                into.absent.push(into.keys);
            }
            if !self.long.starts.is_empty() {
                for (t, field) in layout.texts.iter().enumerate() {
                    if field.long_length(words).is_some() {
                        into.long.push((into.keys * layout.texts.len() + t, into.bytes.len()));
                        into.bytes.extend_from_slice(self.long_text(layout, number as usize, t));
                    }
                }
            }
            into.words.extend_from_slice(words);
            into.keys += 1;
        }
    }

    /// Writes to `lists[o]` the keys that partition `o` of as many as there are lists owns.
    pub fn by_owner(&self, hasher: &KeyHasher, lists: &mut [Vec<u32>]) {
        let owners = lists.len();
        lists.iter_mut().for_each(Vec::clear);
        for number in 0..self.keys {
            lists[KeyHasher::owner(hasher.hash(self.words(number)), owners)].push(number);
        }
    }

    fn is_full(&self) -> bool {
        assert!(self.keys < u32::MAX - 1, "a table holds fewer than 2^32 keys");
        self.keys as usize >= self.limit
    }

    /// Makes room for `more` keys.
    fn reserve(&mut self, more: usize, hasher: &KeyHasher) {
        self.slots.reserve(self.keys as usize + more.min(self.limit.saturating_sub(self.keys as usize)), hasher);
    }
}

/// Number of words of a key: known when compiling for narrow keys, so that comparing and hashing are a few instructions.
trait Width: Copy {
    fn words(self) -> usize;

    fn hash(self, simd: Simd, hasher: &KeyHasher, words: &[u64], hashes: &mut [u64]);

    /// Whether key `i` of some keys is key `j` of others. Keys of one or two words are not compared again: lines hold them.
    fn same(self, some: &[u64], i: usize, others: &[u64], j: usize) -> bool;
}

#[derive(Clone, Copy)]
struct Fixed<const W: usize>;

impl<const W: usize> Width for Fixed<W> {
    #[inline(always)]
    fn words(self) -> usize {
        W
    }

    #[inline(always)]
    fn hash(self, simd: Simd, hasher: &KeyHasher, words: &[u64], hashes: &mut [u64]) {
        hasher.hasher.keys::<W>(simd, words, hashes);
    }

    #[inline(always)]
    fn same(self, some: &[u64], i: usize, others: &[u64], j: usize) -> bool {
        W <= 2 || some.as_chunks::<W>().0[i] == others.as_chunks::<W>().0[j]
    }
}

#[derive(Clone, Copy)]
struct Any(usize);

impl Width for Any {
    fn words(self) -> usize {
        self.0
    }

    fn hash(self, _: Simd, hasher: &KeyHasher, words: &[u64], hashes: &mut [u64]) {
        for (key, hash) in words.chunks_exact(self.0).zip(hashes) {
            *hash = hasher.hash(key);
        }
    }

    fn same(self, some: &[u64], i: usize, others: &[u64], j: usize) -> bool {
        some[i * self.0..(i + 1) * self.0] == others[j * self.0..(j + 1) * self.0]
    }
}

/// Some keys on their way to another table: plain vectors, which may cross threads.
#[derive(Debug, Default)]
pub struct KeyBlock {
    keys: usize,
    words: Vec<u64>,
    /// Ascending.
    absent: Vec<usize>,
    /// Key and text field (as one number), and where its text starts in `bytes`, of each long text; ascending.
    long: Vec<(usize, usize)>,
    bytes: Vec<u8>,
}

impl KeyBlock {
    /// Number of keys.
    pub fn len(&self) -> usize {
        self.keys
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.keys == 0
    }

    /// Appends the keys of rows.
    pub fn push_rows(&mut self, keys: &PackedColumns<'_>) {
        let (layout, count) = (keys.layout, keys.len());
        let start = self.words.len();
        self.words.resize(start + count * layout.width(), 0);
        let long = keys.pack(0, count, &mut self.words[start..]);
        if long {
            for (j, key) in self.words[start..].chunks_exact(layout.width()).enumerate() {
                for (t, field) in layout.texts.iter().enumerate() {
                    if field.long_length(key).is_some() {
                        self.long.push(((self.keys + j) * layout.texts.len() + t, self.bytes.len()));
                        self.bytes.extend_from_slice(keys.text(j, field.field));
                    }
                }
            }
        }
        if keys.has_absent() {
            self.absent.extend((0..count).filter(|&j| keys.is_absent(j)).map(|j| self.keys + j));
        }
        self.keys += count;
    }

    /// Bytes that it holds.
    pub fn held_bytes(&self) -> usize {
        let texts = self.long.capacity() * size_of::<(usize, usize)>() + self.bytes.capacity();
        (self.words.capacity() + self.absent.capacity()) * size_of::<u64>() + texts
    }

    /// Drops all keys, keeps the memory.
    pub fn clear(&mut self) {
        self.keys = 0;
        self.words.clear();
        self.absent.clear();
        self.long.clear();
        self.bytes.clear();
    }
}

/// A block with the layout that its keys have.
#[derive(Debug, Clone, Copy)]
pub struct BlockKeys<'a> {
    /// The layout.
    pub layout: &'a KeyLayout,
    /// The keys.
    pub block: &'a KeyBlock,
}

impl KeySource for BlockKeys<'_> {
    fn len(&self) -> usize {
        self.block.keys
    }

    fn simd(&self) -> Simd {
        // Groups are merged far more seldom than rows are grouped.
        Simd::WIDE
    }

    fn pack(&self, from: usize, count: usize, words: &mut [u64]) -> bool {
        let width = self.layout.width();
        words.copy_from_slice(&self.block.words[from * width..(from + count) * width]);
        !self.block.long.is_empty()
    }

    fn has_absent(&self) -> bool {
        !self.block.absent.is_empty()
    }

    fn is_absent(&self, j: usize) -> bool {
        self.block.absent.binary_search(&j).is_ok()
    }

    fn text(&self, j: usize, field: usize) -> &[u8] {
        let t = self.layout.texts.iter().position(|text| text.field == field).expect("the field is text");
        let at = self.block.long.binary_search_by_key(&(j * self.layout.texts.len() + t), |&(key, _)| key);
        let start = self.block.long[at.expect("the text is long")].1;
        let key = &self.block.words[j * self.layout.width()..(j + 1) * self.layout.width()];
        let length = self.layout.texts[t].long_length(key).unwrap_or(0);
        &self.block.bytes[start..start + length]
    }
}
