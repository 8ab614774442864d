-- Nexmark q11: user sessions. How many bids each person made in each session, which ends with ten seconds of silence.
-- As published: SESSION_START and SESSION_END are window_start and window_end.
--
--   cargo run --release -- run examples/nexmark/q11.sql

CREATE SOURCE bid (WATERMARK FOR date_time AS date_time - INTERVAL '4' SECOND)
  WITH (connector = 'nexmark', table = 'bid', events = '100000');
CREATE SINK results WITH (connector = 'blackhole');

INSERT INTO results
SELECT bidder, COUNT(*) AS bid_count, window_start AS starttime, window_end AS endtime
FROM bid GROUP BY bidder, SESSION(date_time, INTERVAL '10' SECOND);
