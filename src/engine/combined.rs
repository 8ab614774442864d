//! Several sources read as one: the rows of each, widened to the columns of all.
//!
//! Columns of other inputs are NULL, and one array of NULLs serves all chunks of a length. Costs no copy of what was decoded.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array, RecordBatch, RecordBatchOptions, new_null_array};
use arrow_schema::{Field as ArrowField, Schema as ArrowSchema, SchemaRef};

use crate::batch::{Chunk, Decode, Decoded, Slice, arrow_type};
use crate::error::{Error, Result};
use crate::plan::{Scan, SourceInput};
use crate::types::DataType;

/// What stands in a column of the whole, for the rows of one input.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// The number of the input.
    Number,
    /// A column that the input yields.
    Column(usize),
    /// Nothing.
    Null(DataType),
}

/// For each input the columns of its own that are read, ascending.
pub(super) fn projections(scan: &Scan) -> impl Iterator<Item = Vec<usize>> {
    scan.source.inputs.iter().map(|input| {
        let own = |column: usize| match column {
            SourceInput::EVENT_TIME => input.source.watermark.map(|watermark| watermark.column),
            column => column.checked_sub(input.start).filter(|&column| column < input.source.schema.len()),
        };
        let mut columns: Vec<usize> = scan.projection.iter().filter_map(|&column| own(column)).collect();
        columns.sort_unstable();
        columns.dedup();
        columns
    })
}

/// Decodes the chunks of all inputs.
pub(super) struct CombinedDecoder {
    /// One for each input.
    decoders: Vec<Box<dyn Decode + Send>>,
    /// The input of each split.
    input_of: Vec<usize>,
    /// For each input what stands in the columns that are read.
    places: Vec<Vec<Place>>,
    /// Arrays of one value, by length and what they hold.
    constant: HashMap<(usize, Option<usize>, Option<DataType>), ArrayRef>,
    /// The Arrow schema of each input's last chunk: mostly that of the next.
    schemas: Vec<Option<SchemaRef>>,
    own: Decoded,
}

impl CombinedDecoder {
    /// From the decoders of the inputs; `input_of` tells the input of each split.
    pub(super) fn new(scan: &Scan, decoders: Vec<Box<dyn Decode + Send>>, input_of: Vec<usize>) -> Self {
        let places = scan.source.inputs.iter().zip(projections(scan)).map(|(input, projection)| {
            let place = |&column: &usize| {
                let own = match column {
                    SourceInput::NUMBER => return Place::Number,
                    SourceInput::EVENT_TIME => input.source.watermark.map(|watermark| watermark.column),
                    column => column.checked_sub(input.start),
                };
                let index = own.and_then(|own| projection.iter().position(|&read| read == own));
                index.map_or(Place::Null(scan.source.schema.fields[column].data_type), Place::Column)
            };
            scan.projection.iter().map(place).collect()
        });
        let schemas = vec![None; decoders.len()];
        Self {
            decoders,
            input_of,
            places: places.collect(),
            constant: HashMap::new(),
            schemas,
            own: Decoded::default(),
        }
    }

    fn widened(&mut self, batch: &RecordBatch, input: usize) -> Result<RecordBatch> {
        let rows = batch.num_rows();
        if self.constant.len() > Self::CONSTANTS_MAX {
            self.constant.clear();
        }
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.places[input].len());
        for place in &self.places[input] {
            arrays.push(match *place {
                Place::Column(index) => Arc::clone(batch.column(index)),
                Place::Number => {
                    let array = || Arc::new(Int32Array::from(vec![input as i32; rows])) as ArrayRef;
                    Arc::clone(self.constant.entry((rows, Some(input), None)).or_insert_with(array))
                }
                Place::Null(data_type) => {
                    let array = || new_null_array(&arrow_type(data_type), rows);
                    Arc::clone(self.constant.entry((rows, None, Some(data_type))).or_insert_with(array))
                }
            });
        }
        let fits = |schema: &&SchemaRef| {
            schema.fields().iter().zip(&arrays).all(|(field, array)| field.data_type() == array.data_type())
        };
        let schema = match self.schemas[input].as_ref().filter(fits) {
            Some(schema) => Arc::clone(schema),
            None => {
                let field = |array: &ArrayRef| ArrowField::new("", array.data_type().clone(), true);
                let schema = Arc::new(ArrowSchema::new(arrays.iter().map(field).collect::<Vec<_>>()));
                Arc::clone(self.schemas[input].insert(schema))
            }
        };
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(schema, arrays, &options)
            .map_err(|error| Error::Execution(format!("the columns of a UNION ALL do not fit: {error}")))
    }

    /// Arrays kept. Any value is correct.
    const CONSTANTS_MAX: usize = 256;
}

impl Decode for CombinedDecoder {
    fn decode(&mut self, chunk: &Chunk, rows_max: usize, into: &mut Decoded) -> Result<()> {
        let input = self.input_of[chunk.split().0 as usize];
        let mut own = std::mem::take(&mut self.own);
        own.clear();
        self.decoders[input].decode(chunk, rows_max, &mut own)?;
        let mut last: Option<(*const RecordBatch, Arc<RecordBatch>)> = None;
        for Slice { batch, offset, rows } in own.slices.drain(..) {
            // The slices of a chunk mostly share one batch.
            let known = last.as_ref().filter(|(from, _)| std::ptr::eq(*from, Arc::as_ptr(&batch)));
            let widened = match known {
                Some((_, widened)) => Arc::clone(widened),
                None => Arc::new(self.widened(&batch, input)?),
            };
            last = Some((Arc::as_ptr(&batch), Arc::clone(&widened)));
            into.slices.push(Slice { batch: widened, offset, rows });
        }
        into.failures.append(&mut own.failures);
        self.own = own;
        Ok(())
    }
}
