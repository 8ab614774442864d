//! Queries in parentheses are taken out of the tokens of a statement before the rest is read.
//!
//! `sqlparser` reads expressions, but a SELECT is read here, so an expression must not hold one: in its place stands a sign
//! that cannot be written, with the place of what it stands for. Costs one look at each token per level.

use sqlparser::ast::Value;
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::ast::{Expr, Query};
use super::reader::{Read, Reader};
use super::select;
use super::tokens::{is_word, span_of};
use crate::error::SqlError;
use crate::limits::SUBQUERY_DEPTH_MAX;

/// What stood in parentheses.
#[derive(Debug, Clone)]
pub(super) enum Subquery {
    /// SELECT or WITH.
    Query(Query),
    /// The same after EXISTS.
    Exists(Query),
    /// VALUES.
    Values(Vec<Vec<Expr>>),
}

/// Starts every sign: a name that no tokenizer yields.
const SIGN: &str = "$ ";

/// What the sign `value` stands for, if it is one.
pub(super) fn find<'s>(value: &Value, subqueries: &'s [Subquery]) -> Option<&'s Subquery> {
    let Value::Placeholder(sign) = value else { return None };
    by_sign(sign, subqueries)
}

/// What a sign stands for.
pub(super) fn by_sign<'s>(sign: &str, subqueries: &'s [Subquery]) -> Option<&'s Subquery> {
    subqueries.get(sign.strip_prefix(SIGN)?.parse::<usize>().ok()?)
}

/// `tokens` with a sign for each query in parentheses, and those queries. `depth`: how many queries stand around.
pub(super) fn take_out(
    tokens: Vec<TokenWithSpan>,
    written: &[TokenWithSpan],
    depth: usize,
) -> Read<(Vec<TokenWithSpan>, Vec<Subquery>)> {
    let starts = |i: usize, words: &[&str]| {
        tokens.get(i).is_some_and(|token| words.iter().any(|word| is_word(&token.token, word)))
    };
    let opens = |i: usize| tokens[i].token == Token::LParen && starts(i + 1, &["SELECT", "WITH", "VALUES"]);
    // A statement that starts with a parenthesis is told so by who reads it.
    if !(1..tokens.len()).any(opens) {
        return Ok((tokens, Vec::new()));
    }
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut subqueries = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        let closing = if i > 0 && opens(i) { partner(&tokens, i) } else { None };
        let Some(closing) = closing else {
            out.push(tokens[i].clone());
            i += 1;
            continue;
        };
        if depth == SUBQUERY_DEPTH_MAX {
            let message = format!("queries stand inside each other more than {SUBQUERY_DEPTH_MAX} levels deep");
            return Err(SqlError::new(span_of(tokens[i].span), message));
        }
        let inner = &tokens[i + 1..closing];
        let (start, end) = (inner[0].span.start, inner[inner.len() - 1].span.end);
        let places = written.iter().filter(|token| token.span.start >= start && token.span.end <= end);
        let mut reader = Reader::new(inner.to_vec(), places.cloned().collect(), depth + 1)?;
        let subquery = if reader.take_word("VALUES") {
            Subquery::Values(values(&mut reader)?)
        } else {
            Subquery::Query(select::query(&mut reader)?)
        };
        if !reader.at_end() {
            return Err(reader.expected(")"));
        }
        let sign = Token::Placeholder(format!("{SIGN}{}", subqueries.len()));
        match (out.pop_if(|token| is_word(&token.token, "EXISTS")), subquery) {
            (Some(exists), Subquery::Query(query)) => {
                subqueries.push(Subquery::Exists(query));
                let span = sqlparser::tokenizer::Span::new(exists.span.start, tokens[closing].span.end);
                out.push(TokenWithSpan { token: sign, span });
            }
            (exists, subquery) => {
                out.extend(exists);
                subqueries.push(subquery);
                let span = sqlparser::tokenizer::Span::new(start, end);
                out.extend([tokens[i].clone(), TokenWithSpan { token: sign, span }, tokens[closing].clone()]);
            }
        }
        i = closing + 1;
    }
    Ok((out, subqueries))
}

/// The parenthesis that closes the one at `open`.
fn partner(tokens: &[TokenWithSpan], open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (i, token) in tokens.iter().enumerate().skip(open) {
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(i);
        }
    }
    None
}

/// Rows of VALUES, all of one width.
fn values(reader: &mut Reader) -> Read<Vec<Vec<Expr>>> {
    let mut rows: Vec<Vec<Expr>> = Vec::new();
    loop {
        let start = reader.span();
        reader.expect(&Token::LParen)?;
        let row = reader.exprs()?;
        reader.expect(&Token::RParen)?;
        if let Some(first) = rows.first()
            && first.len() != row.len()
        {
            let message = format!("this row of VALUES has {} columns, the first has {}", row.len(), first.len());
            return Err(SqlError::new(start, message));
        }
        rows.push(row);
        if !reader.take(&Token::Comma) {
            return Ok(rows);
        }
    }
}
