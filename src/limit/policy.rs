//! Which figures hold for which group, and who is counted.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use foldhash::HashMap;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use super::{CounterKey, Counters, Figures, Standing};
use crate::auth::{Actor, OrganizationId, Plan, Principal};
use crate::clock::Clock;
use crate::config::{Allowance, Config, ConfigError, Per, Plans};
use crate::policy::MethodSpec;

/// All rate groups. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Limits(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    enabled: bool,
    groups: HashMap<String, (u32, Figures, Per)>,
    plans: Plans,
    /// Requests of the day that were counted since somebody asked, by organization.
    taken: Mutex<HashMap<OrganizationId, u32>>,
    counters: Box<dyn Counters>,
    clock: Clock,
}

/// Who is counted.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    /// A caller, from this address; the group says by what it is counted.
    Caller(&'a Principal, IpAddr),
    /// An address, whatever the group says.
    Address(IpAddr),
    /// Something named, such as the account of a sign-in.
    Named(&'a str),
}

impl Limits {
    /// Takes the figures of the configuration; every group a method names must
    /// have some.
    pub fn new(
        config: &Config,
        methods: &[MethodSpec],
        counters: Box<dyn Counters>,
        clock: Clock,
    ) -> Result<Self, ConfigError> {
        let mut groups = HashMap::default();
        for (name, limit) in &config.limits {
            if limit.limit == 0 || limit.window.0.is_zero() {
                return Err(ConfigError(format!(
                    "limits.{name}: limit and window are positive"
                )));
            }
            let figures = Figures {
                limit: limit.limit,
                window: limit.window.0,
                sliding: limit.sliding,
            };
            let number = xxh3_64(name.as_bytes()) as u32;
            groups.insert(name.clone(), (number, figures, limit.per));
        }
        if let Some(spec) = methods
            .iter()
            .find(|spec| !groups.contains_key(spec.rate_group))
        {
            let (group, path) = (spec.rate_group, spec.path);
            return Err(ConfigError(format!(
                "limits.{group} is missing; {path} needs it"
            )));
        }
        Ok(Self(Arc::new(Inner {
            enabled: config.rate_limit_enabled,
            groups,
            plans: config.plans,
            taken: Mutex::default(),
            counters,
            clock,
        })))
    }

    /// Counts a request. `None` where limits are switched off.
    pub async fn take(&self, group: &str, subject: Subject<'_>) -> Option<Standing> {
        let (key, figures) = self.counter(group, subject)?;
        let now = self.0.clock.micros();
        match self.0.counters.try_take(key, figures, now) {
            Some(standing) => Some(standing),
            None => Some(self.0.counters.take(key, figures, now).await),
        }
    }

    /// Counts a request against a plan, by the minute and by the day. One that either
    /// refuses is counted by neither. What is answered is how the minute stands, unless
    /// the day has fewer left.
    pub async fn take_of(
        &self,
        group: &str,
        (organization, plan): (OrganizationId, Plan),
    ) -> Option<Standing> {
        let [minute, day] = self.windows(group, organization, plan)?;
        let now = self.0.clock.micros();
        let counters = &self.0.counters;
        let of_day = counters.peek(day.0, day.1, now).await;
        if !of_day.allowed {
            return Some(of_day);
        }
        let of_minute = counters.take(minute.0, minute.1, now).await;
        if !of_minute.allowed {
            return Some(of_minute);
        }
        let of_day = counters.take(day.0, day.1, now).await;
        let used = of_day.limit - of_day.remaining;
        self.taken().insert(organization, used);
        Some(nearer(of_minute, of_day))
    }

    /// Organizations that made requests since this was last asked, with how many there
    /// were on their day.
    pub fn take_days(&self) -> Vec<(OrganizationId, u32)> {
        std::mem::take(&mut *self.taken()).into_iter().collect()
    }

    /// Begins the day of an organization with so many requests counted.
    pub fn restore_day(&self, group: &str, place: (OrganizationId, Plan), used: u32) {
        if let Some([_, (key, figures)]) = self.windows(group, place.0, place.1) {
            let now = self.0.clock.micros();
            self.0.counters.restore(key, figures, used, now);
        }
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<OrganizationId, u32>> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How a plan's minute and day stand for an organization.
    pub async fn peek_of(
        &self,
        group: &str,
        (organization, plan): (OrganizationId, Plan),
    ) -> Option<[Standing; 2]> {
        let [minute, day] = self.windows(group, organization, plan)?;
        let now = self.0.clock.micros();
        let counters = &self.0.counters;
        let of_minute = counters.peek(minute.0, minute.1, now).await;
        let of_day = counters.peek(day.0, day.1, now).await;
        Some([of_minute, of_day])
    }

    /// What a plan allows.
    pub fn allowance(&self, plan: Plan) -> Allowance {
        match plan {
            Plan::Trial => self.0.plans.trial,
            Plan::Starter => self.0.plans.starter,
            Plan::Scale => self.0.plans.scale,
        }
    }

    /// The counters of an organization in a group counted per plan.
    fn windows(
        &self,
        group: &str,
        organization: OrganizationId,
        plan: Plan,
    ) -> Option<[(CounterKey, Figures); 2]> {
        let (number, _, _) = self.0.groups.get(group).filter(|_| self.0.enabled)?;
        let allowed = self.allowance(plan);
        let window = |number: u32, limit: u32, window: Duration| {
            let key = CounterKey {
                group: number,
                subject: of_organization(organization),
            };
            let figures = Figures {
                limit,
                window,
                sliding: false,
            };
            (key, figures)
        };
        Some([
            window(*number, allowed.per_minute, MINUTE),
            // Another counter of the same group.
            window(number.wrapping_add(1), allowed.per_day, DAY),
        ])
    }

    /// Whether a group is counted per plan.
    pub fn is_per_plan(&self, group: &str) -> bool {
        let known = self.0.groups.get(group);
        known.is_some_and(|(_, _, per)| *per == Per::Plan)
    }

    /// Says how a group stands for somebody.
    pub async fn peek(&self, group: &str, subject: Subject<'_>) -> Option<Standing> {
        let (key, figures) = self.counter(group, subject)?;
        Some(
            self.0
                .counters
                .peek(key, figures, self.0.clock.micros())
                .await,
        )
    }

    /// Whether the store of counters answers when it is asked. While it does not, each
    /// node counts for itself.
    pub async fn are_shared(&self) -> bool {
        if self.0.enabled
            && let Some(group) = self.groups().next()
        {
            self.peek(group, Subject::Named("readiness")).await;
        }
        !self.0.counters.is_away()
    }

    /// Names of all groups.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        self.0.groups.keys().map(String::as_str)
    }

    fn counter(&self, group: &str, subject: Subject<'_>) -> Option<(CounterKey, Figures)> {
        if !self.0.enabled {
            return None;
        }
        let (group, figures, per) = self.0.groups.get(group)?;
        let subject = match subject {
            Subject::Address(address) => of_address(address),
            Subject::Named(name) => xxh3_128(name.as_bytes()),
            Subject::Caller(principal, address) => of_caller(principal, address, *per),
        };
        let key = CounterKey {
            group: *group,
            subject,
        };
        Some((key, *figures))
    }
}

/// The windows of a plan.
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The window that has fewer left.
fn nearer(of_minute: Standing, of_day: Standing) -> Standing {
    match of_day.remaining < of_minute.remaining {
        true => of_day,
        false => of_minute,
    }
}

/// All keys of an organization together.
fn of_organization(organization: OrganizationId) -> u128 {
    3 << 64 | u128::from(organization.0 as u64)
}

/// IPv6 callers choose freely among the addresses of a /64: they count as one.
fn of_address(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits() >> 64 << 64,
    }
}

