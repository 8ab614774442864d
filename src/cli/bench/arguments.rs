//! What `corelane bench` takes.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::limits::PARTITIONS_MAX;
use crate::types::size_bytes;

/// What is measured.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum BenchCommand {
    /// Measure the kernels on one core, against that core's read bandwidth
    Kernels(KernelsArguments),
    /// Measure five queries under every processor, from memory and from files
    Scenarios(ScenariosArguments),
    /// Measure what handing a descriptor to another thread takes
    Rings(RingsArguments),
    /// Measure how long a record takes through a partitioned job at loads up to and over its peak
    Latency(LatencyArguments),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ScenariosArguments {
    /// Only scenarios whose name holds TEXT
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(in crate::cli) only: String,
    /// Rows in memory
    #[arg(long, value_name = "N", default_value_t = 2_000_000, value_parser = parse_rows)]
    pub(in crate::cli) rows: u64,
    /// Rows of files
    #[arg(long, value_name = "N", default_value_t = 500_000, value_parser = parse_rows)]
    pub(in crate::cli) file_rows: u64,
    /// Formats of files
    #[arg(long, value_name = "LIST", default_value = "csv,parquet", value_delimiter = ',',
          value_parser = ["csv", "jsonl", "parquet", "arrow", "none"])]
    pub(in crate::cli) formats: Vec<String>,
    /// Symbols, and traders
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = parse_rows)]
    pub(in crate::cli) keys: u64,
    /// Numbers of partitions, as in 1,2,4 [default: 1 and one per physical core]
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = parse_partitions)]
    pub(in crate::cli) partitions: Vec<usize>,
    /// Rounds; medians are shown
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = parse_rounds)]
    pub(in crate::cli) rounds: usize,
    /// Few rows and one round: shows that everything runs, measures nothing
    #[arg(long, conflicts_with_all = ["rows", "file_rows"])]
    pub(in crate::cli) quick: bool,
    /// Write the figures as JSON to FILE; without FILE to standard output, instead of the table
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    pub(in crate::cli) json: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RingsArguments {
    /// Values handed over in a round; a tenth of them there and back
    #[arg(long, value_name = "N", default_value_t = 2_000_000, value_parser = parse_rows)]
    pub(in crate::cli) values: u64,
    /// The two CPUs, as in 2,3 [default: two physical cores]
    #[arg(long, value_name = "LIST")]
    pub(in crate::cli) cores: Option<String>,
    /// Rounds; medians are shown
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = parse_rounds)]
    pub(in crate::cli) rounds: usize,
    /// Few values and one round: shows that everything runs, measures nothing
    #[arg(long, conflicts_with = "values")]
    pub(in crate::cli) quick: bool,
    /// Write the figures as JSON to FILE; without FILE to standard output, instead of the table
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    pub(in crate::cli) json: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct LatencyArguments {
    /// Number of partitions [default: what reader and writer leave of the physical cores, at least 1]
    #[arg(long, value_name = "N", value_parser = parse_partitions)]
    pub(in crate::cli) partitions: Option<usize>,
    /// CPUs for the partitions, in order, as in 2-9,12
    #[arg(long, value_name = "LIST")]
    pub(in crate::cli) cores: Option<String>,
    /// What a thread without work does: spin, backoff or park; several, as in spin,park, are compared
    #[arg(long, value_name = "LIST", default_value = "spin,backoff", value_delimiter = ',',
          value_parser = ["spin", "backoff", "park"])]
    pub(in crate::cli) wait: Vec<String>,
    /// Loads in percent of the peak
    #[arg(long, value_name = "LIST", default_value = "10,25,50,75,90,100,110", value_delimiter = ',',
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(in crate::cli) loads: Vec<u32>,
    /// Distinct keys
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = parse_rows)]
    pub(in crate::cli) keys: u64,
    /// Length of a load in seconds
    #[arg(long, value_name = "S", default_value_t = 1.0)]
    pub(in crate::cli) seconds: f64,
    /// Most rows of a load: a faster one is shorter
    #[arg(long, value_name = "N", default_value_t = 8_000_000, value_parser = parse_rows)]
    pub(in crate::cli) rows: u64,
    /// Rounds; medians are shown
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = parse_rounds)]
    pub(in crate::cli) rounds: usize,
    /// Few rows and one round: shows that everything runs, measures nothing
    #[arg(long, conflicts_with_all = ["rows", "seconds"])]
    pub(in crate::cli) quick: bool,
    /// Write the figures as JSON to FILE; without FILE to standard output, instead of the table
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    pub(in crate::cli) json: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct KernelsArguments {
    /// Only cases whose name holds TEXT
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(in crate::cli) case: String,
    /// List the cases and end
    #[arg(long)]
    pub(in crate::cli) list: bool,
    /// Instead of cases, every family of kernels by itself over a batch in the cache: what each level gains
    #[arg(long, conflicts_with_all = ["case", "list", "bytes", "rows", "single_pass", "prepare_only"])]
    pub(in crate::cli) families: bool,
    /// Only this level of kernels [default: all that the CPU has]
    #[arg(long, value_name = "LEVEL", value_parser = ["scalar", "wide", "avx512"])]
    pub(in crate::cli) simd: Option<String>,
    /// Input of a case, as in 512M or 4G [default: eight times the last-level cache, at most half of free memory]
    #[arg(long, value_name = "SIZE", value_parser = parse_size, conflicts_with = "rows")]
    pub(in crate::cli) bytes: Option<usize>,
    /// Rows of a case instead of a size
    #[arg(long, value_name = "N")]
    pub(in crate::cli) rows: Option<usize>,
    /// Rounds; medians are shown
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = parse_rounds)]
    pub(in crate::cli) rounds: usize,
    /// Seed of keys and values
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(in crate::cli) seed: u64,
    /// CPUs to run on: the first, and the second for two partitions, as in 2-9,12
    #[arg(long, value_name = "LIST")]
    pub(in crate::cli) cores: Option<String>,
    /// Longest round of a level in seconds; a slower case reads the next part of its rows in each round
    #[arg(long, value_name = "S", default_value_t = 2.0)]
    pub(in crate::cli) round_seconds: f64,
    /// A small input and one round: shows that everything runs, measures nothing
    #[arg(long, conflicts_with_all = ["bytes", "rows"])]
    pub(in crate::cli) quick: bool,
    /// Run the cases once without a clock: for profilers that count from outside
    #[arg(long)]
    pub(in crate::cli) single_pass: bool,
    /// Make the input of the cases and end: what --single-pass does besides
    #[arg(long, conflicts_with = "single_pass")]
    pub(in crate::cli) prepare_only: bool,
    /// Print one JSON document
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

