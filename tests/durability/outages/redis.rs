//! Redis behind a proxy. Without it every node counts for itself: nobody is refused
//! for it, and nobody gets more than a node allows.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{RECOVERY, address, becomes, is_well};
use crate::support::proxy::{Cut, Mode, Proxy};
use crate::support::redis::Redis;
use crate::support::skip::skip;
use crate::support::{Http, Organization, Server};

/// Requests a key has in a window.
const LIMIT: usize = 30;
/// The longest a request may take while Redis fails: once a second one waits for it.
const LONGEST: Duration = Duration::from_secs(2);

/// A server that counts in a Redis behind a proxy.
struct Site {
    server: Server,
    own: Organization,
    redis: Redis,
    proxy: Proxy,
}

impl Site {
    async fn start(test: &str) -> Option<Self> {
        let Some(redis) = Redis::start() else {
            skip(test, "redis-server is not installed");
            return None;
        };
        let proxy = Proxy::start(address(&redis.url())).await;
        let url = format!("redis://{}", proxy.address);
        let server = Server::with(&[
            ("APEX_REDIS_URL", &url),
            ("APEX_LIMITS_ACCOUNT_READ_LIMIT", &LIMIT.to_string()),
            // What does not turn over while a test runs.
            ("APEX_LIMITS_ACCOUNT_READ_WINDOW", "1h"),
            ("APEX_LIMITS_ACCOUNT_READ_SLIDING", "true"),
        ]);
        let own = server.organization("Acme");
        let site = Self {
            server,
            own,
            redis,
            proxy,
        };
        becomes(&site.server.http(), RECOVERY, is_well).await;
        Some(site)
    }

    /// A caller that was never counted.
    fn caller(&self) -> Http {
        let made = self.server.key(&self.own, "*");
        self.server.http().bearer(made["key"].as_str().unwrap())
    }

    /// Without Redis a caller has what a node allows. Then Redis is back, and what was
    /// counted there before is known again.
    async fn outage(&mut self, begin: impl Fn(&mut Self), end: impl Fn(&mut Self), forgets: bool) {
        let http = self.server.http();
        let (before, during) = (self.caller(), self.caller());
        assert_eq!(allowed(&before, LIMIT).await, LIMIT);
        begin(self);
        assert_eq!(allowed(&during, LIMIT + 5).await, LIMIT);
        becomes(&http, RECOVERY, |status, body| {
            let degraded = json!({"status": "ready", "degraded": {"redis": "unreachable"}});
            status == 200 && *body == degraded
        })
        .await;
        assert!(self.metrics().await.contains("\napex_limit_store_up 0\n"));
        end(self);
        becomes(&http, RECOVERY, is_well).await;
        assert!(self.metrics().await.contains("\napex_limit_store_up 1\n"));
        // Whoever had all of it before has nothing now.
        let left = if forgets { LIMIT } else { 0 };
        assert_eq!(allowed(&before, LIMIT + 5).await, left);
    }

    async fn metrics(&self) -> String {
        self.server.http().get("/metrics").await.text
    }
}

/// How many of so many requests are let in. None of them waits for long.
async fn allowed(http: &Http, count: usize) -> usize {
    let mut allowed = 0;
    for _ in 0..count {
        let begun = Instant::now();
        let answer = http.get("/api/projects").await;
        assert!(begun.elapsed() < LONGEST, "{:?}", begun.elapsed());
        match answer.status {
            200 => allowed += 1,
            429 => {}
            other => panic!("{other}: {}", answer.text),
        }
    }
    allowed
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_that_is_away_or_hangs_costs_nobody_an_answer() {
    let test = "redis_that_is_away_or_hangs_costs_nobody_an_answer";
    let Some(mut site) = Site::start(test).await else {
        return;
    };
    // The process itself, then the way to it.
    let stop = |site: &mut Site| site.redis.signal("STOP");
    let go_on = |site: &mut Site| site.redis.signal("CONT");
    site.outage(stop, go_on, false).await;
    let set = |mode| move |site: &mut Site| site.proxy.set(mode);
    site.outage(set(Mode::Hang), set(Mode::Forward), false)
        .await;
    site.outage(set(Mode::Away), set(Mode::Forward), false)
        .await;
    // A new Redis knows nothing of what was counted.
    site.outage(|site| site.redis.stop(), |site| site.redis.run(), true)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_that_is_slow_or_drops_connections_costs_nobody_an_answer() {
    let test = "redis_that_is_slow_or_drops_connections_costs_nobody_an_answer";
    let Some(site) = Site::start(test).await else {
        return;
    };
    let http = site.server.http();
    site.proxy.set(Mode::Slow(Duration::from_millis(200)));
    // Some may be counted here, where the machine is slow besides.
    let slow = allowed(&site.caller(), LIMIT + 5).await;
    assert!((LIMIT..=2 * LIMIT).contains(&slow), "{slow}");
    site.proxy.set(Mode::Forward);
    becomes(&http, RECOVERY, is_well).await;
    for cut in [Cut::Before("EVALSHA"), Cut::After("EVALSHA")] {
        let caller = site.caller();
        assert_eq!(allowed(&caller, 5).await, 5);
        site.proxy.cut(cut);
        // The one that is cut counts here, or there as well.
        assert_eq!(allowed(&caller, 1).await, 1);
        assert!(site.proxy.has_cut());
        becomes(&http, RECOVERY, is_well).await;
        let left = allowed(&caller, LIMIT).await;
        assert!(
            (LIMIT - 6..=LIMIT - 5).contains(&left),
            "{left} after {cut:?}"
        );
    }
}
