//! What is in memory of a memory, as the database keeps it beside the text: users are read
//! whole and often, texts by the dozen. Rows of one user lie together.

use prost::Message;
use sea_orm::{ConnectionTrait, QueryResult, Value};

use super::engine::decay::{LASTING, State};
use super::engine::index::Reading;
use super::person::speaker_of;
use crate::db::Tx;
use crate::db::sql::{column, execute, ladder, placeholders, rows, tuples};
use crate::error::{Error, Result};

/// What does not change of a memory, but for its text.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Kept {
    /// When it was said.
    #[prost(sint64, tag = "1")]
    pub(super) said_at: i64,
    /// The conversation it is of.
    #[prost(string, tag = "2")]
    pub(super) session: String,
    /// What part of life it is about.
    #[prost(string, tag = "3")]
    pub(super) domain: String,
    /// How much it mattered when it was made.
    #[prost(double, tag = "4")]
    pub(super) base: f64,
    /// Strength of the life event it tells of.
    #[prost(double, tag = "5")]
    pub(super) event: f64,
    /// What the user's habit is made of: `sdv + swv`.
    #[prost(double, tag = "6")]
    pub(super) habit: f64,
    /// Whether it is always told.
    #[prost(bool, tag = "7")]
    pub(super) pinned: bool,
    /// What it names.
    #[prost(int64, repeated, tag = "8")]
    pub(super) entities: Vec<i64>,
}

/// A memory as it is kept.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) number: i64,
    /// How often it was said again or taken up.
    pub(super) processed: i64,
    /// When it last was.
    pub(super) reinforced_at: i64,
    pub(super) kept: Kept,
    pub(super) reading: Reading,
}

impl Known {
    /// What salience follows from.
    pub(super) fn state(&self) -> State {
        State {
            base: self.kept.base,
            processed: self.processed.clamp(0, u32::MAX.into()) as u32,
            reinforced_at: self.reinforced_at,
            lasting: self.kept.pinned || self.kept.event >= LASTING,
        }
    }
}

/// Keeps memories.
pub(super) async fn keep(tx: &Tx, user: i64, known: &[Known]) -> Result<()> {
    for some in ladder(known) {
        let tuples = tuples(tx.get_database_backend(), 6, some.len());
        let sql = format!(
            "INSERT INTO memory_index (user_number, node, processed, reinforced_at, kept, reading) \
             VALUES {tuples}"
        );
        let of = |own: &Known| -> [Value; 6] {
            [
                user.into(),
                own.number.into(),
                own.processed.into(),
                own.reinforced_at.into(),
                own.kept.encode_to_vec().into(),
                own.reading.encode_to_vec().into(),
            ]
        };
        execute(tx, &sql, some.iter().flat_map(of)).await?;
    }
    Ok(())
}

/// A memory was said again or taken up.
pub(super) async fn process(tx: &Tx, user: i64, node: i64, at: i64) -> Result<()> {
    let sql = "UPDATE memory_index SET processed = processed + 1, \
               reinforced_at = CASE WHEN reinforced_at > $3 THEN reinforced_at ELSE $3 END \
               WHERE user_number = $1 AND node = $2";
    execute(tx, sql, [user.into(), node.into(), at.into()]).await?;
    Ok(())
}

/// All memories of a user in the order they were made.
pub(super) async fn all(view: &impl ConnectionTrait, user: i64) -> Result<Vec<Known>> {
    let sql = "SELECT node, processed, reinforced_at, kept, reading FROM memory_index \
               WHERE user_number = $1 ORDER BY node";
    let found = rows(view, sql, [user.into()]).await?;
    let mut all = Vec::with_capacity(found.len());
    let mut old = Vec::new();
    for (at, row) in found.iter().enumerate() {
        let known = known(row)?;
        if known.1 {
            old.push(at);
        }
        all.push(known.0);
    }
    read_again(view, user, &mut all, &old).await?;
    Ok(all)
}

/// A row, and whether its text is to be read again.
fn known(row: &QueryResult) -> Result<(Known, bool)> {
    let kept: &[u8] = column(row, 3)?;
    let reading = Reading::kept(column(row, 4)?);
    let is_old = reading.is_none();
    let known = Known {
        number: column(row, 0)?,
        processed: column(row, 1)?,
        reinforced_at: column(row, 2)?,
        kept: Kept::decode(kept).map_err(Error::internal)?,
        reading: reading.unwrap_or_default(),
    };
    Ok((known, is_old))
}

/// Reads the texts of those that another version of this program read.
async fn read_again(
    view: &impl ConnectionTrait,
    user: i64,
    all: &mut [Known],
    old: &[usize],
) -> Result<()> {
    for some in ladder(old) {
        let sql = format!(
            "SELECT content, speaker, role FROM memory_node \
             WHERE user_number = $1 AND number IN ({}) ORDER BY number",
            placeholders(2, some.len())
        );
        let numbers = some.iter().filter_map(|at| all.get(*at));
        let numbers: Vec<Value> = numbers.map(|own| own.number.into()).collect();
        let values = std::iter::once(user.into()).chain(numbers);
        for (row, at) in rows(view, &sql, values).await?.iter().zip(some) {
            let (content, speaker, role): (String, String, String) =
                (column(row, 0)?, column(row, 1)?, column(row, 2)?);
            if let Some(own) = all.get_mut(*at) {
                let speaker = speaker_of(&speaker, &role);
                own.reading = Reading::of(&content, speaker, own.kept.said_at);
            }
        }
    }
    Ok(())
}
