//! Watching changes as they are committed. Each stream reads the log of changes by
//! position, a page at a time and when its reader wants one, so a slow reader holds
//! nothing but its place. One task of the process looks whether there is anything new,
//! while somebody watches.
//!
//! On PostgreSQL rows become visible in another order than their numbers'. So there the
//! order is that of the transactions, and of them only those are read before which none
//! is open any more: what is read is never followed by something before it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{Stream, stream as streams};
use sea_orm::{ConnectionTrait as _, DbBackend, Value};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tonic::Status;

use super::Crm;
use super::column::Record as _;
use super::resource::Resource as _;
use super::resources::AuditLog;
use crate::api::apex::crm::v1 as pb;
use crate::auth::OrganizationId;
use crate::db::sql::{row, rows};
use crate::db::{Db, Read};
use crate::error::{Error, Kind, Result};
use crate::server::Call;

/// Changes of a page.
const PAGE: i64 = 200;
/// How often it is looked whether there is anything new.
const EVERY: Duration = Duration::from_millis(100);
/// How long a stream waits for news before it looks by itself, and whether its caller
/// may still see what it sees.
const LOOK: Duration = Duration::from_secs(1);
/// How long a stream says nothing.
const SILENCE: Duration = Duration::from_secs(10);
/// Streams of an organization at once.
const MOST: usize = 32;

/// Who watches, in this process.
#[derive(Debug, Clone)]
pub(super) struct Watchers(Arc<Open>);

#[derive(Debug)]
struct Open {
    streams: Mutex<HashMap<OrganizationId, usize>>,
    news: watch::Sender<u64>,
}

impl Watchers {
    /// Nobody, yet.
    pub(super) fn new() -> Self {
        let (news, _) = watch::channel(0);
        let streams = Mutex::default();
        Self(Arc::new(Open { streams, news }))
    }

    /// A place for one more stream.
    fn place(&self, organization: OrganizationId) -> Result<Place> {
        let streams = self.0.streams.lock();
        let mut streams = streams.unwrap_or_else(PoisonError::into_inner);
        let open = streams.entry(organization).or_default();
        if *open >= MOST {
            let words = format!("An organization watches over {MOST} streams at the most");
            return Err(Error::new(Kind::ResourceExhausted, words).reason("TOO_MANY_STREAMS"));
        }
        *open += 1;
        Ok(Place(self.clone(), organization))
    }

    /// Looks whether there is anything new, while somebody watches.
    pub(super) async fn look(self, db: Db) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut last = (0, 0);
        loop {
            ticks.tick().await;
            if self.0.news.receiver_count() == 0 {
                continue;
            }
            match newest(&db).await {
                Ok(newest) if newest != last => {
                    last = newest;
                    self.0.news.send_modify(|count| *count += 1);
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(
                    cause = error.log_cause(),
                    "cannot look for changes; will try again"
                ),
            }
        }
    }
}

/// A number that is another one when there is something new.
async fn newest(db: &Db) -> Result<(i64, i64)> {
    let read = db.read(None).await?;
    let sql = match read.get_database_backend() {
        DbBackend::Postgres => {
            "SELECT COALESCE(MAX(id), 0) AS id, \
             CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS TEXT) AS BIGINT) AS turn \
             FROM crm_change"
        }
        _ => "SELECT COALESCE(MAX(id), 0) AS id, CAST(0 AS BIGINT) AS turn FROM crm_change",
    };
    let found = row(&read, sql, []).await?;
    let found = found.ok_or_else(|| Error::internal("a maximum has no row"))?;
    Ok((found.try_get("", "id")?, found.try_get("", "turn")?))
}

/// A stream's place among those of its organization.
#[derive(Debug)]
struct Place(Watchers, OrganizationId);

impl Drop for Place {
    fn drop(&mut self) {
        let streams = self.0.0.streams.lock();
        let mut streams = streams.unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = streams.get_mut(&self.1) {
            *open -= 1;
            if *open == 0 {
                streams.remove(&self.1);
            }
        }
    }
}

/// Where a stream stands.
struct State {
    crm: Crm,
    call: Call,
    organization: OrganizationId,
    resources: Vec<String>,
    /// Resources the caller may not view.
    hidden: Vec<String>,
    news: watch::Receiver<u64>,
    /// The last change that was read: its transaction and its number.
    at: (i64, i64),
    /// Changes that were read and not sent yet.
    page: VecDeque<pb::AuditLogEntry>,
    /// Whether there may be more after them.
    more: bool,
    /// When something was sent last; never, of a stream that just opened.
    spoke: Option<Instant>,
    over: bool,
    _place: Place,
}

