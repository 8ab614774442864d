-- Nexmark q3: local item suggestion. Who sells in category 10, and lives in Oregon, Idaho or California.
-- As published: a join of two streams without bounds of time.
--
--   cargo run --release -- run examples/nexmark/q3.sql

CREATE SOURCE auction (WATERMARK FOR date_time AS date_time - INTERVAL '4' SECOND)
  WITH (connector = 'nexmark', table = 'auction', events = '100000');
CREATE SOURCE person (WATERMARK FOR date_time AS date_time - INTERVAL '4' SECOND)
  WITH (connector = 'nexmark', table = 'person', events = '100000');
CREATE SINK results WITH (connector = 'blackhole');

INSERT INTO results
SELECT p.name, p.city, p.state, a.id
FROM auction AS a INNER JOIN person AS p ON a.seller = p.id
WHERE a.category = 10 AND (p.state = 'OR' OR p.state = 'ID' OR p.state = 'CA');
