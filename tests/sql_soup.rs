//! No text makes the planner panic, hang or overflow the stack: random words, mutilated queries, deep nesting.

#[path = "support/soundness.rs"]
mod soundness;

use corelane::error::{Error, Result};
use corelane::plan::{SchemaProvider, SourceFacts, plan_script};
use corelane::types::{DataType, Field, Options, Schema};
use proptest::prelude::*;

/// Files have two columns; `kafka` has no end.
struct Inputs;

impl SchemaProvider for Inputs {
    fn describe(&self, options: &Options) -> Result<SourceFacts> {
        let schema = Schema::new(vec![Field::new("a", DataType::Int), Field::new("t", DataType::Timestamp)]);
        Ok(SourceFacts { schema, bounded: options.get("connector") != Some("kafka") })
    }
}

const DECLARATIONS: &str = "
    CREATE SOURCE trades (t TIMESTAMP, s VARCHAR, i INT, p DOUBLE, q BIGINT, d DECIMAL(10, 2), b BOOLEAN, day DATE,
                          WATERMARK FOR t AS t - INTERVAL '1' SECOND) WITH (connector = 'file', path = 'x.csv');
    CREATE SOURCE live (t TIMESTAMP, s VARCHAR, p DOUBLE) WITH (connector = 'kafka', topic = 't');
    CREATE SINK out WITH (connector = 'blackhole');";

const WORDS: &[&str] = &[
    "SELECT",
    "JOIN",
    "LEFT",
    "FULL",
    "ON",
    "USING",
    "UNION ALL",
    "WITH x AS",
    "(SELECT",
    "VALUES",
    "(VALUES",
    "EXISTS",
    "ROW_NUMBER()",
    "FROM",
    "WHERE",
    "GROUP",
    "BY",
    "HAVING",
    "ORDER",
    "LIMIT",
    "OFFSET",
    "WINDOW",
    "TUMBLING",
    "SLIDING",
    "EMIT",
    "FINAL",
    "CHANGES",
    "DISTINCT",
    "AS",
    "AND",
    "OR",
    "NOT",
    "IN",
    "LIKE",
    "ILIKE",
    "ESCAPE",
    "BETWEEN",
    "IS",
    "NULL",
    "TRUE",
    "FALSE",
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
    "END",
    "CAST",
    "TRY_CAST",
    "::",
    "->",
    "->>",
    "&",
    "|",
    "REGEXP_LIKE",
    "JSON_VALUE",
    "'$.a['",
    "DATE_ADD",
    "'month'",
    "POSITION",
    "OVERLAY",
    "GREATEST",
    "PI",
    "TRIM",
    "INTERVAL",
    "MINUTE",
    "SECOND",
    "DATE",
    "TIMESTAMP",
    "OVER",
    "PARTITION",
    "ROWS",
    "PRECEDING",
    "CURRENT",
    "ROW",
    "UNBOUNDED",
    "BUFFER",
    "COUNT",
    "SUM",
    "AVG",
    "MIN",
    "MAX",
    "STDDEV",
    "LAG",
    "FIRST_VALUE",
    "ROW_NUMBER",
    "COALESCE",
    "ROUND",
    "SUBSTRING",
    "TRIM",
    "EXTRACT",
    "HOUR",
    "DATE_TRUNC",
    "UPPER",
    "trades",
    "live",
    "out",
    "t",
    "s",
    "i",
    "p",
    "q",
    "d",
    "b",
    "day",
    "window_start",
    "INT",
    "BIGINT",
    "DOUBLE",
    "DECIMAL",
    "VARCHAR",
    "CREATE",
    "SOURCE",
    "SINK",
    "INSERT",
    "INTO",
    "SET",
    "WITH",
    "WATERMARK",
    "FOR",
    "JOIN",
    "UNION",
    "(",
    ")",
    "(",
    ")",
    "(",
    ")",
    ",",
    ",",
    ",",
    ";",
    "*",
    "+",
    "-",
    "/",
    "%",
    "=",
    "<>",
    "<",
    ">=",
    "||",
    ".",
    "=>",
    "[",
    "]",
    "{",
    "}",
    "?",
    ":",
    "!",
    "0",
    "1",
    "1.5",
    "1e5",
    "1e999",
    "99999999999999999999",
    "'x'",
    "''",
    "'2024-01-01'",
    "'1 minute'",
    "\"q\"",
    "\u{e9}",
    "--",
    "/*",
    "*/",
    "'",
    "\"",
    "$1",
    "@a",
    "1m",
    "\n",
    "\t",
];

