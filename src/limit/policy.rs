//! Which figures hold for which group, and who is counted.

use std::net::IpAddr;
use std::sync::Arc;

use foldhash::HashMap;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use super::{CounterKey, Counters, Figures, Standing};
use crate::auth::{Actor, Principal};
use crate::clock::Clock;
use crate::config::{Config, ConfigError, Per};
use crate::policy::MethodSpec;

/// All rate groups. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Limits(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    enabled: bool,
    groups: HashMap<String, (u32, Figures, Per)>,
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
    let organization = principal.organization.map(|id| tagged(3, id.0));
    match per {
        Per::Address | Per::Account => by_address(),
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
