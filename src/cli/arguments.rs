//! The command line, as clap parses it. Flags that shape a job become settings: see [`JobFlags::settings`].

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::bench::BenchCommand;
use crate::engine::SETTINGS;
use crate::error::{Error, Result, nearest};
use crate::types::Options;

const LONG_VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\ncommit: ",
    env!("CORELANE_COMMIT"),
    "\ncompiler: ",
    env!("CORELANE_RUSTC"),
    "\ntarget features: ",
    env!("CORELANE_TARGET_FEATURES"),
);

/// Streaming SQL on the pinned cores of one host.
#[derive(Debug, Parser)]
#[command(name = "corelane", version, long_version = LONG_VERSION, arg_required_else_help = true)]
#[command(
    after_help = "Exit status: 0 done (also after Ctrl-C), 1 the job failed, 2 usage, SQL or configuration error."
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the jobs of a SQL file, one after another
    Run(RunArguments),
    /// Run one SELECT and print or write its result
    Query(QueryArguments),
    /// Show how the jobs of a SQL file or one query would run
    Explain(ExplainArguments),
    /// Parse, type and plan a SQL file without running it
    Check(CheckArguments),
    /// Show the CPUs of this host and which of them partitions get
    Topology(TopologyArguments),
    /// List the functions that SQL may call, with their types and examples
    Functions(FunctionsArguments),
    /// Measure this host
    #[command(subcommand)]
    Bench(BenchCommand),
}

#[derive(Debug, Args)]
pub(super) struct RunArguments {
    /// SQL file; - reads standard input
    #[arg(value_name = "FILE.sql")]
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) job: JobFlags,
    /// Checkpoint directory (not available yet)
    #[arg(long, value_name = "DIR", hide = true)]
    pub(super) checkpoint_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(super) watching: WatchFlags,
}

#[derive(Debug, Args)]
pub(super) struct QueryArguments {
    /// One SELECT; files are named in quotes: SELECT ... FROM 'trades.parquet'
    #[arg(value_name = "SQL")]
    pub(super) sql: String,
    /// Format of the result; by default the one the name of the output file ends in, else table
    #[arg(long, value_name = "FORMAT")]
    pub(super) format: Option<Format>,
    /// Write the result to FILE instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    #[command(flatten)]
    pub(super) job: JobFlags,
    #[command(flatten)]
    pub(super) watching: WatchFlags,
}

#[derive(Debug, Args)]
pub(super) struct ExplainArguments {
    /// SQL file; - reads standard input
    #[arg(value_name = "FILE.sql", required_unless_present = "query", conflicts_with = "query")]
    pub(super) file: Option<PathBuf>,
    /// SQL text instead of a file
    #[arg(short, long, value_name = "SQL")]
    pub(super) query: Option<String>,
    /// Run the jobs too, throw their rows away, and show their reports
    #[arg(long)]
    pub(super) analyze: bool,
    #[command(flatten)]
    pub(super) job: JobFlags,
}

#[derive(Debug, Args)]
pub(super) struct CheckArguments {
    /// SQL file; - reads standard input
    #[arg(value_name = "FILE.sql")]
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) job: JobFlags,
}

#[derive(Debug, Args)]
pub(super) struct TopologyArguments {
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
    /// Show the placement of N partitions instead of one per physical core
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(super) partitions: Option<u32>,
    /// CPUs to place them on, as in 2-9,12
    #[arg(long, value_name = "LIST")]
    pub(super) cores: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct FunctionsArguments {
    /// A name, a part of one, a pattern as in 'REGEXP_*', or a group [default: all]
    #[arg(value_name = "NAME")]
    pub(super) pattern: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

/// Flags that shape a job. They win over SET in the file.
#[derive(Debug, Args)]
pub(super) struct JobFlags {
    /// Set K to V, as SET does in the file
    #[arg(long = "set", value_name = "K=V", value_parser = parse_setting)]
    set: Vec<(String, String)>,
    /// How the work is laid over threads
    #[arg(long, value_name = "NAME", value_parser = ["auto", "inline", "simple", "partitioned", "stp"])]
    processor: Option<String>,
    /// Number of partitions [default: one per physical core]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    partitions: Option<String>,
    /// CPUs for the partitions, in order, as in 2-9,12
    #[arg(long, value_name = "LIST")]
    cores: Option<String>,
    /// Rows of a batch [default: 8192]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    batch_rows: Option<String>,
    /// How rows find their partition: always_hash, smart_repartition, sticky, round_robin, fan_in [default: by plan]
    #[arg(long, value_name = "NAME")]
    strategy: Option<String>,
    /// The one partition of strategy fan_in [default: 0]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    fan_in_partition: Option<String>,
    /// What to do with late records: drop, process_with_warning, process_all [default: drop]
    #[arg(long, value_name = "HOW")]
    late_records: Option<String>,
    /// How long a closed window takes late records in, as in 30s [default: the watermark's bound]
    #[arg(long, value_name = "TIME")]
    allowed_lateness: Option<String>,
    /// A declared sink for late records that are dropped
    #[arg(long, value_name = "NAME")]
    late_sink: Option<String>,
    /// How far the watermark advances before windows are looked at again [default: 100ms]
    #[arg(long, value_name = "TIME")]
    min_advance: Option<String>,
    /// How long a silent split of a source without end is waited for, or off [default: 30s]
    #[arg(long, value_name = "TIME")]
    idle_timeout: Option<String>,
    /// How far ahead of the clock records may be, or off [default: 1 day for stdin, else off]
    #[arg(long, value_name = "TIME")]
    max_future: Option<String>,
    /// What the state of a job may take, as in 512MB [default: as much as there is]
    #[arg(long, value_name = "SIZE")]
    memory_limit: Option<String>,
    /// After how long a group of running values that nobody touched starts anew, or off [default: off]
    #[arg(long, value_name = "TIME")]
    state_ttl: Option<String>,
    /// What a thread without work does [default: backoff]
    #[arg(long, value_name = "HOW", value_parser = ["spin", "backoff", "park"])]
    wait: Option<String>,
    /// Kernel variants [default: auto]
    #[arg(long, value_name = "LEVEL", value_parser = ["auto", "scalar", "wide", "avx512"])]
    simd: Option<String>,
}

/// Flags about what is seen of a run.
#[derive(Debug, Args)]
pub(super) struct WatchFlags {
    /// Write the job's report as JSON to FILE; - is standard output
    #[arg(long, value_name = "FILE")]
    pub(super) stats_json: Option<PathBuf>,
    /// Progress line on standard error; auto shows it on a terminal
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = ProgressWhen::Auto)]
    pub(super) progress: ProgressWhen,
}

