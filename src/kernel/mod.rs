//! Pure loops over slices, each with a scalar definition.
//!
//! Promises: a kernel takes slices and plain numbers and writes into memory of the caller; it does not allocate, lock,
//! log or know an operator. Rows that have no result (overflow) are flagged in a bitmap, never reported one by one.
//! Bitmaps are 64-bit words, bit `i` in bit `i % 64` of word `i / 64`, zero past the end.
//!
//! The loops work on blocks of 64 rows whose bounds come from the type ([`lanes`]), so that the compiler vectorises them
//! and a block fills exactly one word of a bitmap. The function given for one row is the definition of the result.

pub mod arithmetic;
pub mod bitmap;
pub mod cast;
pub mod compare;
pub mod direct;
pub mod hash;
pub mod lanes;
pub mod lines;
pub mod pane;
pub mod probe;
pub mod reduce;
pub mod rows;
pub mod scatter;
pub mod selection;
pub mod simd;
pub mod text;
pub mod update;

pub use simd::Simd;
