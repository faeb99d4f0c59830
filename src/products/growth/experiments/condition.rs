//! Conditions on what is known of a visitor, in GrowthBook's form: a MongoDB-like
//! object such as `{"country": {"$in": ["DE", "AT"]}}`. They mean what they mean to
//! JavaScript, where the SDKs that share them come from.

use std::cmp::Ordering;
use std::collections::HashMap;

use regex::{Regex, RegexBuilder};
use serde_json::{Map, Value};

/// Most bytes a compiled pattern may take.
const PATTERN_SIZE: usize = 1 << 18;

/// Lists that conditions name, such as of testers.
pub(super) type Groups = Map<String, Value>;

/// A condition, ready to be asked.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    json: Value,
    /// Patterns in it, and whether they pass over case.
    patterns: HashMap<(String, bool), Regex>,
}

const OPERATORS: [&str; 27] = [
    "$eq",
    "$ne",
    "$lt",
    "$lte",
    "$gt",
    "$gte",
    "$exists",
    "$in",
    "$nin",
    "$ini",
    "$nini",
    "$not",
    "$size",
    "$elemMatch",
    "$all",
    "$alli",
    "$regex",
    "$regexi",
    "$notRegex",
    "$notRegexi",
    "$type",
    "$veq",
    "$vne",
    "$vlt",
    "$vlte",
    "$vgt",
    "$vgte",
];

impl Condition {
    /// A condition. What is wrong in it holds for nobody.
    pub(super) fn new(json: Value) -> Self {
        let mut patterns = HashMap::new();
        compile(&json, &mut patterns);
        Self { json, patterns }
    }

    /// Reads a condition; says what is wrong with it.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let json: Value = serde_json::from_str(text).map_err(|_| "is no JSON".to_owned())?;
        let condition = Self::new(json);
        condition.check(&condition.json)?;
        Ok(condition)
    }

    fn check(&self, json: &Value) -> Result<(), String> {
        let Value::Object(members) = json else {
            let Value::Array(items) = json else {
                return Ok(());
            };
            return items.iter().try_for_each(|item| self.check(item));
        };
        for (name, value) in members {
            match name.as_str() {
                "$or" | "$and" | "$nor" if !value.is_array() => {
                    return Err(format!("has no list after {name}"));
                }
                "$or" | "$and" | "$nor" => {}
                "$regex" | "$regexi" | "$notRegex" | "$notRegexi" => {
                    let known = (
                        value.as_str().unwrap_or_default().to_owned(),
                        name.ends_with('i'),
                    );
                    if !self.patterns.contains_key(&known) {
                        return Err(format!("has no pattern there is after {name}"));
                    }
                }
                name if name.starts_with('$') && !OPERATORS.contains(&name) => {
                    return Err(format!("has an operator {name} that is not known"));
                }
                _ => {}
            }
            self.check(value)?;
        }
        Ok(())
    }

    /// As it was written.
    pub(super) fn json(&self) -> &Value {
        &self.json
    }

    /// Whether it holds for attributes.
    pub(super) fn holds(&self, attributes: &Value, groups: &Groups) -> bool {
        let asking = Asking {
            patterns: &self.patterns,
            groups,
        };
        asking.condition(attributes, &self.json)
    }
}

fn compile(json: &Value, patterns: &mut HashMap<(String, bool), Regex>) {
    match json {
        Value::Object(members) => {
            for (name, value) in members {
                if let ("$regex" | "$regexi" | "$notRegex" | "$notRegexi", Value::String(text)) =
                    (name.as_str(), value)
                {
                    let any_case = name.ends_with('i');
                    let mut builder = RegexBuilder::new(text);
                    let built = builder
                        .case_insensitive(any_case)
                        .size_limit(PATTERN_SIZE)
                        .build();
                    if let Ok(pattern) = built {
                        patterns.insert((text.clone(), any_case), pattern);
                    }
                }
                compile(value, patterns);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| compile(item, patterns)),
        _ => {}
    }
}

struct Asking<'a> {
    patterns: &'a HashMap<(String, bool), Regex>,
    groups: &'a Groups,
}

