//! Erasing: one transaction takes a user or a memory out of every table, and what is in
//! memory goes with it. What SQLite frees is overwritten, and its log written back, so that
//! the bytes are gone too.

use std::sync::atomic::Ordering;

use super::Memory;
use super::replay::{self, Told};
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
        let key = (organization, request.user_id);
        let all = || {
            let user_id = key.1.clone();
            self.0.db.answer(call.attempt(), move |tx| {
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
            })
        };
        let answer = self.change(&key, all).await?;
        self.write_back().await;
        Ok(answer)
    }

    pub(super) async fn erase_node(
        &self,
        call: &Call,
        request: pb::DeleteNodeRequest,
    ) -> Result<pb::DeleteNodeResponse> {
        let organization = call.organization()?;
        let read = self.0.db.read(call.deadline()).await?;
        let sql = "SELECT own.user_id FROM memory_node node \
                   JOIN memory_user own ON own.number = node.user_number \
                   WHERE node.id = $1 AND node.organization_id = $2";
        let values = [request.node_id.clone().into(), organization.into()];
        let whose = row(&read, sql, values).await?;
        drop(read);
        // Of a memory that is not there it is nobody's turn.
        let user_id = whose.map_or(Ok(String::new()), |row| row.try_get("", "user_id"))?;
        let one = || {
            let (id, attempt) = (request.node_id.clone(), call.attempt().cloned());
            self.0.db.answer(call.attempt(), move |tx| {
                Box::pin(async move {
                    let user = erase_node(tx, organization, &id).await?;
                    replay::note(tx, user, attempt.as_ref()).await?;
                    Ok(pb::DeleteNodeResponse {
                        status: "deleted".to_owned(),
                        node_id: id,
                    })
                })
            })
        };
        let answer = self.change(&(organization, user_id), one).await?;
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

/// Takes a user out of every table; answers how many memories there were.
pub(super) async fn erase(tx: &Tx, organization: OrganizationId, user: &User) -> Result<i64> {
    // First: who writes to the user meanwhile has the row, and is waited for.
    let sql = "DELETE FROM memory_user WHERE number = $1";
    if execute(tx, sql, [user.number.into()]).await? == 0 {
        // Somebody else was faster.
        return Ok(0);
    }
    replay::erase(tx, user.number, Told::Everything).await?;
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
    Ok(nodes as i64)
}

/// Takes a memory out, and what only it named; answers the number of the user whose it
/// was.
async fn erase_node(tx: &Tx, organization: OrganizationId, id: &str) -> Result<i64> {
    let sql = "SELECT number, user_number FROM memory_node \
               WHERE id = $1 AND organization_id = $2";
    let found = row(tx, sql, [id.into(), organization.into()]).await?;
    let found = found.ok_or_else(|| Error::not_found("Memory not found"))?;
    let (node, user): (i64, i64) = (
        found.try_get("", "number")?,
        found.try_get("", "user_number")?,
    );
    let sql = "UPDATE memory_user SET version = version + 1, nodes = nodes - 1 WHERE number = $1";
    execute(tx, sql, [user.into()]).await?;
    // Answers kept for repeats may tell of it.
    replay::erase(tx, user, Told::Memories).await?;
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
    Ok(user)
}
