//! Taking in an export: a user's memories as they were, with what they name, how strongly
//! they are remembered and what happened to them, in one transaction.

mod ready;

use std::sync::Arc;

use foldhash::HashMap;
use sea_orm::{ConnectionTrait as _, QueryResult, Value};
use uuid::Uuid;

use super::Memory;
use super::engine::crisis::Ring;
use super::engine::duplicates;
use super::engine::entities::Kind;
use super::kept::{self, Known};
use super::replay;
use super::suppress;
use super::user::{self, User};
use crate::api::apex::memory::v1 as pb;
use crate::auth::OrganizationId;
use crate::db::Tx;
use crate::db::sql::{execute, ladder, rows, tuples};
use crate::error::{Error, Result};
use crate::server::Call;
use ready::{Event, Ready, Taken, free_id, share};

/// Longest name of an entity, and of a session or speaker, in bytes.
const MAX_NAME: usize = 256;
/// Exports that are read at once: others wait, and all else goes on.
pub(super) const AT_ONCE: usize = 1;

impl Memory {
    pub(super) async fn import(
        &self,
        call: &Call,
        request: pb::ImportUserRequest,
    ) -> Result<pb::ImportUserResponse> {
        let (organization, tier) = self.tenant(call)?;
        let allowed = self.0.settings.allowance(tier);
        let count = request.nodes.len() as i64;
        let now = self.now();
        let key = (organization, request.user_id.clone());
        let request = Arc::new(request);
        let most = allowed.nodes_per_user;
        let taken = Arc::new(self.read_export(&request, most, now).await?);
        if taken.is_of_nobody(&request) {
            // A user is made by what is said of it.
            return Ok(imported(key.1, count));
        }
        let import = || {
            let (user_id, request) = (key.1.clone(), request.clone());
            let (taken, attempt) = (taken.clone(), call.attempt().cloned());
            self.0.db.answer(call.attempt(), move |tx| {
                Box::pin(async move {
                    let found = user::find(tx, organization, &user_id).await?;
                    if found.as_ref().is_some_and(|user| user.nodes > 0) {
                        let words = "This user has memories; an import is for one who has none";
                        return Err(Error::exists(words));
                    }
                    let user = match found {
                        Some(user) => user,
                        None => User {
                            number: user::make(tx, organization, &user_id, allowed.users, now)
                                .await?,
                            version: 0,
                            nodes: 0,
                            crisis: Default::default(),
                        },
                    };
                    // What is taken in was before what is there.
                    let levels = [taken.crisis.as_slice(), &user.crisis.levels()].concat();
                    user::advance(tx, &user, count, &Ring::of(&levels)).await?;
                    replay::note(tx, user.number, attempt.as_ref()).await?;
                    let numbers = nodes(tx, organization, user.number, &taken.nodes).await?;
                    let edges = connect(tx, user.number, &taken, &numbers, &request).await?;
                    kept::keep(tx, user.number, &known(&taken.nodes, &numbers, &edges)).await?;
                    happened(tx, user.number, &taken.events, &numbers).await?;
                    for topic in &request.suppressed_topics {
                        let topic = suppress::normal(topic);
                        if !duplicates::stems(&topic).is_empty() {
                            suppress::add(tx, user.number, topic, now).await?;
                        }
                    }
                    Ok(imported(user_id, count))
                })
            })
        };
        self.change(&key, import).await
    }

    /// Reads an export where nobody waits for another answer.
    async fn read_export(
        &self,
        request: &Arc<pb::ImportUserRequest>,
        most: u32,
        now: i64,
    ) -> Result<Taken> {
        let turn = self.0.importing.clone().acquire_owned().await;
        let turn = turn.map_err(Error::internal)?;
        let request = request.clone();
        let read = tokio::task::spawn_blocking(move || {
            // Who gives up waiting does not make room for another one.
            let _turn = turn;
            Taken::of(&request, most, now)
        });
        read.await.map_err(Error::internal)?
    }
}

