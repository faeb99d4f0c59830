//! Taking in an export: a user's memories as they were, with what they name and how
//! strongly they are remembered, in one transaction.

use std::sync::Arc;

use foldhash::HashMap;
use sea_orm::{ConnectionTrait as _, QueryResult, Value};
use uuid::Uuid;

use super::Memory;
use super::engine::duplicates;
use super::engine::entities::{self, Kind};
use super::engine::index::Reading;
use super::engine::text;
use super::kept::{self, Kept, Known};
use super::person::speaker_of;
use super::said;
use super::suppress;
use super::user::{self, User};
use crate::api::apex::memory::v1 as pb;
use crate::auth::OrganizationId;
use crate::clock::DAY;
use crate::db::Tx;
use crate::db::sql::{execute, ladder, rows, tuples};
use crate::error::{Error, Result};
use crate::products::micros;
use crate::server::Call;

/// Longest name of an entity, and of a session or speaker, in bytes.
const MAX_NAME: usize = 256;
/// What kinds of memories there are.
const KINDS: [&str; 5] = ["domain", "entity", "facet", "theme", "interest"];

/// A memory, as it is to be stored.
#[derive(Debug)]
struct Ready {
    given_id: String,
    id: String,
    values: Vec<Value>,
    /// Without its number and what it names, which are not known yet.
    known: Known,
}

impl Memory {
    pub(super) async fn import(
        &self,
        call: &Call,
        request: pb::ImportUserRequest,
    ) -> Result<pb::ImportUserResponse> {
        let (organization, tier) = self.tenant(call)?;
        let allowed = self.0.settings.allowance(tier);
        let count = request.nodes.len() as i64;
        if count > i64::from(allowed.nodes_per_user) {
            return Err(too_many(allowed.nodes_per_user));
        }
        let now = self.now();
        let key = (organization, request.user_id.clone());
        let resident = self.0.residents.of(&key);
        let _turn = resident.turn.lock().await;
        let user_id = request.user_id.clone();
        let ready: Result<Vec<Ready>> = request
            .nodes
            .iter()
            .enumerate()
            .map(|(at, node)| {
                ready(node, now).map_err(|error| error.within(&format!("nodes[{at}].")))
            })
            .collect();
        let (ready, request) = (Arc::new(ready?), Arc::new(request));
        let answer = self.0.db.answer(call.attempt(), move |tx| {
            Box::pin(async move {
                let found = user::find(tx, organization, &user_id).await?;
                if found.as_ref().is_some_and(|user| user.nodes > 0) {
                    let words = "This user has memories; an import is for one who has none";
                    return Err(Error::exists(words));
                }
                let user = match found {
                    Some(user) => user,
                    None => User {
                        number: user::make(tx, organization, &user_id, allowed.users, now).await?,
                        version: 0,
                        nodes: 0,
                        crisis: Default::default(),
                    },
                };
                user::advance(tx, &user, count, &user.crisis).await?;
                let numbers = nodes(tx, organization, user.number, &ready).await?;
                let edges = connect(tx, user.number, &ready, &numbers, &request, now).await?;
                kept::keep(tx, user.number, &known(&ready, &numbers, &edges)).await?;
                for topic in &request.suppressed_topics {
                    let topic = suppress::normal(topic);
                    if !duplicates::stems(&topic).is_empty() {
                        suppress::add(tx, user.number, topic, now).await?;
                    }
                }
                Ok(pb::ImportUserResponse {
                    status: "imported".to_owned(),
                    user_id,
                    nodes_imported: count,
                })
            })
        });
        let answer = answer.await;
        self.0.residents.forget(&key);
        answer
    }
}

/// The plan allows no more memories.
pub(super) fn too_many(most: u32) -> Error {
    let words = format!("Your plan allows {most} memories of a user");
    Error::forbidden(words).reason("NODE_LIMIT_EXCEEDED")
}

