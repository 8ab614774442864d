//! Values as text, both ways, and the calendar below them: the one definition for files, SQL constants and CAST.
//!
//! Promises: the same text means the same value, or none, wherever it stands; [`parse`] reads back every value that
//! [`mod@print`] writes, to the bit. Neither allocates.
//!
//! | type | written | read besides |
//! |---|---|---|
//! | BOOLEAN | `true`, `false` | `t yes y on 1`, `f no n off 0`, in any case |
//! | INT, BIGINT | digits | a sign; a fraction of zeros (`5.0`, as JSON writers have it); no other fraction, no exponent |
//! | DOUBLE | shortest that reads back: `1.0`, `0.1`, `1e300`, `NaN`, `inf`, `-inf` | any decimal or exponent form, `infinity`, any case; a number too great is no value |
//! | DECIMAL | all digits of the scale: `-0.50` | a sign, an exponent; rounded half away from zero; more digits than the precision are no value |
//! | DATE | `2013-01-31` | month and day of one digit |
//! | TIMESTAMP | `2013-01-31T10:00:00Z`, with six digits of a fraction that is not zero | see below |
//! | INTERVAL | `10:00:00`, `-00:00:01.500000`: hours, at least two digits | see below |
//!
//! 1. ASCII blanks before and after a value do not count; empty text is no value of any type here.
//! 2. Years outside 0 to 9999 carry a sign when written; read, a year has four to seven digits and may have a sign.
//! 3. TIMESTAMP is a date, alone (its midnight) or followed by one `T` or blank and `H:MM`, `HH:MM`, `HH:MM:SS` or
//!    `HH:MM:SS.f`; then, perhaps after blanks, nothing, `Z` or `UTC` (in any case), `+HH`, `+HHMM` or `+HH:MM`. No
//!    offset means UTC. There is no hour 24 and no second 60.
//! 4. INTERVAL is ISO 8601 (`P1DT2H`, `-PT1.5S`; weeks to seconds, greatest first) or a sum of times (`26:30`,
//!    `02:03:04.5`) and numbers with units (`1 day`, `90m`, `1.5 hours`), each with its own sign, with or without blanks
//!    between. Units have a fixed length: no months, no years.
//! 5. A fraction of a second has any number of digits, at least one; what is below the microsecond is cut off.
//!
//! Knows nothing of columns, formats or SQL syntax.

pub mod calendar;
pub mod parse;
pub mod print;

#[cfg(test)]
mod tests;