/// Queries that plan; soup is made of them by leaving out, doubling and swapping words.
const QUERIES: &[&str] = &[
    "SELECT s , COUNT ( * ) , AVG ( p ) , SUM ( p * q ) x FROM trades WHERE p > 1.5 AND s LIKE 'A%' GROUP BY s WINDOW TUMBLING ( t , INTERVAL '1' MINUTE ) HAVING COUNT ( * ) > 1 ORDER BY 2 DESC , s LIMIT 5 OFFSET 1 EMIT FINAL",
    "SELECT s , AVG ( p ) OVER ( ROWS WINDOW BUFFER 100 ROWS PARTITION BY s ORDER BY t ) , LAG ( p , 2 , 0.5 ) OVER ( PARTITION BY s ORDER BY t ) FROM trades",
    "INSERT INTO out SELECT CASE i WHEN 1 THEN 'a' WHEN 2 THEN NULL ELSE s END c , CAST ( p AS INT ) , d * 2.25 , t - INTERVAL '1' DAY , EXTRACT ( HOUR FROM t ) , s IN ( 'a' , NULL ) , p BETWEEN 1 AND i , b IS NOT TRUE FROM trades",
    "CREATE SOURCE z ( a INT NOT NULL , b DECIMAL ( 5 , 2 ) , t TIMESTAMP , WATERMARK FOR t AS t - 5s ) WITH ( connector = 'file' , path = 'z.csv' , keyed_by = 'a , b' )",
    "SELECT s , COUNT ( * ) , window_end FROM trades GROUP BY s , HOP ( t , INTERVAL '1' SECOND , INTERVAL '10' SECOND ) EMIT EVERY 1 s WITH CHANGELOG",
    "SELECT COUNT ( * ) FROM TABLE ( SESSION ( TABLE trades , DESCRIPTOR ( t ) , 1 m ) ) x GROUP BY window_start EMIT FINAL",
    "SELECT s , COUNT ( * ) FROM trades GROUP BY s WINDOW CUMULATE ( t , 1 s , 10 s ) EMIT FINAL WITH CHANGELOG",
    "SELECT a , count ( * ) FROM read_csv ( 'f.csv' , delim => ';' ) x GROUP BY a EMIT CHANGES ; SET partitions = 4 ; SELECT DISTINCT a FROM 'f.parquet'",
    "WITH w AS ( SELECT window_start z , s , COUNT ( * ) n FROM trades GROUP BY s WINDOW TUMBLING ( 1m ) ) SELECT z , s , n FROM ( SELECT z , s , n , ROW_NUMBER ( ) OVER ( PARTITION BY z ORDER BY n DESC ) r FROM w ) AS x WHERE r <= 3",
    "SELECT x . s , v . n , COUNT ( * ) c FROM trades x LEFT JOIN ( VALUES ( 'a' , 1 ) , ( 'b' , NULL ) ) AS v ( s , n ) ON x . s = v . s AND v . n > 0 JOIN 'f.parquet' f ON f . a + 1 = x . i WHERE x . i IN ( SELECT a FROM 'g.parquet' ) AND p > ( SELECT MAX ( a ) FROM 'g.parquet' ) GROUP BY x . s , v . n",
    "SELECT x . s , y . q , x . p FROM trades x FULL JOIN ( SELECT t AS at , s , q FROM trades WHERE b ) AS y ON x . s = y . s AND y . at BETWEEN x . t - INTERVAL '5' SECOND AND x . t + INTERVAL '1' MINUTE",
    "SELECT s , COUNT ( * ) n FROM ( SELECT t , s FROM trades WHERE q > 1 UNION ALL SELECT t , 'x' FROM trades ) AS u GROUP BY s WINDOW TUMBLING ( t , 1h )",
];

