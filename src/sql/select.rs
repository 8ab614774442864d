//! SELECT, clause by clause.
//!
//! Clauses come in SQL's order; a clause that corelane does not run is named where it stands.

use sqlparser::tokenizer::Token;

use super::ast::{Emit, From, FromSource, Ident, OptionItem, OrderItem, Query, SelectItem, Window};
use super::convert::unsupported;
use super::reader::{Read, Reader, ident_of};
use super::tokens::{is_word, join};
use super::window;
use crate::error::{Span, SqlError, nearest};

/// Words that start a clause after the SELECT list, with their rank: a clause of lower rank cannot follow.
const CLAUSES: [(&str, u8); 9] = [
    ("FROM", 0),
    ("WHERE", 1),
    ("GROUP", 2),
    ("WINDOW", 3),
    ("HAVING", 3),
    ("ORDER", 4),
    ("LIMIT", 5),
    ("OFFSET", 5),
    ("EMIT", 6),
];

/// Words of clauses that are not supported, and how an error names them.
const STRANGERS: [(&str, &str); 22] = [
    ("JOIN", "JOIN"),
    ("INNER", "JOIN"),
    ("LEFT", "JOIN"),
    ("RIGHT", "JOIN"),
    ("FULL", "JOIN"),
    ("CROSS", "JOIN"),
    ("NATURAL", "JOIN"),
    ("ASOF", "JOIN"),
    ("ON", "ON"),
    ("USING", "USING"),
    ("LATERAL", "LATERAL"),
    ("UNION", "UNION"),
    ("INTERSECT", "INTERSECT"),
    ("EXCEPT", "EXCEPT"),
    ("QUALIFY", "QUALIFY"),
    ("FETCH", "FETCH"),
    ("INTO", "SELECT INTO"),
    ("TABLESAMPLE", "TABLESAMPLE"),
    ("PIVOT", "PIVOT"),
    ("UNPIVOT", "UNPIVOT"),
    ("MATCH_RECOGNIZE", "MATCH_RECOGNIZE"),
    ("SORT", "SORT BY"),
];

/// Reads a SELECT to the end of the statement.
pub(super) fn query(reader: &mut Reader) -> Read<Query> {
    let span = reader.span();
    if reader.is_word("WITH") {
        return Err(unsupported(span, "WITH (a common table expression)"));
    }
    if reader.peek() == Token::LParen {
        return Err(unsupported(span, "a SELECT in parentheses"));
    }
    reader.expect_word("SELECT")?;
    let distinct_span = reader.span();
    let distinct = reader.take_word("DISTINCT").then_some(distinct_span);
    if distinct.is_some() && reader.is_word("ON") {
        return Err(unsupported(join(distinct_span, reader.span()), "DISTINCT ON"));
    }
    if distinct.is_none() {
        reader.take_word("ALL");
    }
    let items = items(reader)?;
    if reader.at_end() {
        return Err(reader.expected("FROM").with_help("a query reads a source: SELECT ... FROM source"));
    }
    stranger(reader)?;
    if !reader.take_word("FROM") {
        let mut error = reader.expected("FROM");
        // In "SELECT a FORM t" the misspelt word has been read as an alias.
        if let Some(SelectItem::Expr { alias: Some(alias), .. }) = items.last()
            && nearest(&alias.value, ["FROM"]).is_some()
        {
            error = error.with_help(format!("did you mean FROM instead of {}?", alias.value));
        }
        return Err(error);
    }
    let (from, window) = from(reader)?;
    let mut query = Query {
        span,
        distinct,
        items,
        from,
        filter: None,
        group_by: Vec::new(),
        window,
        having: None,
        order_by: None,
        limit: None,
        offset: None,
        emit: None,
        changelog: None,
    };
    let mut seen: Vec<&str> = Vec::new();
    let mut last = ("FROM", 0);
    while !reader.at_end() {
        stranger(reader)?;
        let start = reader.span();
        let Some(&(word, rank)) = CLAUSES.iter().find(|(word, _)| reader.is_word(word)) else {
            return Err(not_a_clause(reader, &query));
        };
        if seen.contains(&word) || word == "FROM" {
            let by = if word == "GROUP" || word == "ORDER" { " BY" } else { "" };
            return Err(SqlError::new(start, format!("{word}{by} is given twice")));
        }
        if rank < last.1 && last.0 != "EMIT" {
            let by = |word| if word == "GROUP" || word == "ORDER" { " BY" } else { "" };
            let message = format!("{word}{} must stand before {}{}", by(word), last.0, by(last.0));
            return Err(SqlError::new(start, message).with_help(
                "clauses come in this order: FROM, WHERE, GROUP BY, WINDOW, HAVING, ORDER BY, LIMIT, OFFSET, EMIT",
            ));
        }
        seen.push(word);
        last = (word, rank);
        reader.advance();
        match word {
            "WHERE" => query.filter = Some(reader.expr()?),
            "GROUP" => {
                reader.expect_word("BY")?;
                if reader.is_word("ALL") {
                    return Err(unsupported(join(start, reader.span()), "GROUP BY ALL"));
                }
                query.group_by = reader.exprs()?;
                window::take_from_keys(&mut query.group_by, &mut query.window)?;
            }
            "WINDOW" => {
                let window = window::clause(reader, start)?;
                window::set(&mut query.window, window)?;
            }
            "HAVING" => query.having = Some(reader.expr()?),
            "ORDER" => {
                let words = join(start, reader.span());
                reader.expect_word("BY")?;
                query.order_by = Some((order_by(reader)?, words));
            }
            "LIMIT" => {
                let (count, number) = reader.whole_number("a whole number of rows")?;
                query.limit = Some((count, join(start, number)));
            }
            "OFFSET" => {
                let (count, mut number) = reader.whole_number("a whole number of rows")?;
                if let Some(rows) = reader.one_of(&["ROWS", "ROW"]) {
                    number = join(number, reader.span());
                    reader.take_word(rows);
                }
                query.offset = Some((count, join(start, number)));
            }
            _ => query.emit = Some(emit(reader, start, &mut query.changelog)?),
        }
    }
    Ok(query)
}

