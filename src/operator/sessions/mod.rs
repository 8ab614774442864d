//! Sessions: windows that are as long as rows of a key follow each other.
//!
//! Groups of rows join the sessions of their keys; a group that bridges several makes one of them. When they leave depends on
//! EMIT: [`Sessions`] when they are over (FINAL) and early at multiples of a length (EVERY), [`SessionChanges`] after every
//! row, [`SessionsPerBatch`] after every batch. A row that takes the place of sessions which were shown takes back all of
//! them: the first, in time, is changed into it, the others are gone.

mod changes;
mod closing;
mod held;
mod per_batch;

pub use changes::SessionChanges;
pub(super) use closing::Sessions;
pub use per_batch::SessionsPerBatch;
