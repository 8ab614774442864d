//! Record batches in memory as a source.
//!
//! Guarantees: columns are projected and brought to canonical types once, when the reader is made; a chunk then costs a
//! reference count and nothing else.

use std::sync::Arc;

use arrow_array::RecordBatch;

use crate::batch::{Chunk, ChunkSource, Decode, Decoded, Payload, Pull, Slice, conform};
use crate::error::{Error, Result, nearest};
use crate::types::{Schema, Sequence, SplitId};

/// Reads one split of record batches.
#[derive(Debug)]
pub struct MemorySource {
    split: SplitId,
    batches: Vec<Arc<RecordBatch>>,
    /// The batch to cut next, and its rows that are gone.
    batch: usize,
    offset: usize,
    number: u64,
    rows: u64,
}

/// The reader of one split: the columns of `schema` at `projection`, found by name in each batch.
pub fn memory_reader(
    split: SplitId,
    batches: &[Arc<RecordBatch>],
    schema: &Schema,
    projection: &[usize],
) -> Result<MemorySource> {
    let projected = schema.project(projection);
    let prepare = |batch: &Arc<RecordBatch>| -> Result<Arc<RecordBatch>> {
        let columns: Vec<usize> = projected
            .fields
            .iter()
            .map(|field| {
                let schema = batch.schema();
                let names = || schema.fields().iter().map(|f| f.name().as_str());
                let index = names().position(|name| name.eq_ignore_ascii_case(&field.name));
                index.ok_or_else(|| {
                    let hint = nearest(&field.name, names()).map(|near| format!(": did you mean \"{near}\"?"));
                    Error::Data(format!("a record batch has no column \"{}\"{}", field.name, hint.unwrap_or_default()))
                })
            })
            .collect::<Result<_>>()?;
        let batch = batch.project(&columns).map_err(|error| Error::Data(error.to_string()))?;
        Ok(Arc::new(conform(&batch, &projected)?))
    };
    let batches = batches.iter().map(prepare).collect::<Result<_>>()?;
    Ok(MemorySource { split, batches, batch: 0, offset: 0, number: 0, rows: 0 })
}

impl ChunkSource for MemorySource {
    fn name(&self) -> &str {
        "memory"
    }

    fn pull(&mut self, rows_max: usize) -> Result<Pull> {
        let batch = loop {
            let Some(batch) = self.batches.get(self.batch) else { return Ok(Pull::End) };
            if self.offset < batch.num_rows() {
                break batch;
            }
            self.batch += 1;
            self.offset = 0;
        };
        let rows = (batch.num_rows() - self.offset).min(rows_max.clamp(1, u32::MAX as usize));
        let chunk = Chunk {
            sequence: Sequence::new(self.split, self.number),
            first_record: self.rows + 1,
            records: rows as u32,
            payload: Payload::Columns { batch: Arc::clone(batch), offset: self.offset, rows },
        };
        self.offset += rows;
        self.number += 1;
        self.rows += rows as u64;
        Ok(Pull::Chunk(chunk))
    }

    fn recycle(&mut self, _chunk: Chunk) {}
}

/// Passes the reader's slices on.
#[derive(Debug, Default, Clone, Copy)]
pub struct MemoryDecoder;

impl Decode for MemoryDecoder {
    fn decode(&mut self, chunk: &Chunk, rows_max: usize, into: &mut Decoded) -> Result<()> {
        let Payload::Columns { batch, offset, rows } = &chunk.payload else {
            return Err(Error::Data("a memory decoder was given a chunk that holds no columns".into()));
        };
        let rows_max = rows_max.max(1);
        for done in (0..*rows).step_by(rows_max) {
            let rows = rows_max.min(rows - done);
            into.slices.push(Slice { batch: Arc::clone(batch), offset: offset + done, rows });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{DataType, Field};
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;
    use arrow_array::{Int64Array, StringArray};

    /// Every row comes once, in order, projected by name, for any chunk size.
    #[test]
    fn rows_come_in_order() {
        let batch = |from: i64, to: i64| {
            let numbers: Int64Array = (from..to).map(Some).collect();
            let texts: StringArray = (from..to).map(|i| Some(i.to_string())).collect();
            Arc::new(RecordBatch::try_from_iter([("t", Arc::new(texts) as _), ("N", Arc::new(numbers) as _)]).unwrap())
        };
        let batches = [batch(0, 5), batch(5, 5), batch(5, 12)];
        let schema = Schema::new(vec![Field::new("n", DataType::BigInt), Field::new("t", DataType::Varchar)]);
        for rows_max in [1, 3, 100] {
            let mut source = memory_reader(SplitId(0), &batches, &schema, &[0]).unwrap();
            let mut decoded = Decoded::default();
            while let Pull::Chunk(chunk) = source.pull(rows_max).unwrap() {
                MemoryDecoder.decode(&chunk, 2, &mut decoded).unwrap();
                source.recycle(chunk);
            }
            let slices = decoded.slices.iter();
            let values: Vec<i64> = slices
                .flat_map(|s| {
                    s.batch.column(0).as_primitive::<Int64Type>().values()[s.offset..s.offset + s.rows].to_vec()
                })
                .collect();
            assert_eq!(values, (0..12).collect::<Vec<_>>());
        }
        assert!(memory_reader(SplitId(0), &batches, &Schema::new(vec![Field::new("x", DataType::Int)]), &[0]).is_err());
    }
}
