-- Nexmark q7: highest bid. The greatest bids of every ten seconds.
-- As published, its closed interval included: a bid in the first instant of a window counts in the one before, too.
--
--   cargo run --release -- run examples/nexmark/q7.sql

CREATE SOURCE bid (WATERMARK FOR date_time AS date_time - INTERVAL '4' SECOND)
  WITH (connector = 'nexmark', table = 'bid', events = '100000');
CREATE SINK results WITH (connector = 'blackhole');

INSERT INTO results
SELECT b.auction, b.price, b.bidder, b.date_time, b.extra
FROM bid AS b
JOIN (SELECT MAX(price) AS maxprice, window_end AS until
      FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(date_time), INTERVAL '10' SECOND))
      GROUP BY window_start, window_end) AS b1
  ON b.price = b1.maxprice
WHERE b.date_time BETWEEN b1.until - INTERVAL '10' SECOND AND b1.until;
