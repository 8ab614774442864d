//! One file per operator.

pub mod expr;
