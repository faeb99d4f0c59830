//! Webhooks: others are told of what happens here. What is to be told is written with
//! its cause, and delivered afterwards, signed, as often as it takes. Whose webhooks
//! there are and what they may be told is each product's own; how they are told is the
//! same for all.

mod deliver;
mod log;
mod office;
mod queue;
mod reach;
mod secret;
mod send;

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::auth::Sealer;
use crate::clock::{DAY, MICROS};
use crate::config;
use crate::error::Result;

pub(crate) use deliver::deliver;
pub(crate) use log::{abandon, erase, replay};
pub(crate) use office::{Office, Settled, Tables};
pub(crate) use queue::{Message, queue};
pub(crate) use reach::{is_local, is_port, is_public};
pub(crate) use secret::Secret;

use reach::Reach;
use send::Sender;

/// Webhooks somebody may have at the most.
pub(crate) const MOST: i64 = 50;
/// How long the secret before the current one signs, too, in microseconds.
pub(crate) const FORMER_SIGNS: i64 = DAY;

/// How webhooks are called. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Webhooks(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    sealer: Sealer,
    reach: Reach,
    sender: Sender,
    timeout: Duration,
    first_retry: Duration,
    give_up: Duration,
}

/// How much longer each wait is than the one before.
const GROWTH: i64 = 4;

impl Webhooks {
    /// Takes the settings. `sealer` seals secrets.
    pub fn new(sealer: Sealer, config: &config::Webhooks) -> Result<Self> {
        let reach = Reach {
            allowed: config.allowed_networks.clone(),
        };
        Ok(Self(Arc::new(Inner {
            sealer,
            sender: Sender::new(reach.clone(), config.timeout.0)?,
            reach,
            timeout: config.timeout.0,
            first_retry: config.first_retry.0,
            give_up: config.give_up.0,
        })))
    }

    /// Reads an address somebody wants to register, or says why it is not taken.
    pub(crate) async fn check(&self, address: &str) -> Result<Url> {
        self.0.reach.check(address).await
    }

    /// What secrets are sealed with.
    pub(crate) fn sealer(&self) -> &Sealer {
        &self.0.sealer
    }

    fn sender(&self) -> &Sender {
        &self.0.sender
    }

    fn timeout(&self) -> Duration {
        self.0.timeout
    }

    /// How long a delivery is tried, in microseconds.
    fn give_up(&self) -> i64 {
        self.0.give_up.as_micros() as i64
    }

    /// How long to wait after so many tries, in microseconds: longer each time, a
    /// quarter of the whole at the most, and up to a fifth more or less, so that what
    /// failed together is not tried together.
    fn wait(&self, attempts: i64) -> i64 {
        let first = self.0.first_retry.as_micros() as i64;
        let tries = attempts.clamp(1, 16) as u32 - 1;
        let wait = first.saturating_mul(GROWTH.saturating_pow(tries));
        let wait = wait.min(self.give_up() / 4).max(MICROS / 10);
        let mut byte = [0_u8; 1];
        // Without chance they are tried together, which is no harm.
        let _ = getrandom::fill(&mut byte);
        wait + wait / 5 * (i64::from(byte[0]) - 128) / 128
    }
}
