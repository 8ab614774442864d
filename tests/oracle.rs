//! `inline` against independent oracles: SQLite where SQL allows, plain folds over the input rows for what is streaming
//! only (lateness, running values, release by event time). Integers, text and NULLs must be equal, doubles to 1e-9.

mod harness;

use std::collections::{BTreeMap, HashMap};

use corelane::engine::Engine;
use harness::sqlite::{against_sqlite, ask, assert_close, by_exact_cells, generated, sqlite};
use harness::{Cell, Row, options, run, sorted};

const MARKET_DATA: &str = "market_data (symbol VARCHAR, price DOUBLE, quantity BIGINT, timestamp TIMESTAMP)";
const TRADES: &str = "trades (trade_time TIMESTAMP, symbol VARCHAR, trader_id INT, price DOUBLE, quantity BIGINT,
    WATERMARK FOR trade_time AS trade_time - INTERVAL '2' SECOND)";

#[test]
fn scenario_0_equals_sqlite() {
    let declaration = "orders (order_id BIGINT, customer_id INT, order_date DATE, total_amount DOUBLE)";
    let (source, rows) = generated(declaration, "rows = '5000', seed = '4', keys = '50', nulls = '0.1'");
    let connection = sqlite("orders", "order_id, customer_id, order_date, total_amount", &rows);
    let query = "SELECT order_id, customer_id, order_date, total_amount FROM orders WHERE total_amount > 100";
    let ours = run(&Engine::new(), &format!("{source} {query}"), &options(&[("processor", "inline")])).1;
    assert_eq!(sorted(ours), sorted(ask(&connection, query)));
}

#[test]
fn scenario_1_equals_sqlite() {
    let (source, rows) =
        generated(MARKET_DATA, "rows = '5000', seed = '5', keys = '7', nulls = '0.02', spacing = '10ms'");
    // A NULL timestamp has no place in the order; such records count as failed.
    let rows: Vec<Row> = rows.into_iter().filter(|row| row[3] != Cell::Null).collect();
    let connection = sqlite("market_data", "symbol, price, quantity, timestamp", &rows);
    let frame = "(PARTITION BY symbol ORDER BY timestamp ROWS BETWEEN 99 PRECEDING AND CURRENT ROW)";
    let buffer = "(ROWS WINDOW BUFFER 100 ROWS PARTITION BY symbol ORDER BY timestamp)";
    let query = |over: &str| {
        format!(
            "SELECT timestamp, symbol, AVG(price) OVER {over}, MIN(price) OVER {over}, MAX(price) OVER {over},
                SUM(quantity) OVER {over}, COUNT(quantity) OVER {over}, FIRST_VALUE(quantity) OVER {over},
                LAST_VALUE(price) OVER {over} FROM market_data"
        )
    };
    against_sqlite("scenario 1", &source, &connection, &query(buffer), &query(frame));
    against_sqlite("scenario 1, standard frame", &source, &connection, &query(frame), &query(frame));
    let numbers = "SELECT timestamp, symbol, ROW_NUMBER() OVER (PARTITION BY symbol ORDER BY timestamp),
        LAG(quantity, 3) OVER (PARTITION BY symbol ORDER BY timestamp), LAG(price, 1, 0.0) OVER (PARTITION BY symbol ORDER BY timestamp)
        FROM market_data";
    against_sqlite("row numbers and lags", &source, &connection, numbers, numbers);
}

