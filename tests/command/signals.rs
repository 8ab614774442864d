//! Signals and pipes that close: the command ends in good order, with status 0.

use std::io::{BufRead, BufReader, Read, Write};
use std::time::{Duration, Instant};

use super::rig::Rig;

/// No end, at a pace that leaves time to interrupt it.
const ENDLESS: &str =
    "CREATE SOURCE g (ts TIMESTAMP, k VARCHAR, v BIGINT, WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
    WITH (connector = 'generator', rate = '5000', keys = '4', seed = '1', spacing = '1ms');";

const PROCESSORS: [&str; 4] = ["inline", "simple", "partitioned", "stp"];

/// Reading stops; what was read is processed, written, committed and reported.
#[test]
fn a_signal_ends_an_endless_job_with_all_it_read() {
    for processor in PROCESSORS {
        for signal in [libc::SIGINT, libc::SIGTERM] {
            let what = format!("{processor}, signal {signal}");
            let rig = Rig::new();
            let sql = format!(
                "{ENDLESS} CREATE SINK o WITH (connector = 'file', path = 'out.csv'); INSERT INTO o SELECT k, v FROM g"
            );
            let mut running = rig.start(&sql, &["--processor", processor, "--stats-json", "stats.json"]);
            running.settle();
            std::thread::sleep(Duration::from_millis(200));
            assert!(!rig.path("out.csv").exists(), "{what}: no file has its name before it is whole");
            running.signal(signal);
            let ran = running.end(&what).printed("");
            ran.said(" records in ").said(" rows out");
            let stats: serde_json::Value = serde_json::from_str(&rig.read("stats.json")).unwrap();
            let read = stats["records_read"].as_u64().unwrap();
            assert!(read > 0, "{what}");
            assert_eq!(
                rig.read("out.csv").lines().count() as u64,
                read + 1,
                "{what}: one line a record, and the header"
            );
            assert_eq!(rig.names(), ["job.sql", "out.csv", "stats.json"], "{what}");
        }
    }
}

/// Windows that are open are closed at a stop, and a Parquet file gets its footer.
#[test]
fn a_signal_closes_windows_and_files() {
    let rig = Rig::new();
    let sql = format!(
        "{ENDLESS} CREATE SINK o WITH (connector = 'file', path = 'out.parquet');
         INSERT INTO o SELECT window_start, k, COUNT(*) AS n FROM g GROUP BY k WINDOW TUMBLING (ts, INTERVAL '1' HOUR)"
    );
    let mut running = rig.start(&sql, &["--stats-json", "stats.json"]);
    running.settle();
    std::thread::sleep(Duration::from_millis(200));
    running.signal(libc::SIGTERM);
    running.end("windows").printed("");
    let stats: serde_json::Value = serde_json::from_str(&rig.read("stats.json")).unwrap();
    let sum = format!("n\n{}\n", stats["records_read"]);
    rig.query("SELECT SUM(n) AS n FROM 'out.parquet'", &["--format", "csv"]).printed(&sum);
}

#[test]
fn a_signal_ends_the_wait_for_standard_input() {
    let sql = "CREATE SOURCE s (a BIGINT) WITH (connector = 'stdin', format = 'csv');
               CREATE SINK o WITH (connector = 'file', path = '-', format = 'csv'); INSERT INTO o SELECT a FROM s";
    for processor in PROCESSORS {
        let rig = Rig::new();
        let mut running = rig.start(sql, &["--processor", processor]);
        let mut stdin = running.child().stdin.take().unwrap();
        stdin.write_all(b"a\n1\n2\n").unwrap();
        running.settle();
        std::thread::sleep(Duration::from_millis(200));
        let started = Instant::now();
        running.signal(libc::SIGINT);
        running.end(processor).printed("a\n1\n2\n").said("2 records in");
        assert!(started.elapsed() < Duration::from_secs(10), "{processor}");
        drop(stdin);
    }
}

