//! Links what events say: the log is followed by position, behind its writer, so that
//! taking events costs nothing for it. What a batch of events links and how far the
//! log was followed are committed together: every event is heard once, on one node,
//! whatever ends in between.

use std::num::NonZeroUsize;
use std::time::Duration;

use lru::LruCache;
use sea_orm::QueryResult;
use serde_json::{Map, Value as Json};

use super::link::{Statement, Weight, link};
use super::names::{Name, NameKind};
use super::refusal::{self, Reason, Refusal};
use crate::auth::ProjectId;
use crate::clock::Clock;
use crate::db::sql::{execute, row, rows};
use crate::db::{Db, Tx};
use crate::error::{Error, Result};

/// How often new events are looked for.
const EVERY: Duration = Duration::from_secs(1);
/// Looks between two times that old refusals are forgotten.
const FORGET_AFTER: u32 = 3600;
/// Events of one batch at the most.
const BATCH: i64 = 500;
/// Statements that are remembered: whoever is signed in sends the same with every event.
const HEARD: NonZeroUsize = NonZeroUsize::MIN.saturating_add(49_999);
/// The event that says who somebody is.
const IDENTIFY: &str = "identify";
/// Members of its data that hold an id, the one that counts most first.
const IDS: [&str; 4] = ["leadId", "userId", "lead_id", "user_id"];

/// What was heard lately: project, visitor, person.
type Heard = LruCache<(i64, String, String), ()>;

/// What an event says.
struct Said {
    project: ProjectId,
    key: (i64, String, String),
    statement: Result<Statement, Refusal>,
}

/// Follows the log as long as the process runs.
pub(in crate::products::growth) async fn follow(db: Db, clock: Clock) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut heard = Heard::new(HEARD);
    let mut looks = 0;
    loop {
        ticks.tick().await;
        looks += 1;
        let mut outcome = catch_up(&db, &clock, &mut heard).await;
        if outcome.is_ok() && looks >= FORGET_AFTER {
            looks = 0;
            outcome = forget(&db, &clock).await;
        }
        if let Err(error) = outcome {
            tracing::warn!(
                cause = error.log_cause(),
                "cannot link what events say; will try again"
            );
        }
    }
}

async fn catch_up(db: &Db, clock: &Clock, heard: &mut Heard) -> Result<()> {
    while batch(db, clock, heard).await? >= BATCH as usize {}
    Ok(())
}

/// Hears some events; answers how many.
async fn batch(db: &Db, clock: &Clock, heard: &mut Heard) -> Result<usize> {
    let read = db.snapshot(None).await?;
    let sql = "SELECT position FROM growth_follow WHERE name = 'identity'";
    let found = row(&read, sql, []).await?;
    let found =
        found.ok_or_else(|| Error::internal("nothing says how far the log was followed"))?;
    let before: i64 = found.try_get("", "position")?;
    // As the index has it, word for word.
    let sql = "SELECT event.seq AS seq, event.project AS project, event.name AS name, person, \
               properties, event_visitor.id AS visitor, event_visitor.ordinal AS ordinal \
               FROM event LEFT JOIN event_visitor ON event_visitor.project = event.project \
               AND event_visitor.ordinal = event.visitor \
               WHERE event.seq > $1 AND (event.person IS NOT NULL OR event.name = 'identify') \
               ORDER BY event.seq LIMIT $2";
    let events = rows(&read, sql, [before.into(), BATCH.into()]).await?;
    drop(read);
    let Some(last) = events.last() else {
        return Ok(0);
    };
    let last: i64 = last.try_get("", "seq")?;
    let mut all = Vec::new();
    for event in &events {
        if let Some(said) = said(event)?
            && heard.put(said.key.clone(), ()).is_none()
        {
            all.push(said);
        }
    }
    let now = clock.micros();
    let keys: Vec<_> = all.iter().map(|said| said.key.clone()).collect();
    let written = db
        .write(move |tx| Box::pin(store(tx, all, (before, last), now)))
        .await;
    if written.is_err() {
        // None of it was heard.
        for key in &keys {
            heard.pop(key);
        }
    }
    written.map(|()| events.len())
}

