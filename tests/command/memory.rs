//! A job whose state outgrows `memory_limit` ends with an error that names who holds it; one that fits does not notice.

use crate::rig::Rig;

const SOURCE: &str = "CREATE SOURCE g (ts TIMESTAMP, key_id BIGINT, s VARCHAR, v DECIMAL(18, 2), WATERMARK FOR ts AS ts - INTERVAL '1' HOUR)
  WITH (connector = 'generator', rows = '400000', keys = '300000', seed = '1', spacing = '1ms');
CREATE SINK o WITH (connector = 'blackhole');
INSERT INTO o ";

#[test]
fn the_operator_that_holds_most_is_named() {
    for (query, name) in [
        ("SELECT key_id, COUNT(*), SUM(v) FROM g GROUP BY key_id", "GROUP BY holds"),
        ("SELECT key_id, s, COUNT(*) FROM g GROUP BY key_id, s EMIT CHANGES", "GROUP BY with EMIT CHANGES holds"),
        ("SELECT key_id, COUNT(*) FROM g GROUP BY key_id WINDOW TUMBLING (ts, INTERVAL '1' DAY)", "GROUP BY holds"),
        ("SELECT SUM(key_id) OVER (PARTITION BY key_id ROWS BETWEEN 9 PRECEDING AND CURRENT ROW) FROM g", "OVER holds"),
        ("SELECT MIN(s) OVER (PARTITION BY key_id ROWS BETWEEN 9 PRECEDING AND CURRENT ROW) FROM g", "OVER holds"),
        ("SELECT LAG(key_id) OVER (ORDER BY ts) FROM g", "ORDER BY inside OVER holds"),
        ("SELECT key_id, s, v FROM g ORDER BY v", "ORDER BY holds"),
    ] {
        for processor in ["inline", "simple", "partitioned", "stp"] {
            let sql = format!("SET memory_limit = '6MB'; {SOURCE} {query};");
            let ran = Rig::new().run(&sql, &["--processor", processor, "--partitions", "2"]);
            ran.failed(1, "memory_limit of 6.0 MiB is reached").said(name);
        }
    }
}

#[test]
fn a_job_that_fits_its_limit_is_not_disturbed() {
    let query =
        "SELECT key_id, COUNT(*) FROM g WHERE key_id < 1000 GROUP BY key_id WINDOW TUMBLING (ts, INTERVAL '1' MINUTE)";
    for processor in ["inline", "simple", "partitioned", "stp"] {
        let sql = format!("{SOURCE} {query};").replace("'1' HOUR", "'1' SECOND");
        let ran = Rig::new().run(&sql, &["--processor", processor, "--set", "memory_limit=24MB"]);
        ran.printed("").said("400,000 records");
    }
}

/// Splits of the same time are read abreast: what waits for event time does not grow with them.
#[test]
fn what_waits_of_several_splits_fits_too() {
    let source = SOURCE
        .replace("'1' HOUR", "'1' SECOND")
        .replace("spacing = '1ms'", "spacing = '1ms', splits = '4', disorder = '0.05'");
    let query = "SELECT LAG(key_id) OVER (ORDER BY ts) FROM g";
    for processor in ["inline", "simple", "partitioned", "stp"] {
        let sql = format!("SET memory_limit = '12MB'; {source} {query};");
        let ran = Rig::new().run(&sql, &["--processor", processor, "--partitions", "2"]);
        ran.printed("").said("400,000 records");
    }
}
