//! Lays the sources of the configuration over each other and names the nearest
//! right key for a wrong one.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize as _;
use toml::{Table, Value};

use super::{Config, ConfigError, Span};

const DEFAULTS: &str = include_str!("defaults.toml");

/// Settings whose values are never printed.
const SECRETS: [&str; 7] = [
    "secret_key",
    "secret_key_previous",
    "metrics_token",
    "database_url",
    "redis_url",
    "clickhouse_url",
    "embedding.api_key",
];

/// The configuration while it is being put together.
#[derive(Debug, Clone)]
pub struct Layers {
    table: Table,
    /// Top-level settings that somebody gave.
    given: BTreeSet<String>,
    warnings: Vec<String>,
}

impl Layers {
    /// Starts with the embedded defaults.
    pub fn new() -> Result<Self, ConfigError> {
        let table: Result<Table, _> = DEFAULTS.parse();
        let table = table.map_err(|error| ConfigError(format!("defaults.toml: {error}")))?;
        Ok(Self {
            table,
            given: BTreeSet::new(),
            warnings: Vec::new(),
        })
    }

    /// Lays a file over it.
    pub fn file(mut self, path: &Path) -> Result<Self, ConfigError> {
        let name = path.display();
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError(format!("cannot read {name}: {error}")))?;
        let file: Table = text
            .parse()
            .map_err(|error| ConfigError(format!("{name}: {}", unquoted(&text, &error))))?;
        self.given.extend(file.keys().cloned());
        overlay(&mut self.table, file, "")
            .map_err(|error| ConfigError(format!("{name}: {error}")))?;
        Ok(self)
    }

    /// Lays `APEX_*` variables of the environment over it.
    #[allow(clippy::disallowed_methods)] // the one place that reads it
    pub fn environment(self) -> Result<Self, ConfigError> {
        let host = std::env::var("DOCKER_HOST").unwrap_or_default();
        let mut own = self.variables(std::env::vars_os())?;
        if let Some(Value::Table(paas)) = own.table.get_mut("paas")
            && let Some(Value::String(named)) = paas.get_mut("docker_host")
            && named.is_empty()
        {
            // As every client of Docker's takes it.
            *named = host;
        }
        Ok(own)
    }

    /// Lays variables over it. A name that is nearly a setting is an error; any
    /// other unknown one is somebody else's and only warned of.
    fn variables(
        mut self,
        variables: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigError> {
        let known: Vec<String> = paths(&self.table, "");
        let name_of = |path: &str| format!("APEX_{}", path.replace('.', "_").to_uppercase());
        for (variable, text) in variables {
            // Others' variables need not even be text.
            let Some(variable) = variable.to_str().filter(|name| name.starts_with("APEX_")) else {
                continue;
            };
            let text = text.into_string();
            let text = text.map_err(|_| ConfigError(format!("{variable} is not UTF-8")))?;
            if let Some(path) = known.iter().find(|path| name_of(path) == variable) {
                self.set(path, &text)
                    .map_err(|e| ConfigError(format!("{variable}: {e}")))?;
                continue;
            }
            let names: Vec<String> = known.iter().map(|path| name_of(path)).collect();
            match nearest(variable, names.iter().map(String::as_str)) {
                Some((near, distance)) if distance <= 2 => {
                    return Err(ConfigError(format!(
                        "{variable} is no setting; did you mean {near}?"
                    )));
                }
                _ => self
                    .warnings
                    .push(format!("{variable} is no setting and is ignored")),
            }
        }
        Ok(self)
    }

    /// Lays a flag over it.
    pub fn flag(mut self, path: &str, text: Option<&str>) -> Result<Self, ConfigError> {
        if let Some(text) = text {
            let flag = path.replace('_', "-");
            self.set(path, text)
                .map_err(|e| ConfigError(format!("--{flag}: {e}")))?;
        }
        Ok(self)
    }

    fn set(&mut self, path: &str, text: &str) -> Result<(), String> {
        let mut table = &mut self.table;
        self.given.insert(path.to_owned());
        let mut names = path.split('.').peekable();
        while let Some(name) = names.next() {
            let slot = table.get_mut(name).ok_or("no such setting")?;
            if names.peek().is_none() {
                *slot = typed(slot, text)?;
                return Ok(());
            }
            table = slot.as_table_mut().ok_or("no such setting")?;
        }
        Ok(())
    }

    /// What could be wrong but stops nothing.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Whether somebody gave a top-level setting, be it its default.
    pub fn is_given(&self, name: &str) -> bool {
        self.given.contains(name)
    }

    /// The finished configuration.
    pub fn build(&self) -> Result<Config, ConfigError> {
        check_positive(&self.table)?;
        let config = Config::deserialize(self.table.clone());
        let config =
            config.map_err(|error| ConfigError(error.to_string().trim_end().replace('\n', " ")))?;
        config.check()?;
        Ok(config)
    }

    /// The finished configuration as a table, with secrets masked.
    pub fn masked(&self) -> Table {
        let mut table = self.table.clone();
        for name in SECRETS {
            let (area, own) = name.rsplit_once('.').unwrap_or(("", name));
            let area = match area {
                "" => Some(&mut table),
                area => table.get_mut(area).and_then(Value::as_table_mut),
            };
            if let Some(Value::String(text)) = area.and_then(|area| area.get_mut(own))
                && !text.is_empty()
            {
                *text = mask(name, text);
            }
        }
        table
    }
}

