//! Aligned text tables for people: numbers to the right, the rest to the left, NULL as `NULL`, the row count at the end.
//!
//! Widths come from the first rows; later rows that need more stick out. Control characters are shown as escapes, so that
//! a cell is one line. Widths count characters, not terminal cells.

use arrow_array::RecordBatch;

use super::encode::{Encode, Out};
use super::value::{cells, conformed};
use crate::error::Result;
use crate::types::Schema;

/// Rows held back to find the widths.
const SAMPLE_ROWS: usize = 1000;
/// Widest column; longer text sticks out.
const WIDTH_MAX: usize = 120;

/// Writes a table.
pub(super) struct TableEncoder {
    schema: Schema,
    out: Out,
    /// Rows held back; empty once the widths are known.
    sample: Vec<Vec<String>>,
    widths: Option<Vec<usize>>,
    rows: u64,
}

impl TableEncoder {
    pub(super) fn new(schema: &Schema, out: Out) -> Self {
        Self { schema: schema.clone(), out, sample: Vec::new(), widths: None, rows: 0 }
    }

    /// Finds the widths and writes the head and the rows held back.
    fn begin(&mut self) -> Result<()> {
        if self.widths.is_some() {
            return Ok(());
        }
        let names: Vec<String> = self.schema.fields.iter().map(|field| printable(&field.name)).collect();
        let width_of = |i: usize, name: &String| {
            let cells = self.sample.iter().map(|row| row[i].chars().count());
            cells.max().unwrap_or(0).min(WIDTH_MAX).max(name.chars().count())
        };
        let widths: Vec<usize> = names.iter().enumerate().map(|(i, name)| width_of(i, name)).collect();
        let rule: Vec<String> = widths.iter().map(|width| "-".repeat(width + 2)).collect();
        self.widths = Some(widths);
        self.line(&names)?;
        self.out.buffer.extend_from_slice(rule.join("+").as_bytes());
        self.out.buffer.push(b'\n');
        for row in std::mem::take(&mut self.sample) {
            self.line(&row)?;
        }
        Ok(())
    }

    fn line(&mut self, row: &[String]) -> Result<()> {
        let widths = self.widths.as_deref().unwrap_or_default();
        let mut line = String::new();
        for (i, ((text, &width), field)) in row.iter().zip(widths).zip(&self.schema.fields).enumerate() {
            line.push_str(if i == 0 { " " } else { " | " });
            if field.data_type.is_numeric() {
                line.push_str(&format!("{text:>width$}"));
            } else {
                line.push_str(&format!("{text:<width$}"));
            }
        }
        self.out.buffer.extend_from_slice(line.trim_end().as_bytes());
        self.out.buffer.push(b'\n');
        self.out.drain_full()
    }
}

fn printable(text: &str) -> String {
    if !text.chars().any(char::is_control) {
        return text.to_string();
    }
    text.chars().map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() }).collect()
}

impl Encode for TableEncoder {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let batch = conformed(batch, &self.schema)?;
        let columns = cells(&batch, &self.schema);
        let mut bytes = Vec::new();
        for row in 0..batch.num_rows() {
            let texts = columns.iter().map(|column| {
                if column.is_null(row) {
                    return "NULL".to_string();
                }
                bytes.clear();
                column.push(&mut bytes, row);
                printable(&String::from_utf8_lossy(&bytes))
            });
            let texts: Vec<String> = texts.collect();
            self.rows += 1;
            if self.widths.is_some() {
                self.line(&texts)?;
            } else {
                self.sample.push(texts);
                if self.sample.len() == SAMPLE_ROWS {
                    self.begin()?;
                }
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        // An unbounded query flushes while rows still trickle in: people want to see those there are.
        if !self.sample.is_empty() {
            self.begin()?;
        }
        self.out.flush_all()
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.begin()?;
        let rows = if self.rows == 1 { "row" } else { "rows" };
        self.out.buffer.extend_from_slice(format!("({} {rows})\n", self.rows).as_bytes());
        self.out.flush_all()
    }
}
