//! Working on imports: one part of one of them at a time, the one that waits longest
//! first, so that a long one does not keep the others waiting.

use std::time::Duration;

use prost::Message as _;
use sea_orm::Value;

use super::super::Crm;
use super::super::resource::Context;
use super::{Job, Report};
use crate::api::apex::crm::v1 as pb;
use crate::clock::MICROS;
use crate::db::sql::{execute, row, rows};
use crate::db::{Read, Tx};
use crate::error::{Error, Kind, Result};

/// How long to wait when there is nothing to do, or it cannot be done.
const IDLE: Duration = Duration::from_secs(2);
/// How long a file that does not come is waited for.
const LOST: i64 = 24 * 3600 * MICROS;

/// Works on imports for as long as the server runs.
pub(in super::super) async fn work(crm: Crm) {
    loop {
        match step(&crm).await {
            Ok(true) => {}
            Ok(false) => {
                let _ = tokio::time::timeout(IDLE, crm.0.wake.notified()).await;
            }
            Err(error) => {
                tracing::warn!(%error, cause = error.log_cause(), "cannot work on an import");
                tokio::time::sleep(IDLE).await;
            }
        }
    }
}

/// Works on a part, if there is one.
async fn step(crm: &Crm) -> Result<bool> {
    let read = crm.db().read(None).await?;
    let lost = "SELECT id FROM crm_import WHERE status = 'receiving' AND updated_at < $1 LIMIT 1";
    let lost = row(&read, lost, [(crm.now() - LOST).into()]).await?;
    let next = Job::next(&read).await?;
    drop(read);
    if let Some(lost) = lost {
        let id: i64 = lost.try_get("", "id")?;
        crm.db()
            .write(move |tx| Box::pin(Job::forget(tx, id)))
            .await?;
    }
    let Some(id) = next else {
        return Ok(false);
    };
    let now = crm.whole_now();
    let work = crm.db().write(move |tx| Box::pin(work_on(tx, id, now)));
    match work.await {
        Err(error) if error.kind() != Kind::Unavailable => {
            let cause = error.log_cause();
            tracing::warn!(import = id, %error, cause, "cannot work on a part of an import");
            crm.db()
                .write(move |tx| Box::pin(pass_over(tx, id, now)))
                .await
        }
        done => done,
    }
}

/// Works on the next part of an import; answers whether there may be more to do.
async fn work_on(tx: &Tx, id: i64, now: i64) -> Result<bool> {
    let Some(job) = Job::claim(tx, id).await? else {
        // Another node is at it.
        return Ok(false);
    };
    match job.status.as_str() {
        "queued" | "running" => match Part::next(tx, &job).await? {
            Some(part) => {
                let import = job.entry()?.import;
                let import =
                    import.ok_or_else(|| Error::internal("nothing is imported into this"))?;
                let (context, piece) = (job.context(now), (part.first, part.body.clone()));
                let report = import(tx, &context, &job.options, piece).await?;
                part.told(tx, &job, report, now).await?;
            }
            None => job.set(tx, "done", now).await?,
        },
        "undoing" => take_back(tx, &job, now).await?,
        _ => {}
    }
    Ok(true)
}

/// Passes over a part that cannot be written, and says so of its rows: what comes after
/// it, and the imports of others, would wait for ever.
async fn pass_over(tx: &Tx, id: i64, now: i64) -> Result<bool> {
    let Some(job) = Job::claim(tx, id).await? else {
        return Ok(false);
    };
    let writes = matches!(job.status.as_str(), "queued" | "running");
    let part = match writes {
        true => Part::next(tx, &job).await?,
        false => None,
    };
    let Some(part) = part else {
        // It is tried again once it is its turn.
        job.set(tx, &job.status, now).await?;
        return Ok(false);
    };
    let report = Report::refusing(part.first, part.rows, now);
    part.told(tx, &job, report, now).await?;
    Ok(true)
}

/// Rows of a file that are written together.
struct Part {
    number: i64,
    first: i64,
    rows: i64,
    body: Vec<u8>,
}

impl Part {
    /// The next one that is to be written.
    async fn next(tx: &Tx, job: &Job) -> Result<Option<Self>> {
        let sql = "SELECT number, first_row, row_count, body FROM crm_import_part \
                   WHERE import = $1 AND report IS NULL ORDER BY number LIMIT 1";
        let Some(row) = row(tx, sql, [job.id.into()]).await? else {
            return Ok(None);
        };
        let body: Option<Vec<u8>> = row.try_get("", "body")?;
        Ok(Some(Self {
            number: row.try_get("", "number")?,
            first: row.try_get("", "first_row")?,
            rows: row.try_get("", "row_count")?,
            body: body.unwrap_or_default(),
        }))
    }

