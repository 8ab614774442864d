//! Watermark and window arithmetic, and what becomes of late records.
//!
//! Promises: pure functions of the values given; no clock is read but one that is passed in. All times are microseconds since the epoch.

mod clock;
mod lateness;
mod watermark;
mod window;

pub use clock::Clock;
pub use lateness::{Arrival, Lateness, PaneId, Round};
pub use watermark::{SplitClocks, SplitState, WatermarkState};
pub use window::{Slices, Span, Windows};
