//! SELECT, clause by clause.
//!
//! Clauses come in SQL's order; a clause that corelane does not run is named where it stands.

use sqlparser::tokenizer::Token;

use super::ast::{CommonTable, Emit, From, FromSource, Ident, OrderItem, Query, SelectItem};
use super::convert::unsupported;
use super::from;
use super::over;
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

/// Words of JOIN and UNION, which end what stands before them.
const JOINING: [&str; 8] = ["JOIN", "INNER", "LEFT", "RIGHT", "FULL", "ON", "USING", "UNION"];

/// Words of clauses that are not supported, and how an error names them.
const STRANGERS: [(&str, &str); 14] = [
    ("CROSS", "CROSS JOIN"),
    ("NATURAL", "NATURAL JOIN"),
    ("ASOF", "ASOF JOIN"),
    ("LATERAL", "LATERAL"),
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

/// Reads a query: WITH, then a SELECT or several with UNION ALL between them.
pub(super) fn query(reader: &mut Reader) -> Read<Query> {
    let with = common_tables(reader)?;
    let mut first = select(reader)?;
    if !reader.is_word("UNION") {
        first.with = with;
        return Ok(first);
    }
    let span = first.span;
    let mut arms = vec![first];
    while reader.is_word("UNION") {
        let start = reader.span();
        reader.advance();
        if !reader.take_word("ALL") {
            return Err(unsupported(start, "UNION without ALL")
                .with_help("UNION ALL keeps all rows; SELECT DISTINCT around it drops those that are equal"));
        }
        if let Some(arm) = arms.last()
            && let Some((words, clause)) = ending(arm)
        {
            let message = format!("{clause} must stand at the end of a UNION ALL");
            return Err(SqlError::new(words, message)
                .with_help("it holds for the whole; a part with it stands in a query in FROM"));
        }
        if reader.peek() == Token::LParen {
            return Err(unsupported(reader.span(), "a SELECT in parentheses"));
        }
        arms.push(select(reader)?);
    }
    // ORDER BY, LIMIT and OFFSET at the end are those of the whole.
    let (order_by, limit, offset) = match arms.last_mut() {
        Some(last) => (last.order_by.take(), last.limit.take(), last.offset.take()),
        None => (None, None, None),
    };
    let items = vec![SelectItem::Wildcard { table: None, span }];
    let from =
        From { source: FromSource::Union(arms), alias: None, columns: Vec::new(), as_of: None, window: None, span };
    Ok(Query { with, order_by, limit, offset, ..plain(span, items, from) })
}

/// A clause of a SELECT that can only hold for all of a UNION ALL.
fn ending(query: &Query) -> Option<(Span, &'static str)> {
    let order = query.order_by.as_ref().map(|(_, span)| (*span, "ORDER BY"));
    let limit = query.limit.map(|(_, span)| (span, "LIMIT"));
    order.or(limit).or_else(|| query.offset.map(|(_, span)| (span, "OFFSET")))
}

/// SELECT and FROM without any other clause.
fn plain(span: Span, items: Vec<SelectItem>, from: From) -> Query {
    Query {
        span,
        with: Vec::new(),
        distinct: None,
        items,
        from,
        joins: Vec::new(),
        filter: None,
        group_by: Vec::new(),
        window: None,
        named_windows: Vec::new(),
        having: None,
        order_by: None,
        limit: None,
        offset: None,
        emit: None,
        changelog: None,
    }
}

/// `WITH name AS (query), ...`.
fn common_tables(reader: &mut Reader) -> Read<Vec<CommonTable>> {
    let mut tables: Vec<CommonTable> = Vec::new();
    if !reader.take_word("WITH") {
        return Ok(tables);
    }
    if reader.is_word("RECURSIVE") {
        return Err(unsupported(reader.span(), "WITH RECURSIVE"));
    }
    loop {
        let name = reader.ident("a name after WITH")?;
        if tables.iter().any(|table| table.name.value.eq_ignore_ascii_case(&name.value)) {
            return Err(SqlError::new(name.span, format!("WITH names {} twice", name.value)));
        }
        if reader.peek() == Token::LParen {
            return Err(unsupported(reader.span(), "a column list in WITH")
                .with_help("name the columns in the query: SELECT x AS name"));
        }
        reader.expect_word("AS")?;
        let start = reader.span();
        match reader.subquery()? {
            Some((super::subquery::Subquery::Query(query), _)) => {
                tables.push(CommonTable { name, query: Box::new(query) })
            }
            _ => {
                return Err(SqlError::new(start, "expected a query in parentheses")
                    .with_help("write WITH name AS (SELECT ...)"));
            }
        }
        if !reader.take(&Token::Comma) {
            return Ok(tables);
        }
    }
}

/// Reads a SELECT up to UNION or the end.
fn select(reader: &mut Reader) -> Read<Query> {
    let span = reader.span();
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
    let (from, joins) = from::from(reader)?;
    let mut query = Query { distinct, joins, ..plain(span, items, from) };
    let mut seen: Vec<&str> = Vec::new();
    let mut last = ("FROM", 0);
    while !reader.at_end() && !reader.is_word("UNION") {
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
            "WINDOW" if matches!(reader.peek_two(), [Token::Word(_), second] if is_word(&second, "AS")) => {
                query.named_windows = over::named_windows(reader)?;
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
        Token::Comma => from::comma(reader),
        Token::Word(word) => match nearest(&word.value, CLAUSES.iter().map(|(word, _)| *word)) {
            Some(near) => error.with_help(format!("did you mean {near}?")),
            None => error,
        },
        _ => error,
    }
}

/// The error at a word of a clause that is not supported.
pub(super) fn stranger(reader: &Reader) -> Read<()> {
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
            .chain(JOINING)
            .any(|reserved| is_word(token, reserved))
}

/// A name after AS, or without it.
pub(super) fn alias(reader: &mut Reader) -> Read<Option<Ident>> {
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
