//! The verbs: each reads its text, asks the engine, prints.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use super::arguments::{
    Arguments, CheckArguments, Command, ExplainArguments, Format, ProgressWhen, QueryArguments, RunArguments,
    WatchFlags,
};
use super::failure::Failure;
use super::progress::Watching;
use super::script::Script;
use super::stats::{StatsTarget, write_stdout};
use super::{bench, completions, doctor, functions, generate, head, options, progress, serve, shell, top, topology};
use crate::engine::{Control, Engine, JobPlan, JobReport, LateRecords, RunOptions, SETTINGS, StopFlag, reads_stdin};
use crate::error::{Error, Result};
use crate::sys::{self, Stream};
use crate::types::Options;

type Outcome = Result<(), Failure>;

/// The `corelane` command. Usage errors, `--help` and `--version` end the process here.
pub fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Run(arguments) => run(&arguments),
        Command::Query(arguments) => query(&arguments),
        Command::Explain(arguments) => explain(&arguments),
        Command::Check(arguments) => check(&arguments),
        Command::Shell(arguments) => shell::run(&arguments),
        Command::Head(arguments) => head::run(&arguments),
        Command::Gen(arguments) => generate::run(&arguments),
        Command::Doctor(arguments) => doctor::show(&arguments).map_err(Failure::from),
        Command::Completions(arguments) => completions::completions(&arguments).map_err(Failure::from),
        Command::Man(arguments) => completions::man(&arguments).map_err(Failure::from),
        Command::Options(arguments) => options::show(&arguments).map_err(Failure::from),
        Command::Functions(arguments) => functions::show(&arguments).map_err(Failure::from),
        Command::Topology(arguments) => topology::show(&arguments).map_err(Failure::from),
        Command::Serve(arguments) => serve::serve(&arguments),
        Command::Top(arguments) => top::run(&arguments),
        Command::Config(command) => serve::config(&command),
        Command::Bench(command) => bench::run(&command).map_err(Failure::from),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run(arguments: &RunArguments) -> Outcome {
    if arguments.checkpoint_dir.is_some() {
        return Err(
            Error::Config("--checkpoint-dir is not available yet: this version keeps no checkpoints".into()).into()
        );
    }
    let settings = arguments.job.settings()?;
    let script = Script::read(&arguments.file)?;
    let jobs = compile(&script, &settings)?;
    if arguments.file == Path::new("-")
        && let Some((job, _)) = jobs.iter().find(|(job, _)| reads_stdin(job))
    {
        return Err(Error::Config(format!(
            "source {} reads standard input, which the SQL came from: put the SQL into a file",
            job.plan.scan.source.name
        ))
        .into());
    }
    let reports = run_jobs(&script, &jobs, &arguments.watching, |report| {
        write_stderr(&report.closing_line());
    })?;
    reports.write()?;
    Ok(())
}

fn query(arguments: &QueryArguments) -> Outcome {
    let settings = arguments.job.settings()?;
    let script = Script::query(arguments.sql.clone());
    let sink = query_sink(arguments.output.as_deref(), arguments.format)?;
    let mut jobs = compile(&script, &settings)?;
    match jobs.as_mut_slice() {
        [(job, _)] if is_printed(job) => send_to(job, &sink),
        jobs => {
            let found =
                if jobs.len() == 1 { "an INSERT".into() } else { format!("{} statements with results", jobs.len()) };
            return Err(
                Error::Config(format!("query takes one SELECT, found {found}; corelane run takes the rest")).into()
            );
        }
    }
    answer(&script, &jobs, &arguments.watching)?.write()?;
    Ok(())
}

/// Whether the rows of a job are printed: it is a bare SELECT.
pub(super) fn is_printed(job: &JobPlan) -> bool {
    job.sink.options.get("connector") == Some("stdout") && job.sink.name == "stdout"
}

/// Sends the rows of a job elsewhere.
pub(super) fn send_to(job: &mut JobPlan, sink: &Options) {
    sink.iter().for_each(|(key, value)| job.sink.options.set(key, value));
}

