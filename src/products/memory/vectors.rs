//! Vectors of memories: made behind the answers, kept beside the texts, and in memory with
//! their user. Which lack one is looked up when a user is asked for, so nothing is queued.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use foldhash::HashMap;
use sea_orm::{ConnectionTrait, Value};
use uuid::Uuid;

use super::Memory;
use super::embedder::{Embedder, Vector, bytes_of, cosine, vector_of};
use super::person::of;
use super::residents::{Key, Resident};
use crate::auth::OrganizationId;
use crate::db::sql::{column, execute, row, rows};
use crate::error::Result;

/// Memories that are embedded at once.
const AT_ONCE: i64 = 64;
/// How long they are waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// Users who wait for their vectors, at most: others are noted when they are next asked for.
const MOST: usize = 10_000;

/// The vectors of a user's memories, by their numbers.
pub(super) type Vectors = HashMap<i64, Vector>;

/// Users some of whose memories lack a vector.
#[derive(Debug, Default)]
pub(super) struct Lacking(Mutex<BTreeSet<i64>>);

impl Lacking {
    fn note(&self, user: i64) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < MOST {
            all.insert(user);
        }
    }

    fn next(&self) -> Option<i64> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.pop_first()
    }
}

/// A memory that lacks one.
struct Bare {
    key: Key,
    node: i64,
    content: String,
}

/// The vectors a model made of a user's memories.
pub(super) async fn all(view: &impl ConnectionTrait, user: i64, model: &str) -> Result<Vectors> {
    let sql = "SELECT node, vector FROM memory_vector WHERE user_number = $1 AND model = $2";
    let found = rows(view, sql, [user.into(), model.into()]).await?;
    let own = |row| Ok((column(row, 0)?, vector_of(column(row, 1)?)));
    found.iter().map(own).collect()
}

impl Memory {
    /// How alike a user's memories are to a text, and whether the embedder could not be
    /// asked.
    pub(super) async fn alike(&self, resident: &Resident, text: &str) -> (Vec<(Uuid, f32)>, bool) {
        let Some(embedder) = self.0.embedder.as_ref() else {
            return (Vec::new(), false);
        };
        let asked = embedder.embed(&[text], embedder.timeout).await.ok();
        let Some(asked) = asked.and_then(|all| all.into_iter().next()) else {
            return (Vec::new(), true);
        };
        let held = resident.read();
        let Some(person) = held.as_ref() else {
            return (Vec::new(), false);
        };
        let alike = |(number, own): (&i64, &Vector)| (of(*number), cosine(&asked, own));
        (person.vectors.iter().map(alike).collect(), false)
    }

    /// Notes a user some of whose memories lack a vector.
    pub(super) fn note_lacking(&self, resident: &Resident) {
        if self.0.embedder.is_none() {
            return;
        }
        let held = resident.read();
        if let Some(person) = held
            .as_ref()
            .filter(|own| own.vectors.len() < own.nodes.len())
        {
            self.0.lacking.note(person.number);
        }
    }

    /// Makes what vectors are lacking.
    pub(super) async fn embed_lacking(&self) -> Result<()> {
        let Some(embedder) = self.0.embedder.as_ref() else {
            return Ok(());
        };
        while let Some(user) = self.0.lacking.next() {
            let bare = self.bare(user, embedder).await?;
            let texts: Vec<&str> = bare.iter().map(|own| own.content.as_str()).collect();
            if texts.is_empty() {
                continue;
            }
            let Ok(vectors) = embedder.embed(&texts, PATIENCE).await else {
                self.0.lacking.note(user);
                break;
            };
            if texts.len() as i64 == AT_ONCE {
                self.0.lacking.note(user);
            }
            self.keep_vectors(user, &bare, vectors, embedder).await?;
        }
        Ok(())
    }

    /// Some of a user's memories that lack a vector.
    async fn bare(&self, user: i64, embedder: &Embedder) -> Result<Vec<Bare>> {
        let read = self.0.db.read(None).await?;
        let sql = "SELECT own.organization_id, own.user_id, node.number, node.content \
                   FROM memory_node node JOIN memory_user own ON own.number = node.user_number \
                   LEFT JOIN memory_vector made ON made.user_number = node.user_number \
                   AND made.node = node.number AND made.model = $2 \
                   WHERE node.user_number = $1 AND made.node IS NULL \
                   ORDER BY node.number DESC LIMIT $3";
        let values: [Value; 3] = [user.into(), embedder.model.clone().into(), AT_ONCE.into()];
        let found = rows(&read, sql, values).await?;
        let bare = |row| {
            Ok(Bare {
                key: (OrganizationId(column(row, 0)?), column(row, 1)?),
                node: column(row, 2)?,
                content: column(row, 3)?,
            })
        };
        found.iter().map(bare).collect()
    }

    /// Keeps vectors, and knows them in memory too.
    async fn keep_vectors(
        &self,
        user: i64,
        bare: &[Bare],
        vectors: Vec<Vector>,
        embedder: &Embedder,
    ) -> Result<()> {
        let Some(key) = bare.first().map(|own| own.key.clone()) else {
            return Ok(());
        };
        let resident = self.0.residents.of(&key);
        let turn = resident.turn.lock().await;
        let made: Vec<(i64, Vector)> = bare.iter().map(|own| own.node).zip(vectors).collect();
        let (kept, model) = (made.clone(), embedder.model.clone());
        let written = self.0.db.write(move |tx| {
            Box::pin(async move {
                // Who erases the user has the row, and is waited for.
                let sql = "UPDATE memory_user SET version = version + 1 WHERE number = $1 \
                           RETURNING version";
                let Some(found) = row(tx, sql, [user.into()]).await? else {
                    return Ok(None);
                };
                for (node, vector) in kept {
                    let sql = "INSERT INTO memory_vector (user_number, node, model, vector) \
                               SELECT user_number, node, $3, $4 FROM memory_index \
                               WHERE user_number = $1 AND node = $2 \
                               ON CONFLICT (user_number, node) DO UPDATE SET \
                               model = excluded.model, vector = excluded.vector";
                    let vector = bytes_of(&vector);
                    let values: [Value; 4] = [
                        user.into(),
                        node.into(),
                        model.clone().into(),
                        vector.into(),
                    ];
                    execute(tx, sql, values).await?;
                }
                Ok(Some(found.try_get::<i64>("", "version")?))
            })
        });
        let Some(version) = written.await? else {
            return Ok(());
        };
        if let Some(person) = resident.write().as_mut()
            && (person.number, person.version + 1) == (user, version)
        {
            person.version = version;
            person.vectors.extend(made);
        }
        drop(turn);
        self.0.residents.weigh(&key, &resident);
        Ok(())
    }
}
