-- Nexmark q10: log to files. Every bid with the day and the minute it belongs to.
-- The published query writes a directory of CSV files for each minute. Here bids are encoded as CSV with both columns
-- and counted; connector = 'file', path = 'bids.csv' keeps them. Patterns of time are those of C.
--
--   cargo run --release -- run examples/nexmark/q10.sql

CREATE SOURCE bid (WATERMARK FOR date_time AS date_time - INTERVAL '4' SECOND)
  WITH (connector = 'nexmark', table = 'bid', events = '100000');
CREATE SINK results WITH (connector = 'blackhole', format = 'csv');

INSERT INTO results
SELECT auction, bidder, price, date_time, extra, STRFTIME(date_time, '%Y-%m-%d') AS dt, STRFTIME(date_time, '%H:%M') AS hm
FROM bid;