/// `512M`, `4G`, or plain bytes.
fn parse_size(text: &str) -> Result<usize, String> {
    let size = size_bytes(text).and_then(|size| usize::try_from(size).ok());
    size.ok_or_else(|| "expected a size as in 512M or 4G".into())
}

fn parse_rounds(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|&rounds| rounds > 0).ok_or_else(|| "expected a number from 1 on".into())
}

fn parse_rows(text: &str) -> Result<u64, String> {
    text.parse().ok().filter(|&rows| rows > 0).ok_or_else(|| "expected a number from 1 on".into())
}

fn parse_partitions(text: &str) -> Result<usize, String> {
    let found = text.trim().parse().ok().filter(|partitions| (1..=PARTITIONS_MAX).contains(partitions));
    found.ok_or_else(|| format!("expected a number from 1 to {PARTITIONS_MAX}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        assert_eq!(["7", "2k", "512M", "4G"].map(|text| parse_size(text).unwrap()), [7, 2048, 512 << 20, 4 << 30]);
        assert!(["", "G", "0", "-1", "1T"].iter().all(|text| parse_size(text).is_err()));
    }

    #[test]
    fn numbers_start_at_one() {
        assert_eq!((parse_rows("7").unwrap(), parse_rounds("1").unwrap(), parse_partitions(" 2").unwrap()), (7, 1, 2));
        assert!(parse_rows("0").is_err() && parse_rounds("").is_err());
        assert!(parse_partitions("257").unwrap_err().contains("1 to 256"));
    }
}
