//! The clock that a job is given.

use std::fmt;
use std::sync::Arc;

use crate::types::EventTime;

/// Tells the time, as records tell theirs. Passed in, so that tests decide what time it is.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> EventTime + Send + Sync>);

impl Clock {
    /// A clock that shows what `now_us` returns: microseconds since the Unix epoch, UTC.
    pub fn new(now_us: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(move || EventTime(now_us())))
    }

    /// The time.
    pub fn now(&self) -> EventTime {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
