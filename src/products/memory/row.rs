//! A memory as the database keeps it, and as callers see it.

use sea_orm::{ConnectionTrait, QueryResult, Value};

use super::person::Person;
use crate::api::apex::memory::v1 as pb;
use crate::clock::MICROS;
use crate::db::sql::{column, placeholders, rows};
use crate::error::Result;
use crate::products::timestamp;

/// Every column of a memory, and where it is kept.
const MEMORY: &str = "number, id, content, topic, summary, kind, domain, session, role, speaker, \
                       said_at, accessed_at, reinforced_at, processed, base, sdv, cscv, lcs, swv, \
                       pdv, event, modified, pinned, metadata, merged_metadata \
                       FROM memory_node JOIN memory_index \
                       ON memory_index.user_number = memory_node.user_number AND node = number \
                       WHERE memory_node.user_number = $1";

/// A memory, whole. What was said stands in no log.
pub(super) struct Row {
    pub(super) number: i64,
    pub(super) id: String,
    pub(super) content: String,
    pub(super) topic: String,
    pub(super) summary: String,
    pub(super) kind: String,
    pub(super) domain: String,
    pub(super) session: String,
    pub(super) role: String,
    pub(super) speaker: String,
    pub(super) said_at: i64,
    pub(super) accessed_at: i64,
    pub(super) reinforced_at: i64,
    pub(super) processed: i64,
    pub(super) scoring: pb::Scoring,
    exact: pb::Exact,
    pub(super) metadata: String,
    pub(super) merged_metadata: String,
}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Row")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

impl Row {
    fn of(row: &QueryResult) -> Result<Self> {
        Ok(Self {
            number: column(row, "number")?,
            id: column(row, "id")?,
            content: column(row, "content")?,
            topic: column(row, "topic")?,
            summary: column(row, "summary")?,
            kind: column(row, "kind")?,
            domain: column(row, "domain")?,
            session: column(row, "session")?,
            role: column(row, "role")?,
            speaker: column(row, "speaker")?,
            said_at: column(row, "said_at")?,
            accessed_at: column(row, "accessed_at")?,
            reinforced_at: column(row, "reinforced_at")?,
            processed: column(row, "processed")?,
            scoring: pb::Scoring {
                base_score: round(column(row, "base")?),
                sdv: round(column(row, "sdv")?),
                cscv: round(column(row, "cscv")?),
                lcs: round(column(row, "lcs")?),
                swv: round(column(row, "swv")?),
                pdv: round(column(row, "pdv")?),
                signal_modifiers_applied: column::<i16>(row, "modified")? != 0,
            },
            exact: pb::Exact {
                base: column(row, "base")?,
                sdv: column(row, "sdv")?,
                swv: column(row, "swv")?,
                event: column(row, "event")?,
                pinned: column::<i16>(row, "pinned")? != 0,
                said_at: column(row, "said_at")?,
                reinforced_at: column(row, "reinforced_at")?,
            },
            metadata: column(row, "metadata")?,
            merged_metadata: column(row, "merged_metadata")?,
        })
    }

    /// The memory whole, for an export.
    pub(super) fn node(self, person: &Person, salience: f64) -> pb::Node {
        pb::Node {
            entities: person.names_of(self.number),
            salience: round(salience),
            node_id: self.id,
            topic: self.topic,
            summary: self.summary,
            node_type: self.kind,
            created_at: Some(seconds(self.said_at)),
            last_accessed_at: Some(seconds(self.accessed_at)),
            updated_at: Some(seconds(self.reinforced_at)),
            processing_count: self.processed + 1,
            metadata: self.metadata,
            merged_metadata: given(self.merged_metadata),
            content: self.content,
            scoring: Some(self.scoring),
            session_id: self.session,
            role: self.role,
            speaker: self.speaker,
            domain: self.domain,
            exact: Some(self.exact),
        }
    }
}

/// What is there at all.
pub(super) fn given(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

/// Two decimals, as scores are shown.
pub(super) fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// A time in whole seconds, as times are shown.
pub(super) fn seconds(micros: i64) -> prost_types::Timestamp {
    timestamp(micros.div_euclid(MICROS).saturating_mul(MICROS))
}

/// Some memories of a user, oldest first.
pub(super) async fn some(
    connection: &impl ConnectionTrait,
    user: i64,
    numbers: &[i64],
) -> Result<Vec<Row>> {
    if numbers.is_empty() {
        return Ok(Vec::new());
    }
    // Statements of few lengths: each is prepared once.
    let size = numbers.len().next_power_of_two();
    let last = numbers.last().copied().unwrap_or_default();
    let padded = numbers
        .iter()
        .copied()
        .chain(std::iter::repeat(last))
        .take(size);
    let sql = format!(
        "SELECT {MEMORY} AND number IN ({}) ORDER BY number",
        placeholders(2, size)
    );
    let values = std::iter::once(user).chain(padded).map(Value::from);
    let found = rows(connection, &sql, values).await?;
    found.iter().map(Row::of).collect()
}

/// All memories of a user, oldest first.
pub(super) async fn all(connection: &impl ConnectionTrait, user: i64) -> Result<Vec<Row>> {
    let sql = format!("SELECT {MEMORY} ORDER BY number");
    let found = rows(connection, &sql, [user.into()]).await?;
    found.iter().map(Row::of).collect()
}
