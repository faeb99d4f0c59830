//! Questions to lists: however one is asked (in a URL, as JSON, as a message), it becomes
//! one [`pb::Find`], and that becomes SQL over declared columns with bound values.

mod brackets;
pub(super) mod compile;
mod operand;
pub(super) mod pattern;
pub(super) mod read;
pub(super) mod sql;

use serde_json::{Map, Value};

use crate::api::apex::crm::v1 as pb;
use crate::error::{Error, Result};
pub(super) use read::{Takes, group};

/// What becomes of something new that is there already.
const DUPLICATES: &str = "$duplicates";

/// A question, in all the forms a request may bring it.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// The query string of the URL.
    pub(super) url: String,
    /// A JSON object.
    pub(super) json: Option<String>,
    /// A message.
    pub(super) find: Option<pb::Find>,
}

impl Asked {
    /// What a URL asks.
    pub(super) fn url(url: String) -> Self {
        Self {
            url,
            ..Self::default()
        }
    }

    /// The question of an export, which has neither pages nor an order, and its format.
    pub(super) fn of_export(self, takes: Takes) -> Result<(pb::Find, Option<String>)> {
        let mut tree = brackets::parse(&self.url)?;
        let format = tree.remove("$format");
        let format = format.and_then(|format| format.as_str().map(str::to_owned));
        let told = read::find(tree, takes)?;
        let find = match self.find {
            Some(typed) => both(told, typed)?,
            None => told,
        };
        let paged = find.limit.is_some() || find.skip.is_some() || find.after.is_some();
        if paged || !find.sort.is_empty() {
            let words = "An export has all records, by id: $limit, $skip, $after and $sort do not go with it";
            return Err(Error::invalid(words));
        }
        Ok((find, format))
    }

    /// Whether the URL of something new asks that what is there already is refused.
    pub(super) fn refuses_duplicates(&self) -> Result<bool> {
        let mut refuses = false;
        for (name, value) in brackets::parse(&self.url)? {
            match (name.as_str(), value.as_str()) {
                (DUPLICATES, Some("refuse")) => refuses = true,
                (DUPLICATES, Some("allow")) => refuses = false,
                (DUPLICATES, _) => {
                    let words = "$duplicates must be refuse or allow";
                    return Err(Error::invalid_field(DUPLICATES, words));
                }
                // What is made is answered whole.
                ("$select", _) => {}
                (name, _) => {
                    let words = format!("{name} is no parameter of this method");
                    return Err(Error::invalid_field(name, words));
                }
            }
        }
        Ok(refuses)
    }

    /// The question: what the URL says wins over the JSON, and the message's conditions
    /// hold beside theirs.
    pub(super) fn read(self, takes: Takes) -> Result<pb::Find> {
        let mut tree: Map<String, Value> = match &self.json {
            Some(text) => serde_json::from_str(text)
                .map_err(|_| Error::invalid_field("query", "query must be an object"))?,
            None => Map::new(),
        };
        for (name, value) in brackets::parse(&self.url)? {
            tree.insert(name, value);
        }
        let told = read::find(tree, takes)?;
        Ok(match self.find {
            Some(typed) => both(told, typed)?,
            None => told,
        })
    }
}

/// A member has this value.
pub(super) fn equal(field: &str, value: pb::operand::Kind) -> pb::Filter {
    pb::Filter {
        kind: Some(pb::filter::Kind::Compare(pb::Comparison {
            field: field.to_owned(),
            operator: pb::Operator::Equal.into(),
            values: vec![pb::Operand { kind: Some(value) }],
        })),
    }
}

/// A question that leaves out records in which a member has one of these texts.
pub(super) fn without(find: Option<pb::Find>, field: &str, texts: Vec<String>) -> Option<pb::Find> {
    if texts.is_empty() {
        return find;
    }
    let operand = |text| pb::Operand {
        kind: Some(pb::operand::Kind::Text(text)),
    };
    let others = pb::Filter {
        kind: Some(pb::filter::Kind::Compare(pb::Comparison {
            field: field.to_owned(),
            operator: pb::Operator::NotIn.into(),
            values: texts.into_iter().map(operand).collect(),
        })),
    };
    let mut find = find.unwrap_or_default();
    let filters = find.filter.take().into_iter().chain([others]);
    find.filter = read::group(filters.collect());
    Some(find)
}

/// Two questions at once: what both ask holds. Of orders and pages the first one's win.
pub(super) fn both(told: pb::Find, typed: pb::Find) -> Result<pb::Find> {
    let filters = told.filter.into_iter().chain(typed.filter);
    let or = |own: Vec<pb::Sort>, other: Vec<pb::Sort>| if own.is_empty() { other } else { own };
    let waiting = [told.waiting_response_only, typed.waiting_response_only];
    Ok(pb::Find {
        filter: read::group(filters.collect()),
        sort: or(told.sort, typed.sort),
        select: match told.select.is_empty() {
            true => typed.select,
            false => told.select,
        },
        limit: told.limit.or(typed.limit),
        skip: told.skip.or(typed.skip),
        after: told.after.or(typed.after),
        search_term: match (told.search_term, typed.search_term) {
            (Some(one), Some(other)) => Some(format!("{one} {other}")),
            (one, other) => one.or(other),
        },
        tag: once("tag_id", told.tag, typed.tag)?,
        join: told.join.or(typed.join),
        message_search_term: once(
            "messageSearchTerm",
            told.message_search_term,
            typed.message_search_term,
        )?,
        waiting_response_only: waiting.into_iter().flatten().max(),
        view: once("view_id", told.view, typed.view)?,
    })
}

/// What two questions ask, if they ask the same.
fn once<T: PartialEq>(name: &str, one: Option<T>, other: Option<T>) -> Result<Option<T>> {
    match (one, other) {
        (Some(one), Some(other)) if one != other => {
            let words = format!("{name} is asked for twice, and not alike");
            Err(Error::invalid_field(name, words))
        }
        (one, other) => Ok(one.or(other)),
    }
}
