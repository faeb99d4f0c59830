//! Taking in what was said: planned from what is known in memory, written in one
//! transaction, and then known in memory too. Each user has turns of its own; where
//! another node wrote meanwhile, the plan is made anew.

use std::sync::{Arc, Mutex, PoisonError};

use sea_orm::{ConnectionTrait as _, Value};

use super::Memory;
use super::engine::crisis::Ring;
use super::engine::presets::Profile;
use super::import::too_many;
use super::kept::{self, Kept, Known};
use super::person::{Entity, Person};
use super::plan::{Fate, Plan};
use super::replay::{self, Repeat};
use super::residents::{Key, Resident, again};
use super::said::{MAX_MERGED, Said};
use super::user::{self, User};
use crate::api::apex::memory::v1 as pb;
use crate::auth::Plan as Tier;
use crate::db::Tx;
use crate::db::sql::{execute, placeholders, row, tuples};
use crate::error::{Error, Result};
use crate::server::Call;

/// From how many bytes on a plan is made where nobody waits for another answer.
const LONG: usize = 1024;

/// What a transaction made, to be known in memory once it is committed.
#[derive(Debug)]
struct Made {
    user: User,
    written: Written,
}

/// What became of what was said.
#[derive(Debug)]
struct Written {
    /// Public id of the memory; empty if there is none.
    id: String,
    /// The memory, if it is a new one.
    known: Option<Known>,
    /// Numbers of what it names for the first time.
    fresh: Vec<i64>,
}

type Slot = Arc<Mutex<Option<Made>>>;

impl Memory {
    pub(super) async fn take_in(
        &self,
        call: &Call,
        request: pb::IngestRequest,
    ) -> Result<pb::IngestResponse> {
        let (organization, tier) = self.tenant(call)?;
        let said = Arc::new(Said::of(request, self.now())?);
        let key = (organization, said.user_id.clone());
        let resident = self.0.residents.of(&key);
        let _turn = resident.turn.lock().await;
        again(|| self.try_in(call, tier, &key, &resident, &said)).await
    }

    async fn try_in(
        &self,
        call: &Call,
        tier: Tier,
        key: &Key,
        resident: &Arc<Resident>,
        said: &Arc<Said>,
    ) -> Result<pb::IngestResponse> {
        let now = self.now();
        let (known, effective) = self.known(call, key, resident).await?;
        if let Some(user) = &known {
            let read = self.0.db.read(call.deadline()).await?;
            if let Some((name, digest)) = &said.key
                && let Some(answer) = replay::find(&read, user.number, name, digest, now).await?
            {
                return Ok(answer);
            }
        }
        let plan = planned(said, resident, known.clone(), effective).await?;
        let allowed = self.0.settings.allowance(tier);
        if let Some(user) = &known
            && plan.fate == Fate::Made
            && user.nodes >= i64::from(allowed.nodes_per_user)
        {
            // There is no room for it, but what it shows of a crisis is not lost.
            self.move_ring(user, resident, plan.ring).await?;
            return Err(too_many(allowed.nodes_per_user));
        }
        let slot = Slot::default();
        let plan = Arc::new(plan);
        let repeat = Repeat::of(call, said, now);
        let (own, text, out, place) = (plan.clone(), said.clone(), slot.clone(), key.clone());
        let users = allowed.users;
        let answer = self.0.db.answer(call.attempt(), move |tx| {
            Box::pin(async move {
                let user = match known {
                    Some(user) => user,
                    None => User {
                        number: user::make(tx, place.0, &place.1, users, now).await?,
                        version: 0,
                        nodes: 0,
                        crisis: own.ring.clone(),
                    },
                };
                let new = i64::from(own.fate == Fate::Made);
                user::advance(tx, &user, new, &own.ring).await?;
                let written = write(tx, &place, user.number, &text, &own, now).await?;
                let answer = own.answer(written.id.clone());
                repeat.keep(tx, user.number, &answer).await?;
                let made = Some(Made { user, written });
                *out.lock().unwrap_or_else(PoisonError::into_inner) = made;
                Ok(answer)
            })
        });
        let answer = answer.await?;
        // A repeat that was answered meanwhile wrote nothing.
        let made = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(made) = made {
            resident.found(Vec::new());
            learn(&mut resident.write(), made, said, &plan);
            self.0.residents.weigh(key, resident);
            self.note_lacking(resident);
        }
        Ok(answer)
    }

    /// Keeps the levels of a user's last messages where nothing else is kept.
    async fn move_ring(&self, user: &User, resident: &Resident, ring: Ring) -> Result<()> {
        if ring == user.crisis {
            return Ok(());
        }
        let own = user.clone();
        let written = self
            .0
            .db
            .write(move |tx| Box::pin(async move { user::advance(tx, &own, 0, &ring).await }));
        written.await?;
        if let Some(person) = resident.write().as_mut()
            && (person.number, person.version) == (user.number, user.version)
        {
            person.version += 1;
        }
        Ok(())
    }
}

