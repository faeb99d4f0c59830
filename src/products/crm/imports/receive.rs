//! Taking a file in.

use std::fmt::Write as _;

use futures_util::StreamExt as _;
use sea_orm::Value;
use sha2::{Digest as _, Sha256};

use super::super::Crm;
use super::super::custom::Fields;
use super::super::resource::Context;
use super::super::serve::permit;
use super::job::{Job, entry};
use super::split::{Part, Splitter};
use super::{Format, Options, heading};
use crate::api::apex::crm::v1 as pb;
use crate::db::sql::{execute, row};
use crate::error::{Error, Kind, Result};
use crate::server::{Call, Requests};

/// Most bytes of a line of headings.
const HEADINGS: usize = 64 * 1024;

/// Takes a file in; answers the number of its import, and whether it is a new one.
pub(in super::super) async fn receive(
    crm: &Crm,
    call: &Call,
    mut requests: Requests<pb::CreateImportRequest>,
) -> Result<(i64, bool)> {
    let context = crm.context(call)?;
    let first = requests.next().await;
    let first = first.ok_or_else(|| Error::invalid("The file is empty"))??;
    let bytes = first.file.as_ref().map(|file| file.data.clone());
    let mut intake = Intake::begin(crm, context, first).await?;
    for verb in ["create", "update"] {
        permit(call, verb, intake.resource)?;
    }
    let outcome = intake.all(&bytes.unwrap_or_default(), &mut requests).await;
    if let (Err(_), Some(id)) = (&outcome, intake.id) {
        // Nothing was written of it, and nobody goes on with it.
        let forgotten = crm.db().write(move |tx| Box::pin(Job::forget(tx, id)));
        forgotten.await?;
    }
    outcome
}

struct Intake<'c> {
    crm: &'c Crm,
    context: Context,
    resource: &'static str,
    name: String,
    fields: Fields,
    options: Options,
    mapping: std::collections::BTreeMap<String, Option<String>>,
    digest: Sha256,
    /// What came before there were headings.
    head: Vec<u8>,
    /// Once there were headings.
    splitter: Option<Splitter>,
    id: Option<i64>,
    received: i64,
    parts: i64,
    rows: i64,
}

impl<'c> Intake<'c> {
    async fn begin(crm: &'c Crm, context: Context, first: pb::CreateImportRequest) -> Result<Self> {
        let resource = match first.resource.as_str() {
            "" => "contacts",
            named => named,
        };
        let entry = entry(resource)?;
        let kind = first.file.as_ref().map_or("", |file| &file.content_type);
        let format = Format::of(&first.format, kind)?;
        let by = (!first.by.is_empty()).then(|| first.by.clone());
        if by.as_deref().is_some_and(|by| !entry.keys.contains(&by)) {
            let words = format!("by must be one of {}", entry.keys.join(", "));
            return Err(Error::invalid_field("by", words));
        }
        let mapping = heading::mapping(first.mapping.as_deref())?;
        let read = crm.db().read(None).await?;
        let fields = match entry.entity {
            Some(entity) => Fields::read(&read, context.organization, entity).await?,
            None => Fields::default(),
        };
        let names = match format {
            Format::Csv => Default::default(),
            Format::Ndjson => {
                let line: Vec<String> = mapping.keys().cloned().collect();
                if !line.is_empty() {
                    heading::headings(&line, &mapping, entry.columns, &fields)?;
                }
                mapping.clone()
            }
        };
        Ok(Self {
            crm,
            context,
            resource: entry.name,
            name: first.name,
            fields,
            options: Options {
                format,
                by,
                keep: first.keep,
                delimiter: b',',
                headings: Vec::new(),
                names,
            },
            mapping,
            digest: Sha256::new(),
            head: Vec::new(),
            splitter: None,
            id: None,
            received: 0,
            parts: 0,
            rows: 0,
        })
    }

    async fn all(
        &mut self,
        first: &[u8],
        requests: &mut Requests<pb::CreateImportRequest>,
    ) -> Result<(i64, bool)> {
        self.piece(first).await?;
        while let Some(piece) = requests.next().await {
            self.piece(&piece?.file.unwrap_or_default().data).await?;
        }
        self.finish().await
    }

    async fn piece(&mut self, bytes: &[u8]) -> Result<()> {
        self.digest.update(bytes);
        self.received += bytes.len() as i64;
        match &mut self.splitter {
            Some(splitter) => splitter.take(bytes)?,
            None => {
                self.head.extend_from_slice(bytes);
                self.open(false).await?;
            }
        }
        self.keep().await
    }

    /// Begins with the rows, once the headings are there.
    async fn open(&mut self, last: bool) -> Result<()> {
        const MARK: &[u8] = b"\xEF\xBB\xBF";
        if self.head.len() < MARK.len() && !last {
            return Ok(());
        }
        let mark = if self.head.starts_with(MARK) {
            MARK.len()
        } else {
            0
        };
        let mut start = mark;
        if self.options.format == Format::Csv {
            let Some((line, length, delimiter)) = first_line(&self.head[mark..], last) else {
                if self.head.len() > HEADINGS {
                    let words = "The line of headings is too long";
                    return Err(Error::invalid_field("file", words));
                }
                return Ok(());
            };
            start += length;
            let columns = entry(self.resource)?.columns;
            let meant = heading::headings(&line, &self.mapping, columns, &self.fields)?;
            self.options.headings = meant;
            self.options.delimiter = delimiter;
        }
        let (context, options) = (self.context.clone(), self.options.clone());
        let (resource, name) = (self.resource, self.name.clone());
        let made = self.crm.db().write(move |tx| {
            Box::pin(async move { Job::make(tx, &context, (resource, &name), &options).await })
        });
        self.id = Some(made.await?);
        let mut splitter = Splitter::new(self.options.format, self.options.delimiter);
        let head = std::mem::take(&mut self.head);
        splitter.take(&head[start..])?;
        self.splitter = Some(splitter);
        Ok(())
    }

