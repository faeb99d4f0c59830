//! Everything kept of a user: for an application that wants the block, and for a user
//! who wants to have it all.

use std::collections::BTreeMap;

use prost::bytes::Bytes;

use super::Memory;
use super::engine::decay;
use super::find::{Asked, finding};
use super::person::Person;
use super::row::{self, round, seconds};
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
        let key = (call.organization()?, request.user_id.clone());
        let now = self.now();
        let mut answer = pb::GetContextResponse {
            user_id: request.user_id,
            exported_at: Some(seconds(now)),
            ..pb::GetContextResponse::default()
        };
        let Some((user, resident, profile)) = self.resident(call, &key).await? else {
            let read = self.0.db.read(call.deadline()).await?;
            let profile = self.effective(&read, key.0).await?;
            answer.token_budget = budget(request.max_tokens, profile.injection_template.max_tokens);
            return Ok(answer);
        };
        answer.token_budget = budget(request.max_tokens, profile.injection_template.max_tokens);
        let most = answer.token_budget as u32;
        let view = self.0.db.snapshot(call.deadline()).await?;
        let asked = nothing(now);
        let found = finding(&view, (&user, &resident), &profile, asked, most).await?;
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
            answer.entities = entities(person, decay, now);
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
        let key = (call.organization()?, request.user_id);
        let mut text = String::new();
        if let Some((user, resident, profile)) = self.resident(call, &key).await? {
            let most = budget(request.max_tokens, profile.injection_template.max_tokens);
            let read = self.0.db.read(call.deadline()).await?;
            let asked = nothing(self.now());
            let found = finding(&read, (&user, &resident), &profile, asked, most as u32).await?;
            text = found.block.text;
        }
        Ok(HttpBody {
            content_type: "text/plain; charset=utf-8".to_owned(),
            data: Bytes::from(text),
            ..HttpBody::default()
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
                all = entities(person, &profile.decay_profile, self.now());
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

fn budget(asked: Option<i32>, most: u32) -> i64 {
    asked.map_or(i64::from(most), i64::from)
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
fn entities(person: &Person, decay: &decay::Profile, now: i64) -> Vec<pb::Entity> {
    let shown = person.entities.values().map(|own| {
        let salience = person.lent(own, decay, now);
        let entity = pb::Entity {
            entity_id: own.id.clone(),
            name: own.name.clone(),
            r#type: own.kind.name().to_owned(),
            domain: own.domain.clone(),
            salience: round(salience),
            mention_count: own.nodes.len() as i64,
            first_seen_at: Some(seconds(own.first_at)),
            last_seen_at: Some(seconds(own.last_at)),
        };
        (salience, entity)
    });
    let mut shown: Vec<(f64, pb::Entity)> = shown.collect();
    shown.sort_by(|(a, one), (b, other)| b.total_cmp(a).then_with(|| one.name.cmp(&other.name)));
    shown.into_iter().map(|(_, entity)| entity).collect()
}
