//! Erasing: one transaction takes a user or a memory out of every table, and what is in
//! memory goes with it. What SQLite frees meanwhile is overwritten, and its log written
//! back, so that the bytes are gone too.

use std::sync::atomic::Ordering;

use sea_orm::{ConnectionTrait as _, DbBackend};

use super::Memory;
use super::replay;
use super::user::{self, User};
use crate::api::apex::memory::v1 as pb;
use crate::auth::OrganizationId;
use crate::db::Tx;
use crate::db::sql::{execute, row};
use crate::error::{Error, Result};
use crate::server::Call;

/// Tables of what belongs to a user.
const TABLES: [&str; 7] = [
    "memory_node",
    "memory_index",
    "memory_vector",
    "memory_entity",
    "memory_edge",
    "memory_event",
    "memory_suppression",
];

impl Memory {
    pub(super) async fn erase(
        &self,
        call: &Call,
        request: pb::DeleteUserRequest,
    ) -> Result<pb::DeleteUserResponse> {
        let organization = call.organization()?;
        let key = (organization, request.user_id.clone());
        let resident = self.0.residents.of(&key);
        let _turn = resident.turn.lock().await;
        let user_id = request.user_id;
        let answer = self.0.db.answer(call.attempt(), move |tx| {
            Box::pin(async move {
                let nodes_deleted = match user::find(tx, organization, &user_id).await? {
                    Some(user) => erase(tx, organization, &user).await?,
                    None => 0,
                };
                Ok(pb::DeleteUserResponse {
                    status: "deleted".to_owned(),
                    user_id,
                    nodes_deleted,
                })
            })
        });
        let answer = answer.await;
        // Whatever became of it, what is in memory is read again.
        self.0.residents.forget(&key);
        let answer = answer?;
        self.write_back().await;
        Ok(answer)
    }

    pub(super) async fn erase_node(
        &self,
        call: &Call,
        request: pb::DeleteNodeRequest,
    ) -> Result<pb::DeleteNodeResponse> {
        let organization = call.organization()?;
        let id = request.node_id;
        let whose = std::sync::Arc::new(std::sync::OnceLock::new());
        let told = whose.clone();
        let answer = self.0.db.answer(call.attempt(), move |tx| {
            Box::pin(async move {
                let user_id = erase_node(tx, organization, &id).await?;
                let _ = told.set(user_id);
                Ok(pb::DeleteNodeResponse {
                    status: "deleted".to_owned(),
                    node_id: id,
                })
            })
        });
        let answer = answer.await?;
        if let Some(user_id) = whose.get() {
            self.0.residents.forget(&(organization, user_id.clone()));
        }
        self.write_back().await;
        Ok(answer)
    }

    /// Empties the log of the embedded database into its file. Where readers are in the
    /// way it is tried again.
    pub(super) async fn write_back(&self) {
        let done = matches!(self.0.db.write_back().await, Ok(true));
        self.0.lingering.store(!done, Ordering::Relaxed);
    }

    /// Tries again what could not be written back.
    pub(super) async fn write_back_again(&self) {
        if self.0.lingering.load(Ordering::Relaxed) {
            self.write_back().await;
        }
    }
}

/// Has SQLite overwrite what is freed, also where that costs pages.
async fn thoroughly(tx: &Tx, on: bool) -> Result<()> {
    if tx.get_database_backend() == DbBackend::Sqlite {
        let word = if on { "on" } else { "fast" };
        tx.execute_unprepared(&format!("PRAGMA secure_delete = {word}"))
            .await?;
    }
    Ok(())
}

/// Takes a user out of every table; answers how many memories there were.
pub(super) async fn erase(tx: &Tx, organization: OrganizationId, user: &User) -> Result<i64> {
    thoroughly(tx, true).await?;
    // First: who writes to the user meanwhile has the row, and is waited for.
    let sql = "DELETE FROM memory_user WHERE number = $1";
    if execute(tx, sql, [user.number.into()]).await? == 0 {
        // Somebody else was faster.
        thoroughly(tx, false).await?;
        return Ok(0);
    }
    replay::erase(tx, user.number).await?;
    let mut nodes = 0;
    for table in TABLES {
        let sql = format!("DELETE FROM {table} WHERE user_number = $1");
        let gone = execute(tx, &sql, [user.number.into()]).await?;
        if table == "memory_node" {
            nodes = gone;
        }
    }
    let sql = "UPDATE memory_tenant SET users = users - 1 WHERE organization_id = $1";
    execute(tx, sql, [organization.into()]).await?;
    thoroughly(tx, false).await?;
    Ok(nodes as i64)
}

/// Takes a memory out, and what only it named; answers whose it was.
async fn erase_node(tx: &Tx, organization: OrganizationId, id: &str) -> Result<String> {
    let sql = "SELECT node.number, node.user_number, own.user_id \
               FROM memory_node node JOIN memory_user own ON own.number = node.user_number \
               WHERE node.id = $1 AND node.organization_id = $2";
    let found = row(tx, sql, [id.into(), organization.into()]).await?;
    let found = found.ok_or_else(|| Error::not_found("Memory not found"))?;
    let (node, user): (i64, i64) = (
        found.try_get("", "number")?,
        found.try_get("", "user_number")?,
    );
    let sql = "UPDATE memory_user SET version = version + 1, nodes = nodes - 1 WHERE number = $1";
    execute(tx, sql, [user.into()]).await?;
    thoroughly(tx, true).await?;
    // Answers kept for repeats may tell of it.
    replay::erase(tx, user).await?;
    let own = [user.into(), node.into()];
    let sql = "DELETE FROM memory_node WHERE user_number = $1 AND number = $2";
    if execute(tx, sql, own.clone()).await? == 0 {
        return Err(Error::not_found("Memory not found"));
    }
    for table in ["memory_index", "memory_vector", "memory_event"] {
        let sql = format!("DELETE FROM {table} WHERE user_number = $1 AND node = $2");
        execute(tx, &sql, own.clone()).await?;
    }
    let sql = "DELETE FROM memory_entity WHERE user_number = $1 AND number IN \
               (SELECT entity FROM memory_edge WHERE user_number = $1 AND node = $2) \
               AND NOT EXISTS (SELECT 1 FROM memory_edge edge WHERE edge.user_number = $1 \
               AND edge.entity = memory_entity.number AND edge.node <> $2)";
    execute(tx, sql, own.clone()).await?;
    let sql = "DELETE FROM memory_edge WHERE user_number = $1 AND node = $2";
    execute(tx, sql, own).await?;
    thoroughly(tx, false).await?;
    Ok(found.try_get("", "user_id")?)
}
