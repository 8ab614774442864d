//! How a job is laid over the host, read from its settings.

use super::source::RECORD_OPTIONS;
use crate::connector::{GENERATOR_OPTIONS, NEXMARK_OPTIONS, SINK_OPTIONS, SOURCE_OPTIONS};
use crate::error::{Error, Result, nearest};
use crate::format::FORMAT_OPTIONS;
use crate::kernel::Simd;
use crate::limits;
use crate::plan::{LateRecords, MaxFuture, ProcessorKind, Strategy, Timing};
use crate::ring::WaitMode;
use crate::sys;
use crate::types::text::parse;
use crate::types::{OptionEntry, Options, size_bytes};

/// The settings that SET, `--set` and the flags of the same names take.
pub const SETTING_OPTIONS: [OptionEntry; 16] = [
    OptionEntry::new(
        "processor",
        "auto, inline, simple, partitioned, stp",
        "auto",
        "How the work is laid over threads: the caller's thread; one locked queue and one worker; a reader, pinned partitions \
         and a writer; a pipeline for each split.",
    ),
    OptionEntry::new("partitions", "1 to 256", "one per physical core", "Number of partitions."),
    OptionEntry::new("cores", "CPUs, as in 2-9,12", "by topology", "CPUs for the partitions, in order."),
    OptionEntry::new("batch_rows", "1 to 1048576", "8192", "Rows of a batch, at most."),
    OptionEntry::new(
        "strategy",
        "auto, always_hash, smart_repartition, sticky, round_robin, fan_in",
        "by plan",
        "How rows find their partition; explain says why one was chosen, and a wrong one is refused.",
    ),
    OptionEntry::new("fan_in_partition", "a number, from 0", "0", "The one partition of strategy fan_in."),
    OptionEntry::new("wait", "spin, backoff, park", "backoff", "What a thread without work does."),
    OptionEntry::new(
        "simd",
        "auto, scalar, wide, avx512",
        "auto",
        "The vectors that kernels may use; auto is the widest that the CPU has.",
    ),
    OptionEntry::new(
        "late_records",
        "drop, process_with_warning, process_all",
        "drop",
        "What becomes of late records.",
    ),
    OptionEntry::new(
        "allowed_lateness",
        "a length of time, as in 30s",
        "the watermark's bound",
        "For how long a closed window takes late records in, in event time.",
    ),
    OptionEntry::new("late_sink", "the name of a sink", "none", "A declared sink for late records that are dropped."),
    OptionEntry::new(
        "min_advance",
        "a length of time",
        "100ms",
        "How far the watermark advances before windows are looked at again; the answer is the same for any.",
    ),
    OptionEntry::new(
        "idle_timeout",
        "a length of time, or off",
        "30s",
        "For how long a silent split of a source without end is waited for.",
    ),
    OptionEntry::new(
        "max_future",
        "a length of time, or off",
        "1 day for stdin, else off",
        "How far ahead of the clock a record may be.",
    ),
    OptionEntry::new(
        "memory_limit",
        "a size, as in 512MB",
        "as much as there is",
        "What the state of a job may take, over all partitions.",
    ),
    OptionEntry::new(
        "state_ttl",
        "a length of time, or off",
        "off",
        "After how long without a record state is dropped: of running values, DISTINCT, joins without bounds of time.",
    ),
];
/// Their names.
pub const SETTINGS: &[&str] = &OptionEntry::names(&SETTING_OPTIONS);

/// Where options are written, with those there are.
pub fn option_groups() -> [(&'static str, Vec<OptionEntry>); 5] {
    [
        ("setting", SETTING_OPTIONS.to_vec()),
        ("source", [&SOURCE_OPTIONS[..], &RECORD_OPTIONS, &FORMAT_OPTIONS].concat()),
        ("generator", GENERATOR_OPTIONS.to_vec()),
        ("nexmark", NEXMARK_OPTIONS.to_vec()),
        ("sink", [&SINK_OPTIONS[..], &FORMAT_OPTIONS].concat()),
    ]
}

const SIMD_LEVELS: &[&str] = &["auto", "scalar", "wide", "avx512"];

/// How a job runs. The answer does not depend on it, but for [`Self::timing`].
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
    /// How event time is treated; of all options only this one shows in the answer.
    pub timing: Timing,
    /// The vectors that kernels may use.
    pub simd: Simd,
    /// Bytes that the state of the job may take; `None` means as many as there are.
    pub memory_limit_bytes: Option<u64>,
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
            timing: take_timing(options)?,
            simd: take_simd(options)?,
            memory_limit_bytes: take_size(options, "memory_limit")?,
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

fn take_timing(options: &mut Options) -> Result<Timing> {
    let late_records = take_one_of(options, "late_records", &["drop", "process_with_warning", "process_all"])?;
    let late_records = match late_records.as_deref() {
        Some("process_with_warning") => LateRecords::ProcessWithWarning,
        Some("process_all") => LateRecords::ProcessAll,
        _ => LateRecords::Drop,
    };
    let allowed_lateness_us = take_duration(options, "allowed_lateness")?;
    if late_records == LateRecords::Drop && allowed_lateness_us.is_some_and(|allowed_us| allowed_us > 0) {
        return Err(Error::Config(
            "allowed_lateness is for late records that are processed: add late_records = 'process_with_warning' or \
             'process_all'"
                .into(),
        ));
    }
    let min_advance_us = take_duration(options, "min_advance")?;
    let idle_timeout = take_duration_or_off(options, "idle_timeout")?;
    let max_future = match take_duration_or_off(options, "max_future")? {
        None => MaxFuture::BySource,
        Some(None) => MaxFuture::Off,
        Some(Some(us)) => MaxFuture::Within(us),
    };
    Ok(Timing {
        late_records,
        allowed_lateness_us,
        late_sink: options.take("late_sink").filter(|name| !name.trim().is_empty()),
        min_advance_us: min_advance_us.unwrap_or(limits::WATERMARK_MIN_ADVANCE_US),
        idle_timeout_us: idle_timeout.unwrap_or(Some(limits::IDLE_TIMEOUT_US)),
        max_future,
        state_ttl_us: take_duration_or_off(options, "state_ttl")?.flatten(),
    })
}

/// A number of bytes.
fn take_size(options: &mut Options, key: &str) -> Result<Option<u64>> {
    let Some(text) = options.take(key) else { return Ok(None) };
    match size_bytes(&text) {
        None => Err(Error::Config(format!("option {key} = '{text}': expected a size, as in '512MB' or '4GB'"))),
        bytes => Ok(bytes),
    }
}

/// A length of time, or `off`.
fn take_duration_or_off(options: &mut Options, key: &str) -> Result<Option<Option<i64>>> {
    if options.get(key).is_some_and(|text| text.trim().eq_ignore_ascii_case("off")) {
        options.take(key);
        return Ok(Some(None));
    }
    Ok(take_duration(options, key)?.map(Some))
}

/// A length of time, not negative, in microseconds.
fn take_duration(options: &mut Options, key: &str) -> Result<Option<i64>> {
    let Some(text) = options.take(key) else { return Ok(None) };
    match parse::interval(text.trim().as_bytes()) {
        Some(us) if us >= 0 => Ok(Some(us)),
        _ => Err(Error::Config(format!(
            "option {key} = '{text}': expected a length of time, as in '500ms', '30s' or '1 minute'"
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
            ("memory_limit", "1.5 GB"),
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
            timing: Timing::default(),
            simd: Simd::SCALAR,
            memory_limit_bytes: Some(3 << 29),
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
