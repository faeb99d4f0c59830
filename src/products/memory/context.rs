//! Everything kept of a user: for an application that wants the block, and for a user
//! who wants to have it all.

use std::collections::BTreeMap;
use std::sync::Arc;

use prost::bytes::Bytes;

use super::Memory;
use super::engine::block::Block;
use super::engine::decay;
use super::find::{Asked, finding};
use super::person::Person;
use super::residents::{Key, Resident, again};
use super::row::{self, round, seconds};
use super::user;
use crate::api::apex::memory::v1 as pb;
use crate::api::google::api::HttpBody;
use crate::db::sql::{column, rows};
use crate::error::Result;
use crate::server::Call;

/// Memories the block may tell where nothing is asked.
const LIMIT: usize = 20;

impl Memory {
    pub(super) async fn context(
        &self,
        call: &Call,
        request: pb::GetContextRequest,
    ) -> Result<pb::GetContextResponse> {
        let key = (call.organization()?, request.user_id);
        let resident = self.0.residents.of(&key);
        // Nobody writes to the user meanwhile, so that all of it is of one state.
        let _turn = resident.turn.lock().await;
        again(|| self.export(call, &key, &resident, request.max_tokens)).await
    }

    async fn export(
        &self,
        call: &Call,
        key: &Key,
        resident: &Arc<Resident>,
        max_tokens: Option<i32>,
    ) -> Result<pb::GetContextResponse> {
        let now = self.now();
        let (user, profile) = self.known(call, key, resident).await?;
        let most = budget(max_tokens, profile.injection_template.max_tokens);
        let mut answer = pb::GetContextResponse {
            user_id: key.1.clone(),
            exported_at: Some(seconds(now)),
            token_budget: most.into(),
            ..pb::GetContextResponse::default()
        };
        let Some(user) = user else {
            return Ok(answer);
        };
        answer.crisis_levels = user.crisis.levels().into_iter().map(i32::from).collect();
        let view = self.0.db.snapshot(call.deadline()).await?;
        let seen = user::find(&view, key.0, &key.1).await?;
        if !seen.is_some_and(|seen| resident.has(&seen)) {
            // Another node wrote in between.
            return Err(user::stale());
        }
        let asked = nothing(now);
        let found = finding(&view, (&user, resident), &profile, asked, most).await?;
        answer.context_block = found.block.text;
        answer.tokens_used = found.block.tokens.into();
        let kept = row::all(&view, user.number).await?;
        let ids: foldhash::HashMap<i64, String> = kept
            .iter()
            .map(|row| (row.number, row.id.clone()))
            .collect();
        let sql = "SELECT node, kind, at FROM memory_event WHERE user_number = $1 ORDER BY number";
        for row in rows(&view, sql, [user.number.into()]).await? {
            if let Some(id) = ids.get(&column::<i64>(&row, "node")?) {
                answer.processing_events.push(pb::ProcessingEvent {
                    node_id: id.clone(),
                    r#type: column(&row, "kind")?,
                    at: Some(seconds(column(&row, "at")?)),
                });
            }
        }
        let sql = "SELECT edge.node, edge.weight, own.id FROM memory_edge edge \
                   JOIN memory_entity own ON own.number = edge.entity \
                   WHERE edge.user_number = $1 ORDER BY edge.node, edge.entity";
        for row in rows(&view, sql, [user.number.into()]).await? {
            if let Some(id) = ids.get(&column::<i64>(&row, "node")?) {
                answer.edges.push(pb::Edge {
                    source: id.clone(),
                    target: column(&row, "id")?,
                    r#type: "mentions".to_owned(),
                    weight: round(column(&row, "weight")?),
                });
            }
        }
        drop(view);
        let held = resident.read();
        if let Some(person) = held.as_ref() {
            let decay = &profile.decay_profile;
            answer.suppressed_topics = person.suppressed();
            answer.entities = entities(person, decay, now, Which::All);
            let salience = |row: &row::Row| person.salience(row.number, decay, now);
            answer.domains = domains(kept.iter().map(|row| (row.domain.as_str(), salience(row))));
            let node = |row: row::Row| {
                let salience = salience(&row);
                row.node(person, salience)
            };
            answer.nodes = kept.into_iter().map(node).collect();
        }
        Ok(answer)
    }