/// Makes a plan of what was said.
async fn planned(
    said: &Arc<Said>,
    resident: &Arc<Resident>,
    known: Option<User>,
    effective: Profile,
) -> Result<Plan> {
    let (text, person) = (said.clone(), resident.clone());
    let plan = move || {
        let nobody = Person::nobody(0);
        let held = person.read();
        // Somebody new has nothing in memory, or what is there is of before.
        let own = held.as_ref().filter(|_| known.is_some()).unwrap_or(&nobody);
        let ring = known.map(|user| user.crisis).unwrap_or_default();
        Plan::of(&text, own, (&ring, &effective), &person.last_found())
    };
    if said.content.len() < LONG {
        return Ok(plan());
    }
    let plan = tokio::task::spawn_blocking(plan).await;
    plan.map_err(Error::internal)
}

/// Writes what a plan says.
async fn write(
    tx: &Tx,
    place: &Key,
    user: i64,
    said: &Said,
    plan: &Plan,
    now: i64,
) -> Result<Written> {
    for node in &plan.reactivated {
        kept::process(tx, user, *node, said.at).await?;
        happened(tx, user, *node, "reactivated", now).await?;
    }
    let mut written = Written {
        id: plan.id.clone(),
        known: None,
        fresh: Vec::new(),
    };
    match plan.fate {
        Fate::Dropped => {}
        Fate::Merged(node) => {
            written.id = merge(tx, user, node, said, now).await?;
            happened(tx, user, node, "merged", now).await?;
        }
        Fate::Made => {
            let node = insert(tx, place, user, said, plan, now).await?;
            written.fresh = name(tx, user, node, said, plan).await?;
            let known = known(node, said, plan, &written.fresh);
            kept::keep(tx, user, std::slice::from_ref(&known)).await?;
            written.known = Some(known);
            happened(tx, user, node, "created", now).await?;
        }
    }
    Ok(written)
}

/// What is in memory of a new memory.
fn known(number: i64, said: &Said, plan: &Plan, fresh: &[i64]) -> Known {
    let mut entities = [plan.known.as_slice(), fresh].concat();
    entities.sort_unstable();
    Known {
        number,
        processed: 0,
        reinforced_at: said.at,
        kept: Kept {
            said_at: said.at,
            session: said.session.clone(),
            domain: plan.domain.to_owned(),
            base: plan.score.base,
            event: plan.score.event,
            habit: plan.score.sdv + plan.score.swv,
            pinned: plan.pinned,
            entities,
        },
        reading: plan.reading.clone(),
    }
}

async fn insert(
    tx: &Tx,
    place: &Key,
    user: i64,
    said: &Said,
    plan: &Plan,
    now: i64,
) -> Result<i64> {
    let score = &plan.score;
    let values: Vec<Value> = vec![
        plan.id.clone().into(),
        place.0.into(),
        user.into(),
        said.content.clone().into(),
        plan.topic.clone().into(),
        plan.summary.clone().into(),
        plan.kind.into(),
        plan.domain.into(),
        said.session.clone().into(),
        said.role_word().into(),
        said.speaker.clone().into(),
        said.at.into(),
        now.into(),
        score.base.into(),
        score.sdv.into(),
        score.cscv.into(),
        score.lcs.into(),
        score.swv.into(),
        score.pdv.into(),
        score.event.into(),
        i16::from(score.modified).into(),
        i16::from(plan.pinned).into(),
        said.metadata.clone().into(),
        "".into(),
    ];
    let sql = format!(
        "INSERT INTO memory_node (id, organization_id, user_number, content, topic, \
         summary, kind, domain, session, role, speaker, said_at, accessed_at, base, sdv, cscv, lcs, swv, pdv, event, modified, pinned, metadata, \
         merged_metadata) VALUES ({}) RETURNING number",
        placeholders(1, values.len())
    );
    let made = row(tx, &sql, values).await?;
    let made = made.ok_or_else(|| Error::internal("a memory was not stored"))?;
    Ok(made.try_get("", "number")?)
}

/// Processes a memory once more; answers its id.
async fn merge(tx: &Tx, user: i64, node: i64, said: &Said, now: i64) -> Result<String> {
    let sql = "SELECT id, merged_metadata FROM memory_node WHERE user_number = $1 AND number = $2";
    let found = row(tx, sql, [user.into(), node.into()]).await?;
    let found = found.ok_or_else(user::stale)?;
    let merged: String = found.try_get("", "merged_metadata")?;
    let merged = with(&merged, &said.metadata);
    let sql = "UPDATE memory_node SET merged_metadata = $3, accessed_at = $4 \
               WHERE user_number = $1 AND number = $2";
    let values = [user.into(), node.into(), merged.into(), now.into()];
    execute(tx, sql, values).await?;
    kept::process(tx, user, node, said.at).await?;
    Ok(found.try_get("", "id")?)
}

