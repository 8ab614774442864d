//! FROM: sources, files, queries in parentheses, and JOIN.

use sqlparser::tokenizer::Token;

use super::ast::{Expr, From, FromSource, Ident, Join, JoinCondition, JoinKind, OptionItem};
use super::convert::unsupported;
use super::reader::{Read, Reader, ident_of};
use super::select::{alias, stranger};
use super::subquery::Subquery;
use super::tokens::join;
use super::window;
use crate::error::{Span, SqlError, nearest};

/// What FROM reads, and what is joined to it.
pub(super) fn from(reader: &mut Reader) -> Read<(From, Vec<Join>)> {
    let first = relation(reader)?;
    if let Some(moment) = &first.as_of {
        return Err(unsupported(moment.span, "FOR SYSTEM_TIME AS OF without a join").with_help(
            "the versions are on the right of a JOIN: FROM a JOIN b FOR SYSTEM_TIME AS OF a.ts ON a.key = b.key",
        ));
    }
    let mut joins = Vec::new();
    loop {
        stranger(reader)?;
        if reader.peek() == Token::Comma {
            return Err(comma(reader));
        }
        let start = reader.span();
        let Some(kind) = join_kind(reader)? else { return Ok((first, joins)) };
        let end = reader.span();
        reader.expect_word("JOIN")?;
        let right = relation(reader)?;
        let condition = if reader.take_word("ON") {
            JoinCondition::On(reader.expr()?)
        } else if reader.take_word("USING") {
            JoinCondition::Using(columns(reader)?)
        } else {
            let help = "write JOIN source ON a.key = b.key";
            return Err(reader.expected("ON or USING").with_help(help));
        };
        joins.push(Join { kind, right, condition, span: join(start, end) });
    }
}

/// The error at a comma in FROM.
pub(super) fn comma(reader: &Reader) -> SqlError {
    unsupported(reader.span(), "a comma in FROM").with_help("write FROM a JOIN b ON a.key = b.key")
}

/// The words before JOIN, if a join follows.
fn join_kind(reader: &mut Reader) -> Read<Option<JoinKind>> {
    if reader.is_word("JOIN") {
        return Ok(Some(JoinKind::Inner));
    }
    let kinds =
        [("INNER", JoinKind::Inner), ("LEFT", JoinKind::Left), ("RIGHT", JoinKind::Right), ("FULL", JoinKind::Full)];
    let Some((_, kind)) = kinds.into_iter().find(|(word, _)| reader.is_word(word)) else { return Ok(None) };
    reader.advance();
    if kind != JoinKind::Inner {
        reader.take_word("OUTER");
    }
    Ok(Some(kind))
}

/// `(a, b, ...)`.
fn columns(reader: &mut Reader) -> Read<Vec<Ident>> {
    reader.expect(&Token::LParen)?;
    let mut columns = vec![reader.ident("the name of a column")?];
    while reader.take(&Token::Comma) {
        columns.push(reader.ident("the name of a column")?);
    }
    reader.expect(&Token::RParen)?;
    Ok(columns)
}

/// One source, with its alias.
fn relation(reader: &mut Reader) -> Read<From> {
    let mut window = None;
    let start = reader.span();
    let [first, second] = reader.peek_two();
    let (source, span) = match (first, second) {
        (Token::SingleQuotedString(path), _) => {
            reader.advance();
            (FromSource::File(path), start)
        }
        (Token::LParen, _) => match reader.subquery()? {
            Some((Subquery::Query(query), span)) => (FromSource::Query(Box::new(query)), span),
            Some((Subquery::Values(rows), span)) => (FromSource::Values(rows), span),
            _ => return Err(unsupported(start, "FROM in parentheses")),
        },
        (Token::Word(word), Token::LParen) if window::is_table_function(&word.value) => {
            let (name, span, found) = window::table_function(reader)?;
            window = Some(found);
            (FromSource::Name(name), span)
        }
        (Token::Word(word), Token::LParen) => table_function(reader, &ident_of(&word, start))?,
        (Token::Word(word), second) => {
            stranger(reader)?;
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
    let versions = as_of(reader)?;
    let alias = alias(reader)?;
    let versions = match versions {
        None => as_of(reader)?,
        versions => versions,
    };
    let columns = if alias.is_some() && reader.peek() == Token::LParen { columns(reader)? } else { Vec::new() };
    Ok(From { source, alias, columns, as_of: versions, window, span })
}

/// `FOR SYSTEM_TIME AS OF moment`, before or after the alias.
fn as_of(reader: &mut Reader) -> Read<Option<Expr>> {
    if !(reader.is_word("FOR")
        && matches!(&reader.peek_two()[1], Token::Word(word) if word.value.eq_ignore_ascii_case("SYSTEM_TIME")))
    {
        return Ok(None);
    }
    for word in ["FOR", "SYSTEM_TIME", "AS", "OF"] {
        reader.expect_word(word)?;
    }
    reader.expr().map(Some)
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
