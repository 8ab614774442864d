//! Text framing: reads a stream into pooled blocks and cuts chunks of whole records out of them.
//!
//! Guarantees:
//! 1. Every byte of a record is in exactly one chunk; a chunk holds whole records of one block, at most `rows_max` lines.
//! 2. `Chunk::first_record` is the line the chunk starts on, from 1; the header and newlines inside quotes count as lines.
//! 3. Nothing waits for a block to fill: whatever whole records one `read` brought leave at once.
//! 4. Only the partial record at the end of a block is copied, once, to the next one. A block is written again only when
//!    every chunk cut from it was dropped (`Arc::get_mut` proves it).
//!
//! Blank lines are skipped; CRLF and a missing last newline are left to the decoder; a byte order mark is cut off. A
//! record longer than `limits::RECORD_BYTES_MAX` (by up to a block) is an error. In steady state nothing is allocated.

use std::io::Read;
use std::sync::Arc;

use super::boundary::Boundary;
use super::options::FormatOptions;
use crate::batch::{Block, Chunk, ChunkSource, Payload, Pull};
use crate::error::{Error, Result};
use crate::limits;
use crate::types::{Sequence, SplitId};

/// Bytes of a block of a file. Any value is correct; a megabyte holds a full batch of 100-byte records.
pub(super) const FILE_BLOCK_BYTES: usize = 1 << 20;
/// Bytes of a block of a pipe: what a Linux pipe holds.
pub(super) const PIPE_BLOCK_BYTES: usize = 64 << 10;
/// Blocks made at the start; more are made only when none is free.
const BLOCKS_START: usize = 4;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Takes the header record of a file and says whether blank lines are records (the NULLs of a file of one column); an
/// error ends the job.
pub(super) type OnHeader = Box<dyn FnMut(&[u8]) -> Result<bool> + Send>;

/// Cuts one stream into chunks.
pub(super) struct Frame {
    split: SplitId,
    name: String,
    reader: Box<dyn Read + Send>,
    boundary: Boundary,
    /// Called with the header record, once; `None` once done, or if there is none.
    on_header: Option<OnHeader>,
    blank_is_record: bool,
    block_bytes: usize,
    blocks: Vec<Arc<Block>>,
    /// The block being cut.
    current: usize,
    /// Bytes of it that were read.
    filled: usize,
    /// Start of the first record that has not been cut; at most `filled`.
    record: usize,
    /// Offset in the stream of the block's first byte.
    offset: u64,
    /// Line of `record`, from 1.
    line: u64,
    /// Number of the next chunk.
    number: u64,
    /// Bytes and records of the last chunk: what records are like.
    last_cut: (usize, usize),
    /// Nothing was cut yet, so that a byte order mark may stand at the front.
    at_start: bool,
    at_end: bool,
}

impl Frame {
    pub(super) fn new(
        split: SplitId,
        name: String,
        reader: Box<dyn Read + Send>,
        options: &FormatOptions,
        on_header: Option<OnHeader>,
        block_bytes: usize,
    ) -> Self {
        let block = || Arc::new(Block { bytes: vec![0; block_bytes] });
        Self {
            split,
            name,
            reader,
            boundary: Boundary::new(options),
            on_header,
            blank_is_record: false,
            block_bytes,
            blocks: (0..BLOCKS_START).map(|_| block()).collect(),
            current: 0,
            filled: 0,
            record: 0,
            offset: 0,
            line: 1,
            number: 0,
            last_cut: (0, 0),
            at_start: true,
            at_end: false,
        }
    }

    /// Says that the stream starts at `line` in the middle of a file: no byte order mark there.
    pub(super) fn starting_at_line(mut self, line: u64) -> Self {
        self.line = line;
        self.at_start = false;
        self
    }

    /// Says whether blank lines are records, where no header tells.
    pub(super) fn with_blank_records(mut self, blank_is_record: bool) -> Self {
        self.blank_is_record = blank_is_record;
        self
    }

    fn bytes(&self) -> &[u8] {
        &self.blocks[self.current].bytes[..self.filled]
    }

    /// The next chunk and the offset of its first byte in the stream.
    pub(super) fn next_chunk(&mut self, rows_max: usize) -> Result<Option<(Chunk, u64)>> {
        loop {
            if self.at_start && !self.skip_byte_order_mark() {
                self.fill()?;
                continue;
            }
            if self.on_header.is_some() {
                if !self.take_header()? && !self.at_end {
                    self.fill()?;
                    continue;
                }
                if self.at_end && self.on_header.is_some() {
                    return Ok(None);
                }
            }
            if let Some(chunk) = self.cut(self.share(rows_max)) {
                return Ok(Some(chunk));
            }
            if self.at_end {
                return Ok(self.cut_last());
            }
            self.fill()?;
        }
    }