/// The changes of an organization after a position, or from now on.
pub(super) async fn changes(
    crm: &Crm,
    call: Call,
    organization: OrganizationId,
    (resources, position): (Vec<String>, Option<i64>),
) -> Result<impl Stream<Item = Result<pb::WatchChangesResponse, Status>> + use<>> {
    let place = crm.watchers().place(organization)?;
    let news = crm.watchers().0.news.subscribe();
    let read = crm.db().read(call.deadline()).await?;
    let at = start(&read, organization, position).await?;
    drop(read);
    let state = State {
        crm: crm.clone(),
        call,
        organization,
        resources,
        hidden: Vec::new(),
        news,
        at,
        page: VecDeque::new(),
        more: true,
        spoke: None,
        over: false,
        _place: place,
    };
    Ok(streams::unfold(state, |mut state| async move {
        if state.over {
            return None;
        }
        match state.next().await {
            Ok(message) => Some((Ok(message), state)),
            Err(error) => {
                state.over = true;
                let status = state.call.status_of(error);
                Some((Err(status), state))
            }
        }
    }))
}

/// Where a stream begins.
async fn start(
    read: &Read,
    organization: OrganizationId,
    position: Option<i64>,
) -> Result<(i64, i64)> {
    let found = match position {
        Some(0) => return Ok((i64::MIN, 0)),
        Some(id) => {
            let sql = "SELECT turn, id FROM crm_change WHERE organization_id = $1 AND id = $2";
            let found = row(read, sql, [organization.into(), id.into()]).await?;
            let gone = || {
                let words = "position is that of no change that is kept";
                Error::invalid_field("position", words)
            };
            Some(found.ok_or_else(gone)?)
        }
        None => {
            let (order, settled) = order(read);
            let sql = format!(
                "SELECT turn, id FROM crm_change WHERE organization_id = $1 {settled} \
                 ORDER BY {} LIMIT 1",
                order.replace(',', " DESC,") + " DESC"
            );
            row(read, &sql, [organization.into()]).await?
        }
    };
    match found {
        Some(found) => Ok((found.try_get("", "turn")?, found.try_get("", "id")?)),
        None => Ok((i64::MIN, 0)),
    }
}

/// The order of changes, and which of them are read.
fn order(read: &Read) -> (&'static str, &'static str) {
    match read.get_database_backend() {
        DbBackend::Postgres => (
            "turn, id",
            "AND turn < CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS TEXT) AS BIGINT)",
        ),
        _ => ("id", ""),
    }
}

impl State {
    async fn next(&mut self) -> Result<pb::WatchChangesResponse> {
        loop {
            while let Some(change) = self.page.pop_front() {
                let entity = change.entity.as_deref().unwrap_or_default();
                let names = |list: &[String]| list.iter().any(|own| own == entity);
                let asked = self.resources.is_empty() || names(&self.resources);
                if asked && !names(&self.hidden) {
                    self.spoke = Some(Instant::now());
                    return Ok(pb::WatchChangesResponse {
                        position: change.id,
                        change: Some(change),
                    });
                }
            }
            let silent = self.spoke.is_none_or(|at| at.elapsed() >= SILENCE);
            if silent && !self.more || self.spoke.is_none() {
                self.spoke = Some(Instant::now());
                let position = self.at.1;
                return Ok(pb::WatchChangesResponse {
                    position,
                    change: None,
                });
            }
            if !self.more {
                // What it waits for may be that nothing comes.
                if let Ok(Err(_)) = timeout(LOOK, self.news.changed()).await {
                    return Err(Error::unavailable("The server is shutting down"));
                }
            }
            self.read().await?;
        }
    }

    /// Reads what comes next.
    async fn read(&mut self) -> Result<()> {
        let principal = self.call.principal();
        if !self.call.directory().knows(principal) {
            return Err(Error::unauthenticated("What you signed in by was revoked"));
        }
        self.hidden = self.call.directory().hidden(principal);
        let read = self.crm.db().read(self.call.deadline()).await?;
        let (order, settled) = order(&read);
        let columns: Vec<&str> = AuditLog::columns().iter().map(|own| own.name).collect();
        let after = match read.get_database_backend() {
            DbBackend::Postgres => "(turn, id) > ($2, $3)",
            // There is but one writer, and all turns are its own.
            _ => "turn >= $2 AND id > $3",
        };
        let sql = format!(
            "SELECT {}, turn FROM crm_change WHERE organization_id = $1 AND {after} {settled} \
             ORDER BY {order} LIMIT $4",
            columns.join(", ")
        );
        let values: [Value; 4] = [
            self.organization.into(),
            self.at.0.into(),
            self.at.1.into(),
            PAGE.into(),
        ];
        let found = rows(&read, &sql, values).await?;
        for row in &found {
            let change = pb::AuditLogEntry::load(row)?;
            self.at = (row.try_get("", "turn")?, change.id);
            self.page.push_back(change);
        }
        self.more = found.len() as i64 == PAGE;
        Ok(())
    }
}
