-- One-minute windows, each group printed once when its window closes.
-- Reads target/trades.csv, which make_data.sql writes.

CREATE SOURCE trades (
    trade_time TIMESTAMP,
    symbol VARCHAR,
    trader_id INT,
    price DOUBLE,
    quantity BIGINT,
    WATERMARK FOR trade_time AS trade_time - INTERVAL '1' SECOND
) WITH (
    connector = 'file', path = 'target/trades.csv', format = 'csv'
);

SELECT trader_id,
       symbol,
       COUNT(*) AS trade_count,
       AVG(price) AS average_price,
       SUM(quantity) AS total_quantity,
       SUM(price * quantity) AS total_value
FROM trades
GROUP BY trader_id, symbol
WINDOW TUMBLING (trade_time, INTERVAL '1' MINUTE);
