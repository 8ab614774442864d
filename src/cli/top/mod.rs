//! `corelane top`: the jobs of a server and the lanes of one of them, in the terminal.
//!
//! Reads the server's API once a second, on a thread of its own where keys are waited for: a server that hangs keeps nobody
//! from choosing or leaving. Knows what the API says, nothing of the server's inside.

mod asker;
mod client;
mod model;
mod view;

use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use self::asker::Asker;
use self::client::Client;
use self::model::{Look, Shown, Step};
use super::arguments::TopArguments;
use super::failure::Failure;
use super::stats::write_stdout;
use crate::error::{Error, Result};
use crate::sys::{self, StopFlag, Stream};

/// Between two looks at the keys, at signals and at what the server said.
const KEYS_PERIOD: Duration = Duration::from_millis(100);
/// Columns of the text where there is no terminal.
const WIDTH_DEFAULT: usize = 120;

/// Shows the server until it is told to end; once, as text, if that is asked for or nobody could press a key.
pub(super) fn run(arguments: &TopArguments) -> std::result::Result<(), Failure> {
    // Read here, at the top: a token among the arguments could be seen in the list of processes.
    let client = Client::new(&arguments.url, std::env::var("CORELANE_TOKEN").ok())?;
    let mut shown = Shown::new(arguments.url.clone(), arguments.job.clone());
    if arguments.once || !sys::is_terminal(Stream::Stdout) {
        shown.take(Look::ask(&client, shown.chosen.clone())?);
        shown.require_chosen()?;
        let width = sys::width_columns(Stream::Stdout).unwrap_or(WIDTH_DEFAULT);
        write_stdout(&view::text(&shown, u16::try_from(width).unwrap_or(u16::MAX)))?;
        return Ok(());
    }
    let stop = StopFlag::new();
    sys::stop_on_signals(&stop)?;
    let terminal = ratatui::try_init().map_err(|error| terminal_error(&error))?;
    // The terminal is as it was before anything is said on it, whatever ends this.
    let _restored = Restore;
    live(terminal, Asker::start(client)?, &mut shown, &stop)?;
    Ok(())
}

struct Restore;

impl Drop for Restore {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

fn terminal_error(error: &std::io::Error) -> Error {
    Error::io("use", "the terminal", error)
}

fn live(mut terminal: DefaultTerminal, mut asker: Asker, shown: &mut Shown, stop: &StopFlag) -> Result<()> {
    while !stop.is_set() {
        asker.turn(shown);
        let drawn = terminal.draw(|frame| view::draw(shown, frame.area(), frame.buffer_mut()));
        drawn.map_err(|error| terminal_error(&error))?;
        if !event::poll(KEYS_PERIOD).map_err(|error| terminal_error(&error))? {
            continue;
        }
        let Event::Key(key) = event::read().map_err(|error| terminal_error(&error))? else { continue };
        match action(key) {
            Some(Action::End) => break,
            Some(Action::Choose(step)) => {
                shown.choose(step);
                // The lanes of another job are to be seen at once.
                asker.look_again();
            }
            Some(Action::Scroll(step)) => shown.scroll(step),
            Some(Action::Steer(verb)) => asker.steer(shown, verb),
            None => {}
        }
    }
    Ok(())
}

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Choose(Step),
    Scroll(Step),
    /// A verb of the API.
    Steer(&'static str),
    End,
}

fn action(key: KeyEvent) -> Option<Action> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    Some(match key.code {
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => Action::End,
        KeyCode::Char('q') | KeyCode::Esc => Action::End,
        KeyCode::Up | KeyCode::Char('k') => Action::Choose(Step::Back),
        KeyCode::Down | KeyCode::Char('j') => Action::Choose(Step::On),
        KeyCode::PageUp => Action::Scroll(Step::Back),
        KeyCode::PageDown => Action::Scroll(Step::On),
        KeyCode::Char('p') => Action::Steer("pause"),
        KeyCode::Char('r') => Action::Steer("resume"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_ask_for_actions() {
        let plain = |code| action(KeyEvent::new(code, KeyModifiers::NONE));
        assert_eq!(plain(KeyCode::Down), Some(Action::Choose(Step::On)));
        assert_eq!(plain(KeyCode::Char('p')), Some(Action::Steer("pause")));
        assert_eq!(plain(KeyCode::Char('c')), None);
        assert_eq!(action(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)), Some(Action::End));
    }
}