    pub(super) async fn context_text(
        &self,
        call: &Call,
        request: pb::GetContextTextRequest,
    ) -> Result<HttpBody> {
        let told = self.block(call, &request.user_id, request.max_tokens);
        Ok(HttpBody {
            content_type: "text/plain; charset=utf-8".to_owned(),
            data: Bytes::from(told.await?.block.text),
            ..HttpBody::default()
        })
    }

    /// The block of a user where nothing is asked.
    pub(super) async fn block(
        &self,
        call: &Call,
        user_id: &str,
        max_tokens: Option<i32>,
    ) -> Result<Told> {
        let key = (call.organization()?, user_id.to_owned());
        let known = self.resident(call, &key).await?;
        let read = self.0.db.read(call.deadline()).await?;
        let Some((user, resident, profile)) = known else {
            let profile = self.effective(&read, key.0).await?;
            return Ok(Told {
                block: Block::default(),
                budget: budget(max_tokens, profile.injection_template.max_tokens),
            });
        };
        let budget = budget(max_tokens, profile.injection_template.max_tokens);
        let asked = nothing(self.now());
        let found = finding(&read, (&user, &resident), &profile, asked, budget).await?;
        Ok(Told {
            block: found.block,
            budget,
        })
    }

    pub(super) async fn list(
        &self,
        call: &Call,
        request: pb::ListEntitiesRequest,
    ) -> Result<pb::ListEntitiesResponse> {
        let key = (call.organization()?, request.user_id.clone());
        let mut all = Vec::new();
        if let Some((_, resident, profile)) = self.resident(call, &key).await? {
            let held = resident.read();
            if let Some(person) = held.as_ref() {
                all = entities(person, &profile.decay_profile, self.now(), Which::Told);
            }
        }
        Ok(pb::ListEntitiesResponse {
            user_id: request.user_id,
            count: all.len() as i64,
            entities: all,
        })
    }
}

/// What is asked where nothing is.
fn nothing(now: i64) -> Asked<'static> {
    Asked {
        text: "",
        alike: &[],
        limit: LIMIT,
        now,
    }
}

fn budget(asked: Option<i32>, most: u32) -> u32 {
    asked.map_or(most, i32::unsigned_abs)
}

/// A block, and the tokens it may have.
pub(super) struct Told {
    pub(super) block: Block,
    pub(super) budget: u32,
}

/// Which entities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    /// All that are kept.
    All,
    /// Those of which a memory may be told.
    Told,
}

/// The domains of memories, each told with its salience; the most salient first.
fn domains<'r>(memories: impl Iterator<Item = (&'r str, f64)>) -> Vec<pb::Domain> {
    let mut all: BTreeMap<&str, (f64, i64)> = BTreeMap::new();
    for (domain, salience) in memories {
        let own = all.entry(domain).or_default();
        *own = (decay::propagated(own.0, salience), own.1 + 1);
    }
    let mut all: Vec<_> = all.into_iter().collect();
    all.sort_by(|(_, one), (_, other)| other.0.total_cmp(&one.0));
    let shown = |(name, (salience, count)): (&str, (f64, i64))| pb::Domain {
        name: name.to_owned(),
        salience: round(salience),
        memory_count: count,
    };
    all.into_iter().map(shown).collect()
}

/// What memories name, the most salient first.
fn entities(person: &Person, decay: &decay::Profile, now: i64, which: Which) -> Vec<pb::Entity> {
    let shown = person.entities.values().filter_map(|own| {
        let mut nodes = own.nodes.clone();
        // What is suppressed lends nothing.
        nodes.retain(|node| which == Which::All || !person.hidden.contains(node));
        if nodes.is_empty() && !own.nodes.is_empty() {
            return None;
        }
        let salience = person.lent(&nodes, decay, now);
        let entity = pb::Entity {
            entity_id: own.id.clone(),
            name: own.name.clone(),
            r#type: own.kind.name().to_owned(),
            domain: own.domain.clone(),
            salience: round(salience),
            mention_count: nodes.len() as i64,
            first_seen_at: Some(seconds(own.first_at)),
            last_seen_at: Some(seconds(own.last_at)),
        };
        Some((salience, entity))
    });
    let mut shown: Vec<(f64, pb::Entity)> = shown.collect();
    shown.sort_by(|(a, one), (b, other)| b.total_cmp(a).then_with(|| one.name.cmp(&other.name)));
    shown.into_iter().map(|(_, entity)| entity).collect()
}
