-- Writes the files that the scenarios in this folder read: target/orders.csv, target/market_data.csv, target/trades.csv.
--
--   cargo run --release -- run examples/scenarios/files/make_data.sql

CREATE SOURCE generated_orders (
    order_id BIGINT,
    customer_id BIGINT,
    order_date TIMESTAMP,
    total_amount DOUBLE
) WITH (
    connector = 'generator', rows = '1000000', seed = '1', keys = '10000',
    start = '2025-01-02T14:30:00Z', spacing = '1ms'
);

CREATE SINK orders WITH (connector = 'file', path = 'target/orders.csv', format = 'csv');

INSERT INTO orders SELECT * FROM generated_orders;

CREATE SOURCE generated_market_data (
    symbol VARCHAR,
    price DOUBLE,
    quantity BIGINT,
    timestamp TIMESTAMP
) WITH (
    connector = 'generator', rows = '1000000', seed = '2', keys = '100',
    start = '2025-01-02T14:30:00Z', spacing = '1ms'
);

CREATE SINK market_data WITH (connector = 'file', path = 'target/market_data.csv', format = 'csv');

INSERT INTO market_data SELECT * FROM generated_market_data;

CREATE SOURCE generated_trades (
    trade_time TIMESTAMP,
    symbol VARCHAR,
    trader_id INT,
    price DOUBLE,
    quantity BIGINT
) WITH (
    connector = 'generator', rows = '1000000', seed = '3', keys = '4',
    start = '2025-01-02T14:30:00Z', spacing = '1ms'
);

CREATE SINK trades WITH (connector = 'file', path = 'target/trades.csv', format = 'csv');

INSERT INTO trades SELECT * FROM generated_trades;
