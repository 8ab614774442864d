//! The windows of a query, in the three notations that mean the same where it groups: the WINDOW clause, a function in GROUP BY,
//! a table function in FROM, which may give windows to single rows, too. Lengths are checked here; columns are looked up by the planner.

use sqlparser::tokenizer::Token;

use super::ast::{Expr, ExprKind, Ident, Window, WindowShape};
use super::convert::unsupported;
use super::duration;
use super::reader::{Read, Reader, ident_of};
use super::tokens::{is_word, join};
use crate::error::{Span, SqlError, nearest};

/// A kind of window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Tumbling,
    Hopping,
    Cumulating,
    Session,
}

/// Words after WINDOW.
const CLAUSES: [(&str, Kind); 7] = [
    ("TUMBLING", Kind::Tumbling),
    ("SLIDING", Kind::Hopping),
    ("HOPPING", Kind::Hopping),
    ("CUMULATE", Kind::Cumulating),
    ("CUMULATING", Kind::Cumulating),
    ("SESSION", Kind::Session),
    ("SESSIONS", Kind::Session),
];

/// Functions in GROUP BY and FROM.
const FUNCTIONS: [(&str, Kind); 4] =
    [("TUMBLE", Kind::Tumbling), ("HOP", Kind::Hopping), ("CUMULATE", Kind::Cumulating), ("SESSION", Kind::Session)];

fn function(name: &str) -> Option<Kind> {
    FUNCTIONS.iter().find(|(known, _)| name.eq_ignore_ascii_case(known)).map(|(_, kind)| *kind)
}

impl Kind {
    /// How many lengths it has.
    fn lengths(self) -> usize {
        if matches!(self, Self::Hopping | Self::Cumulating) { 2 } else { 1 }
    }

    fn clause_help(self) -> &'static str {
        match self {
            Self::Tumbling => "write WINDOW TUMBLING (column, INTERVAL '1' MINUTE)",
            Self::Hopping => "write WINDOW SLIDING (column, size, slide), as in WINDOW SLIDING (column, 10m, 1m)",
            Self::Cumulating => "write WINDOW CUMULATE (column, step, max), as in WINDOW CUMULATE (column, 1m, 1h)",
            Self::Session => "write WINDOW SESSION (column, gap), as in WINDOW SESSION (column, 30m)",
        }
    }

    fn function_help(self) -> &'static str {
        match self {
            Self::Tumbling => "write TUMBLE(column, size), as in TUMBLE(column, INTERVAL '1' MINUTE)",
            Self::Hopping => {
                "write HOP(column, slide, size), as in HOP(column, INTERVAL '1' MINUTE, INTERVAL '10' MINUTE)"
            }
            Self::Cumulating => {
                "write CUMULATE(column, step, max), as in CUMULATE(column, INTERVAL '1' MINUTE, INTERVAL '1' HOUR)"
            }
            Self::Session => "write SESSION(column, gap), as in SESSION(column, INTERVAL '30' MINUTE)",
        }
    }

    /// The window of these lengths, in the order in which a function takes them: slide and size, step and max.
    fn shape(self, lengths: &[(i64, Span)], help: &str) -> Read<WindowShape> {
        if let Some((_, span)) = lengths.iter().find(|(us, _)| *us <= 0) {
            let what = if self == Self::Session { "gap" } else { "size" };
            return Err(SqlError::new(*span, format!("the {what} of a window must be positive")));
        }
        match (self, lengths) {
            (Self::Tumbling, &[(size_us, _)]) => Ok(WindowShape::Tumbling { size_us }),
            (Self::Session, &[(gap_us, _)]) => Ok(WindowShape::Session { gap_us }),
            (Self::Hopping, &[(slide_us, span), (size_us, _)]) if slide_us > size_us => {
                let message = "the slide of a window is longer than its size, so rows between windows would be lost";
                Err(SqlError::new(span, message).with_help(help))
            }
            (Self::Hopping, &[(slide_us, _), (size_us, _)]) => Ok(WindowShape::Hopping { size_us, slide_us }),
            (Self::Cumulating, &[(step_us, _), (max_us, span)]) if max_us % step_us != 0 => {
                let message = "the greatest size of cumulating windows must be a multiple of their step";
                Err(SqlError::new(span, message).with_help(help))
            }
            (Self::Cumulating, &[(step_us, _), (max_us, _)]) => Ok(WindowShape::Cumulating { step_us, max_us }),
            _ => unreachable!("{self:?} is read with its number of lengths"),
        }
    }
}

