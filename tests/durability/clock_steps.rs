//! A clock that jumps while the server runs, an hour ahead, an hour back and a second
//! back: nothing panics, nobody is shut out, what is sent is taken and found, and no
//! two things get one id.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use apex::api::apex::metrics::v1 as pb;
use serde_json::{Value, json};

use super::stored;
use crate::support::clock::FakeClock;
use crate::support::redis::Redis;
use crate::support::server::PASSWORD;
use crate::support::skip::skip;
use crate::support::{Answer, Http, Organization, Server, grpc};

/// Where the clock is put, in seconds from the true time, one after the other.
const STEPS: [i64; 5] = [3600, 0, -1, -3601, 0];
/// Window of the limits here, in seconds.
const WINDOW: i64 = 2;

/// What clients have seen so far.
struct Seen {
    server: Server,
    own: Organization,
    /// A session begun at each step.
    sessions: Vec<Http>,
    /// The first project that was made, and the request that made it.
    first: Option<Value>,
    password: String,
    /// Names of events that were taken.
    names: Vec<String>,
    /// Everything that has an id of its own.
    ids: HashSet<String>,
}

#[tokio::test]
async fn a_clock_that_jumps_shuts_nobody_out() {
    let mut server = Server::stopped(&[
        ("APEX_LIMITS_ACCOUNT_WRITE_LIMIT", "10"),
        ("APEX_LIMITS_ACCOUNT_WRITE_WINDOW", "2s"),
        ("APEX_LIMITS_ACCOUNT_WRITE_SLIDING", "true"),
        ("APEX_LIMITS_ACCOUNT_READ_LIMIT", "10"),
        ("APEX_LIMITS_ACCOUNT_READ_WINDOW", "2s"),
        ("APEX_LIMITS_SIGN_IN_ACCOUNT_LIMIT", "100"),
    ]);
    server.apex(&["migrate", "up"]);
    let Some(clock) = FakeClock::install(&mut server) else {
        let test = "a_clock_that_jumps_shuts_nobody_out";
        return skip(test, "faketime is not installed");
    };
    server.run();
    let own = server.organization("Acme");
    let mut seen = Seen {
        server,
        own,
        sessions: Vec::new(),
        first: None,
        password: PASSWORD.to_owned(),
        names: Vec::new(),
        ids: HashSet::new(),
    };
    seen.work(0).await;
    for (at, step) in STEPS.into_iter().enumerate() {
        let flooded = seen.flood().await;
        clock.put(step);
        seen.shows(step).await;
        let_in_again(async || write(&flooded).await).await;
        let_in_again(async || read(&flooded).await).await;
        seen.work(at + 1).await;
    }
    seen.compare().await;
}