fn rig_with_pipe() -> Rig {
    let rig = Rig::new();
    let path = std::ffi::CString::new(rig.path("pipe").to_str().unwrap()).unwrap();
    // SAFETY: the path is a C string that outlives the call.
    assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }, 0);
    rig
}

const FROM_PIPE: &str = "CREATE SOURCE s (a BIGINT) WITH (connector = 'file', path = 'pipe', format = 'csv');
    CREATE SINK o WITH (connector = 'file', path = '-', format = 'csv'); INSERT INTO o SELECT a FROM s";

/// Like standard input, a named pipe that nobody writes to must not hold a stop up.
#[test]
fn a_signal_ends_the_wait_for_a_named_pipe() {
    let rig = rig_with_pipe();
    let mut running = rig.start(FROM_PIPE, &[]);
    running.settle();
    std::thread::sleep(Duration::from_millis(100));
    running.signal(libc::SIGINT);
    running.end("idle pipe").printed("a\n").said("0 records in");
}

/// A pipe cannot be opened once for each part of it, so that `stp` reads it as one.
#[test]
fn a_named_pipe_is_read_whole() {
    let rig = rig_with_pipe();
    let running = rig.start(FROM_PIPE, &["--processor", "stp", "--partitions", "3"]);
    let mut writer = std::fs::File::options().write(true).open(rig.path("pipe")).unwrap();
    writer.write_all(b"a\n1\n").unwrap();
    std::thread::sleep(Duration::from_millis(50));
    writer.write_all(b"2\n3").unwrap();
    drop(writer);
    running.end("pipe").printed("a\n1\n2\n3\n");
}

/// The first SIGINT asks, the second insists: here the rows cannot leave, because nobody takes them.
#[test]
fn the_second_sigint_ends_at_once() {
    let rig = Rig::new();
    let sql = format!(
        "{} CREATE SINK o WITH (connector = 'file', path = '-', format = 'csv'); INSERT INTO o SELECT k, v FROM g",
        ENDLESS.replace("'5000'", "'5000000'")
    );
    let mut running = rig.start(&sql, &[]);
    running.settle();
    let mut first = [0; 1];
    running.child().stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    running.signal(libc::SIGINT);
    std::thread::sleep(Duration::from_millis(300));
    running.signal(libc::SIGINT);
    let ran = running.end("second SIGINT");
    assert_eq!(ran.status, Some(130), "{}", ran.stderr);
}

/// `corelane ... | head -1`: the reader has what it wanted.
#[test]
fn a_reader_that_goes_away_ends_the_job_quietly() {
    let endless = format!("{} SELECT k, v FROM g", ENDLESS.replace("'5000'", "'100000'"));
    let long = endless.replace("rate = '100000'", "rows = '20000000'");
    for sql in [&endless, &long] {
        for processor in PROCESSORS {
            let rig = Rig::new();
            let mut running = rig.start(sql, &["--processor", processor]);
            let mut line = String::new();
            BufReader::new(running.child().stdout.take().unwrap()).read_line(&mut line).unwrap();
            assert_eq!(line.split_whitespace().collect::<Vec<_>>(), ["k", "|", "v"]);
            running.end(processor).printed("").quietly();
        }
    }
}

/// A stop between two jobs: the second is not begun, and that is said.
#[test]
fn a_stop_leaves_later_jobs_undone() {
    let rig = Rig::new();
    let sql = format!(
        "{ENDLESS} CREATE SINK o WITH (connector = 'file', path = 'first.csv'); CREATE SINK p WITH (connector = 'file', path = 'second.csv');
         INSERT INTO o SELECT k FROM g; INSERT INTO p SELECT v FROM g"
    );
    let mut running = rig.start(&sql, &[]);
    running.settle();
    running.signal(libc::SIGTERM);
    running.end("two jobs").printed("").said("stopped before the job that writes to p");
    assert_eq!(rig.names(), ["first.csv", "job.sql"]);
}
