//! Statements: CREATE SOURCE, CREATE SINK, INSERT INTO, SELECT, SET.

use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::ast::{ColumnDefinition, Ident, OptionItem, Statement, Watermark};
use super::convert::unsupported;
use super::reader::{Read, Reader};
use super::select;
use super::tokens::{self, is_word, join, span_of};
use super::window;
use crate::error::{SqlError, nearest};

/// The statements of `text`, in order.
pub fn parse(text: &str) -> Result<Vec<Statement>, SqlError> {
    tokens::statements(text)?.into_iter().map(statement).collect()
}

fn statement(written: Vec<TokenWithSpan>) -> Read<Statement> {
    let rewritten = rewrite_row_buffers(&written)?;
    let mut reader = Reader::new(rewritten, written, 0)?;
    let start = reader.span();
    let statement = match reader.one_of(&["CREATE", "INSERT", "SELECT", "WITH", "SET"]) {
        Some("CREATE") => create(&mut reader)?,
        Some("INSERT") => {
            reader.advance();
            reader.expect_word("INTO")?;
            let sink = name(&mut reader, "the name of a sink")?;
            if reader.peek() == Token::LParen {
                return Err(unsupported(reader.span(), "a column list in INSERT INTO")
                    .with_help("columns are named in the SELECT list: SELECT x AS name"));
            }
            if reader.is_word("VALUES") {
                return Err(unsupported(reader.span(), "VALUES"));
            }
            Statement::Insert { sink, query: Box::new(select::query(&mut reader)?) }
        }
        Some("SELECT" | "WITH") => Statement::Select(Box::new(select::query(&mut reader)?)),
        Some("SET") => {
            reader.advance();
            Statement::Set(reader.option(true)?)
        }
        _ => {
            if reader.peek() == Token::LParen {
                return Err(unsupported(start, "a SELECT in parentheses"));
            }
            let error =
                SqlError::new(start, format!("{} does not start a statement", tokens::describe(&reader.peek())));
            let help = match reader.peek() {
                Token::Word(word) => nearest(&word.value, ["CREATE", "INSERT", "SELECT", "SET"]),
                _ => None,
            };
            return Err(match help {
                Some(near) => error.with_help(format!("did you mean {near}?")),
                None => error.with_help("statements are CREATE SOURCE, CREATE SINK, INSERT INTO, SELECT and SET"),
            });
        }
    };
    if reader.at_end() { Ok(statement) } else { Err(reader.expected("the end of the statement")) }
}

/// A name of one part.
fn name(reader: &mut Reader, what: &str) -> Read<Ident> {
    let name = reader.ident(what)?;
    if reader.peek() == Token::Period {
        return Err(SqlError::new(reader.span(), "a name of several parts is not supported"));
    }
    Ok(name)
}

fn create(reader: &mut Reader) -> Read<Statement> {
    let start = reader.span();
    reader.advance();
    if reader.is_word("OR") {
        return Err(unsupported(join(start, reader.span()), "CREATE OR REPLACE"));
    }
    let kind_span = reader.span();
    let source = reader.take_word("SOURCE");
    if !source && !reader.take_word("SINK") {
        let error = reader.expected("SOURCE or SINK");
        return Err(match reader.peek() {
            Token::Word(word) => {
                let help = "CREATE SOURCE reads an input, CREATE SINK names an output";
                unsupported(join(start, kind_span), format_args!("CREATE {}", word.value.to_uppercase()))
                    .with_help(help)
            }
            _ => error,
        });
    }
    if reader.is_word("IF") {
        return Err(unsupported(reader.span(), "IF NOT EXISTS"));
    }
    let name = name(reader, if source { "the name of the source" } else { "the name of the sink" })?;
    if !source {
        if reader.peek() == Token::LParen {
            return Err(SqlError::new(reader.span(), "a sink has no column list")
                .with_help("its columns are those of the SELECT that is inserted"));
        }
        let options = with(reader)?;
        return Ok(Statement::CreateSink { name, options });
    }
    let (columns, watermark) = if reader.peek() == Token::LParen { columns(reader)? } else { (Vec::new(), None) };
    let options = with(reader)?;
    Ok(Statement::CreateSource { name, columns, watermark, options })
}

fn with(reader: &mut Reader) -> Read<Vec<OptionItem>> {
    if reader.at_end() {
        let help = "write WITH (connector = 'file', path = 'data.csv')";
        return Err(reader.expected("WITH").with_help(help));
    }
    reader.expect_word("WITH")?;
    reader.option_list()
}

