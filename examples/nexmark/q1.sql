-- Nexmark q1: currency conversion. The price of every bid in euro.
-- As published; DECIMAL '0.908' is written as a CAST, because a plain 0.908 is a DOUBLE here.
--
--   cargo run --release -- run examples/nexmark/q1.sql

CREATE SOURCE bid (WATERMARK FOR date_time AS date_time - INTERVAL '4' SECOND)
  WITH (connector = 'nexmark', table = 'bid', events = '100000');
CREATE SINK results WITH (connector = 'blackhole');

INSERT INTO results
SELECT auction, bidder, CAST(0.908 AS DECIMAL(4, 3)) * price AS price, date_time, extra FROM bid;
