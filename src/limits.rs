//! Every bound, with its unit and reason, and what happens when it is reached.

/// Rows of a batch unless `batch_rows` says otherwise: 8192 rows of a few 8-byte columns stay in a 1 MB L2 cache.
pub const BATCH_ROWS_DEFAULT: usize = 8192;
/// Greatest `batch_rows`; more is a configuration error. Row indices within a chunk are 32-bit.
pub const BATCH_ROWS_MAX: usize = 1 << 20;
/// Greatest number of partitions of a job; more is a configuration error. The mesh has its square of rings.
pub const PARTITIONS_MAX: usize = 256;
/// Descriptors in a data ring. Any value is correct; 8 keep a partition busy while the reader waits for the disk.
pub const RING_SLOTS: usize = 8;
/// Chunks under way, for each partition, where splits are read abreast: so far one may be ahead of another. Any value is correct; 4
/// keep a partition busy.
pub const ABREAST_CHUNKS: usize = 4;
/// Bad records kept with file, line and reason in the report; the rest are counted only.
pub const FAILURE_SAMPLES: usize = 5;
/// Default bound of a watermark in microseconds (60 s), where no WATERMARK clause sets one.
pub const WATERMARK_BOUND_US: i64 = 60_000_000;
/// Default of `min_advance` in microseconds of event time (100 ms): panes of less are closed several at once.
pub const WATERMARK_MIN_ADVANCE_US: i64 = 100_000;
/// Default of `idle_timeout` in microseconds (30 s).
pub const IDLE_TIMEOUT_US: i64 = 30_000_000;
/// Slices that a window of time is made of at most; more is an error of the query. When a window closes it is put together
/// from all of them.
pub const WINDOW_SLICES_MAX: i64 = 100_000;
/// Windows that a row which is not grouped belongs to at most; more is an error of the query. It is repeated for each.
pub const ROW_WINDOWS_MAX: i64 = 1_000;
/// Default of `max_future` for standard input, in microseconds (a day).
pub const MAX_FUTURE_US: i64 = 86_400_000_000;
/// Longest text record in bytes; a longer one ends the job with an error that names its line (a quote left open looks
/// like this). It bounds the read buffer.
pub const RECORD_BYTES_MAX: usize = 64 << 20;
/// Records looked at to infer the types of a text file.
pub const INFERENCE_RECORDS: usize = 20_480;
/// Depth of nested expressions; deeper SQL is an error (the planner recurses).
pub const EXPRESSION_DEPTH_MAX: usize = 128;
/// Queries inside queries; deeper SQL is an error (the planner recurses).
pub const SUBQUERY_DEPTH_MAX: usize = 16;
/// Longest text in bytes that REPEAT, LPAD, RPAD, REPLACE or REGEXP_REPLACE makes of a record; a record that asks for
/// more has failed. Without it one record could ask for all memory.
pub const FUNCTION_TEXT_BYTES_MAX: usize = 16 << 20;
/// Longest text in bytes that STRING_AGG makes of one group; a longer one ends the job with an error that says so. A column of
/// results cannot hold much more.
pub const JOINED_TEXT_BYTES_MAX: usize = 64 << 20;
/// Memory of a compiled regular expression in bytes; a greater one is an error where it is a literal, else its record
/// has failed.
pub const PATTERN_BYTES_MAX: usize = 4 << 20;
/// Stack of a thread that plans SQL, in bytes: planning recurses as deep as SQL may be nested.
pub const PLANNER_STACK_BYTES: usize = 8 << 20;
/// Head of an HTTP request in bytes: request line and headers. A longer one is answered with 431.
pub const HTTP_HEAD_BYTES_MAX: usize = 16 << 10;
/// Body of an HTTP request in bytes. A longer one is answered with 413.
pub const HTTP_BODY_BYTES_MAX: usize = 1 << 20;
/// Time in milliseconds in which a request must have come whole, and in which its answer must have been taken; who is
/// slower is hung up on.
pub const HTTP_EXCHANGE_MS: u64 = 10_000;
/// How long a connection may wait for its next request, in milliseconds.
pub const HTTP_IDLE_MS: u64 = 15_000;
/// Connections at once; one more is answered with 503. Each has a thread, and slow ones keep theirs for
/// [`HTTP_EXCHANGE_MS`].
pub const HTTP_CONNECTIONS_MAX: usize = 256;
/// Jobs of a server; one more is refused.
pub const JOBS_MAX: usize = 1_000;
/// Length of a job's name in bytes.
pub const JOB_NAME_BYTES_MAX: usize = 64;
/// How often in a row a job that fails is started again before it is left alone.
pub const RESTARTS_MAX: u32 = 8;
/// Wait before a failed job starts again, in milliseconds; it doubles with every failure in a row.
pub const RESTART_WAIT_MS: u64 = 500;
/// Longest such wait in milliseconds.
pub const RESTART_WAIT_MS_MAX: u64 = 30_000;
/// A job that ran for so long, in milliseconds, has recovered: the next failure is the first in a row.
pub const RESTART_RECOVERED_MS: u64 = 60_000;
/// Errors kept of each job; older ones are forgotten.
pub const JOB_ERRORS_KEPT: usize = 20;
/// Samples of its lanes kept of each job, one a second.
pub const JOB_SAMPLES_KEPT: usize = 61;
/// How long a request that stops a job waits for it to drain, in milliseconds; after that it is answered with 202.
pub const JOB_DRAIN_WAIT_MS: u64 = 30_000;
