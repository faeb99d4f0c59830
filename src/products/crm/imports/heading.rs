//! What the headings of a file mean: members of the records, their custom fields, or
//! nothing. A heading that means nothing known is refused before anything is written.

use std::collections::BTreeMap;

use super::super::column::Column;
use super::super::custom::Fields;
use super::super::query::read::CUSTOM;
use super::is_given;
use crate::error::{Error, Result};

/// Reads what a caller says headings mean.
pub(super) fn mapping(text: Option<&str>) -> Result<BTreeMap<String, Option<String>>> {
    let wrong = |_| {
        let words = "mapping must name a member, or null, for each heading";
        Error::invalid_field("mapping", words)
    };
    let text = text.filter(|text| !text.is_empty()).unwrap_or("{}");
    serde_json::from_str(text).map_err(wrong)
}

/// What each heading of a line means.
pub(super) fn headings(
    line: &[String],
    mapping: &BTreeMap<String, Option<String>>,
    columns: &'static [Column],
    fields: &Fields,
) -> Result<Vec<Option<String>>> {
    let mut known = Vec::with_capacity(line.len());
    for heading in line {
        let heading = heading.trim();
        let target = match mapping.get(heading) {
            Some(target) => target.clone(),
            None => Some(heading.to_owned()),
        };
        let meant = match target {
            None => None,
            Some(target) => member(&target, columns, fields).map_err(|what| {
                let words = format!("The heading `{heading}` {what}: say in mapping what it is");
                Error::invalid_field("mapping", words)
            })?,
        };
        if let Some(meant) = meant
            .as_ref()
            .filter(|meant| known.contains(&Some((*meant).clone())))
        {
            let words = format!("More than one heading means {meant}");
            return Err(Error::invalid_field("mapping", words));
        }
        known.push(meant);
    }
    if known.iter().all(Option::is_none) {
        return Err(Error::invalid_field("file", "The file has no headings"));
    }
    Ok(known)
}

/// The member a name means; nothing where callers do not write it.
fn member(
    name: &str,
    columns: &'static [Column],
    fields: &Fields,
) -> Result<Option<String>, &'static str> {
    let plain = name.to_lowercase().replace([' ', '-'], "_");
    if let Some(column) = columns.iter().find(|column| column.name == plain) {
        return Ok(is_given(column).then(|| column.name.to_owned()));
    }
    let label = name
        .strip_prefix(CUSTOM)
        .and_then(|rest| rest.strip_prefix('.'));
    match fields.named(label.unwrap_or(name)) {
        Some(_) => Ok(Some(format!("{CUSTOM}.{}", label.unwrap_or(name)))),
        None => Err("is no member"),
    }
}
