//! One import, as its row has it.

use std::sync::Arc;

use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Value};

use super::super::resource::Context;
use super::super::resources::{ALL, Entry};
use super::Options;
use crate::auth::OrganizationId;
use crate::db::Tx;
use crate::db::sql::{execute, row};
use crate::error::{Error, Result};

/// An import.
#[derive(Debug)]
pub(in super::super) struct Job {
    pub(super) id: i64,
    pub(super) organization: OrganizationId,
    pub(super) resource: String,
    pub(super) status: String,
    pub(super) options: Options,
    pub(super) undone_at: Option<i64>,
    /// Who wants it done, or undone: the user, the API key and the request.
    by: (Option<i64>, Option<String>, Option<String>),
}

const COLUMNS: &str = "id, organization_id, resource, status, options, undone_at, \
                       created_by_user_id, by_key, by_request, \
                       undone_by_user_id, undone_by_key, undone_by_request";

impl Job {
    /// Makes one whose file is about to come.
    pub(super) async fn make(
        tx: &Tx,
        context: &Context,
        (resource, name): (&str, &str),
        options: &Options,
    ) -> Result<i64> {
        let sql = "INSERT INTO crm_import (organization_id, resource, format, name, status, \
                   options, received_bytes, total_rows, processed_rows, created_count, \
                   updated_count, unchanged_count, failed_count, undone_count, \
                   created_by_user_id, by_key, by_request, created_at, updated_at) \
                   VALUES ($1, $2, $3, $4, 'receiving', $5, 0, 0, 0, 0, 0, 0, 0, 0, $6, $7, \
                   $8, $9, $9) RETURNING id";
        let text = serde_json::to_string(options).map_err(Error::internal)?;
        let name = (!name.is_empty()).then(|| name.to_owned());
        let values: [Value; 9] = [
            context.organization.into(),
            resource.into(),
            options.format.word().into(),
            name.into(),
            text.into(),
            context.user.into(),
            context.key.as_deref().into(),
            context.request.as_deref().into(),
            context.now.into(),
        ];
        let made = row(tx, sql, values).await?;
        let made = made.ok_or_else(|| Error::internal("an import has no row"))?;
        Ok(made.try_get("", "id")?)
    }

    fn load(row: &QueryResult) -> Result<Self> {
        let options: String = row.try_get("", "options")?;
        let organization: i64 = row.try_get("", "organization_id")?;
        let status: String = row.try_get("", "status")?;
        let [user, key, request] = match status.as_str() {
            "undoing" => ["undone_by_user_id", "undone_by_key", "undone_by_request"],
            _ => ["created_by_user_id", "by_key", "by_request"],
        };
        Ok(Self {
            id: row.try_get("", "id")?,
            organization: OrganizationId(organization),
            resource: row.try_get("", "resource")?,
            status,
            options: serde_json::from_str(&options).map_err(Error::internal)?,
            undone_at: row.try_get("", "undone_at")?,
            by: (
                row.try_get("", user)?,
                row.try_get("", key)?,
                row.try_get("", request)?,
            ),
        })
    }

    /// The import whose turn it is: the one that waits longest.
    pub(super) async fn next(connection: &impl ConnectionTrait) -> Result<Option<i64>> {
        let sql = "SELECT id FROM crm_import \
                   WHERE status IN ('queued', 'running', 'undoing') ORDER BY updated_at LIMIT 1";
        let found = row(connection, sql, []).await?;
        found.map(|row| Ok(row.try_get("", "id")?)).transpose()
    }

    /// Takes an import to work on, unless another node does.
    pub(super) async fn claim(tx: &Tx, id: i64) -> Result<Option<Self>> {
        let lock = match tx.get_database_backend() {
            DbBackend::Postgres => " FOR UPDATE SKIP LOCKED",
            _ => "",
        };
        let sql = format!("SELECT {COLUMNS} FROM crm_import WHERE id = $1{lock}");
        let found = row(tx, &sql, [id.into()]).await?;
        found.as_ref().map(Self::load).transpose()
    }

    /// Sets how it stands.
    pub(super) async fn set(&self, tx: &Tx, status: &str, now: i64) -> Result<()> {
        let sql = "UPDATE crm_import SET status = $1, updated_at = $2 WHERE id = $3";
        execute(tx, sql, [status.into(), now.into(), self.id.into()]).await?;
        Ok(())
    }

    /// Forgets one whose file did not come.
    pub(super) async fn forget(tx: &Tx, id: i64) -> Result<()> {
        let parts = "DELETE FROM crm_import_part WHERE import = $1";
        execute(tx, parts, [id.into()]).await?;
        execute(tx, "DELETE FROM crm_import WHERE id = $1", [id.into()]).await?;
        Ok(())
    }

    /// For whom and by whom it acts.
    pub(super) fn context(&self, now: i64) -> Context {
        let (user, key, request) = &self.by;
        Context {
            key: key.as_deref().map(Arc::from),
            request: request.as_deref().map(Arc::from),
            ..Context::of(self.organization, *user, now)
        }
    }

    /// What its rows are.
    pub(super) fn entry(&self) -> Result<&'static Entry> {
        entry(&self.resource)
    }
}

/// A resource that files are imported into.
pub(super) fn entry(name: &str) -> Result<&'static Entry> {
    let known = || ALL.iter().filter(|entry| entry.import.is_some());
    known().find(|entry| entry.name == name).ok_or_else(|| {
        let names: Vec<&str> = known().map(|entry| entry.name).collect();
        let words = format!("resource must be one of {}", names.join(", "));
        Error::invalid_field("resource", words)
    })
}
