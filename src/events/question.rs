//! Answers questions about a period, exactly and from one snapshot: from rollups
//! where they fit, from the events at the ragged edges, and from the events that
//! are not folded yet. What no rollup holds, such as two filters at once, is read
//! from the events of the period.

use std::collections::{BTreeMap, HashSet};

use sea_orm::{ConnectionTrait, DbBackend, Value};

use super::bucket::{Level, Piece, cover, joined};
use super::figures::Figures;
use super::model::Dimension;
use super::position::folded;
use super::scan::{self, Edge};
use super::traffic::Traffic;
use crate::auth::ProjectId;
use crate::db::sql::{placeholders, rows};
use crate::error::Result;

/// A question about the events of a project.
#[derive(Debug, Clone)]
pub struct Question {
    /// The project.
    pub project: ProjectId,
    /// Boundaries of the intervals, in microseconds since 1970, ascending. Two of
    /// them are one interval.
    pub boundaries: Vec<i64>,
    /// Only events with one of these names; all when empty.
    pub names: Vec<String>,
    /// Only events with this value of a dimension.
    pub filters: Vec<(Dimension, String)>,
    /// Only these kinds of traffic.
    pub traffic: Traffic,
    /// Figures per name or per value of a dimension.
    pub group: Group,
    /// Only these groups; all when `None`.
    pub only: Option<HashSet<String>>,
    /// So many of the largest groups, and maybe others; all when `None`.
    pub top: Option<usize>,
    /// Which figures are wanted.
    pub wants: Wants,
}

/// What figures are grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Not at all.
    None,
    /// By the event's name.
    Name,
    /// By a dimension.
    By(Dimension),
}

/// Which figures are wanted, besides how many events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wants {
    /// Who the visitors were.
    pub visitors: bool,
    /// What was paid.
    pub revenue: bool,
}

/// Groups met among events above which all groups are read.
const MOST_MET: usize = 1_000;

/// Figures per interval and group.
pub type Answer = BTreeMap<(usize, String), Figures>;

impl Question {
    /// First moment of the period.
    pub(super) fn from(&self) -> i64 {
        self.boundaries.first().copied().unwrap_or(0)
    }

    /// First moment after the period.
    pub(super) fn to(&self) -> i64 {
        self.boundaries.last().copied().unwrap_or(0)
    }

    /// The interval a time lies in.
    pub(super) fn interval(&self, time: i64) -> usize {
        let after = self
            .boundaries
            .partition_point(|boundary| *boundary <= time);
        after.saturating_sub(1)
    }

    pub(super) fn admits(&self, group: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(group))
    }

    /// How many of the largest groups the database may choose, when so many were met
    /// among events.
    fn top_of(&self, met: usize) -> Option<usize> {
        let single = self.boundaries.len() == 2 && self.wants == Wants::default();
        let free = self.only.is_none() && self.group != Group::None;
        self.top.filter(|_| single && free && met <= MOST_MET)
    }

    /// The one dimension whose rollups answer the question; `Err` if it takes
    /// more than one.
    fn dimension(&self) -> Result<Option<Dimension>, ()> {
        let grouped = match self.group {
            Group::By(dimension) => Some(dimension),
            Group::None | Group::Name => None,
        };
        let mut involved: Vec<Dimension> = self.filters.iter().map(|(own, _)| *own).collect();
        involved.extend(grouped);
        involved.dedup();
        match involved.as_slice() {
            [] => Ok(None),
            // Two filters on one dimension match nothing or the same; let the
            // events decide.
            [one] if self.filters.len() <= 1 => Ok(Some(*one)),
            _ => Err(()),
        }
    }
}

