//! Decoders and encoders: csv, json, parquet, arrow.
