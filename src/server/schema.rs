//! The keys of the configuration file, and their JSON Schema for editors.

use serde_json::{Map, Value, json};

use super::config::LISTEN_DEFAULT;
use crate::engine::{RunOptions, SETTING_OPTIONS};
use crate::types::{OptionEntry, Options};

/// Keys of the file.
pub(super) const KEYS: &[&str] = &["listen", "token", "data_directory", "roots", "runtime", "jobs"];
/// Keys of a job.
pub(super) const JOB_KEYS: &[&str] = &["name", "sql", "file", "options"];
/// The key of `runtime` that is no setting of a job.
pub(super) const OVERSUBSCRIBE: &str = "oversubscribe";

/// The JSON Schema of the configuration file.
pub fn config_schema() -> Value {
    let settings: Map<String, Value> =
        SETTING_OPTIONS.iter().map(|entry| (entry.name.to_string(), setting(entry))).collect();
    let mut runtime = settings.clone();
    runtime.insert(
        OVERSUBSCRIBE.into(),
        json!({
            "enum": ["note", "refuse"], "default": "note",
            "description": "what to do with a job for which too few cores are free",
        }),
    );
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "corelane serve",
        "type": ["object", "null"],
        "additionalProperties": false,
        "properties": {
            "listen": {"type": "string", "default": LISTEN_DEFAULT, "description": "address and port of the HTTP API"},
            "token": {
                "type": "string",
                "description": "bearer token for everything that changes state; required beyond loopback",
            },
            "data_directory": {
                "type": "string", "default": "corelane-data",
                "description": "where the registry of jobs is kept; relative to this file",
            },
            "roots": {
                "type": "array", "items": {"type": "string"}, "default": [],
                "description": "directories that jobs may use files in; relative to this file",
            },
            "runtime": {
                "type": "object", "additionalProperties": false, "properties": runtime,
                "description": "settings of jobs that say nothing themselves; cores are shared among all jobs",
            },
            "jobs": {
                "type": "array",
                "items": {
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["name"],
                    "oneOf": [{"required": ["sql"]}, {"required": ["file"]}],
                    "properties": {
                        "name": {"type": "string", "pattern": "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$"},
                        "sql": {"type": "string", "description": "declarations and one INSERT"},
                        "file": {"type": "string", "description": "a file with the SQL; relative to this file"},
                        "options": {"type": "object", "additionalProperties": false, "properties": settings},
                    },
                },
            },
        },
    })
}

/// A setting, as the table of settings has it.
fn setting(entry: &OptionEntry) -> Value {
    let OptionEntry { name, values, default, about } = entry;
    let mut schema = json!({
        "type": ["string", "number", "boolean"],
        "description": format!("{about} Values: {values}. Default: {default}."),
    });
    // Some defaults are words for what depends on the host or the query: no value could be given for them.
    let mut given = Options::new();
    given.set(name, *default);
    if RunOptions::from_settings(&mut given).is_ok_and(|options| options == RunOptions::default()) {
        schema["default"] = (*default).into();
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::SETTINGS;

    #[test]
    fn defaults_that_can_be_given_are() {
        let schema = config_schema();
        let default = |name: &str| schema["properties"]["runtime"]["properties"][name]["default"].clone();
        assert_eq!((default("batch_rows"), default("wait")), (json!("8192"), json!("backoff")));
        assert_eq!((default("idle_timeout"), default("min_advance")), (json!("30s"), json!("100ms")));
        assert_eq!((default("partitions"), default("late_sink")), (Value::Null, Value::Null));
    }

    #[test]
    fn the_schema_has_every_key() {
        let schema = config_schema();
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&schema["properties"]), KEYS);
        assert_eq!(keys(&schema["properties"]["jobs"]["items"]["properties"]), JOB_KEYS);
        assert_eq!(keys(&schema["properties"]["runtime"]["properties"]), [SETTINGS, &[OVERSUBSCRIBE]].concat());
    }
}
