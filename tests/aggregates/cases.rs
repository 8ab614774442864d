//! Calls, and what they are: a fold over the records of a group in the order of the input, written as plainly as can be.

use std::cmp::Ordering;

use crate::harness::Cell;
use crate::rig::Record;

/// A call in SQL, and the fold.
pub type Call = (&'static str, fn(&[&Record]) -> Cell);

type Group<'a> = &'a [&'a Record];

/// As results show a DOUBLE that was compared: one NaN, one zero.
fn normal(d: f64) -> f64 {
    if d.is_nan() { f64::NAN.abs() } else { d + 0.0 }
}

/// The order of SQL: NaN is the greatest.
fn order(a: &f64, b: &f64) -> Ordering {
    normal(*a).partial_cmp(&normal(*b)).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

fn integer(value: Option<i64>) -> Cell {
    value.map_or(Cell::Null, |value| Cell::Integer(value.into()))
}

fn double(value: Option<f64>) -> Cell {
    value.map_or(Cell::Null, |value| Cell::Double(normal(value).to_bits()))
}

fn text(value: Option<String>) -> Cell {
    value.map_or(Cell::Null, Cell::Text)
}

fn ns(group: Group<'_>) -> Vec<i64> {
    group.iter().filter_map(|record| record.n).collect()
}

fn ds(group: Group<'_>) -> Vec<f64> {
    group.iter().filter_map(|record| record.d).collect()
}

fn ss(group: Group<'_>) -> Vec<String> {
    group.iter().filter_map(|record| record.s.clone()).collect()
}

/// Sorted, each once.
fn once<T: PartialEq>(mut values: Vec<T>, order: impl Fn(&T, &T) -> Ordering) -> Vec<T> {
    values.sort_by(&order);
    values.dedup_by(|a, b| order(a, b).is_eq());
    values
}

fn distinct(values: Vec<i64>) -> Vec<i64> {
    once(values, i64::cmp)
}

fn filtered<'a>(group: Group<'a>, keep: impl Fn(&Record) -> bool) -> Vec<&'a Record> {
    group.iter().copied().filter(|record| keep(record)).collect()
}

fn joined(values: Vec<String>, separator: &str) -> Cell {
    text((!values.is_empty()).then(|| values.join(separator)))
}

/// Sorted stably, and so by the order of the input among equals.
fn sorted<'a>(group: Group<'a>, order: impl Fn(&Record, &Record) -> Ordering) -> Vec<&'a Record> {
    let mut group = group.to_vec();
    group.sort_by(|a, b| order(a, b));
    group
}

/// The order of a key that may be NULL.
fn nulls<T>(a: &Option<T>, b: &Option<T>, first: bool, order: impl Fn(&T, &T) -> Ordering) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => order(a, b),
        (None, None) => Ordering::Equal,
        (None, Some(_)) if first => Ordering::Less,
        (Some(_), None) if !first => Ordering::Less,
        _ => Ordering::Greater,
    }
}

fn percentile(mut values: Vec<f64>, fraction: f64) -> Cell {
    values.sort_by(order);
    if values.is_empty() {
        return Cell::Null;
    }
    let place = fraction * (values.len() - 1) as f64;
    let (low, high) = (values[place.floor() as usize], values[place.ceil() as usize]);
    double(Some(if order(&low, &high).is_eq() { low } else { low + (high - low) * place.fract() }))
}

fn discrete<T: Clone>(mut values: Vec<T>, fraction: f64, order: impl Fn(&T, &T) -> Ordering) -> Option<T> {
    values.sort_by(order);
    let count = values.len() as f64;
    // The first whose share of values up to it is large enough.
    (0..values.len()).find(|i| (i + 1) as f64 >= fraction * count).map(|i| values[i].clone())
}

/// y = n, x = n² − k of records that have n; both are whole and small.
fn line(group: Group<'_>, f: impl Fn(f64, f64, f64, f64, f64, f64) -> Option<f64>) -> Cell {
    let points: Vec<(f64, f64)> =
        group.iter().filter_map(|r| r.n.map(|n| (n as f64, (n * n - r.key) as f64))).collect();
    let n = points.len() as f64;
    let (y, x) = (points.iter().map(|p| p.0).sum::<f64>() / n, points.iter().map(|p| p.1).sum::<f64>() / n);
    let sum = |f: &dyn Fn(&(f64, f64)) -> f64| points.iter().map(f).sum::<f64>();
    let (xx, yy) = (sum(&|p| (p.1 - x).powi(2)), sum(&|p| (p.0 - y).powi(2)));
    let xy = sum(&|p| (p.1 - x) * (p.0 - y));
    // All points with one x: rounding of the mean must not hide it.
    let flat = |of: &dyn Fn(&(f64, f64)) -> f64| points.iter().all(|p| of(p) == of(&points[0]));
    let (xx, yy) = (if flat(&|p| p.1) { 0.0 } else { xx }, if flat(&|p| p.0) { 0.0 } else { yy });
    double(if points.is_empty() { None } else { f(n, y, x, xx, yy, xy) })
}

