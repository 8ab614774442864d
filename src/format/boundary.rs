//! Where text records end: at newlines, but for CSV not at those inside quotes.
//!
//! Guarantees: agrees with the CSV splitter on what a quote is (it opens only at the start of a field; in the middle of
//! one it is a letter like any other, so `5" pipe` does not swallow the file). Works in steps: bytes may be appended or
//! moved between calls and no byte is looked at twice for the same purpose. Text without quotes costs one newline search
//! and one quote search.

use memchr::{memchr, memchr_iter, memchr2};

use super::options::{Format, FormatOptions};

/// What the next byte is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Outside quotes.
    Plain,
    /// Inside quotes.
    Inside,
    /// After a quote inside quotes: the end of the quotes, or the first half of a doubled quote.
    AfterQuote,
    /// After an escape byte inside quotes: the next byte is literal.
    AfterEscape,
}

/// Quoting rules of CSV.
#[derive(Debug, Clone, Copy)]
struct Quoting {
    delim: u8,
    quote: u8,
    escape: u8,
}

/// Finds record ends in a growing buffer. Positions count from the start of the buffer that is passed in.
#[derive(Debug)]
pub(super) struct Boundary {
    quoting: Option<Quoting>,
    state: State,
    /// Everything before it has been looked at.
    position: usize,
    /// No quote in `position..quote_at`; stale if below `position`.
    quote_at: usize,
    /// No newline in `position..newline_at`; stale if below `position`.
    newline_at: usize,
    /// Newlines inside quotes in the record being looked at.
    inner_newlines: u64,
}

impl Boundary {
    pub(super) fn new(options: &FormatOptions) -> Self {
        let quoting = (options.format == Format::Csv).then_some(Quoting {
            delim: options.delim,
            quote: options.quote,
            escape: options.escape,
        });
        Self { quoting, state: State::Plain, position: 0, quote_at: 0, newline_at: 0, inner_newlines: 0 }
    }

    /// Starts at `position`, a record start.
    pub(super) fn start_at(&mut self, position: usize) {
        *self = Self {
            quoting: self.quoting,
            state: State::Plain,
            position,
            quote_at: 0,
            newline_at: 0,
            inner_newlines: 0,
        };
    }

    /// The bytes moved `by` towards the front.
    pub(super) fn moved(&mut self, by: usize) {
        self.position -= by;
        self.quote_at = 0;
        self.newline_at = 0;
    }

    /// Newlines inside quotes of the record whose end was found last.
    pub(super) fn take_inner_newlines(&mut self) -> u64 {
        std::mem::take(&mut self.inner_newlines)
    }

    /// The position after the newline that ends the record starting at `record`, or `None` if `bytes` end first.
    pub(super) fn next_end(&mut self, bytes: &[u8], record: usize) -> Option<usize> {
        let Some(Quoting { delim, quote, escape }) = self.quoting else {
            let newline = self.next_newline(bytes);
            self.position = (newline + 1).min(bytes.len());
            return (newline < bytes.len()).then_some(self.position);
        };
        loop {
            match self.state {
                State::Plain => {
                    let newline = self.next_newline(bytes);
                    let quote_at = self.next_quote(bytes, quote);
                    if newline <= quote_at {
                        self.position = (newline + 1).min(bytes.len());
                        return (newline < bytes.len()).then_some(self.position);
                    }
                    self.position = quote_at + 1;
                    if quote_at == record || bytes[quote_at - 1] == delim {
                        self.state = State::Inside;
                    }
                }
                State::Inside => {
                    let from = self.position;
                    let found = if escape == quote {
                        self.next_quote(bytes, quote)
                    } else {
                        memchr2(quote, escape, &bytes[from..]).map_or(bytes.len(), |i| from + i)
                    };
                    self.inner_newlines += memchr_iter(b'\n', &bytes[from..found]).count() as u64;
                    if found == bytes.len() {
                        self.position = found;
                        return None;
                    }
                    self.position = found + 1;
                    self.state = if bytes[found] == quote { State::AfterQuote } else { State::AfterEscape };
                }
                State::AfterQuote => {
                    let next = *bytes.get(self.position)?;
                    if next == quote && escape == quote {
                        self.position += 1;
                        self.state = State::Inside;
                    } else {
                        self.state = State::Plain;
                    }
                }
                State::AfterEscape => {
                    let next = *bytes.get(self.position)?;
                    self.inner_newlines += u64::from(next == b'\n');
                    self.position += 1;
                    self.state = State::Inside;
                }
            }
        }
    }

    fn next_newline(&mut self, bytes: &[u8]) -> usize {
        self.newline_at = search(bytes, b'\n', self.newline_at, self.position);
        self.newline_at
    }

    fn next_quote(&mut self, bytes: &[u8], quote: u8) -> usize {
        self.quote_at = search(bytes, quote, self.quote_at, self.position);
        self.quote_at
    }
}

/// First `byte` at or after `position`, else the length; `known` is an earlier answer that is used as far as it holds.
fn search(bytes: &[u8], byte: u8, known: usize, position: usize) -> usize {
    let from = known.max(position);
    if known >= position && bytes.get(known).is_none_or(|b| *b == byte) {
        return known.min(bytes.len());
    }
    memchr(byte, &bytes[from..]).map_or(bytes.len(), |i| from + i)
}
