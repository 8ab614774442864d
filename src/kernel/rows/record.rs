//! The record of one key, and what happens when its ring comes to the end of a line.

use super::number::{Number, Sum};

/// Words of a record's head.
pub(super) const HEAD: usize = 8;
/// Words of an aggregate: least, sum's first, greatest, sum's second. The extremes stand apart because the compiler
/// makes one vector of neighbours, which takes more instructions than two scalars.
pub(super) const WIDTH: usize = 4;
/// Rows of a line: the part of the ring that is folded ahead when the ring reaches it. Any value is correct; folding
/// ahead takes 30 instructions a row with 16, 42 with 8.
pub(super) const LINE: usize = 16;
/// Words at the start of the memory that are neutral aggregates, for frames that hold nothing old.
pub(super) const NEUTRAL: usize = LINE * WIDTH;
/// A record's places are told by 32 bits.
pub(super) const ROWS_MAX: usize = u32::MAX as usize - 64;

/// Words of the head of a record of a bounded frame.
pub(super) mod word {
    /// Next place of the ring, in words from the start of the record (low half), and where to stop (high half).
    pub const PLACE: usize = 0;
    /// The aggregate of what is older than place `p` stands at this word plus `p * WIDTH` of the memory.
    pub const OLDER: usize = 1;
    /// Rows in the frame once it is full, 0 before (low half); rows that the record has room for (high half).
    pub const ROWS: usize = 2;
    /// NULLs (low half) and NaNs (high half) in the frame.
    pub const SPECIAL: usize = 3;
    /// Aggregate of the rows since the line began, or of all rows while the frame is not full.
    pub const NEWER: usize = 4;
}

/// An aggregate of some rows. What is not asked for keeps its neutral value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Folded<T> {
    pub(super) least: T,
    pub(super) greatest: T,
    pub(super) sum: Sum,
}

impl<T: Number> Folded<T> {
    pub(super) const NEUTRAL: Self = Self { least: T::GREATEST, greatest: T::LEAST, sum: [0; 2] };

    #[inline(always)]
    pub(super) fn read(words: &[u64; WIDTH]) -> Self {
        Self { least: T::from_word(words[0]), greatest: T::from_word(words[2]), sum: [words[1], words[3]] }
    }

    #[inline(always)]
    pub(super) fn write(self, words: &mut [u64; WIDTH]) {
        *words = [self.least.to_word(), self.sum[0], self.greatest.to_word(), self.sum[1]];
    }

    /// With one more value, which is not NaN.
    #[inline(always)]
    pub(super) fn with<const SUMS: bool, const EXTREMES: bool>(self, value: T) -> Self {
        Self {
            least: if EXTREMES { self.least.least(value) } else { self.least },
            greatest: if EXTREMES { self.greatest.greatest(value) } else { self.greatest },
            sum: if SUMS { T::add(self.sum, value) } else { self.sum },
        }
    }

    /// With one more value; if it is NaN, only its sum knows of it.
    #[inline(always)]
    pub(super) fn with_special<const SUMS: bool, const EXTREMES: bool>(self, value: T) -> Self {
        let with = self.with::<SUMS, EXTREMES>(value);
        if value.is_nan() { Self { sum: with.sum, ..self } } else { with }
    }

    #[inline(always)]
    pub(super) fn join<const SUMS: bool, const EXTREMES: bool>(self, other: Self) -> Self {
        Self {
            least: if EXTREMES { self.least.least(other.least) } else { self.least },
            greatest: if EXTREMES { self.greatest.greatest(other.greatest) } else { self.greatest },
            sum: if SUMS { T::join(self.sum, other.sum) } else { self.sum },
        }
    }
}

/// The aggregate that stands at word `at`.
#[inline(always)]
pub(super) fn aggregate_at(words: &mut [u64], at: usize) -> &mut [u64; WIDTH] {
    (&mut words[at..at + WIDTH]).try_into().expect("the slice is as long")
}

