//! The frames of all keys of a call: owns the memory of their records.

use crate::arena::{PaneArena, PaneVec};

use super::Results;
use super::number::Number;
use super::record::{Folded, HEAD, NEUTRAL, Shape, WIDTH};
use super::steps::{Input, bounded, running_words, unbounded, write_empty_running};

/// What is asked of a frame beside the number of values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Sums.
    pub sums: bool,
    /// Least and greatest values.
    pub extremes: bool,
    /// Sums of squared distances from the mean: costs time by the rows of the frame.
    pub squares: bool,
}

/// The last rows of each key, and what was asked of them, for values of one column.
#[derive(Debug)]
pub struct Frames<T> {
    /// `None` for frames without bounds.
    shape: Option<Shape>,
    wanted: Wanted,
    memory: Memory,
    /// Where the record of each key starts, in units of a head's words.
    starts: Vec<u32>,
    /// The class of each key's record, which tells its size.
    classes: Vec<u8>,
    /// Records left behind for larger ones, by class.
    free: Vec<Vec<u32>>,
    /// Whether a value was not plain, or NULL, at any time.
    special: bool,
    number: std::marker::PhantomData<T>,
}

/// Words of a cache line, which records start at.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Line([u64; HEAD]);

/// Growable words.
#[derive(Debug)]
struct Memory {
    lines: PaneVec<Line>,
}

impl Memory {
    fn words(&mut self) -> &mut [u64] {
        // SAFETY: a line is words, and any words are valid.
        let (_, words, _) = unsafe { self.lines.align_to_mut::<u64>() };
        words
    }

    /// The start of `count` more words, a multiple of a line's.
    fn take(&mut self, count: usize) -> usize {
        let lines = self.lines.len();
        self.lines.resize(lines + count / HEAD, Line([0; HEAD]));
        lines * HEAD
    }

    fn bytes(&self) -> usize {
        size_of_val(&self.lines[..])
    }
}

impl<T: Number> Frames<T> {
    /// Bytes of records from which on they are fetched ahead. Any value is correct.
    const PREFETCH_BYTES: usize = 256 << 10;

    /// No keys yet. A frame is the last `rows` rows of a key, the current one included; all of them for `None`.
    pub fn new(rows: Option<u64>, wanted: Wanted) -> Self {
        let shape =
            rows.map(|rows| Shape::new(usize::try_from(rows).unwrap_or(usize::MAX), wanted.sums || wanted.extremes));
        let mut memory = Memory { lines: PaneVec::new_in(PaneArena::default()) };
        memory.take(NEUTRAL);
        for words in memory.words()[..NEUTRAL].as_chunks_mut::<WIDTH>().0 {
            Folded::<T>::NEUTRAL.write(words);
        }
        Self {
            shape,
            wanted,
            memory,
            starts: Vec::new(),
            classes: Vec::new(),
            free: Vec::new(),
            special: false,
            number: std::marker::PhantomData,
        }
    }

    /// Bytes that they hold.
    pub fn held_bytes(&self) -> usize {
        self.memory.lines.capacity() * size_of::<Line>()
            + self.starts.capacity() * size_of::<u32>()
            + self.classes.capacity()
    }

    /// Takes rows in, in order, and writes what was asked for of the frame that ends at each: `groups[j]` is the key of
    /// the j-th, `validity` (if there are NULLs) has a set bit for each that is not. Slices of `results` that were
    /// asked for are as long as `groups`.
    pub fn push(&mut self, groups: &[u32], values: &[T], validity: Option<&[u64]>, results: &mut Results<'_, T>) {
        assert_eq!(groups.len(), values.len(), "one value a row");
        self.special |= validity.is_some() || !T::all_plain(values);
        let Some(greatest) = groups.iter().copied().max() else { return };
        while self.starts.len() <= greatest as usize {
            self.add_key();
        }
        let mut done = 0;
        while done < groups.len() {
            let prefetch = self.memory.bytes() >= Self::PREFETCH_BYTES;
            let input = Input { groups: &groups[done..], values: &values[done..], validity, first_bit: done, prefetch };
            done += self.steps(&input, &mut results.from(done));
            if done < groups.len() {
                self.grow(groups[done] as usize);
            }
        }
    }

