//! Writing the rows of a part.

use futures_util::future::BoxFuture;
use prost::Message as _;

use super::super::column::Record as _;
use super::super::known::told;
use super::super::resource::{Context, Resource};
use super::super::store::{self, How, Row};
use super::rows::rows;
use super::{Line, Options, Report};
use crate::api::apex::crm::v1 as pb;
use crate::db::Tx;
use crate::error::{Error, Result};

/// Writes the rows of a part of a file.
pub(in super::super) type Import =
    for<'t> fn(&'t Tx, &'t Context, &'t Options, (i64, Vec<u8>)) -> BoxFuture<'t, Result<Report>>;

/// Undoes what a part did; answers how many records were put back or removed.
pub(in super::super) type Undo =
    for<'t> fn(&'t Tx, &'t Context, &'t Report) -> BoxFuture<'t, Result<i64>>;

/// Writes the rows of a part of a file, and says what became of each.
pub(in super::super) async fn import<R: Resource>(
    tx: &Tx,
    context: &Context,
    options: &Options,
    (first, body): (i64, Vec<u8>),
) -> Result<Report> {
    let fields = store::fields::<R>(tx, context).await?;
    let rows = rows::<R::Record>(options, &fields, (first, &body))?;
    let (numbers, given): (Vec<i64>, Vec<Result<R::Record>>) = rows.into_iter().unzip();
    let how = How {
        by: options.by.as_deref(),
        needs_key: false,
        changes: !options.keep,
    };
    let done = store::upsert::<R>(tx, context, how, given).await?;
    let lines = numbers.into_iter().zip(done);
    Ok(Report {
        lines: lines.map(|(number, row)| line::<R>(number, row)).collect(),
        at: context.now,
    })
}

fn line<R: Resource>(number: i64, row: Row<R::Record>) -> Line {
    let (before, custom) = match &row {
        Row::Updated { old, custom, .. } => (Some(old.encode_to_vec()), custom.clone()),
        Row::Created(_) | Row::Unchanged(_) | Row::Refused(_) => (None, None),
    };
    let (outcome, record, errors) = told(row);
    Line {
        told: Some(pb::ListImportRowsResponse {
            row: number,
            outcome: outcome.into(),
            record_id: record.map(|record| record.id()),
            errors,
        }),
        before,
        custom,
    }
}

impl Report {
    /// Reads what a part says of its rows.
    pub(super) fn read(bytes: &[u8]) -> Result<Self> {
        Self::decode(bytes).map_err(Error::internal)
    }

    /// What is said of rows that cannot be written, nobody knows why.
    pub(super) fn refusing(first: i64, rows: i64, at: i64) -> Self {
        let line = |row| Line {
            told: Some(pb::ListImportRowsResponse {
                row,
                outcome: pb::Outcome::Failed.into(),
                record_id: None,
                errors: vec![pb::RowError {
                    path: String::new(),
                    message: "The row could not be written".to_owned(),
                }],
            }),
            before: None,
            custom: None,
        };
        Self {
            lines: (first..first.saturating_add(rows)).map(line).collect(),
            at,
        }
    }

    /// How many records were made, changed, left as they were, and refused.
    pub(super) fn counts(&self) -> [i64; 4] {
        let told = self.lines.iter().filter_map(|line| line.told.as_ref());
        let outcomes: Vec<pb::Outcome> = told.map(pb::ListImportRowsResponse::outcome).collect();
        super::super::known::count(outcomes.iter())
    }
}
