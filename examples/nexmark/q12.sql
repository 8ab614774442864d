-- Nexmark q12: processing time windows. How many bids each person made in every ten seconds.
-- The published query cuts windows by the clock of the host, so every run has another answer. Here an answer is a
-- function of the input: a bid is taken to be processed when it was made.
--
--   cargo run --release -- run examples/nexmark/q12.sql

CREATE SOURCE bid (WATERMARK FOR date_time AS date_time - INTERVAL '4' SECOND)
  WITH (connector = 'nexmark', table = 'bid', events = '100000');
CREATE SINK results WITH (connector = 'blackhole');

INSERT INTO results
SELECT bidder, COUNT(*) AS bid_count, window_start AS starttime, window_end AS endtime
FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(date_time), INTERVAL '10' SECOND))
GROUP BY bidder, window_start, window_end;
