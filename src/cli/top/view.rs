//! How it looks: the jobs, below them lanes and operators of the chosen one, as cells of a terminal or as lines of text.

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::bar;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Row, StatefulWidget, Table, TableState, Widget};

use super::model::{Job, Lane, Shown, Stage};
use crate::metrics::group_digits;

const KEYS: &str = "up/down job   p pause   r resume   page up/down lanes   q end";
/// Narrower screens leave out the columns that say least.
const WIDE_COLUMNS: u16 = 110;
/// Cells of the bar of a queue.
const BAR_CELLS: usize = 8;
/// Lines besides those of tables: title, two heads, the name, two blanks, the keys.
const OTHER_LINES: u16 = 7;
/// Lines of the operators besides their own: a blank, a head.
const STAGES_LINES: u16 = 2;

/// A column of a table over `T`. A width of 0 takes what is left.
struct Column<T> {
    head: &'static str,
    width: u16,
    is_number: bool,
    only_wide: bool,
    cell: fn(&T, usize) -> Span<'static>,
}

const fn column<T>(head: &'static str, width: u16, cell: fn(&T, usize) -> Span<'static>) -> Column<T> {
    Column { head, width, is_number: false, only_wide: false, cell }
}

const fn number<T>(head: &'static str, width: u16, cell: fn(&T, usize) -> Span<'static>) -> Column<T> {
    Column { is_number: true, ..column(head, width, cell) }
}

const fn wide<T>(column: Column<T>) -> Column<T> {
    Column { only_wide: true, ..column }
}

/// Draws all of it.
pub(super) fn draw(shown: &Shown, area: Rect, buffer: &mut Buffer) {
    let jobs = u16::try_from(shown.list.jobs.len()).unwrap_or(u16::MAX);
    // The jobs get at most half of the lines, and scroll.
    let jobs_height = jobs.saturating_add(1).clamp(2, (area.height / 2).max(2));
    let heights = [1, 1, jobs_height, 1].map(Constraint::Length);
    let heights = heights.into_iter().chain([Constraint::Length(1), Constraint::Min(0), Constraint::Length(1)]);
    let [title, _, jobs_area, _, name, lanes_area, keys] = Layout::vertical(heights).areas(area);
    headline(shown).render(title, buffer);
    match shown.list.jobs.is_empty() {
        true => Line::raw("No job is deployed.").render(jobs_area, buffer),
        false => {
            let mut state = TableState::default().with_selected(shown.index());
            StatefulWidget::render(table(JOBS, &shown.list.jobs, area.width), jobs_area, buffer, &mut state);
        }
    }
    if let Some(index) = shown.index() {
        let job = &shown.list.jobs[index];
        let words = [Span::styled(job.name.clone(), Modifier::BOLD), Span::raw("  "), state(job, 0)];
        Line::from_iter(words).render(name, buffer);
        let details = &shown.details;
        let lanes = details.lanes.get(shown.first_lane..).unwrap_or_default();
        // Lanes have their lines first, operators what is left.
        let lanes_height = u16::try_from(lanes.len()).unwrap_or(u16::MAX).saturating_add(1).min(lanes_area.height);
        let heights = [Constraint::Length(lanes_height), Constraint::Length(1), Constraint::Min(0)];
        let [lanes_area, _, stages_area] = Layout::vertical(heights).areas(lanes_area);
        Widget::render(table(LANES, lanes, area.width), lanes_area, buffer);
        if !details.stages.is_empty() {
            Widget::render(table(STAGES, &details.stages, area.width), stages_area, buffer);
        }
    }
    Line::styled(KEYS, Modifier::DIM).render(keys, buffer);
}

