//! Repeats of what was said or asked for. What is said may name itself in its body, and is
//! then answered from here; a request that does by a header is answered by the server, and
//! where that keeps the answer is noted, for it goes with the user.

use prost::Message as _;
use sea_orm::{ConnectionTrait, Value};

use super::said::Said;
use super::user;
use crate::api::apex::memory::v1 as pb;
use crate::clock::DAY;
use crate::db::sql::{execute, row};
use crate::db::{Attempt, Tx};
use crate::error::{Error, Kind, Result, reason};
use crate::server::Call;

/// What to keep of a request for a repeat of it.
#[derive(Debug)]
pub(super) struct Repeat {
    key: Option<(String, Vec<u8>)>,
    attempt: Option<Attempt>,
    expires_at: i64,
}

impl Repeat {
    /// What there is to keep.
    pub(super) fn of(call: &Call, said: &Said, now: i64) -> Self {
        Self {
            key: said.key.clone(),
            attempt: call.attempt().cloned(),
            expires_at: now + DAY,
        }
    }

    /// Keeps the answer, in the transaction of what it tells of.
    pub(super) async fn keep(self, tx: &Tx, user: i64, answer: &pb::IngestResponse) -> Result<()> {
        if let Some((key, digest)) = self.key {
            let sql = "INSERT INTO memory_answer (user_number, key, digest, answer, expires_at) \
                       VALUES ($1, $2, $3, $4, $5) ON CONFLICT (user_number, key) DO UPDATE SET \
                       digest = excluded.digest, answer = excluded.answer, \
                       expires_at = excluded.expires_at \
                       WHERE memory_answer.expires_at <= $6";
            let values: [Value; 6] = [
                user.into(),
                key.into(),
                digest.into(),
                answer.encode_to_vec().into(),
                self.expires_at.into(),
                (self.expires_at - DAY).into(),
            ];
            if execute(tx, sql, values).await? == 0 {
                // It was answered while this was planned.
                return Err(user::stale());
            }
        }
        note(tx, user, self.attempt.as_ref()).await
    }
}

/// Notes where the server keeps the answer to a request about a user, if it does: it goes
/// with the user.
pub(super) async fn note(tx: &Tx, user: i64, attempt: Option<&Attempt>) -> Result<()> {
    let Some(attempt) = attempt else {
        return Ok(());
    };
    let sql = "INSERT INTO memory_replay (user_number, tenant, method, key, expires_at) \
               VALUES ($1, $2, $3, $4, $5) \
               ON CONFLICT (user_number, tenant, method, key) DO UPDATE SET \
               expires_at = excluded.expires_at";
    let [tenant, method, key] = attempt.place();
    let expires_at = attempt.expires_at().into();
    execute(tx, sql, [user.into(), tenant, method, key, expires_at]).await?;
    Ok(())
}

/// The answer kept for a request, if it was answered.
pub(super) async fn find(
    connection: &impl ConnectionTrait,
    user: i64,
    key: &str,
    digest: &[u8],
    now: i64,
) -> Result<Option<pb::IngestResponse>> {
    let sql = "SELECT digest, answer FROM memory_answer \
               WHERE user_number = $1 AND key = $2 AND expires_at > $3";
    let found = row(connection, sql, [user.into(), key.into(), now.into()]).await?;
    let Some(found) = found else {
        return Ok(None);
    };
    let kept: Vec<u8> = found.try_get("", "digest")?;
    if kept != digest {
        let words = "This idempotency_key was used with another request";
        return Err(Error::new(Kind::Aborted, words).reason(reason::IDEMPOTENCY_KEY_REUSED));
    }
    let answer: Vec<u8> = found.try_get("", "answer")?;
    Ok(Some(
        pb::IngestResponse::decode(answer.as_slice()).map_err(Error::internal)?,
    ))
}

/// Whose answers are forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// All that a user's requests were answered.
    Everything,
    /// What tells of memories.
    Memories,
}

/// Forgets what is kept of a user for repeats.
pub(super) async fn erase(tx: &Tx, user: i64, told: Told) -> Result<()> {
    let which = match told {
        Told::Everything => "user_number = $1",
        Told::Memories => "user_number = $1 AND method LIKE '%/Ingest'",
    };
    let sql = format!(
        "DELETE FROM idempotency WHERE (tenant, method, key) IN \
         (SELECT tenant, method, key FROM memory_replay WHERE {which})"
    );
    execute(tx, &sql, [user.into()]).await?;
    let sql = format!("DELETE FROM memory_replay WHERE {which}");
    execute(tx, &sql, [user.into()]).await?;
    let sql = "DELETE FROM memory_answer WHERE user_number = $1";
    execute(tx, sql, [user.into()]).await?;
    Ok(())
}

/// Forgets some of what is over; answers whether there may be more.
pub(super) async fn forget(tx: &Tx, now: i64, most: i64) -> Result<bool> {
    let mut more = false;
    for table in ["memory_replay", "memory_answer"] {
        let columns = match table {
            "memory_replay" => "user_number, tenant, method, key",
            _ => "user_number, key",
        };
        let sql = format!(
            "DELETE FROM {table} WHERE ({columns}) IN (SELECT {columns} FROM {table} \
             WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)"
        );
        more |= execute(tx, &sql, [now.into(), most.into()]).await? >= most as u64;
    }
    Ok(more)
}
