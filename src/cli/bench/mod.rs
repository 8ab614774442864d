//! `corelane bench`: what this host does. `scenarios`, `rings` and `latency` have files of their own; `kernels` is here:
//! what the kernels do on one core, against what that core can read from memory.
//!
//! Its cases are queries over random rows in memory, run by the operators of one partition without rings and threads. The
//! yardstick is the core's sequential read bandwidth, measured over the same memory between any two measurements;
//! the ratio of a case is the bytes it reads a second over that. Results are compared with plain definitions first.
//!
//! What is public is for `benches/`: [`prepare`] for criterion; [`SCENARIOS`], [`Machinery`], [`Sweep`] and [`Course`] for the
//! comparison with other runtimes, which brings drivers and queues of its own.

mod arguments;
mod cases;
mod criterion;
mod drive;
mod families;
mod input;
mod latency;
mod machinery;
mod measure;
mod measurement;
mod oracle;
mod report;
mod rings;
mod scenarios;
mod whole;

pub use self::criterion::{Prepared, prepare};
pub use self::latency::{Drive, Load, Outcome, Partitioned, Sweep, Swept, job as latency_job};
pub use self::machinery::Machinery;
pub use self::measurement::{Measurement, document, machine, table};
pub use self::rings::{
    Course, Receiving, Sending, Times, figures as ring_figures, lines as ring_lines, own_round as ring_round,
};
pub use self::scenarios::{SCENARIOS, Scenario, laid_out};

pub(super) use self::arguments::BenchCommand;
use self::arguments::KernelsArguments;

use self::cases::{CASES, Case};
use self::drive::Sums;
use self::measure::Settings;
use self::report::{Host, Regime};
use super::stats::write_stdout;
use crate::error::{Error, Result, nearest};
use crate::kernel::Simd;
use crate::sys::{self, Topology, parse_cpu_list};

/// Input of a quick run in bytes: nothing is measured on it.
const QUICK_BYTES: usize = 2 << 20;

/// Times the last-level cache that the input is to be at least, so that memory is read and not the cache.
const CACHE_TIMES: u64 = 8;

/// Measures what was asked for.
pub(super) fn run(command: &BenchCommand) -> Result<()> {
    match command {
        BenchCommand::Kernels(arguments) => kernels(arguments),
        BenchCommand::Scenarios(arguments) => scenarios::scenarios(arguments),
        BenchCommand::Rings(arguments) => rings::rings(arguments),
        BenchCommand::Latency(arguments) => latency::latency(arguments),
    }
}

/// Runs the cases and prints what they did.
fn kernels(arguments: &KernelsArguments) -> Result<()> {
    if arguments.list {
        return write_stdout(&report::list(&CASES));
    }
    let cases = named(&arguments.case)?;
    let cores = arguments.cores.as_deref().map(parse_cpu_list).transpose()?;
    let topology = Topology::read();
    let partitions = topology.physical_cores().min(2);
    let cpus =
        topology.placement(cores.as_ref().map_or(partitions, |cores| cores.len().min(2)), cores.as_deref())?.cpus;
    sys::pin_current_thread(cpus[0])?;
    let cache_bytes = last_level_cache_bytes(&topology, cpus[0]);
    let bytes = arguments.bytes.unwrap_or_else(|| match arguments.quick {
        true => QUICK_BYTES,
        false => default_bytes(cache_bytes, sys::available_memory_bytes()),
    });
    let settings = Settings {
        bytes,
        rows: arguments.rows,
        rounds: if arguments.quick { 1 } else { arguments.rounds },
        seed: arguments.seed,
        levels: match &arguments.simd {
            Some(level) => vec![level.parse().map_err(Error::Config)?],
            None => Simd::available().collect(),
        },
        cpus,
        round_ns: (arguments.round_seconds.clamp(0.001, 3600.0) * 1e9) as u64,
    };
    if arguments.families {
        let families = families::measure(&settings.levels, settings.rounds, settings.seed)?;
        return write_stdout(&match arguments.json {
            true => format!("{:#}\n", families::document(&families)),
            false => families::text(&families),
        });
    }
    if arguments.single_pass || arguments.prepare_only {
        for case in cases {
            let Sums { rows, sum } = measure::single_pass(case, &settings, arguments.prepare_only)?;
            write_stdout(&format!("{} {rows} rows {sum:016x}\n", case.name))?;
        }
        return Ok(());
    }
    let host = Host { cpu: settings.cpus[0], model: sys::model_name(), cache_bytes };
    let mut outcomes = Vec::new();
    if !arguments.json {
        write_stdout(&report::heading(&host, &settings))?;
    }
    for case in cases {
        let outcome = measure::measure(case, &settings)?;
        if !arguments.json {
            write_stdout(&report::lines(&outcome, Regime::of(&outcome, &host)))?;
        }
        outcomes.push(outcome);
    }
    if arguments.json {
        write_stdout(&format!("{:#}\n", report::document(&host, &settings, &outcomes)))?;
    }
    Ok(())
}

/// The cases whose name holds `text`, or the one that is called so.
fn named(text: &str) -> Result<Vec<&'static Case>> {
    if let Some(case) = CASES.iter().find(|case| case.name == text) {
        return Ok(vec![case]);
    }
    let found: Vec<&Case> = CASES.iter().filter(|case| case.name.contains(text)).collect();
    if found.is_empty() {
        let names = CASES.iter().map(|case| case.name);
        let hint = nearest(text, names).map_or("--list shows them".into(), |near| format!("did you mean {near}?"));
        return Err(Error::Config(format!("no case's name holds '{text}': {hint}")));
    }
    Ok(found)
}

/// Size of the largest cache that `cpu` has, if the host tells.
fn last_level_cache_bytes(topology: &Topology, cpu: usize) -> Option<u64> {
    let cpu = topology.cpus.iter().find(|candidate| candidate.cpu == cpu)?;
    cpu.l3_bytes.or(cpu.l2_bytes)
}

/// Eight times the cache, at most half of the memory that is free. Hosts that do not tell get 1 GB.
fn default_bytes(cache_bytes: Option<u64>, available_bytes: Option<u64>) -> usize {
    let wanted = cache_bytes.map_or(1 << 30, |bytes| bytes * CACHE_TIMES);
    let limit = available_bytes.map_or(wanted, |bytes| bytes / 2);
    usize::try_from(wanted.min(limit)).unwrap_or(usize::MAX).max(QUICK_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_input_is_eight_caches_or_half_of_free_memory() {
        assert_eq!(default_bytes(Some(32 << 20), Some(8 << 30)), 256 << 20);
        assert_eq!(default_bytes(Some(480 << 20), Some(2 << 30)), 1 << 30);
        assert_eq!(default_bytes(None, None), 1 << 30);
    }

    #[test]
    fn cases_are_named_by_a_part() {
        assert_eq!(named("").unwrap().len(), CASES.len());
        assert_eq!(named("tumbling-1").unwrap().len(), 3);
        assert_eq!(named("sum").unwrap().len(), 1);
        assert!(named("tumblin-10").unwrap_err().to_string().contains("did you mean tumbling-10?"));
    }
}
