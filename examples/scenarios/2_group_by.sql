-- Groups over the whole input, printed at its end.

CREATE SOURCE market_data (
    symbol VARCHAR,
    price DOUBLE,
    quantity BIGINT,
    timestamp TIMESTAMP
) WITH (
    connector = 'generator', rows = '1000000', seed = '2', keys = '100',
    start = '2025-01-02T14:30:00Z', spacing = '1ms'
);

SELECT symbol,
       COUNT(*) AS row_count,
       AVG(price) AS average_price,
       MIN(price) AS lowest_price,
       MAX(price) AS highest_price,
       SUM(quantity) AS total_quantity
FROM market_data
GROUP BY symbol;