    /// Keeps the parts that are whole.
    async fn keep(&mut self) -> Result<()> {
        let (Some(splitter), Some(id)) = (&mut self.splitter, self.id) else {
            return Ok(());
        };
        let mut parts: Vec<(i64, Part)> = Vec::new();
        while let Some(part) = splitter.next() {
            self.parts += 1;
            self.rows += part.rows;
            parts.push((self.parts, part));
        }
        if parts.is_empty() {
            return Ok(());
        }
        let (received, rows, now) = (self.received, self.rows, self.crm.now());
        let kept = self.crm.db().write(move |tx| {
            Box::pin(async move {
                for (number, part) in parts {
                    let sql = "INSERT INTO crm_import_part \
                               (import, number, first_row, row_count, body, undone) \
                               VALUES ($1, $2, $3, $4, $5, 0)";
                    let values: [Value; 5] = [
                        id.into(),
                        number.into(),
                        part.first_row.into(),
                        part.rows.into(),
                        part.body.into(),
                    ];
                    execute(tx, sql, values).await?;
                }
                let sql = "UPDATE crm_import SET received_bytes = $1, total_rows = $2, \
                           updated_at = $3 WHERE id = $4";
                let values = [received.into(), rows.into(), now.into(), id.into()];
                execute(tx, sql, values).await?;
                Ok(())
            })
        });
        kept.await
    }

    /// All of it is there: its rows may be written, unless they were before.
    async fn finish(&mut self) -> Result<(i64, bool)> {
        if self.splitter.is_none() {
            self.open(true).await?;
        }
        if let Some(splitter) = &mut self.splitter {
            splitter.finish();
        }
        self.keep().await?;
        let id = self
            .id
            .ok_or_else(|| Error::invalid_field("file", "The file is empty"))?;
        let digest = self.digest.finalize_reset();
        let digest = digest.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        });
        let (organization, now) = (self.context.organization, self.crm.now());
        let (received, resource) = (self.received, self.resource);
        let options = serde_json::to_string(&self.options).map_err(Error::internal)?;
        let settled = self.crm.db().write(move |tx| {
            Box::pin(async move {
                super::super::store::lock_words(tx, &format!("crm.import.{}", organization.0))
                    .await?;
                let sql = "SELECT id FROM crm_import WHERE organization_id = $1 AND digest = $2 \
                           AND resource = $3 AND options = $4 \
                           AND status IN ('queued', 'running', 'done') ORDER BY id LIMIT 1";
                let values: [Value; 4] = [
                    organization.into(),
                    digest.clone().into(),
                    resource.into(),
                    options.into(),
                ];
                if let Some(known) = row(tx, sql, values).await? {
                    Job::forget(tx, id).await?;
                    return Ok((known.try_get("", "id")?, false));
                }
                let sql = "UPDATE crm_import SET status = 'queued', digest = $1, \
                           received_bytes = $2, updated_at = $3 WHERE id = $4";
                let values = [digest.into(), received.into(), now.into(), id.into()];
                match execute(tx, sql, values).await? {
                    0 => Err(Error::new(Kind::Aborted, "The import was given up")),
                    _ => Ok((id, true)),
                }
            })
        });
        let settled = settled.await?;
        self.crm.wake();
        Ok(settled)
    }
}

/// The cells of the first line, its length, and what sets its cells apart; nothing while
/// the line may go on.
fn first_line(bytes: &[u8], last: bool) -> Option<(Vec<String>, usize, u8)> {
    let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
    let line = &bytes[..end.unwrap_or(bytes.len())];
    if end.is_none() && !last {
        return None;
    }
    let count = |own: u8| line.iter().filter(|byte| **byte == own).count();
    let delimiter = [b',', b';', b'\t']
        .into_iter()
        .rev()
        .max_by_key(|own| count(*own))?;
    let mut reader = csv_core::ReaderBuilder::new().delimiter(delimiter).build();
    let (mut cells, mut ends) = (vec![0; bytes.len() + 1], vec![0; line.len() + 2]);
    let (mut result, mut length, written, mut count) =
        reader.read_record(bytes, &mut cells, &mut ends);
    if last && matches!(result, csv_core::ReadRecordResult::InputEmpty) {
        let rest = reader.read_record(&[], &mut cells[written..], &mut ends[count..]);
        (result, count) = (rest.0, count + rest.3);
        length = bytes.len();
    }
    if !matches!(result, csv_core::ReadRecordResult::Record) {
        return None;
    }
    let mut from = 0;
    let names = ends[..count].iter().map(|end| {
        let cell = cells.get(from..*end).unwrap_or_default();
        from = *end;
        String::from_utf8_lossy(cell).into_owned()
    });
    Some((names.collect(), length, delimiter))
}
