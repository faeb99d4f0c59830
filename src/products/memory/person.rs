//! What is known of a user in memory: the index of what was said, what salience follows
//! from, and how memories hang together by what they name. Texts stay in the database.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use foldhash::HashMap;
use sea_orm::ConnectionTrait;
use uuid::Uuid;

use super::engine::decay::{self, Profile, Spike, State};
use super::engine::duplicates;
use super::engine::entities::{self, Kind};
use super::engine::index::{Document, Index};
use super::engine::score::History;
use super::row;
use super::user::User;
use crate::db::sql::{column, rows};
use crate::error::Result;

/// Newest memories a habit is of.
const HABIT: usize = 50;
/// Spikes of a memory that are counted: the newest.
const SPIKES: usize = 8;

/// What is known of a user.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) number: i64,
    pub(super) version: i64,
    pub(super) index: Index,
    pub(super) nodes: BTreeMap<i64, Node>,
    pub(super) entities: BTreeMap<i64, Entity>,
    /// Topics that are suppressed, as they were given and as stems.
    suppressed: Vec<(String, Vec<String>)>,
    /// Memories on such a topic.
    pub(super) hidden: HashSet<i64>,
}

/// A memory without its text.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) said_at: i64,
    pub(super) state: State,
    /// Strength of the life event it tells of.
    pub(super) event: f64,
    /// What the user's habit is made of: `sdv + swv`.
    habit: f64,
    pub(super) entities: Vec<i64>,
    spikes: Vec<Spike>,
}

/// Something memories name.
#[derive(Debug, Clone)]
pub(super) struct Entity {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) domain: String,
    pub(super) first_at: i64,
    pub(super) last_at: i64,
    pub(super) nodes: Vec<i64>,
}

/// A memory to be known, with the text that is not kept.
#[derive(Debug)]
pub(super) struct New<'t> {
    pub(super) number: i64,
    pub(super) content: &'t str,
    pub(super) domain: &'t str,
    pub(super) session: &'t str,
    pub(super) speaker: Option<&'t str>,
    pub(super) said_at: i64,
    pub(super) state: State,
    pub(super) event: f64,
    pub(super) habit: f64,
    pub(super) pinned: bool,
    pub(super) entities: Vec<i64>,
}

impl Person {
    /// Reads a user, in a view that stands still.
    pub(super) async fn load(view: &impl ConnectionTrait, user: &User) -> Result<Self> {
        let mut person = Self::nobody(user.number);
        person.version = user.version;
        person.read_entities(view).await?;
        let mut named = person.read_edges(view).await?;
        let sql = "SELECT topic FROM memory_suppression WHERE user_number = $1 ORDER BY number";
        for row in rows(view, sql, [user.number.into()]).await? {
            let topic: String = column(&row, "topic")?;
            let stems = duplicates::stems(&topic);
            person.suppressed.push((topic, stems));
        }
        let sql = "SELECT number, content, domain, session, role, speaker, said_at, base, \
                   sdv, swv, event, processed, reinforced_at, pinned FROM memory_node \
                   WHERE user_number = $1 ORDER BY number";
        for row in rows(view, sql, [user.number.into()]).await? {
            let number: i64 = column(&row, "number")?;
            let role: String = column(&row, "role")?;
            let text = |name: &str| column::<String>(&row, name);
            let (content, domain) = (text("content")?, text("domain")?);
            let (session, speaker) = (text("session")?, text("speaker")?);
            person.add(New {
                number,
                content: &content,
                domain: &domain,
                session: &session,
                speaker: speaker_of(&speaker, &role),
                said_at: column(&row, "said_at")?,
                state: row::state(&row)?,
                event: column(&row, "event")?,
                habit: column::<f64>(&row, "sdv")? + column::<f64>(&row, "swv")?,
                pinned: column::<i16>(&row, "pinned")? != 0,
                entities: named.remove(&number).unwrap_or_default(),
            });
        }
        Ok(person)
    }

