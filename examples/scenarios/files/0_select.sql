-- Filter and project, without state. The result is discarded.
-- Reads target/orders.csv, which make_data.sql writes.

CREATE SOURCE orders (
    order_id BIGINT,
    customer_id BIGINT,
    order_date TIMESTAMP,
    total_amount DOUBLE
) WITH (
    connector = 'file', path = 'target/orders.csv', format = 'csv'
);

CREATE SINK discarded WITH (connector = 'blackhole');

INSERT INTO discarded
SELECT order_id, customer_id, order_date, total_amount
FROM orders
WHERE total_amount > 100;
