//! Tokens with their places: cutting the text, splitting statements, and finding the place of a whole expression.
//!
//! `sqlparser` gives each leaf of its tree a place, but a call without its parentheses and a CAST without its word.
//! [`TokenTable`] widens such places: it knows for each token where it stands and for each parenthesis its partner.

use sqlparser::dialect::{AnsiDialect, Dialect, Precedence};
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

use crate::error::{Span, SqlError};

/// Most tokens in a row without a comma, at one level of parentheses. `sqlparser` builds a chain of operators as a
/// tree as deep as the chain is long, and the tree is freed by recursion; this bounds that depth.
const CHAIN_TOKENS_MAX: usize = 4000;

/// Plain SQL: names in double quotes, text in single quotes, no extensions of any vendor.
#[derive(Debug)]
pub(super) struct CorelaneDialect;

/// Where the default of a precedence comes from.
const PLAIN: AnsiDialect = AnsiDialect {};

impl Dialect for CorelaneDialect {
    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        ch == '"'
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        ch.is_alphabetic() || ch == '_'
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        ch.is_alphanumeric() || ch == '_'
    }

    // A broken CASE or CAST is an error in it, not a column of that name.
    fn is_reserved_for_identifier(&self, keyword: Keyword) -> bool {
        matches!(
            keyword,
            Keyword::CASE
                | Keyword::CAST
                | Keyword::EXISTS
                | Keyword::EXTRACT
                | Keyword::INTERVAL
                | Keyword::NOT
                | Keyword::TRIM
        )
    }

    // -> and ->> bind more tightly than arithmetic and comparison, as in SQLite: j ->> 'a' = 'x' is a comparison.
    fn prec_value(&self, precedence: Precedence) -> u8 {
        match precedence {
            Precedence::PgOther => 45,
            other => PLAIN.prec_value(other),
        }
    }

    fn supports_comma_separated_trim(&self) -> bool {
        true
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }
}

/// A place of `sqlparser` as one of ours.
pub(super) fn span_of(span: sqlparser::tokenizer::Span) -> Span {
    let narrow = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    Span {
        line: narrow(span.start.line),
        column: narrow(span.start.column),
        end_line: narrow(span.end.line),
        end_column: narrow(span.end.column),
    }
}

/// From the first of `a` to the last of `b`; a place that is not known does not count.
pub(super) fn join(a: Span, b: Span) -> Span {
    if a.line == 0 {
        return b;
    }
    if b.line == 0 {
        return a;
    }
    let (line, column) = (a.line, a.column).min((b.line, b.column));
    let (end_line, end_column) = (a.end_line, a.end_column).max((b.end_line, b.end_column));
    Span { line, column, end_line, end_column }
}

/// The statements of `text` as tokens without white space and comments; empty statements are left out.
pub(super) fn statements(text: &str) -> Result<Vec<Vec<TokenWithSpan>>, SqlError> {
    let tokens = Tokenizer::new(&CorelaneDialect, text).tokenize_with_location().map_err(|error| {
        let at = sqlparser::tokenizer::Span::new(error.location, error.location);
        let mut span = span_of(at);
        span.end_column += 1;
        SqlError::new(span, lower_first(&error.message))
    })?;
    let mut statements = vec![Vec::new()];
    for token in tokens {
        match token.token {
            Token::Whitespace(_) | Token::EOF => {}
            Token::SemiColon => statements.push(Vec::new()),
            _ => {
                if let Some(last) = statements.last_mut() {
                    last.push(token);
                }
            }
        }
    }
    statements.retain(|statement: &Vec<TokenWithSpan>| !statement.is_empty());
    for statement in &statements {
        check_chains(statement)?;
    }
    Ok(statements)
}

/// `text` with its first letter in lower case, as our messages are.
pub(super) fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}

fn check_chains(tokens: &[TokenWithSpan]) -> Result<(), SqlError> {
    let mut counts = vec![0_usize];
    for token in tokens {
        match token.token {
            Token::LParen | Token::LBracket | Token::LBrace => counts.push(0),
            Token::RParen | Token::RBracket | Token::RBrace if counts.len() > 1 => {
                counts.pop();
            }
            Token::Comma => {
                if let Some(count) = counts.last_mut() {
                    *count = 0;
                }
            }
            _ => {}
        }
        let Some(count) = counts.last_mut() else { continue };
        *count += 1;
        if *count > CHAIN_TOKENS_MAX {
            let message = format!("more than {CHAIN_TOKENS_MAX} words and signs without a comma");
            return Err(
                SqlError::new(span_of(token.span), message).with_help("x IN (1, 2, 3) takes lists of any length")
            );
        }
    }
    Ok(())
}

/// Whether `token` is the unquoted word `word`.
pub(super) fn is_word(token: &Token, word: &str) -> bool {
    matches!(token, Token::Word(w) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(word))
}

/// A token as it is named in messages.
pub(super) fn describe(token: &Token) -> String {
    match token {
        Token::EOF => "the end of the statement".into(),
        _ => token.to_string(),
    }
}

