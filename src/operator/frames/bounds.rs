//! Where the frame of a row begins and ends, and whether all of its rows have come.

use std::cmp::Ordering;

use crate::batch::{Column, Values};
use crate::plan::{Distance, FrameBound, FrameBounds};

use super::partition::{Entry, Partition};

/// The value that RANGE measures from, turned so that it ascends.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    /// Before all values: NULLS FIRST, or NaN that descends.
    Below,
    Whole(i128),
    Double(f64),
    /// Behind all values.
    Above,
}

impl Place {
    fn is_value(self) -> bool {
        matches!(self, Self::Whole(_) | Self::Double(_))
    }

    fn shifted(self, by: Distance) -> Self {
        match (self, by) {
            (Self::Whole(value), Distance::Whole(by)) => Self::Whole(value.saturating_add(by)),
            (Self::Double(value), Distance::Double(by)) => Self::Double(value + by),
            (other, _) => other,
        }
    }

    fn compare(self, other: Self) -> Ordering {
        let rank = |place| match place {
            Self::Below => 0,
            Self::Whole(_) | Self::Double(_) => 1,
            Self::Above => 2,
        };
        match (self, other) {
            (Self::Whole(a), Self::Whole(b)) => a.cmp(&b),
            (Self::Double(a), Self::Double(b)) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
            _ => rank(self).cmp(&rank(other)),
        }
    }
}

/// The first column of ORDER BY, over all slots.
pub(super) struct Order<'a> {
    pub(super) column: Option<Column<'a>>,
    pub(super) descending: bool,
    pub(super) nulls_first: bool,
    /// Rows whose value, a time, is less have all come.
    pub(super) closed: Option<i64>,
}

impl Order<'_> {
    fn place(&self, entry: &Entry) -> Place {
        let Some(column) = &self.column else { return Place::Below };
        let i = entry.slot as usize;
        if !column.is_valid(i) {
            return if self.nulls_first { Place::Below } else { Place::Above };
        }
        let whole = |value: i128| Place::Whole(if self.descending { -value } else { value });
        match column.values {
            Values::Int32(values) => whole(values[i].into()),
            Values::Int64(values) => whole(values[i].into()),
            Values::Int128(values) => whole(values[i]),
            Values::Float64(values) => match (values[i], self.descending) {
                (value, true) if value.is_nan() => Place::Below,
                (value, false) if value.is_nan() => Place::Above,
                (value, true) => Place::Double(-value),
                (value, false) => Place::Double(value),
            },
            _ => Place::Below,
        }
    }

    /// The rows of the frame of row `row`, from the first to behind the last, of those that have come.
    pub(super) fn frame(&self, partition: &Partition, row: u64, bounds: FrameBounds) -> (u64, u64) {
        let (total, current) = (partition.total(), *partition.entry(row));
        let start = match bounds.start {
            FrameBound::First => 0,
            FrameBound::Last => total,
            FrameBound::Rows(rows) => row.saturating_add_signed(rows),
            FrameBound::Groups(0) => current.first,
            FrameBound::Groups(groups) => match current.group.checked_add_signed(groups) {
                Some(group) => partition.find(|entry| entry.group < group),
                None => 0,
            },
            FrameBound::Range(by) => match self.place(&current) {
                place if place.is_value() => {
                    let least = place.shifted(by);
                    partition.find(|entry| self.place(entry).compare(least).is_lt())
                }
                _ => current.first,
            },
        };
        let behind_group = |group: u64| partition.find(|entry| entry.group <= group);
        let end = match bounds.end {
            FrameBound::First => 0,
            FrameBound::Last => total,
            FrameBound::Rows(rows) => match row.checked_add_signed(rows) {
                Some(last) => last.saturating_add(1),
                None => 0,
            },
            FrameBound::Groups(groups) => current.group.checked_add_signed(groups).map_or(0, behind_group),
            FrameBound::Range(by) => match self.place(&current) {
                place if place.is_value() => {
                    let greatest = place.shifted(by);
                    partition.find(|entry| self.place(entry).compare(greatest).is_le())
                }
                _ => behind_group(current.group),
            },
        };
        let end = end.min(total);
        (start.min(end), end)
    }

    /// Whether no row can come any more that would be at or before the bound of row `row`. `ended`: none can come at all.
    pub(super) fn is_complete(&self, partition: &Partition, row: u64, end: FrameBound, ended: bool) -> bool {
        if ended {
            return true;
        }
        let (current, Some(last)) = (partition.entry(row), partition.last()) else { return false };
        let is_closed = |place: Place| match (place, self.closed) {
            (Place::Whole(time), Some(closed)) => time < closed.into(),
            _ => false,
        };
        match end {
            FrameBound::First => true,
            FrameBound::Last => false,
            FrameBound::Rows(rows) => match row.checked_add_signed(rows) {
                Some(needed) => needed < partition.total(),
                None => true,
            },
            FrameBound::Range(by) if self.place(current).is_value() => {
                let greatest = self.place(current).shifted(by);
                self.place(last).compare(greatest).is_gt() || is_closed(greatest)
            }
            FrameBound::Range(_) => last.group > current.group,
            FrameBound::Groups(groups) => match current.group.checked_add_signed(groups) {
                None => true,
                Some(group) => match last.group.cmp(&group) {
                    Ordering::Greater => true,
                    Ordering::Equal => is_closed(self.place(last)),
                    Ordering::Less => false,
                },
            },
        }
    }
}
