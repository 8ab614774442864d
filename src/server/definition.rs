//! What a job is: its name, its SQL, its options; and from that a plan with how to run it.

use serde_json::{Map, Value};

use crate::engine::{Engine, JobPlan, RunOptions, SETTINGS};
use crate::error::{Error, Result, nearest};
use crate::limits::JOB_NAME_BYTES_MAX;
use crate::types::Options;

/// A job as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// Its name: a word of letters, digits, `_`, `-` and `.`.
    pub name: String,
    /// Declarations and one INSERT.
    pub sql: String,
    /// Settings that win over SET in the SQL.
    pub options: Options,
}

/// A job that may run.
#[derive(Debug, Clone)]
pub(super) struct Prepared {
    /// Its plan.
    pub(super) plan: JobPlan,
    /// How to run it.
    pub(super) options: RunOptions,
}

impl Definition {
    /// Checks the name and the keys of the options.
    pub fn check(&self) -> Result<()> {
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        let starts = self.name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !starts || self.name.len() > JOB_NAME_BYTES_MAX || !self.name.bytes().all(letter) {
            return Err(Error::Config(format!(
                "a job's name is a word of 1 to {JOB_NAME_BYTES_MAX} letters, digits, _, - and ., which starts with a \
                 letter, a digit or _"
            )));
        }
        match self.options.iter().find(|(key, _)| !SETTINGS.contains(key)) {
            Some((key, _)) => {
                let hint = match nearest(key, SETTINGS.iter().copied()) {
                    Some(near) => format!("did you mean {near}?"),
                    None => format!("options are {}", SETTINGS.join(", ")),
                };
                Err(Error::Config(format!("unknown option {key}: {hint}")))
            }
            None => Ok(()),
        }
    }

    /// Checks the SQL and the options without starting anything.
    pub fn check_sql(&self, engine: &Engine, runtime: &Options) -> Result<()> {
        self.prepare(engine, runtime).map(|_| ())
    }

    /// Plans the job: `runtime` gives way to SET in the SQL, and that to the job's own options.
    pub(super) fn prepare(&self, engine: &Engine, runtime: &Options) -> Result<Prepared> {
        self.check()?;
        let mut plans = engine.compile(&self.sql, &overlaid(runtime, &self.options))?;
        let plan = match (plans.pop(), plans.len()) {
            (Some(plan), 0) => plan,
            (None, _) => return Err(Error::Config("nothing to do: the SQL has no INSERT".into())),
            (Some(_), others) => {
                return Err(Error::Config(format!(
                    "a job of the server has one INSERT, found {}: deploy each under a name of its own",
                    others + 1
                )));
            }
        };
        let mut settings = overlaid(&plan.settings, &self.options);
        let options = RunOptions::from_settings(&mut settings)?;
        settings.finish(&format!("job {}", self.name), SETTINGS)?;
        Ok(Prepared { plan, options })
    }

    /// The options as a JSON object.
    pub(super) fn options_document(&self) -> Value {
        let entries = self.options.iter().map(|(key, value)| (key.to_string(), value.into()));
        Value::Object(entries.collect::<Map<_, _>>())
    }
}

/// `base` with `over` winning.
fn overlaid(base: &Options, over: &Options) -> Options {
    let mut all = base.clone();
    over.iter().for_each(|(key, value)| all.set(key, value));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(sql: &str, options: &[(&str, &str)]) -> Definition {
        let mut all = Options::new();
        options.iter().for_each(|(key, value)| all.set(key, *value));
        Definition { name: "job".into(), sql: sql.into(), options: all }
    }

    const DECLARED: &str = "CREATE SOURCE s (id BIGINT) WITH (connector = 'generator', rows = '10');
                            CREATE SINK o WITH (connector = 'blackhole');";

    #[test]
    fn runtime_gives_way_to_set_and_set_to_options() {
        let mut runtime = Options::new();
        runtime.set("batch_rows", "1");
        runtime.set("partitions", "1");
        runtime.set("wait", "park");
        let sql = format!("{DECLARED} SET batch_rows = 2; SET partitions = 2; INSERT INTO o SELECT id FROM s");
        let prepared = job(&sql, &[("partitions", "3")]).prepare(&Engine::new(), &runtime).unwrap();
        let RunOptions { batch_rows, partitions, wait, .. } = prepared.options;
        assert_eq!((batch_rows, partitions, wait), (2, Some(3), crate::ring::WaitMode::Park));
    }

    #[test]
    fn a_job_has_one_insert() {
        let insert = "INSERT INTO o SELECT id FROM s;";
        let prepare = |sql: String| job(&sql, &[]).prepare(&Engine::new(), &Options::new());
        assert!(prepare(format!("{DECLARED} {insert}")).is_ok());
        assert!(prepare(format!("{DECLARED} {insert} {insert}")).unwrap_err().to_string().contains("found 2"));
        assert!(prepare(DECLARED.into()).unwrap_err().to_string().contains("no INSERT"));
    }

    #[test]
    fn names_are_words() {
        let named = |name: &str| Definition { name: name.into(), ..job("", &[]) }.check();
        assert!(["a", "trades-1.v2", "_x", &"a".repeat(64)].iter().all(|name| named(name).is_ok()));
        assert!(
            ["", "a b", "../a", ".", "-a", "a/b", "\u{e9}", &"a".repeat(65)].iter().all(|name| named(name).is_err())
        );
        let error = job("", &[("partition", "1")]).check().unwrap_err().to_string();
        assert_eq!(error, "unknown option partition: did you mean partitions?");
    }
}