/// The error at something that starts no clause.
fn not_a_clause(reader: &Reader, query: &Query) -> SqlError {
    // In "FROM t WHER x > 1" the misspelt word has been read as an alias.
    if let Some(alias) = &query.from.alias
        && query.filter.is_none()
        && let Some(near) = nearest(&alias.value, CLAUSES.iter().map(|(word, _)| *word))
    {
        return SqlError::new(alias.span, format!("unexpected {}", alias.value))
            .with_help(format!("did you mean {near}?"));
    }
    let error = reader.expected("a clause or the end of the statement");
    match reader.peek() {
        Token::Comma => unsupported(reader.span(), "more than one source in FROM"),
        Token::Word(word) => match nearest(&word.value, CLAUSES.iter().map(|(word, _)| *word)) {
            Some(near) => error.with_help(format!("did you mean {near}?")),
            None => error,
        },
        _ => error,
    }
}

fn stranger(reader: &Reader) -> Read<()> {
    match STRANGERS.iter().find(|(word, _)| reader.is_word(word)) {
        Some((_, name)) => Err(unsupported(reader.span(), name)),
        None => Ok(()),
    }
}

/// Whether the word may be an alias without AS.
fn is_alias(token: &Token) -> bool {
    let Token::Word(word) = token else { return false };
    word.quote_style.is_some()
        || !CLAUSES
            .iter()
            .map(|(clause, _)| *clause)
            .chain(STRANGERS.iter().map(|(name, _)| *name))
            .any(|reserved| is_word(token, reserved))
}

fn alias(reader: &mut Reader) -> Read<Option<Ident>> {
    if reader.take_word("AS") {
        return reader.ident("a name after AS").map(Some);
    }
    let span = reader.span();
    match reader.peek() {
        token @ Token::Word(_) if is_alias(&token) => {
            reader.advance();
            let Token::Word(word) = token else { return Ok(None) };
            Ok(Some(ident_of(&word, span)))
        }
        _ => Ok(None),
    }
}

fn items(reader: &mut Reader) -> Read<Vec<SelectItem>> {
    let mut items = Vec::new();
    loop {
        if reader.is_word("FROM") {
            return Err(reader.expected("an expression"));
        }
        let start = reader.span();
        let item = if reader.take(&Token::Mul) {
            SelectItem::Wildcard { table: None, span: start }
        } else if let [Token::Word(word), Token::Period, Token::Mul] = reader.peek_three() {
            reader.advance();
            reader.advance();
            let span = join(start, reader.span());
            reader.advance();
            SelectItem::Wildcard { table: Some(ident_of(&word, start)), span }
        } else {
            let expr = reader.expr()?;
            SelectItem::Expr { expr, alias: alias(reader)? }
        };
        if matches!(item, SelectItem::Wildcard { .. })
            && let Some(word) = reader.one_of(&["EXCEPT", "EXCLUDE", "REPLACE", "RENAME"])
        {
            return Err(unsupported(reader.span(), format_args!("* {word}")));
        }
        items.push(item);
        if !reader.take(&Token::Comma) {
            return Ok(items);
        }
    }
}

