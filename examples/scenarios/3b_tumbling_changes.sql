-- One-minute windows, a row of running values for every record. The result is discarded.

CREATE SOURCE trades (
    trade_time TIMESTAMP,
    symbol VARCHAR,
    trader_id INT,
    price DOUBLE,
    quantity BIGINT,
    WATERMARK FOR trade_time AS trade_time - INTERVAL '1' SECOND
) WITH (
    connector = 'generator', rows = '1000000', seed = '3', keys = '4',
    start = '2025-01-02T14:30:00Z', spacing = '1ms'
);

CREATE SINK discarded WITH (connector = 'blackhole');

INSERT INTO discarded
SELECT trader_id,
       symbol,
       COUNT(*) AS trade_count,
       AVG(price) AS average_price,
       SUM(quantity) AS total_quantity,
       SUM(price * quantity) AS total_value
FROM trades
GROUP BY trader_id, symbol
WINDOW TUMBLING (trade_time, INTERVAL '1' MINUTE)
EMIT CHANGES;
