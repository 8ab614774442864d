//! IN over constants: a set made once, looked up by a scan when small and by binary search when not.

use super::datum::{Datum, Mask, Scalar, Scope, with_lanes};
use super::text;
use crate::batch::Values;
use crate::kernel::bitmap;
use crate::kernel::compare::order_key;
use crate::kernel::lanes::test;
use crate::types::{DataType, Physical, Value};

/// Up to this many constants are scanned without a branch per constant; any value is correct.
const SCANNED_MAX: usize = 8;

/// Sorted constants of one layout.
#[derive(Debug)]
pub(super) enum ConstantSet {
    Boolean {
        has_false: bool,
        has_true: bool,
    },
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    /// By [`order_key`], so that NaN and zeros match as they compare.
    Float64(Vec<i64>),
    Int128(Vec<i128>),
    Utf8(Vec<Box<[u8]>>),
}

impl ConstantSet {
    /// The set of `list`, whose values lie in memory as `data_type`.
    pub fn new(data_type: DataType, list: &[Value]) -> Self {
        fn sorted<T: Ord>(list: &[Value], pick: impl Fn(&Value) -> Option<T>) -> Vec<T> {
            let mut values: Vec<T> = list.iter().filter_map(pick).collect();
            values.sort();
            values.dedup();
            values
        }
        assert!(
            list.iter().all(|value| value.fits(data_type) && !value.is_null()),
            "the planner casts the constants of IN to {data_type} and takes NULL out"
        );
        match data_type.physical() {
            Physical::Boolean => Self::Boolean {
                has_false: list.contains(&Value::Boolean(false)),
                has_true: list.contains(&Value::Boolean(true)),
            },
            Physical::Int32 => Self::Int32(sorted(list, |v| if let Value::Int32(v) = v { Some(*v) } else { None })),
            Physical::Int64 => Self::Int64(sorted(list, |v| if let Value::Int64(v) = v { Some(*v) } else { None })),
            Physical::Float64 => {
                Self::Float64(sorted(list, |v| if let Value::Float64(v) = v { Some(order_key(*v)) } else { None }))
            }
            Physical::Int128 => Self::Int128(sorted(list, |v| if let Value::Int128(v) = v { Some(*v) } else { None })),
            Physical::Utf8 => {
                Self::Utf8(sorted(list, |v| if let Value::Utf8(v) = v { Some(v.as_bytes().into()) } else { None }))
            }
        }
    }

    /// `arg IN set`, or NOT IN; where the list held NULL, no match is NULL.
    pub fn test<'a>(
        &self,
        scope: Scope<'_, 'a>,
        arg: Datum<'a>,
        has_null: bool,
        negated: bool,
        active: Mask<'a>,
    ) -> Datum<'a> {
        if arg.is_null() {
            return arg;
        }
        let rows = scope.rows;
        let found = scope.bitmap();
        match self {
            Self::Boolean { has_false, has_true } => {
                let (values, _) = scope.truth(arg);
                for (i, (word, &value)) in found.iter_mut().zip(values).enumerate() {
                    let bits = if *has_true { value } else { 0 } | if *has_false { !value } else { 0 };
                    *word = bits & bitmap::live(rows, i);
                }
            }
            Self::Int32(set) => with_lanes!(arg.int32(rows), |a| test(a, rows, &mut *found, |x| contains(set, x))),
            Self::Int64(set) => with_lanes!(arg.int64(rows), |a| test(a, rows, &mut *found, |x| contains(set, x))),
            Self::Float64(set) => {
                with_lanes!(arg.float64(rows), |a| test(a, rows, &mut *found, |x| contains(set, order_key(x))));
            }
            Self::Int128(set) => with_lanes!(arg.int128(rows), |a| test(a, rows, &mut *found, |x| contains(set, x))),
            Self::Utf8(set) => {
                let matched =
                    text::test(scope, arg, active, |text| set.binary_search_by(|item| (**item).cmp(text)).is_ok());
                found.copy_from_slice(scope.truth(matched).0);
            }
        }
        let validity = if has_null {
            // `found` at a NULL row means nothing; the argument's own validity stays in force.
            let found = &*scope.copy(Some(found));
            scope.both(arg.validity(), Some(found))
        } else {
            arg.validity()
        };
        if negated {
            bitmap::not(found, rows);
        }
        match (arg, validity) {
            (Datum::Constant(_), None) if rows > 0 => Datum::Constant(Scalar::Boolean(found[0] & 1 == 1)),
            _ => Datum::column(Values::Boolean(found), validity),
        }
    }
}

#[inline(always)]
fn contains<T: Ord + Copy>(set: &[T], x: T) -> bool {
    if set.len() <= SCANNED_MAX {
        set.iter().fold(false, |found, &item| found | (item == x))
    } else {
        set.binary_search(&x).is_ok()
    }
}
