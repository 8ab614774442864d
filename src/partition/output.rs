//! A partition's way to the writer.

use std::collections::VecDeque;

use crate::batch::{Batch, BatchBuffer, RowOrder};
use crate::operator::{Context, listed};
use crate::ring::{Consumer, Producer};
use crate::types::{OrderKey, Schema};

use super::message::{DeadLetter, Output, OutputRows};

/// Collects output rows into buffers and sends them, with promises about what follows.
pub struct OutputPort {
    to: Producer<Output>,
    given_back: Consumer<OutputRows>,
    schema: Schema,
    /// Whether rows need keys one by one, because other partitions have rows between them.
    keyed: bool,
    rows_max: usize,
    current: Option<OutputRows>,
    waiting: VecDeque<Output>,
    emitted: u64,
    corrected: u64,
}

impl OutputPort {
    /// From ring ends.
    pub fn new(
        to: Producer<Output>,
        given_back: Consumer<OutputRows>,
        schema: Schema,
        keyed: bool,
        rows_max: usize,
    ) -> Self {
        Self {
            to,
            given_back,
            schema,
            keyed,
            rows_max,
            current: None,
            waiting: VecDeque::new(),
            emitted: 0,
            corrected: 0,
        }
    }

    /// Appends the surviving rows of a batch.
    pub fn collect(&mut self, batch: Batch<'_>, context: &Context<'_>) {
        let batch = listed(batch, context.arena, context.simd);
        let selected = batch.selected();
        if selected == 0 {
            return;
        }
        self.emitted += selected as u64;
        // A batch of groups is of one pane.
        if let RowOrder::Keys([key, ..]) = batch.order
            && key.stage > 0
        {
            self.corrected += selected as u64;
        }
        let current = self.current.get_or_insert_with(|| {
            let mut rows = self.given_back.pop().unwrap_or_else(|| {
                // A batch is appended whole, so a buffer holds up to two.
                let mut buffer = BatchBuffer::for_schema(&self.schema);
                buffer.reserve(2 * self.rows_max);
                let keys = Vec::with_capacity(if self.keyed { 2 * self.rows_max } else { 0 });
                OutputRows { buffer, keys, first: OrderKey::MIN }
            });
            rows.buffer.clear();
            rows.keys.clear();
            rows.first = batch.key(batch.first().unwrap_or(0));
            rows
        });
        current.buffer.append(batch.columns, batch.rows, batch.selection.list());
        if self.keyed {
            let keys = &mut current.keys;
            batch.for_each(|i| keys.push(batch.key(i)));
        }
        if current.buffer.len() >= self.rows_max {
            self.end_buffer();
        }
    }

    /// Sends off what was collected, however little: no timer decides.
    pub fn end_buffer(&mut self) {
        if let Some(rows) = self.current.take() {
            self.waiting.push_back(Output::Rows(rows));
        }
    }

    /// Promises that no row before `key` will follow.
    pub fn promise(&mut self, key: OrderKey) {
        self.end_buffer();
        self.waiting.push_back(Output::Frontier(key));
    }

    /// Sends late records on.
    pub fn late(&mut self, rows: BatchBuffer) {
        self.waiting.push_back(Output::Late(rows));
    }

    /// Sends failed records on.
    pub fn dead_letters(&mut self, letters: Vec<DeadLetter>) {
        self.waiting.push_back(Output::DeadLetters(letters));
    }

    /// Sends what waits, as far as there is room; true if anything went.
    pub fn flush(&mut self) -> bool {
        let mut sent = false;
        while self.to.has_room()
            && let Some(output) = self.waiting.pop_front()
        {
            // There was room and nobody else pushes.
            let _ = self.to.push(output);
            sent = true;
        }
        sent
    }

    /// Whether nothing waits.
    pub fn is_clear(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Rows collected so far.
    pub fn emitted(&self) -> u64 {
        self.emitted
    }

    /// Those of them that correct rows that left before.
    pub fn corrected(&self) -> u64 {
        self.corrected
    }
}