/// Where the parts of a record of a bounded frame stand, in words from its start:
///
/// ```text
/// head 8 | ring: one word a row | NULL bits | older: one aggregate a row of a line | behind: one aggregate a line, one more
/// ```
/// The last two are there only once the record has room for the whole frame. `older[k]` folds what the frame holds
/// beside the rows of the line being written up to its k-th. While line `i` is written, `behind[j]` for `j > i` folds
/// lines `j..` as they were when the ring began anew, for `0 < j < i` it is the aggregate of line `j`, and `behind[0]`
/// folds the lines before `i`. Nothing is ever taken out of an aggregate.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// Rows of the frame.
    pub(super) rows: usize,
    /// Whether aggregates are kept, or just the ring.
    folds: bool,
    older: usize,
    behind: usize,
    words: usize,
}

impl Shape {
    pub(super) fn new(rows: usize, folds: bool) -> Self {
        let rows = rows.clamp(1, ROWS_MAX);
        let older = (HEAD + rows + rows.div_ceil(64)).next_multiple_of(WIDTH);
        let behind = if folds { older + rows.min(LINE) * WIDTH } else { older };
        let words = if folds { behind + (rows.div_ceil(LINE) + 1) * WIDTH } else { behind };
        Self { rows, folds, older, behind, words }
    }

    /// Words of a record of a class, and the rows that it has room for: twice the words of the class before, until the
    /// whole frame has room.
    pub(super) fn size(&self, class: u8) -> (usize, usize) {
        let words = (2 * HEAD) << class;
        let room = words - HEAD - (words - HEAD).div_ceil(65);
        if room < self.rows { (words, room) } else { (self.words.next_multiple_of(HEAD), self.rows) }
    }

    /// Writes an empty record.
    pub(super) fn write_empty<T: Number>(&self, record: &mut [u64], room: usize) {
        record.fill(0);
        record[word::ROWS] = (room as u64) << 32;
        Folded::<T>::NEUTRAL.write(aggregate_at(record, word::NEWER));
        self.set_place(record, HEAD, room);
        record[word::OLDER] = 0_u64.wrapping_sub((HEAD * WIDTH) as u64);
    }

    /// Copies a record that is full of rows, but has no room for the frame, to one with more room.
    pub(super) fn move_record(&self, from: &[u64], into: &mut [u64], room: usize) {
        let old_room = Self::room(from);
        into.fill(0);
        into[..HEAD + old_room].copy_from_slice(&from[..HEAD + old_room]);
        let bits = old_room.div_ceil(64);
        into[HEAD + room..][..bits].copy_from_slice(&from[HEAD + old_room..][..bits]);
        into[word::ROWS] = (room as u64) << 32;
        if !self.folds {
            self.set_place(into, HEAD + old_room, room);
        }
    }

    /// Rows that a record has room for.
    #[inline(always)]
    pub(super) fn room(record: &[u64]) -> usize {
        (record[word::ROWS] >> 32) as usize
    }

    /// Sets the next place, and where to stop. A ring without aggregates is gone round without a stop.
    fn set_place(&self, record: &mut [u64], place: usize, room: usize) -> usize {
        let end = HEAD + room;
        let stop = match self.folds {
            true => end.min(place + LINE),
            false if room == self.rows => 0,
            false => end,
        };
        record[word::PLACE] = place as u64 | (stop as u64) << 32;
        stop
    }

    /// The ring of the record at `start` has come to a stop: readies it for the next row. False if it must have more
    /// room first.
    #[cold]
    #[inline(never)]
    pub(super) fn turn<T: Number, const SUMS: bool, const EXTREMES: bool>(
        &self,
        words: &mut [u64],
        start: usize,
    ) -> bool {
        let record = &mut words[start..];
        let room = Self::room(record);
        let end = HEAD + room;
        let place = record[word::PLACE] as u32 as usize;
        if record[word::ROWS] as u32 == 0 {
            if place == end && room < self.rows {
                return false;
            }
            if place < end {
                self.set_place(record, place, room);
                record[word::OLDER] = 0_u64.wrapping_sub((place * WIDTH) as u64);
                return true;
            }
            assert!(self.rows < ROWS_MAX, "a frame holds {ROWS_MAX} rows of one key: there is no room for more");
            record[word::ROWS] |= self.rows as u64;
            self.fold_ring::<T, SUMS, EXTREMES>(&mut record[..self.words]);
        } else {
            self.leave_line::<T, SUMS, EXTREMES>(&mut record[..self.words], place);
        }
        let place = if place == end { HEAD } else { place };
        let stop = self.set_place(record, place, room);
        self.enter_line::<T, SUMS, EXTREMES>(&mut record[..self.words], place - HEAD, stop - HEAD);
        record[word::OLDER] = ((start + self.older) as u64).wrapping_sub((place * WIDTH) as u64);
        true
    }