/// Makes a memory of an export ready to be stored.
fn ready(node: &pb::Node, now: i64) -> Result<Ready> {
    let content = said::text("content", &node.content)?.to_owned();
    let scoring = node.scoring.unwrap_or_default();
    let told = |time: &Option<prost_types::Timestamp>| time.as_ref().and_then(micros);
    let exact = node.exact.unwrap_or_else(|| {
        let said_at = told(&node.created_at).unwrap_or(now);
        pb::Exact {
            base: scoring.base_score,
            sdv: scoring.sdv,
            swv: scoring.swv,
            event: 0.0,
            pinned: false,
            said_at,
            reinforced_at: told(&node.updated_at).unwrap_or(said_at),
        }
    });
    for (field, text) in [("session_id", &node.session_id), ("speaker", &node.speaker)] {
        if text.len() > MAX_NAME {
            let words = format!("{field} must have at most {MAX_NAME} bytes");
            return Err(Error::invalid_field(field, words));
        }
    }
    let time = |at: i64| at.min(now + DAY);
    let words = text::speaker(&content).1;
    let domain = entities::domain(words);
    let kind = KINDS.iter().find(|kind| **kind == node.node_type);
    let role = if node.role == "assistant" {
        "assistant"
    } else {
        "user"
    };
    let id = free_id(&node.node_id);
    let said_at = time(exact.said_at);
    let known = Known {
        number: 0,
        processed: (node.processing_count - 1).clamp(0, u32::MAX.into()),
        reinforced_at: time(exact.reinforced_at),
        kept: Kept {
            said_at,
            session: node.session_id.clone(),
            domain: domain.to_owned(),
            base: share(exact.base),
            event: share(exact.event),
            habit: share(exact.sdv) + share(exact.swv),
            pinned: exact.pinned,
            entities: Vec::new(),
        },
        reading: Reading::of(&content, speaker_of(&node.speaker, role), said_at),
    };
    let values = vec![
        id.clone().into(),
        content.clone().into(),
        entities::topic(words).into(),
        entities::summary(words).into(),
        kind.copied().unwrap_or("facet").into(),
        domain.into(),
        node.session_id.clone().into(),
        role.into(),
        node.speaker.clone().into(),
        said_at.into(),
        time(told(&node.last_accessed_at).unwrap_or(exact.said_at)).into(),
        share(exact.base).into(),
        share(exact.sdv).into(),
        share(scoring.cscv).into(),
        share(scoring.lcs).into(),
        share(exact.swv).into(),
        share(scoring.pdv).into(),
        share(exact.event).into(),
        i16::from(scoring.signal_modifiers_applied).into(),
        i16::from(exact.pinned).into(),
        said::flat(node.metadata.clone())?.into(),
        said::merged(node.merged_metadata.clone().unwrap_or_default())?.into(),
    ];
    Ok(Ready {
        given_id: node.node_id.clone(),
        id,
        values,
        known,
    })
}

/// A number between nought and one.
fn share(value: f64) -> f64 {
    if value.is_finite() {
        value.clamp(0.0, 1.0)
    } else {
        0.0
    }
}

/// An id as it was, if it is one.
fn free_id(given: &str) -> String {
    match given.parse::<Uuid>() {
        Ok(id) => id.hyphenated().to_string(),
        Err(_) => Uuid::new_v4().to_string(),
    }
}

/// Ids among some that are taken, whoever has them.
async fn taken(tx: &Tx, table: &str, ids: &[&str]) -> Result<Vec<String>> {
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
    let mut used: std::collections::HashSet<String> =
        taken(tx, "memory_node", &ids).await?.into_iter().collect();
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
    ready: &[Ready],
    numbers: &[i64],
    request: &pb::ImportUserRequest,
    now: i64,
) -> Result<Vec<(i64, i64, f64)>> {
    let ids = ready.iter().map(|own| own.given_id.as_str());
    let nodes: HashMap<&str, i64> = ids.zip(numbers.iter().copied()).collect();
    let fitting = |own: &&pb::Entity| (1..=MAX_NAME).contains(&own.name.len());
    let mut fitting: Vec<&pb::Entity> = request.entities.iter().filter(fitting).collect();
    // They were made in the order in which memories first named them.
    let mut first: HashMap<&str, usize> = HashMap::default();
    for (at, edge) in request.edges.iter().enumerate() {
        first.entry(&edge.target).or_insert(at);
    }
    fitting.sort_by_key(|own| first.get(own.entity_id.as_str()).copied());
    let ids: Vec<String> = fitting.iter().map(|own| free_id(&own.entity_id)).collect();
    let all: Vec<&str> = ids.iter().map(String::as_str).collect();
    let mut used: std::collections::HashSet<String> = taken(tx, "memory_entity", &all)
        .await?
        .into_iter()
        .collect();
    let pairs: Vec<(&pb::Entity, String)> = fitting.into_iter().zip(ids).collect();
    let mut numbers: HashMap<&str, i64> = HashMap::default();
    for some in ladder(&pairs) {
        let tuples = tuples(tx.get_database_backend(), 7, some.len());
        let sql = format!(
            "INSERT INTO memory_entity (id, user_number, name, kind, domain, first_at, last_at) \
             VALUES {tuples} RETURNING number, id"
        );
        let mut given: HashMap<String, &str> = HashMap::default();
        let mut values: Vec<Value> = Vec::with_capacity(7 * some.len());
        for (own, id) in some {
            let id = match used.insert(id.clone()) {
                true => id.clone(),
                false => Uuid::new_v4().to_string(),
            };
            let told = |time: &Option<prost_types::Timestamp>| time.as_ref().and_then(micros);
            let kind = Kind::named(&own.r#type).unwrap_or(Kind::Other);
            let domain: String = own.domain.chars().take(64).collect();
            values.extend([
                Value::from(id.clone()),
                user.into(),
                own.name.clone().into(),
                kind.name().into(),
                domain.into(),
                told(&own.first_seen_at).unwrap_or(now).into(),
                told(&own.last_seen_at).unwrap_or(now).into(),
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
