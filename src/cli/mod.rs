//! Arguments and terminal output.
