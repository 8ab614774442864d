//! Pure loops over slices, each with a scalar definition.

pub mod update;
