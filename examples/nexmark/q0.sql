-- Nexmark q0: pass through. Every bid as it is: what reading and writing alone cost.
-- As published.
--
--   cargo run --release -- run examples/nexmark/q0.sql

CREATE SOURCE bid (WATERMARK FOR date_time AS date_time - INTERVAL '4' SECOND)
  WITH (connector = 'nexmark', table = 'bid', events = '100000');
CREATE SINK results WITH (connector = 'blackhole');

INSERT INTO results
SELECT auction, bidder, price, date_time, extra FROM bid;
