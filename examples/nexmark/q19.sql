-- Nexmark q19: auction top ten. The ten greatest bids of each auction.
-- As published, with an order for bids of the same price, which it leaves open.
--
--   cargo run --release -- run examples/nexmark/q19.sql

CREATE SOURCE bid (WATERMARK FOR date_time AS date_time - INTERVAL '4' SECOND)
  WITH (connector = 'nexmark', table = 'bid', events = '100000');
CREATE SINK results WITH (connector = 'blackhole');

INSERT INTO results
SELECT auction, bidder, price, channel, url, date_time, extra, rank_number
FROM (SELECT auction, bidder, price, channel, url, date_time, extra,
             ROW_NUMBER() OVER (PARTITION BY auction ORDER BY price DESC, date_time, bidder, extra) AS rank_number
      FROM bid) AS b
WHERE rank_number <= 10;
