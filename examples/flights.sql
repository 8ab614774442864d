-- Departures, delays and cancellations per carrier and hour, from a real file with missing values and disorder.
--
--   cargo run --release -- run examples/flights.sql
--
-- 27,004 records in, 5,133 rows out, none late: the file is ordered by day only, a record lies up to 18 hours behind the
-- newest before it, so that is the bound of the watermark.

CREATE SOURCE flights (
    year INT, month INT, day INT,
    dep_time INT, sched_dep_time INT, dep_delay INT,
    arr_time INT, sched_arr_time INT, arr_delay INT,
    carrier VARCHAR, flight INT, tailnum VARCHAR, origin VARCHAR, dest VARCHAR,
    air_time INT, distance INT, hour INT, minute INT,
    time_hour TIMESTAMP,
    WATERMARK FOR time_hour AS time_hour - INTERVAL '18' HOUR
) WITH (connector = 'file', path = 'examples/data/flights_january.csv', format = 'csv', nullstr = 'NA');

SELECT window_start,
       carrier,
       COUNT(dep_time) AS departures,
       AVG(dep_delay) AS average_delay,
       SUM(CASE WHEN dep_time IS NULL THEN 1 ELSE 0 END) AS cancelled
FROM flights
GROUP BY carrier
WINDOW TUMBLING (time_hour, INTERVAL '1' HOUR);