/// The same as text, as many lines as it needs.
pub(super) fn text(shown: &Shown, width: u16) -> String {
    let count = |length: usize| u16::try_from(length).unwrap_or(u16::MAX / 4);
    let (jobs, lanes) = (count(shown.list.jobs.len()).max(1), count(shown.details.lanes.len()));
    let stages = count(shown.details.stages.len()) + STAGES_LINES;
    // Twice the jobs, for they get at most half.
    let height = (OTHER_LINES + jobs + lanes + stages).max(2 * (jobs + 1) + OTHER_LINES);
    let area = Rect::new(0, 0, width.max(40), height);
    let mut buffer = Buffer::empty(area);
    draw(shown, area, &mut buffer);
    let line = |y| (0..area.width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_string();
    // Nobody can press a key.
    let mut lines: Vec<String> = (0..height - 1).map(line).collect();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines.into_iter().map(|line| format!("{line}\n")).collect()
}

fn headline(shown: &Shown) -> Line<'_> {
    let trouble = shown.trouble.as_ref().or(shown.refused.as_ref());
    if let Some(trouble) = trouble {
        return Line::styled(trouble.as_str(), Style::new().fg(Color::Red));
    }
    let list = &shown.list;
    let rate: f64 = list.jobs.iter().map(|job| job.totals.records_per_s).sum();
    let noun = if list.jobs.len() == 1 { "job" } else { "jobs" };
    Line::raw(format!(
        "corelane {} at {}: {} {noun}, {} records/s",
        list.version,
        shown.url,
        list.jobs.len(),
        short(rate)
    ))
}

fn table<'a, T>(columns: &[Column<T>], rows: &[T], width: u16) -> Table<'a> {
    let columns: Vec<&Column<T>> = columns.iter().filter(|column| width >= WIDE_COLUMNS || !column.only_wide).collect();
    let fixed: u16 = columns.iter().map(|column| column.width + 2).sum();
    let rest = width.saturating_sub(fixed).max(8);
    let aligned = |column: &Column<T>, span: Span<'static>| {
        let line = Line::from(span);
        if column.is_number { line.right_aligned() } else { line }
    };
    let head = Row::new(columns.iter().map(|column| aligned(column, column.head.into())));
    let row = |row: &T| {
        let cell = |column: &&Column<T>| {
            let cells = if column.width == 0 { rest } else { column.width };
            aligned(column, (column.cell)(row, usize::from(cells)))
        };
        Row::new(columns.iter().map(cell).collect::<Vec<_>>())
    };
    let widths = columns.iter().map(|column| match column.width {
        0 => Constraint::Length(rest),
        width => Constraint::Length(width),
    });
    let table = Table::new(rows.iter().map(row).collect::<Vec<_>>(), widths.collect::<Vec<_>>());
    table.header(head.style(Modifier::DIM)).column_spacing(2).row_highlight_style(Modifier::REVERSED)
}

const JOBS: &[Column<Job>] = &[
    column("job", 20, |job, _| job.name.clone().into()),
    column("state", 10, state),
    column("backpressure", 12, |job, _| match job.partitions {
        0 => "-".into(),
        _ => pressure(&job.backpressure),
    }),
    number("records/s", 10, |job, _| short(job.totals.records_per_s).into()),
    wide(number("records", 16, |job, _| group_digits(job.totals.records_read).into())),
    wide(number("partitions", 10, |job, _| job.partitions.to_string().into())),
    column("last error", 0, |job, _| job.last_error.clone().unwrap_or_default().into()),
];

const LANES: &[Column<Lane>] = &[
    number("lane", 4, |lane, _| lane.partition.to_string().into()),
    wide(number("core", 4, |lane, _| lane.core.map_or("-".into(), |core| core.to_string()).into())),
    column("backpressure", 12, |lane, _| pressure(&lane.backpressure)),
    column("queue", 13, |lane, _| queue(lane)),
    number("records/s", 10, |lane, _| short(lane.records_per_s).into()),
    column("minute", 0, |lane, cells| spark(&lane.records_per_s_history, cells).into()),
    wide(number("busy", 5, |lane, _| format!("{:.0} %", 100.0 * lane.busy_ratio).into())),
    wide(number("p99", 8, |lane, _| span(lane.latency_p99_s).into())),
    number("lag", 8, |lane, _| span(lane.watermark_lag_s).into()),
    number("late", 7, |lane, _| short(lane.records_late as f64).into()),
    wide(number("failed", 7, |lane, _| short(lane.records_failed as f64).into())),
    column("", 3, |lane, _| match lane.hot {
        true => Span::styled("hot", Style::new().fg(Color::Red)),
        false => "".into(),
    }),
];

