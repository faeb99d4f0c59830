//! The rule of links: what becomes of the statement that a visitor is somebody. It is
//! the same for a link by hand, a stitch and an event; only their weight differs.

use sea_orm::{ConnectionTrait as _, DbBackend, Value};
use serde_json::{Map, Value as Json, json};
use xxhash_rust::xxh3::xxh3_64;

use super::lead::{self, Lead};
use super::names::Name;
use super::refusal::{Reason, Refusal};
use crate::auth::ProjectId;
use crate::db::Tx;
use crate::db::sql::{execute, row};
use crate::error::Result;
use crate::products::growth::webhooks::{Kind, publish};

/// Most bytes of what is known of a lead.
const MOST_TRAITS: usize = 32 * 1024;

/// Somebody says that a visitor is somebody.
#[derive(Debug, Clone)]
pub(super) struct Statement {
    /// The visitor; `None` of an event that has none.
    pub(super) visitor: Option<String>,
    /// What the lead is called, the name that counts most first; one at least.
    pub(super) names: Vec<Name>,
    /// What else is known.
    pub(super) traits: Map<String, Json>,
    /// Who says so.
    pub(super) source: String,
    pub(super) weight: Weight,
}

/// How much a statement weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// An event: it does not bring back what was undone.
    Event,
    /// A page, by e-mail.
    Stitch,
    /// Somebody who may, by hand: it moves the visitor.
    Manual,
}

/// What became of a statement.
#[derive(Debug)]
pub(super) struct Linked {
    /// The lead that was named.
    pub(super) lead: Lead,
    /// Whether it was made just now.
    pub(super) created: bool,
}

/// Statements about one project are taken one after another, on every node: each sees
/// what the one before made.
pub(super) async fn lock(tx: &Tx, project: ProjectId) -> Result<()> {
    if tx.get_database_backend() == DbBackend::Postgres {
        let number = xxh3_64(format!("growth identity {project}").as_bytes()) as i64;
        row(tx, "SELECT pg_advisory_xact_lock($1)", [number.into()]).await?;
    }
    Ok(())
}

/// Takes a statement, and tells webhooks of what it changed.
pub(super) async fn link(
    tx: &Tx,
    project: ProjectId,
    said: &Statement,
    now: i64,
) -> Result<Linked> {
    lock(tx, project).await?;
    let own = match &said.visitor {
        Some(visitor) => own_link(tx, project, visitor).await?,
        None => None,
    };
    let mut found = find(tx, project, said, own.as_ref(), now).await?;
    if let Some(visitor) = &said.visitor {
        let moved = join(tx, project, visitor, &found, own.as_ref(), said, now).await?;
        found.changed |= moved;
    }
    if learn(&mut found.root, &said.traits) == Learned::TooMuch {
        let visitor = said.visitor.as_deref().unwrap_or_default();
        let refusal = Refusal::new(Reason::TraitsTooLarge, visitor, &found.root.id);
        refusal.record(tx, project, now).await?;
    } else if !said.traits.is_empty() && found.root.traits != found.traits_before {
        found.changed = true;
    }
    if found.changed && !found.created {
        found.root.updated_at = now;
    }
    if found.changed || found.created {
        lead::save(tx, project, &found.root).await?;
        let kind = match found.created {
            true => Kind::LeadCreated,
            false => Kind::LeadUpdated,
        };
        let data = told(&found.root, said);
        publish(tx, project, kind, &data, now).await?;
    }
    Ok(Linked {
        lead: found.root,
        created: found.created,
    })
}

/// A lead that was found or made.
struct Found {
    /// The lead that has the name, itself.
    leaf: i64,
    /// The lead it is part of.
    root: Lead,
    traits_before: Map<String, Json>,
    created: bool,
    changed: bool,
}