/// Plans `text`; a plan must hold together, an error must draw itself.
fn try_plan(text: &str) {
    let whole = format!("{DECLARATIONS}\n{text}");
    match plan_script(&whole, &Options::new(), &Inputs) {
        Ok(script) => {
            for job in &script.jobs {
                assert!(!job.plan.explain().is_empty());
                soundness::check_plan(&job.plan);
            }
        }
        Err(Error::Sql(error)) => assert!(error.render("q.sql", &whole).starts_with("error: ")),
        Err(error) => panic!("not a SQL error: {error}"),
    }
}

fn plans(text: &str) -> bool {
    plan_script(&format!("{DECLARATIONS}\n{text}"), &Options::new(), &Inputs).is_ok()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn word_soup(words in prop::collection::vec(prop::sample::select(WORDS), 0..40)) {
        try_plan(&words.join(" "));
        try_plan(&format!("SELECT {} FROM trades", words.join(" ")));
    }

    #[test]
    fn mutilated_queries(
        query in prop::sample::select(QUERIES),
        edits in prop::collection::vec((0..3_u8, any::<prop::sample::Index>(), prop::sample::select(WORDS)), 0..6),
    ) {
        let mut words: Vec<&str> = query.split(' ').collect();
        for (edit, at, word) in edits {
            let at = at.index(words.len());
            match edit {
                0 if words.len() > 1 => { words.remove(at); }
                1 => words[at] = word,
                _ => words.insert(at, word),
            }
        }
        try_plan(&words.join(" "));
    }

    #[test]
    fn any_text(text in "\\PC{0,60}") {
        try_plan(&text);
    }
}

/// The queries that soup is made of plan as they are, or the test above would test little.
#[test]
fn queries_plan_when_whole() {
    for query in QUERIES {
        let whole = format!("{DECLARATIONS}\n{query}");
        if let Err(Error::Sql(error)) = plan_script(&whole, &Options::new(), &Inputs) {
            panic!("{}", error.render("q.sql", &whole));
        }
        try_plan(query);
    }
}

/// Depth: what is nested deeper than the limit is an error, a long chain or list is not.
#[test]
fn deep_nesting_is_an_error_not_a_crash() {
    let nest = |open: &str, inner: &str, close: &str, depth: usize| {
        format!("SELECT {}{inner}{} AS x FROM trades", open.repeat(depth), close.repeat(depth))
    };
    assert!(plans(&nest("(", "p", ")", 100)));
    for depth in [100, 1000, 100_000] {
        try_plan(&nest("(", "p", ")", depth));
        try_plan(&nest("-", "p", "", depth));
        try_plan(&nest("NOT ", "b", "", depth));
        try_plan(&nest("ABS(", "p", ")", depth));
        try_plan(&nest("CAST(", "p", " AS INT)", depth));
        try_plan(&nest("CASE WHEN b THEN ", "p", " END", depth));
        try_plan(&nest("", "p", " + 1", depth));
        try_plan(&nest("", "p", "::INT", depth));
        try_plan(&nest("", "b", " IS NULL", depth));
        try_plan(&nest("", "p", " BETWEEN 1 AND 2", depth));
        try_plan(&nest("CASE ", "p", " WHEN 1 THEN 2 WHEN 3 THEN 4 END", depth));
        try_plan(&nest("SUM(", "p", ")", depth));
        try_plan(&nest("(SELECT ", "p", " FROM trades)", depth));
    }
    let many = |separator: &str, count| vec!["i = 1"; count].join(separator);
    assert!(plans(&format!("SELECT p FROM trades WHERE {}", many(" OR ", 900))));
    try_plan(&format!("SELECT p FROM trades WHERE {}", many(" AND ", 50_000)));
    assert!(plans(&format!("SELECT p FROM trades WHERE i IN ({})", vec!["7"; 20_000].join(", "))));
    // Operands that are written once and evaluated twice must not double at every level.
    try_plan(&nest("(", "b", " BETWEEN b AND b)", 60));
}
