//! Imports: a file is kept in parts as it comes, and once all of it is there one part
//! after the other is written, each in a transaction that also says what became of its
//! rows. So whatever stops the server, the work goes on where it was.

mod heading;
mod job;
mod part;
mod receive;
mod rows;
mod split;
mod undo;
mod work;

use serde::{Deserialize, Serialize};

use super::column::Column;
use crate::api::apex::crm::v1 as pb;
use crate::error::{Error, Result};

pub(super) use job::Job;
pub(super) use part::{Import, Undo, import};
pub(super) use receive::receive;
pub(super) use undo::undo;
pub(super) use work::{begin_to_undo, report, work};

/// What a file is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Format {
    /// Cells, below a line of headings.
    Csv,
    /// A JSON object in each line.
    Ndjson,
}

impl Format {
    /// The format a caller names, or else the type of the body.
    fn of(name: &str, content_type: &str) -> Result<Self> {
        let lines = [
            "application/x-ndjson",
            "application/jsonl",
            "application/ndjson",
        ];
        match name {
            "csv" => Ok(Self::Csv),
            "ndjson" => Ok(Self::Ndjson),
            "" if lines.iter().any(|kind| content_type.starts_with(kind)) => Ok(Self::Ndjson),
            "" => Ok(Self::Csv),
            _ => {
                let words = "format must be csv or ndjson";
                Err(Error::invalid_field("format", words))
            }
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
        }
    }
}

/// How the rows of a file are taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Options {
    format: Format,
    by: Option<String>,
    keep: bool,
    delimiter: u8,
    /// What the cells of a row are, of CSV.
    headings: Vec<Option<String>>,
    /// What members are called otherwise, of NDJSON.
    names: std::collections::BTreeMap<String, Option<String>>,
}

/// What became of the rows of a part, and what undoes it.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Report {
    #[prost(message, repeated, tag = "1")]
    lines: Vec<Line>,
    /// When they were written.
    #[prost(int64, tag = "2")]
    at: i64,
}

/// What became of a row.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Line {
    #[prost(message, optional, tag = "1")]
    told: Option<pb::ListImportRowsResponse>,
    /// What the record was, if it was changed.
    #[prost(bytes = "vec", optional, tag = "2")]
    before: Option<Vec<u8>>,
    /// Its custom fields, by number.
    #[prost(string, optional, tag = "3")]
    custom: Option<String>,
}

/// Whether callers write a column.
fn is_given(column: &Column) -> bool {
    use super::column::Access;
    matches!(column.access, Access::Caller | Access::Create)
}