    /// Whether it is clear that there is no byte order mark (any more).
    fn skip_byte_order_mark(&mut self) -> bool {
        let bytes = self.bytes();
        if !self.at_end && bytes.len() < BYTE_ORDER_MARK.len() && BYTE_ORDER_MARK.starts_with(bytes) {
            return false;
        }
        if bytes.starts_with(BYTE_ORDER_MARK) {
            self.record = BYTE_ORDER_MARK.len();
            self.boundary.start_at(self.record);
        }
        self.at_start = false;
        true
    }

    /// Hands the first record that is not blank to `on_header`; false if more bytes are needed.
    fn take_header(&mut self) -> Result<bool> {
        loop {
            let bytes = &self.blocks[self.current].bytes[..self.filled];
            let end = match self.boundary.next_end(bytes, self.record) {
                Some(end) => end,
                None if self.at_end && self.record < self.filled => self.filled,
                None => return Ok(false),
            };
            let header = trim_line_end(&bytes[self.record..end]);
            let is_blank = header.is_empty();
            if !is_blank && let Some(mut on_header) = self.on_header.take() {
                self.blank_is_record = on_header(header)?;
            }
            self.line += 1 + self.boundary.take_inner_newlines();
            self.record = end;
            if !is_blank {
                return Ok(true);
            }
        }
    }

    /// Records of the next chunk: what is at hand is cut into like shares, by the size of the records before, so that
    /// partitions which get chunks in turn get the same work.
    fn share(&self, rows_max: usize) -> usize {
        let (bytes, records) = self.last_cut;
        if records == 0 {
            return rows_max;
        }
        let at_hand = (self.filled - self.record) * records / bytes.max(1);
        // A little more than the estimate: a share of a few records would be worse than a full one.
        let at_hand = at_hand + at_hand / 64 + 1;
        at_hand.div_ceil(at_hand.div_ceil(rows_max.max(1)))
    }

    /// Cuts the whole records at hand, as many as allowed.
    fn cut(&mut self, rows_max: usize) -> Option<(Chunk, u64)> {
        let bytes = &self.blocks[self.current].bytes[..self.filled];
        let (mut start, mut end) = (self.record, self.record);
        let mut first_line = self.line;
        let mut records = 0;
        let mut lines = 0;
        while lines < rows_max.max(1)
            && let Some(next) = self.boundary.next_end(bytes, end)
        {
            let is_blank = trim_line_end(&bytes[end..next]).is_empty();
            self.line += 1 + self.boundary.take_inner_newlines();
            // Blank lines at the front belong to no chunk, so that a chunk is never blank altogether.
            if is_blank && records == 0 && !self.blank_is_record {
                (start, first_line) = (next, self.line);
            } else {
                lines += 1;
                records += u32::from(!is_blank || self.blank_is_record);
            }
            end = next;
        }
        self.record = end;
        if records > 0 {
            self.last_cut = (end - start, records as usize);
        }
        (records > 0).then(|| self.chunk(start, end, first_line, records))
    }

    /// Cuts the last record, if it has no newline.
    fn cut_last(&mut self) -> Option<(Chunk, u64)> {
        let (start, end) = (self.record, self.filled);
        self.record = end;
        self.boundary.start_at(end);
        let is_blank = trim_line_end(&self.blocks[self.current].bytes[start..end]).is_empty();
        (!is_blank).then(|| self.chunk(start, end, self.line, 1))
    }

    fn chunk(&mut self, start: usize, end: usize, first_record: u64, records: u32) -> (Chunk, u64) {
        let block = Arc::clone(&self.blocks[self.current]);
        let sequence = Sequence::new(self.split, self.number);
        self.number += 1;
        let payload = Payload::Bytes { block, start, end };
        (Chunk { sequence, first_record, records, payload }, self.offset + start as u64)
    }

