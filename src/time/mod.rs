//! Watermark and window arithmetic, and what becomes of late records.
//!
//! Promises: pure functions of the values given; no clock is read here. All times are microseconds since the epoch.

mod lateness;
mod watermark;
mod window;

pub use lateness::{Arrival, Lateness, PaneId};
pub use watermark::SplitClocks;
pub use window::Tumbling;
