//! Finding what matters to what a user just said. Nothing is written for it: that a
//! memory was read is noted afterwards.

use std::sync::Arc;

use sea_orm::ConnectionTrait;
use uuid::Uuid;

use super::Memory;
use super::engine::block::{Block, Line, block};
use super::engine::crisis::Ring;
use super::engine::presets::Profile;
use super::engine::retrieve::{Hit, Request, retrieve};
use super::engine::text;
use super::person::{Person, number_of, speaker_of};
use super::plan::safety;
use super::residents::{Key, Resident};
use super::row::{self, Row, given, round, seconds};
use super::said;
use super::user::{self, User};
use crate::api::apex::memory::v1 as pb;
use crate::error::Result;
use crate::server::Call;

/// Memories that are answered unless a question says how many.
const LIMIT: i32 = 20;
/// Memories besides them that the block may tell.
const BESIDES: usize = 15;
/// From which relevance on a memory that was found may be taken up by what is said next.
const TAKEN_UP: f64 = 0.5;
/// Letters of a memory that the block tells.
const LETTERS: usize = 600;

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) text: &'a str,
    /// How alike memories are to it, where an embedder says so.
    pub(super) alike: &'a [(Uuid, f32)],
    /// Memories that are answered at most.
    pub(super) limit: usize,
    pub(super) now: i64,
}

/// What was found, best first.
pub(super) struct Finding {
    pub(super) hits: Vec<Hit>,
    pub(super) rows: Vec<Row>,
    pub(super) block: Block,
}

impl Memory {
    /// The memories that matter to a text, and whether they were found by less than was
    /// configured.
    pub(super) async fn find(
        &self,
        call: &Call,
        request: pb::QueryRequest,
    ) -> Result<(pb::QueryResponse, bool)> {
        let input = said::text("current_input", &request.current_input)?;
        let key = (call.organization()?, request.user_id.clone());
        let now = self.now();
        let Some((user, resident, profile)) = self.resident(call, &key).await? else {
            let read = self.0.db.read(call.deadline()).await?;
            let profile = self.effective(&read, key.0).await?;
            let answer = pb::QueryResponse {
                user_id: request.user_id,
                token_budget: profile.injection_template.max_tokens.into(),
                safety: Some(safety(Ring::default().peek(input))),
                ..pb::QueryResponse::default()
            };
            return Ok((answer, false));
        };
        let limit = request.limit.unwrap_or(LIMIT).unsigned_abs() as usize;
        let budget = profile.injection_template.max_tokens;
        let (alike, degraded) = self.alike(&resident, input).await;
        let read = self.0.db.read(call.deadline()).await?;
        let asked = Asked {
            text: input,
            alike: &alike,
            limit,
            now,
        };
        let found = finding(&read, (&user, &resident), &profile, asked, budget).await?;
        drop(read);
        let mut memories = Vec::with_capacity(limit.min(found.hits.len()));
        let mut taken_up = Vec::new();
        let mut numbers = Vec::new();
        {
            let held = resident.read();
            let nobody = Person::nobody(user.number);
            let person = held.as_ref().unwrap_or(&nobody);
            for (hit, row) in found.hits.iter().zip(&found.rows).take(limit) {
                numbers.push(row.number);
                if hit.relevance >= TAKEN_UP {
                    taken_up.push(row.number);
                }
                memories.push(memory(hit, row, person));
            }
        }
        resident.found(taken_up);
        self.0.accesses.note(user.number, &numbers, now);
        let answer = pb::QueryResponse {
            user_id: request.user_id,
            context_block: found.block.text,
            memories,
            tokens_used: found.block.tokens.into(),
            token_budget: budget.into(),
            safety: Some(safety(user.crisis.peek(input))),
        };
        Ok((answer, degraded))
    }

    /// A user with what is in memory of it, and what the tenant configured; `None` of
    /// somebody nobody knows.
    pub(super) async fn resident(
        &self,
        call: &Call,
        key: &Key,
    ) -> Result<Option<(User, Arc<Resident>, Profile)>> {
        let read = self.0.db.read(call.deadline()).await?;
        let Some(user) = user::find(&read, key.0, &key.1).await? else {
            return Ok(None);
        };
        let profile = self.effective(&read, key.0).await?;
        drop(read);
        let resident = self.0.residents.of(key);
        if resident.has(&user) {
            return Ok(Some((user, resident, profile)));
        }
        let _turn = resident.turn.lock().await;
        let (user, profile) = self.known(call, key, &resident).await?;
        Ok(user.map(|user| (user, resident.clone(), profile)))
    }

