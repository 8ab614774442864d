//! Formats and connectors together, as an engine composes them: what is written reads back, bad records are isolated,
//! broken files are told, and what a source yields depends neither on chunk sizes nor on who decodes.

mod cases;
mod properties;
mod rig;
mod text;
