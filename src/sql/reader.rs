//! Reads one statement token by token; expressions and data types go to `sqlparser`.
//!
//! Errors of `sqlparser` say their place only in words ("at Line: 1, Column: 8"); they are turned into places here.

use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, TokenWithSpan, Word};

use super::ast::{Expr, Ident, OptionItem, Over};
use super::convert::Converter;
use super::over::{self, Expiry};
use super::subquery::{self, Subquery};
use super::tokens::{CorelaneDialect, TokenTable, describe, is_word, span_of};
use crate::error::{Span, SqlError};
use crate::limits::EXPRESSION_DEPTH_MAX;
use crate::types::DataType;

/// Result of reading.
pub(super) type Read<T> = Result<T, SqlError>;

/// A position in the tokens of one statement.
pub(super) struct Reader {
    parser: Parser<'static>,
    /// Places as written.
    pub(super) table: TokenTable,
    /// Queries in parentheses, for which signs stand among the tokens.
    pub(super) subqueries: Vec<Subquery>,
    /// EXPIRE AFTER of each OVER, taken out of the tokens.
    expiries: Vec<Expiry>,
}

impl Reader {
    /// Reads `tokens`, which stand `depth` queries deep and whose places are looked up in the tokens as they were
    /// `written`.
    pub(super) fn new(tokens: Vec<TokenWithSpan>, written: Vec<TokenWithSpan>, depth: usize) -> Read<Self> {
        let (tokens, subqueries) = subquery::take_out(tokens, &written, depth)?;
        let (tokens, expiries) = over::take_out(tokens, depth)?;
        let parser = Parser::new(&CorelaneDialect)
            .with_recursion_limit(EXPRESSION_DEPTH_MAX + 8)
            .with_tokens_with_locations(tokens);
        Ok(Self { parser, table: TokenTable::new(written), subqueries, expiries })
    }

    /// The next token.
    pub(super) fn peek(&self) -> Token {
        self.parser.peek_token_ref().token.clone()
    }

    /// The next token and the one after it.
    pub(super) fn peek_two(&self) -> [Token; 2] {
        self.parser.peek_tokens()
    }

    /// The next three tokens.
    pub(super) fn peek_three(&self) -> [Token; 3] {
        self.parser.peek_tokens()
    }

    /// The place of the next token; at the end, the place after the last.
    pub(super) fn span(&self) -> Span {
        let token = self.parser.peek_token_ref();
        if token.token == Token::EOF { self.table.end() } else { span_of(token.span) }
    }

    /// Takes the next token.
    pub(super) fn advance(&mut self) {
        self.parser.advance_token();
    }

    /// Whether the statement is read to its end.
    pub(super) fn at_end(&self) -> bool {
        self.parser.peek_token_ref().token == Token::EOF
    }

    /// Whether the next token is this word.
    pub(super) fn is_word(&self, word: &str) -> bool {
        is_word(&self.parser.peek_token_ref().token, word)
    }