/// Numbers of different kinds of subjects must not meet.
fn of_caller(principal: &Principal, address: IpAddr, per: Per) -> u128 {
    let tagged = |tag: u128, number: i64| tag << 64 | u128::from(number as u64);
    let by_address = || of_address(address);
    let of_page = || {
        let project = principal.project;
        project.map_or_else(by_address, |id| tagged(4, id.0))
    };
    let organization = principal.organization.map(of_organization);
    match per {
        Per::Address | Per::Account => by_address(),
        // Who has a plan is counted by it, and so elsewhere.
        Per::Plan => organization.unwrap_or_else(by_address),
        // Its keys share one window; people at work do not use it up.
        Per::Organization => match &principal.actor {
            Actor::Session { id } => xxh3_128(id.as_bytes()),
            _ => organization.unwrap_or_else(by_address),
        },
        // A page's visitors must not lock the project's owner out.
        Per::Project if principal.actor == Actor::Page => of_page(),
        Per::Project => match principal.project {
            Some(project) => tagged(2, project.0),
            None => organization.unwrap_or_else(by_address),
        },
        Per::Key => match &principal.actor {
            Actor::Key { number, .. } => tagged(1, *number),
            Actor::Session { id } => xxh3_128(id.as_bytes()),
            Actor::Page => of_page(),
            Actor::Anonymous | Actor::Operator => by_address(),
        },
    }
}