/// Runs jobs that are answered with their rows: what is said besides is only what went wrong.
pub(super) fn answer(
    script: &Script,
    jobs: &[(JobPlan, RunOptions)],
    watching: &WatchFlags,
) -> Result<Reports, Failure> {
    run_jobs(script, jobs, watching, |report| report.trouble_lines().iter().for_each(|line| write_stderr(line)))
}

fn explain(arguments: &ExplainArguments) -> Outcome {
    let settings = arguments.job.settings()?;
    let script = match (&arguments.query, &arguments.file) {
        (Some(sql), _) => Script::query(sql.clone()),
        (None, Some(file)) => Script::read(file)?,
        (None, None) => unreachable!("clap asks for one of the two"),
    };
    let mut plans = Vec::new();
    for (job, options) in compile(&script, &settings)? {
        let mut text = Engine::new().explain(&job, &options).map_err(|error| script.failure(error))?;
        if arguments.analyze {
            text.push_str(&analyze(&script, job, &options)?);
        }
        plans.push(text);
    }
    let plans: Vec<&str> = plans.iter().map(|plan| plan.trim_end_matches('\n')).collect();
    write_stdout(&format!("{}\n", plans.join("\n\n")))?;
    Ok(())
}

/// Runs a job, throws its rows away, and says what there is to say about the run.
fn analyze(script: &Script, mut job: JobPlan, options: &RunOptions) -> Result<String, Failure> {
    job.sink.options = Options::new();
    job.sink.options.set("connector", "blackhole");
    let control = Control { is_measured: true, ..Control::default() };
    sys::stop_on_signals(&control.stop)?;
    let report = Engine::new().run(&job, options, &control).map_err(|error| script.failure(error))?;
    let mut text = String::from("Run: ");
    text.push_str(&report.closing_line().replace('\n', "\n  "));
    text.push('\n');
    for line in report.event_time_lines() {
        text.push_str(&format!("  {line}\n"));
    }
    text.push_str(&perf_text(&report));
    Ok(text)
}

/// Where the time of a job went, if that was measured; ends with a line feed.
fn perf_text(report: &JobReport) -> String {
    let lines = report.perf.iter().flat_map(|perf| perf.lines()).enumerate();
    lines.map(|(index, line)| format!("{}{line}\n", if index == 0 { "Perf: " } else { "  " })).collect()
}

fn check(arguments: &CheckArguments) -> Outcome {
    let settings = arguments.job.settings()?;
    let script = Script::read(&arguments.file)?;
    let jobs = compile(&script, &settings)?.len();
    write_stdout(&format!("{}: {jobs} {}, no errors\n", script.name, if jobs == 1 { "job" } else { "jobs" }))?;
    Ok(())
}

/// The jobs of `script`, each with how it runs: the flags in `settings` over the SET options of the file.
pub(super) fn compile(script: &Script, settings: &Options) -> Result<Vec<(JobPlan, RunOptions)>, Failure> {
    let jobs = Engine::new().compile(&script.text, settings).map_err(|error| script.failure(error))?;
    if jobs.is_empty() {
        return Err(Error::Config(format!("{}: nothing to do, it has no INSERT and no SELECT", script.name)).into());
    }
    let with_options = |job: JobPlan| {
        let mut options = job.settings.clone();
        for (key, value) in settings.iter() {
            options.set(key, value);
        }
        let run_options = RunOptions::from_settings(&mut options)?;
        options.finish("this job", SETTINGS)?;
        Ok((job, run_options))
    };
    jobs.into_iter().map(with_options).collect::<Result<_>>().map_err(|error| script.failure(error))
}

/// Reports of jobs that ran, and where they are to be written.
pub(super) struct Reports {
    target: StatsTarget,
    reports: Vec<JobReport>,
}

impl Reports {
    pub(super) fn write(self) -> Result<()> {
        self.target.write(&self.reports)
    }
}

