//! What the listing says of functions that are planned elsewhere: aggregates, and functions that stand only with OVER.
//!
//! Examples are over four rows with x = 1, 2, 3, 4, in the order of their time t.

use super::listing::{Entry, Group};

const fn entry(
    name: &'static str,
    aliases: &'static [&'static str],
    group: Group,
    (form, result): (&'static str, &'static str),
    about: &'static str,
    example: &'static [(&'static str, &'static str)],
) -> Entry {
    Entry { name, aliases, group, form, result, about, examples: example }
}

pub(super) static OTHERS: &[Entry] = &[
    entry(
        "COUNT",
        &[],
        Group::Aggregate,
        ("COUNT(*) or COUNT(x)", "BIGINT"),
        "Number of rows, or of rows where x is not NULL.",
        &[("COUNT(*)", "4"), ("COUNT(NULLIF(x, 1))", "3")],
    ),
    entry(
        "SUM",
        &[],
        Group::Aggregate,
        ("SUM(x NUMBER)", "type of x"),
        "Sum; one of whole numbers that does not fit BIGINT ends the job. NULL without values.",
        &[("SUM(x)", "10")],
    ),
    entry(
        "AVG",
        &["MEAN"],
        Group::Aggregate,
        ("AVG(x NUMBER)", "DOUBLE"),
        "Mean. NULL without values.",
        &[("AVG(x)", "2.5")],
    ),
    entry("MIN", &[], Group::Aggregate, ("MIN(x)", "type of x"), "Least value, of any type.", &[("MIN(x)", "1")]),
    entry("MAX", &[], Group::Aggregate, ("MAX(x)", "type of x"), "Greatest value, of any type.", &[("MAX(x)", "4")]),
    entry(
        "VARIANCE",
        &["VAR_SAMP"],
        Group::Aggregate,
        ("VARIANCE(x NUMBER)", "DOUBLE"),
        "Variance of a sample. NULL of fewer than two values.",
        &[("ROUND(VARIANCE(x), 3)", "1.667")],
    ),
    entry(
        "VAR_POP",
        &[],
        Group::Aggregate,
        ("VAR_POP(x NUMBER)", "DOUBLE"),
        "Variance of a population.",
        &[("VAR_POP(x)", "1.25")],
    ),
    entry(
        "STDDEV",
        &["STDDEV_SAMP", "STD"],
        Group::Aggregate,
        ("STDDEV(x NUMBER)", "DOUBLE"),
        "Standard deviation of a sample. NULL of fewer than two values.",
        &[("ROUND(STDDEV(x), 3)", "1.291")],
    ),
    entry(
        "STDDEV_POP",
        &[],
        Group::Aggregate,
        ("STDDEV_POP(x NUMBER)", "DOUBLE"),
        "Standard deviation of a population.",
        &[("ROUND(STDDEV_POP(x), 3)", "1.118")],
    ),
    entry(
        "ROW_NUMBER",
        &[],
        Group::Window,
        ("ROW_NUMBER() OVER (...)", "BIGINT"),
        "Number of the row among those of its partition, from 1.",
        &[("ROW_NUMBER() OVER (ORDER BY t)", "1, 2, 3, 4")],
    ),
    entry(
        "LAG",
        &[],
        Group::Window,
        ("LAG(x [, offset [, default]]) OVER (...)", "type of x"),
        "x of the row `offset` (1) rows before, or the default (NULL).",
        &[("LAG(x) OVER (ORDER BY t)", "NULL, 1, 2, 3"), ("LAG(x, 2, 0) OVER (ORDER BY t)", "0, 0, 1, 2")],
    ),
    entry(
        "FIRST_VALUE",
        &[],
        Group::Window,
        ("FIRST_VALUE(x) OVER (...)", "type of x"),
        "x of the first row of the frame.",
        &[("FIRST_VALUE(x) OVER (ORDER BY t ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)", "1, 1, 2, 3")],
    ),
    entry(
        "LAST_VALUE",
        &[],
        Group::Window,
        ("LAST_VALUE(x) OVER (...)", "type of x"),
        "x of the last row of the frame.",
        &[("LAST_VALUE(x) OVER (ORDER BY t ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)", "1, 2, 3, 4")],
    ),
];
