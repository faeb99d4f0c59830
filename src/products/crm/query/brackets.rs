//! Query strings as FeathersJS clients write them: `a[b][c]=x`, indices, repeats,
//! percent-encoded or not, into the tree of values they stand for. Every leaf is text.

use serde_json::{Map, Value};

use super::read::CUSTOM;
use crate::error::{Error, Result};
use crate::transcode::percent;

/// Most parameters.
const PARAMETERS: usize = 1000;
/// Deepest nesting: conditions as deep as they may be, each of which takes two steps. The
/// clients' own servers stop at five.
const DEPTH: usize = 20;

/// Reads a query string.
pub(super) fn parse(query: &str) -> Result<Map<String, Value>> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    let mut root = Map::new();
    for (count, part) in parts.enumerate() {
        if count == PARAMETERS {
            let words = format!("The query has more than {PARAMETERS} parameters");
            return Err(Error::invalid(words));
        }
        let (name, value) = split(part);
        let bad = |_| Error::invalid("The query is not valid percent-encoding");
        let name = percent::query(name).map_err(bad)?;
        let value = percent::query(value).map_err(bad)?.into_owned();
        if name.is_empty() {
            return Err(Error::invalid("A parameter of the query has no name"));
        }
        put(&mut root, &path(&name)?, Value::String(value), &name)?;
    }
    settle_all(&mut root);
    Ok(root)
}

/// Name and value; an `=` inside of brackets belongs to the name.
fn split(part: &str) -> (&str, &str) {
    let at = match part.find("]=") {
        Some(at) => Some(at + 1),
        None => part.find('='),
    };
    at.map_or((part, ""), |at| (&part[..at], &part[at + 1..]))
}

/// The steps of a name: `a[b][]` is `a`, `b` and an empty one.
fn path(name: &str) -> Result<Vec<&str>> {
    let Some(first) = name.find('[').filter(|at| *at > 0) else {
        return Ok(vec![name]);
    };
    let mut steps = vec![&name[..first]];
    let mut rest = &name[first..];
    while let Some(inner) = rest.strip_prefix('[') {
        let Some(end) = inner.find(']') else {
            return Ok(vec![name]);
        };
        steps.push(&inner[..end]);
        rest = &inner[end + 1..];
        if steps.len() > DEPTH {
            return Err(Error::invalid("The query is nested too deeply"));
        }
    }
    Ok(match rest {
        "" => steps,
        _ => vec![name],
    })
}

fn put(at: &mut Map<String, Value>, steps: &[&str], value: Value, name: &str) -> Result<()> {
    let Some((step, rest)) = steps.split_first() else {
        return Ok(());
    };
    // Without an index it comes after what is there.
    let step = match step.is_empty() {
        true => at.len().to_string(),
        false => (*step).to_owned(),
    };
    if rest.is_empty() {
        match at.get_mut(&step) {
            None => drop(at.insert(step, value)),
            Some(Value::Array(several)) => several.push(value),
            Some(Value::Object(_)) => return Err(twice(name)),
            Some(one) => *one = Value::Array(vec![one.take(), value]),
        }
        return Ok(());
    }
    let inner = at.entry(step).or_insert_with(|| Value::Object(Map::new()));
    match inner {
        Value::Object(inner) => put(inner, rest, value, name),
        _ => Err(twice(name)),
    }
}

fn twice(name: &str) -> Error {
    Error::invalid_field(name, format!("{name} is given in two forms"))
}

/// Objects whose members are all numbers are lists, but for those of custom fields, which
/// may be called anything.
fn settle_all(members: &mut Map<String, Value>) {
    for (name, value) in members {
        match value {
            Value::Object(fields) if name == CUSTOM => settle_all(fields),
            value => settle(value),
        }
    }
}

fn settle(value: &mut Value) {
    let Value::Object(members) = value else {
        return;
    };
    settle_all(members);
    let index = |name: &String| name.parse::<u32>().ok();
    if members.is_empty() || !members.keys().all(|name| index(name).is_some()) {
        return;
    }
    let mut items: Vec<(Option<u32>, Value)> = std::mem::take(members)
        .into_iter()
        .map(|(name, value)| (index(&name), value))
        .collect();
    items.sort_by_key(|(index, _)| *index);
    *value = Value::Array(items.into_iter().map(|(_, value)| value).collect());
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_form_is_read() {
        for (query, tree) in [
            ("", json!({})),
            ("a=1&b=", json!({"a": "1", "b": ""})),
            ("%24limit=25&$skip=3", json!({"$limit": "25", "$skip": "3"})),
            ("a%5Bb%5D=x+y%20z", json!({"a": {"b": "x y z"}})),
            (
                "a[b][c]=1&a[b][d]=2",
                json!({"a": {"b": {"c": "1", "d": "2"}}}),
            ),
            ("a[1]=y&a[0]=x", json!({"a": ["x", "y"]})),
            ("a[]=x&a[]=y", json!({"a": ["x", "y"]})),
            ("a=x&a=y&a=z", json!({"a": ["x", "y", "z"]})),
            (
                "$or[0][a]=1&$or[1][b][$in][0]=2",
                json!({"$or": [{"a": "1"}, {"b": {"$in": ["2"]}}]}),
            ),
            ("a[$gt]=1%3D2", json!({"a": {"$gt": "1=2"}})),
            ("a[b=1", json!({"a[b": "1"})),
            ("[a]=1", json!({"[a]": "1"})),
            ("0=x", json!({"0": "x"})),
            (
                "custom_fields_by_name[2024][$in][0]=x",
                json!({"custom_fields_by_name": {"2024": {"$in": ["x"]}}}),
            ),
            (
                "$sort[custom_fields_by_name][2024]=1",
                json!({"$sort": {"custom_fields_by_name": {"2024": "1"}}}),
            ),
        ] {
            assert_eq!(Value::Object(parse(query).unwrap()), tree, "{query}");
        }
        let thirty: Vec<String> = (0..30).map(|n| format!("a[{n}]={n}")).collect();
        assert_eq!(
            parse(&thirty.join("&")).unwrap()["a"]
                .as_array()
                .unwrap()
                .len(),
            30
        );
    }

    #[test]
    fn what_is_too_much_is_refused() {
        for query in [
            "a=%zz".to_owned(),
            "a=1&a[b]=2".to_owned(),
            "a[b]=1&a=2".to_owned(),
            format!("a{}=1", "[b]".repeat(21)),
            "a=1&".repeat(1001),
            "=1".to_owned(),
        ] {
            assert!(parse(&query).is_err(), "{query:.40}");
        }
    }
}
