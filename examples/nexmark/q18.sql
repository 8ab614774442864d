-- Nexmark q18: last bid. The last bid of each person on each auction.
-- As published, with an order for bids of the same millisecond, which it leaves open.
--
--   cargo run --release -- run examples/nexmark/q18.sql

CREATE SOURCE bid (WATERMARK FOR date_time AS date_time - INTERVAL '4' SECOND)
  WITH (connector = 'nexmark', table = 'bid', events = '100000');
CREATE SINK results WITH (connector = 'blackhole');

INSERT INTO results
SELECT auction, bidder, price, channel, url, date_time, extra
FROM (SELECT auction, bidder, price, channel, url, date_time, extra,
             ROW_NUMBER() OVER (PARTITION BY bidder, auction ORDER BY date_time DESC, price DESC, extra) AS rank_number
      FROM bid) AS b
WHERE rank_number <= 1;
