//! Exports: all records of a resource that a filter finds, page by page in the order of
//! their ids, so that what is written meanwhile neither hides nor repeats any.

use bytes::Bytes;
use futures_util::stream;
use serde_json::{Map, Value as Json};

use super::Crm;
use super::column::Column;
use super::custom::Fields;
use super::query::Asked;
use super::query::read::CUSTOM;
use super::resource::Context;
use super::resources::{ALL, Entry};
use super::serve::permit;
use super::spreadsheet::guarded;
use super::store::json_of;
use crate::api::ExportService;
use crate::api::apex::crm::v1 as pb;
use crate::api::google::api::HttpBody;
use crate::error::{Error, Result};
use crate::server::{Call, Replies};

/// Records of a piece.
pub(super) const PAGE: i64 = 500;

/// An export on its way.
struct Export {
    crm: Crm,
    call: Call,
    context: Context,
    entry: &'static Entry,
    find: pb::Find,
    /// The members of a row; none, where each is an object.
    headings: Option<Vec<String>>,
    after: i64,
    first: bool,
}

impl ExportService for Crm {
    async fn export_records(
        &self,
        call: Call,
        request: pb::ExportRecordsRequest,
    ) -> Result<Replies<HttpBody>> {
        let known = ALL.iter().find(|entry| entry.name == request.resource);
        let entry = known.ok_or_else(|| Error::not_found("There is no such resource"))?;
        permit(&call, "view", entry.name)?;
        let context = self.context(&call)?;
        let asked = Asked {
            url: request.url_query,
            json: None,
            find: request.find,
        };
        let (find, format) = asked.of_export(entry.takes)?;
        let format = format.unwrap_or(request.format);
        let headings = match format.as_str() {
            "" | "csv" => Some(self.headings(&call, &context, entry, &find).await?),
            "ndjson" => None,
            _ => {
                let words = "format must be csv or ndjson";
                return Err(Error::invalid_field("format", words));
            }
        };
        let mut export = Export {
            crm: self.clone(),
            call,
            context,
            entry,
            find,
            headings,
            after: 0,
            first: true,
        };
        // What is wrong with the question is told before anything is sent.
        let first = export.piece().await?;
        let state = first.map(|first| (first, export));
        Ok(Box::pin(stream::unfold(state, |state| async move {
            let (piece, mut export) = state?;
            Some(match export.piece().await {
                Ok(next) => (Ok(piece), next.map(|next| (next, export))),
                Err(error) => (Err(export.call.status_of(error)), None),
            })
        })))
    }
}

impl Crm {
    /// The members of a row: columns, and custom fields by their names.
    async fn headings(
        &self,
        call: &Call,
        context: &Context,
        entry: &Entry,
        find: &pb::Find,
    ) -> Result<Vec<String>> {
        let columns = entry
            .columns
            .iter()
            .map(|column: &Column| column.shown.unwrap_or(column.name).to_owned());
        let mut headings: Vec<String> = columns.collect();
        if let Some(entity) = entry.entity {
            let read = self.db().read(call.deadline()).await?;
            let fields = Fields::read(&read, context.organization, entity).await?;
            headings.extend(fields.names().map(|name| format!("{CUSTOM}.{name}")));
        }
        let wanted = |name: &String| {
            let member = name
                .split_once('.')
                .map_or(name.as_str(), |(member, _)| member);
            member == "id" || find.select.iter().any(|own| own == member)
        };
        headings.retain(|name| find.select.is_empty() || wanted(name));
        Ok(headings)
    }
}

impl Export {
    /// The next piece of the file; none behind the last.
    async fn piece(&mut self) -> Result<Option<HttpBody>> {
        let read = self.crm.db().read(self.call.deadline()).await?;
        let page = (self.entry.walk)(&read, &self.context, &self.find, self.after).await?;
        let mut out = Vec::new();
        if std::mem::take(&mut self.first) {
            if let Some(headings) = &self.headings {
                row(
                    &mut out,
                    headings.iter().map(|heading| guarded(heading).into_owned()),
                );
            }
        } else if page.is_empty() {
            return Ok(None);
        }
        for (number, wire) in page {
            self.after = number;
            let json = json_of(self.entry.message, &wire)?;
            match &self.headings {
                None => {
                    out.extend_from_slice(&json);
                    out.push(b'\n');
                }
                Some(headings) => {
                    let record: Map<String, Json> =
                        serde_json::from_slice(&json).map_err(Error::internal)?;
                    row(
                        &mut out,
                        headings.iter().map(|heading| text(&record, heading)),
                    );
                }
            }
        }
        let content_type = match self.headings {
            Some(_) => "text/csv; charset=utf-8",
            None => "application/x-ndjson",
        };
        Ok(Some(HttpBody {
            content_type: content_type.to_owned(),
            data: Bytes::from(out),
            ..Default::default()
        }))
    }
}

/// A member as a cell.
fn text(record: &Map<String, Json>, heading: &str) -> String {
    let value = match heading.split_once('.') {
        Some((member, label)) => record.get(member).and_then(|custom| custom.get(label)),
        None => record.get(heading),
    };
    match value {
        None | Some(Json::Null) => String::new(),
        Some(Json::String(text)) => guarded(text).into_owned(),
        Some(other) => guarded(&other.to_string()).into_owned(),
    }
}

/// Cells in a line, as RFC 4180 has it.
fn row(out: &mut Vec<u8>, cells: impl Iterator<Item = String>) {
    for (at, cell) in cells.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        if cell.contains(['"', ',', '\n', '\r', ';']) {
            out.push(b'"');
            out.extend_from_slice(cell.replace('"', "\"\"").as_bytes());
            out.push(b'"');
        } else {
            out.extend_from_slice(cell.as_bytes());
        }
    }
    out.extend_from_slice(b"\r\n");
}
