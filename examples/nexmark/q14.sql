-- Nexmark q14: calculation. Bids of some size, with the kind of the hour and how often their text has a c.
-- As published; its function count_char is REGEXP_COUNT, DECIMAL '0.908' a CAST.
--
--   cargo run --release -- run examples/nexmark/q14.sql

CREATE SOURCE bid (WATERMARK FOR date_time AS date_time - INTERVAL '4' SECOND)
  WITH (connector = 'nexmark', table = 'bid', events = '100000');
CREATE SINK results WITH (connector = 'blackhole');

INSERT INTO results
SELECT auction, bidder, CAST(0.908 AS DECIMAL(4, 3)) * price AS price,
       CASE WHEN HOUR(date_time) >= 8 AND HOUR(date_time) <= 18 THEN 'dayTime'
            WHEN HOUR(date_time) <= 6 OR HOUR(date_time) >= 20 THEN 'nightTime'
            ELSE 'otherTime' END AS bid_time_type,
       date_time, extra, REGEXP_COUNT(extra, 'c') AS c_counts
FROM bid
WHERE CAST(0.908 AS DECIMAL(4, 3)) * price > 1000000 AND CAST(0.908 AS DECIMAL(4, 3)) * price < 50000000;
