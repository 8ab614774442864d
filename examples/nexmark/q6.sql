-- Nexmark q6: average selling price by seller. Of each auction the winning bid while it was open; of each seller the mean of
-- this price and the ten before it. As published, with an order for winning bids of one millisecond, which the published
-- text leaves open; the rows are put in order before OVER sees them. The mean is a DOUBLE here.
--
--   cargo run --release -- run examples/nexmark/q6.sql

CREATE SOURCE auction (WATERMARK FOR date_time AS date_time - INTERVAL '4' SECOND)
  WITH (connector = 'nexmark', table = 'auction', events = '100000');
CREATE SOURCE bid (WATERMARK FOR date_time AS date_time - INTERVAL '4' SECOND)
  WITH (connector = 'nexmark', table = 'bid', events = '100000');
CREATE SINK results WITH (connector = 'blackhole');

INSERT INTO results
SELECT q.seller, AVG(q.price) OVER (PARTITION BY q.seller ROWS BETWEEN 10 PRECEDING AND CURRENT ROW) AS avg_price
FROM (SELECT seller, price, date_time, id
      FROM (SELECT id, seller, price, date_time,
                   ROW_NUMBER() OVER (PARTITION BY id, seller ORDER BY price DESC, date_time) AS rownum
            FROM (SELECT a.id, a.seller, b.price, b.date_time
                  FROM auction AS a JOIN bid AS b ON a.id = b.auction
                  WHERE b.date_time BETWEEN a.date_time AND a.expires) AS w) AS r
      WHERE rownum <= 1
      ORDER BY date_time, id) AS q;
