//! A function as the planner and the evaluator hold it, and what is made once of its literal arguments.

use super::format::Format;
use super::part::DatePart;
use super::path::Path;
use super::pattern::Pattern;
use super::rows::Rows;

/// A function of the values of a row.
#[derive(Clone, Copy)]
pub struct RowFunction {
    /// Name in EXPLAIN and in the reasons of failed records.
    pub name: &'static str,
    /// Arguments that are compiled once where they are literals.
    pub literals: Literals,
    /// The loop over the rows of a call.
    pub run: fn(&mut Rows<'_, '_>),
}

/// Which arguments are compiled once where they are literals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Literals {
    /// None.
    None,
    /// The first is a part of a point in time, always a literal.
    Part,
    /// The second is a regular expression, this one its flags.
    Pattern(usize),
    /// The second is a regular expression that must match the whole text, the third its flags.
    WholePattern,
    /// The second is a path into JSON.
    Path,
    /// The second is a pattern of a point in time.
    Format,
}

/// What was made of the literal arguments.
#[derive(Debug)]
pub enum Prepared {
    /// Nothing: there is none, or it comes from the data.
    None,
    /// Part of a point in time.
    Part(DatePart),
    /// Regular expression.
    Pattern(Box<Pattern>),
    /// Path into JSON.
    Path(Path),
    /// Pattern of a point in time.
    Format(Format),
}

impl RowFunction {
    /// A function without arguments to be compiled.
    pub const fn new(name: &'static str, run: fn(&mut Rows<'_, '_>)) -> Self {
        Self { name, literals: Literals::None, run }
    }

    /// A function with arguments to be compiled.
    pub const fn with(name: &'static str, literals: Literals, run: fn(&mut Rows<'_, '_>)) -> Self {
        Self { name, literals, run }
    }

    /// What is made of literal arguments (`None` for the others). The error names the argument and what is wrong.
    pub fn prepare(&self, literals: &[Option<&str>]) -> Result<Prepared, (usize, String)> {
        let literal = |index: usize| literals.get(index).copied().flatten();
        match self.literals {
            Literals::None => Ok(Prepared::None),
            Literals::Part => match literal(0) {
                Some(text) => match DatePart::named(text) {
                    Some(part) => Ok(Prepared::Part(part)),
                    None => Err((0, format!("unknown part of a timestamp {text}"))),
                },
                None => Ok(Prepared::None),
            },
            Literals::Pattern(flags) => prepare_pattern(literal(1), (flags, literal(flags)), Pattern::new),
            Literals::WholePattern => prepare_pattern(literal(1), (2, literal(2)), Pattern::whole),
            Literals::Path => match literal(1) {
                Some(text) => Path::read(text).map(Prepared::Path).map_err(|problem| (1, problem)),
                None => Ok(Prepared::None),
            },
            Literals::Format => match literal(1) {
                Some(text) => Format::new(text).map(Prepared::Format).map_err(|problem| (1, problem)),
                None => Ok(Prepared::None),
            },
        }
    }
}

fn prepare_pattern(
    pattern: Option<&str>,
    (index, flags): (usize, Option<&str>),
    make: fn(&str, &str) -> Result<Pattern, String>,
) -> Result<Prepared, (usize, String)> {
    let Some(flags) = flags else { return Ok(Prepared::None) };
    super::pattern::check_flags(flags).map_err(|problem| (index, problem))?;
    match pattern.map(|pattern| make(pattern, flags)) {
        None => Ok(Prepared::None),
        Some(made) => made.map(|pattern| Prepared::Pattern(Box::new(pattern))).map_err(|problem| (1, problem)),
    }
}

impl PartialEq for RowFunction {
    /// The same entry of the planner's table.
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && std::ptr::fn_addr_eq(self.run, other.run)
    }
}

impl Eq for RowFunction {}

impl std::fmt::Debug for RowFunction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}
