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
        ("COUNT(*) or COUNT([DISTINCT] x)", "BIGINT"),
        "Number of rows, of rows where x is not NULL, or of distinct values.",
        &[
            ("COUNT(*)", "4"),
            ("COUNT(NULLIF(x, 1))", "3"),
            ("COUNT(DISTINCT x % 2)", "2"),
            ("COUNT(*) FILTER (WHERE x > 3)", "1"),
        ],
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
        "BOOL_AND",
        &["EVERY"],
        Group::Aggregate,
        ("BOOL_AND(condition BOOLEAN)", "BOOLEAN"),
        "Whether the condition holds in every row where it is not NULL.",
        &[("BOOL_AND(x > 0)", "true"), ("BOOL_AND(x > 1)", "false")],
    ),
    entry(
        "BOOL_OR",
        &[],
        Group::Aggregate,
        ("BOOL_OR(condition BOOLEAN)", "BOOLEAN"),
        "Whether the condition holds in some row.",
        &[("BOOL_OR(x > 3)", "true")],
    ),
    entry(
        "FIRST",
        &["ANY_VALUE"],
        Group::Aggregate,
        ("FIRST(x [ORDER BY ...])", "type of x"),
        "The first value in the order of the input, or in the order given. NULLs are passed over.",
        &[("FIRST(x)", "1"), ("FIRST(x ORDER BY x % 2, x DESC)", "4")],
    ),
    entry(
        "LAST",
        &[],
        Group::Aggregate,
        ("LAST(x [ORDER BY ...])", "type of x"),
        "The last value in the order of the input, or in the order given. NULLs are passed over.",
        &[("LAST(x)", "4"), ("LAST(NULLIF(x, 4))", "3")],
    ),
    entry(
        "MIN_BY",
        &["ARG_MIN"],
        Group::Aggregate,
        ("MIN_BY(x, key)", "type of x"),
        "x of the first row whose key is least. Rows where x or the key is NULL are passed over.",
        &[("MIN_BY(x, -x)", "4")],
    ),
    entry(
        "MAX_BY",
        &["ARG_MAX"],
        Group::Aggregate,
        ("MAX_BY(x, key)", "type of x"),
        "x of the first row whose key is greatest. Rows where x or the key is NULL are passed over.",
        &[("MAX_BY(x, x % 3)", "2")],
    ),
    entry(
        "STRING_AGG",
        &["LISTAGG", "GROUP_CONCAT"],
        Group::Aggregate,
        ("STRING_AGG(x [, separator] [ORDER BY ...])", "VARCHAR"),
        "The values as texts, one after another, with the separator (',') between them, in the order of the input or in the order given.",
        &[("STRING_AGG(x, '-')", "1-2-3-4"), ("STRING_AGG(DISTINCT x % 2, ' ')", "0 1")],
    ),
    entry(
        "MEDIAN",
        &[],
        Group::Aggregate,
        ("MEDIAN(x NUMBER)", "DOUBLE"),
        "The value in the middle, or the mean of the two in the middle. Exact: keeps all values.",
        &[("MEDIAN(x)", "2.5")],
    ),
    entry(
        "PERCENTILE_CONT",
        &["QUANTILE_CONT"],
        Group::Aggregate,
        ("PERCENTILE_CONT(fraction) WITHIN GROUP (ORDER BY x NUMBER) or PERCENTILE_CONT(x NUMBER, fraction)", "DOUBLE"),
        "The value below which the fraction of all values lies, between the two nearest ones. Exact: keeps all values.",
        &[("PERCENTILE_CONT(0.25) WITHIN GROUP (ORDER BY x)", "1.75"), ("PERCENTILE_CONT(x, 0.9)", "3.7")],
    ),
    entry(
        "PERCENTILE_DISC",
        &["QUANTILE_DISC", "QUANTILE"],
        Group::Aggregate,
        ("PERCENTILE_DISC(fraction) WITHIN GROUP (ORDER BY x) or PERCENTILE_DISC(x, fraction)", "type of x"),
        "The first value, of any type, up to which there is at least the fraction of all. Exact: keeps all values.",
        &[("PERCENTILE_DISC(0.5) WITHIN GROUP (ORDER BY x)", "2"), ("PERCENTILE_DISC(x, 0.9)", "4")],
    ),
    entry(
        "APPROX_PERCENTILE",
        &["APPROX_QUANTILE"],
        Group::Aggregate,
        (
            "APPROX_PERCENTILE(x NUMBER, fraction) or APPROX_PERCENTILE(fraction) WITHIN GROUP (ORDER BY x NUMBER)",
            "DOUBLE",
        ),
        "PERCENTILE_CONT, off by 0.8 % of the value at most, in 24 bytes for each 0.8 % of size that values differ by. Exact for the least and \
         the greatest value, for whole numbers up to 255, and where values are far apart.",
        &[("APPROX_PERCENTILE(x, 0.9)", "3.7"), ("APPROX_PERCENTILE(0.25) WITHIN GROUP (ORDER BY x)", "1.75")],
    ),
    entry(
        "APPROX_COUNT_DISTINCT",
        &[],
        Group::Aggregate,
        ("APPROX_COUNT_DISTINCT(x)", "BIGINT"),
        "Number of distinct values, estimated in 4 KB a group: up to 256 exactly, more with a standard error of 1.6 %.",
        &[("APPROX_COUNT_DISTINCT(x % 3)", "3")],
    ),
    entry(
        "CORR",
        &[],
        Group::Aggregate,
        ("CORR(y NUMBER, x NUMBER)", "DOUBLE"),
        "Correlation, from -1 to 1. NULL where one of both is constant. Here and below rows where y or x is NULL are passed over.",
        &[("CORR(x, -x)", "-1.0")],
    ),
    entry(
        "COVAR_POP",
        &[],
        Group::Aggregate,
        ("COVAR_POP(y NUMBER, x NUMBER)", "DOUBLE"),
        "Covariance of a population.",
        &[("COVAR_POP(x, 2 * x)", "2.5")],
    ),
    entry(
        "COVAR_SAMP",
        &[],
        Group::Aggregate,
        ("COVAR_SAMP(y NUMBER, x NUMBER)", "DOUBLE"),
        "Covariance of a sample. NULL of fewer than two pairs.",
        &[("COVAR_SAMP(x, 3 * x)", "5.0")],
    ),
    entry(
        "REGR_SLOPE",
        &[],
        Group::Aggregate,
        ("REGR_SLOPE(y NUMBER, x NUMBER)", "DOUBLE"),
        "Slope of the line of least squares. NULL where x is constant.",
        &[("REGR_SLOPE(2 * x + 1, x)", "2.0")],
    ),
    entry(
        "REGR_INTERCEPT",
        &[],
        Group::Aggregate,
        ("REGR_INTERCEPT(y NUMBER, x NUMBER)", "DOUBLE"),
        "Where the line of least squares meets x = 0. NULL where x is constant.",
        &[("REGR_INTERCEPT(2 * x + 1, x)", "1.0")],
    ),
    entry(
        "REGR_R2",
        &[],
        Group::Aggregate,
        ("REGR_R2(y NUMBER, x NUMBER)", "DOUBLE"),
        "How well the line of least squares fits, from 0 to 1. NULL where x is constant, 1 where only y is.",
        &[("REGR_R2(x, 2 * x)", "1.0")],
    ),
    entry(
        "REGR_COUNT",
        &[],
        Group::Aggregate,
        ("REGR_COUNT(y NUMBER, x NUMBER)", "BIGINT"),
        "Number of rows where neither is NULL.",
        &[("REGR_COUNT(x, NULLIF(x, 2))", "3")],
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
        "RANK",
        &[],
        Group::Window,
        ("RANK() OVER (...)", "BIGINT"),
        "1 and the number of rows of the partition that are less under ORDER BY: equal rows have the same rank, and leave a gap behind them.",
        &[("RANK() OVER (ORDER BY x / 2)", "1, 2, 2, 4")],
    ),
    entry(
        "DENSE_RANK",
        &[],
        Group::Window,
        ("DENSE_RANK() OVER (...)", "BIGINT"),
        "The same without gaps.",
        &[("DENSE_RANK() OVER (ORDER BY x / 2)", "1, 2, 2, 3")],
    ),
    entry(
        "PERCENT_RANK",
        &[],
        Group::Window,
        ("PERCENT_RANK() OVER (...)", "DOUBLE"),
        "(rank - 1) / (rows - 1), from 0 to 1; 0 of a single row. Needs an input that ends.",
        &[("PERCENT_RANK() OVER (ORDER BY x % 2)", "0.6666666666666666, 0.0, 0.6666666666666666, 0.0")],
    ),
    entry(
        "CUME_DIST",
        &[],
        Group::Window,
        ("CUME_DIST() OVER (...)", "DOUBLE"),
        "The share of rows that are not greater under ORDER BY. Needs an input that ends.",
        &[("CUME_DIST() OVER (ORDER BY x / 2)", "0.25, 0.75, 0.75, 1.0")],
    ),
    entry(
        "NTILE",
        &[],
        Group::Window,
        ("NTILE(buckets) OVER (...)", "BIGINT"),
        "The number of the row's bucket, from 1, in as many buckets of equal size; the first ones are greater by one if they cannot be. Needs an input that ends.",
        &[("NTILE(3) OVER (ORDER BY t)", "1, 1, 2, 3")],
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
        "LEAD",
        &[],
        Group::Window,
        ("LEAD(x [, offset [, default]]) OVER (...)", "type of x"),
        "x of the row `offset` (1) rows behind, or the default (NULL). The row waits for that one.",
        &[("LEAD(x) OVER (ORDER BY t)", "2, 3, 4, NULL"), ("LEAD(x, 2, 0) OVER (ORDER BY t)", "3, 4, 0, 0")],
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
    entry(
        "NTH_VALUE",
        &[],
        Group::Window,
        ("NTH_VALUE(x, n) OVER (...)", "type of x"),
        "x of the n-th row of the frame, from 1; NULL if there are fewer.",
        &[("NTH_VALUE(x, 2) OVER (ORDER BY t)", "NULL, 2, 2, 2")],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{aggregates, rows};

    /// What the planner takes as an aggregate or a function OVER is listed, and nothing else.
    #[test]
    fn the_list_is_what_the_planner_knows() {
        let of = |group: Group| {
            let entries = OTHERS.iter().filter(move |entry| entry.group == group);
            let mut names: Vec<&str> =
                entries.flat_map(|entry| entry.aliases.iter().chain([&entry.name])).copied().collect();
            names.sort_unstable();
            names
        };
        let mut known: Vec<&str> = aggregates::names().collect();
        known.sort_unstable();
        assert_eq!(of(Group::Aggregate), known);
        let mut known = rows::NAMES.to_vec();
        known.sort_unstable();
        assert_eq!(of(Group::Window), known);
    }
}
