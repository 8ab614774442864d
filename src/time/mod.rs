//! Watermark and window arithmetic.
//!
//! Promises: pure functions of the values given; no clock is read here. All times are microseconds since the epoch.

mod watermark;
mod window;

pub use watermark::SplitClocks;
pub use window::Tumbling;
