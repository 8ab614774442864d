//! The state machine of one partition: step, exchange, watermark ledger.