async fn store(tx: &Tx, all: Vec<Said>, (before, last): (i64, i64), now: i64) -> Result<()> {
    // Another node may have heard the same events meanwhile.
    let sql = "UPDATE growth_follow SET position = $1 WHERE name = 'identity' AND position = $2";
    if execute(tx, sql, [last.into(), before.into()]).await? == 0 {
        return Ok(());
    }
    for said in all {
        match said.statement {
            Ok(statement) => {
                link(tx, said.project, &statement, now).await?;
            }
            Err(refusal) => refusal.record(tx, said.project, now).await?,
        }
    }
    Ok(())
}

/// What an event says of who somebody is, if it says anything.
fn said(event: &QueryResult) -> Result<Option<Said>> {
    let project: i64 = event.try_get("", "project")?;
    let name: String = event.try_get("", "name")?;
    let person: Option<String> = event.try_get("", "person")?;
    let visitor: Option<String> = event.try_get("", "visitor")?;
    let ordinal: Option<i64> = event.try_get("", "ordinal")?;
    // Who is recognised for a day only is not recognised by this either.
    let lasting = ordinal.is_some_and(|ordinal| ordinal < 1 << 31);
    let visitor = visitor.filter(|_| lasting);
    let mut data = Map::new();
    if name == IDENTIFY {
        let text: Option<String> = event.try_get("", "properties")?;
        let read = text.and_then(|text| serde_json::from_str(&text).ok());
        data = read.unwrap_or_default();
    } else if visitor.is_none() {
        return Ok(None);
    }
    let texts = texts(&data, person);
    let key = (
        project,
        visitor.clone().unwrap_or_default(),
        format!("{texts:?}{:?}", data.get("traits")),
    );
    let shown = visitor.as_deref().unwrap_or_default();
    let mut names: Vec<Name> = Vec::new();
    let mut refusal = None;
    for text in texts {
        match Name::read(&text) {
            // An e-mail says most surely who it is.
            Ok(name) if name.kind == NameKind::Email => names.insert(0, name),
            Ok(name) => names.push(name),
            Err(reason) => refusal = Some(Refusal::new(reason, shown, &text)),
        }
    }
    names.dedup();
    let statement = match (names.is_empty(), refusal) {
        (true, None) => return Ok(None),
        (true, Some(refusal)) => Err(refusal),
        (false, _) => Ok(Statement {
            visitor: visitor.clone(),
            names,
            traits: traits(&data),
            source: "event".to_owned(),
            weight: Weight::Event,
        }),
    };
    let statement = statement.and_then(|said| match &said.visitor {
        Some(id) if crate::products::growth::ids::means_nobody(id) => {
            Err(Refusal::new(Reason::BlockedId, id, ""))
        }
        _ => Ok(said),
    });
    Ok(Some(Said {
        project: ProjectId(project),
        key,
        statement,
    }))
}

/// What the lead is called.
fn texts(data: &Map<String, Json>, person: Option<String>) -> Vec<String> {
    let text = |value: &Json| match value {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let id = IDS.iter().find_map(|name| data.get(*name).and_then(text));
    let traits = data.get("traits").and_then(|traits| traits.get("email"));
    let email = data.get("email").or(traits).and_then(text);
    let mut all: Vec<String> = Vec::new();
    for text in [email, id, person].into_iter().flatten() {
        if !all.contains(&text) {
            all.push(text);
        }
    }
    all
}

fn traits(data: &Map<String, Json>) -> Map<String, Json> {
    match data.get("traits") {
        Some(Json::Object(traits)) => traits.clone(),
        _ => Map::new(),
    }
}

async fn forget(db: &Db, clock: &Clock) -> Result<()> {
    const AT_ONCE: i64 = 500;
    let now = clock.micros();
    loop {
        let forgotten = db.write(move |tx| Box::pin(refusal::forget(tx, now, AT_ONCE)));
        if forgotten.await? < AT_ONCE as u64 {
            return Ok(());
        }
    }
}