fn imported(user_id: String, nodes_imported: i64) -> pb::ImportUserResponse {
    pb::ImportUserResponse {
        status: "imported".to_owned(),
        user_id,
        nodes_imported,
    }
}

/// The plan allows no more memories.
pub(super) fn too_many(most: u32) -> Error {
    let words = format!("Your plan allows {most} memories of a user");
    Error::forbidden(words).reason("NODE_LIMIT_EXCEEDED")
}

/// Ids among some that are taken, whoever has them.
async fn taken_ids(tx: &Tx, table: &str, ids: &[&str]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for some in ladder(ids) {
        let places = crate::db::sql::placeholders(1, some.len());
        let sql = format!("SELECT id FROM {table} WHERE id IN ({places})");
        for row in rows(tx, &sql, some.iter().map(|id| Value::from(*id))).await? {
            found.push(row.try_get("", "id")?);
        }
    }
    Ok(found)
}

/// Stores memories; answers their numbers.
async fn nodes(
    tx: &Tx,
    organization: OrganizationId,
    user: i64,
    ready: &[Ready],
) -> Result<Vec<i64>> {
    let ids: Vec<&str> = ready.iter().map(|own| own.id.as_str()).collect();
    let mut used: std::collections::HashSet<String> = taken_ids(tx, "memory_node", &ids)
        .await?
        .into_iter()
        .collect();
    let mut numbers = Vec::with_capacity(ready.len());
    for some in ladder(ready) {
        let tuples = tuples(tx.get_database_backend(), 24, some.len());
        let sql = format!(
            "INSERT INTO memory_node (organization_id, user_number, id, content, topic, summary, \
             kind, domain, session, role, speaker, said_at, accessed_at, \
             base, sdv, cscv, lcs, swv, pdv, event, modified, pinned, metadata, merged_metadata) \
             VALUES {tuples} RETURNING number, id"
        );
        let mut ids = Vec::with_capacity(some.len());
        let mut values: Vec<Value> = Vec::with_capacity(24 * some.len());
        for own in some {
            // One that somebody has, or that stands twice, is made anew.
            let id = match used.insert(own.id.clone()) {
                true => own.id.clone(),
                false => Uuid::new_v4().to_string(),
            };
            values.extend([organization.into(), user.into(), id.clone().into()]);
            values.extend(own.values.iter().skip(1).cloned());
            ids.push(id);
        }
        let mut made: HashMap<String, i64> = HashMap::default();
        for row in rows(tx, &sql, values).await? {
            made.insert(row.try_get("", "id")?, row.try_get("", "number")?);
        }
        numbers.extend(ids.iter().filter_map(|id| made.get(id)));
    }
    match numbers.len() == ready.len() {
        true => Ok(numbers),
        false => Err(Error::internal("a memory was not stored")),
    }
}

/// What is in memory of memories, with what they name.
fn known(ready: &[Ready], numbers: &[i64], edges: &[(i64, i64, f64)]) -> Vec<Known> {
    let mut named: HashMap<i64, Vec<i64>> = HashMap::default();
    for (node, entity, _) in edges {
        named.entry(*node).or_default().push(*entity);
    }
    let known = |(own, number): (&Ready, &i64)| {
        let mut known = own.known.clone();
        known.number = *number;
        known.kept.entities = named.remove(number).unwrap_or_default();
        known
    };
    ready.iter().zip(numbers).map(known).collect()
}