fn from(reader: &mut Reader) -> Read<(From, Option<Window>)> {
    let start = reader.span();
    let mut window = None;
    let [first, second] = reader.peek_two();
    let (source, span) = match (first, second) {
        (Token::SingleQuotedString(path), _) => {
            reader.advance();
            (FromSource::File(path), start)
        }
        (Token::LParen, _) => return Err(unsupported(start, "a subquery in FROM")),
        (Token::Word(word), Token::LParen) if window::is_table_function(&word.value) => {
            let (name, span, found) = window::table_function(reader)?;
            window = Some(found);
            (FromSource::Name(name), span)
        }
        (Token::Word(word), Token::LParen) => table_function(reader, &ident_of(&word, start))?,
        (Token::Word(word), second) => {
            reader.advance();
            let name = ident_of(&word, start);
            if second == Token::Period {
                reader.advance();
                let span = join(start, reader.span());
                let rest = reader.ident("a name")?;
                return Err(SqlError::new(span, "a source has a name of one part")
                    .with_help(format!("for a file write FROM '{}.{}'", name.value, rest.value)));
            }
            (FromSource::Name(name), start)
        }
        _ => return Err(reader.expected("a source or a file name in quotes")),
    };
    let alias = alias(reader)?;
    stranger(reader)?;
    if reader.peek() == Token::Comma {
        return Err(unsupported(reader.span(), "more than one source in FROM"));
    }
    Ok((From { source, alias, span }, window))
}

/// `read_csv('path', key = value, ...)`.
fn table_function(reader: &mut Reader, name: &Ident) -> Read<(FromSource, Span)> {
    const KNOWN: [(&str, &str); 4] =
        [("read_csv", "csv"), ("read_json", "jsonl"), ("read_parquet", "parquet"), ("read_arrow", "arrow")];
    let Some((_, format)) = KNOWN.iter().find(|(known, _)| name.value.eq_ignore_ascii_case(known)) else {
        let help = match nearest(&name.value, KNOWN.iter().map(|(known, _)| *known)) {
            Some(near) => format!("did you mean {near}?"),
            None => {
                "FROM takes read_csv, read_json, read_parquet and read_arrow, and TUMBLE, HOP, CUMULATE and SESSION"
                    .into()
            }
        };
        return Err(SqlError::new(name.span, format!("unknown table function {}", name.value)).with_help(help));
    };
    reader.advance();
    reader.advance();
    let path = reader.text("a path in single quotes")?;
    let mut options: Vec<OptionItem> = Vec::new();
    loop {
        let end = reader.span();
        if reader.take(&Token::RParen) {
            return Ok((FromSource::Read { format, path, options }, join(name.span, end)));
        }
        if !reader.take(&Token::Comma) {
            return Err(reader.expected(", or )"));
        }
        let option = reader.option(false)?;
        if options.iter().any(|other| other.key == option.key) {
            return Err(SqlError::new(option.key_span, format!("option {} is given twice", option.key)));
        }
        options.push(option);
    }
}

fn order_by(reader: &mut Reader) -> Read<Vec<OrderItem>> {
    let mut items = Vec::new();
    loop {
        let expr = reader.expr()?;
        let descending = reader.take_word("DESC");
        if !descending {
            reader.take_word("ASC");
        }
        let nulls_first = if reader.take_word("NULLS") {
            let first = reader.take_word("FIRST");
            if !first && !reader.take_word("LAST") {
                return Err(reader.expected("FIRST or LAST"));
            }
            Some(first)
        } else {
            None
        };
        items.push(OrderItem { expr, descending, nulls_first });
        if !reader.take(&Token::Comma) {
            return Ok(items);
        }
    }
}

/// `FINAL`, `CHANGES [PER BATCH]` or `EVERY length`, after the word EMIT; then `WITH CHANGELOG`, or not.
fn emit(reader: &mut Reader, start: Span, changelog: &mut Option<Span>) -> Read<(Emit, Span)> {
    let mut end = reader.span();
    let emit = if reader.take_word("FINAL") {
        Emit::Final
    } else if reader.take_word("CHANGES") {
        if reader.is_word("EVERY") {
            let error = SqlError::new(join(end, reader.span()), "EMIT CHANGES gives a row at every change");
            return Err(error.with_help("write EMIT EVERY INTERVAL '1' SECOND, or EMIT CHANGES PER BATCH"));
        }
        if reader.take_word("PER") {
            end = reader.span();
            reader.expect_word("BATCH")?;
            Emit::ChangesPerBatch
        } else {
            Emit::Changes
        }
    } else if reader.take_word("EVERY") {
        let (every_us, span) = window::length(reader, "write EMIT EVERY INTERVAL '1' SECOND")?;
        if every_us <= 0 {
            return Err(SqlError::new(span, "results can leave every second or so, not every zero seconds"));
        }
        end = span;
        Emit::Every(every_us)
    } else {
        return Err(reader.expected("FINAL, CHANGES or EVERY"));
    };
    if reader.is_word("WITH") {
        let with = reader.span();
        reader.advance();
        let word = reader.span();
        reader.expect_word("CHANGELOG")?;
        *changelog = Some(join(with, word));
    }
    Ok((emit, join(start, end)))
}
