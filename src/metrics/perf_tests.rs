//! Threads made up, and what is said of them.

use super::*;

fn stage(kind: StageKind, name: &'static str, ticks: u64, rows: u64) -> StageProfile {
    StageProfile {
        kind,
        name,
        ticks,
        batches: u64::from(rows > 0),
        rows_in: rows,
        rows_out: rows / 2,
        bytes: rows * 8,
        state_bytes: 0,
        sampled_rows: 0,
        sampled: Counts::default(),
    }
}

/// A thread of a second, a tick a microsecond, all of it on a CPU.
fn thread(name: &str, core: Option<usize>, stages: Vec<StageProfile>) -> ThreadProfile {
    assert_eq!(stages.iter().map(|stage| stage.ticks).sum::<u64>(), 1_000_000);
    ThreadProfile {
        name: name.into(),
        core,
        elapsed_ns: 1_000_000_000,
        cpu_ns: 1_000_000_000,
        ticks: 1_000_000,
        stages,
        counts: Err("no PMU: have one".into()),
    }
}

fn reader(read: u64, no_source: u64, no_room: u64) -> ThreadProfile {
    let stages = vec![
        stage(StageKind::Read, "read", read, 0),
        stage(StageKind::WaitSource, "source", no_source, 0),
        stage(StageKind::WaitOutput, "room", no_room, 0),
    ];
    thread("reader", None, stages)
}

fn partition(index: usize, decode: u64, group_by: u64, exchange: u64) -> ThreadProfile {
    let mut filter = stage(StageKind::Operator, "WHERE", 10_000, 2_000);
    filter.state_bytes = 7;
    let stages = vec![
        stage(StageKind::Schedule, "scheduling", 5_000, 0),
        stage(StageKind::Decode, "decode", decode, 1_000 * (index as u64 + 1)),
        filter,
        stage(StageKind::Operator, "GROUP BY", group_by, 1_000),
        stage(StageKind::Exchange, "exchange", exchange, 100),
        stage(StageKind::WaitInput, "input", 985_000 - decode - group_by - exchange, 0),
    ];
    thread(&format!("partition {index}"), Some(index + 4), stages)
}

fn writer(order: u64, write: u64) -> ThreadProfile {
    let stages = vec![
        stage(StageKind::Write, "putting rows in order", order, 50),
        stage(StageKind::Write, "writing", write, 50),
        stage(StageKind::WaitInput, "input", 1_000_000 - order - write, 0),
    ];
    thread("writer", None, stages)
}

#[test]
fn the_verdict_names_the_busiest_thread_and_what_it_does_most() {
    let said = |threads: &[ThreadProfile]| PerfReport::new(threads, "CSV").verdict;
    let idle = || [reader(50_000, 0, 950_000), writer(10_000, 10_000)];
    let with = |thread: ThreadProfile| [idle().to_vec(), vec![thread]].concat();
    assert_eq!(said(&with(partition(1, 800_000, 20_000, 0))), "decode-bound: 80 % of core 5 in CSV");
    assert_eq!(said(&with(partition(1, 200_000, 700_000, 0))), "operator-bound: GROUP BY, 70 % of core 5");
    let moving = "exchange-bound: 80 % of core 4 in moving rows to the owners of their keys";
    assert_eq!(said(&with(partition(0, 100_000, 20_000, 800_000))), moving);
    let quiet = partition(0, 100_000, 20_000, 0);
    let reading = [reader(900_000, 0, 100_000), quiet.clone(), writer(0, 0)];
    assert_eq!(said(&reading), "reader-bound: 90 % of the reader thread in reading CSV");
    let writing = [reader(1_000, 0, 999_000), quiet.clone(), writer(600_000, 300_000)];
    assert_eq!(said(&writing), "writer-bound: 90 % of the writer thread in putting rows in order");
    let starved = [reader(10_000, 980_000, 10_000), quiet.clone(), writer(0, 0)];
    assert_eq!(said(&starved), "waiting for the source: it had nothing for 98 % of the time");
    let lazy = [reader(10_000, 0, 990_000), quiet, writer(0, 0)];
    assert!(said(&lazy).starts_with("bound by no stage: the busiest thread, core 4, worked 14 %"), "{}", said(&lazy));
    assert_eq!(said(&[]), "nothing was measured");
}

