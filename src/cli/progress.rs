//! The progress line: counts of a running job, redrawn on stderr by a thread of its own, which also warns of late records.

use std::io::Write;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::engine::{Progress, StopFlag};
use crate::metrics::{ProgressTotals, group_digits};

/// Between two looks at the counters. Any value is correct.
const PERIOD: Duration = Duration::from_millis(100);
/// A job shorter than this shows nothing.
const QUIET: Duration = Duration::from_millis(400);

/// Between two warnings.
const WARNING_PERIOD: Duration = Duration::from_secs(10);

/// What is said of a job while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Watching {
    /// Whether to show the progress line.
    pub(super) shown: bool,
    /// Whether to warn of late records.
    pub(super) warned: bool,
}

/// Runs `work`; while it runs, says on stderr what was asked for. The line is gone when this returns.
pub(super) fn watch<T>(progress: &Progress, watching: Watching, work: impl FnOnce() -> T) -> T {
    if watching == (Watching { shown: false, warned: false }) {
        return work();
    }
    let done = StopFlag::new();
    std::thread::scope(|scope| {
        let line = scope.spawn(|| draw(progress, watching, &done));
        // Ends the line when `work` panics too: the scope would wait for it forever.
        let _end = EndOnDrop { done: &done, line: line.thread().clone() };
        work()
    })
}

struct EndOnDrop<'a> {
    done: &'a StopFlag,
    line: std::thread::Thread,
}

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.done.set();
        self.line.unpark();
    }
}

fn draw(progress: &Progress, watching: Watching, done: &StopFlag) {
    let started = Instant::now();
    let mut bar: Option<ProgressBar> = None;
    let mut warnings = Warnings::default();
    while !done.is_set() {
        std::thread::park_timeout(PERIOD);
        if started.elapsed() < QUIET || done.is_set() {
            continue;
        }
        let totals = progress.totals();
        if let Some(warning) = warnings.next(&totals, started.elapsed()).filter(|_| watching.warned) {
            match &bar {
                Some(bar) => bar.println(warning),
                // A stderr that is closed is no reason to fail.
                None => drop(writeln!(std::io::stderr(), "{warning}")),
            }
        }
        if watching.shown {
            let bar = bar.get_or_insert_with(|| new_bar(totals.bytes_expected));
            bar.set_position(totals.bytes_read.min(totals.bytes_expected));
            bar.set_message(message(&totals, started.elapsed().as_secs_f64()));
            bar.tick();
        }
    }
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
}

/// Warns of late records as they come, not too often. What comes after the last warning is in the report.
#[derive(Debug, Default)]
struct Warnings {
    /// Late records at the last warning, and when that was.
    last: Option<(u64, Duration)>,
}

impl Warnings {
    fn next(&mut self, totals: &ProgressTotals, now: Duration) -> Option<String> {
        let late = totals.records_late;
        let is_due = match self.last {
            None => late > 0,
            Some((warned, at)) => late > warned && now >= at + WARNING_PERIOD,
        };
        is_due.then(|| {
            self.last = Some((late, now));
            format!("warning: {} late records so far", group_digits(late))
        })
    }
}

/// A bar where the size of the input is known, else a spinner.
fn new_bar(bytes_expected: u64) -> ProgressBar {
    let (bar, template) = match bytes_expected {
        0 => (ProgressBar::new_spinner(), "{spinner} {wide_msg}"),
        bytes => (ProgressBar::new(bytes), "[{bar:24}] {percent:>3}% {wide_msg}"),
    };
    bar.set_draw_target(ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template(template).expect("the templates above are valid");
    bar.set_style(style.progress_chars("=> ").tick_chars("|/-\\ "));
    bar
}

fn message(totals: &ProgressTotals, elapsed_s: f64) -> String {
    let per_s = totals.records_read as f64 / elapsed_s.max(1e-9) / 1e6;
    let mut text = format!(
        "{} records, {per_s:.2} M records/s, {} rows out",
        group_digits(totals.records_read),
        group_digits(totals.records_emitted)
    );
    for (count, what) in [(totals.records_late, "late"), (totals.records_failed, "failed")] {
        if count > 0 {
            text.push_str(&format!(", {} {what}", group_digits(count)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_names_trouble_only_when_there_is_some() {
        let mut totals = ProgressTotals { records_read: 3_000_000, records_emitted: 1_500, ..Default::default() };
        assert_eq!(message(&totals, 2.0), "3,000,000 records, 1.50 M records/s, 1,500 rows out");
        totals.records_late = 4;
        assert_eq!(message(&totals, 2.0), "3,000,000 records, 1.50 M records/s, 1,500 rows out, 4 late");
    }

    #[test]
    fn warnings_are_rare() {
        let mut warnings = Warnings::default();
        let mut at = |late, seconds| {
            let totals = ProgressTotals { records_late: late, ..Default::default() };
            warnings.next(&totals, Duration::from_secs(seconds))
        };
        assert_eq!(at(0, 1), None);
        assert_eq!(at(1200, 2).as_deref(), Some("warning: 1,200 late records so far"));
        assert_eq!((at(1300, 3), at(1200, 20)), (None, None));
        assert_eq!(at(1300, 20).as_deref(), Some("warning: 1,300 late records so far"));
    }

    #[test]
    fn watching_returns_what_the_work_returns() {
        assert_eq!(watch(&Progress::new(), Watching { shown: true, warned: true }, || 42), 42);
        assert_eq!(watch(&Progress::new(), Watching { shown: false, warned: false }, || 42), 42);
    }

    #[test]
    #[should_panic(expected = "work failed")]
    fn a_panic_in_the_work_does_not_hang_the_line() {
        watch(&Progress::new(), Watching { shown: true, warned: true }, || panic!("work failed"));
    }
}
