//! State by key: group tables with one row of words per group, sessions of each key, and the last rows of each key.
//!
//! Promises: the output order of groups is their order of first appearance in the input, never a hash table's; two
//! tables of one shape can be merged, and the result equals the table that saw all rows. Of keys, NULL
//! equals NULL, NaN equals NaN, -0 equals +0. Knows nothing of plans, rings or threads.

mod finish;
mod fold;
mod frame;
mod groups;
mod keys;
mod layout;
mod ordered;
mod partial;
mod sessions;
mod states;
#[cfg(test)]
mod tests;
mod text;

pub use fold::{Fold, FoldField, Line, NullRule, Reading};
pub use frame::{FrameCall, FrameFunction, FrameStates};
pub use groups::Groups;
pub use keys::{BlockKeys, DirectRows, KeyBlock, KeyHasher, KeyScratch, KeyTable, Keyer, PackedColumns};
pub use layout::{Accumulator, AccumulatorKind, StateLayout};
pub use ordered::OrderedMap;
pub use partial::{PartialGroups, RowStates};
pub use sessions::{Session, SessionPlace, SessionTable};
pub use states::{StateBlock, States};
