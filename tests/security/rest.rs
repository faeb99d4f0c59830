//! A JSON request as its REST form: which members stand in the path, which in
//! the query and which in the body is read from the `google.api.http` rule.

use apex::policy::{Binding, Body, MethodSpec};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use regex::{Captures, Regex};
use serde_json::{Value, json};

/// Stands in the path where the request says nothing.
const ANY: &str = "1";

/// A REST request.
#[derive(Debug)]
pub struct RestRequest {
    /// Path and query.
    pub path: String,
    /// Headers that pick the method among those that share its route.
    pub headers: Vec<(&'static str, String)>,
    /// JSON body.
    pub body: Option<Value>,
}

/// The REST form of a request.
pub fn request(spec: &MethodSpec, binding: &Binding, request: &Value) -> RestRequest {
    let mut rest = request.clone();
    let path = pattern().replace_all(binding.template, |found: &Captures<'_>| {
        let value = take(&mut rest, &found[1]);
        // A path may have one value alone where a field of gRPC has several.
        let only = found.get(2).map(|own| own.as_str());
        let only = only.filter(|own| !own.contains('*'));
        match &value {
            Some(value) if only.is_some() => text(value),
            Some(value) => escaped(&text(value)),
            None => only.unwrap_or(ANY).to_owned(),
        }
    });
    let mut path = path.into_owned();
    let body = match binding.body {
        Body::Whole => {
            let mut body = std::mem::replace(&mut rest, json!({}));
            // An array of what is made, rather than an object with it.
            if let Some(several) = spec.one_or_many.and_then(|name| take(&mut body, name)) {
                body = several;
            }
            // Without it, another method answers.
            let member = spec.when.first().and_then(|when| when.body_member);
            if let (Some(name), Some(members)) = (member, body.as_object_mut()) {
                members.entry(name).or_insert(Value::Null);
            }
            Some(body)
        }
        Body::Field(name) => take(&mut rest, name),
        Body::None => None,
    };
    let mut pairs = Vec::new();
    flatten("", &rest, &mut pairs);
    let mut headers = Vec::new();
    if let Some(when) = spec.when.first() {
        headers.extend(when.service_method.map(|name| ("x-service-method", name)));
        headers.extend(when.accept.map(|kind| ("accept", kind)));
        headers.extend(when.scheme.map(|scheme| ("authorization", scheme)));
        pairs.extend(when.query.map(str::to_owned));
    }
    if !pairs.is_empty() {
        path = format!("{path}?{}", pairs.join("&"));
    }
    let headers = headers.into_iter();
    RestRequest {
        path,
        headers: headers
            .map(|(name, value)| (name, value.to_owned()))
            .collect(),
        body,
    }
}

/// Fields that stand in the path of any route of a method, by both their names.
pub fn variables(spec: &MethodSpec) -> Vec<String> {
    let pattern = pattern();
    let found = spec
        .bindings
        .iter()
        .flat_map(|binding| pattern.captures_iter(binding.template));
    found
        .flat_map(|found| [found[1].to_owned(), camel(&found[1])])
        .collect()
}

fn pattern() -> Regex {
    Regex::new(r"\{([a-zA-Z0-9_.]+)(?:=([^}]*))?\}").unwrap()
}

/// Takes a member out, by its proto name or its JSON name.
fn take(from: &mut Value, path: &str) -> Option<Value> {
    let (first, rest) = match path.split_once('.') {
        Some((first, rest)) => (first, Some(rest)),
        None => (path, None),
    };
    let members = from.as_object_mut()?;
    let name = [first.to_owned(), camel(first)]
        .into_iter()
        .find(|name| members.contains_key(name))?;
    match rest {
        Some(rest) => take(&mut members[&name], rest),
        None => members.shift_remove(&name),
    }
}

fn flatten(prefix: &str, value: &Value, pairs: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let dot = if prefix.is_empty() { "" } else { "." };
                flatten(&format!("{prefix}{dot}{name}"), value, pairs);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| flatten(prefix, item, pairs)),
        scalar => pairs.push(format!("{}={}", escaped(prefix), escaped(&text(scalar)))),
    }
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// The JSON name protobuf gives a field.
pub fn camel(name: &str) -> String {
    let mut out = String::new();
    let mut upper = false;
    for c in name.chars() {
        match c {
            '_' => upper = true,
            c if upper => {
                out.push(c.to_ascii_uppercase());
                upper = false;
            }
            c => out.push(c),
        }
    }
    out
}