    /// Moves the partial record to the front of a free block and reads once behind it.
    fn fill(&mut self) -> Result<()> {
        let tail = self.filled - self.record;
        if tail > limits::RECORD_BYTES_MAX {
            return Err(Error::Data(format!(
                "{}: the record that starts on line {} is longer than {} bytes (is a quote left open?)",
                self.name,
                self.line,
                limits::RECORD_BYTES_MAX
            )));
        }
        let target = self.free_block();
        let source = self.current;
        if target == source {
            let block = Arc::get_mut(&mut self.blocks[target]).expect("the block was found to be free");
            if self.record > 0 {
                block.bytes.copy_within(self.record..self.filled, 0);
            }
            grow(&mut block.bytes, tail, self.block_bytes);
        } else {
            let source = Arc::clone(&self.blocks[source]);
            let block = Arc::get_mut(&mut self.blocks[target]).expect("the block was found to be free");
            if block.bytes.len() > 4 * self.block_bytes && tail < self.block_bytes {
                // One long record must not keep its memory for ever.
                block.bytes = vec![0; self.block_bytes];
            }
            grow(&mut block.bytes, tail, self.block_bytes);
            block.bytes[..tail].copy_from_slice(&source.bytes[self.record..self.filled]);
        }
        self.boundary.moved(self.record);
        self.offset += self.record as u64;
        self.current = target;
        self.record = 0;
        self.filled = tail;
        let block = Arc::get_mut(&mut self.blocks[target]).expect("the block was found to be free");
        loop {
            match self.reader.read(&mut block.bytes[tail..]) {
                Ok(count) => {
                    self.filled += count;
                    self.at_end = count == 0;
                    return Ok(());
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::io("read", &self.name, &error)),
            }
        }
    }

    /// A block that no chunk refers to: the current one if possible, else any, else a new one.
    fn free_block(&mut self) -> usize {
        let count = self.blocks.len();
        let order = (0..count).map(|i| (self.current + i) % count);
        for index in order {
            if Arc::get_mut(&mut self.blocks[index]).is_some() {
                return index;
            }
        }
        self.blocks.push(Arc::new(Block { bytes: vec![0; self.block_bytes] }));
        count
    }
}

/// Makes room behind `tail` bytes.
fn grow(bytes: &mut Vec<u8>, tail: usize, block_bytes: usize) {
    if tail + block_bytes / 2 > bytes.len() {
        let wanted = (tail * 2).max(block_bytes);
        if wanted > bytes.len() {
            bytes.resize(wanted, 0);
        }
    }
}

/// The line without its newline and carriage return.
pub(super) fn trim_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

impl ChunkSource for Frame {
    fn name(&self) -> &str {
        &self.name
    }

    fn pull(&mut self, rows_max: usize) -> Result<Pull> {
        Ok(self.next_chunk(rows_max)?.map_or(Pull::End, |(chunk, _)| Pull::Chunk(chunk)))
    }

    fn recycle(&mut self, chunk: Chunk) {
        // The pool holds a reference to every block; dropping the chunk's is what frees it.
        drop(chunk);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{Format, FormatOptions};
    use proptest::prelude::*;
    use std::collections::VecDeque;

    /// Gives its bytes in pieces of the sizes given, over and over.
    struct Pieces {
        bytes: Vec<u8>,
        at: usize,
        sizes: Vec<usize>,
        turn: usize,
    }

    impl Read for Pieces {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            let size = self.sizes[self.turn % self.sizes.len()].min(into.len()).min(self.bytes.len() - self.at);
            self.turn += 1;
            into[..size].copy_from_slice(&self.bytes[self.at..self.at + size]);
            self.at += size;
            Ok(size)
        }
    }

    /// The records of CSV by the plainest state machine: each with its line.
    fn naive(bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
        let (mut records, mut record, mut line, mut first_line) = (Vec::new(), Vec::new(), 1, 1);
        let (mut inside, mut field_start) = (false, true);
        for &byte in bytes {
            record.push(byte);
            line += u64::from(byte == b'\n');
            let was_start = std::mem::take(&mut field_start);
            match byte {
                b'"' if inside => inside = false,
                // A quote right after the closing one is the second half of a doubled quote.
                b'"' if was_start || record.len() > 1 && reopened(&record) => inside = true,
                b',' if !inside => field_start = true,
                b'\n' if !inside => {
                    records.push((first_line, std::mem::take(&mut record)));
                    (first_line, field_start) = (line, true);
                }
                _ => {}
            }
        }
        if !record.is_empty() {
            records.push((first_line, record));
        }
        records.retain(|(_, record)| !trim_line_end(record).is_empty());
        records
    }

    /// Whether the quote just pushed follows a quote that closed a field opened in this record.
    fn reopened(record: &[u8]) -> bool {
        let mut state = 0; // 0: field start, 1: plain, 2: inside, 3: just closed
        for &byte in &record[..record.len() - 1] {
            state = match (state, byte) {
                (0, b'"') | (3, b'"') => 2,
                (2, b'"') => 3,
                (2, _) => 2,
                (_, b',') => 0,
                _ => 1,
            };
        }
        state == 3
    }

