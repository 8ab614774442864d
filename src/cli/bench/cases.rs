//! The cases: a query, the keys it groups by, and the bar it is held to.

use super::input::KeyKind;

/// What a case has to reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Bar {
    /// Of the core's read bandwidth: rows/s times bytes per row read, over bytes/s.
    Bandwidth {
        /// At least.
        least: f64,
        /// Hoped for.
        aim: f64,
    },
    /// Rows/s on a core of the 2.6 GHz class, and times the naive rescan of the same run.
    Rate {
        /// Rows/s.
        rows_per_s: f64,
        /// Times the naive rescan, where there is one.
        over_naive: Option<f64>,
    },
}

/// What the rows of a result are, for the plain definition to compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// One row: SUM(price), of the rows below a quantity if one is given.
    Sum {
        /// Rows with a lower quantity count.
        quantity_below: Option<i64>,
    },
    /// One row a group and minute.
    Tumbling,
    /// One row a group.
    Groups,
    /// One row an input row: running values of its group.
    Changes,
    /// One row an input row: AVG, MIN, MAX over so many last rows of its key.
    Rows(usize),
}

/// A query over the columns `time, key, quantity, price` of source `t`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) sql: &'static str,
    pub(super) key: KeyKind,
    pub(super) shape: Shape,
    pub(super) bar: Bar,
    /// Whether two partitions are measured against one: bound by the core, not by memory.
    pub(super) scales: bool,
    /// Whether it is also run through the engine.
    pub(super) whole: bool,
}

/// Two partitions over one.
pub(super) const SCALING_LEAST: f64 = 1.85;

const SUM: &str = "SELECT SUM(price) FROM t";
const FILTER: &str = "SELECT SUM(price) FROM t WHERE quantity < 5000";
const TUMBLING: &str = "SELECT key, COUNT(*), SUM(quantity), AVG(price), MIN(price), MAX(price) FROM t
    GROUP BY key WINDOW TUMBLING (time, INTERVAL '1' MINUTE)";
const GROUPS: &str = "SELECT key, COUNT(*), SUM(quantity), AVG(price), MIN(price), MAX(price) FROM t GROUP BY key";
const CHANGES: &str = "SELECT key, COUNT(*), SUM(quantity), AVG(price), MIN(price), MAX(price) FROM t
    GROUP BY key EMIT CHANGES";
const ROWS: &str = "SELECT AVG(price) OVER (PARTITION BY key ROWS BETWEEN 99 PRECEDING AND CURRENT ROW),
    MIN(price) OVER (PARTITION BY key ROWS BETWEEN 99 PRECEDING AND CURRENT ROW),
    MAX(price) OVER (PARTITION BY key ROWS BETWEEN 99 PRECEDING AND CURRENT ROW) FROM t";

const fn tumbling(name: &'static str, key: KeyKind, least: f64, aim: f64) -> Case {
    Case {
        name,
        sql: TUMBLING,
        key,
        shape: Shape::Tumbling,
        bar: Bar::Bandwidth { least, aim },
        scales: true,
        whole: false,
    }
}

/// All cases, in the order of the table.
pub(super) const CASES: [Case; 10] = [
    Case {
        name: "sum",
        sql: SUM,
        key: KeyKind::None,
        shape: Shape::Sum { quantity_below: None },
        bar: Bar::Bandwidth { least: 0.85, aim: 0.85 },
        scales: false,
        whole: false,
    },
    Case {
        name: "filter-sum",
        sql: FILTER,
        key: KeyKind::None,
        shape: Shape::Sum { quantity_below: Some(5000) },
        bar: Bar::Bandwidth { least: 0.60, aim: 0.60 },
        scales: false,
        whole: false,
    },
    tumbling("tumbling-10", KeyKind::Codes(10), 0.20, 0.35),
    Case { whole: true, ..tumbling("tumbling-1k", KeyKind::Codes(1_000), 0.20, 0.35) },
    Case { whole: true, sql: GROUPS, shape: Shape::Groups, ..tumbling("group-1k", KeyKind::Codes(1_000), 0.20, 0.35) },
    tumbling("tumbling-100k", KeyKind::Codes(100_000), 0.12, 0.12),
    tumbling("tumbling-5m", KeyKind::Integers(5_000_000), 0.05, 0.05),
    tumbling("text-1k", KeyKind::Text(1_000), 0.12, 0.18),
    Case {
        name: "rows-100",
        sql: ROWS,
        key: KeyKind::Codes(1_000),
        shape: Shape::Rows(100),
        bar: Bar::Rate { rows_per_s: 50e6, over_naive: Some(20.0) },
        scales: true,
        whole: false,
    },
    Case {
        name: "changes-1k",
        sql: CHANGES,
        key: KeyKind::Codes(1_000),
        shape: Shape::Changes,
        bar: Bar::Rate { rows_per_s: 60e6, over_naive: None },
        scales: true,
        whole: false,
    },
];
