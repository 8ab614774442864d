//! Sends the rows of each input of a combined source through operators of its own.
//!
//! Guarantees: a batch is of one input, because a chunk is, so it goes on as it is; what leaves the chains leaves in the
//! order of the inputs when the watermark goes on. Costs one look at the number of the batch's input.

use crate::batch::Batch;
use crate::error::Result;
use crate::types::EventTime;

use super::{Chain, Context, Next, Operator};

/// Chains by input.
pub struct Branches {
    number: usize,
    /// Each with the end of its inputs, ascending.
    chains: Vec<(usize, Chain)>,
}

impl Branches {
    /// `chains`, each with the number after that of its last input; the column `number` tells the input of a row.
    pub fn new(number: usize, chains: Vec<(usize, Chain)>) -> Self {
        Self { number, chains }
    }
}

impl Operator for Branches {
    fn takes_masks(&self) -> bool {
        true
    }

    fn process(&mut self, batch: Batch<'_>, context: &mut Context<'_>, next: &mut Next<'_>) -> Result<()> {
        let Some(row) = batch.first() else { return Ok(()) };
        let input = batch.columns[self.number].int32()[row] as usize;
        let chain = self.chains.iter_mut().find(|(end, _)| input < *end);
        let (_, chain) = chain.expect("every input has a branch");
        chain.process(batch, context, next)
    }

    fn state(&self) -> Option<(&'static str, usize)> {
        let states = || self.chains.iter().flat_map(|(_, chain)| chain.states());
        let (name, _) = states().max_by_key(|(_, bytes)| *bytes)?;
        Some((name, states().map(|(_, bytes)| bytes).sum()))
    }

    fn end_batch(&mut self, context: &mut Context<'_>, next: &mut Next<'_>) -> Result<()> {
        self.chains.iter_mut().try_for_each(|(_, chain)| chain.end_batch(context, next))
    }

    fn advance(&mut self, watermark: EventTime, context: &mut Context<'_>, next: &mut Next<'_>) -> Result<()> {
        self.chains.iter_mut().try_for_each(|(_, chain)| chain.advance(watermark, context, next))
    }
}