/// Makes `window` the window of the query, which has one at most.
pub(super) fn set(slot: &mut Option<Window>, window: Window) -> Read<()> {
    if slot.is_some() {
        let error = SqlError::new(window.span, "the query has two windows");
        return Err(error.with_help("keep one: WINDOW, a function in GROUP BY or one in FROM mean the same"));
    }
    *slot = Some(window);
    Ok(())
}

/// `TUMBLING ([column,] size)` and the like, after the word WINDOW.
pub(super) fn clause(reader: &mut Reader, start: Span) -> Read<Window> {
    let found = reader.one_of(&CLAUSES.map(|(word, _)| word));
    let Some((word, kind)) = CLAUSES.into_iter().find(|(word, _)| found == Some(*word)) else {
        let error = reader.expected("TUMBLING, SLIDING, HOPPING, CUMULATE or SESSION");
        let near = match reader.peek() {
            Token::Word(word) => nearest(&word.value, CLAUSES.iter().map(|(word, _)| *word)),
            _ => None,
        };
        return Err(match near {
            Some(near) => error.with_help(format!("did you mean {near}?")),
            None => error.with_help(Kind::Tumbling.clause_help()),
        });
    };
    reader.take_word(word);
    let help = kind.clause_help();
    reader.expect(&Token::LParen)?;
    let (mut table, mut column) = (None, None);
    if let [Token::Word(word), Token::Period, Token::Word(_)] = reader.peek_three() {
        table = Some(ident_of(&word, reader.span()));
        reader.advance();
        reader.advance();
    }
    if let [Token::Word(word), Token::Comma] = reader.peek_two() {
        column = Some(ident_of(&word, reader.span()));
        reader.advance();
        reader.advance();
    }
    let (mut lengths, end) = lengths(reader, kind, &format!("WINDOW {word} takes a column and"), help)?;
    if kind == Kind::Hopping {
        // The clause has the size first.
        lengths.reverse();
    }
    let shape = kind.shape(&lengths, help)?;
    Ok(Window { table, column, shape, span: join(start, end) })
}

/// The lengths of a window with commas between them, and the place of the parenthesis that ends them.
fn lengths(reader: &mut Reader, kind: Kind, takes: &str, help: &str) -> Read<(Vec<(i64, Span)>, Span)> {
    let mut lengths = vec![length(reader, help)?];
    while lengths.len() < kind.lengths() {
        if reader.peek() == Token::RParen {
            return Err(SqlError::new(reader.span(), format!("{takes} two lengths")).with_help(help));
        }
        reader.expect(&Token::Comma)?;
        lengths.push(length(reader, help)?);
    }
    if reader.peek() == Token::Comma {
        let count = if kind.lengths() == 1 { "one length" } else { "two lengths" };
        return Err(SqlError::new(reader.span(), format!("{takes} {count}")).with_help(help));
    }
    let end = reader.span();
    reader.expect(&Token::RParen)?;
    Ok((lengths, end))
}

/// Takes TUMBLE(column, size) and the like out of GROUP BY: the start of the window stays as the key.
pub(super) fn take_from_keys(keys: &mut [Expr], window: &mut Option<Window>) -> Read<()> {
    for key in keys {
        let ExprKind::Call { name, args, over: None, .. } = &key.kind else { continue };
        let Some(kind) = function(&name.value) else { continue };
        let (upper, help) = (name.value.to_uppercase(), kind.function_help());
        let Some((column, lengths)) = args.split_first().filter(|(_, lengths)| lengths.len() == kind.lengths()) else {
            let count = if kind.lengths() == 1 { "one length" } else { "two lengths" };
            return Err(SqlError::new(key.span, format!("{upper} takes a column and {count}")).with_help(help));
        };
        let ExprKind::Column { table, name: column } = &column.kind else {
            return Err(
                SqlError::new(column.span, format!("{upper} takes the column of the event time")).with_help(help)
            );
        };
        let length = |length: &Expr| match &length.kind {
            ExprKind::Interval(us) => Ok((*us, length.span)),
            ExprKind::Text(text) => match duration::text_us(text) {
                Ok(us) => Ok((us, length.span)),
                Err(message) => Err(SqlError::new(length.span, message).with_help(help)),
            },
            _ => Err(SqlError::new(length.span, "a length is written INTERVAL '1' MINUTE").with_help(help)),
        };
        let lengths = lengths.iter().map(length).collect::<Read<Vec<_>>>()?;
        let shape = kind.shape(&lengths, help)?;
        let found = Window { table: table.clone(), column: Some(column.clone()), shape, span: key.span };
        let start = Ident { value: "window_start".into(), quoted: false, span: key.span };
        key.kind = ExprKind::Column { table: None, name: start };
        set(window, found)?;
    }
    Ok(())
}