/// Runs `jobs` one after another until one fails or a signal asks to stop; `finished` sees each report.
fn run_jobs(
    script: &Script,
    jobs: &[(JobPlan, RunOptions)],
    watching: &WatchFlags,
    mut finished: impl FnMut(&JobReport),
) -> Result<Reports, Failure> {
    let target = StatsTarget::open(watching.stats_json.as_deref())?;
    let stop = StopFlag::new();
    sys::stop_on_signals(&stop)?;
    let mut reports = Vec::new();
    for (job, options) in jobs {
        if stop.is_set() {
            write_stderr(&format!("stopped before the job that writes to {}", job.sink.name));
            break;
        }
        let control = Control { stop: stop.clone(), is_measured: watching.perf, ..Control::default() };
        let shown = Watching {
            shown: shows_progress(watching.progress, job),
            warned: options.timing.late_records != LateRecords::ProcessAll,
        };
        let report = progress::watch(&control.progress, shown, || Engine::new().run(job, options, &control))
            .map_err(|error| script.failure(error))?;
        finished(&report);
        if watching.perf {
            write_stderr(perf_text(&report).trim_end());
        }
        reports.push(report);
    }
    Ok(Reports { target, reports })
}

/// A progress line and rows on one terminal would overwrite each other: rows win.
fn shows_progress(when: ProgressWhen, job: &JobPlan) -> bool {
    let rows_on_terminal = job.sink.options.get("connector") == Some("stdout") && sys::is_terminal(Stream::Stdout);
    when == ProgressWhen::Auto && sys::is_terminal(Stream::Stderr) && !rows_on_terminal
}

/// Sink options of a query's result.
pub(super) fn query_sink(output: Option<&Path>, format: Option<Format>) -> Result<Options> {
    let mut options = Options::new();
    let format = match output.filter(|path| *path != Path::new("-")) {
        None => {
            let format = format.unwrap_or(Format::Table);
            if !format.is_text() && sys::is_terminal(Stream::Stdout) {
                let name = format.option();
                return Err(Error::Config(format!("{name} is not for a terminal: write it to a file with -o FILE")));
            }
            options.set("connector", "stdout");
            format
        }
        Some(path) => {
            let named = || Format::of_extension(path.extension()?.to_str()?);
            let format = format.or_else(named).ok_or_else(|| {
                let path = path.display();
                Error::Config(format!("cannot tell the format of {path} from its name: add --format"))
            })?;
            let text = path.to_str();
            let text = text.ok_or_else(|| Error::Config(format!("{} is not a UTF-8 path", path.display())))?;
            options.set("connector", "file");
            options.set("path", text);
            format
        }
    };
    options.set("format", format.option());
    Ok(options)
}

/// A line on stderr. A stderr that is closed is no reason to fail.
pub(super) fn write_stderr(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(output: Option<&str>, format: Option<Format>) -> Vec<(String, String)> {
        let options = query_sink(output.map(Path::new), format).unwrap();
        options.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
    }

    #[test]
    fn a_query_prints_a_table_unless_told_otherwise() {
        assert_eq!(entries(None, None), pairs(&[("connector", "stdout"), ("format", "table")]));
        assert_eq!(entries(Some("-"), Some(Format::Json)), pairs(&[("connector", "stdout"), ("format", "jsonl")]));
    }

    #[test]
    fn an_output_file_names_its_format() {
        let file = |path, format| pairs(&[("connector", "file"), ("path", path), ("format", format)]);
        assert_eq!(entries(Some("a.parquet"), None), file("a.parquet", "parquet"));
        assert_eq!(entries(Some("a.NDJSON"), None), file("a.NDJSON", "jsonl"));
        assert_eq!(entries(Some("a.csv"), Some(Format::Arrow)), file("a.csv", "arrow"));
        let error = query_sink(Some(Path::new("result")), None).unwrap_err();
        assert_eq!(error.to_string(), "cannot tell the format of result from its name: add --format");
    }
}