impl Asking<'_> {
    fn condition(&self, attributes: &Value, condition: &Value) -> bool {
        let Value::Object(members) = condition else {
            return true;
        };
        members.iter().all(|(name, value)| match name.as_str() {
            "$or" => self.any(attributes, value),
            "$nor" => !self.any(attributes, value),
            "$and" => list(value)
                .iter()
                .all(|one| self.condition(attributes, one)),
            "$not" => !self.condition(attributes, value),
            path => self.value(value, path_of(attributes, path), false),
        })
    }

    fn any(&self, attributes: &Value, conditions: &Value) -> bool {
        let conditions = list(conditions);
        conditions.is_empty() || conditions.iter().any(|one| self.condition(attributes, one))
    }

    fn value(&self, condition: &Value, actual: &Value, any_case: bool) -> bool {
        match condition {
            Value::String(wanted) => {
                let actual = text(actual);
                match any_case {
                    true => actual.to_lowercase() == wanted.to_lowercase(),
                    false => actual == *wanted,
                }
            }
            Value::Number(wanted) => number(actual) == wanted.as_f64(),
            Value::Bool(wanted) => !actual.is_null() && is_truthy(actual) == *wanted,
            Value::Null => actual.is_null(),
            Value::Object(operators) if has_operators(operators) => operators
                .iter()
                .all(|(name, expected)| self.operator(name, actual, expected)),
            Value::Array(_) | Value::Object(_) => condition == actual,
        }
    }

    fn operator(&self, name: &str, actual: &Value, expected: &Value) -> bool {
        let versions = || version(actual).cmp(&version(expected));
        match name {
            "$eq" => same(actual, expected),
            "$ne" => !same(actual, expected),
            "$lt" => compare(actual, expected).is_some_and(Ordering::is_lt),
            "$lte" => compare(actual, expected).is_some_and(Ordering::is_le),
            "$gt" => compare(actual, expected).is_some_and(Ordering::is_gt),
            "$gte" => compare(actual, expected).is_some_and(Ordering::is_ge),
            "$veq" => versions().is_eq(),
            "$vne" => versions().is_ne(),
            "$vlt" => versions().is_lt(),
            "$vlte" => versions().is_le(),
            "$vgt" => versions().is_gt(),
            "$vgte" => versions().is_ge(),
            "$exists" => actual.is_null() != is_truthy(expected),
            "$in" => expected.is_array() && is_in(actual, list(expected), false),
            "$nin" => expected.is_array() && !is_in(actual, list(expected), false),
            "$ini" => expected.is_array() && is_in(actual, list(expected), true),
            "$nini" => expected.is_array() && !is_in(actual, list(expected), true),
            "$inGroup" => is_in(actual, self.group(expected), false),
            "$notInGroup" => !is_in(actual, self.group(expected), false),
            "$not" => !self.value(expected, actual, false),
            "$size" => actual
                .as_array()
                .is_some_and(|own| self.value(expected, &own.len().into(), false)),
            "$elemMatch" => self.element(actual, expected),
            "$all" => self.all(actual, expected, false),
            "$alli" => self.all(actual, expected, true),
            "$regex" => self.matches(actual, expected, false),
            "$regexi" => self.matches(actual, expected, true),
            "$notRegex" => !self.matches(actual, expected, false),
            "$notRegexi" => !self.matches(actual, expected, true),
            "$type" => expected == kind(actual),
            _ => false,
        }
    }

    fn group(&self, name: &Value) -> &[Value] {
        let name = name.as_str().unwrap_or_default();
        self.groups.get(name).map_or(&[], list)
    }

    fn element(&self, actual: &Value, expected: &Value) -> bool {
        let is_value = expected.as_object().is_some_and(has_operators);
        let fits = |one: &&Value| match is_value {
            true => self.value(expected, one, false),
            false => self.condition(one, expected),
        };
        list(actual)
            .iter()
            .filter(|one| is_truthy(one))
            .any(|one| fits(&one))
    }

    fn all(&self, actual: &Value, expected: &Value, any_case: bool) -> bool {
        let own = actual.as_array();
        own.is_some_and(|own| {
            let has = |wanted: &Value| own.iter().any(|one| self.value(wanted, one, any_case));
            list(expected).iter().all(has)
        })
    }

    fn matches(&self, actual: &Value, pattern: &Value, any_case: bool) -> bool {
        let known = (pattern.as_str().unwrap_or_default().to_owned(), any_case);
        let pattern = self.patterns.get(&known);
        pattern.is_some_and(|pattern| pattern.is_match(&text(actual)))
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// What a dotted path leads to; null where there is nothing.
fn path_of<'v>(attributes: &'v Value, path: &str) -> &'v Value {
    let step = |at: Option<&'v Value>, name: &str| at?.as_object()?.get(name);
    let found = path.split('.').fold(Some(attributes), step);
    found.unwrap_or(&Value::Null)
}

