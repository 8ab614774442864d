//! Plan to a chain of operators.