/// Whether a function in FROM gives windows.
pub(super) fn is_table_function(name: &str) -> bool {
    function(name).is_some() || name.eq_ignore_ascii_case("TABLE")
}

/// `TUMBLE(TABLE source, DESCRIPTOR(column), size)` and the like, or the same in TABLE(...): the source, the place of all
/// of it, and the window.
pub(super) fn table_function(reader: &mut Reader) -> Read<(Ident, Span, Window)> {
    let start = reader.span();
    let wrapped = matches!(reader.peek_two(), [word, Token::LParen] if is_word(&word, "TABLE"));
    if wrapped {
        reader.advance();
        reader.advance();
    }
    let name = reader.ident("TUMBLE, HOP, CUMULATE or SESSION")?;
    let Some(kind) = function(&name.value) else {
        let error = SqlError::new(name.span, format!("{} gives no windows", name.value));
        return Err(error.with_help("TABLE(...) takes TUMBLE, HOP, CUMULATE or SESSION"));
    };
    let upper = name.value.to_uppercase();
    let help = match kind {
        Kind::Tumbling => "write TUMBLE(TABLE source, DESCRIPTOR(column), size)",
        Kind::Hopping => "write HOP(TABLE source, DESCRIPTOR(column), slide, size)",
        Kind::Cumulating => "write CUMULATE(TABLE source, DESCRIPTOR(column), step, max)",
        Kind::Session => "write SESSION(TABLE source, DESCRIPTOR(column), gap)",
    };
    let with_help = |error: SqlError| error.with_help(help);
    reader.expect(&Token::LParen)?;
    reader.expect_word("TABLE").map_err(with_help)?;
    let source = reader.ident("the name of a source").map_err(with_help)?;
    if reader.is_word("PARTITION") {
        let error = unsupported(reader.span(), format_args!("PARTITION BY in {upper}"));
        return Err(error.with_help("sessions are those of each key of GROUP BY"));
    }
    reader.expect(&Token::Comma).map_err(with_help)?;
    reader.expect_word("DESCRIPTOR").map_err(with_help)?;
    reader.expect(&Token::LParen)?;
    let column = reader.ident("the column of the event time")?;
    reader.expect(&Token::RParen)?;
    reader.expect(&Token::Comma).map_err(with_help)?;
    let takes = format!("{upper} takes a source, a column and");
    let (lengths, mut end) = lengths(reader, kind, &takes, help)?;
    let shape = kind.shape(&lengths, help)?;
    if wrapped {
        end = reader.span();
        reader.expect(&Token::RParen)?;
    }
    let span = join(start, end);
    Ok((source, span, Window { table: None, column: Some(column), shape, span }))
}

/// `INTERVAL '1' MINUTE`, `INTERVAL '1 minute'`, `1m`, `1 MINUTE` or `'1m'`, in microseconds.
pub(super) fn length(reader: &mut Reader, help: &str) -> Read<(i64, Span)> {
    let mut span = reader.span();
    let interval = reader.take_word("INTERVAL");
    let wanted = "a length such as INTERVAL '1' MINUTE or 1m";
    let (number, text) = match reader.peek() {
        Token::Number(number, false) => (number, false),
        Token::SingleQuotedString(text) => (text, true),
        _ => return Err(reader.expected(wanted).with_help(help)),
    };
    span = join(span, reader.span());
    reader.advance();
    let result = match reader.peek() {
        Token::Word(unit) if !text || interval => {
            span = join(span, reader.span());
            reader.advance();
            duration::interval_us(&number, &unit.value)
        }
        _ if text => duration::text_us(&number),
        _ => {
            return Err(reader
                .expected("a unit of time")
                .with_help("units are ms, s, m, h and d, or SECOND, MINUTE, HOUR"));
        }
    };
    match result {
        Ok(us) => Ok((us, span)),
        Err(message) => {
            Err(SqlError::new(span, message).with_help("units are ms, s, m, h and d, or SECOND, MINUTE, HOUR"))
        }
    }
}