const STAGES: &[Column<Stage>] = &[
    column("operator", 24, |stage, _| stage.stage.clone().into()),
    number("rows in", 10, |stage, _| rows(stage, stage.rows_in)),
    number("rows out", 10, |stage, _| rows(stage, stage.rows_out)),
    wide(number("batches", 10, |stage, _| rows(stage, stage.batches))),
    number("time", 8, |stage, _| span(Some(stage.time_s)).into()),
    number("share", 6, |stage, _| format!("{:.1} %", 100.0 * stage.share).into()),
    column("", 0, |stage, cells| bar::FULL.repeat((stage.share * cells.min(40) as f64).round() as usize).into()),
];

/// A count of a stage that takes rows.
fn rows(stage: &Stage, count: u64) -> Span<'static> {
    if stage.batches == 0 { "-".into() } else { short(count as f64).into() }
}

fn state(job: &Job, _: usize) -> Span<'static> {
    let color = match job.state.as_str() {
        "running" => Color::Green,
        "paused" | "restarting" | "stopping" => Color::Yellow,
        "failed" => Color::Red,
        _ => Color::Reset,
    };
    Span::styled(job.state.clone(), Style::new().fg(color))
}

fn color(pressure: &str) -> Color {
    match pressure {
        "healthy" => Color::Green,
        "warning" => Color::Yellow,
        "critical" => Color::LightRed,
        "saturated" => Color::Red,
        _ => Color::Reset,
    }
}

fn pressure(name: &str) -> Span<'static> {
    Span::styled(name.to_string(), Style::new().fg(color(name)))
}

/// A bar and what it stands for.
fn queue(lane: &Lane) -> Span<'static> {
    let full = ((lane.queue_utilization.clamp(0.0, 1.0) * BAR_CELLS as f64).round() as usize).min(BAR_CELLS);
    let bar = bar::FULL.repeat(full);
    let text = format!("{bar}{} {}/{}", "\u{b7}".repeat(BAR_CELLS - full), lane.queue_depth, lane.queue_capacity);
    Span::styled(text, Style::new().fg(color(&lane.backpressure)))
}

/// The last rates, one a cell, the highest of them as high as a cell.
fn spark(rates: &[f64], cells: usize) -> String {
    const LEVELS: [&str; 8] = [
        bar::ONE_EIGHTH,
        bar::ONE_QUARTER,
        bar::THREE_EIGHTHS,
        bar::HALF,
        bar::FIVE_EIGHTHS,
        bar::THREE_QUARTERS,
        bar::SEVEN_EIGHTHS,
        bar::FULL,
    ];
    let rates = &rates[rates.len().saturating_sub(cells)..];
    let most = rates.iter().copied().fold(1.0, f64::max);
    rates.iter().map(|rate| LEVELS[((rate / most * 7.0).round() as usize).min(7)]).collect()
}

/// A count or a rate in few characters.
fn short(number: f64) -> String {
    match number {
        n if n < 10_000.0 => group_digits(n.round() as u64),
        n if n < 999_950.0 => format!("{:.1} k", n / 1e3),
        n if n < 999_950_000.0 => format!("{:.1} M", n / 1e6),
        n => format!("{:.1} G", n / 1e9),
    }
}

