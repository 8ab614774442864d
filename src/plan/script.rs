//! A script as jobs: sources and sinks are declared, names looked up, each INSERT or SELECT becomes a plan.

use std::sync::Arc;

use super::from::Relations;
use super::query::{EventTimeColumn, JobPlan, SinkDefinition, SourceDefinition};
use super::scope::{suggest, wrong};
use crate::error::{Error, Result, SqlError};
use crate::sql::{self, ast};
use crate::types::{DataType, Field, Options, Schema};

/// What is known of an input before it is read.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceFacts {
    /// Columns found in the input. Empty: as declared (a generator, standard input).
    pub schema: Schema,
    /// Whether the input has an end.
    pub bounded: bool,
}

/// Answers what the planner must know of an input; the plan room itself knows no files.
pub trait SchemaProvider {
    /// The columns of the input that `options` describe, and whether it ends.
    fn describe(&self, options: &Options) -> Result<SourceFacts>;

    /// Whether the input ends. Asked for sources whose columns are declared, as in `schema`, and whose input need not be
    /// looked into.
    fn bounded(&self, options: &Options, _schema: &Schema) -> Result<bool> {
        Ok(self.describe(options)?.bounded)
    }

    /// The names of options that there are; none if nobody checks them before they are used.
    fn option_names(&self, place: OptionPlace) -> Vec<&'static str> {
        let _ = place;
        Vec::new()
    }
}

/// Where options are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionPlace {
    /// SET.
    Setting,
    /// WITH of a source, whatever its connector and format.
    Source,
    /// A function that reads a file.
    Read,
    /// WITH of a sink.
    Sink,
}

/// A planned script.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Script {
    /// Sources in the order declared.
    pub sources: Vec<Arc<SourceDefinition>>,
    /// Sinks in the order declared.
    pub sinks: Vec<SinkDefinition>,
    /// One job per INSERT or bare SELECT, in order.
    pub jobs: Vec<JobPlan>,
    /// Settings at the end: those given, overridden by SET.
    pub settings: Options,
}

/// Plans `text`. `settings` are in force at its start.
pub fn plan_script(text: &str, settings: &Options, provider: &dyn SchemaProvider) -> Result<Script> {
    let mut planner = ScriptPlanner { provider, bounded: Vec::new(), script: Script::default() };
    planner.script.settings = settings.clone();
    for statement in sql::parse(text)? {
        planner.statement(&statement)?;
    }
    Ok(planner.script)
}

/// What a script has declared so far.
pub(super) struct ScriptPlanner<'a> {
    provider: &'a dyn SchemaProvider,
    /// For each source of the script whether it ends.
    bounded: Vec<bool>,
    script: Script,
}

/// A source and whether it ends.
pub(super) type Found = (Arc<SourceDefinition>, bool);