    fn csv_text() -> impl Strategy<Value = Vec<u8>> {
        let field = prop_oneof![
            "[a-z]{0,6}".prop_map(|s| s),
            "\"[a-z,\n]{0,5}(\"\"[a-z\n]{0,3}){0,2}\"".prop_map(|s| s),
            "[a-z]{1,3}\"[a-z]{0,3}".prop_map(|s| s),
        ];
        let record = prop::collection::vec(field, 1..4).prop_map(|fields| fields.join(","));
        (prop::collection::vec((record, prop::sample::select(vec!["\n", "\r\n", "\n\n"])), 0..30), any::<bool>())
            .prop_map(|(records, ends)| {
                let mut text: String = records.into_iter().map(|(record, end)| record + end).collect();
                if !ends {
                    text.truncate(text.trim_end_matches(['\r', '\n']).len());
                }
                text.into_bytes()
            })
    }

    proptest! {
        /// Chunks hold the naive reader's records, in order, with its line numbers, whatever the block size, the read
        /// sizes, the chunk size and the delay with which chunks come back.
        #[test]
        fn framing_equals_the_naive_reader(
            bytes in csv_text(),
            mark in any::<bool>(),
            block_bytes in 4usize..80,
            sizes in prop::collection::vec(1usize..40, 1..5),
            rows_max in prop::sample::select(vec![1usize, 2, 7, 1024]),
            delay in 0usize..6,
        ) {
            let wanted = naive(&bytes);
            let bytes = if mark { [BYTE_ORDER_MARK, &bytes].concat() } else { bytes };
            let reader = Box::new(Pieces { bytes, at: 0, sizes, turn: 0 });
            let options = FormatOptions::new(Format::Csv);
            let mut frame = Frame::new(SplitId(3), "t".into(), reader, &options, None, block_bytes);
            let mut out = VecDeque::new();
            let mut found = Vec::new();
            let mut number = 0;
            let mut take = |chunk: Chunk, frame: &mut Frame| {
                let Payload::Bytes { block, start, end } = &chunk.payload else { panic!("not text") };
                // Read only now, after later pulls: a block in use must not have been written to.
                found.extend(naive(&block.bytes[*start..*end]).into_iter().map(|(line, r)| (line - 1 + chunk.first_record, r)));
                frame.recycle(chunk);
            };
            while let Pull::Chunk(chunk) = frame.pull(rows_max).unwrap() {
                prop_assert_eq!(chunk.sequence, Sequence::new(SplitId(3), number));
                prop_assert!(chunk.records as usize <= rows_max);
                number += 1;
                out.push_back(chunk);
                if out.len() > delay {
                    take(out.pop_front().unwrap(), &mut frame);
                }
            }
            out.into_iter().for_each(|chunk| take(chunk, &mut frame));
            prop_assert_eq!(found, wanted);
        }
    }

    /// A pipe's reads leave at once: each whole line is a chunk before the next read.
    #[test]
    fn nothing_waits_for_a_full_block() {
        let reader = Box::new(Pieces { bytes: b"a\nbb\nccc".to_vec(), at: 0, sizes: vec![2, 3, 3], turn: 0 });
        let options = FormatOptions::new(Format::Json);
        let mut frame = Frame::new(SplitId(0), "t".into(), reader, &options, None, 1 << 16);
        for wanted in [&b"a\n"[..], b"bb\n", b"ccc"] {
            let Pull::Chunk(chunk) = frame.pull(1024).unwrap() else { panic!("no chunk") };
            let Payload::Bytes { block, start, end } = &chunk.payload else { panic!("not text") };
            assert_eq!(&block.bytes[*start..*end], wanted);
        }
        assert!(matches!(frame.pull(1024).unwrap(), Pull::End));
        assert!(matches!(frame.pull(1024).unwrap(), Pull::End));
    }

    /// With chunks given back, a long stream needs no more blocks than at the start.
    #[test]
    fn blocks_are_used_again() {
        let bytes = b"0123456789\n".repeat(10_000);
        let reader = Box::new(std::io::Cursor::new(bytes));
        let options = FormatOptions::new(Format::Csv);
        let mut frame = Frame::new(SplitId(0), "t".into(), reader, &options, None, 256);
        let mut count = 0;
        while let Pull::Chunk(chunk) = frame.pull(1).unwrap() {
            count += chunk.records;
            frame.recycle(chunk);
        }
        assert_eq!((count, frame.blocks.len()), (10_000, BLOCKS_START));
    }

    #[test]
    fn an_endless_record_is_an_error() {
        let options = FormatOptions::new(Format::Csv);
        let reader = Box::new(std::io::repeat(b'x'));
        let mut frame = Frame::new(SplitId(0), "in.csv".into(), reader, &options, None, 1 << 20);
        let error = frame.pull(10).unwrap_err().to_string();
        assert!(error.contains("in.csv") && error.contains("line 1"), "{error}");
    }
}
