-- Nexmark q4: average price by category. Of each auction the greatest bid while it was open; of each category their mean.
-- As published, with the join written out; the mean is a DOUBLE here. The answer leaves at the end of the input.
--
--   cargo run --release -- run examples/nexmark/q4.sql

CREATE SOURCE auction (WATERMARK FOR date_time AS date_time - INTERVAL '4' SECOND)
  WITH (connector = 'nexmark', table = 'auction', events = '100000');
CREATE SOURCE bid (WATERMARK FOR date_time AS date_time - INTERVAL '4' SECOND)
  WITH (connector = 'nexmark', table = 'bid', events = '100000');
CREATE SINK results WITH (connector = 'blackhole');

INSERT INTO results
SELECT q.category, AVG(q.final) AS final
FROM (SELECT MAX(b.price) AS final, a.category
      FROM auction AS a JOIN bid AS b ON a.id = b.auction
      WHERE b.date_time BETWEEN a.date_time AND a.expires
      GROUP BY a.id, a.category) AS q
GROUP BY q.category;
