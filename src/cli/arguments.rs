//! The command line, as clap parses it. Flags that shape a job become settings: see [`JobFlags::settings`].

use std::path::PathBuf;

use clap::builder::StyledStr;
use clap::{Args, Parser, Subcommand, ValueEnum};

use super::bench::BenchCommand;
use crate::engine::{SETTING_OPTIONS, SETTINGS};
use crate::error::{Error, Result, nearest};
use crate::server::LISTEN_DEFAULT;
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
    /// Run a server: many jobs, steered and watched over HTTP
    Serve(ServeArguments),
    /// Show the jobs of a server and their lanes in the terminal
    Top(TopArguments),
    /// Check a server's configuration file, or print its schema
    #[command(subcommand)]
    Config(ConfigCommand),
    /// List the functions that SQL may call, with their types and examples
    Functions(FunctionsArguments),
    /// Type SQL and see rows: with history, statements over several lines, and live results
    Shell(ShellArguments),
    /// Show the first rows of a file, and a CREATE SOURCE for it to paste
    Head(HeadArguments),
    /// Write made-up rows: trades, sensor readings or log lines
    Gen(GenArguments),
    /// Check whether this host is set up for pinned threads
    Doctor(DoctorArguments),
    /// Print completions for a shell
    Completions(CompletionsArguments),
    /// Write the manual pages into a directory
    Man(ManArguments),
    /// List the settings and the options of sources and sinks
    Options(OptionsArguments),
    /// Measure this host
    #[command(subcommand)]
    Bench(BenchCommand),
}

#[derive(Debug, Args)]
pub(super) struct ServeArguments {
    /// Configuration file
    #[arg(long, value_name = "FILE.yaml")]
    pub(super) config: PathBuf,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Keys: up and down choose a job, p pauses it, r resumes it, q ends. Set CORELANE_TOKEN if the server has a token."
)]
pub(super) struct TopArguments {
    /// Where the server listens
    #[arg(long, value_name = "URL", default_value_t = format!("http://{LISTEN_DEFAULT}"))]
    pub(super) url: String,
    /// The job whose lanes are shown first [default: the first one]
    #[arg(long, value_name = "NAME")]
    pub(super) job: Option<String>,
    /// Print one frame as text and end; so it does where there is no terminal
    #[arg(long)]
    pub(super) once: bool,
}

/// What is asked of configuration files.
#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Check a file, and plan its jobs, without starting anything
    Check(ConfigCheckArguments),
    /// Print the JSON Schema of the file
    Schema,
}

#[derive(Debug, Args)]
pub(super) struct ConfigCheckArguments {
    /// Configuration file
    #[arg(value_name = "FILE.yaml")]
    pub(super) file: PathBuf,
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
    /// Run the jobs too, throw their rows away, and show their reports and where the time went
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

#[derive(Debug, Args)]
pub(super) struct OptionsArguments {
    /// A name, a part of one, a pattern as in '*_lateness', or a place: setting, source, generator, nexmark, sink [default: all]
    #[arg(value_name = "NAME")]
    pub(super) pattern: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ShellArguments {
    #[command(flatten)]
    pub(super) job: JobFlags,
}

#[derive(Debug, Args)]
pub(super) struct HeadArguments {
    /// A csv, jsonl, parquet or arrow file
    #[arg(value_name = "FILE")]
    pub(super) file: String,
    /// Rows to show
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10)]
    pub(super) rows: u64,
    #[command(flatten)]
    pub(super) watching: WatchFlags,
}

/// What is made up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum GenKind {
    /// Trades of symbols.
    Trades,
    /// Readings of sensors.
    Iot,
    /// Requests of services.
    Logs,
}