    /// Keeps what became of its rows.
    async fn told(&self, tx: &Tx, job: &Job, report: Report, now: i64) -> Result<()> {
        let [created, updated, unchanged, failed] = report.counts();
        let sql = "UPDATE crm_import_part SET body = NULL, report = $1 \
                   WHERE import = $2 AND number = $3";
        let report = report.encode_to_vec();
        let values = [report.into(), job.id.into(), self.number.into()];
        execute(tx, sql, values).await?;
        let sql = "UPDATE crm_import SET status = CASE WHEN processed_rows + $1 >= total_rows \
                   THEN 'done' ELSE 'running' END, processed_rows = processed_rows + $1, \
                   created_count = created_count + $2, updated_count = updated_count + $3, \
                   unchanged_count = unchanged_count + $4, failed_count = failed_count + $5, \
                   updated_at = $6 WHERE id = $7";
        let values: [Value; 7] = [
            self.rows.into(),
            created.into(),
            updated.into(),
            unchanged.into(),
            failed.into(),
            now.into(),
            job.id.into(),
        ];
        execute(tx, sql, values).await?;
        Ok(())
    }
}

/// Undoes the last part that was written and not undone.
async fn take_back(tx: &Tx, job: &Job, now: i64) -> Result<()> {
    let sql = "SELECT number, report FROM crm_import_part WHERE import = $1 AND undone = 0 \
               AND report IS NOT NULL ORDER BY number DESC LIMIT 1";
    let Some(part) = row(tx, sql, [job.id.into()]).await? else {
        let rest = "UPDATE crm_import_part SET body = NULL WHERE import = $1";
        execute(tx, rest, [job.id.into()]).await?;
        return job.set(tx, "undone", now).await;
    };
    let (number, report): (i64, Vec<u8>) =
        (part.try_get("", "number")?, part.try_get("", "report")?);
    let report = Report::read(&report)?;
    let undo = job.entry()?.undo;
    let undo = undo.ok_or_else(|| Error::internal("nothing is imported into this"))?;
    let context = job.context(job.undone_at.unwrap_or(now));
    let undone = undo(tx, &context, &report).await?;
    let sql = "UPDATE crm_import_part SET undone = 1 WHERE import = $1 AND number = $2";
    execute(tx, sql, [job.id.into(), number.into()]).await?;
    let sql = "UPDATE crm_import SET undone_count = undone_count + $1, updated_at = $2 \
               WHERE id = $3";
    execute(tx, sql, [undone.into(), now.into(), job.id.into()]).await?;
    Ok(())
}

/// Begins to undo an import.
pub(in super::super) async fn begin_to_undo(tx: &Tx, context: &Context, id: i64) -> Result<()> {
    let sql = "UPDATE crm_import SET status = 'undoing', undone_at = $1, updated_at = $1, \
               undone_by_user_id = $2, undone_by_key = $3, undone_by_request = $4 \
               WHERE organization_id = $5 AND id = $6 AND status IN ('queued', 'running', 'done')";
    let values: [Value; 6] = [
        context.now.into(),
        context.user.into(),
        context.key.as_deref().into(),
        context.request.as_deref().into(),
        context.organization.into(),
        id.into(),
    ];
    execute(tx, sql, values).await?;
    Ok(())
}

/// What became of the rows of the next part behind one that was told of.
pub(in super::super) async fn report(
    read: &Read,
    (id, after): (i64, i64),
) -> Result<Option<(i64, Vec<pb::ListImportRowsResponse>)>> {
    let sql = "SELECT number, report FROM crm_import_part WHERE import = $1 AND number > $2 \
               AND report IS NOT NULL ORDER BY number LIMIT 1";
    let found = rows(read, sql, [id.into(), after.into()]).await?;
    let Some(part) = found.first() else {
        return Ok(None);
    };
    let (number, report): (i64, Vec<u8>) =
        (part.try_get("", "number")?, part.try_get("", "report")?);
    let lines = Report::read(&report)?.lines.into_iter();
    Ok(Some((number, lines.filter_map(|line| line.told).collect())))
}
