//! Trees of values, from a URL or from JSON, into questions: what FeathersJS' names and
//! operators mean. Which members there are is not looked at here.

use serde_json::{Map, Value};

use crate::api::apex::crm::v1 as pb;
use crate::error::{Error, Result};
use crate::transcode::errors::DATA;
use pb::Operator;
use pb::filter::Kind;
use pb::operand::Kind as Of;

/// The member whose members are custom fields.
pub(in super::super) const CUSTOM: &str = "custom_fields_by_name";

/// Deepest nesting of conditions.
const DEPTH: usize = 8;

/// What a list takes besides its columns.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Takes {
    /// Whether it is searched by `searchTerm`.
    pub(in super::super) search: bool,
    /// Whether its records have tags.
    pub(in super::super) tags: bool,
    /// The parameter that asks for related records.
    pub(in super::super) join: Option<&'static str>,
    /// Whether its records are conversations.
    pub(in super::super) inbox: bool,
}

impl Takes {
    /// Nothing.
    pub(in super::super) const NOTHING: Self = Self {
        search: false,
        tags: false,
        join: None,
        inbox: false,
    };
    /// What it is searched for.
    pub(in super::super) const SEARCH: Self = Self {
        search: true,
        ..Self::NOTHING
    };
}

/// Reads a question.
pub(super) fn find(tree: Map<String, Value>, takes: Takes) -> Result<pb::Find> {
    let mut find = pb::Find::default();
    let mut all = Vec::new();
    for (name, value) in tree {
        match name.as_str() {
            "$limit" => find.limit = whole(&value),
            "$skip" => find.skip = whole(&value),
            "$after" => {
                let after = whole(&value);
                find.after = Some(after.ok_or_else(|| wrong("$after", "must be an id"))?);
            }
            "$sort" => find.sort = sort(&value)?,
            "$select" => find.select = texts(&value),
            "$or" | "$and" => all.push(several(&name, value, 1)?),
            "searchTerm" if takes.search => find.search_term = text(&value),
            "tag_id" if takes.tags => {
                let tag = whole(&value);
                find.tag = Some(tag.ok_or_else(|| wrong("tag_id", "must be an id"))?);
            }
            other if takes.join == Some(other) => find.join = Some(flag(&value)),
            "messageSearchTerm" if takes.inbox => find.message_search_term = text(&value),
            "waitingResponseOnly" if takes.inbox => {
                find.waiting_response_only = Some(flag(&value));
            }
            "view_id" if takes.inbox => {
                let view = whole(&value);
                find.view = Some(view.ok_or_else(|| wrong("view_id", "must be an id"))?);
            }
            other if other.starts_with('$') => {
                return Err(Error::invalid(format!("Invalid filter value {other}")));
            }
            _ => member(&name, value, &mut all)?,
        }
    }
    find.filter = group(all);
    Ok(find)
}

/// Conditions that all hold; none at all is no condition.
pub(in super::super) fn group(mut all: Vec<pb::Filter>) -> Option<pb::Filter> {
    if all.len() < 2 {
        return all.pop();
    }
    Some(pb::Filter {
        kind: Some(Kind::All(pb::Group { filters: all })),
    })
}

fn several(name: &str, value: Value, depth: usize) -> Result<pb::Filter> {
    if depth > DEPTH {
        return Err(Error::invalid("The query is nested too deeply"));
    }
    let items = match value {
        Value::Array(items) => items,
        one @ Value::Object(_) => vec![one],
        _ => return Err(wrong(name, "must be an array")),
    };
    let mut filters = Vec::with_capacity(items.len());
    for item in items {
        let Value::Object(members) = item else {
            return Err(wrong(name, "must be an array of queries"));
        };
        let mut all = Vec::new();
        for (name, value) in members {
            match name.as_str() {
                "$or" | "$and" => all.push(several(&name, value, depth + 1)?),
                other if other.starts_with('$') => {
                    return Err(unknown_operator(other, &value));
                }
                _ => member(&name, value, &mut all)?,
            }
        }
        let own = group(all).unwrap_or_else(|| pb::Filter {
            kind: Some(Kind::All(pb::Group::default())),
        });
        filters.push(own);
    }
    let group = pb::Group { filters };
    let kind = match name {
        "$or" => Kind::Any(group),
        _ => Kind::All(group),
    };
    Ok(pb::Filter { kind: Some(kind) })
}

