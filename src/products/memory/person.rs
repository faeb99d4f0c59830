//! What is known of a user in memory: the index of what was said, what salience follows
//! from, and how memories hang together by what they name. Texts stay in the database.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use sea_orm::ConnectionTrait;
use uuid::Uuid;

use super::engine::decay::{self, Profile, Spike, State};
use super::engine::entities::{self, Kind};
use super::engine::index::{Document, Index, Reading};
use super::engine::score::History;
use super::engine::text;
use super::kept::{self, Known};
use super::user::User;
use super::vectors::{self, Vectors};
use crate::db::sql::{column, rows};
use crate::error::Result;

/// Newest memories a habit is of.
const HABIT: usize = 50;
/// Spikes of a memory that are counted: the newest.
const SPIKES: usize = 8;
/// Memories of one entity that a life event lifts, at most.
const LIFTED: usize = 256;
/// Memories that are made known before others have their turn.
const AT_ONCE: usize = 512;

/// What is known of a user.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) number: i64,
    pub(super) version: i64,
    pub(super) index: Index,
    pub(super) nodes: BTreeMap<i64, Node>,
    pub(super) entities: BTreeMap<i64, Entity>,
    /// Topics that are suppressed, as they were given and as terms.
    suppressed: Vec<(String, Vec<String>)>,
    /// Memories on such a topic.
    pub(super) hidden: HashSet<i64>,
    /// What an embedder made of memories.
    pub(super) vectors: Vectors,
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

impl Person {
    /// Reads a user, in a view that stands still, with the vectors of a model.
    pub(super) async fn load(
        view: &impl ConnectionTrait,
        user: &User,
        model: Option<&str>,
    ) -> Result<Self> {
        let mut person = Self::nobody(user.number);
        person.version = user.version;
        person.read_entities(view).await?;
        let sql = "SELECT topic FROM memory_suppression WHERE user_number = $1 ORDER BY number";
        for row in rows(view, sql, [user.number.into()]).await? {
            let topic: String = column(&row, "topic")?;
            let terms = text::terms(&topic);
            person.suppressed.push((topic, terms));
        }
        for (at, known) in kept::all(view, user.number).await?.into_iter().enumerate() {
            person.add(known);
            if at % AT_ONCE == 0 {
                tokio::task::yield_now().await;
            }
        }
        if let Some(model) = model {
            person.vectors = vectors::all(view, user.number, model).await?;
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
            vectors: Vectors::default(),
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

    /// Makes a memory known.
    pub(super) fn add(&mut self, known: Known) {
        let (number, state) = (known.number, known.state());
        let kept = known.kept;
        for entity in &kept.entities {
            if let Some(own) = self.entities.get_mut(entity) {
                own.nodes.push(number);
            }
        }
        let hidden = self.is_suppressed(&known.reading, &kept.domain);
        self.index.insert(&Document {
            id: of(number),
            session: Some(kept.session.as_str()).filter(|session| !session.is_empty()),
            at: kept.said_at,
            reading: known.reading,
            state,
            spikes: &[],
            pinned: kept.pinned,
        });
        if hidden {
            self.hidden.insert(number);
            self.index.hide(of(number), true);
        }
        let node = Node {
            said_at: kept.said_at,
            state,
            event: kept.event,
            habit: kept.habit,
            entities: kept.entities,
            spikes: Vec::new(),
        };
        self.nodes.insert(number, node);
        self.raise(number);
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
        for other in self.sharing(&new.entities, number, LIFTED) {
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
            own.state.processed = own.state.processed.saturating_add(1);
            own.state.reinforced_at = own.state.reinforced_at.max(at);
            self.index.update(of(number), own.state, &own.spikes);
        }
    }

    /// Memories that name one of some entities, without one of them: of each entity so
    /// many at most, the newest.
    fn sharing(&self, entities: &[i64], without: i64, most: usize) -> BTreeSet<i64> {
        let nodes = |entity: &i64| self.entities.get(entity).map(|own| own.nodes.as_slice());
        let newest = |nodes: &'_ [i64]| nodes.len().saturating_sub(most);
        let all = entities.iter().filter_map(nodes);
        let all = all.flat_map(|nodes| nodes.iter().skip(newest(nodes)));
        all.copied().filter(|own| *own != without).collect()
    }

    /// Whether a memory names one of some entities.
    pub(super) fn names(&self, node: i64, entities: &[i64]) -> bool {
        let own = self.nodes.get(&node);
        own.is_some_and(|own| entities.iter().any(|entity| own.entities.contains(entity)))
    }

    /// Whether a text is on a topic that is suppressed.
    pub(super) fn is_suppressed(&self, reading: &Reading, domain: &str) -> bool {
        let on = |(topic, wanted): &(String, Vec<String>)| {
            let has = |term: &String| reading.terms().any(|own| own == term);
            topic.eq_ignore_ascii_case(domain) || !wanted.is_empty() && wanted.iter().all(has)
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
    pub(super) fn twin(&self, content: &str, speaker: Option<&str>, at: i64) -> Option<i64> {
        self.index.duplicate(content, speaker, at).map(number_of)
    }

    /// How much a memory matters now.
    pub(super) fn salience(&self, node: i64, profile: &Profile, now: i64) -> f64 {
        let own = self.nodes.get(&node);
        own.map_or(0.0, |own| {
            decay::salience(&own.state, &own.spikes, profile, now)
        })
    }

    /// How much an entity matters now: what some memories lend it.
    pub(super) fn lent(&self, nodes: &[i64], profile: &Profile, now: i64) -> f64 {
        nodes.iter().fold(0.0, |sum, node| {
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
            + self
                .vectors
                .values()
                .map(|own| 48 + 4 * own.len())
                .sum::<usize>()
    }
}

/// A memory as the index names it.
pub(super) fn of(number: i64) -> Uuid {
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
