//! The running experiments of projects, in memory: what pages ask for all the time is
//! answered without the database. A change is numbered in its own transaction; the
//! node that made it forgets what it knew at once, the others when they see the
//! number, which they look for every two seconds.

use std::sync::{Arc, PoisonError, RwLock};

use foldhash::HashMap;
use http::HeaderValue;
use prost::Message as _;
use prost_types::Timestamp;
use sea_orm::ConnectionTrait as _;
use xxhash_rust::xxh3::xxh3_128;

use super::plan::Plan;
use super::{state, store};
use crate::api::apex::growth::v1 as pb;
use crate::auth::ProjectId;
use crate::db::sql::{execute, row, rows};
use crate::db::{Db, Tx};
use crate::error::{Error, Result};

/// Projects that are remembered at once.
const MOST: usize = 10_000;

/// What is known of projects.
#[derive(Debug)]
pub(in super::super) struct Live {
    db: Db,
    known: RwLock<Known>,
}

#[derive(Debug, Default)]
struct Known {
    projects: HashMap<ProjectId, Arc<Running>>,
    /// Counts what was forgotten: what was read before is not kept after.
    forgotten: u64,
    /// The last change that was seen.
    generation: i64,
}

/// The running experiments of a project.
#[derive(Debug)]
pub(super) struct Running {
    /// Ready to be asked.
    pub(super) plans: Vec<Plan>,
    /// As pages get them.
    pub(super) answer: pb::ListActiveExperimentsResponse,
    /// When one of them was changed last.
    pub(super) updated_at: Option<Timestamp>,
    /// What tells this answer from others.
    pub(super) tag: HeaderValue,
}

impl Running {
    fn new(experiments: Vec<pb::Experiment>) -> Result<Self> {
        let plans = experiments.iter().map(Plan::new).collect();
        let updated = experiments.iter().filter_map(|own| own.updated_at);
        let updated_at = updated.max_by_key(|time| (time.seconds, time.nanos));
        let experiments = experiments.into_iter().map(shown).collect();
        let answer = pb::ListActiveExperimentsResponse { experiments };
        let tag = format!("W/\"{:032x}\"", xxh3_128(&answer.encode_to_vec()));
        let tag = HeaderValue::try_from(tag).map_err(Error::internal)?;
        Ok(Self {
            plans,
            answer,
            updated_at,
            tag,
        })
    }
}

/// A running experiment as pages get it.
fn shown(experiment: pb::Experiment) -> pb::ActiveExperiment {
    let mut variants = experiment.variants;
    for variant in &mut variants {
        if variant.css.is_some() || variant.js.is_some() {
            variant.changes.push(pb::Change {
                r#type: "code".to_owned(),
                js: variant.js.clone(),
                css: variant.css.clone(),
                ..pb::Change::default()
            });
        }
    }
    pb::ActiveExperiment {
        id: experiment.id,
        name: experiment.name,
        target_url: experiment.target_url,
        traffic_split: experiment.traffic_split,
        mode: experiment.mode,
        variants,
        goal: experiment.goal,
        delivery: experiment.delivery,
        condition: experiment.condition,
        namespace: experiment.namespace,
        holdout: experiment.holdout,
        forced_visitors: experiment.forced_visitors,
        bucketing: experiment.bucketing,
    }
}

/// Numbers a change, in its transaction. It comes first in every one: PostgreSQL then
/// runs them one after another, and numbers are seen in their order.
pub(super) async fn changed(tx: &Tx, project: ProjectId) -> Result<()> {
    let sql = "UPDATE growth_generation SET generation = generation + 1 WHERE id = 1";
    tx.execute_unprepared(sql).await?;
    let sql = "INSERT INTO growth_change (project, generation) \
               SELECT $1, generation FROM growth_generation WHERE id = 1 \
               ON CONFLICT (project) DO UPDATE SET generation = excluded.generation";
    execute(tx, sql, [project.into()]).await?;
    Ok(())
}

impl Live {
    pub(in super::super) fn new(db: Db) -> Self {
        Self {
            db,
            known: RwLock::default(),
        }
    }

    /// The running experiments of a project.
    pub(super) async fn of(&self, project: ProjectId) -> Result<Arc<Running>> {
        let forgotten = {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(running) = known.projects.get(&project) {
                return Ok(running.clone());
            }
            known.forgotten
        };
        let read = self.db.read(None).await?;
        let status = Some(state::RUNNING);
        let experiments = store::list(&read, project, status, "", store::MOST).await?;
        drop(read);
        let running = Arc::new(Running::new(experiments)?);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.forgotten == forgotten {
            if known.projects.len() >= MOST {
                known.projects.clear();
            }
            known.projects.insert(project, running.clone());
        }
        Ok(running)
    }

    /// Forgets what is known of projects that changed.
    pub(super) fn forget(&self, projects: impl IntoIterator<Item = ProjectId>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.forgotten += 1;
        for project in projects {
            known.projects.remove(&project);
        }
    }

    /// Looks for changes that other nodes made.
    pub(super) async fn refresh(&self) -> Result<()> {
        let seen = {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            known.generation
        };
        let read = self.db.snapshot(None).await?;
        let sql = "SELECT generation FROM growth_generation WHERE id = 1";
        let now = row(&read, sql, []).await?;
        let now: i64 = now.map_or(Ok(seen), |row| row.try_get("", "generation"))?;
        if now == seen {
            return Ok(());
        }
        let sql = "SELECT project FROM growth_change WHERE generation > $1";
        let changed = rows(&read, sql, [seen.into()]).await?;
        drop(read);
        let changed = changed
            .iter()
            .map(|row| row.try_get("", "project").map(ProjectId));
        self.forget(changed.collect::<Result<Vec<_>, _>>()?);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.generation = now;
        Ok(())
    }
}
