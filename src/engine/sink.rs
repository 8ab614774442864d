//! Opening a sink: connector and format together take rows; commit makes them visible.

use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::RecordBatch;

use super::split::SplitNames;
use crate::connector::{DeadLetters, Output, SINK_KEYS, Sink, SinkConnector};
use crate::error::{Error, Result};
use crate::format::{Encode, FORMAT_KEYS, Format, FormatOptions, encoder};
use crate::partition::{DeadLetter, RowSink};
use crate::plan::SinkDefinition;
use crate::types::Schema;

/// Rows collected in memory, shared with the job that fills it.
#[derive(Debug, Clone, Default)]
pub(super) struct Collected(Arc<Mutex<Vec<RecordBatch>>>);

impl Collected {
    /// What was collected.
    pub(super) fn take(&self) -> Vec<RecordBatch> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

enum Rows {
    Encoded(Box<dyn Encode>),
    Collected(Collected),
    Discarded,
}

impl Rows {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        match self {
            Self::Encoded(encoder) => encoder.write(batch),
            Self::Collected(collected) => {
                collected.0.lock().unwrap_or_else(PoisonError::into_inner).push(batch.clone());
                Ok(())
            }
            Self::Discarded => Ok(()),
        }
    }
}

/// An error of a sink's options, with its name.
fn named(definition: &SinkDefinition, error: Error) -> Error {
    match error {
        Error::Config(message) => Error::Config(format!("sink {}: {message}", definition.name)),
        other => other,
    }
}

/// A sink, open.
pub(super) struct OpenSink {
    rows: Rows,
    output: Option<Box<dyn Output>>,
    letters: Option<DeadLetters>,
    late: Option<Box<OpenSink>>,
    split_names: SplitNames,
}

impl OpenSink {
    /// What a sink's options say; nothing is opened.
    pub(super) fn read(definition: &SinkDefinition) -> Result<(SinkConnector, Option<FormatOptions>)> {
        let named = |error| named(definition, error);
        let mut rest = definition.options.clone();
        let connector = SinkConnector::take(&mut rest).map_err(named)?;
        let format = if !connector.needs_format() {
            None
        } else if connector == SinkConnector::Stdout && rest.get("format").is_none() {
            Some(FormatOptions::new(Format::Table))
        } else {
            Some(FormatOptions::take(&mut rest, connector.path()).map_err(named)?)
        };
        let known = [SINK_KEYS, format.as_ref().map_or(FORMAT_KEYS, |format| format.keys())].concat();
        rest.finish(&format!("sink {}", definition.name), &known)?;
        Ok((connector, format))
    }

    /// Opens the sink of a job whose result has `schema`. What can be known to fail fails here, before input is read.
    pub(super) fn open(definition: &SinkDefinition, schema: &Schema) -> Result<Self> {
        let (connector, format) = Self::read(definition)?;
        let (rows, output) = match (connector.open()?, format) {
            (Sink::Bytes(output), Some(format)) => {
                let encoder = encoder(&format, schema, output.writer()?, output.name())?;
                (Rows::Encoded(encoder), Some(output))
            }
            (Sink::Batches(_), _) => {
                let message = "connector 'memory' gives rows to a program that embeds the engine: call Engine::collect";
                return Err(named(definition, Error::Config(message.into())));
            }
            (Sink::Bytes(_) | Sink::Blackhole, _) => (Rows::Discarded, None),
        };
        Ok(Self { rows, output, letters: None, late: None, split_names: SplitNames::default() })
    }

    /// A sink that keeps rows in memory.
    pub(super) fn collect(collected: &Collected) -> Self {
        Self {
            rows: Rows::Collected(collected.clone()),
            output: None,
            letters: None,
            late: None,
            split_names: SplitNames::default(),
        }
    }

    /// With a file for failed records, whose splits have these names.
    pub(super) fn with_dead_letters(self, letters: Option<DeadLetters>, split_names: SplitNames) -> Self {
        Self { letters, split_names, ..self }
    }

    /// With a sink for late records.
    pub(super) fn with_late(self, late: Option<OpenSink>) -> Self {
        Self { late: late.map(Box::new), ..self }
    }

    /// The part that the writer drives, and what makes it visible in the end.
    ///
    /// While the input of an unbounded job pauses, what it wrote is shown. A bounded job ends soon enough, and a table that
    /// is shown early would take its widths from what happened to be there.
    pub(super) fn into_parts(self, bounded: bool) -> (Box<dyn RowSink>, Commit) {
        let letters = Arc::new(Mutex::new(self.letters));
        let (late, late_output) = self.late.map(|late| (late.rows, late.output)).unzip();
        let commit = Commit { output: self.output, late_output: late_output.flatten(), letters: Arc::clone(&letters) };
        (Box::new(JobSink { rows: self.rows, late, letters, split_names: self.split_names, bounded }), commit)
    }
}

/// Makes what a job wrote visible. Dropped without commit, nothing appears.
pub(super) struct Commit {
    output: Option<Box<dyn Output>>,
    late_output: Option<Box<dyn Output>>,
    letters: Arc<Mutex<Option<DeadLetters>>>,
}

impl Commit {
    /// Completes the sink's output and shows it: dead letters and late records first, so that results never appear without
    /// them.
    pub(super) fn commit(self, sink: Box<dyn RowSink>) -> Result<()> {
        sink.finish()?;
        if let Some(letters) = self.letters.lock().unwrap_or_else(PoisonError::into_inner).take() {
            letters.commit()?;
        }
        self.late_output.map_or(Ok(()), |output| output.commit())?;
        self.output.map_or(Ok(()), |output| output.commit())
    }
}

struct JobSink {
    rows: Rows,
    late: Option<Rows>,
    bounded: bool,
    /// Only the writer locks it while the job runs.
    letters: Arc<Mutex<Option<DeadLetters>>>,
    split_names: SplitNames,
}

impl RowSink for JobSink {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.rows.write(batch)
    }

    fn late(&mut self, batch: &RecordBatch) -> Result<()> {
        self.late.as_mut().map_or(Ok(()), |late| late.write(batch))
    }

    fn discards(&self) -> bool {
        matches!(self.rows, Rows::Discarded)
    }

    fn keeps(&self) -> bool {
        matches!(self.rows, Rows::Collected(_))
    }

    fn flush(&mut self) -> Result<()> {
        for rows in self.late.iter_mut().chain([&mut self.rows]) {
            if let Rows::Encoded(encoder) = rows
                && !self.bounded
            {
                encoder.flush()?;
            }
        }
        Ok(())
    }

    fn dead_letters(&mut self, letters: &[DeadLetter]) -> Result<()> {
        let mut file = self.letters.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(file) = file.as_mut() else { return Ok(()) };
        for letter in letters {
            let (source, record) = self.split_names.place(letter.split, letter.failure.record);
            file.push(source, record, &letter.failure)?;
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<()> {
        for rows in self.late.into_iter().chain([self.rows]) {
            if let Rows::Encoded(encoder) = rows {
                encoder.finish()?;
            }
        }
        Ok(())
    }
}