impl ScriptPlanner<'_> {
    fn statement(&mut self, statement: &ast::Statement) -> Result<()> {
        match statement {
            ast::Statement::CreateSource { name, columns, watermark, options } => {
                self.check_new(name)?;
                let (source, bounded) = self.source(name, columns, watermark.as_ref(), options)?;
                self.script.sources.push(source);
                self.bounded.push(bounded);
            }
            ast::Statement::CreateSink { name, options } => {
                self.check_new(name)?;
                self.check_options(OptionPlace::Sink, &format!("sink {}", name.value), options)?;
                let options = options_of(options);
                require_connector(name, &options)?;
                self.script.sinks.push(SinkDefinition { name: name.value.clone(), options });
            }
            ast::Statement::Insert { sink, query } => {
                let sink = self.sink(sink)?;
                self.job(query, sink)?;
            }
            ast::Statement::Select(query) => {
                let mut options = Options::new();
                options.set("connector", "stdout");
                self.job(query, SinkDefinition { name: "stdout".into(), options })?;
            }
            ast::Statement::Set(option) => {
                self.check_options(OptionPlace::Setting, "this job", std::slice::from_ref(option))?;
                self.script.settings.set(&option.key, option.value.clone());
            }
        }
        Ok(())
    }

    fn job(&mut self, query: &ast::Query, sink: SinkDefinition) -> Result<()> {
        let plan = Relations::new(self).plan(query)?;
        plan.validate()?;
        let (settings, sinks) = (self.script.settings.clone(), self.script.sinks.clone());
        self.script.jobs.push(JobPlan { plan, sink, settings, sinks });
        Ok(())
    }

    /// Whether state that nobody touches is dropped after a while.
    pub(super) fn drops_state(&self) -> bool {
        self.script.settings.get("state_ttl").is_some_and(|ttl| !ttl.eq_ignore_ascii_case("off"))
    }

    /// Refuses names of options that nobody takes.
    fn check_options(&self, place: OptionPlace, owner: &str, options: &[ast::OptionItem]) -> Result<(), SqlError> {
        let known = self.provider.option_names(place);
        let what = if place == OptionPlace::Setting { "setting" } else { "option" };
        match options.iter().find(|option| !known.is_empty() && !known.contains(&option.key.as_str())) {
            Some(option) => Err(wrong(
                option.key_span,
                format!("unknown {what} {} for {owner}", option.key),
                suggest(&option.key, known.into_iter(), &format!("{what}s are")),
            )),
            None => Ok(()),
        }
    }

    /// Sources and sinks share one space of names.
    fn check_new(&self, name: &ast::Ident) -> Result<(), SqlError> {
        let source = self.find_source(&name.value).is_some();
        let kind = if source { "source" } else { "sink" };
        if source || self.script.sinks.iter().any(|sink| sink.name.eq_ignore_ascii_case(&name.value)) {
            return Err(SqlError::new(name.span, format!("the {kind} {} is declared already", name.value)));
        }
        Ok(())
    }

    fn find_source(&self, name: &str) -> Option<usize> {
        self.script.sources.iter().position(|source| source.name.eq_ignore_ascii_case(name))
    }

    fn source(
        &self,
        name: &ast::Ident,
        columns: &[ast::ColumnDefinition],
        watermark: Option<&ast::Watermark>,
        options: &[ast::OptionItem],
    ) -> Result<Found> {
        self.check_options(OptionPlace::Source, &format!("source {}", name.value), options)?;
        let keyed_by = options.iter().find(|option| option.key == "keyed_by");
        let placed = |error| placed(error, options);
        let mut options = options_of(options);
        options.take("keyed_by");
        require_connector(name, &options)?;
        if options.get("connector").is_some_and(|connector| connector.eq_ignore_ascii_case("memory"))
            && options.get("table").is_none()
        {
            options.set("table", name.value.clone());
        }
        let declared = columns.iter().map(|column| Field {
            name: column.name.value.clone(),
            data_type: column.data_type,
            nullable: column.nullable,
        });
        let (schema, bounded) = if columns.is_empty() {
            let facts = self.provider.describe(&options).map_err(placed)?;
            if facts.schema.is_empty() {
                let message = format!("the columns of {} cannot be found out from its input", name.value);
                let help = format!("declare them: CREATE SOURCE {} (column TYPE, ...) WITH (...)", name.value);
                return Err(wrong(name.span, message, help).into());
            }
            (facts.schema, facts.bounded)
        } else {
            let schema = Schema::new(declared.collect());
            let bounded = self.provider.bounded(&options, &schema).map_err(placed)?;
            (schema, bounded)
        };
        let watermark = watermark.map(|watermark| event_time(watermark, &schema)).transpose()?;
        let keyed_by = keyed_by.map_or_else(|| Ok(Vec::new()), |option| keys(option, &schema))?;
        let source =
            SourceDefinition { name: name.value.clone(), schema, options, watermark, keyed_by, inputs: Vec::new() };
        Ok((Arc::new(source), bounded))
    }

    fn sink(&self, name: &ast::Ident) -> Result<SinkDefinition, SqlError> {
        let found = self.script.sinks.iter().find(|sink| sink.name.eq_ignore_ascii_case(&name.value));
        found.cloned().ok_or_else(|| {
            if self.find_source(&name.value).is_some() {
                return wrong(name.span, format!("{} is a source", name.value), "INSERT INTO writes to a sink");
            }
            let known = self.script.sinks.iter().map(|sink| sink.name.as_str());
            let help = match self.script.sinks.is_empty() {
                true => "declare it: CREATE SINK name WITH (connector = 'file', path = 'out.csv')".into(),
                false => suggest(&name.value, known, "sinks are"),
            };
            wrong(name.span, format!("unknown sink {}", name.value), help)
        })
    }

    /// The source that FROM names.
    pub(super) fn source_of(&self, from: &ast::From, with: &[&ast::CommonTable]) -> Result<Found> {
        let (path, format, extra) = match &from.source {
            ast::FromSource::Name(name) => return self.declared(name, with),
            ast::FromSource::File(path) => {
                let format = format_of(path).ok_or_else(|| {
                    wrong(
                        from.span,
                        format!("the format of '{path}' is not known by its name"),
                        "known are .csv, .tsv, .json, .jsonl, .ndjson, .parquet, .arrow, .ipc and .feather; \
                         read_csv('path') and its like read any name",
                    )
                })?;
                (path, format, &[][..])
            }
            ast::FromSource::Read { format, path, options } => (path, (*format, None), options.as_slice()),
            ast::FromSource::Query(_) | ast::FromSource::Union(_) | ast::FromSource::Values(_) => {
                return Err(SqlError::new(from.span, "a query is no source").into());
            }
        };
        let mut options = Options::new();
        options.set("connector", "file");
        options.set("path", path.clone());
        options.set("format", format.0);
        if let Some(delimiter) = format.1 {
            options.set("delim", delimiter);
        }
        for option in extra {
            if option.key == "connector" || option.key == "path" || option.key == "format" {
                let message = format!("{} cannot be given here: the function and its path say it", option.key);
                return Err(SqlError::new(option.key_span, message).into());
            }
            options.set(&option.key, option.value.clone());
        }
        self.check_options(OptionPlace::Read, "this function", extra)?;
        let facts = self.provider.describe(&options).map_err(|error| placed(error, extra))?;
        let source = SourceDefinition {
            name: path.clone(),
            schema: facts.schema,
            options,
            watermark: None,
            keyed_by: Vec::new(),
            inputs: Vec::new(),
        };
        Ok((Arc::new(source), facts.bounded))
    }

    fn declared(&self, name: &ast::Ident, with: &[&ast::CommonTable]) -> Result<Found> {
        if let Some(index) = self.find_source(&name.value) {
            let bounded = self.bounded.get(index).copied().unwrap_or(false);
            return Ok((Arc::clone(&self.script.sources[index]), bounded));
        }
        if self.script.sinks.iter().any(|sink| sink.name.eq_ignore_ascii_case(&name.value)) {
            return Err(wrong(name.span, format!("{} is a sink", name.value), "FROM reads a source").into());
        }
        let named = with.iter().map(|table| table.name.value.as_str());
        let known = self.script.sources.iter().map(|source| source.name.as_str()).chain(named);
        let help = if format_of(&name.value).is_some() {
            format!("a file name stands in single quotes: FROM '{}'", name.value)
        } else if known.clone().next().is_none() {
            "declare it with CREATE SOURCE, or name a file: FROM 'data.csv'".into()
        } else {
            suggest(&name.value, known, "sources are")
        };
        Err(wrong(name.span, format!("unknown source {}", name.value), help).into())
    }
}

