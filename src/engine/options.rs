//! How a job is laid over the host, read from its settings.

use crate::error::{Error, Result, nearest};
use crate::kernel::Simd;
use crate::limits;
use crate::plan::{ProcessorKind, Strategy};
use crate::ring::WaitMode;
use crate::sys;
use crate::types::Options;

/// The settings that SET, `--set` and the flags of the same names take.
pub const SETTINGS: &[&str] =
    &["processor", "partitions", "cores", "batch_rows", "strategy", "fan_in_partition", "wait", "simd", "late_records"];

const SIMD_LEVELS: &[&str] = &["auto", "scalar", "wide", "avx512"];

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
    pub strategy: Option<Strategy>,
    /// The one partition of strategy `fan_in`.
    pub fan_in_partition: usize,
    /// What a thread without work does.
    pub wait: WaitMode,
    /// What to do with late records. `drop` is what there is so far.
    pub late_records: LateRecords,
    /// The vectors that kernels may use.
    pub simd: Simd,
}

impl RunOptions {
    /// Takes the settings named in [`SETTINGS`] out of `options` and checks their values; others stay there.
    pub fn from_settings(options: &mut Options) -> Result<Self> {
        let cores = options.take("cores").map(|list| sys::parse_cpu_list(&list)).transpose()?;
        Ok(Self {
            processor: options.take("processor").map_or(Ok(ProcessorKind::Auto), |name| name.trim().parse())?,
            partitions: take_count(options, "partitions", limits::PARTITIONS_MAX)?,
            cores,
            batch_rows: take_count(options, "batch_rows", limits::BATCH_ROWS_MAX)?
                .unwrap_or(limits::BATCH_ROWS_DEFAULT),
            strategy: match options.take("strategy") {
                Some(name) if !name.trim().eq_ignore_ascii_case("auto") => Some(name.trim().parse()?),
                _ => None,
            },
            fan_in_partition: options
                .take_parsed("fan_in_partition", "the number of a partition, from 0")?
                .unwrap_or(0),
            wait: match options.take("wait") {
                Some(name) => {
                    name.trim().parse().map_err(|reason| Error::Config(format!("option wait = '{name}': {reason}")))?
                }
                None => WaitMode::default(),
            },
            late_records: take_late_records(options)?,
            simd: take_simd(options)?,
        })
    }
}

/// The level of the kernels; one that this CPU does not have is refused.
fn take_simd(options: &mut Options) -> Result<Simd> {
    match take_one_of(options, "simd", SIMD_LEVELS)? {
        Some(level) => level.parse().map_err(|reason| Error::Config(format!("option simd = '{level}': {reason}"))),
        None => Ok(Simd::detect()),
    }
}

/// What to do with late records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LateRecords {
    /// Count and drop them: final means final.
    #[default]
    Drop,
}

fn take_late_records(options: &mut Options) -> Result<LateRecords> {
    match take_one_of(options, "late_records", &["drop", "process_with_warning", "process_all"])?.as_deref() {
        None | Some("drop") => Ok(LateRecords::Drop),
        Some(other) => Err(Error::Config(format!(
            "late_records = '{other}' is not supported yet: late records are counted and dropped (late_records = 'drop')"
        ))),
    }
}

impl Default for RunOptions {
    fn default() -> Self {
        Self::from_settings(&mut Options::new()).expect("the defaults are valid")
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
        assert_eq!((options.partitions, options.cores.as_deref(), options.strategy), (None, None, None));
        assert_eq!((options.batch_rows, options.wait, options.simd), (8192, WaitMode::Backoff, Simd::detect()));
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
            ("simd", "SCALAR"),
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
            strategy: Some(Strategy::AlwaysHash),
            fan_in_partition: 0,
            wait: WaitMode::Spin,
            late_records: LateRecords::Drop,
            simd: Simd::SCALAR,
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
            ("wait", "sleep", "spin, backoff or park"),
            ("simd", "sse", "avx512"),
            ("cores", "3-1", "greater"),
        ] {
            let error = parse(&[(key, value)]).unwrap_err();
            assert_eq!(error.exit_status(), 2);
            assert!(error.to_string().contains(said), "{error}");
        }
    }
}
