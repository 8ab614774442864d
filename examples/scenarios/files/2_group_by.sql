-- Groups over the whole input, printed at its end.
-- Reads target/market_data.csv, which make_data.sql writes.

CREATE SOURCE market_data (
    symbol VARCHAR,
    price DOUBLE,
    quantity BIGINT,
    timestamp TIMESTAMP
) WITH (
    connector = 'file', path = 'target/market_data.csv', format = 'csv'
);

SELECT symbol,
       COUNT(*) AS row_count,
       AVG(price) AS average_price,
       MIN(price) AS lowest_price,
       MAX(price) AS highest_price,
       SUM(quantity) AS total_quantity
FROM market_data
GROUP BY symbol;