/// `(name TYPE [NOT NULL], ..., WATERMARK FOR name AS name - INTERVAL '1' SECOND)`.
fn columns(reader: &mut Reader) -> Read<(Vec<ColumnDefinition>, Option<Watermark>)> {
    reader.expect(&Token::LParen)?;
    let mut columns: Vec<ColumnDefinition> = Vec::new();
    let mut watermark = None;
    loop {
        let start = reader.span();
        let next = reader.peek_two();
        if is_word(&next[0], "WATERMARK") && is_word(&next[1], "FOR") {
            if watermark.is_some() {
                return Err(SqlError::new(start, "a source has one WATERMARK"));
            }
            watermark = Some(watermark_clause(reader)?);
        } else {
            let word = reader.one_of(&["PRIMARY", "CONSTRAINT", "UNIQUE", "CHECK", "FOREIGN"]);
            if let (Some(word), Token::Word(_) | Token::LParen) = (word, &next[1])
                && (is_word(&next[1], "KEY") || next[1] == Token::LParen || word == "CONSTRAINT")
            {
                return Err(unsupported(start, format_args!("a {word} constraint")));
            }
            let name = reader.ident("the name of a column")?;
            if columns.iter().any(|column| column.name.value.eq_ignore_ascii_case(&name.value)) {
                return Err(SqlError::new(name.span, format!("column {} is given twice", name.value)));
            }
            let data_type = reader.data_type()?;
            let mut nullable = true;
            if reader.take_word("NOT") {
                reader.expect_word("NULL")?;
                nullable = false;
            } else {
                reader.take_word("NULL");
            }
            if let Some(word) =
                reader.one_of(&["PRIMARY", "UNIQUE", "DEFAULT", "CHECK", "REFERENCES", "GENERATED", "AS"])
            {
                return Err(unsupported(reader.span(), format_args!("{word} in a column definition")));
            }
            columns.push(ColumnDefinition { name, data_type, nullable });
        }
        if reader.take(&Token::RParen) {
            return Ok((columns, watermark));
        }
        if !reader.take(&Token::Comma) {
            return Err(reader.expected(", or )"));
        }
    }
}

fn watermark_clause(reader: &mut Reader) -> Read<Watermark> {
    let help = "write WATERMARK FOR column AS column - INTERVAL '1' SECOND";
    let start = reader.span();
    reader.advance();
    reader.advance();
    let column = reader.ident("the name of a column")?;
    if !reader.take_word("AS") {
        return Err(reader.expected("AS").with_help(help));
    }
    let again = reader.ident("the name of the column").map_err(|error| error.with_help(help))?;
    if !again.value.eq_ignore_ascii_case(&column.value) {
        let message = format!("the watermark of {} must be computed from {} alone", column.value, column.value);
        return Err(SqlError::new(again.span, message).with_help(help));
    }
    let mut span = join(start, again.span);
    let mut bound_us = 0;
    if reader.take(&Token::Minus) {
        let (length, length_span) = window::length(reader, help)?;
        if length < 0 {
            return Err(SqlError::new(length_span, "the bound of a watermark cannot be negative"));
        }
        bound_us = length;
        span = join(span, length_span);
    } else if !matches!(reader.peek(), Token::Comma | Token::RParen) {
        return Err(reader.expected("- INTERVAL").with_help(help));
    }
    Ok(Watermark { column, bound_us, span })
}

