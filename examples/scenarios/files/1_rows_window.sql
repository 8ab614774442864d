-- A running window over the last 100 rows of each symbol, in event-time order. The result is discarded.
-- Reads target/market_data.csv, which make_data.sql writes.

CREATE SOURCE market_data (
    symbol VARCHAR,
    price DOUBLE,
    quantity BIGINT,
    timestamp TIMESTAMP,
    WATERMARK FOR timestamp AS timestamp - INTERVAL '1' SECOND
) WITH (
    connector = 'file', path = 'target/market_data.csv', format = 'csv'
);

CREATE SINK discarded WITH (connector = 'blackhole');

INSERT INTO discarded
SELECT symbol,
       price,
       timestamp,
       AVG(price) OVER (ROWS WINDOW BUFFER 100 ROWS PARTITION BY symbol ORDER BY timestamp) AS average_price,
       MIN(price) OVER (ROWS WINDOW BUFFER 100 ROWS PARTITION BY symbol ORDER BY timestamp) AS lowest_price,
       MAX(price) OVER (ROWS WINDOW BUFFER 100 ROWS PARTITION BY symbol ORDER BY timestamp) AS highest_price
FROM market_data;
