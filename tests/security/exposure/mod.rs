//! What answers show. For every account method, the members of a real answer are
//! held against a list: a member that is new shows up here before it shows up at
//! a caller.

mod secrets;

use std::collections::{BTreeMap, BTreeSet};

use apex::policy::MethodSpec;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tonic::transport::{Endpoint, Uri};

use super::catalogue::{find, served};
use super::wire::{Caller, Credential, Way};
use super::world::{World, sign_in};
use crate::support::server::PASSWORD;

const USER: &str = "id email name createdAt disabled";
const ORGANIZATION: &str = "id name slug plan trialEndsAt createdAt";
const MEMBERSHIP: &str = "id name plan role";
const MEMBER: &str = "userId email name role createdAt";
const PROJECT: &str = "id name key timezone allowedOrigins[] consentMode createdAt";
/// A project that was made just now allows any origin.
const FIRST: &str = "id name key timezone consentMode createdAt";
const KEY: &str = "id name prefix scopes[] projectId userId createdAt expiresAt lastUsedAt active";
const SUCCESS: &str = "success";

/// Members of an answer: of the answer itself, and of those in it by their path.
type Shape = &'static [(&'static str, &'static str)];

/// Every method of the account product with the members it may show.
const SHOWN: [(&str, Shape); 26] = [
    (
        "SessionService/CompleteSetup",
        &[
            ("user.", USER),
            ("organization.", ORGANIZATION),
            ("project.", FIRST),
        ],
    ),
    (
        "SessionService/SignUp",
        &[("user.", USER), ("organizations[].", MEMBERSHIP)],
    ),
    (
        "SessionService/SignIn",
        &[("user.", USER), ("organizations[].", MEMBERSHIP)],
    ),
    ("SessionService/SignOut", &[("", SUCCESS)]),
    ("SessionService/ChangePassword", &[("", SUCCESS)]),
    (
        "SessionService/GetMe",
        &[
            ("user.", USER),
            ("organizations[].", MEMBERSHIP),
            ("organization.", MEMBERSHIP),
            ("project.", PROJECT),
        ],
    ),
    (
        "OrganizationService/ListOrganizations",
        &[("[].", MEMBERSHIP)],
    ),
    (
        "OrganizationService/CreateOrganization",
        &[("", ORGANIZATION)],
    ),
    ("OrganizationService/GetOrganization", &[("", ORGANIZATION)]),
    (
        "OrganizationService/UpdateOrganization",
        &[("", ORGANIZATION)],
    ),
    ("OrganizationService/ListMembers", &[("[].", MEMBER)]),
    (
        "OrganizationService/AddMember",
        &[("", MEMBER), ("", "password")],
    ),
    ("OrganizationService/UpdateMember", &[("", MEMBER)]),
    ("OrganizationService/RemoveMember", &[("", SUCCESS)]),
    (
        "OrganizationService/GetUsage",
        &[
            ("", "requestsToday requests30Days events"),
            ("limits[].", "group limit remaining reset"),
        ],
    ),
    ("ProjectService/ListProjects", &[("[].", PROJECT)]),
    ("ProjectService/CreateProject", &[("", PROJECT)]),
    ("ProjectService/UpdateProject", &[("", PROJECT)]),
    ("ProjectService/DeleteProject", &[("", SUCCESS)]),
    ("ProjectService/RotateProjectKey", &[("", PROJECT)]),
    ("ApiKeyService/ListApiKeys", &[("[].", KEY)]),
    ("ApiKeyService/CreateApiKey", &[("", KEY), ("", "key")]),
    ("ApiKeyService/UpdateApiKey", &[("", KEY)]),
    ("ApiKeyService/DeleteApiKey", &[("", SUCCESS)]),
    (
        "OperatorService/ProvisionOrganization",
        &[
            ("organization.", ORGANIZATION),
            ("owner.", USER),
            ("project.", FIRST),
            ("", "password apiKey ownerExisted"),
        ],
    ),
    ("OperatorService/ListUsers", &[("users[].", USER)]),
];

