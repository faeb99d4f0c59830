//! Requests at once, in all and of one caller: an organization, or an address
//! where the caller is not known yet. Nobody can take all places, so that a flood
//! of one tenant leaves room for the others.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::client::neighbourhood;
use crate::auth::OrganizationId;
use crate::config::Transport;
use crate::error::Error;

/// Callers are spread over so many locks.
const SHARDS: usize = 16;

/// Who holds a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Holder {
    Address(IpAddr),
    Organization(OrganizationId),
}

/// Requests at once.
#[derive(Debug)]
pub(super) struct Places {
    all: AtomicUsize,
    most: usize,
    share: usize,
    shards: [Mutex<HashMap<Holder, usize>>; SHARDS],
    hasher: RandomState,
}

/// One request's place.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    holder: Holder,
}

/// There is no place left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Crowded {
    All,
    Address,
    Organization,
}

impl From<Crowded> for Error {
    fn from(crowded: Crowded) -> Self {
        Self::unavailable(match crowded {
            Crowded::All => "Too many requests at once",
            Crowded::Address => "Too many requests at once from this address",
            Crowded::Organization => "Too many requests at once from this organization",
        })
        .reason("OVERLOADED")
    }
}

impl Places {
    pub(super) fn new(bounds: &Transport) -> Self {
        Self {
            all: AtomicUsize::new(0),
            most: bounds.max_in_flight,
            share: bounds.max_in_flight_share,
            shards: Default::default(),
            hasher: RandomState::new(),
        }
    }

    /// Lets a request from an address in, unless there are too many.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr) -> Result<Place, Crowded> {
        let holder = Holder::Address(neighbourhood(address));
        let refusal = match self.all.fetch_add(1, Ordering::Relaxed) < self.most {
            true if self.take(holder) => None,
            true => Some(Crowded::Address),
            false => Some(Crowded::All),
        };
        if let Some(crowded) = refusal {
            self.all.fetch_sub(1, Ordering::Relaxed);
            return Err(crowded);
        }
        Ok(Place {
            places: self.clone(),
            holder,
        })
    }

    fn shard(&self, holder: Holder) -> std::sync::MutexGuard<'_, HashMap<Holder, usize>> {
        let at = self.hasher.hash_one(holder) as usize % SHARDS;
        self.shards[at]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, holder: Holder) -> bool {
        let mut held = self.shard(holder);
        let count = held.entry(holder).or_default();
        let free = *count < self.share;
        *count += usize::from(free);
        free
    }

    fn give_back(&self, holder: Holder) {
        let mut held = self.shard(holder);
        if let Some(count) = held.get_mut(&holder) {
            *count -= 1;
            if *count == 0 {
                held.remove(&holder);
            }
        }
    }
}

impl Place {
    /// The caller is known: the place is its organization's, not its address's.
    pub(super) fn belongs_to(&mut self, organization: OrganizationId) -> Result<(), Crowded> {
        let holder = Holder::Organization(organization);
        if !self.places.take(holder) {
            return Err(Crowded::Organization);
        }
        self.places.give_back(self.holder);
        self.holder = holder;
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.give_back(self.holder);
        self.places.all.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Layers;

    fn places(most: usize, share: usize) -> Arc<Places> {
        let mut bounds = Layers::new().unwrap().build().unwrap().transport;
        (bounds.max_in_flight, bounds.max_in_flight_share) = (most, share);
        Arc::new(Places::new(&bounds))
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn nobody_takes_all_places() {
        let places = places(4, 2);
        let enter = |text| places.enter(address(text));
        let mut one = enter("1.1.1.1").unwrap();
        let two = enter("1.1.1.1").unwrap();
        assert_eq!(enter("1.1.1.1").unwrap_err(), Crowded::Address);
        // An address that turns out to be an organization makes room.
        let organization = OrganizationId;
        one.belongs_to(organization(7)).unwrap();
        let mut three = enter("1.1.1.1").unwrap();
        three.belongs_to(organization(7)).unwrap();
        let mut four = enter("1.1.1.1").unwrap();
        let refused = four.belongs_to(organization(7));
        assert_eq!(refused.unwrap_err(), Crowded::Organization);
        four.belongs_to(organization(8)).unwrap();
        assert_eq!(enter("2.2.2.2").unwrap_err(), Crowded::All);
        drop((one, three, four));
        assert_eq!(places.all.load(Ordering::Relaxed), 1);
        drop(two);
        let mut shards = places.shards.iter();
        assert!(shards.all(|shard| shard.lock().unwrap().is_empty()));
    }

    #[test]
    fn a_neighbourhood_is_one_address() {
        let places = places(4, 1);
        let _one = places.enter(address("2001:db8::1")).unwrap();
        assert!(places.enter(address("2001:db8::ffff:2")).is_err());
        assert!(places.enter(address("2001:db8:0:1::1")).is_ok());
        let _two = places.enter(address("::ffff:1.2.3.4")).unwrap();
        assert!(places.enter(address("1.2.3.4")).is_err());
    }
}