    /// The ring is full for the first time: folds, for each line, what lies behind it.
    fn fold_ring<T: Number, const SUMS: bool, const EXTREMES: bool>(&self, record: &mut [u64]) {
        Folded::<T>::NEUTRAL.write(aggregate_at(record, word::NEWER));
        Folded::<T>::NEUTRAL.write(aggregate_at(record, self.behind));
        let mut folded = Folded::<T>::NEUTRAL;
        for line in (1..=self.rows.div_ceil(LINE)).rev() {
            let first = line * LINE;
            for row in (first..self.rows.min(first + LINE)).rev() {
                folded = self.with_row::<T, SUMS, EXTREMES>(record, row, folded);
            }
            folded.write(aggregate_at(record, self.behind + line * WIDTH));
        }
    }

    /// A line has been written: keeps its aggregate; at the end of the ring, folds what lies behind each line.
    #[inline(always)]
    fn leave_line<T: Number, const SUMS: bool, const EXTREMES: bool>(&self, record: &mut [u64], place: usize) {
        let line = (place - HEAD - 1) / LINE;
        let newer = Folded::<T>::read(aggregate_at(record, word::NEWER));
        Folded::<T>::NEUTRAL.write(aggregate_at(record, word::NEWER));
        let behind = record[self.behind..].as_chunks_mut::<WIDTH>().0;
        if line > 0 {
            newer.write(&mut behind[line]);
        }
        if place < HEAD + self.rows {
            let before = Folded::read(&behind[0]).join::<SUMS, EXTREMES>(newer);
            before.write(&mut behind[0]);
        } else {
            let mut folded = Folded::<T>::NEUTRAL;
            for words in behind[1..=line].iter_mut().rev() {
                folded = Folded::read(words).join::<SUMS, EXTREMES>(folded);
                folded.write(words);
            }
            Folded::<T>::NEUTRAL.write(&mut behind[0]);
        }
    }

    /// A line is about to be written over: folds, for each of its rows, the rest of the frame.
    #[inline(always)]
    fn enter_line<T: Number, const SUMS: bool, const EXTREMES: bool>(
        &self,
        record: &mut [u64],
        first: usize,
        end: usize,
    ) {
        let before = Folded::<T>::read(aggregate_at(record, self.behind));
        let behind = Folded::read(aggregate_at(record, self.behind + (first / LINE + 1) * WIDTH));
        let mut folded = behind.join::<SUMS, EXTREMES>(before);
        if record[word::SPECIAL] > 0 {
            for row in (first..end).rev() {
                folded.write(aggregate_at(record, self.older + (row - first) * WIDTH));
                folded = self.with_row::<T, SUMS, EXTREMES>(record, row, folded);
            }
            return;
        }
        let (ring, older) = record.split_at_mut(self.older);
        let values = &ring[HEAD + first..HEAD + end];
        let older = &mut older.as_chunks_mut::<WIDTH>().0[..values.len()];
        for (value, older) in values.iter().zip(older).rev() {
            folded.write(older);
            folded = folded.with::<SUMS, EXTREMES>(T::from_word(*value));
        }
    }

    /// With one more row of the ring of a record with room for the whole frame.
    fn with_row<T: Number, const SUMS: bool, const EXTREMES: bool>(
        &self,
        record: &[u64],
        row: usize,
        folded: Folded<T>,
    ) -> Folded<T> {
        match is_null(record, self.rows, row) {
            true => folded,
            false => folded.with_special::<SUMS, EXTREMES>(T::from_word(record[HEAD + row])),
        }
    }
}

/// Whether a row of the ring of a record with that room is NULL.
#[inline(always)]
pub(super) fn is_null(record: &[u64], room: usize, row: usize) -> bool {
    record[HEAD + room + row / 64] >> (row % 64) & 1 == 1
}
