-- Filter and project, without state. The result is discarded.

CREATE SOURCE orders (
    order_id BIGINT,
    customer_id BIGINT,
    order_date TIMESTAMP,
    total_amount DOUBLE
) WITH (
    connector = 'generator', rows = '1000000', seed = '1', keys = '10000',
    start = '2025-01-02T14:30:00Z', spacing = '1ms'
);

CREATE SINK discarded WITH (connector = 'blackhole');

INSERT INTO discarded
SELECT order_id, customer_id, order_date, total_amount
FROM orders
WHERE total_amount > 100;
