//! Text to syntax tree with spans.
