//! Group tables, panes and ROWS rings.