#[test]
fn scenario_2_equals_sqlite() {
    let (source, rows) = generated(MARKET_DATA, "rows = '8000', seed = '6', keys = '40', skew = '1.2', nulls = '0.05'");
    let connection = sqlite("market_data", "symbol, price, quantity, timestamp", &rows);
    let check = |what: &str, sql: &str| against_sqlite(what, &source, &connection, sql, sql);
    check(
        "scenario 2",
        "SELECT symbol, COUNT(*), AVG(price), MIN(price), MAX(price), SUM(quantity) FROM market_data GROUP BY symbol",
    );
    check(
        "global",
        "SELECT COUNT(*), COUNT(price), SUM(price), AVG(quantity), MIN(symbol), MAX(symbol) FROM market_data",
    );
    check("nothing passes", "SELECT COUNT(*), SUM(price) FROM market_data WHERE quantity > 1000000");
    check("having", "SELECT symbol, SUM(quantity) FROM market_data GROUP BY symbol HAVING COUNT(*) > 100");
    check(
        "expression key",
        "SELECT quantity % 10, COUNT(*), SUM(price) FROM market_data WHERE price > 50.0 GROUP BY quantity % 10",
    );
    check(
        "case",
        "SELECT CASE WHEN price > 500.0 THEN 'dear' WHEN price > 100.0 THEN 'fair' ELSE 'cheap' END, COUNT(*) FROM market_data GROUP BY 1",
    );
    check("distinct", "SELECT DISTINCT symbol FROM market_data");
    check("functions", "SELECT UPPER(LOWER(symbol)), LENGTH(symbol), SUBSTR(symbol, 2, 2), COALESCE(quantity, -1), ABS(quantity - 500),
        symbol || '!', symbol LIKE '%A%', quantity IN (1, 2, 3), quantity BETWEEN 10 AND 20, price IS NULL, quantity FROM market_data");
    check(
        "sorted and cut",
        "SELECT symbol, quantity FROM market_data WHERE quantity IS NOT NULL AND symbol IS NOT NULL ORDER BY quantity DESC, symbol LIMIT 20",
    );
    let variance =
        "SELECT symbol, STDDEV(quantity) * STDDEV(quantity), VARIANCE(price) FROM market_data GROUP BY symbol";
    let by_hand = "SELECT symbol, (SUM(1.0 * quantity * quantity) - 1.0 * SUM(quantity) * SUM(quantity) / COUNT(quantity)) / (COUNT(quantity) - 1),
        (SUM(price * price) - SUM(price) * SUM(price) / COUNT(price)) / (COUNT(price) - 1) FROM market_data GROUP BY symbol";
    against_sqlite("variance", &source, &connection, variance, by_hand);
}

#[test]
fn scenario_3a_equals_sqlite() {
    let with = "rows = '9000', seed = '8', keys = '6', spacing = '40ms', disorder = '0.2', disorder_by = '1900ms'";
    let (source, rows) = generated(TRADES, with);
    let connection = sqlite("trades", "trade_time, symbol, trader_id, price, quantity", &rows);
    let values = "trader_id, symbol, COUNT(*), AVG(price), SUM(quantity), SUM(price * quantity)";
    against_sqlite(
        "scenario 3a",
        &source,
        &connection,
        &format!(
            "SELECT window_start, {values} FROM trades GROUP BY trader_id, symbol WINDOW TUMBLING (trade_time, INTERVAL '1' MINUTE)"
        ),
        &format!("SELECT trade_time / 60000000 * 60000000, {values} FROM trades GROUP BY 1, trader_id, symbol"),
    );
}

/// Event time, symbol, trader, price, quantity of a row.
fn trade(row: &Row) -> (i64, String, i64, Option<f64>, Option<i64>) {
    let integer = |cell: &Cell| match cell {
        Cell::Integer(value) => Some(i64::try_from(*value).unwrap()),
        _ => None,
    };
    let Cell::Text(symbol) = &row[1] else { panic!("no NULL symbols here") };
    let price = (row[3] != Cell::Null).then(|| row[3].double());
    (integer(&row[0]).unwrap(), symbol.clone(), integer(&row[2]).unwrap(), price, integer(&row[4]))
}

const BOUND_US: i64 = 2_000_000;
const MINUTE_US: i64 = 60_000_000;

/// Which rows are late, by the definition: the window ended at or before the watermark that the rows before it made.
fn late(times: &[i64], is_late: impl Fn(i64, i64) -> bool) -> Vec<bool> {
    let mut greatest: Option<i64> = None;
    let mut late = Vec::new();
    for &time in times {
        late.push(greatest.is_some_and(|greatest| is_late(time, greatest - BOUND_US)));
        greatest = Some(greatest.map_or(time, |greatest| greatest.max(time)));
    }
    late
}

#[derive(Default, Clone)]
struct Running {
    count: i128,
    price: f64,
    quantity: i128,
    value: f64,
}

/// The last running values of each (window, trader, symbol).
type LastOfGroups = BTreeMap<(i64, i64, String), Row>;

/// Running values after each row that is not late, in input order: what EMIT CHANGES gives; the last of each group is
/// what EMIT FINAL gives.
fn fold(rows: &[Row]) -> (Vec<Row>, LastOfGroups, u64) {
    let times: Vec<i64> = rows.iter().map(|row| trade(row).0).collect();
    let start = |time: i64| time - time.rem_euclid(MINUTE_US);
    let late = late(&times, |time, watermark| start(time) + MINUTE_US <= watermark);
    let mut groups: HashMap<(i64, i64, String), Running> = HashMap::new();
    let (mut changes, mut last) = (Vec::new(), BTreeMap::new());
    for (row, late) in rows.iter().zip(&late) {
        if *late {
            continue;
        }
        let (time, symbol, trader, price, quantity) = trade(row);
        let key = (start(time), trader, symbol.clone());
        let group = groups.entry(key.clone()).or_default();
        let (price, quantity) = (price.unwrap(), quantity.unwrap());
        group.count += 1;
        group.price += price;
        group.quantity += i128::from(quantity);
        group.value += price * quantity as f64;
        let double = |value: f64| Cell::Double(value.to_bits());
        let out = vec![
            Cell::Integer(trader.into()),
            Cell::Text(symbol),
            Cell::Integer(group.count),
            double(group.price / group.count as f64),
            Cell::Integer(group.quantity),
            double(group.value),
            Cell::Integer(start(time).into()),
        ];
        last.insert(key, out.clone());
        changes.push(out);
    }
    let late = late.iter().filter(|late| **late).count() as u64;
    (changes, last, late)
}

const TUMBLING: &str =
    "SELECT trader_id, symbol, COUNT(*), AVG(price), SUM(quantity), SUM(price * quantity), window_start
    FROM trades GROUP BY trader_id, symbol WINDOW TUMBLING (trade_time, INTERVAL '1' MINUTE)";

#[test]
fn scenario_3b_equals_a_fold_late_records_included() {
    let with = "rows = '6000', seed = '9', keys = '4', spacing = '100ms', disorder = '0.3', disorder_by = '3m'";
    let (source, rows) = generated(TRADES, with);
    let (changes, last, late) = fold(&rows);
    assert!(late > 100, "the input shows lateness: {late}");
    let inline = options(&[("processor", "inline")]);
    let (report, ours) = run(&Engine::new(), &format!("{source} {TUMBLING} EMIT CHANGES"), &inline);
    assert_close("scenario 3b", &ours, &changes);
    assert_eq!((report.records_late, report.records_dropped, report.records_processed), (late, late, 6000 - late));
    let (report, ours) = run(&Engine::new(), &format!("{source} {TUMBLING}"), &inline);
    let last: Vec<Row> = last.into_values().collect();
    assert_close("scenario 3a with late records", &by_exact_cells(ours), &by_exact_cells(last));
    assert_eq!(report.records_late, late);
}

#[test]
fn rows_windows_release_by_event_time() {
    let with = "rows = '4000', seed = '10', keys = '3', spacing = '100ms', disorder = '0.3', disorder_by = '5s'";
    let (source, rows) = generated(TRADES, with);
    let times: Vec<i64> = rows.iter().map(|row| trade(row).0).collect();
    let late = late(&times, |time, watermark| time < watermark);
    let mut kept: Vec<&Row> = rows.iter().zip(&late).filter(|(_, late)| !**late).map(|(row, _)| row).collect();
    kept.sort_by_key(|row| trade(row).0);
    let mut frames: HashMap<String, Vec<i64>> = HashMap::new();
    let expected: Vec<Row> = kept
        .iter()
        .map(|row| {
            let (time, symbol, _, _, quantity) = trade(row);
            let frame = frames.entry(symbol.clone()).or_default();
            frame.push(quantity.unwrap());
            let last = &frame[frame.len().saturating_sub(5)..];
            let lag = frame.len().checked_sub(3).map_or(Cell::Null, |i| Cell::Integer(frame[i].into()));
            let sum = last.iter().map(|v| i128::from(*v)).sum();
            let max = last.iter().max().map(|v| i128::from(*v)).unwrap();
            vec![Cell::Integer(time.into()), Cell::Text(symbol), Cell::Integer(sum), Cell::Integer(max), lag]
        })
        .collect();
    let over = "OVER (PARTITION BY symbol ORDER BY trade_time ROWS BETWEEN 4 PRECEDING AND CURRENT ROW)";
    let sql = format!(
        "{source} SELECT trade_time, symbol, SUM(quantity) {over}, MAX(quantity) {over}, LAG(quantity, 2) OVER (PARTITION BY symbol ORDER BY trade_time) FROM trades"
    );
    let (report, ours) = run(&Engine::new(), &sql, &options(&[("processor", "inline")]));
    assert_eq!(ours, expected);
    let late = late.iter().filter(|late| **late).count() as u64;
    assert!(late > 0);
    assert_eq!(report.records_late, late);
}

/// The January extract in the repository: hourly departures, delays and cancellations.
#[test]
fn flights_equal_sqlite() {
    let path = "examples/data/flights_january.csv";
    let source = format!("CREATE SOURCE flights WITH (connector = 'file', path = '{path}', nullstr = 'NA');");
    let columns = "carrier, time_hour, dep_time, dep_delay, origin, distance";
    let all = run(&Engine::new(), &format!("{source} SELECT {columns} FROM flights"), &options(&[])).1;
    assert_eq!(all.len(), 27_004);
    let connection = sqlite("flights", columns, &all);
    let sql = std::fs::read_to_string("examples/flights.sql").unwrap();
    let (report, ours) = run(&Engine::new(), &sql, &options(&[]));
    assert_eq!((report.records_read, report.records_late, report.records_failed), (27_004, 0, 0));
    let theirs = ask(
        &connection,
        "SELECT time_hour, carrier, COUNT(dep_time), AVG(dep_delay), SUM(CASE WHEN dep_time IS NULL THEN 1 ELSE 0 END)
         FROM flights GROUP BY time_hour / 3600000000, carrier",
    );
    assert_close("flights", &by_exact_cells(ours), &by_exact_cells(theirs));
    let query = "SELECT carrier, COUNT(*), AVG(dep_delay) FROM flights GROUP BY carrier ORDER BY carrier";
    let ours = run(&Engine::new(), &format!("{source} {query}"), &options(&[])).1;
    assert_close("flights per carrier", &ours, &ask(&connection, query));
}