/// Finds the lead with the names, makes it, or gives the visitor's own the name.
async fn find(
    tx: &Tx,
    project: ProjectId,
    said: &Statement,
    own: Option<&Link>,
    now: i64,
) -> Result<Found> {
    let mut known: Option<(i64, Lead)> = None;
    let mut unknown = Vec::new();
    for name in &said.names {
        let Some(leaf) = lead::named(tx, project, &name.text).await? else {
            unknown.push(name);
            continue;
        };
        let number = leaf.number;
        let root = lead::root(tx, project, leaf).await?;
        match &known {
            None => known = Some((number, root)),
            Some((_, first)) if first.number != root.number => {
                let visitor = said.visitor.as_deref().unwrap_or_default();
                let refusal = Refusal::new(Reason::TwoLeads, visitor, &name.text);
                refusal.record(tx, project, now).await?;
            }
            Some(_) => {}
        }
    }
    let adopting = || {
        let own = own.filter(|_| said.weight < Weight::Manual)?;
        let fits = said.names.iter().all(|name| own.root.lacks(name.kind));
        fits.then(|| (own.leaf, own.root.clone()))
    };
    let Some((leaf, mut root)) = known.or_else(adopting) else {
        let root = lead::make(tx, project, &said.names, &said.source, now).await?;
        return Ok(Found {
            leaf: root.number,
            traits_before: Map::new(),
            root,
            created: true,
            changed: false,
        });
    };
    // Names that are said together with one that is known are of the same lead.
    for name in &unknown {
        lead::adopt(tx, project, &mut root, name).await?;
    }
    Ok(Found {
        leaf,
        traits_before: root.traits.clone(),
        root,
        created: false,
        changed: !unknown.is_empty(),
    })
}

/// The link that says to whom a visitor's history belongs.
struct Link {
    leaf: i64,
    root: Lead,
}

async fn own_link(tx: &Tx, project: ProjectId, visitor: &str) -> Result<Option<Link>> {
    let sql = "SELECT lead FROM growth_link \
               WHERE project = $1 AND visitor = $2 AND own = 1 AND undone_at IS NULL";
    let Some(found) = row(tx, sql, [project.into(), visitor.into()]).await? else {
        return Ok(None);
    };
    let leaf: i64 = found.try_get("", "lead")?;
    let root = lead::numbered(tx, project, leaf).await?;
    let root = lead::root(tx, project, root).await?;
    Ok(Some(Link { leaf, root }))
}

/// Joins a visitor to a lead; answers whether anything is different now.
async fn join(
    tx: &Tx,
    project: ProjectId,
    visitor: &str,
    found: &Found,
    own: Option<&Link>,
    said: &Statement,
    now: i64,
) -> Result<bool> {
    if own.is_some_and(|own| own.root.number == found.root.number) {
        return Ok(false);
    }
    let sql = "SELECT own, undone_at FROM growth_link \
               WHERE project = $1 AND visitor = $2 AND lead = $3";
    let values: [Value; 3] = [project.into(), visitor.into(), found.leaf.into()];
    let before = row(tx, sql, values).await?;
    let undone = match &before {
        Some(before) => before.try_get::<Option<i64>>("", "undone_at")?.is_some(),
        None => false,
    };
    if undone && said.weight == Weight::Event {
        return Ok(false);
    }
    let moves = own.is_none() || said.weight == Weight::Manual;
    if !moves {
        let refusal = Refusal::new(Reason::AlreadyIdentified, visitor, &found.root.id);
        refusal.record(tx, project, now).await?;
        if before.is_some() && !undone {
            return Ok(false);
        }
    }
    if moves && own.is_some() {
        let sql = "UPDATE growth_link SET own = 0 WHERE project = $1 AND visitor = $2 AND own = 1";
        execute(tx, sql, [project.into(), visitor.into()]).await?;
    }
    let sql = "INSERT INTO growth_link (project, visitor, lead, own, source, linked_at) \
               VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (project, visitor, lead) DO UPDATE SET \
               own = excluded.own, source = excluded.source, linked_at = excluded.linked_at, \
               undone_at = NULL";
    let values: [Value; 6] = [
        project.into(),
        visitor.into(),
        found.leaf.into(),
        i16::from(moves).into(),
        said.source.as_str().into(),
        now.into(),
    ];
    execute(tx, sql, values).await?;
    Ok(true)
}

/// Whether traits were added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Learned {
    Added,
    TooMuch,
}

/// Adds what is known to what was known.
fn learn(lead: &mut Lead, traits: &Map<String, Json>) -> Learned {
    if traits.is_empty() {
        return Learned::Added;
    }
    let mut all = lead.traits.clone();
    for (name, value) in traits {
        all.insert(name.clone(), value.clone());
    }
    if Json::Object(all.clone()).to_string().len() > MOST_TRAITS {
        return Learned::TooMuch;
    }
    lead.traits = all;
    Learned::Added
}

/// What webhooks are told of a lead.
fn told(lead: &Lead, said: &Statement) -> Json {
    json!({
        "leadId": lead.id,
        "email": lead.email,
        "externalId": lead.external,
        "visitorId": said.visitor,
        "source": said.source,
        "traits": lead.traits,
    })
}