/// Bounds and times of zero would stop the server rather than switch something off;
/// only a drain need not wait.
fn check_positive(table: &Table) -> Result<(), ConfigError> {
    for (area, settings) in table {
        let Some(settings) = settings.as_table() else {
            continue;
        };
        for (name, value) in settings {
            let zero = match value {
                Value::Integer(number) => *number <= 0,
                Value::String(text) if name != "drain_delay" => {
                    let span = text.parse::<Span>();
                    span.is_ok_and(|span| span.0 == Duration::ZERO)
                }
                Value::Table(group) => {
                    let group =
                        Table::from_iter([(format!("{area}.{name}"), group.clone().into())]);
                    check_positive(&group)?;
                    false
                }
                _ => false,
            };
            if zero {
                return Err(ConfigError(format!("`{area}.{name}` must be positive")));
            }
        }
    }
    Ok(())
}

/// Where a file is no TOML, and why. The parser's own words quote the line, which
/// may hold a secret.
fn unquoted(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    let line = before.map_or(1, |before| 1 + before.matches('\n').count());
    format!("line {line}: {}", error.message())
}

/// Keeps the kind and host of a URL, nothing of any other secret.
fn mask(name: &str, text: &str) -> String {
    let url = text.split_once("://").filter(|_| name.ends_with("_url"));
    let Some((scheme, rest)) = url else {
        return "********".to_owned();
    };
    let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
    let place = place.split('?').next().unwrap_or_default();
    format!("{scheme}://********@{place}")
}

fn typed(like: &Value, text: &str) -> Result<Value, String> {
    match like {
        Value::Integer(_) => {
            let number = text.replace('_', "").parse();
            number
                .map(Value::Integer)
                .map_err(|_| format!("`{text}` is no whole number"))
        }
        Value::Boolean(_) => match text {
            "true" | "1" => Ok(Value::Boolean(true)),
            "false" | "0" => Ok(Value::Boolean(false)),
            _ => Err(format!("`{text}` is neither true nor false")),
        },
        _ => Ok(Value::String(text.to_owned())),
    }
}

fn overlay(base: &mut Table, over: Table, prefix: &str) -> Result<(), String> {
    for (name, value) in over {
        let path = format!("{prefix}{name}");
        let Some(slot) = base.get_mut(&name) else {
            let near = nearest(&name, base.keys().map(String::as_str));
            let hint = near.map_or(String::new(), |(near, _)| {
                format!("; did you mean `{prefix}{near}`?")
            });
            return Err(format!("`{path}` is no setting{hint}"));
        };
        match (slot, value) {
            (Value::Table(inner), Value::Table(over)) => {
                overlay(inner, over, &format!("{path}."))?;
            }
            (slot @ (Value::String(_) | Value::Integer(_) | Value::Boolean(_)), value)
                if slot.same_type(&value) =>
            {
                *slot = value;
            }
            (slot, value) => {
                let (want, got) = (slot.type_str(), value.type_str());
                return Err(format!("`{path}` must be a {want}, not a {got}"));
            }
        }
    }
    Ok(())
}

fn paths(table: &Table, prefix: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (name, value) in table {
        let path = format!("{prefix}{name}");
        match value {
            Value::Table(inner) => found.extend(paths(inner, &format!("{path}."))),
            _ => found.push(path),
        }
    }
    found
}

fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<(&'a str, usize)> {
    known
        .map(|candidate| (candidate, strsim::damerau_levenshtein(name, candidate)))
        .min_by_key(|(_, distance)| *distance)
}

#[cfg(test)]
mod tests;