    /// Bytes of all records, those left behind included.
    pub fn bytes(&self) -> usize {
        self.memory.bytes()
    }

    fn steps(&mut self, input: &Input<'_, T>, results: &mut Results<'_, T>) -> usize {
        let (words, starts) = (self.memory.words(), &self.starts[..]);
        let Some(shape) = &self.shape else {
            match (self.wanted.sums, self.wanted.extremes) {
                (true, true) => unbounded::<T, true, true>(words, starts, input, results),
                (true, false) => unbounded::<T, true, false>(words, starts, input, results),
                (false, true) => unbounded::<T, false, true>(words, starts, input, results),
                (false, false) => unbounded::<T, false, false>(words, starts, input, results),
            }
            return input.groups.len();
        };
        match (self.wanted.sums, self.wanted.extremes, self.special) {
            (true, true, false) => bounded::<T, true, true, false>(words, starts, shape, input, results),
            (true, true, true) => bounded::<T, true, true, true>(words, starts, shape, input, results),
            (true, false, false) => bounded::<T, true, false, false>(words, starts, shape, input, results),
            (true, false, true) => bounded::<T, true, false, true>(words, starts, shape, input, results),
            (false, true, false) => bounded::<T, false, true, false>(words, starts, shape, input, results),
            (false, true, true) => bounded::<T, false, true, true>(words, starts, shape, input, results),
            (false, false, false) => bounded::<T, false, false, false>(words, starts, shape, input, results),
            (false, false, true) => bounded::<T, false, false, true>(words, starts, shape, input, results),
        }
    }

    fn add_key(&mut self) {
        let start = match self.shape {
            None => {
                let start = self.memory.take(running_words(self.wanted.squares));
                write_empty_running::<T>(&mut self.memory.words()[start..][..running_words(self.wanted.squares)]);
                start
            }
            Some(shape) => {
                let (words, room) = shape.size(0);
                let start = self.take_record(0, words);
                shape.write_empty::<T>(&mut self.memory.words()[start..][..words], room);
                start
            }
        };
        self.starts.push(unit(start));
        self.classes.push(0);
    }

    /// A piece of memory for a record: one that was left behind, or a new one.
    fn take_record(&mut self, class: u8, words: usize) -> usize {
        let left = self.free.get_mut(usize::from(class)).and_then(Vec::pop);
        left.map_or_else(|| self.memory.take(words), |start| start as usize * HEAD)
    }

    /// Moves the record of a key to a larger one.
    fn grow(&mut self, group: usize) {
        let shape = self.shape.expect("only bounded frames grow");
        let class = self.classes[group];
        let (old_words, _) = shape.size(class);
        let (words, room) = shape.size(class + 1);
        let old = self.starts[group] as usize * HEAD;
        let new = self.take_record(class + 1, words);
        let memory = self.memory.words();
        let (from, into) = if old < new {
            let (from, into) = memory.split_at_mut(new);
            (&from[old..][..old_words], &mut into[..words])
        } else {
            let (into, from) = memory.split_at_mut(old);
            (&from[..old_words], &mut into[new..][..words])
        };
        shape.move_record(from, into, room);
        self.starts[group] = unit(new);
        self.classes[group] = class + 1;
        if self.free.len() <= usize::from(class) {
            self.free.resize_with(usize::from(class) + 1, Vec::new);
        }
        self.free[usize::from(class)].push(unit(old));
    }
}

fn unit(start: usize) -> u32 {
    u32::try_from(start / HEAD).expect("the records of frames take less than 256 GB")
}
