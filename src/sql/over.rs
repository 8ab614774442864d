//! What stands in OVER: named windows, frames, EXPIRE AFTER.
//!
//! `sqlparser` reads all of it but EXPIRE AFTER, which is taken out of the tokens before and found again by its place.

use sqlparser::ast as sp;
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::ast::{Expr, Frame, FrameBound, FrameUnits, NamedWindow, Over};
use super::convert::{Converter, ident_of};
use super::reader::{Read, Reader};
use super::tokens::{is_word, join, span_of};
use super::window;
use crate::error::{Span, SqlError};

/// EXPIRE AFTER: its place and microseconds.
pub(super) type Expiry = (Span, i64);

/// Tokens of a length at most: `INTERVAL '1' MINUTE`.
const LENGTH_TOKENS: usize = 3;

/// `tokens` without EXPIRE AFTER, and where it stood.
pub(super) fn take_out(tokens: Vec<TokenWithSpan>, depth: usize) -> Read<(Vec<TokenWithSpan>, Vec<Expiry>)> {
    let word = |i: usize, text: &str| tokens.get(i).is_some_and(|token: &TokenWithSpan| is_word(&token.token, text));
    let reads = |i: usize| word(i, "EXPIRE") && word(i + 1, "AFTER");
    if !(0..tokens.len()).any(reads) {
        return Ok((tokens, Vec::new()));
    }
    let mut out = Vec::with_capacity(tokens.len());
    let mut expiries = Vec::new();
    // For each open parenthesis whether it is that of OVER or of a named window.
    let mut open: Vec<bool> = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        match tokens[i].token {
            Token::LParen => open.push(i > 0 && (word(i - 1, "OVER") || word(i - 1, "AS"))),
            Token::RParen => drop(open.pop()),
            _ => {}
        }
        if !(reads(i) && open.last() == Some(&true)) {
            out.push(tokens[i].clone());
            i += 1;
            continue;
        }
        let start = i + 2;
        let rest = tokens[start..tokens.len().min(start + LENGTH_TOKENS)].to_vec();
        let mut reader = Reader::new(rest.clone(), rest, depth)?;
        let (us, span) = window::length(&mut reader, "write EXPIRE AFTER INTERVAL '1' HOUR")?;
        if us <= 0 {
            return Err(SqlError::new(span, "a key expires after some time, not at once"));
        }
        let next = reader.span();
        let at_end = reader.at_end();
        expiries.push((join(span_of(tokens[i].span), span), us));
        i = start + LENGTH_TOKENS.min(tokens.len() - start);
        if !at_end && let Some(place) = tokens[start..i].iter().position(|token| span_of(token.span) == next) {
            i = start + place;
        }
    }
    Ok((out, expiries))
}

/// `name AS (...), ...`, after the word WINDOW.
pub(super) fn named_windows(reader: &mut Reader) -> Read<Vec<NamedWindow>> {
    let mut windows: Vec<NamedWindow> = Vec::new();
    loop {
        let name = reader.ident("the name of a window")?;
        if windows.iter().any(|window| window.name.value.eq_ignore_ascii_case(&name.value)) {
            return Err(SqlError::new(name.span, format!("WINDOW names {} twice", name.value)));
        }
        reader.expect_word("AS")?;
        windows.push(NamedWindow { name, over: reader.window_spec()? });
        if !reader.take(&Token::Comma) {
            return Ok(windows);
        }
    }
}

impl Converter<'_> {
    /// OVER, whose place ends `span`.
    pub(super) fn over(&self, over: &sp::WindowType, span: Span, depth: usize) -> Read<Over> {
        match over {
            sp::WindowType::NamedWindow(name) => Ok(Over {
                base: Some(ident_of(name)),
                partition_by: Vec::new(),
                order_by: Vec::new(),
                frame: None,
                expire: None,
            }),
            sp::WindowType::WindowSpec(spec) => self.window_spec(spec, span, depth),
        }
    }

    /// What stands in the parentheses of OVER, which are within `span`.
    pub(super) fn window_spec(&self, spec: &sp::WindowSpec, span: Span, depth: usize) -> Read<Over> {
        let partition_by = spec.partition_by.iter().map(|e| self.expr(e, depth)).collect::<Read<Vec<_>>>()?;
        let order_by = spec.order_by.iter().map(|item| self.order_item(item, depth)).collect::<Read<Vec<_>>>()?;
        let frame = spec.window_frame.as_ref().map(|frame| self.frame(frame, span, depth)).transpose()?;
        let mut inside = self.expiries.iter().filter(|(place, _)| join(*place, span) == span);
        let expire = inside.next().map(|&(place, us)| (us, place));
        if let Some((place, _)) = inside.next() {
            return Err(SqlError::new(*place, "EXPIRE AFTER is given twice"));
        }
        Ok(Over { base: spec.window_name.as_ref().map(ident_of), partition_by, order_by, frame, expire })
    }

    fn frame(&self, frame: &sp::WindowFrame, span: Span, depth: usize) -> Read<Frame> {
        let units = match frame.units {
            sp::WindowFrameUnits::Rows => FrameUnits::Rows,
            sp::WindowFrameUnits::Range => FrameUnits::Range,
            sp::WindowFrameUnits::Groups => FrameUnits::Groups,
        };
        let start = self.bound(&frame.start_bound, depth)?;
        let end = match &frame.end_bound {
            Some(end) => self.bound(end, depth)?,
            None => FrameBound::CurrentRow,
        };
        let message = match (&start, &end) {
            (FrameBound::UnboundedFollowing, _) => "a frame cannot start with UNBOUNDED FOLLOWING",
            (_, FrameBound::UnboundedPreceding) => "a frame cannot end with UNBOUNDED PRECEDING",
            (FrameBound::CurrentRow, FrameBound::Preceding(_)) => {
                "a frame that starts with the current row cannot end before it"
            }
            (FrameBound::Following(_), FrameBound::CurrentRow | FrameBound::Preceding(_)) => {
                "a frame that starts after the current row cannot end before that"
            }
            _ => return Ok(Frame { units, start, end, span }),
        };
        let help = "write BETWEEN n PRECEDING AND CURRENT ROW, or BETWEEN n PRECEDING AND n FOLLOWING";
        Err(SqlError::new(span, message).with_help(help))
    }

    fn bound(&self, bound: &sp::WindowFrameBound, depth: usize) -> Read<FrameBound> {
        let offset = |offset: &sp::Expr| -> Read<Box<Expr>> { Ok(Box::new(self.expr(offset, depth)?)) };
        Ok(match bound {
            sp::WindowFrameBound::CurrentRow => FrameBound::CurrentRow,
            sp::WindowFrameBound::Preceding(None) => FrameBound::UnboundedPreceding,
            sp::WindowFrameBound::Preceding(Some(rows)) => FrameBound::Preceding(offset(rows)?),
            sp::WindowFrameBound::Following(None) => FrameBound::UnboundedFollowing,
            sp::WindowFrameBound::Following(Some(rows)) => FrameBound::Following(offset(rows)?),
        })
    }
}