/// Answers a question. `connection` is a snapshot.
pub async fn answer(connection: &impl ConnectionTrait, question: &Question) -> Result<Answer> {
    let mut answer = Answer::new();
    // No group may be asked for: an empty list is none that SQL knows.
    let no_group = question.only.as_ref().is_some_and(HashSet::is_empty);
    if question.from() >= question.to() || no_group {
        return Ok(answer);
    }
    let folded = folded(connection).await?;
    let Ok(dimension) = question.dimension() else {
        let edge = Edge::all(question.from(), question.to());
        scan::period(connection, question, edge, &mut answer).await?;
        return Ok(answer);
    };
    let finest = match dimension {
        None => Level::Quarter,
        Some(_) => Level::Day,
    };
    let intervals = question.boundaries.windows(2);
    let pieces = intervals
        .flat_map(|pair| cover(pair[0], pair[1], finest))
        .collect();
    let names = Names::of(question);
    let (mut rollups, mut edges) = (Vec::new(), Vec::new());
    for piece in joined(pieces) {
        match piece.level {
            Some(level) => rollups.push(Rollup {
                level,
                dimension,
                piece,
                names: &names,
            }),
            None => edges.push(Edge::folded(piece.from, piece.to, folded)),
        }
    }
    for edge in edges {
        scan::period(connection, question, edge, &mut answer).await?;
    }
    scan::tail(connection, question, folded, &mut answer).await?;
    if let Some(top) = question.top_of(answer.len()) {
        // What events told is complete with the rest of the same groups. Any other
        // group has nothing but rollups, and of those the database knows the
        // largest: as many as wanted, and as may be among the groups read already.
        let met: HashSet<String> = answer.keys().map(|(_, key)| key.clone()).collect();
        let others = top_of(connection, question, &rollups, top + met.len()).await?;
        if !met.is_empty() {
            let rest = Question {
                only: Some(met.clone()),
                ..question.clone()
            };
            let names = Names::of(&rest);
            for rollup in &rollups {
                let rollup = Rollup {
                    names: &names,
                    ..*rollup
                };
                rollup.read(connection, &rest, &mut answer).await?;
            }
        }
        for (key, events) in others.into_iter().filter(|(key, _)| !met.contains(key)) {
            answer.entry((0, key)).or_default().events = events;
        }
        return Ok(answer);
    }
    for rollup in &rollups {
        rollup.read(connection, question, &mut answer).await?;
    }
    Ok(answer)
}

/// The largest groups of rollups, and how many events they have.
async fn top_of(
    connection: &impl ConnectionTrait,
    question: &Question,
    rollups: &[Rollup<'_>],
    limit: usize,
) -> Result<Vec<(String, i64)>> {
    let mut values = Vec::new();
    let parts = rollups.iter();
    let parts: Vec<String> = parts
        .filter_map(|rollup| rollup.select(question, &mut values))
        .collect();
    if parts.is_empty() {
        return Ok(Vec::new());
    }
    let named = rollups.first().map_or("", |rollup| rollup.names.with());
    // Byte by byte, as the list is sorted that is shown.
    let order = match connection.get_database_backend() {
        DbBackend::Postgres => "grouped COLLATE \"C\"",
        _ => "grouped",
    };
    let sql = format!(
        "{named}SELECT grouped, CAST(SUM(events) AS BIGINT) AS total FROM ({}) AS parts \
         GROUP BY grouped ORDER BY total DESC, {order} LIMIT {limit}",
        parts.join(" UNION ALL ")
    );
    let found = rows(connection, &sql, values).await?;
    let found = found.iter();
    found
        .map(|row| Ok((row.try_get("", "grouped")?, row.try_get("", "total")?)))
        .collect()
}

/// The names whose rows are read.
#[derive(Debug)]
enum Names {
    /// These. The empty one is the row of all names together.
    These(Vec<String>),
    /// Every one by itself; there may be any number of them.
    Every,
}

impl Names {
    fn of(question: &Question) -> Self {
        let Question {
            names, group, only, ..
        } = question;
        match (names.as_slice(), group, only) {
            ([], Group::Name, None) => Self::Every,
            ([], Group::Name, Some(only)) => Self::These(only.iter().cloned().collect()),
            ([], Group::None | Group::By(_), _) => Self::These(vec![String::new()]),
            (own, Group::Name, Some(only)) => {
                let wanted = own.iter().filter(|name| only.contains(*name));
                Self::These(wanted.cloned().collect())
            }
            (own, _, _) => Self::These(own.to_vec()),
        }
    }
}

impl Names {
    /// What a statement that reads them begins with.
    fn with(&self) -> &'static str {
        match self {
            Self::These(_) => "",
            Self::Every => NAMED,
        }
    }
}