/// The same, of methods whose answer depends on what was sent.
const SHOWN_TOO: [(&str, Shape); 2] = [
    ("OperatorService/SetPassword", &[("", "password")]),
    ("OperatorService/SetUserDisabled", &[("user.", USER)]),
];

fn all_shown() -> BTreeMap<String, BTreeSet<String>> {
    let all = SHOWN.iter().chain(&SHOWN_TOO);
    all.map(|(method, shape)| {
        let members = shape
            .iter()
            .flat_map(|(path, names)| names.split(' ').map(move |name| format!("{path}{name}")));
        (format!("apex.account.v1.{method}"), members.collect())
    })
    .collect()
}

#[test]
fn every_account_method_is_listed() {
    let account = served().filter(|spec| spec.service.product == "account");
    let methods: BTreeSet<String> = account.map(|spec| spec.path[1..].to_owned()).collect();
    assert_eq!(methods, all_shown().into_keys().collect());
}

/// Paths of all members of an answer. Lists count by their elements.
fn members(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(all) => {
            for (name, value) in all {
                let dot = if path.is_empty() { "" } else { "." };
                members(value, &format!("{path}{dot}{name}"), found);
            }
        }
        Value::Array(all) => {
            all.iter()
                .for_each(|one| members(one, &format!("{path}[]"), found));
        }
        _ => {
            found.insert(path.to_owned());
        }
    }
}

/// Answers by method, collected while a script runs.
struct Script {
    seen: BTreeMap<&'static str, BTreeSet<String>>,
}

impl Script {
    /// Calls over REST where that is possible, as the documented form is there.
    async fn call(&mut self, caller: &Caller, method: &str, request: Value) -> Value {
        let spec: &'static MethodSpec = find(&format!("apex.account.v1.{method}"));
        let way = spec.bindings.first().map_or(Way::Grpc, Way::Rest);
        let outcome = caller.call(spec, way, &request).await;
        let answer = outcome.json();
        members(&answer, "", self.seen.entry(&spec.path[1..]).or_default());
        answer
    }
}

/// A caller over the socket in the data directory.
async fn operator(world: &World) -> Caller {
    let socket = world.server.data.join("apex.sock");
    let dial = tower::service_fn(move |_: Uri| {
        let socket = socket.clone();
        async move {
            tokio::net::UnixStream::connect(socket)
                .await
                .map(TokioIo::new)
        }
    });
    let endpoint = Endpoint::from_static("http://operator");
    let channel = endpoint.connect_with_connector(dial).await.unwrap();
    world.stranger().await.through(channel)
}