/// `OVER (ROWS WINDOW BUFFER n ROWS ...)` as `OVER (... ROWS BETWEEN n-1 PRECEDING AND CURRENT ROW)`: a buffer of n rows
/// holds the current row too. The new tokens stand at the place of the old ones.
fn rewrite_row_buffers(tokens: &[TokenWithSpan]) -> Read<Vec<TokenWithSpan>> {
    let word = |i: usize, text: &str| tokens.get(i).is_some_and(|token| is_word(&token.token, text));
    let mut out = Vec::with_capacity(tokens.len());
    // Frames that wait for the closing parenthesis of their OVER, with the depth of that parenthesis.
    let mut pending: Vec<(usize, Vec<TokenWithSpan>)> = Vec::new();
    let mut depth = 0_usize;
    let mut i = 0;
    while i < tokens.len() {
        let token = &tokens[i];
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen => {
                if let Some((at, frame)) = pending.pop_if(|(at, _)| *at == depth) {
                    debug_assert_eq!(at, depth);
                    out.extend(frame);
                }
                depth = depth.saturating_sub(1);
            }
            _ => {}
        }
        out.push(token.clone());
        i += 1;
        if token.token != Token::LParen || !(word(i, "ROWS") && word(i + 1, "WINDOW")) {
            continue;
        }
        let help = "write OVER (ROWS WINDOW BUFFER 100 ROWS PARTITION BY key ORDER BY time)";
        let here = span_of(tokens[i].span);
        if !word(i + 2, "BUFFER") {
            return Err(SqlError::new(here, "ROWS WINDOW is followed by BUFFER n ROWS").with_help(help));
        }
        let count = match tokens.get(i + 3).map(|token| (&token.token, span_of(token.span))) {
            Some((Token::Number(text, false), span)) => match text.parse::<u64>() {
                Ok(count) if count > 0 => count,
                _ => {
                    return Err(
                        SqlError::new(span, "a buffer holds a whole number of rows, at least 1").with_help(help)
                    );
                }
            },
            Some((_, span)) => {
                return Err(SqlError::new(span, "BUFFER is followed by a number of rows").with_help(help));
            }
            None => return Err(SqlError::new(here, "BUFFER is followed by a number of rows").with_help(help)),
        };
        if !word(i + 4, "ROWS") {
            let span = tokens.get(i + 4).map_or(here, |token| span_of(token.span));
            return Err(SqlError::new(span, "the number of rows of a BUFFER is followed by ROWS").with_help(help));
        }
        let place = sqlparser::tokenizer::Span::new(tokens[i].span.start, tokens[i + 4].span.end);
        let frame = ["ROWS", "BETWEEN", "", "PRECEDING", "AND", "CURRENT", "ROW"].map(|text| {
            let token =
                if text.is_empty() { Token::Number((count - 1).to_string(), false) } else { Token::make_keyword(text) };
            TokenWithSpan::new(token, place)
        });
        pending.push((depth, frame.to_vec()));
        i += 5;
        if let Some(word) = ["GRACE", "EMIT"].iter().find(|w| word(i, w)) {
            return Err(unsupported(span_of(tokens[i].span), format_args!("{word} in ROWS WINDOW")));
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::ast::{ExprKind, FrameBound, Query, SelectItem, WindowShape};

    fn query(text: &str) -> Query {
        match parse(text).as_deref() {
            Ok([Statement::Select(query)]) => (**query).clone(),
            other => panic!("{text}: {other:?}"),
        }
    }

    /// Statements are split at `;`, comments and empty statements fall away, keywords take any case.
    #[test]
    fn statements_are_split() {
        let statements = parse(";; select a from t; -- SELECT b;\n SET x = 'a;b' ; /* ; */ ;").unwrap();
        assert_eq!(statements.len(), 2);
        assert!(matches!(&statements[1], Statement::Set(option) if option.key == "x" && option.value == "a;b"));
        assert_eq!(parse("").unwrap(), vec![]);
    }

    /// The place of an expression is the text that it was written as, parentheses and all.
    #[test]
    fn places_cover_the_whole_expression() {
        for written in [
            "price",
            "t.price",
            "1.5",
            "'x'",
            "(a)",
            "((a + b)) * c",
            "-a",
            "NOT a",
            "COUNT(*)",
            "SUM(a * (b + 1))",
            "CAST(a AS INT)",
            "CAST((a) AS DECIMAL(5, 2))",
            "a::INT",
            "(a + b)::INT",
            "a IS NOT NULL",
            "a IS TRUE",
            "a IN (1, (2))",
            "a BETWEEN 1 AND (2)",
            "a LIKE 'x' ESCAPE '!'",
            "CASE WHEN a THEN b END",
            "EXTRACT(HOUR FROM a)",
            "SUBSTRING(a FROM 1 FOR 2)",
            "TRIM(a)",
            "FLOOR(a)",
            "INTERVAL '1' MINUTE",
            "INTERVAL '1 minute'",
            "TIMESTAMP '2024-01-01'",
            "a AND b OR NOT c",
            "LAG(a) OVER (PARTITION BY (b))",
            "AVG(a) OVER (ROWS WINDOW BUFFER 5 ROWS PARTITION BY b ORDER BY c)",
        ] {
            let text = format!("SELECT\n  {written} AS x FROM t");
            let query = query(&text);
            let SelectItem::Expr { expr, .. } = &query.items[0] else { panic!("{text}") };
            let line = text.lines().nth(expr.span.line as usize - 1).unwrap();
            let (start, end) = (expr.span.column as usize - 1, expr.span.end_column as usize - 1);
            assert_eq!((expr.span.line, &line[start..end]), (2, written));
        }
    }

    /// A buffer of n rows is a frame of n - 1 rows and the current one, also inside other calls.
    #[test]
    fn row_buffers_become_frames() {
        let text =
            "SELECT COALESCE(AVG(a) OVER (ROWS WINDOW BUFFER 100 ROWS PARTITION BY f(b, c) ORDER BY d), 0) FROM t";
        let query = query(text);
        let SelectItem::Expr { expr, .. } = &query.items[0] else { panic!("{text}") };
        let ExprKind::Call { args, .. } = &expr.kind else { panic!("{text}") };
        let ExprKind::Call { over: Some(over), .. } = &args[0].kind else { panic!("{text}") };
        let frame = over.frame.as_ref().unwrap();
        assert!(matches!(&frame.start, FrameBound::Preceding(rows) if rows.kind == ExprKind::Number("99".into())));
        assert_eq!((over.partition_by.len(), over.order_by.len()), (1, 1));
    }

    /// The same size of window in every notation.
    #[test]
    fn window_sizes() {
        for size in [
            "INTERVAL '1' MINUTE",
            "interval '1 minute'",
            "INTERVAL 1 MINUTE",
            "1m",
            "60s",
            "1 minute",
            "'1m'",
            "60000ms",
        ] {
            for window in [format!("TUMBLING ({size})"), format!("tumbling(ts, {size})")] {
                let query = query(&format!("SELECT COUNT(*) FROM t WINDOW {window} EMIT FINAL"));
                assert_eq!(query.window.unwrap().shape, WindowShape::Tumbling { size_us: 60_000_000 }, "{window}");
            }
        }
    }
}