#[derive(Debug, Args)]
pub(super) struct GenArguments {
    /// What to make
    #[arg(value_name = "KIND", value_enum)]
    pub(super) kind: GenKind,
    /// Rows [default: 1000, or without end if there is a rate]
    #[arg(long, value_name = "N")]
    pub(super) rows: Option<u64>,
    /// Rows a second [default: as fast as can be]
    #[arg(long, value_name = "N")]
    pub(super) rate: Option<f64>,
    /// The same seed makes the same rows
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
    /// Distinct symbols, sensors, hosts [default: 100]
    #[arg(long, value_name = "N")]
    pub(super) keys: Option<u64>,
    /// Zipf exponent: above 0 some keys come more often
    #[arg(long, value_name = "S")]
    pub(super) skew: Option<f64>,
    /// Share of rows whose time lies back, from 0 to 1
    #[arg(long, value_name = "SHARE")]
    pub(super) disorder: Option<f64>,
    /// Format [default: csv, or the one the name of the output file ends in]
    #[arg(long, value_name = "FORMAT")]
    pub(super) format: Option<Format>,
    /// Write to FILE instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    #[command(flatten)]
    pub(super) watching: WatchFlags,
}

#[derive(Debug, Args)]
pub(super) struct DoctorArguments {
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct CompletionsArguments {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub(super) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(super) struct ManArguments {
    /// Where the pages go; it is made if need be
    #[arg(value_name = "DIRECTORY")]
    pub(super) directory: PathBuf,
}

/// Flags that shape a job. They win over SET in the file.
#[derive(Debug, Args)]
pub(super) struct JobFlags {
    /// Set K to V, as SET does in the file
    #[arg(long = "set", value_name = "K=V", value_parser = parse_setting)]
    set: Vec<(String, String)>,
    #[arg(long, help = setting_help("processor"), value_name = "NAME", value_parser = ["auto", "inline", "simple", "partitioned", "stp"])]
    processor: Option<String>,
    #[arg(long, help = setting_help("partitions"), value_name = "N", allow_negative_numbers = true)]
    partitions: Option<String>,
    #[arg(long, help = setting_help("cores"), value_name = "LIST")]
    cores: Option<String>,
    #[arg(long, help = setting_help("batch_rows"), value_name = "N", allow_negative_numbers = true)]
    batch_rows: Option<String>,
    #[arg(long, help = setting_help("strategy"), value_name = "NAME")]
    strategy: Option<String>,
    #[arg(long, help = setting_help("fan_in_partition"), value_name = "N", allow_negative_numbers = true)]
    fan_in_partition: Option<String>,
    #[arg(long, help = setting_help("late_records"), value_name = "HOW")]
    late_records: Option<String>,
    #[arg(long, help = setting_help("allowed_lateness"), value_name = "TIME")]
    allowed_lateness: Option<String>,
    #[arg(long, help = setting_help("late_sink"), value_name = "NAME")]
    late_sink: Option<String>,
    #[arg(long, help = setting_help("min_advance"), value_name = "TIME")]
    min_advance: Option<String>,
    #[arg(long, help = setting_help("idle_timeout"), value_name = "TIME")]
    idle_timeout: Option<String>,
    #[arg(long, help = setting_help("max_future"), value_name = "TIME")]
    max_future: Option<String>,
    #[arg(long, help = setting_help("memory_limit"), value_name = "SIZE")]
    memory_limit: Option<String>,
    #[arg(long, help = setting_help("state_ttl"), value_name = "TIME")]
    state_ttl: Option<String>,
    #[arg(long, help = setting_help("wait"), value_name = "HOW", value_parser = ["spin", "backoff", "park"])]
    wait: Option<String>,
    #[arg(long, help = setting_help("simd"), value_name = "LEVEL", value_parser = ["auto", "scalar", "wide", "avx512"])]
    simd: Option<String>,
}

/// Flags about what is seen of a run.
#[derive(Debug, Args)]
pub(super) struct WatchFlags {
    /// Write the job's report as JSON to FILE; - is standard output
    #[arg(long, value_name = "FILE")]
    pub(super) stats_json: Option<PathBuf>,
    /// Say on standard error where the time went: by stage and thread, with the CPU's counters where there are any
    #[arg(long)]
    pub(super) perf: bool,
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

/// The help of a setting's flag, from the table of settings.
fn setting_help(name: &str) -> StyledStr {
    let entry = SETTING_OPTIONS.iter().find(|entry| entry.name == name).expect("flags are settings");
    format!("{} [default: {}]", entry.about.trim_end_matches('.'), entry.default).into()
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
