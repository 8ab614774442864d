-- Nexmark q13: bounded side input join. Every bid with a value out of a table that is read from a file.
-- As published: the file has the pairs of the published generator. FOR SYSTEM_TIME AS OF is left out, as the table
-- does not change.
--
--   cargo run --release -- run examples/nexmark/q13.sql

CREATE SOURCE bid (WATERMARK FOR date_time AS date_time - INTERVAL '4' SECOND)
  WITH (connector = 'nexmark', table = 'bid', events = '100000');
CREATE SOURCE side_input (key BIGINT, value VARCHAR)
  WITH (connector = 'file', path = 'examples/nexmark/side_input.csv', format = 'csv');
CREATE SINK results WITH (connector = 'blackhole');

INSERT INTO results
SELECT b.auction, b.bidder, b.price, b.date_time, s.value
FROM bid AS b JOIN side_input AS s ON MOD(b.auction, 10000) = s.key;
