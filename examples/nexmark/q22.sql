-- Nexmark q22: URL directories. Every bid with the three directories of its URL.
-- As published: SPLIT_INDEX, which counts from 0, is SPLIT_PART, which counts from 1.
--
--   cargo run --release -- run examples/nexmark/q22.sql

CREATE SOURCE bid (WATERMARK FOR date_time AS date_time - INTERVAL '4' SECOND)
  WITH (connector = 'nexmark', table = 'bid', events = '100000');
CREATE SINK results WITH (connector = 'blackhole');

INSERT INTO results
SELECT auction, bidder, price, channel, SPLIT_PART(url, '/', 4) AS dir1, SPLIT_PART(url, '/', 5) AS dir2, SPLIT_PART(url, '/', 6) AS dir3
FROM bid;