fn has_operators(members: &Map<String, Value>) -> bool {
    !members.is_empty() && members.keys().all(|name| name.starts_with('$'))
}

fn is_in(actual: &Value, expected: &[Value], any_case: bool) -> bool {
    let folded = |value: &Value| match value {
        Value::String(text) if any_case => Value::String(text.to_lowercase()),
        other => other.clone(),
    };
    let has = |one: &Value| {
        let one = folded(one);
        expected.iter().any(|wanted| same(&one, &folded(wanted)))
    };
    match actual {
        Value::Array(own) => own.iter().any(has),
        other => has(other),
    }
}

/// JavaScript's `===`, of what has no identity.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.as_f64() == right.as_f64(),
        (Value::Array(_) | Value::Object(_), _) => false,
        (left, right) => left == right,
    }
}

/// JavaScript's `<`: two texts by their letters, everything else by numbers.
fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::String(left), Value::String(right)) => {
            Some(left.encode_utf16().cmp(right.encode_utf16()))
        }
        (left, right) => number(left)?.partial_cmp(&number(right)?),
    }
}

/// The number JavaScript makes of a value.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Null => Some(0.0),
        Value::Bool(value) => Some(f64::from(u8::from(*value))),
        Value::Number(value) => value.as_f64(),
        Value::String(text) if text.trim().is_empty() => Some(0.0),
        Value::String(text) => text.trim().parse().ok(),
        Value::Array(_) | Value::Object(_) => None,
    }
}

/// The text JavaScript makes of a value.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => match number.as_f64() {
            Some(whole) if whole.fract() == 0.0 && whole.abs() < 1e15 => format!("{whole:.0}"),
            _ => number.to_string(),
        },
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(","),
        Value::Object(_) => "[object Object]".to_owned(),
        Value::Null | Value::Bool(_) => value.to_string(),
    }
}

pub(super) fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64().is_some_and(|number| number != 0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(_) | Value::Object(_) => true,
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// A version as a text that sorts as versions do: numbers are padded, and a release
/// comes after what leads up to it.
fn version(value: &Value) -> String {
    let text = match value {
        Value::Number(_) => text(value),
        Value::String(text) if !text.is_empty() => text.clone(),
        _ => "0".to_owned(),
    };
    let text = text.strip_prefix('v').unwrap_or(&text);
    let text = text.split('+').next().unwrap_or_default();
    let mut parts: Vec<&str> = text.split(['-', '.']).collect();
    if parts.len() == 3 {
        parts.push("~");
    }
    let padded = parts.iter().map(|part| {
        match !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) {
            true => format!("{part:>5}"),
            false => (*part).to_owned(),
        }
    });
    padded.collect::<Vec<_>>().join("-")
}
