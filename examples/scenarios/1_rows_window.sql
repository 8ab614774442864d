-- A running window over the last 100 rows of each symbol, in event-time order. The result is discarded.

CREATE SOURCE market_data (
    symbol VARCHAR,
    price DOUBLE,
    quantity BIGINT,
    timestamp TIMESTAMP,
    WATERMARK FOR timestamp AS timestamp - INTERVAL '1' SECOND
) WITH (
    connector = 'generator', rows = '1000000', seed = '2', keys = '100',
    start = '2025-01-02T14:30:00Z', spacing = '1ms'
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
