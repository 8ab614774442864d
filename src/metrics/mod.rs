//! One-writer counters and the job report.