fn options_of(items: &[ast::OptionItem]) -> Options {
    let mut options = Options::new();
    for item in items {
        options.set(&item.key, item.value.clone());
    }
    options
}

fn require_connector(name: &ast::Ident, options: &Options) -> Result<(), SqlError> {
    if options.get("connector").is_some() {
        return Ok(());
    }
    Err(wrong(name.span, format!("{} has no connector", name.value), "add connector = 'file' to WITH"))
}

/// An error of an option at its place: who reads options knows their names only.
fn placed(error: Error, options: &[ast::OptionItem]) -> Error {
    let Error::Config(message) = &error else { return error };
    let unknown = message.strip_prefix("unknown ").unwrap_or(message);
    let word = unknown.strip_prefix("option ").and_then(|rest| rest.split([' ', ':']).next());
    match options.iter().find(|option| Some(option.key.as_str()) == word) {
        Some(option) if unknown.len() < message.len() => SqlError::new(option.key_span, message.as_str()).into(),
        Some(option) => SqlError::new(option.value_span, message.as_str()).into(),
        None => error,
    }
}

/// Format by extension, and the delimiter if it is not the format's own.
fn format_of(path: &str) -> Option<(&'static str, Option<&'static str>)> {
    let extension = path.rsplit_once('.')?.1.to_ascii_lowercase();
    Some(match extension.as_str() {
        "csv" => ("csv", None),
        "tsv" => ("csv", Some("\t")),
        "json" | "jsonl" | "ndjson" => ("jsonl", None),
        "parquet" => ("parquet", None),
        "arrow" | "ipc" | "feather" => ("arrow", None),
        _ => return None,
    })
}

fn event_time(watermark: &ast::Watermark, schema: &Schema) -> Result<EventTimeColumn, SqlError> {
    let name = &watermark.column;
    let column = column(&name.value, name.span, schema)?;
    let data_type = schema.fields[column].data_type;
    if data_type != DataType::Timestamp {
        let message = format!("a WATERMARK is for a TIMESTAMP column, {} is {data_type}", name.value);
        let help = "declare the column TIMESTAMP; timestamp_unit = 's', 'ms', 'us' or 'ns' reads whole numbers";
        return Err(wrong(name.span, message, help));
    }
    Ok(EventTimeColumn { column, bound_us: watermark.bound_us })
}

fn keys(option: &ast::OptionItem, schema: &Schema) -> Result<Vec<usize>, SqlError> {
    option.value.split(',').map(|name| column(name.trim(), option.value_span, schema)).collect()
}

fn column(name: &str, span: crate::error::Span, schema: &Schema) -> Result<usize, SqlError> {
    schema.index_of(name).ok_or_else(|| {
        let known = schema.fields.iter().map(|field| field.name.as_str());
        wrong(span, format!("unknown column {name}"), suggest(name, known, "columns are"))
    })
}
