//! The library's face: jobs, processors, reports.
