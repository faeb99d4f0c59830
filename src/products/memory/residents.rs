//! What is known of users in memory: built when one is first asked for, kept while there
//! is room, and forgotten longest unused first. It is never more than what the database
//! says: whoever uses it holds its version against the user's row.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use lru::LruCache;

use super::person::Person;
use super::user::User;
use crate::auth::OrganizationId;

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
        // Who was forgotten meanwhile weighs nothing.
        if !all.peek(key).is_some_and(|own| Arc::ptr_eq(own, resident)) {
            return;
        }
        let before = resident.bytes.swap(bytes, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.bytes.fetch_sub(before, Ordering::Relaxed);
        self.make_room(&mut all);
    }

    /// Forgets whom nobody asked for longest, until there is room.
    fn make_room(&self, all: &mut LruCache<Key, Arc<Resident>>) {
        while self.bytes.load(Ordering::Relaxed) > self.most && all.len() > 1 {
            let Some((_, oldest)) = all.pop_lru() else {
                break;
            };
            self.bytes
                .fetch_sub(oldest.bytes.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    /// Forgets a user.
    pub(super) fn forget(&self, key: &Key) {
        if let Some(gone) = self.lock().pop(key) {
            self.bytes
                .fetch_sub(gone.bytes.load(Ordering::Relaxed), Ordering::Relaxed);
            *gone.write() = None;
            gone.lock_returned().clear();
        }
    }

    fn lock(&self) -> MutexGuard<'_, LruCache<Key, Arc<Resident>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Resident {
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