    /// What the row of a user says, with the same in memory. Whoever calls has the turn.
    pub(super) async fn known(
        &self,
        call: &Call,
        key: &Key,
        resident: &Arc<Resident>,
    ) -> Result<(Option<User>, Profile)> {
        let read = self.0.db.read(call.deadline()).await?;
        let user = user::find(&read, key.0, &key.1).await?;
        let profile = self.effective(&read, key.0).await?;
        drop(read);
        if user.as_ref().is_none_or(|user| resident.has(user)) {
            return Ok((user, profile));
        }
        let view = self.0.db.snapshot(call.deadline()).await?;
        let Some(user) = user::find(&view, key.0, &key.1).await? else {
            return Ok((None, profile));
        };
        let model = self.0.embedder.as_ref().map(|own| own.model.as_str());
        let person = Person::load(&view, &user, model).await?;
        drop(view);
        *resident.write() = Some(person);
        self.note_lacking(resident);
        self.0.residents.weigh(key, resident);
        Ok((Some(user), profile))
    }
}

/// Finds memories and makes the block of them.
pub(super) async fn finding(
    connection: &impl ConnectionTrait,
    (user, resident): (&User, &Resident),
    profile: &Profile,
    asked: Asked<'_>,
    budget: u32,
) -> Result<Finding> {
    let mut hits = {
        let held = resident.read();
        let request = Request {
            text: asked.text,
            now: asked.now,
            limit: asked.limit + BESIDES,
            profile,
            alike: asked.alike,
        };
        held.as_ref()
            .map_or_else(Vec::new, |own| retrieve(&own.index, &request))
    };
    let mut numbers: Vec<i64> = hits.iter().map(|hit| number_of(hit.id)).collect();
    numbers.sort_unstable();
    let mut kept = row::some(connection, user.number, &numbers).await?;
    // One that was erased meanwhile is not told.
    let mut rows = Vec::with_capacity(hits.len());
    hits.retain(|hit| {
        let at = kept.iter().position(|row| row.number == number_of(hit.id));
        rows.extend(at.map(|at| kept.swap_remove(at)));
        at.is_some()
    });
    let texts: Vec<String> = rows
        .iter()
        .map(|row| told(text::speaker(&row.content).1))
        .collect();
    let lines: Vec<Line<'_>> = hits
        .iter()
        .zip(&rows)
        .zip(&texts)
        .map(|((hit, row), text)| Line {
            text,
            speaker: speaker(row),
            at: row.said_at,
            channel: hit.channel,
            confidence: hit.confidence,
        })
        .collect();
    let block = block(&lines, budget);
    Ok(Finding { hits, rows, block })
}

fn speaker(row: &Row) -> Option<&str> {
    speaker_of(&row.speaker, &row.role).or(text::speaker(&row.content).0)
}

/// What the block tells of a text: not more than so many letters.
fn told(content: &str) -> String {
    match content.char_indices().nth(LETTERS) {
        Some((end, _)) => format!("{}…", content[..end].trim_end()),
        None => content.to_owned(),
    }
}

fn memory(hit: &Hit, row: &Row, person: &Person) -> pb::Memory {
    pb::Memory {
        node_id: row.id.clone(),
        topic: row.topic.clone(),
        summary: row.summary.clone(),
        node_type: row.kind.clone(),
        salience: round(hit.salience),
        relevance: round(hit.relevance),
        score: round(hit.score),
        channel: hit.channel.name().to_owned(),
        confidence: hit.confidence.name().to_owned(),
        created_at: Some(seconds(row.said_at)),
        last_accessed_at: Some(seconds(row.accessed_at)),
        processing_count: row.processed + 1,
        entities: person.names_of(row.number),
        metadata: row.metadata.clone(),
        merged_metadata: given(row.merged_metadata.clone()),
    }
}
