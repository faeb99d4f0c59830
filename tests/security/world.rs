//! Two tenants on one server: one who owns things, and one who is after them.
//! Both are owners of their organization, so that nothing but tenancy stands
//! between them.

use apex::policy::{Auth, MethodSpec};
use serde_json::{Value, json};

use super::wire::{Caller, Credential};
use crate::support::engine::Engine;
use crate::support::server::PASSWORD;
use crate::support::{Http, Organization, Server};

/// A server with two tenants.
pub struct World {
    pub server: Server,
    /// What runs containers there, for as long as the server does.
    _engine: Engine,
    pub owner: Tenant,
    pub intruder: Tenant,
}

/// An organization and its owner.
#[derive(Debug, Clone)]
pub struct Tenant {
    pub organization: Organization,
    /// Calls with the API key for everything.
    pub key: Caller,
    /// Calls with the owner's session.
    pub session: Caller,
    /// Plain HTTP with the API key.
    pub http: Http,
}

impl World {
    /// Starts a server without rate limits, which would only hide an answer.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// The same, with settings.
    pub async fn with(settings: &[(&str, &str)]) -> Self {
        let engine = Engine::start();
        let runs = engine.settings();
        let runs = runs
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let unlimited = ("APEX_RATE_LIMIT_ENABLED", "false");
        let all: Vec<(&str, &str)> = [unlimited].into_iter().chain(runs).collect();
        let server = Server::with(&[&all, settings].concat());
        let owner = Tenant::new(&server, "Owner").await;
        let intruder = Tenant::new(&server, "Intruder").await;
        Self {
            server,
            _engine: engine,
            owner,
            intruder,
        }
    }

    /// Somebody nobody knows.
    pub async fn stranger(&self) -> Caller {
        Caller::new(&self.server.url).await
    }
}

impl Tenant {
    async fn new(server: &Server, name: &str) -> Self {
        let organization = server.organization(name);
        let stranger = Caller::new(&server.url).await;
        let session = sign_in(server, &organization.email).await;
        Self {
            key: stranger.who(Credential::Key(organization.key.clone())),
            session: stranger.who(Credential::Session(session)),
            http: server.http().bearer(&organization.key),
            organization,
        }
    }

    /// Every way this tenant can prove who it is to a method.
    pub fn callers(&self, spec: &MethodSpec) -> Vec<(&'static str, &Caller)> {
        let (key, session) = (("key", &self.key), ("session", &self.session));
        match spec.auth {
            Auth::ApiKey => vec![key],
            Auth::Session => vec![session],
            Auth::SessionOrApiKey => vec![key, session],
            Auth::Public | Auth::ProjectKey | Auth::Operator => vec![],
        }
    }

    /// Asks for something that exists.
    pub async fn get(&self, path: &str) -> Value {
        self.http.get(path).await.expect(200)
    }

    /// Everything the tenant has that an attack could change.
    pub async fn snapshot(&self) -> Value {
        let own = format!("/api/organizations/{}", self.organization.id);
        let members = format!("{own}/members");
        let figures = format!(
            "/api/v1/analytics?metrics=events,revenue&project={}",
            self.organization.project
        );
        let mut all = Vec::new();
        for path in [&own, &members, "/api/projects", "/api/api-keys", &figures] {
            all.push(self.get(path).await);
        }
        for key in all[3].as_array_mut().expect("keys") {
            key.as_object_mut().expect("a key").remove("lastUsedAt");
        }
        json!(all)
    }

    /// Makes something.
    pub async fn post(&self, path: &str, body: Value) -> Value {
        self.http.post(path, &body).await.expect(200)
    }

    /// Adds somebody with a role who can sign in; answers the user's id.
    pub async fn add_member(&self, email: &str, role: &str) -> Value {
        let path = format!("/api/organizations/{}/members", self.organization.id);
        let body = json!({"email": email, "role": role, "password": PASSWORD});
        self.post(&path, body).await["userId"].clone()
    }
}

/// Signs somebody in whose password is the one of all tests; answers the token.
pub async fn sign_in(server: &Server, email: &str) -> String {
    let body = json!({"email": email, "password": PASSWORD});
    let answer = server.http().post("/api/auth/sign-in", &body).await;
    answer.expect(200);
    let cookie = answer.header("set-cookie").expect("a cookie");
    let token = cookie.strip_prefix("apex_session=").expect("the session");
    token.split(';').next().expect("its token").to_owned()
}
