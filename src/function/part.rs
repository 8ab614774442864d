//! Parts of a point in time and their names.

/// A part of a point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum DatePart {
    Microsecond,
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
    DayOfWeek,
    IsoDayOfWeek,
    DayOfYear,
    IsoYear,
    Epoch,
}

impl DatePart {
    /// All, with the names that SQL has for them, the one that is shown first.
    pub const NAMES: [(Self, &'static [&'static str]); 15] = [
        (Self::Microsecond, &["microsecond", "us"]),
        (Self::Millisecond, &["millisecond", "ms"]),
        (Self::Second, &["second"]),
        (Self::Minute, &["minute"]),
        (Self::Hour, &["hour"]),
        (Self::Day, &["day"]),
        (Self::Week, &["week"]),
        (Self::Month, &["month"]),
        (Self::Quarter, &["quarter"]),
        (Self::Year, &["year"]),
        (Self::DayOfWeek, &["dow", "dayofweek", "weekday"]),
        (Self::IsoDayOfWeek, &["isodow"]),
        (Self::DayOfYear, &["doy", "dayofyear"]),
        (Self::IsoYear, &["isoyear"]),
        (Self::Epoch, &["epoch"]),
    ];

    /// The part of that name, in singular or plural, in any case.
    pub fn named(name: &str) -> Option<Self> {
        let lower = name.to_lowercase();
        let singular = lower.strip_suffix('s').filter(|short| short.len() > 2).unwrap_or(&lower);
        let is = |names: &[&str]| names.contains(&lower.as_str()) || names.contains(&singular);
        Self::NAMES.iter().find(|(_, names)| is(names)).map(|(part, _)| *part)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(part, _)| *part == self).map_or("", |(_, names)| names[0])
    }

    /// Whether a point in time can be cut off to it, and lengths of time counted in it.
    pub fn is_unit(self) -> bool {
        !matches!(self, Self::DayOfWeek | Self::IsoDayOfWeek | Self::DayOfYear | Self::IsoYear | Self::Epoch)
    }
}
