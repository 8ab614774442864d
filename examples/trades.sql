-- Trades per symbol and minute: two million generated records, one in twenty up to half a second out of order.
--
--   cargo run --release -- run examples/trades.sql

CREATE SOURCE trades (
    trade_time TIMESTAMP,
    symbol VARCHAR,
    trader_id INT,
    price DOUBLE,
    quantity BIGINT,
    WATERMARK FOR trade_time AS trade_time - INTERVAL '1' SECOND
) WITH (
    connector = 'generator', rows = '2000000', seed = '42', keys = '4',
    start = '2025-01-02T14:30:00Z', spacing = '1ms', disorder = '0.05', disorder_by = '500ms'
);

SELECT window_start,
       window_end,
       symbol,
       COUNT(*) AS trade_count,
       AVG(price) AS average_price,
       MIN(price) AS lowest_price,
       MAX(price) AS highest_price,
       SUM(quantity) AS total_quantity
FROM trades
GROUP BY symbol
WINDOW TUMBLING (trade_time, INTERVAL '1' MINUTE);