    /// Somebody of whom nothing is kept.
    pub(super) fn nobody(number: i64) -> Self {
        Self {
            number,
            version: 0,
            index: Index::default(),
            nodes: BTreeMap::new(),
            entities: BTreeMap::new(),
            suppressed: Vec::new(),
            hidden: HashSet::new(),
        }
    }

    async fn read_entities(&mut self, view: &impl ConnectionTrait) -> Result<()> {
        let sql = "SELECT number, id, name, kind, domain, first_at, last_at FROM memory_entity \
                   WHERE user_number = $1 ORDER BY number";
        for row in rows(view, sql, [self.number.into()]).await? {
            let kind: String = column(&row, "kind")?;
            let entity = Entity {
                id: column(&row, "id")?,
                name: column(&row, "name")?,
                kind: Kind::named(&kind).unwrap_or(Kind::Other),
                domain: column(&row, "domain")?,
                first_at: column(&row, "first_at")?,
                last_at: column(&row, "last_at")?,
                nodes: Vec::new(),
            };
            self.entities.insert(column(&row, "number")?, entity);
        }
        Ok(())
    }

    /// Entities by the memory that names them.
    async fn read_edges(&self, view: &impl ConnectionTrait) -> Result<HashMap<i64, Vec<i64>>> {
        let sql = "SELECT node, entity FROM memory_edge WHERE user_number = $1 \
                   ORDER BY node, entity";
        let mut named: HashMap<i64, Vec<i64>> = HashMap::default();
        for row in rows(view, sql, [self.number.into()]).await? {
            let own = named.entry(column(&row, "node")?).or_default();
            own.push(column(&row, "entity")?);
        }
        Ok(named)
    }

    /// Makes a memory known.
    pub(super) fn add(&mut self, mut new: New<'_>) {
        // As they are read back.
        new.entities.sort_unstable();
        for entity in &new.entities {
            if let Some(own) = self.entities.get_mut(entity) {
                own.nodes.push(new.number);
            }
        }
        self.index.insert(&Document {
            id: of(new.number),
            session: Some(new.session).filter(|session| !session.is_empty()),
            speaker: new.speaker,
            at: new.said_at,
            content: new.content,
            state: new.state,
            spikes: &[],
            pinned: new.pinned,
        });
        if self.is_suppressed(new.content, new.domain) {
            self.hidden.insert(new.number);
            self.index.hide(of(new.number), true);
        }
        let node = Node {
            said_at: new.said_at,
            state: new.state,
            event: new.event,
            habit: new.habit,
            entities: new.entities,
            spikes: Vec::new(),
        };
        self.nodes.insert(new.number, node);
        self.raise(new.number);
    }

    /// Spikes among a memory and those that share an entity with it: a life event raises
    /// what was said before it.
    fn raise(&mut self, number: i64) {
        let Some(new) = self.nodes.get(&number).cloned() else {
            return;
        };
        if new.event == 0.0 {
            return;
        }
        let spike = Spike {
            amount: decay::spike(new.event),
            at: new.said_at,
        };
        for other in self.sharing(&new.entities, number) {
            if let Some(own) = self
                .nodes
                .get_mut(&other)
                .filter(|own| own.said_at <= spike.at)
            {
                own.spikes.push(spike);
                if own.spikes.len() > SPIKES {
                    own.spikes.remove(0);
                }
                self.index.update(of(other), own.state, &own.spikes);
            }
        }
    }

    /// A memory was said again, or taken up.
    pub(super) fn process(&mut self, number: i64, at: i64) {
        if let Some(own) = self.nodes.get_mut(&number) {
            own.state.processed += 1;
            own.state.reinforced_at = own.state.reinforced_at.max(at);
            self.index.update(of(number), own.state, &own.spikes);
        }
    }

    /// Memories that name one of some entities, without one of them.
    pub(super) fn sharing(&self, entities: &[i64], without: i64) -> BTreeSet<i64> {
        let nodes = |entity: &i64| self.entities.get(entity).map(|own| own.nodes.as_slice());
        let all = entities.iter().filter_map(nodes).flatten();
        all.copied().filter(|own| *own != without).collect()
    }

