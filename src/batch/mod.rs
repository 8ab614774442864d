//! Columns: borrowed views that kernels read, growable buffers that cross rings, and chunks of undecoded input.
//!
//! Promises: a view copies nothing but boolean and validity bitmaps (into the batch's arena, word-aligned); a buffer keeps
//! its memory when cleared. Data comes in from decoders as Arrow arrays and leaves to encoders as Arrow arrays.
//! Knows nothing of SQL, files or threads.

mod arrow;
mod bitmap;
mod buffer;
mod chunk;
mod column;
mod compact;
mod table;

pub use arrow::{arrow_schema, arrow_type, conform, data_type_of, schema_of, view};
pub use bitmap::{Bitmap, words_for};
pub use buffer::{BatchBuffer, ColumnBuffer, Run};
pub use chunk::{Block, Chunk, ChunkSource, Decode, Decoded, Failure, Payload, Pull, Slice};
pub use column::{Batch, Column, RowOrder, Selection, Strings, Values};
pub use compact::gather;
pub use table::{KeyChains, KeyedTable, canonical_bits, keys_equal, same_rows};
