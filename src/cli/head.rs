//! `corelane head`: the first rows of a file, and a CREATE SOURCE for it to paste.

use super::arguments::HeadArguments;
use super::commands::{answer, compile};
use super::failure::Failure;
use super::script::Script;
use super::stats::write_stdout;
use crate::format::Format;
use crate::sql;
use crate::types::{DataType, Options, Schema};

/// Prints rows and the declaration.
pub(super) fn run(arguments: &HeadArguments) -> Result<(), Failure> {
    let HeadArguments { file, rows, watching } = arguments;
    let script = Script::query(format!("SELECT * FROM '{}' LIMIT {rows}", file.replace('\'', "''")));
    let jobs = compile(&script, &Options::new())?;
    let schema = jobs.iter().map(|(job, _)| job.plan.output()).next().unwrap_or_default();
    let reports = answer(&script, &jobs, watching)?;
    write_stdout(&format!("\n{}", declaration(file, &schema)))?;
    reports.write()?;
    Ok(())
}

/// A CREATE SOURCE that reads the file. Its event time is the first TIMESTAMP, if there is one.
fn declaration(file: &str, schema: &Schema) -> String {
    let format = Format::of_path(file).map_or("csv", Format::name);
    let stem = file.rsplit('/').next().unwrap_or(file);
    let name: String = stem.split('.').next().unwrap_or(stem).chars().map(plain).collect();
    let name = identifier(name.trim_matches('_'));
    let mut columns: Vec<String> =
        schema.fields.iter().map(|field| format!("{} {}", identifier(&field.name), field.data_type)).collect();
    if let Some(time) = schema.fields.iter().find(|field| field.data_type == DataType::Timestamp) {
        let time = identifier(&time.name);
        columns.push(format!("WATERMARK FOR {time} AS {time} - INTERVAL '5' SECOND"));
    }
    let path = file.replace('\'', "''");
    format!(
        "CREATE SOURCE {name} (\n    {}\n) WITH (connector = 'file', path = '{path}', format = '{format}');\n",
        columns.join(",\n    ")
    )
}

fn plain(c: char) -> char {
    if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }
}

/// A name as SQL takes it: in quotes if it must be.
fn identifier(name: &str) -> String {
    let takes = |name: &str| sql::parse(&format!("CREATE SOURCE {name} ({name} INT) WITH (path = 'x')")).is_ok();
    if !name.is_empty() && takes(name) { name.into() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Engine, RunOptions};
    use crate::types::Field;

    #[test]
    fn the_declaration_can_be_pasted() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("My trades-2024.csv");
        std::fs::write(
            &path,
            "at,select,Unit Price,ok\n2024-01-01T00:00:00Z,a,1.5,true\n2024-01-01T00:00:01Z,b,,false\n",
        )
        .unwrap();
        let (path, engine) = (path.to_str().unwrap(), Engine::new());
        let inferred = engine.compile(&format!("SELECT * FROM '{path}'"), &Options::new()).unwrap()[0].plan.output();
        let text = declaration(path, &inferred);
        assert!(text.starts_with("CREATE SOURCE my_trades_2024 (\n    at TIMESTAMP,"), "{text}");
        assert!(text.contains("\"Unit Price\" DOUBLE") && text.contains("WATERMARK FOR at AS at - "), "{text}");
        let jobs = engine.compile(&format!("{text} SELECT * FROM my_trades_2024"), &Options::new()).unwrap();
        assert_eq!(jobs[0].plan.output(), inferred);
        assert_eq!(engine.collect(&jobs[0], &RunOptions::default()).unwrap().0.records_emitted, 2);
    }

    #[test]
    fn names_are_quoted_only_where_they_must_be() {
        assert_eq!(
            (identifier("price"), identifier("a b"), identifier("x\"y")),
            ("price".into(), "\"a b\"".into(), "\"x\"\"y\"".into())
        );
        let schema = Schema::new(vec![Field { name: "1st".into(), data_type: DataType::Int, nullable: true }]);
        assert!(declaration("1.parquet", &schema).contains("\"1st\" INT"), "{}", declaration("1.parquet", &schema));
    }
}