/// A time in few characters.
fn span(seconds: Option<f64>) -> String {
    match seconds {
        None => "-".into(),
        Some(s) if s < 1e-3 => format!("{:.0} us", s * 1e6),
        Some(s) if s < 1.0 => format!("{:.1} ms", s * 1e3),
        Some(s) if s < 120.0 => format!("{s:.1} s"),
        Some(s) if s < 7_200.0 => format!("{:.0} min", s / 60.0),
        Some(s) if s < 172_800.0 => format!("{:.0} h", s / 3_600.0),
        Some(s) => format!("{:.0} d", s / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::top::model::{Details, Jobs, Totals};

    fn shown() -> Shown {
        let job = |name: &str, backpressure: &str| Job {
            name: name.into(),
            state: "running".into(),
            backpressure: backpressure.into(),
            partitions: 1,
            totals: Totals { records_read: 1_234_567, records_per_s: 20_000.0 },
            last_error: None,
        };
        let lane = Lane {
            core: Some(3),
            backpressure: "saturated".into(),
            queue_depth: 8,
            queue_capacity: 8,
            queue_utilization: 1.0,
            records_per_s: 20_000.0,
            records_per_s_history: vec![0.0, 10.0, 20.0],
            busy_ratio: 0.5,
            latency_p99_s: Some(0.05),
            watermark_lag_s: Some(1.5),
            records_late: 7,
            ..Lane::default()
        };
        let list = Jobs { version: "1.2.3".into(), jobs: vec![job("calm", "healthy"), job("jam", "saturated")] };
        let stage = |stage: &str, rows_in, rows_out, share| {
            let batches = u64::from(rows_in > 0);
            Stage { stage: stage.into(), rows_in, rows_out, batches, time_s: 2.5, share }
        };
        let stages = vec![stage("decode", 20_000, 20_000, 0.75), stage("scheduling", 0, 0, 0.25)];
        let details = Details { lanes: vec![lane], stages };
        Shown { url: "http://h:1".into(), list, chosen: Some("jam".into()), details, ..Shown::default() }
    }

    #[test]
    fn a_frame_has_the_jobs_and_the_lanes_of_the_chosen_one() {
        let text = text(&shown(), 120);
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(text.lines().next(), Some("corelane 1.2.3 at http://h:1: 2 jobs, 40.0 k records/s"));
        assert_eq!(lines[4], ["jam", "running", "saturated", "20.0", "k", "1,234,567", "1"], "{text}");
        assert_eq!(lines[6], ["jam", "running"], "{text}");
        let full = "\u{2588}".repeat(8);
        let lane = [
            "0",
            "3",
            "saturated",
            &full,
            "8/8",
            "20.0",
            "k",
            "\u{2581}\u{2585}\u{2588}",
            "50",
            "%",
            "50.0",
            "ms",
            "1.5",
            "s",
            "7",
            "0",
        ];
        assert_eq!(lines[8], lane, "{text}");
        let bar = "\u{2588}".repeat(29);
        assert_eq!(lines[11], ["decode", "20.0", "k", "20.0", "k", "1", "2.5", "s", "75.0", "%", &bar], "{text}");
        assert_eq!(lines[12][..6], ["scheduling", "-", "-", "-", "2.5", "s"], "{text}");
        assert_eq!(lines.len(), 13, "{text}");
    }

    #[test]
    fn narrow_screens_have_fewer_columns_and_nothing_stands_out() {
        let narrow = text(&shown(), 80);
        assert!(narrow.lines().all(|line| line.chars().count() <= 80), "{narrow}");
        assert!(
            narrow.contains("backpressure  queue")
                && narrow.contains("lag")
                && narrow.contains("minute")
                && !narrow.contains("p99"),
            "{narrow}"
        );
    }

    #[test]
    fn colors_tell_the_backpressure_and_the_chosen_job_is_marked() {
        let area = Rect::new(0, 0, 120, 20);
        let mut buffer = Buffer::empty(area);
        draw(&shown(), area, &mut buffer);
        let cells = || area.positions().map(|at| &buffer[at]);
        assert!(cells().any(|cell| cell.symbol() == bar::FULL && cell.fg == Color::Red));
        assert!(cells().any(|cell| cell.symbol() == "h" && cell.fg == Color::Green), "healthy");
        let marked: String =
            cells().filter(|cell| cell.modifier.contains(Modifier::REVERSED)).map(|cell| cell.symbol()).collect();
        assert!(marked.starts_with("jam"), "{marked}");
        let trouble = Shown { trouble: Some("cannot connect".into()), ..shown() };
        assert!(text(&trouble, 120).starts_with("cannot connect\n"));
        assert!(text(&Shown::default(), 80).contains("No job is deployed."));
    }

    #[test]
    fn any_size_of_screen_is_drawn() {
        for (width, height) in [(0, 0), (1, 1), (10, 3), (40, 5), (300, 100)] {
            let area = Rect::new(0, 0, width, height);
            draw(&shown(), area, &mut Buffer::empty(area));
        }
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!([9_999.0, 20_000.0, 999_999.0, 2.5e9].map(short), ["9,999", "20.0 k", "1.0 M", "2.5 G"]);
        assert_eq!([2e-5, 0.05, 1.5, 600.0].map(|s| span(Some(s))), ["20 us", "50.0 ms", "1.5 s", "10 min"]);
        assert_eq!((spark(&[], 5), spark(&[1.0, 0.0], 1)), (String::new(), "\u{2581}".into()));
    }
}