/// The conditions on one member.
fn member(name: &str, value: Value, all: &mut Vec<pb::Filter>) -> Result<()> {
    let Value::Object(members) = value else {
        all.push(compare(name, Operator::Equal, value)?);
        return Ok(());
    };
    for (inner, value) in members {
        match operator(&inner) {
            Some(operator) => all.push(compare(name, operator, value)?),
            None if name == CUSTOM && !inner.starts_with('$') => {
                member(&format!("{CUSTOM}.{inner}"), value, all)?;
            }
            None => return Err(unknown_operator(&inner, &value)),
        }
    }
    Ok(())
}

fn unknown_operator(name: &str, value: &Value) -> Error {
    let mut offending = Map::new();
    offending.insert(name.to_owned(), value.clone());
    let error = Error::invalid(format!("Invalid query parameter {name}"));
    error.with(DATA, Value::Object(offending))
}

fn operator(name: &str) -> Option<Operator> {
    Some(match name {
        "$ne" => Operator::NotEqual,
        "$in" => Operator::In,
        "$nin" => Operator::NotIn,
        "$lt" => Operator::Less,
        "$lte" => Operator::LessOrEqual,
        "$gt" => Operator::Greater,
        "$gte" => Operator::GreaterOrEqual,
        "$like" => Operator::Like,
        "$notlike" => Operator::NotLike,
        "$ilike" => Operator::Ilike,
        _ => return None,
    })
}

fn compare(name: &str, operator: Operator, value: Value) -> Result<pb::Filter> {
    let values = match value {
        Value::Array(items) => items,
        one => vec![one],
    };
    let values = values.iter().map(|value| operand(name, value));
    Ok(pb::Filter {
        kind: Some(Kind::Compare(pb::Comparison {
            field: name.to_owned(),
            operator: operator.into(),
            values: values.collect::<Result<_>>()?,
        })),
    })
}

fn operand(name: &str, value: &Value) -> Result<pb::Operand> {
    let kind = match value {
        Value::Null => Of::Null(0),
        Value::Bool(flag) => Of::Flag(*flag),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Of::Integer(whole),
            None => Of::Number(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => Of::Text(text.clone()),
        Value::Array(_) | Value::Object(_) => {
            return Err(wrong(name, "cannot be compared with that"));
        }
    };
    Ok(pb::Operand { kind: Some(kind) })
}

fn sort(value: &Value) -> Result<Vec<pb::Sort>> {
    let Value::Object(members) = value else {
        return Err(wrong("$sort", "must name members, each with 1 or -1"));
    };
    let key = |field: String, order: &Value| pb::Sort {
        field,
        descending: text(order).as_deref() != Some("1"),
    };
    let mut keys = Vec::new();
    for (name, order) in members {
        match order {
            Value::Object(inner) if name == CUSTOM => {
                let inner = inner.iter();
                keys.extend(inner.map(|(label, order)| key(format!("{CUSTOM}.{label}"), order)));
            }
            _ => keys.push(key(name.clone(), order)),
        }
    }
    Ok(keys)
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().filter_map(text).collect(),
        one => text(one).into_iter().collect(),
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn flag(value: &Value) -> bool {
    matches!(text(value).as_deref(), Some("true" | "1"))
}

/// A whole number; what is none counts as left out, as it does with FeathersJS.
fn whole(value: &Value) -> Option<i64> {
    text(value)?.parse().ok()
}

fn wrong(name: &str, what: &str) -> Error {
    Error::invalid_field(name, format!("{name} {what}"))
}