fn by<T>(value: Option<(&Record, T)>, of: impl Fn(&Record) -> Cell) -> Cell {
    value.map_or(Cell::Null, |(record, _)| of(record))
}

/// The first record whose key is least.
fn least<'a, T>(
    group: Group<'a>,
    key: impl Fn(&Record) -> Option<T>,
    order: impl Fn(&T, &T) -> Ordering,
) -> Option<(&'a Record, T)> {
    let mut best: Option<(&Record, T)> = None;
    for record in group {
        if let Some(key) = key(record)
            && best.as_ref().is_none_or(|(_, known)| order(&key, known).is_lt())
        {
            best = Some((record, key));
        }
    }
    best
}

/// Whether two cells agree: exactly, or as doubles of sums in another order.
pub fn close(a: &Cell, b: &Cell) -> bool {
    match (a, b) {
        (Cell::Double(_), Cell::Double(_)) => {
            let (a, b) = (a.double(), b.double());
            a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0)
        }
        _ => a == b,
    }
}

/// The calls.
pub const CALLS: &[Call] = &[
    ("COUNT(DISTINCT n)", |g| integer(Some(distinct(ns(g)).len() as i64))),
    ("COUNT(DISTINCT d)", |g| integer(Some(once(ds(g), order).len() as i64))),
    ("COUNT(DISTINCT s)", |g| integer(Some(once(ss(g), Ord::cmp).len() as i64))),
    ("COUNT(DISTINCT b)", |g| integer(Some(once(g.iter().filter_map(|r| r.b).collect(), Ord::cmp).len() as i64))),
    ("COUNT(DISTINCT t)", |g| integer(Some(distinct(g.iter().map(|r| r.time).collect()).len() as i64))),
    ("SUM(DISTINCT n)", |g| integer((!ns(g).is_empty()).then(|| distinct(ns(g)).iter().sum()))),
    ("AVG(DISTINCT n)", |g| {
        let values = distinct(ns(g));
        double((!values.is_empty()).then(|| values.iter().sum::<i64>() as f64 / values.len() as f64))
    }),
    ("SUM(DISTINCT d)", |g| double((!ds(g).is_empty()).then(|| once(ds(g), order).iter().sum()))),
    ("SUM(DISTINCT CAST(n AS DECIMAL(12, 2)))", |g| {
        integer((!ns(g).is_empty()).then(|| distinct(ns(g)).iter().sum::<i64>() * 100))
    }),
    ("VAR_POP(DISTINCT n)", |g| {
        let values = distinct(ns(g));
        let mean = values.iter().sum::<i64>() as f64 / values.len() as f64;
        let squares = values.iter().map(|&n| (n as f64 - mean).powi(2)).sum::<f64>();
        double((!values.is_empty()).then(|| squares / values.len() as f64))
    }),
    ("MEDIAN(DISTINCT n)", |g| percentile(distinct(ns(g)).iter().map(|&n| n as f64).collect(), 0.5)),
    ("MAX(DISTINCT s)", |g| text(ss(g).into_iter().max())),
    ("STRING_AGG(DISTINCT s, '+')", |g| joined(once(ss(g), Ord::cmp), "+")),
    ("STRING_AGG(DISTINCT s, '+' ORDER BY s DESC)", |g| joined(once(ss(g), |a, b| b.cmp(a)), "+")),
    ("FIRST(n)", |g| integer(g.iter().find_map(|r| r.n))),
    ("LAST(n)", |g| integer(g.iter().rev().find_map(|r| r.n))),
    ("FIRST(s)", |g| text(g.iter().find_map(|r| r.s.clone()))),
    ("LAST(s)", |g| text(g.iter().rev().find_map(|r| r.s.clone()))),
    ("FIRST(d)", |g| double(g.iter().find_map(|r| r.d))),
    ("LAST(b)", |g| integer(g.iter().rev().find_map(|r| r.b.map(i64::from)))),
    ("LAST(CAST(n AS DECIMAL(12, 2)))", |g| integer(g.iter().rev().find_map(|r| r.n.map(|n| n * 100)))),
    ("FIRST(s ORDER BY n DESC, d)", |g| {
        let by =
            |a: &Record, b: &Record| nulls(&a.n, &b.n, true, |a, b| b.cmp(a)).then(nulls(&a.d, &b.d, false, order));
        text(sorted(g, by).iter().find_map(|r| r.s.clone()))
    }),
    ("LAST(n ORDER BY s NULLS FIRST)", |g| {
        let by = |a: &Record, b: &Record| nulls(&a.s, &b.s, true, Ord::cmp);
        integer(sorted(g, by).iter().rev().find_map(|r| r.n))
    }),
    ("MIN_BY(s, n)", |g| by(least(g, |r| r.s.as_ref().and(r.n), Ord::cmp), |r| text(r.s.clone()))),
    ("MAX_BY(s, d)", |g| by(least(g, |r| r.s.as_ref().and(r.d), |a, b| order(b, a)), |r| text(r.s.clone()))),
    ("ARG_MAX(n, s)", |g| by(least(g, |r| r.n.and(r.s.clone()), |a, b| b.cmp(a)), |r| integer(r.n))),
    ("ARG_MIN(d, b)", |g| by(least(g, |r| r.d.and(r.b), Ord::cmp), |r| double(r.d))),
    ("MIN_BY(t, CAST(n AS DECIMAL(12, 2)))", |g| by(least(g, |r| r.n, Ord::cmp), |r| integer(Some(r.time)))),
    ("STRING_AGG(s, ', ')", |g| joined(ss(g), ", ")),
    ("STRING_AGG(s, '' ORDER BY n DESC NULLS LAST)", |g| {
        joined(ss(&sorted(g, |a, b| nulls(&a.n, &b.n, false, |a, b| b.cmp(a)))), "")
    }),
    ("LISTAGG(s, '-') WITHIN GROUP (ORDER BY d, s)", |g| {
        let by = |a: &Record, b: &Record| nulls(&a.d, &b.d, false, order).then(nulls(&a.s, &b.s, false, Ord::cmp));
        joined(ss(&sorted(g, by)), "-")
    }),
    ("GROUP_CONCAT(n)", |g| joined(ns(g).iter().map(i64::to_string).collect(), ",")),
    ("MEDIAN(n)", |g| percentile(ns(g).iter().map(|&n| n as f64).collect(), 0.5)),
    ("MEDIAN(d)", |g| percentile(ds(g), 0.5)),
    ("PERCENTILE_CONT(0.3) WITHIN GROUP (ORDER BY d)", |g| percentile(ds(g), 0.3)),
    ("PERCENTILE_CONT(n, 1)", |g| percentile(ns(g).iter().map(|&n| n as f64).collect(), 1.0)),
    ("PERCENTILE_CONT(0.2) WITHIN GROUP (ORDER BY n DESC)", |g| {
        percentile(ns(g).iter().map(|&n| -n as f64).collect(), 0.2).negated()
    }),
    // Values of these records are far apart or alone in their bucket, but for some of d.
    ("APPROX_PERCENTILE(n, 0.4)", |g| percentile(ns(g).iter().map(|&n| n as f64).collect(), 0.4)),
    ("APPROX_QUANTILE(DISTINCT n, 0.9)", |g| percentile(distinct(ns(g)).iter().map(|&n| n as f64).collect(), 0.9)),
    ("APPROX_PERCENTILE(0.2) WITHIN GROUP (ORDER BY n DESC)", |g| {
        percentile(ns(g).iter().map(|&n| -n as f64).collect(), 0.2).negated()
    }),
    ("APPROX_PERCENTILE(d, 0)", |g| percentile(ds(g), 0.0)),
    ("APPROX_PERCENTILE(d, 1) FILTER (WHERE b)", |g| percentile(ds(&filtered(g, |r| r.b == Some(true))), 1.0)),
    ("QUANTILE(n, 0.5)", |g| integer(discrete(ns(g), 0.5, Ord::cmp))),
    ("QUANTILE_CONT(d, 0.6)", |g| percentile(ds(g), 0.6)),
    ("PERCENTILE_DISC(s, 0.7)", |g| text(discrete(ss(g), 0.7, Ord::cmp))),
    ("PERCENTILE_DISC(0.25) WITHIN GROUP (ORDER BY n)", |g| integer(discrete(ns(g), 0.25, Ord::cmp))),
    ("PERCENTILE_DISC(0.5) WITHIN GROUP (ORDER BY d DESC)", |g| double(discrete(ds(g), 0.5, |a, b| order(b, a)))),
    ("PERCENTILE_DISC(CAST(n AS DECIMAL(12, 2)), 0)", |g| integer(ns(g).iter().min().map(|n| n * 100))),
    ("PERCENTILE_DISC(b, 0.5)", |g| {
        integer(discrete(g.iter().filter_map(|r| r.b).collect(), 0.5, bool::cmp).map(i64::from))
    }),
    ("BOOL_AND(b)", |g| integer(g.iter().filter_map(|r| r.b).reduce(|a, b| a && b).map(i64::from))),
    ("BOOL_OR(n > 3)", |g| integer(ns(g).iter().map(|&n| n > 3).reduce(|a, b| a || b).map(i64::from))),
    ("APPROX_COUNT_DISTINCT(n)", |g| integer(Some(distinct(ns(g)).len() as i64))),
    ("APPROX_COUNT_DISTINCT(s)", |g| integer(Some(once(ss(g), Ord::cmp).len() as i64))),
    ("APPROX_COUNT_DISTINCT(d)", |g| integer(Some(once(ds(g), order).len() as i64))),
    ("REGR_COUNT(n, d)", |g| integer(Some(g.iter().filter(|r| r.n.and(r.d).is_some()).count() as i64))),
    ("COVAR_POP(n, n * n - k)", |g| line(g, |n, _, _, _, _, xy| Some(xy / n))),
    ("COVAR_SAMP(n, n * n - k)", |g| line(g, |n, _, _, _, _, xy| (n > 1.0).then(|| xy / (n - 1.0)))),
    ("CORR(n, n * n - k)", |g| line(g, |_, _, _, xx, yy, xy| (xx != 0.0 && yy != 0.0).then(|| xy / (xx * yy).sqrt()))),
    ("REGR_SLOPE(n, n * n - k)", |g| line(g, |_, _, _, xx, _, xy| (xx != 0.0).then(|| xy / xx))),
    ("REGR_INTERCEPT(n, n * n - k)", |g| line(g, |_, y, x, xx, _, xy| (xx != 0.0).then(|| y - x * xy / xx))),
    ("REGR_R2(n, n * n - k)", |g| {
        line(g, |_, _, _, xx, yy, xy| (xx != 0.0).then(|| if yy == 0.0 { 1.0 } else { xy * xy / (xx * yy) }))
    }),
    ("COUNT(*) FILTER (WHERE b)", |g| integer(Some(filtered(g, |r| r.b == Some(true)).len() as i64))),
    ("SUM(n) FILTER (WHERE s > 'b')", |g| {
        let values = ns(&filtered(g, |r| r.s.as_deref().is_some_and(|s| s > "b")));
        integer((!values.is_empty()).then(|| values.iter().sum()))
    }),
    ("FIRST(s) FILTER (WHERE n IS NULL)", |g| text(ss(&filtered(g, |r| r.n.is_none())).into_iter().next())),
    ("COUNT(DISTINCT n) FILTER (WHERE b)", |g| {
        integer(Some(distinct(ns(&filtered(g, |r| r.b == Some(true)))).len() as i64))
    }),
    ("STRING_AGG(s, '/') FILTER (WHERE NOT b)", |g| joined(ss(&filtered(g, |r| r.b == Some(false))), "/")),
    ("MEDIAN(n) FILTER (WHERE n % 2 = 0)", |g| {
        percentile(ns(g).into_iter().filter(|n| n % 2 == 0).map(|n| n as f64).collect(), 0.5)
    }),
    ("MAX_BY(k, n) FILTER (WHERE b)", |g| {
        by(least(&filtered(g, |r| r.b == Some(true)), |r| r.n, |a, b| b.cmp(a)), |r| integer(Some(r.key)))
    }),
    // The plain ones beside them.
    ("COUNT(*)", |g| integer(Some(g.len() as i64))),
    ("SUM(n)", |g| integer((!ns(g).is_empty()).then(|| ns(g).iter().sum()))),
    ("MIN(s)", |g| text(ss(g).into_iter().min())),
];

impl Cell {
    fn negated(self) -> Self {
        match self {
            Self::Double(bits) => double(Some(-f64::from_bits(bits))),
            other => other,
        }
    }
}
