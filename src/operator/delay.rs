//! Tells an operator of a watermark that stays behind: its rows come later than their time says.

use crate::batch::Batch;
use crate::error::Result;
use crate::types::EventTime;

use super::{Context, Next, Operator};

/// An operator whose rows are up to some time behind the watermark.
pub struct Delay<O> {
    operator: O,
    behind_us: i64,
}

impl<O: Operator> Delay<O> {
    /// `operator`, whose rows are up to `behind_us` microseconds behind the watermark.
    pub fn new(operator: O, behind_us: i64) -> Self {
        Self { operator, behind_us }
    }
}

impl<O: Operator> Operator for Delay<O> {
    fn name(&self) -> &'static str {
        self.operator.name()
    }

    fn takes_masks(&self) -> bool {
        self.operator.takes_masks()
    }

    fn process(&mut self, batch: Batch<'_>, context: &mut Context<'_>, next: &mut Next<'_>) -> Result<()> {
        self.operator.process(batch, context, next)
    }

    fn state(&self) -> Option<(&'static str, usize)> {
        self.operator.state()
    }

    fn advance(&mut self, watermark: EventTime, context: &mut Context<'_>, next: &mut Next<'_>) -> Result<()> {
        // The end of input is the end for all.
        let watermark = match watermark {
            EventTime::MAX => watermark,
            EventTime(us) => EventTime(us.saturating_sub(self.behind_us)),
        };
        self.operator.advance(watermark, context, next)
    }
}
