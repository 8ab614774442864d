//! How a job is laid over the host, read from its settings.

use crate::error::{Error, Result, nearest};
use crate::limits;
use crate::sys;
use crate::types::Options;

/// The settings that SET, `--set` and the flags of the same names take.
pub const SETTINGS: &[&str] = &["processor", "partitions", "cores", "batch_rows", "strategy", "wait", "simd"];

const STRATEGIES: &[&str] = &["auto", "always_hash", "smart_repartition", "sticky", "round_robin", "fan_in"];
const WAITS: &[&str] = &["spin", "backoff", "park"];
const SIMD_LEVELS: &[&str] = &["auto", "scalar", "wide", "avx512"];

/// How a job's work is laid over threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProcessorKind {
    /// `stp` where the source has enough splits and the query needs no order across them, else `partitioned`.
    #[default]
    Auto,
    /// One partition on the caller's thread.
    Inline,
    /// One worker behind a locked queue: the baseline.
    Simple,
    /// A reader, pinned partitions, a writer.
    Partitioned,
    /// Independent pipelines, nothing shared.
    Stp,
}

impl ProcessorKind {
    const ALL: [Self; 5] = [Self::Auto, Self::Inline, Self::Simple, Self::Partitioned, Self::Stp];
    const NAMES: &[&str] = &["auto", "inline", "simple", "partitioned", "stp"];

    /// The name users write.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Inline => "inline",
            Self::Simple => "simple",
            Self::Partitioned => "partitioned",
            Self::Stp => "stp",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// How a job runs. The answer does not depend on any of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunOptions {
    /// Which processor.
    pub processor: ProcessorKind,
    /// Number of partitions; `None` means one per physical core.
    pub partitions: Option<usize>,
    /// CPUs for the partitions, in order; `None` means by topology.
    pub cores: Option<Vec<usize>>,
    /// Rows of a batch.
    pub batch_rows: usize,
    /// How rows find their partition; `None` means by plan.
    pub strategy: Option<String>,
    /// What a thread without work does: `spin`, `backoff` or `park`.
    pub wait: String,
    /// Kernel variants: `auto`, `scalar`, `wide` or `avx512`.
    pub simd: String,
}

impl RunOptions {
    /// Takes the settings named in [`SETTINGS`] out of `options` and checks their values; others stay there.
    pub fn from_settings(options: &mut Options) -> Result<Self> {
        let processor = match take_one_of(options, "processor", ProcessorKind::NAMES)? {
            Some(name) => ProcessorKind::named(&name).expect("NAMES lists the names of ALL"),
            None => ProcessorKind::Auto,
        };
        let cores = options.take("cores").map(|list| sys::parse_cpu_list(&list)).transpose()?;
        Ok(Self {
            processor,
            partitions: take_count(options, "partitions", limits::PARTITIONS_MAX)?,
            cores,
            batch_rows: take_count(options, "batch_rows", limits::BATCH_ROWS_MAX)?
                .unwrap_or(limits::BATCH_ROWS_DEFAULT),
            strategy: take_one_of(options, "strategy", STRATEGIES)?.filter(|strategy| strategy != "auto"),
            wait: take_one_of(options, "wait", WAITS)?.unwrap_or_else(|| "backoff".into()),
            simd: take_one_of(options, "simd", SIMD_LEVELS)?.unwrap_or_else(|| "auto".into()),
        })
    }
}

/// A whole number from 1 to `max`.
fn take_count(options: &mut Options, key: &str, max: usize) -> Result<Option<usize>> {
    let wanted = format!("a whole number from 1 to {max}");
    match options.take_parsed::<usize>(key, &wanted)? {
        Some(count) if count == 0 || count > max => {
            Err(Error::Config(format!("option {key} = '{count}': expected {wanted}")))
        }
        count => Ok(count),
    }
}

/// One of `valid`, in lower case.
fn take_one_of(options: &mut Options, key: &str, valid: &[&str]) -> Result<Option<String>> {
    let Some(text) = options.take(key) else { return Ok(None) };
    let value = text.trim().to_ascii_lowercase();
    if valid.contains(&value.as_str()) {
        return Ok(Some(value));
    }
    let hint =
        nearest(&value, valid.iter().copied()).map_or_else(String::new, |near| format!("; did you mean {near}?"));
    Err(Error::Config(format!("option {key} = '{text}': expected one of {}{hint}", valid.join(", "))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(entries: &[(&str, &str)]) -> Result<RunOptions> {
        let mut options = Options::new();
        for (key, value) in entries {
            options.set(key, *value);
        }
        RunOptions::from_settings(&mut options)
    }

    #[test]
    fn nothing_set_means_the_defaults() {
        let options = parse(&[]).unwrap();
        assert_eq!(options.processor, ProcessorKind::Auto);
        assert_eq!((options.partitions, options.cores.as_deref(), options.strategy.as_deref()), (None, None, None));
        assert_eq!((options.batch_rows, options.wait.as_str(), options.simd.as_str()), (8192, "backoff", "auto"));
    }

    #[test]
    fn every_setting_is_taken_and_others_stay() {
        let mut settings = Options::new();
        for (key, value) in [
            ("processor", "STP"),
            ("partitions", "4"),
            ("cores", "2-4,8"),
            ("batch_rows", "1000"),
            ("strategy", "always_hash"),
            ("wait", "spin"),
            ("simd", "scalar"),
            ("other", "x"),
        ] {
            settings.set(key, value);
        }
        let options = RunOptions::from_settings(&mut settings).unwrap();
        let expected = RunOptions {
            processor: ProcessorKind::Stp,
            partitions: Some(4),
            cores: Some(vec![2, 3, 4, 8]),
            batch_rows: 1000,
            strategy: Some("always_hash".into()),
            wait: "spin".into(),
            simd: "scalar".into(),
        };
        assert_eq!(options, expected);
        assert_eq!(settings.iter().collect::<Vec<_>>(), [("other", "x")]);
    }

    #[test]
    fn values_out_of_their_domain_are_configuration_errors() {
        for (key, value, said) in [
            ("processor", "partitoned", "did you mean partitioned?"),
            ("partitions", "0", "from 1 to 256"),
            ("partitions", "257", "from 1 to 256"),
            ("batch_rows", "many", "whole number"),
            ("strategy", "random", "always_hash"),
            ("wait", "sleep", "spin, backoff, park"),
            ("simd", "sse", "avx512"),
            ("cores", "3-1", "greater"),
        ] {
            let error = parse(&[(key, value)]).unwrap_err();
            assert_eq!(error.exit_status(), 2);
            assert!(error.to_string().contains(said), "{error}");
        }
    }

    #[test]
    fn names_and_kinds_agree() {
        assert_eq!(ProcessorKind::ALL.map(ProcessorKind::name).as_slice(), ProcessorKind::NAMES);
    }
}
