//! Counters in Redis, shared by several nodes. One script counts in one round
//! trip; requests in flight share one connection. While Redis is away or slow,
//! each node counts for itself, says so once, and tries again every second.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use prometheus_client::metrics::gauge::Gauge;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, Script};
use secrecy::{ExposeSecret as _, SecretString};

use super::memory::Memory;
use super::{CounterKey, Counters, Figures, Standing};
use crate::config::ConfigError;

/// Longer than this a request does not wait for Redis.
const PATIENCE: Duration = Duration::from_millis(250);
/// How long Redis is left alone after it failed.
const RESPITE: Duration = Duration::from_secs(1);

/// Answers how many requests are counted and when the window ends, as the store
/// in memory does; counts one more if it is wanted and there is room. Arguments:
/// limit, window, now (both in microseconds), whether to count, whether the
/// window slides.
const COUNT: &str = r"
local limit, window, now = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local take, sliding = ARGV[4] == '1', ARGV[5] == '1'
local key, used, ends = KEYS[1], 0, 0
if sliding then
    local first = redis.call('LINDEX', key, 0)
    while first and now - tonumber(first) >= window do
        redis.call('LPOP', key)
        first = redis.call('LINDEX', key, 0)
    end
    used = redis.call('LLEN', key)
    -- What is taken now is the first, where there is no other.
    ends = tonumber(first or now) + window
else
    local start = now - now % window
    ends = start + window
    if tonumber(redis.call('HGET', key, 'start') or -1) == start then
        used = tonumber(redis.call('HGET', key, 'count'))
    elseif take then
        redis.call('HSET', key, 'start', string.format('%.0f', start), 'count', 0)
    end
end
if take and used < limit then
    if sliding then
        redis.call('RPUSH', key, ARGV[3])
    else
        redis.call('HINCRBY', key, 'count', 1)
    end
    redis.call('PEXPIRE', key, math.ceil(window / 1000) + 1000)
end
return {used, string.format('%.0f', ends)}
";

/// Counters in Redis.
pub struct Redis {
    connection: ConnectionManager,
    script: Script,
    /// What counts while Redis is away.
    local: Memory,
    /// Redis is left alone until then, in microseconds since it was named; zero
    /// while it answers. The machine's clock may be put back, this one is not.
    away_until: AtomicU64,
    named: Instant,
    /// One while Redis answers.
    up: Gauge,
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redis").finish_non_exhaustive()
    }
}

impl Redis {
    /// Names the server; it is connected to when it is first needed.
    pub fn new(url: &SecretString, up: Gauge) -> Result<Self, ConfigError> {
        let wrong = |_| ConfigError("redis_url is no redis:// address".to_owned());
        let client = Client::open(url.expose_secret()).map_err(wrong)?;
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_max_delay(Duration::from_secs(1))
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        up.set(1);
        Ok(Self {
            connection: ConnectionManager::new_lazy_with_config(client, config).map_err(wrong)?,
            script: Script::new(COUNT),
            local: Memory::new(),
            away_until: AtomicU64::new(0),
            named: Instant::now(),
            up,
        })
    }

    async fn count(&self, key: CounterKey, figures: Figures, now: i64, take: bool) -> Standing {
        let away_until = self.away_until.load(Ordering::Relaxed);
        if self.elapsed() < away_until {
            return self.count_here(key, figures, now, take).await;
        }
        let asked = tokio::time::timeout(PATIENCE, self.ask(key, figures, now, take)).await;
        match asked {
            Ok(Ok((used, end))) => {
                if self.away_until.swap(0, Ordering::Relaxed) != 0 {
                    self.up.set(1);
                    tracing::info!("Redis answers again: rate limits are shared");
                }
                Standing::new(figures, used, end, now, take)
            }
            Ok(Err(error)) => {
                self.leave_alone(&error);
                self.count_here(key, figures, now, take).await
            }
            Err(slow) => {
                self.leave_alone(&slow);
                self.count_here(key, figures, now, take).await
            }
        }
    }

    async fn ask(
        &self,
        key: CounterKey,
        figures: Figures,
        now: i64,
        take: bool,
    ) -> redis::RedisResult<(u32, i64)> {
        let mut connection = self.connection.clone();
        let name = format!("apex:limit:{:08x}:{:032x}", key.group, key.subject);
        self.script
            .key(name)
            .arg(figures.limit)
            .arg(figures.window.as_micros() as i64)
            .arg(now)
            .arg(i32::from(take))
            .arg(i32::from(figures.sliding))
            .invoke_async(&mut connection)
            .await
    }

    async fn count_here(
        &self,
        key: CounterKey,
        figures: Figures,
        now: i64,
        take: bool,
    ) -> Standing {
        match take {
            true => self.local.take(key, figures, now).await,
            false => self.local.peek(key, figures, now).await,
        }
    }

    fn elapsed(&self) -> u64 {
        self.named.elapsed().as_micros() as u64
    }

    /// Says once that Redis is away, however many requests find out.
    fn leave_alone(&self, cause: &dyn std::fmt::Display) {
        let until = self.elapsed() + RESPITE.as_micros() as u64;
        if self.away_until.swap(until, Ordering::Relaxed) == 0 {
            self.up.set(0);
            tracing::warn!(%cause, "Redis does not answer: each node counts rate limits for itself");
        }
    }
}

impl Counters for Redis {
    fn take(&self, key: CounterKey, figures: Figures, now: i64) -> BoxFuture<'_, Standing> {
        Box::pin(self.count(key, figures, now, true))
    }

    fn peek(&self, key: CounterKey, figures: Figures, now: i64) -> BoxFuture<'_, Standing> {
        Box::pin(self.count(key, figures, now, false))
    }

    fn is_away(&self) -> bool {
        self.away_until.load(Ordering::Relaxed) != 0
    }

    fn try_take(&self, _: CounterKey, _: Figures, _: i64) -> Option<Standing> {
        None
    }
}
