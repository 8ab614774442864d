//! Golden files of the SQL tests: cases of a query, a line `----` and the expected text, with empty lines between.

use corelane::error::{Error, Result};
use corelane::plan::{SchemaProvider, Script, SourceFacts, plan_script};
use corelane::types::{DataType, Field, Options, Schema};

/// Files have the columns of `trades`; a generator is as declared; `kafka` has no end.
struct Inputs;

impl SchemaProvider for Inputs {
    fn describe(&self, options: &Options) -> Result<SourceFacts> {
        let connector = options.get("connector").unwrap_or("");
        let columns = [
            ("trade_time", DataType::Timestamp),
            ("symbol", DataType::Varchar),
            ("price", DataType::Double),
            ("quantity", DataType::BigInt),
        ];
        let fields = columns.map(|(name, data_type)| Field::new(name, data_type));
        let schema = if connector == "file" { Schema::new(fields.into()) } else { Schema::default() };
        Ok(SourceFacts { schema, bounded: connector != "kafka" })
    }
}

const DECLARATIONS: &str = "\
CREATE SOURCE orders (order_id BIGINT, customer_id INT, order_date DATE, total_amount DOUBLE, note VARCHAR)
  WITH (connector = 'file', path = 'orders.csv');
CREATE SOURCE market_data (symbol VARCHAR, price DOUBLE, quantity INT, timestamp TIMESTAMP)
  WITH (connector = 'file', path = 'market_data.csv');
CREATE SOURCE trades (trade_time TIMESTAMP, symbol VARCHAR NOT NULL, trader_id INT, price DOUBLE, quantity BIGINT,
                      fee DECIMAL(10, 2), ok BOOLEAN, WATERMARK FOR trade_time AS trade_time - INTERVAL '1' SECOND)
  WITH (connector = 'file', path = 'trades.csv', keyed_by = 'symbol');
CREATE SOURCE live (ts TIMESTAMP, symbol VARCHAR, price DOUBLE) WITH (connector = 'kafka', topic = 'live');
CREATE SINK results WITH (connector = 'file', path = 'out.csv');
";

/// Plans `query` behind the declarations. An error is drawn as if the query stood alone.
pub fn plan(query: &str) -> Result<Script, String> {
    let lines = u32::try_from(DECLARATIONS.lines().count()).expect("a few lines");
    match plan_script(&format!("{DECLARATIONS}{query}"), &Options::new(), &Inputs) {
        Ok(script) => Ok(script),
        Err(Error::Sql(mut error)) => {
            error.span.line = error.span.line.saturating_sub(lines);
            error.span.end_line = error.span.end_line.saturating_sub(lines);
            Err(error.render("q.sql", query))
        }
        Err(error) => Err(format!("{error}\n")),
    }
}

/// Compares every case of the file with what `answer` gives; all that differ are printed. With GOLDEN=write in the
/// environment the file is written anew, to be looked at in the diff.
pub fn check(file: &str, least: usize, answer: impl Fn(&str) -> String) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file);
    let text = std::fs::read_to_string(&path).expect("the golden file is there");
    let mut written = Vec::new();
    let mut wrong = String::new();
    for case in text.split("\n\n").map(|case| case.trim_matches('\n')).filter(|case| !case.is_empty()) {
        let (query, expected) = case.split_once("\n----").unwrap_or((case, ""));
        let found = answer(query);
        if found.trim_end() != expected.trim_matches('\n') {
            wrong.push_str(&format!("{query}\n---- expected\n{}\n---- found\n{found}\n", expected.trim_matches('\n')));
        }
        written.push(format!("{query}\n----\n{}\n", found.trim_end()));
    }
    assert!(written.len() >= least, "{} cases in {file}, there were {least}", written.len());
    if std::env::var("GOLDEN").as_deref() == Ok("write") {
        std::fs::write(&path, written.join("\n")).expect("the golden file can be written");
    } else {
        assert!(wrong.is_empty(), "\n{wrong}");
    }
}
