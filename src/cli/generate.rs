//! `corelane gen`: made-up trades, sensor readings or log lines, to try things on.

use super::arguments::{Format, GenArguments, GenKind};
use super::commands::{answer, compile, query_sink, send_to};
use super::failure::Failure;
use super::script::Script;
use crate::types::Options;

/// Rows without --rows and --rate.
const ROWS_DEFAULT: u64 = 1000;

impl GenKind {
    /// Columns, as they are declared.
    pub(super) fn columns(self) -> &'static str {
        match self {
            Self::Trades => "trade_time TIMESTAMP, symbol VARCHAR, trader_id INT, price DOUBLE, quantity BIGINT",
            Self::Iot => {
                "read_at TIMESTAMP, sensor_id INT, site VARCHAR, temperature DOUBLE, humidity DOUBLE, battery_low BOOLEAN"
            }
            Self::Logs => {
                "logged_at TIMESTAMP, host VARCHAR, service VARCHAR, status INT, latency_ms DOUBLE, bytes BIGINT"
            }
        }
    }
}

/// Writes the rows.
pub(super) fn run(arguments: &GenArguments) -> Result<(), Failure> {
    let script = Script::query(sql(arguments));
    let sink = query_sink(arguments.output.as_deref(), arguments.format.or(default_format(arguments)))?;
    let mut settings = Options::new();
    settings.set("processor", "inline");
    let mut jobs = compile(&script, &settings)?;
    jobs.iter_mut().for_each(|(job, _)| send_to(job, &sink));
    answer(&script, &jobs, &arguments.watching)?.write()?;
    Ok(())
}

/// On standard output, what programs read.
fn default_format(arguments: &GenArguments) -> Option<Format> {
    arguments.output.is_none().then_some(Format::Csv)
}

fn sql(arguments: &GenArguments) -> String {
    let GenArguments { kind, rows, rate, seed, keys, skew, disorder, .. } = arguments;
    let mut options = vec![("connector", "generator".to_string())];
    let rows = rows.or(rate.is_none().then_some(ROWS_DEFAULT));
    let mut add = |name, value: Option<String>| options.extend(value.map(|value| (name, value)));
    add("rows", rows.map(|rows| rows.to_string()));
    add("rate", rate.map(|rate| rate.to_string()));
    add("seed", seed.map(|seed| seed.to_string()));
    add("keys", keys.map(|keys| keys.to_string()));
    add("skew", skew.map(|skew| skew.to_string()));
    add("disorder", disorder.map(|disorder| disorder.to_string()));
    let options: Vec<String> = options.iter().map(|(name, value)| format!("{name} = '{value}'")).collect();
    format!("CREATE SOURCE rows ({}) WITH ({}); SELECT * FROM rows", kind.columns(), options.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::arguments::{Arguments, Command};
    use crate::engine::{Engine, RunOptions};
    use clap::{Parser, ValueEnum};

    fn parsed(flags: &[&str]) -> GenArguments {
        let arguments = ["corelane", "gen"].iter().chain(flags);
        match Arguments::try_parse_from(arguments).unwrap().command {
            Command::Gen(arguments) => arguments,
            other => panic!("parsed as {other:?}"),
        }
    }

    #[test]
    fn every_kind_makes_rows_and_the_flags_shape_them() {
        for kind in GenKind::value_variants() {
            let name = kind.to_possible_value().unwrap().get_name().to_string();
            let arguments =
                parsed(&[&name, "--rows", "500", "--keys", "3", "--skew", "1", "--disorder", "0.1", "--seed", "4"]);
            let engine = Engine::new();
            let jobs = engine.compile(&sql(&arguments), &Options::new()).unwrap();
            let (report, _) = engine.collect(&jobs[0], &RunOptions::default()).unwrap();
            assert_eq!(report.records_emitted, 500, "{name}");
        }
    }

    #[test]
    fn with_a_rate_rows_come_until_told_otherwise() {
        assert!(!sql(&parsed(&["logs", "--rate", "5"])).contains("rows = '"));
        assert!(sql(&parsed(&["logs"])).contains("rows = '1000'"));
    }
}