    /// Whether a text is on a topic that is suppressed.
    pub(super) fn is_suppressed(&self, content: &str, domain: &str) -> bool {
        if self.suppressed.is_empty() {
            return false;
        }
        let stems = duplicates::stems(content);
        let on = |(topic, wanted): &(String, Vec<String>)| {
            topic.eq_ignore_ascii_case(domain)
                || !wanted.is_empty() && wanted.iter().all(|own| stems.contains(own))
        };
        self.suppressed.iter().any(on)
    }

    /// The topics that are suppressed, in the order they were.
    pub(super) fn suppressed(&self) -> Vec<String> {
        self.suppressed
            .iter()
            .map(|(topic, _)| topic.clone())
            .collect()
    }

    /// The entity of exactly this name but for case.
    pub(super) fn named(&self, name: &str) -> Option<i64> {
        let lower = name.to_lowercase();
        let mut all = self.entities.iter();
        all.find(|(_, own)| own.name.to_lowercase() == lower)
            .map(|(number, _)| *number)
    }

    /// The entity a name means, if it is known.
    pub(super) fn entity_of(&self, name: &str, kind: Kind) -> Option<i64> {
        let all = self
            .entities
            .values()
            .map(|own| (own.name.as_str(), own.kind));
        let at = entities::known(name, kind, all)?;
        self.entities.keys().nth(at).copied()
    }

    /// Names of what a memory names.
    pub(super) fn names_of(&self, node: i64) -> Vec<String> {
        let named = self.nodes.get(&node).map(|own| own.entities.as_slice());
        let name = |entity: &i64| self.entities.get(entity).map(|own| own.name.clone());
        named.unwrap_or_default().iter().filter_map(name).collect()
    }

    /// What went before something that is said now: in how many sessions it came up, and
    /// the user's habit.
    pub(super) fn history(&self, content: &str, session: &str, at: i64) -> History {
        let session = Some(session).filter(|session| !session.is_empty());
        let habit: Vec<f64> = self
            .nodes
            .values()
            .rev()
            .take(HABIT)
            .map(|own| own.habit)
            .collect();
        let history = History {
            sessions: self.index.recurrence(content, session, at),
            ..History::default()
        };
        history.habit(&habit)
    }

    /// The memory that says what somebody says now.
    pub(super) fn twin(&self, content: &str, speaker: Option<&str>) -> Option<i64> {
        self.index.duplicate(content, speaker).map(number_of)
    }

    /// How much a memory matters now.
    pub(super) fn salience(&self, node: i64, profile: &Profile, now: i64) -> f64 {
        let own = self.nodes.get(&node);
        own.map_or(0.0, |own| {
            decay::salience(&own.state, &own.spikes, profile, now)
        })
    }

    /// How much an entity matters now: what its memories lend it.
    pub(super) fn lent(&self, entity: &Entity, profile: &Profile, now: i64) -> f64 {
        let nodes = entity.nodes.iter();
        nodes.fold(0.0, |sum, node| {
            decay::propagated(sum, self.salience(*node, profile, now))
        })
    }

    /// Bytes it takes, about.
    pub(super) fn bytes(&self) -> usize {
        let node = |own: &Node| 160 + 8 * own.entities.len() + 16 * own.spikes.len();
        let entity = |own: &Entity| 200 + own.name.len() + 8 * own.nodes.len();
        self.index.bytes()
            + self.nodes.values().map(node).sum::<usize>()
            + self.entities.values().map(entity).sum::<usize>()
    }
}

/// A memory as the index names it.
fn of(number: i64) -> Uuid {
    Uuid::from_u128(number as u128)
}

/// A memory the index names.
pub(super) fn number_of(id: Uuid) -> i64 {
    id.as_u128() as i64
}

/// Who said something, as the index is told; it reads names in a text by itself.
pub(super) fn speaker_of<'t>(speaker: &'t str, role: &'t str) -> Option<&'t str> {
    match (speaker, role) {
        ("", "assistant") => Some(role),
        ("", _) => None,
        (name, _) => Some(name),
    }
}