#[test]
fn a_reader_that_blocks_waits_for_the_source() {
    let mut blocked = reader(990_000, 0, 10_000);
    blocked.cpu_ns = 100_000_000;
    let report = PerfReport::new(&[blocked], "JSON");
    let lines = report.lines();
    assert!(
        lines.iter().any(|line| line.starts_with("90 % of the time that threads worked they had no CPU")),
        "{lines:#?}"
    );
    assert_eq!(report.verdict, "waiting for the source: it had nothing for 89 % of the time");
}

#[test]
fn stages_are_summed_over_threads_in_the_order_of_the_way() {
    let threads =
        [writer(100, 200), partition(0, 100_000, 1_000, 0), partition(1, 300_000, 3_000, 0), reader(10, 0, 999_990)];
    let report = PerfReport::new(&threads, "CSV");
    let names: Vec<&str> = report.stages.iter().filter(|s| s.kind != "wait").map(|s| s.stage.as_str()).collect();
    let way =
        ["read CSV", "decode CSV", "WHERE", "GROUP BY", "exchange", "putting rows in order", "writing", "scheduling"];
    assert_eq!(names, way);
    let decode = &report.stages[1];
    assert_eq!((decode.rows_in, decode.batches, decode.bytes), (3_000, 2, 24_000));
    assert!((decode.time_s - 0.4).abs() < 1e-9 && (decode.rows_per_s - 7_500.0).abs() < 1e-6, "{decode:?}");
    assert!((decode.skew - 1.5).abs() < 1e-9, "0.3 s over a mean of 0.2 s");
    assert_eq!(decode.cycles_per_row, Some(400_000.0 / 3_000.0), "ticks stand in for cycles");
    let read = &report.stages[0];
    assert_eq!((read.rows_in, read.bytes), (3_000, 24_000), "what was read is what was decoded");
    assert_eq!(report.stages[2].state_bytes, 14);
    let shares: f64 = report.stages.iter().map(|stage| stage.share).sum();
    assert!((shares - 1.0).abs() < 1e-9, "{shares}");
    assert!((report.skew_records - 4.0 / 3.0).abs() < 1e-9, "{}", report.skew_records);
}

#[test]
fn two_operators_of_one_name_are_two_stages() {
    let stages =
        vec![stage(StageKind::Operator, "SELECT", 400_000, 10), stage(StageKind::Operator, "SELECT", 600_000, 5)];
    let report = PerfReport::new(&[thread("p", None, stages)], "CSV");
    let rows: Vec<u64> = report.stages.iter().map(|stage| stage.rows_in).collect();
    assert_eq!(rows, [10, 5]);
}

#[test]
fn the_tables_have_aligned_columns_and_say_why_there_are_no_counters() {
    let report = PerfReport::new(&[reader(10, 0, 999_990), partition(0, 900_000, 1_000, 0)], "CSV");
    let lines = report.lines();
    assert!(lines[1].starts_with("stage ") && lines[1].ends_with("skew"), "{lines:#?}");
    assert!(!lines[1].contains("IPC"));
    let widths: Vec<usize> =
        lines[1..].iter().take_while(|line| !line.starts_with("thread")).map(|l| l.len()).collect();
    assert!(widths.iter().all(|width| *width == widths[0]), "{lines:#?}");
    assert_eq!(lines.last().unwrap(), "cycles are ticks of the CPU's clock (TSC), no counters: no PMU: have one");
}

#[test]
fn with_counters_the_columns_of_the_cpu_are_there() {
    let mut counted = partition(0, 900_000, 1_000, 0);
    counted.counts = Ok(Counts::default());
    let report = PerfReport::new(&[counted], "CSV");
    assert_eq!((report.cycles, &report.counters_refused), ("core", &None));
    let lines = report.lines();
    assert!(lines[1].contains("instr/row  IPC"), "{lines:#?}");
    assert!(lines.iter().any(|line| line.ends_with("  no room  cycles  IPC")), "{lines:#?}");
    assert_eq!(report.stages[1].cycles_per_row, None, "ticks are not mixed with cycles");
}