/// When a progress line is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ProgressWhen {
    /// When standard error is a terminal.
    Auto,
    /// Never.
    Never,
}

/// Format of a query's result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Aligned columns for people.
    Table,
    /// Comma-separated values with a header.
    Csv,
    /// One JSON object per line.
    Json,
    /// Parquet file.
    Parquet,
    /// Arrow IPC file.
    Arrow,
}

impl Format {
    /// The name the `format` option of a sink takes.
    pub(super) fn option(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Csv => "csv",
            Self::Json => "jsonl",
            Self::Parquet => "parquet",
            Self::Arrow => "arrow",
        }
    }

    /// Whether a terminal can show it.
    pub(super) fn is_text(self) -> bool {
        matches!(self, Self::Table | Self::Csv | Self::Json)
    }

    /// The format that a file name ends in.
    pub(super) fn of_extension(extension: &str) -> Option<Self> {
        match extension.to_ascii_lowercase().as_str() {
            "txt" => Some(Self::Table),
            "csv" => Some(Self::Csv),
            "json" | "jsonl" | "ndjson" => Some(Self::Json),
            "parquet" => Some(Self::Parquet),
            "arrow" | "feather" | "ipc" => Some(Self::Arrow),
            _ => None,
        }
    }
}

impl JobFlags {
    /// The flags as settings. A named flag wins over `--set` of the same name.
    pub(super) fn settings(&self) -> Result<Options> {
        let mut settings = Options::new();
        for (key, value) in &self.set {
            let key = key.to_ascii_lowercase();
            if !SETTINGS.contains(&key.as_str()) {
                return Err(unknown_setting(&key));
            }
            settings.set(&key, value);
        }
        let named = [
            ("processor", &self.processor),
            ("partitions", &self.partitions),
            ("cores", &self.cores),
            ("batch_rows", &self.batch_rows),
            ("strategy", &self.strategy),
            ("fan_in_partition", &self.fan_in_partition),
            ("late_records", &self.late_records),
            ("allowed_lateness", &self.allowed_lateness),
            ("late_sink", &self.late_sink),
            ("min_advance", &self.min_advance),
            ("idle_timeout", &self.idle_timeout),
            ("max_future", &self.max_future),
            ("memory_limit", &self.memory_limit),
            ("state_ttl", &self.state_ttl),
            ("wait", &self.wait),
            ("simd", &self.simd),
        ];
        for (key, value) in named {
            if let Some(value) = value {
                settings.set(key, value);
            }
        }
        Ok(settings)
    }
}

fn unknown_setting(key: &str) -> Error {
    let hint = match nearest(key, SETTINGS.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("settings are {}", SETTINGS.join(", ")),
    };
    Error::Config(format!("unknown setting {key}: {hint}"))
}

fn parse_setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_string(), value.trim().to_string())),
        _ => Err("expected K=V, as in partitions=4".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(arguments: &[&str]) -> Result<Options> {
        let arguments = ["corelane", "run", "a.sql"].iter().chain(arguments);
        match Arguments::try_parse_from(arguments).unwrap().command {
            Command::Run(run) => run.job.settings(),
            other => panic!("parsed as {other:?}"),
        }
    }

    #[test]
    fn the_definition_is_consistent() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }

    #[test]
    fn flags_become_settings_and_win_over_set() {
        let flags = ["--set", "partitions=2", "--set", "wait = park", "--partitions", "4", "--cores", "0-3"];
        let settings = settings(&flags).unwrap();
        let entries: Vec<_> = settings.iter().collect();
        assert_eq!(entries, [("partitions", "4"), ("wait", "park"), ("cores", "0-3")]);
    }

    #[test]
    fn every_setting_has_a_flag() {
        let flags: Vec<String> = SETTINGS.iter().map(|key| format!("--{}=auto", key.replace('_', "-"))).collect();
        let flags: Vec<&str> =
            flags.iter().map(|flag| if *flag == "--wait=auto" { "--wait=spin" } else { flag }).collect();
        assert_eq!(settings(&flags).unwrap().iter().count(), SETTINGS.len());
    }

    #[test]
    fn an_unknown_setting_is_an_error_with_a_suggestion() {
        assert_eq!(
            settings(&["--set", "partition=2"]).unwrap_err().to_string(),
            "unknown setting partition: did you mean partitions?"
        );
        assert!(settings(&["--set", "colour=red"]).unwrap_err().to_string().contains("settings are processor"));
    }

    #[test]
    fn explain_takes_a_file_or_a_query_not_both() {
        assert!(Arguments::try_parse_from(["corelane", "explain"]).is_err());
        assert!(Arguments::try_parse_from(["corelane", "explain", "a.sql", "-q", "SELECT 1"]).is_err());
        assert!(Arguments::try_parse_from(["corelane", "explain", "-q", "SELECT 1"]).is_ok());
    }
}