/// Redis is asked again a second after it failed, whatever the clock says by then.
#[tokio::test]
async fn a_clock_put_back_does_not_keep_redis_away() {
    let test = "a_clock_put_back_does_not_keep_redis_away";
    let Some(mut redis) = Redis::start() else {
        return skip(test, "redis-server is not installed");
    };
    let mut server = Server::stopped(&[("APEX_REDIS_URL", &redis.url())]);
    server.apex(&["migrate", "up"]);
    let Some(clock) = FakeClock::install(&mut server) else {
        return skip(test, "faketime is not installed");
    };
    server.run();
    let http = server.http().bearer(&server.organization("Acme").key);
    let is_shared = async || {
        http.get("/api/me").await.expect(200);
        let metrics = http.get("/metrics").await.text;
        metrics.contains("\napex_limit_store_up 1\n")
    };
    assert!(is_shared().await);
    redis.stop();
    assert!(!is_shared().await);
    clock.put(-3600);
    redis.run();
    let begun = Instant::now();
    while !is_shared().await {
        assert!(begun.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Calls a limited method, one that reads and one that writes.
async fn read(http: &Http) -> Answer {
    http.get("/api/projects").await
}

async fn write(http: &Http) -> Answer {
    // It is counted, and refused.
    http.post("/api/projects", &json!({"name": ""})).await
}

/// Whoever was at the limit is let in when a window has passed.
async fn let_in_again(call: impl AsyncFn() -> Answer) {
    let begun = Instant::now();
    loop {
        let answer = call().await;
        if answer.status != 429 {
            return;
        }
        let after: i64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=WINDOW).contains(&after), "told to wait {after} s");
        let waited = begun.elapsed();
        assert!(
            waited < Duration::from_secs(2 * WINDOW as u64),
            "{waited:?}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

impl Seen {
    fn http(&self) -> Http {
        self.server.http().bearer(&self.own.key)
    }

    /// Takes a key of its own to its limits.
    async fn flood(&self) -> Http {
        let made = self.server.key(&self.own, "*");
        let http = self.server.http().bearer(made["key"].as_str().unwrap());
        for _ in 0..40 {
            write(&http).await;
        }
        for _ in 0..40 {
            read(&http).await;
        }
        http
    }

    /// The server's clock is where it was put.
    async fn shows(&self, step: i64) {
        let http = self.http().with("x-project", &self.own.project);
        let answer = http.get("/api/v1/analytics").await;
        let reset = answer.header("x-ratelimit-reset").unwrap();
        let there = reset.parse::<i64>().unwrap() - jiff::Timestamp::now().as_second();
        assert!(
            (there - step).abs() <= 61,
            "the clock is {there} s ahead, not {step}"
        );
    }

    /// Everything clients do.
    async fn work(&mut self, round: usize) {
        self.sign_in().await;
        self.write_events(round).await;
        self.make_projects(round).await;
        if round == 2 {
            self.change_password().await;
        }
    }

    /// Begins a session. Those that were begun before live.
    async fn sign_in(&mut self) {
        let body = json!({"email": self.own.email, "password": self.password});
        let answer = self.server.http().post("/api/auth/sign-in", &body).await;
        self.begun(&answer);
        for session in &self.sessions {
            session.get("/api/me").await.expect(200);
        }
    }

    fn begun(&mut self, answer: &Answer) {
        assert_eq!(answer.status, 200, "{}", answer.text);
        let cookie = answer.header("set-cookie").unwrap();
        let cookie = cookie.split(';').next().unwrap();
        self.note(cookie);
        self.sessions
            .push(self.server.http().with("cookie", cookie));
    }

    /// Ends all sessions but the one that begins with it, at once and for good.
    async fn change_password(&mut self) {
        let former = std::mem::take(&mut self.sessions);
        let fresh = "another good password";
        let body = json!({"current": self.password, "new": fresh});
        let answer = former[0].post("/api/auth/password", &body).await;
        self.begun(&answer);
        self.password = fresh.to_owned();
        for session in &former {
            session.get("/api/me").await.expect(401);
        }
        self.sign_in().await;
    }

    async fn write_events(&mut self, round: usize) {
        let http = self.http().with("x-project", &self.own.project);
        for number in 0..10 {
            let name = format!("rest {round} {number}");
            let answer = http
                .post("/api/v1/events", &json!({"event_name": name}))
                .await;
            let request = answer.header("x-request-id").map(str::to_owned);
            self.note(&request.expect("an id"));
            let id = answer.expect(200)["event_id"].clone();
            self.note(id.as_str().unwrap());
            self.names.push(name);
        }
        // The same event at every step is stored once.
        let same = json!({"event_name": "same", "event_id": "same"});
        http.post("/api/v1/events", &same).await.expect(200);
        let mut client = grpc::metrics(&self.server.url, &self.own.key).await;
        let event = |number| pb::EventItem {
            event_name: format!("grpc {round} {number}"),
            ..Default::default()
        };
        let events: Vec<_> = (0..10).map(event).collect();
        self.names
            .extend(events.iter().map(|event| event.event_name.clone()));
        let mut request = tonic::Request::new(pb::SendEventsRequest { events });
        let project = self.own.project.parse().unwrap();
        request.metadata_mut().insert("x-project", project);
        client.send_events(request).await.unwrap();
    }

    /// Makes a project, and repeats the request that made the first.
    async fn make_projects(&mut self, round: usize) {
        let keyed = |key: &str| self.http().with("idempotency-key", key);
        let body = json!({"name": format!("project {round}")});
        let made = keyed(&format!("{round}"))
            .post("/api/projects", &body)
            .await;
        let made = made.expect(200);
        let again = keyed("0")
            .post("/api/projects", &json!({"name": "project 0"}))
            .await;
        assert_eq!(again.expect(200), *self.first.get_or_insert(made.clone()));
        self.note(made["id"].as_str().unwrap());
    }

    /// Notes an id nobody has had.
    fn note(&mut self, id: &str) {
        assert!(self.ids.insert(id.to_owned()), "{id} twice");
    }

    /// All is found, once, and nothing took less than no time.
    async fn compare(mut self) {
        let mut names = std::mem::take(&mut self.names);
        names.push("same".to_owned());
        names.sort();
        let http = self.http().with("x-project", &self.own.project);
        let period = "start_date=2020-01-01&end_date=2099-12-31";
        let path = format!("/api/v1/analytics?{period}&metrics=events");
        assert_eq!(
            http.get(&path).await.expect(200)["data"]["events"],
            names.len()
        );
        let bound = json!({"name": "bound", "projectId": self.own.project});
        let made = http.post("/api/api-keys", &bound).await.expect(200);
        let found = stored::events(&self.server.url, made["key"].as_str().unwrap()).await;
        let mut found: Vec<_> = found.into_iter().map(|event| event.event_name).collect();
        found.sort();
        assert_eq!(found, names);
        let metrics = http.get("/metrics").await.text;
        let negative = metrics.lines().find(|line| line.contains(" -"));
        assert_eq!(negative.filter(|line| !line.starts_with('#')), None);
        assert_eq!(self.server.terminate(), Some(0));
        let log = self.server.log();
        for sign in ["panicked", "duration_ms=-", " ERROR "] {
            assert!(!log.contains(sign), "{log}");
        }
    }
}