/// The tokens of one statement in order, as a map from places to tokens.
#[derive(Debug)]
pub(super) struct TokenTable {
    tokens: Vec<TokenWithSpan>,
    /// For a parenthesis the index of its partner; for others their own index.
    partner: Vec<usize>,
    /// For each token the innermost parenthesis open before it.
    enclosing: Vec<Option<usize>>,
}

impl TokenTable {
    /// The table of these tokens.
    pub(super) fn new(tokens: Vec<TokenWithSpan>) -> Self {
        let mut partner: Vec<usize> = (0..tokens.len()).collect();
        let mut enclosing = vec![None; tokens.len()];
        let mut open = Vec::new();
        for (i, token) in tokens.iter().enumerate() {
            enclosing[i] = open.last().copied();
            match token.token {
                Token::LParen => open.push(i),
                Token::RParen => {
                    if let Some(start) = open.pop() {
                        partner[start] = i;
                        partner[i] = start;
                        enclosing[i] = open.last().copied();
                    }
                }
                _ => {}
            }
        }
        Self { tokens, partner, enclosing }
    }

    /// Where the statement ends: the character after its last token.
    pub(super) fn end(&self) -> Span {
        self.tokens.last().map_or(Span::default(), |token| {
            let span = span_of(token.span);
            Span {
                line: span.end_line,
                column: span.end_column,
                end_line: span.end_line,
                end_column: span.end_column + 1,
            }
        })
    }

    fn at(&self, line: u32, column: u32) -> Option<usize> {
        let place = (u64::from(line), u64::from(column));
        self.tokens.binary_search_by_key(&place, |token| (token.span.start.line, token.span.start.column)).ok()
    }

    fn first(&self, span: Span) -> Option<usize> {
        self.at(span.line, span.column)
    }

    fn last(&self, span: Span) -> Option<usize> {
        let end = (u64::from(span.end_line), u64::from(span.end_column));
        self.tokens.binary_search_by_key(&end, |token| (token.span.end.line, token.span.end.column)).ok()
    }

    fn span_at(&self, index: usize) -> Span {
        self.tokens.get(index).map_or(Span::default(), |token| span_of(token.span))
    }

    /// The place of the whole token that starts at the start of `span`.
    pub(super) fn span_from(&self, span: Span) -> Option<Span> {
        self.first(span).map(|i| self.span_at(i))
    }

    /// The token that starts at the start of `span`.
    pub(super) fn token(&self, span: Span) -> Option<&Token> {
        self.first(span).map(|i| &self.tokens[i].token)
    }

    /// `span` and the token before it.
    pub(super) fn with_previous(&self, span: Span) -> Span {
        match self.first(span) {
            Some(i) if i > 0 => join(self.span_at(i - 1), span),
            _ => span,
        }
    }

    /// `span` and the tokens after it as long as they are among `words`.
    pub(super) fn with_following_words(&self, span: Span, words: &[&str]) -> Span {
        let Some(last) = self.last(span) else { return span };
        let mut end = last;
        while self.tokens.get(end + 1).is_some_and(|t| words.iter().any(|word| is_word(&t.token, word))) {
            end += 1;
        }
        join(span, self.span_at(end))
    }

    /// `span` and the closing parenthesis of the one that opens next after it, if it opens at once.
    pub(super) fn with_arguments(&self, span: Span) -> Span {
        let Some(last) = self.last(span) else { return span };
        match self.tokens.get(last + 1) {
            Some(token) if token.token == Token::LParen => join(span, self.span_at(self.partner[last + 1])),
            _ => span,
        }
    }

    /// From the parenthesis at `open` to the one that closes it.
    pub(super) fn with_parentheses(&self, open: Span) -> Span {
        self.first(open).map_or(open, |i| join(open, self.span_at(self.partner[i])))
    }

    /// `span`, and where the word `word` follows with parentheses, those too (`OVER (…)`).
    pub(super) fn with_clause(&self, span: Span, word: &str) -> Span {
        let Some(last) = self.last(span) else { return span };
        match self.tokens.get(last + 1) {
            Some(token) if is_word(&token.token, word) => self.with_arguments(join(span, span_of(token.span))),
            _ => span,
        }
    }

    /// The parentheses around `span`, and with `word` the word before them (`CAST (…)`).
    pub(super) fn enclosing(&self, span: Span, word: bool) -> Span {
        let Some(open) = self.first(span).and_then(|i| self.enclosing[i]) else { return span };
        let whole = join(self.span_at(open), self.span_at(self.partner[open]));
        if word { self.with_previous(whole) } else { whole }
    }

    /// The `::type` that follows `span`.
    pub(super) fn with_cast(&self, span: Span) -> Span {
        let Some(last) = self.last(span) else { return span };
        if self.tokens.get(last + 1).is_none_or(|token| token.token != Token::DoubleColon) {
            return span;
        }
        self.with_arguments(join(span, self.span_at((last + 2).min(self.tokens.len() - 1))))
    }
}
