//! Cutting one text file into byte ranges on record boundaries, so that several readers can share it.
//!
//! JSON is cut by looking for one newline at each border. CSV must be scanned once from the front, because only that tells
//! whether a newline stands inside quotes; the scan costs a fraction of decoding and brings the line numbers along.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use super::frame::{FILE_BLOCK_BYTES, Frame};
use super::options::{Format, FormatOptions};
use super::source::open;
use crate::batch::Payload;
use crate::error::{Error, Result};
use crate::types::SplitId;

/// Records between two looks at the target; borders are this exact.
const STEP_RECORDS: usize = 64;

/// A part of a text file: whole records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRange {
    /// First byte.
    pub start: u64,
    /// Past the last byte.
    pub end: u64,
    /// The line that the range starts on, from 1. `None` where it is not known (JSON): failures are then numbered from
    /// the start of the range.
    pub first_line: Option<u64>,
}

/// Cuts the file into at most `parts` ranges of about equal size that cover it. A format that cannot be cut (Parquet and
/// Arrow, whose chunks are row groups; CSV with an escape byte of its own) gives one range.
pub fn split_points(path: &Path, options: &FormatOptions, parts: usize) -> Result<Vec<ByteRange>> {
    let mut file = open(path)?;
    let length = file.metadata().map_err(|error| Error::io("read", path, &error))?.len();
    let targets: Vec<u64> = (1..parts.max(1) as u64).map(|i| length / parts as u64 * i).collect();
    let borders = match options.format {
        Format::Json => json_borders(&mut file, path, &targets)?,
        Format::Csv if options.escape == options.quote => csv_borders(file, path, options, &targets)?,
        _ => Vec::new(),
    };
    let mut ranges = Vec::with_capacity(parts);
    let (mut start, mut first_line) = (0, Some(1));
    for (border, line) in borders {
        if border > start && border < length {
            ranges.push(ByteRange { start, end: border, first_line });
            (start, first_line) = (border, line);
        }
    }
    ranges.push(ByteRange { start, end: length, first_line });
    Ok(ranges)
}

/// For each target the first record start at or after it, and its line.
type Borders = Vec<(u64, Option<u64>)>;

fn json_borders(file: &mut std::fs::File, path: &Path, targets: &[u64]) -> Result<Borders> {
    let mut borders = Vec::with_capacity(targets.len());
    let mut buffer = vec![0; 64 << 10];
    for &target in targets.iter().filter(|target| **target > 0) {
        // From the byte before: a record may start exactly at the target.
        let mut at = target - 1;
        file.seek(SeekFrom::Start(at)).map_err(|error| Error::io("read", path, &error))?;
        loop {
            let count = file.read(&mut buffer).map_err(|error| Error::io("read", path, &error))?;
            if let Some(newline) = memchr::memchr(b'\n', &buffer[..count]) {
                borders.push((at + newline as u64 + 1, None));
                break;
            }
            if count == 0 {
                break;
            }
            at += count as u64;
        }
    }
    Ok(borders)
}

fn csv_borders(file: std::fs::File, path: &Path, options: &FormatOptions, targets: &[u64]) -> Result<Borders> {
    let on_header = options.header.then(|| Box::new(|_: &[u8]| Ok(true)) as super::frame::OnHeader);
    let name = path.display().to_string();
    let mut frame =
        Frame::new(SplitId(0), name, Box::new(file), options, on_header, FILE_BLOCK_BYTES).with_blank_records(true);
    let mut borders = Vec::with_capacity(targets.len());
    let mut targets = targets.iter().peekable();
    while targets.peek().is_some() {
        let Some((chunk, offset)) = frame.next_chunk(STEP_RECORDS)? else { break };
        while targets.next_if(|target| offset >= **target).is_some() {
            borders.push((offset, Some(chunk.first_record)));
        }
        debug_assert!(matches!(chunk.payload, Payload::Bytes { .. }));
    }
    Ok(borders)
}