/// A JSON array with one more object.
fn with(array: &str, object: &str) -> String {
    if object.is_empty() {
        return array.to_owned();
    }
    match array.strip_suffix(']') {
        Some(begun) if begun.len() + object.len() + 2 <= MAX_MERGED => format!("{begun},{object}]"),
        Some(_) | None => format!("[{object}]"),
    }
}

/// Writes down what a memory names; answers the numbers of those that are new.
async fn name(tx: &Tx, user: i64, node: i64, said: &Said, plan: &Plan) -> Result<Vec<i64>> {
    let mut all = plan.known.clone();
    if !all.is_empty() {
        let sql = format!(
            "UPDATE memory_entity SET \
             last_at = CASE WHEN last_at > $2 THEN last_at ELSE $2 END, \
             first_at = CASE WHEN first_at < $2 THEN first_at ELSE $2 END \
             WHERE user_number = $1 AND number IN ({})",
            placeholders(3, all.len())
        );
        let numbers = all.iter().map(|own| Value::from(*own));
        let values = [user.into(), said.at.into()].into_iter().chain(numbers);
        execute(tx, &sql, values).await?;
    }
    for fresh in &plan.fresh {
        let sql = "INSERT INTO memory_entity \
                   (id, user_number, name, kind, domain, first_at, last_at) \
                   VALUES ($1, $2, $3, $4, $5, $6, $6) RETURNING number";
        let values: [Value; 6] = [
            fresh.id.clone().into(),
            user.into(),
            fresh.name.clone().into(),
            fresh.kind.name().into(),
            plan.domain.into(),
            said.at.into(),
        ];
        let made = row(tx, sql, values).await?;
        let made = made.ok_or_else(|| Error::internal("an entity was not stored"))?;
        all.push(made.try_get("", "number")?);
    }
    if !all.is_empty() {
        let tuples = tuples(tx.get_database_backend(), 4, all.len());
        let sql =
            format!("INSERT INTO memory_edge (user_number, node, entity, weight) VALUES {tuples}");
        let weight = 1.0 / all.len() as f64;
        let of = |own: &i64| [user.into(), node.into(), (*own).into(), Value::from(weight)];
        execute(tx, &sql, all.iter().flat_map(of)).await?;
    }
    Ok(all.split_off(plan.known.len()))
}

/// Events of a memory that are kept: the newest.
pub(super) const EVENTS: i64 = 20;

async fn happened(tx: &Tx, user: i64, node: i64, kind: &str, now: i64) -> Result<()> {
    let sql = "INSERT INTO memory_event (user_number, node, kind, at) VALUES ($1, $2, $3, $4)";
    execute(tx, sql, [user.into(), node.into(), kind.into(), now.into()]).await?;
    if kind == "created" {
        return Ok(());
    }
    let sql = "DELETE FROM memory_event WHERE user_number = $1 AND node = $2 AND number <= \
               (SELECT number FROM memory_event WHERE user_number = $1 AND node = $2 \
               ORDER BY number DESC LIMIT 1 OFFSET $3)";
    execute(tx, sql, [user.into(), node.into(), EVENTS.into()]).await?;
    Ok(())
}

/// Knows in memory what was written.
fn learn(held: &mut Option<Person>, made: Made, said: &Said, plan: &Plan) {
    let Made { user, written } = made;
    let mut person = match held.take() {
        Some(person) if person.number == user.number && person.version == user.version => person,
        _ if user.version == 0 => Person::nobody(user.number),
        // It is read again when it is asked for.
        _ => return,
    };
    person.version = user.version + 1;
    let mut again = plan.reactivated.clone();
    if let Fate::Merged(node) = plan.fate {
        again.push(node);
    }
    if let Some(known) = written.known {
        for (number, fresh) in written.fresh.iter().zip(&plan.fresh) {
            let entity = Entity {
                id: fresh.id.clone(),
                name: fresh.name.clone(),
                kind: fresh.kind,
                domain: plan.domain.to_owned(),
                first_at: said.at,
                last_at: said.at,
                nodes: Vec::new(),
            };
            person.entities.insert(*number, entity);
        }
        for number in &plan.known {
            if let Some(own) = person.entities.get_mut(number) {
                own.first_at = own.first_at.min(said.at);
                own.last_at = own.last_at.max(said.at);
            }
        }
        person.add(known);
    }
    for node in again {
        person.process(node, said.at);
    }
    *held = Some(person);
}
