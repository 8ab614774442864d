//! The file of records that could not be read or came too late: one JSON object a line.
//!
//! ```json
//! {"source":"trades.csv","record":17,"reason":"column \"price\": 'abc' is not a DOUBLE","raw":"2013,...,abc"}
//! ```
//! Bytes of `raw` that are not UTF-8 are replaced. The file becomes visible at [`DeadLetters::commit`], like any other sink.

use std::io::{BufWriter, Write};

use serde::Serialize;

use super::sink::Output;
use crate::batch::Failure;
use crate::error::{Error, Result};

#[derive(Serialize)]
struct Line<'a> {
    source: &'a str,
    record: u64,
    reason: &'a str,
    raw: &'a str,
}

/// Writes dead letters.
pub struct DeadLetters {
    output: Box<dyn Output>,
    writer: BufWriter<Box<dyn Write + Send>>,
    count: u64,
}

impl DeadLetters {
    /// Over an output that nobody else writes to.
    pub fn new(output: Box<dyn Output>) -> Result<Self> {
        let writer = BufWriter::new(output.writer()?);
        Ok(Self { output, writer, count: 0 })
    }

    /// Writes one record; `source` is the name of its split and `record` its number there.
    pub fn push(&mut self, source: &str, record: u64, failure: &Failure) -> Result<()> {
        let raw = String::from_utf8_lossy(&failure.raw);
        let line = Line { source, record, reason: &failure.reason, raw: &raw };
        self.count += 1;
        let written = serde_json::to_writer(&mut self.writer, &line).map_err(std::io::Error::from);
        let written = written.and_then(|()| self.writer.write_all(b"\n"));
        written.map_err(|error| Error::io("write", self.output.name(), &error))
    }

    /// Records written so far.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Hands everything written to the operating system.
    pub fn flush(&mut self) -> Result<()> {
        self.writer.flush().map_err(|error| Error::io("write", self.output.name(), &error))
    }

    /// Makes the file visible.
    pub fn commit(mut self) -> Result<()> {
        self.flush()?;
        let Self { output, writer, .. } = self;
        drop(writer);
        output.commit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_record_is_one_line_of_json() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("bad.jsonl");
        let mut letters = DeadLetters::new(super::super::sink::open_file(&path).unwrap()).unwrap();
        let failure = Failure { record: 3, reason: "no \"x\"".into(), raw: b"a\n\xff".to_vec() };
        letters.push("in.csv", 3, &failure).unwrap();
        assert_eq!(letters.count(), 1);
        letters.commit().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "{\"source\":\"in.csv\",\"record\":3,\"reason\":\"no \\\"x\\\"\",\"raw\":\"a\\n\u{fffd}\"}\n");
    }
}