    /// Whether the next token is one of these words; which.
    pub(super) fn one_of<'w>(&self, words: &[&'w str]) -> Option<&'w str> {
        words.iter().copied().find(|word| self.is_word(word))
    }

    /// Takes the word if it is next.
    pub(super) fn take_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        if found {
            self.advance();
        }
        found
    }

    /// Takes the token if it is next.
    pub(super) fn take(&mut self, token: &Token) -> bool {
        let found = self.parser.peek_token_ref().token == *token;
        if found {
            self.advance();
        }
        found
    }

    /// Takes the word or says that it was expected.
    pub(super) fn expect_word(&mut self, word: &str) -> Read<()> {
        if self.take_word(word) { Ok(()) } else { Err(self.expected(word)) }
    }

    /// Takes the token or says that it was expected.
    pub(super) fn expect(&mut self, token: &Token) -> Read<()> {
        if self.take(token) { Ok(()) } else { Err(self.expected(&token.to_string())) }
    }

    /// The error that something else was expected here.
    pub(super) fn expected(&self, wanted: &str) -> SqlError {
        SqlError::new(self.span(), format!("expected {wanted}, found {}", describe(&self.peek())))
    }

    /// A name.
    pub(super) fn ident(&mut self, what: &str) -> Read<Ident> {
        let span = self.span();
        match self.peek() {
            Token::Word(word) => {
                self.advance();
                Ok(ident_of(&word, span))
            }
            _ => Err(self.expected(what)),
        }
    }

    /// Text in single quotes.
    pub(super) fn text(&mut self, what: &str) -> Read<String> {
        match self.peek() {
            Token::SingleQuotedString(text) => {
                self.advance();
                Ok(text)
            }
            _ => Err(self.expected(what)),
        }
    }

    /// A whole number, zero or more.
    pub(super) fn whole_number(&mut self, what: &str) -> Read<(u64, Span)> {
        let span = self.span();
        match self.peek() {
            Token::Number(text, false) => {
                let number = text.parse().map_err(|_| self.expected(what))?;
                self.advance();
                Ok((number, span))
            }
            _ => Err(self.expected(what)),
        }
    }

    /// An expression.
    pub(super) fn expr(&mut self) -> Read<Expr> {
        let start = self.span();
        if self.at_end() {
            return Err(self.expected("an expression"));
        }
        let parsed = self.parser.parse_expr().map_err(|error| self.translate(&error, start))?;
        Converter::new(&self.table, &self.subqueries, &self.expiries).expr(&parsed, 0)
    }

    /// What stands in the parentheses of OVER, with them.
    pub(super) fn window_spec(&mut self) -> Read<Over> {
        let start = self.span();
        self.expect(&Token::LParen)?;
        let parsed = self.parser.parse_window_spec().map_err(|error| self.translate(&error, start))?;
        let span = self.table.with_parentheses(start);
        Converter::new(&self.table, &self.subqueries, &self.expiries).window_spec(&parsed, span, 0)
    }

    /// Expressions with commas between them.
    pub(super) fn exprs(&mut self) -> Read<Vec<Expr>> {
        let mut exprs = vec![self.expr()?];
        while self.take(&Token::Comma) {
            exprs.push(self.expr()?);
        }
        Ok(exprs)
    }

    /// A query in parentheses, if one is next, and its place.
    pub(super) fn subquery(&mut self) -> Read<Option<(Subquery, Span)>> {
        let start = self.span();
        let [Token::LParen, Token::Placeholder(sign)] = self.peek_two() else { return Ok(None) };
        let Some(found) = subquery::by_sign(&sign, &self.subqueries).cloned() else { return Ok(None) };
        self.advance();
        self.advance();
        let end = self.span();
        self.expect(&Token::RParen)?;
        Ok(Some((found, super::tokens::join(start, end))))
    }

    /// A data type.
    pub(super) fn data_type(&mut self) -> Read<DataType> {
        let start = self.span();
        if !matches!(self.peek(), Token::Word(_)) {
            return Err(self.expected("a data type"));
        }
        let parsed = self.parser.parse_data_type().map_err(|error| self.translate(&error, start))?;
        super::data_type::data_type(&parsed, start)
    }

    /// `key = value`; `=>` and, for SET, TO are as good. A value is text, a number or a bare word.
    pub(super) fn option(&mut self, allow_to: bool) -> Read<OptionItem> {
        let key_span = self.span();
        let key = match self.peek() {
            Token::SingleQuotedString(text) => {
                self.advance();
                text
            }
            _ => self.ident("the name of an option")?.value,
        };
        let assigned = self.take(&Token::Eq) || self.take(&Token::RArrow) || allow_to && self.take_word("TO");
        if !assigned {
            return Err(self.expected("="));
        }
        let mut value_span = self.span();
        let negative = self.take(&Token::Minus);
        let value = match self.peek() {
            Token::Number(text, _) => text,
            Token::SingleQuotedString(text) if !negative => text,
            Token::Word(word) if !negative => word.value,
            _ => return Err(self.expected("a value: text in quotes, a number or a word")),
        };
        value_span = super::tokens::join(value_span, self.span());
        self.advance();
        let value = if negative { format!("-{value}") } else { value };
        Ok(OptionItem { key: key.to_ascii_lowercase(), value, key_span, value_span })
    }

    /// `(key = value, ...)`.
    pub(super) fn option_list(&mut self) -> Read<Vec<OptionItem>> {
        self.expect(&Token::LParen)?;
        let mut options: Vec<OptionItem> = Vec::new();
        if self.take(&Token::RParen) {
            return Ok(options);
        }
        loop {
            let option = self.option(false)?;
            if options.iter().any(|other| other.key == option.key) {
                return Err(SqlError::new(option.key_span, format!("option {} is given twice", option.key)));
            }
            options.push(option);
            if self.take(&Token::RParen) {
                return Ok(options);
            }
            if !self.take(&Token::Comma) {
                return Err(self.expected(", or )"));
            }
        }
    }

    /// An error of `sqlparser` with its place; `start` is where the part began that it was reading.
    fn translate(&self, error: &ParserError, start: Span) -> SqlError {
        let text = match error {
            ParserError::RecursionLimitExceeded => {
                return SqlError::new(
                    start,
                    format!("the expression is nested deeper than {EXPRESSION_DEPTH_MAX} levels"),
                );
            }
            ParserError::ParserError(text) | ParserError::TokenizerError(text) => text,
        };
        let (message, span) = match text.rsplit_once(" at Line: ") {
            Some((message, place)) => (message, parse_place(place).map(|place| self.widen(place))),
            None => (text.as_str(), None),
        };
        let span = span.unwrap_or_else(|| if message.ends_with("EOF") { self.table.end() } else { start });
        if message.starts_with("No infix parser for token") {
            let sign = self.table.token(span).map_or_else(String::new, describe);
            let error = SqlError::new(span, format!("the operator {sign} is not supported"));
            return if sign == "&&" { error.with_help("write AND") } else { error };
        }
        let message = match message.strip_prefix("Expected: ").and_then(|rest| rest.split_once(", found: ")) {
            Some((wanted, found)) => {
                let found = if found == "EOF" { "the end of the statement" } else { found };
                format!("expected {wanted}, found {found}")
            }
            None => super::tokens::lower_first(message),
        };
        SqlError::new(span, message)
    }

    /// The whole token at a place.
    fn widen(&self, place: Span) -> Span {
        self.table.span_from(place).unwrap_or(place)
    }
}

/// `1, Column: 8` as a place one character wide.
fn parse_place(text: &str) -> Option<Span> {
    let (line, column) = text.split_once(", Column: ")?;
    let (line, column) = (line.trim().parse::<u32>().ok()?, column.trim().parse::<u32>().ok()?);
    (line > 0).then_some(Span { line, column, end_line: line, end_column: column.saturating_add(1) })
}

/// A word as a name.
pub(super) fn ident_of(word: &Word, span: Span) -> Ident {
    Ident { value: word.value.clone(), quoted: word.quote_style.is_some(), span }
}
