//! Watermark and window arithmetic.
