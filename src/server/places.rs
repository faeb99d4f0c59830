//! Requests at once, in all and of one caller: an organization, or an address as
//! long as the caller is not known. Nobody can take all places, so that a flood of
//! one tenant leaves room for the others.

use std::hash::BuildHasher as _;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use foldhash::HashMap;
use foldhash::fast::RandomState;

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
    /// Whose share it is of; nobody's where the address has used up its own, which
    /// matters only if the caller stays unknown.
    holder: Option<Holder>,
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
            hasher: RandomState::default(),
        }
    }

    /// Lets a request from an address in, unless there are too many.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr) -> Result<Place, Crowded> {
        if self.all.fetch_add(1, Ordering::Relaxed) >= self.most {
            self.all.fetch_sub(1, Ordering::Relaxed);
            return Err(Crowded::All);
        }
        let holder = Holder::Address(neighbourhood(address));
        Ok(Place {
            holder: self.take(holder).then_some(holder),
            places: self.clone(),
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

    fn give_back(&self, holder: Option<Holder>) {
        let Some(holder) = holder else {
            return;
        };
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
    /// Whether there is room for it even if the caller stays unknown.
    pub(super) fn suits_strangers(&self) -> bool {
        self.holder.is_some()
    }

    /// It is known whether the caller belongs to an organization: then the place is
    /// of its share, else of the address's.
    pub(super) fn belongs_to(&mut self, owner: Option<OrganizationId>) -> Result<(), Crowded> {
        let Some(organization) = owner else {
            return self.holder.map(drop).ok_or(Crowded::Address);
        };
        let holder = Holder::Organization(organization);
        if self.holder == Some(holder) {
            return Ok(());
        }
        if !self.places.take(holder) {
            return Err(Crowded::Organization);
        }
        let before = self.holder.replace(holder);
        self.places.give_back(before);
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
        let places = places(5, 2);
        let enter = |text| places.enter(address(text)).unwrap();
        let organization = |number| Some(OrganizationId(number));
        let mut one = enter("1.1.1.1");
        let two = enter("1.1.1.1");
        let mut three = enter("1.1.1.1");
        assert!(!three.suits_strangers());
        assert_eq!(three.belongs_to(None), Err(Crowded::Address));
        // Who turns out to be known needs no share of the address, and leaves it.
        three.belongs_to(organization(7)).unwrap();
        one.belongs_to(organization(7)).unwrap();
        let mut four = enter("1.1.1.1");
        assert_eq!(four.belongs_to(None), Ok(()));
        assert_eq!(four.belongs_to(organization(7)), Err(Crowded::Organization));
        four.belongs_to(organization(8)).unwrap();
        let five = enter("2.2.2.2");
        let refused = places.enter(address("2.2.2.2"));
        assert_eq!(refused.unwrap_err(), Crowded::All);
        drop((one, two, three, four, five));
        assert_eq!(places.all.load(Ordering::Relaxed), 0);
        let mut shards = places.shards.iter();
        assert!(shards.all(|shard| shard.lock().unwrap().is_empty()));
    }

    #[test]
    fn a_neighbourhood_is_one_address() {
        let places = places(9, 1);
        let enter = |text| places.enter(address(text)).unwrap();
        let (one, two) = (enter("2001:db8::1"), enter("2001:db8::ffff:2"));
        let (three, four) = (enter("2001:db8:0:1::1"), enter("::ffff:1.2.3.4"));
        let five = enter("1.2.3.4");
        let suits = [one, two, three, four, five].map(|place| place.suits_strangers());
        assert_eq!(suits, [true, false, true, true, false]);
    }
}
