//! What is known of users in memory: built when one is first asked for, kept while there
//! is room, and forgotten longest unused first. It is never more than what the database
//! says: whoever uses it holds its version against the user's row. Nobody is forgotten
//! while in use, so that there is one turn to write to a user.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use lru::LruCache;

use super::Memory;
use super::person::Person;
use super::user::{self, User};
use crate::auth::OrganizationId;
use crate::error::Result;

/// A user by tenant and the tenant's own id.
pub(super) type Key = (OrganizationId, String);

/// Everybody who is in memory.
#[derive(Debug)]
pub(super) struct Residents {
    all: Mutex<LruCache<Key, Arc<Resident>>>,
    bytes: AtomicUsize,
    most: usize,
}

/// A user who is in memory, or is about to be.
#[derive(Debug, Default)]
pub(super) struct Resident {
    /// Whose turn it is to write, or to read what is in the database.
    pub(super) turn: tokio::sync::Mutex<()>,
    person: RwLock<Option<Person>>,
    /// Memories the last question found relevant.
    returned: Mutex<Vec<i64>>,
    bytes: AtomicUsize,
}

/// Bytes of somebody of whom nothing is known yet.
const EMPTY: usize = 512;
/// How often something is tried where another node writes to the same user.
const TRIES: u32 = 8;
/// How long to wait before the second try; twice as long before each after it.
const WAIT: Duration = Duration::from_millis(4);

impl Residents {
    /// Nobody, and room for so many bytes.
    pub(super) fn new(most: usize) -> Self {
        Self {
            all: Mutex::new(LruCache::unbounded()),
            bytes: AtomicUsize::new(0),
            most,
        }
    }

    /// A user.
    pub(super) fn of(&self, key: &Key) -> Arc<Resident> {
        let mut all = self.lock();
        if let Some(known) = all.get(key) {
            return known.clone();
        }
        let fresh = Arc::new(Resident::default());
        fresh.bytes.store(EMPTY, Ordering::Relaxed);
        self.bytes.fetch_add(EMPTY, Ordering::Relaxed);
        all.put(key.clone(), fresh.clone());
        self.make_room(&mut all);
        fresh
    }

    /// Takes note of how large a user has become, and makes room.
    pub(super) fn weigh(&self, key: &Key, resident: &Arc<Resident>) {
        let bytes = EMPTY + resident.read().as_ref().map_or(0, Person::bytes);
        let mut all = self.lock();
        // Who is not there any more weighs nothing.
        if !all.peek(key).is_some_and(|own| Arc::ptr_eq(own, resident)) {
            return;
        }
        let before = resident.bytes.swap(bytes, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.bytes.fetch_sub(before, Ordering::Relaxed);
        self.make_room(&mut all);
    }

    /// Forgets whom nobody asked for longest, until there is room. Who is in use stays.
    fn make_room(&self, all: &mut LruCache<Key, Arc<Resident>>) {
        for _ in 1..all.len() {
            if self.bytes.load(Ordering::Relaxed) <= self.most {
                break;
            }
            match all.pop_lru() {
                Some((key, oldest)) if oldest.is_in_use() => {
                    all.put(key, oldest);
                }
                Some((_, oldest)) => self.gone(&oldest),
                None => break,
            }
        }
    }

    /// Forgets a user, if nobody uses what is known.
    pub(super) fn forget(&self, key: &Key) {
        let mut all = self.lock();
        if all.peek(key).is_some_and(|own| !own.is_in_use())
            && let Some(gone) = all.pop(key)
        {
            self.gone(&gone);
        }
    }

    fn gone(&self, resident: &Resident) {
        let bytes = resident.bytes.load(Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, LruCache<Key, Arc<Resident>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    /// Changes a user when it is its turn, and has what is in memory read again, whatever
    /// became of it.
    pub(super) async fn change<T, F>(&self, key: &Key, work: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let resident = self.0.residents.of(key);
        let outcome = {
            let _turn = resident.turn.lock().await;
            let outcome = again(work).await;
            resident.clear();
            outcome
        };
        self.0.residents.weigh(key, &resident);
        drop(resident);
        self.0.residents.forget(key);
        outcome
    }
}

/// Does something that may find that another node wrote meanwhile, and is then done anew.
/// Whoever calls has the turn, so that nobody on this node is in the way.
pub(super) async fn again<T, F>(mut work: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    for tried in 0..TRIES - 1 {
        match work().await {
            Err(error) if user::is_stale(&error) => {
                tokio::time::sleep(WAIT * (1 << tried)).await;
            }
            outcome => return outcome,
        }
    }
    work().await.map_err(user::told)
}

impl Resident {
    /// Whether anybody besides the list has it. Who has the list's lock is told the truth
    /// when it is not, for nobody else hands it out.
    fn is_in_use(self: &Arc<Self>) -> bool {
        Arc::strong_count(self) > 1
    }

    /// Forgets what is known.
    fn clear(&self) {
        *self.write() = None;
        self.lock_returned().clear();
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, Option<Person>> {
        self.person.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, Option<Person>> {
        self.person.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_returned(&self) -> MutexGuard<'_, Vec<i64>> {
        self.returned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers what a question found.
    pub(super) fn found(&self, memories: Vec<i64>) {
        *self.lock_returned() = memories;
    }

    /// What the last question found.
    pub(super) fn last_found(&self) -> Vec<i64> {
        self.lock_returned().clone()
    }

    /// Whether what is known is what the row of a user says.
    pub(super) fn has(&self, user: &User) -> bool {
        let held = self.read();
        held.as_ref()
            .is_some_and(|own| own.number == user.number && own.version == user.version)
    }
}
