//! Topics that are suppressed for a user: what is kept on them is not retrieved, and what
//! comes on them is not stored.

use sea_orm::ConnectionTrait;

use super::Memory;
use super::engine::duplicates;
use super::replay;
use super::user;
use crate::api::apex::memory::v1 as pb;
use crate::db::Tx;
use crate::db::sql::{column, execute, row, rows};
use crate::error::{Error, Result};
use crate::server::Call;

/// Topics of one user, at most.
const MOST: i64 = 100;

impl Memory {
    /// The topics of a user.
    pub(super) async fn suppressed(
        &self,
        call: &Call,
        request: pb::ListSuppressionsRequest,
    ) -> Result<pb::ListSuppressionsResponse> {
        let read = self.0.db.read(call.deadline()).await?;
        let user = user::find(&read, call.organization()?, &request.user_id).await?;
        let suppressed_topics = match user {
            Some(user) => topics(&read, user.number).await?,
            None => Vec::new(),
        };
        Ok(pb::ListSuppressionsResponse {
            user_id: request.user_id,
            suppressed_topics,
        })
    }

    pub(super) async fn suppress(
        &self,
        call: &Call,
        request: pb::CreateSuppressionRequest,
    ) -> Result<pb::CreateSuppressionResponse> {
        let (organization, tier) = self.tenant(call)?;
        let (user_id, topic) = (request.user_id, normal(&request.topic));
        if duplicates::stems(&topic).is_empty() {
            let words = "topic must have a word that says something";
            return Err(Error::invalid_field("topic", words));
        }
        let (users, now) = (self.0.settings.allowance(tier).users, self.now());
        let key = (organization, user_id);
        let suppress = || {
            let (owner, topic, attempt) = (key.1.clone(), topic.clone(), call.attempt().cloned());
            self.0.db.answer(call.attempt(), move |tx| {
                Box::pin(async move {
                    let user = match user::find(tx, organization, &owner).await? {
                        Some(user) => user.number,
                        None => user::make(tx, organization, &owner, users, now).await?,
                    };
                    bump(tx, user).await?;
                    replay::note(tx, user, attempt.as_ref()).await?;
                    let sql = "SELECT COUNT(*) AS n FROM memory_suppression WHERE user_number = $1";
                    let held = row(tx, sql, [user.into()]).await?;
                    let held: i64 = held.map_or(Ok(0), |row| row.try_get("", "n"))?;
                    if held >= MOST {
                        let words = format!("A user has {MOST} suppressed topics at most");
                        return Err(Error::invalid_field("topic", words));
                    }
                    add(tx, user, topic, now).await?;
                    let suppressed_topics = topics(tx, user).await?;
                    Ok(pb::CreateSuppressionResponse {
                        user_id: owner,
                        suppressed_topics,
                    })
                })
            })
        };
        self.change(&key, suppress).await
    }

    pub(super) async fn lift(
        &self,
        call: &Call,
        request: pb::DeleteSuppressionRequest,
    ) -> Result<pb::DeleteSuppressionResponse> {
        let organization = call.organization()?;
        let (user_id, topic) = (request.user_id, normal(&request.topic));
        let key = (organization, user_id);
        let lift = || {
            let (owner, topic, attempt) = (key.1.clone(), topic.clone(), call.attempt().cloned());
            self.0.db.answer(call.attempt(), move |tx| {
                Box::pin(async move {
                    let unknown = || Error::not_found("This topic is not suppressed");
                    let user = user::find(tx, organization, &owner)
                        .await?
                        .ok_or_else(unknown)?;
                    bump(tx, user.number).await?;
                    replay::note(tx, user.number, attempt.as_ref()).await?;
                    let sql =
                        "DELETE FROM memory_suppression WHERE user_number = $1 AND topic = $2";
                    let values = [user.number.into(), topic.into()];
                    if execute(tx, sql, values).await? == 0 {
                        return Err(unknown());
                    }
                    let suppressed_topics = topics(tx, user.number).await?;
                    Ok(pb::DeleteSuppressionResponse {
                        user_id: owner,
                        suppressed_topics,
                    })
                })
            })
        };
        self.change(&key, lift).await
    }
}

/// A topic as it is kept: in lower case, with single spaces.
pub(super) fn normal(topic: &str) -> String {
    let words: Vec<String> = topic.split_whitespace().map(str::to_lowercase).collect();
    words.join(" ")
}

/// Adds a topic, if it is not there.
pub(super) async fn add(tx: &Tx, user: i64, topic: String, now: i64) -> Result<()> {
    let sql = "INSERT INTO memory_suppression (user_number, topic, created_at) \
               VALUES ($1, $2, $3) ON CONFLICT (user_number, topic) DO NOTHING";
    execute(tx, sql, [user.into(), topic.into(), now.into()]).await?;
    Ok(())
}

/// What nodes have in memory of a user is read again.
async fn bump(tx: &Tx, user: i64) -> Result<()> {
    let sql = "UPDATE memory_user SET version = version + 1 WHERE number = $1";
    match execute(tx, sql, [user.into()]).await? {
        // Somebody erased the user meanwhile.
        0 => Err(user::stale()),
        _ => Ok(()),
    }
}

async fn topics(connection: &impl ConnectionTrait, user: i64) -> Result<Vec<String>> {
    let sql = "SELECT topic FROM memory_suppression WHERE user_number = $1 ORDER BY number";
    let found = rows(connection, sql, [user.into()]).await?;
    found.iter().map(|row| column(row, "topic")).collect()
}
