-- Nexmark q2: selection. Bids on some auctions.
-- As published.
--
--   cargo run --release -- run examples/nexmark/q2.sql

CREATE SOURCE bid (WATERMARK FOR date_time AS date_time - INTERVAL '4' SECOND)
  WITH (connector = 'nexmark', table = 'bid', events = '100000');
CREATE SINK results WITH (connector = 'blackhole');

INSERT INTO results
SELECT auction, price FROM bid WHERE MOD(auction, 123) = 0;