#[tokio::test]
async fn answers_show_what_is_listed() {
    let settings = [("APEX_SIGNUP", "open"), ("APEX_RATE_LIMIT_ENABLED", "true")];
    let world = World::with(&settings).await;
    let owner = &world.owner;
    let (key, session) = (&owner.key, &owner.session);
    let (stranger, operator) = (world.stranger().await, operator(&world).await);
    let mut script = Script {
        seen: BTreeMap::new(),
    };
    let own = owner.organization.id;
    // Of one project it is clear which is meant.
    for caller in [key, session] {
        script.call(caller, "SessionService/GetMe", json!({})).await;
    }
    // Everything that can be set is set, so that no member stays away.
    let project = json!({
        "name": "Shop", "timezone": "Europe/Berlin", "allowedOrigins": ["https://shop.example"],
    });
    let project = script
        .call(key, "ProjectService/CreateProject", project)
        .await;
    let (id, at) = (&project["id"], "2099-01-01T00:00:00Z");
    let made = json!({"name": "Robot", "projectId": id, "expiresAt": at});
    let made = script.call(key, "ApiKeyService/CreateApiKey", made).await;
    let robot = Credential::Key(made["key"].as_str().unwrap().to_owned());
    let robot = stranger.who(robot);
    script.call(&robot, "SessionService/GetMe", json!({})).await;
    for caller in [key, session, &robot] {
        script
            .call(caller, "OrganizationService/ListOrganizations", json!({}))
            .await;
        script
            .call(caller, "OrganizationService/GetUsage", json!({}))
            .await;
        script
            .call(caller, "ProjectService/ListProjects", json!({}))
            .await;
        script
            .call(caller, "ApiKeyService/ListApiKeys", json!({}))
            .await;
        script
            .call(
                caller,
                "OrganizationService/ListMembers",
                json!({"organizationId": own}),
            )
            .await;
        script
            .call(
                caller,
                "OrganizationService/GetOrganization",
                json!({"id": own}),
            )
            .await;
    }
    let renamed = json!({"id": id, "name": "Store"});
    script
        .call(key, "ProjectService/UpdateProject", renamed)
        .await;
    script
        .call(key, "ProjectService/RotateProjectKey", json!({"id": id}))
        .await;
    let renamed = json!({"id": made["id"], "name": "Android"});
    script
        .call(key, "ApiKeyService/UpdateApiKey", renamed)
        .await;
    script
        .call(key, "ApiKeyService/DeleteApiKey", json!({"id": made["id"]}))
        .await;
    script
        .call(key, "ProjectService/DeleteProject", json!({"id": id}))
        .await;
    let named = json!({"id": own, "name": "Owners"});
    script
        .call(key, "OrganizationService/UpdateOrganization", named)
        .await;
    let new = json!({"organizationId": own, "email": "new@example.com", "name": "New"});
    let new = script.call(key, "OrganizationService/AddMember", new).await;
    let member = json!({"organizationId": own, "userId": new["userId"], "role": "viewer"});
    script
        .call(key, "OrganizationService/UpdateMember", member)
        .await;
    let member = json!({"organizationId": own, "userId": new["userId"]});
    script
        .call(key, "OrganizationService/RemoveMember", member)
        .await;
    script
        .call(
            session,
            "OrganizationService/CreateOrganization",
            json!({"name": "Two"}),
        )
        .await;
    let up = json!({"organization": "Up", "email": "up@example.com", "password": PASSWORD});
    script.call(&stranger, "SessionService/SignUp", up).await;
    let inside = json!({"email": "up@example.com", "password": PASSWORD});
    script
        .call(&stranger, "SessionService/SignIn", inside)
        .await;
    let token = sign_in(&world.server, "up@example.com").await;
    let up = stranger.who(Credential::Session(token));
    let password = json!({"current": PASSWORD, "new": "another good password"});
    script
        .call(&up, "SessionService/ChangePassword", password)
        .await;
    let third = json!({"name": "Third", "email": "third@example.com"});
    script
        .call(&operator, "OperatorService/ProvisionOrganization", third)
        .await;
    script
        .call(&operator, "OperatorService/ListUsers", json!({}))
        .await;
    let someone = json!({"email": "third@example.com"});
    script
        .call(&operator, "OperatorService/SetPassword", someone)
        .await;
    let disabled = json!({"email": "third@example.com", "disabled": true});
    script
        .call(&operator, "OperatorService/SetUserDisabled", disabled)
        .await;
    script
        .call(session, "SessionService/SignOut", json!({}))
        .await;
    check(
        &script.seen,
        &["apex.account.v1.SessionService/CompleteSetup"],
    );
}

#[track_caller]
fn check(seen: &BTreeMap<&str, BTreeSet<String>>, elsewhere: &[&str]) {
    let mut listed = all_shown();
    listed.retain(|method, _| !elsewhere.contains(&method.as_str()));
    for (method, listed) in &listed {
        let seen = seen.get(method.as_str());
        assert_eq!(seen, Some(listed), "{method}");
    }
}

/// Set-up has a server of its own: it is over once there is anybody.
#[tokio::test]
async fn the_first_set_up_shows_what_is_listed() {
    let server = crate::support::Server::start();
    let log = server.log();
    let token = log.split("one-time token ").nth(1).expect("a token");
    let token = token.split(' ').next().unwrap();
    let request = json!({
        "token": token, "organization": "First", "email": "first@example.com",
        "password": PASSWORD,
    });
    let mut script = Script {
        seen: BTreeMap::new(),
    };
    let stranger = Caller::new(&server.url).await;
    script
        .call(&stranger, "SessionService/CompleteSetup", request)
        .await;
    let method = "apex.account.v1.SessionService/CompleteSetup";
    assert_eq!(script.seen[method], all_shown()[method]);
}