/// Every name there is, each found from the one before: the rows between two names
/// are not read.
const NAMED: &str = "WITH RECURSIVE named (name) AS (\
    SELECT MIN(name) FROM event_rollup \
    WHERE project = $1 AND level = 3 AND dimension = $3 AND name > '' \
    UNION ALL \
    SELECT (SELECT MIN(later.name) FROM event_rollup AS later \
    WHERE later.project = $1 AND later.level = 3 AND later.dimension = $3 \
    AND later.name > named.name) FROM named WHERE named.name IS NOT NULL) ";

/// Rows of the rollups for one range of buckets.
struct Rollup<'a> {
    level: Level,
    dimension: Option<Dimension>,
    piece: Piece,
    names: &'a Names,
}

impl Rollup<'_> {
    /// The statement that reads them, without what names begin with. Its values
    /// follow those that are there.
    fn select(&self, question: &Question, values: &mut Vec<Value>) -> Option<String> {
        let group = match question.group {
            Group::None => "''",
            Group::Name => "kept.name",
            Group::By(_) => "kept.value",
        };
        let first = values.len() + 1;
        values.extend::<[Value; 5]>([
            question.project.into(),
            (self.level as i16).into(),
            self.dimension.map_or(0, |own| own as i16).into(),
            self.piece.from.into(),
            self.piece.to.into(),
        ]);
        let mut conditions = question.traffic.condition("kept.audience");
        let mut within = |column: &str, texts: &mut dyn Iterator<Item = &String>| {
            let first = values.len() + 1;
            values.extend(texts.map(|text| text.as_str().into()));
            let list = placeholders(first, values.len() + 1 - first);
            conditions.push_str(&format!(" AND kept.{column} IN ({list})"));
        };
        let (from, same) = match self.names {
            Names::These(names) if names.is_empty() => return None,
            Names::These(names) => {
                within("name", &mut names.iter());
                ("", "")
            }
            Names::Every => ("named CROSS JOIN ", " AND kept.name = named.name"),
        };
        if let Some((_, value)) = question.filters.first() {
            within("value", &mut std::iter::once(value));
        }
        if let (Some(only), Group::By(_)) = (&question.only, question.group) {
            within("value", &mut only.iter());
        }
        let Wants { visitors, revenue } = question.wants;
        let single = question.boundaries.len() == 2;
        // Without sets to unite, the database adds up.
        let (columns, tail) = match (visitors, revenue) {
            (false, false) if single => (
                "MIN(bucket) AS bucket, CAST(SUM(events) AS BIGINT) AS events, \
                 NULL AS revenue, NULL AS visitors",
                " GROUP BY 1",
            ),
            (false, false) => ("bucket, events, NULL AS revenue, NULL AS visitors", ""),
            (false, true) => ("bucket, events, revenue, NULL AS visitors", ""),
            (true, false) => ("bucket, events, NULL AS revenue, visitors", ""),
            (true, true) => ("bucket, events, revenue, visitors", ""),
        };
        Some(format!(
            "SELECT {group} AS grouped, {columns} FROM {from}event_rollup AS kept \
             WHERE kept.project = ${first} AND kept.level = ${} AND kept.dimension = ${}{same} \
             AND kept.bucket >= ${} AND kept.bucket < ${}{conditions}{tail}",
            first + 1,
            first + 2,
            first + 3,
            first + 4,
        ))
    }

    async fn read(
        &self,
        connection: &impl ConnectionTrait,
        question: &Question,
        answer: &mut Answer,
    ) -> Result<()> {
        let mut values = Vec::new();
        let Some(select) = self.select(question, &mut values) else {
            return Ok(());
        };
        let Wants { visitors, revenue } = question.wants;
        let sql = format!("{}{select}", self.names.with());
        for row in rows(connection, &sql, values).await? {
            let key: String = row.try_get("", "grouped")?;
            if !question.admits(&key) {
                continue;
            }
            let bucket: i64 = row.try_get("", "bucket")?;
            let figures = answer.entry((question.interval(bucket), key)).or_default();
            figures.events += row.try_get::<i64>("", "events")?;
            if revenue && let Some(text) = row.try_get::<Option<String>>("", "revenue")? {
                figures.add_revenue(&text)?;
            }
            if visitors {
                figures.add_visitors(&row.try_get::<Vec<u8>>("", "visitors")?)?;
            }
        }
        Ok(())
    }
}
