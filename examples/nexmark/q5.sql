-- Nexmark q5: hot items. Which auctions had most bids in the last ten seconds, every two seconds.
-- As published.
--
--   cargo run --release -- run examples/nexmark/q5.sql

CREATE SOURCE bid (WATERMARK FOR date_time AS date_time - INTERVAL '4' SECOND)
  WITH (connector = 'nexmark', table = 'bid', events = '100000');
CREATE SINK results WITH (connector = 'blackhole');

INSERT INTO results
SELECT auction_bids.auction, auction_bids.num
FROM (SELECT auction, COUNT(*) AS num, window_start AS starttime, window_end AS endtime
      FROM TABLE(HOP(TABLE bid, DESCRIPTOR(date_time), INTERVAL '2' SECOND, INTERVAL '10' SECOND))
      GROUP BY auction, window_start, window_end) AS auction_bids
JOIN (SELECT MAX(count_bids.num) AS maxn, count_bids.starttime, count_bids.endtime
      FROM (SELECT COUNT(*) AS num, window_start AS starttime, window_end AS endtime
            FROM TABLE(HOP(TABLE bid, DESCRIPTOR(date_time), INTERVAL '2' SECOND, INTERVAL '10' SECOND))
            GROUP BY auction, window_start, window_end) AS count_bids
      GROUP BY count_bids.starttime, count_bids.endtime) AS max_bids
  ON auction_bids.starttime = max_bids.starttime AND auction_bids.endtime = max_bids.endtime
     AND auction_bids.num >= max_bids.maxn;