/// Stores what memories name, and that they do; answers who names what, in order.
async fn connect(
    tx: &Tx,
    user: i64,
    taken: &Taken,
    numbers: &[i64],
    request: &pb::ImportUserRequest,
) -> Result<Vec<(i64, i64, f64)>> {
    let ids = taken.nodes.iter().map(|own| own.given_id.as_str());
    let nodes: HashMap<&str, i64> = ids.zip(numbers.iter().copied()).collect();
    let all = request.entities.iter().zip(&taken.named);
    let mut named: Vec<(&pb::Entity, [i64; 2])> = all.map(|(own, times)| (own, *times)).collect();
    // They were made in the order in which memories first named them.
    let mut first: HashMap<&str, usize> = HashMap::default();
    for (at, edge) in request.edges.iter().enumerate() {
        first.entry(&edge.target).or_insert(at);
    }
    named.sort_by_key(|(own, _)| first.get(own.entity_id.as_str()).copied());
    let ids: Vec<String> = named
        .iter()
        .map(|(own, _)| free_id(&own.entity_id))
        .collect();
    let all: Vec<&str> = ids.iter().map(String::as_str).collect();
    let mut used: std::collections::HashSet<String> = taken_ids(tx, "memory_entity", &all)
        .await?
        .into_iter()
        .collect();
    let pairs: Vec<((&pb::Entity, [i64; 2]), String)> = named.into_iter().zip(ids).collect();
    let mut numbers: HashMap<&str, i64> = HashMap::default();
    for some in ladder(&pairs) {
        let tuples = tuples(tx.get_database_backend(), 7, some.len());
        let sql = format!(
            "INSERT INTO memory_entity (id, user_number, name, kind, domain, first_at, last_at) \
             VALUES {tuples} RETURNING number, id"
        );
        let mut given: HashMap<String, &str> = HashMap::default();
        let mut values: Vec<Value> = Vec::with_capacity(7 * some.len());
        for ((own, [first, last]), id) in some {
            let id = match used.insert(id.clone()) {
                true => id.clone(),
                false => Uuid::new_v4().to_string(),
            };
            let kind = Kind::named(&own.r#type).unwrap_or(Kind::Other);
            let domain: String = own.domain.chars().take(64).collect();
            values.extend([
                Value::from(id.clone()),
                user.into(),
                own.name.clone().into(),
                kind.name().into(),
                domain.into(),
                (*first).into(),
                (*last).into(),
            ]);
            given.insert(id, own.entity_id.as_str());
        }
        let number = |row: &QueryResult| {
            Ok::<_, Error>((row.try_get::<String>("", "id")?, row.try_get("", "number")?))
        };
        for row in rows(tx, &sql, values).await? {
            let (id, number): (String, i64) = number(&row)?;
            if let Some(own) = given.get(&id) {
                numbers.insert(own, number);
            }
        }
    }
    let mut edges: Vec<(i64, i64, f64)> = request
        .edges
        .iter()
        .filter_map(|edge| {
            let node = nodes.get(edge.source.as_str())?;
            let entity = numbers.get(edge.target.as_str())?;
            Some((*node, *entity, share(edge.weight)))
        })
        .collect();
    edges.sort_by_key(|(node, entity, _)| (*node, *entity));
    edges.dedup_by_key(|(node, entity, _)| (*node, *entity));
    for some in ladder(&edges) {
        let tuples = tuples(tx.get_database_backend(), 4, some.len());
        let sql =
            format!("INSERT INTO memory_edge (user_number, node, entity, weight) VALUES {tuples}");
        let of = |(node, entity, weight): &(i64, i64, f64)| {
            [
                user.into(),
                (*node).into(),
                (*entity).into(),
                Value::from(*weight),
            ]
        };
        execute(tx, &sql, some.iter().flat_map(of)).await?;
    }
    Ok(edges)
}

/// Stores what happened to memories.
async fn happened(tx: &Tx, user: i64, events: &[Event], numbers: &[i64]) -> Result<()> {
    for some in ladder(events) {
        let mut values: Vec<Value> = Vec::with_capacity(4 * some.len());
        for event in some {
            let node = numbers.get(event.node).copied();
            let node = node.ok_or_else(|| Error::internal("an event of nothing"))?;
            values.extend([user.into(), node.into(), event.kind.into(), event.at.into()]);
        }
        let tuples = tuples(tx.get_database_backend(), 4, some.len());
        let sql = format!("INSERT INTO memory_event (user_number, node, kind, at) VALUES {tuples}");
        execute(tx, &sql, values).await?;
    }
    Ok(())
}
