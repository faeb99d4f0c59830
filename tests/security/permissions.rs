//! Who may do what, method by method: every scope, every role, every kind of
//! credential. What a method needs is read from the policy table; that the table
//! itself denies by default is checked first.

use std::collections::BTreeSet;

use apex::api::METHODS;
use apex::error::Kind;
use apex::policy::{Auth, MethodSpec, Role};
use serde_json::{Value, json};

use super::catalogue::{find, served, takes_keys, takes_sessions, writes};
use super::wire::{Caller, Credential, ways};
use super::world::{Tenant, World, sign_in};

/// Methods that anybody may call, and why.
const OPEN: [(&str, &str); 12] = [
    (
        "apex.account.v1.SessionService/CompleteSetup",
        "needs the one-time token",
    ),
    (
        "apex.account.v1.SessionService/SignUp",
        "closed unless the operator opens it",
    ),
    (
        "apex.account.v1.SessionService/SignIn",
        "checks the password",
    ),
    (
        "apex.operations.v1.PageService/GetHealth",
        "says that the process is up",
    ),
    (
        "apex.operations.v1.PageService/GetReadiness",
        "names the checks that fail",
    ),
    (
        "apex.operations.v1.PageService/GetMetrics",
        "checks address or token itself",
    ),
    (
        "apex.operations.v1.PageService/GetOpenApi",
        "the published API",
    ),
    (
        "apex.operations.v1.PageService/GetDocs",
        "the published API",
    ),
    ("grpc.health.v1.Health/Check", "says that a service is up"),
    ("grpc.health.v1.Health/Watch", "says that a service is up"),
    (
        "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "the published API",
    ),
    (
        "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        "the published API",
    ),
];

/// Methods of a user that need no scope: they act on the caller alone.
const OWN: [&str; 3] = [
    "apex.account.v1.SessionService/SignOut",
    "apex.account.v1.SessionService/ChangePassword",
    "apex.account.v1.OrganizationService/CreateOrganization",
];

/// Methods that change something and check the role themselves, because it is
/// the role in the organization the request names; with the least role.
const CHECKED_INSIDE: [(&str, Role, &str); 4] = [
    (
        "apex.account.v1.OrganizationService/UpdateOrganization",
        Role::Owner,
        r#"{"id": "$organization", "name": "Taken"}"#,
    ),
    (
        "apex.account.v1.OrganizationService/AddMember",
        Role::Admin,
        r#"{"organizationId": "$organization", "email": "friend@example.com", "role": "viewer"}"#,
    ),
    (
        "apex.account.v1.OrganizationService/UpdateMember",
        Role::Admin,
        r#"{"organizationId": "$organization", "userId": "$user", "role": "admin"}"#,
    ),
    (
        "apex.account.v1.OrganizationService/RemoveMember",
        Role::Admin,
        r#"{"organizationId": "$organization", "userId": "$user"}"#,
    ),
];

/// How the names of methods begin that read.
const READING: [&str; 3] = ["Get", "List", "Export"];

fn name(spec: &MethodSpec) -> &'static str {
    &spec.path[1..]
}

#[test]
fn a_method_that_says_little_is_denied() {
    for spec in served() {
        let own = OWN.contains(&name(spec));
        let inside = CHECKED_INSIDE
            .iter()
            .any(|(method, ..)| *method == name(spec));
        let reads = spec.scope.is_some_and(|scope| !scope.write);
        match spec.auth {
            Auth::Public | Auth::ProjectKey | Auth::Operator => {}
            Auth::Session => assert!(spec.scope.is_some() || own, "{} has no scope", spec.path),
            Auth::ApiKey | Auth::SessionOrApiKey => assert!(spec.scope.is_some()),
        }
        if reads {
            let sounds = READING.iter().any(|start| spec.name.starts_with(start));
            assert!(sounds, "{} sounds as if it wrote", spec.path);
            let verbs = spec.bindings.iter().all(|binding| binding.verb == "GET");
            assert!(verbs, "{} reads by another verb than GET", spec.path);
        } else if spec.scope.is_some() && !inside {
            let least = match spec.service.product {
                "account" => Role::Admin,
                _ => Role::Member,
            };
            assert!(
                spec.role >= least,
                "{} is open to {:?}s",
                spec.path,
                spec.role
            );
        }
    }
}

#[test]
fn every_open_door_is_known() {
    let open = METHODS.iter().filter(|spec| spec.auth == Auth::Public);
    let open: BTreeSet<&str> = open.map(name).collect();
    let known: BTreeSet<&str> = OPEN.iter().map(|(method, _)| *method).collect();
    assert_eq!(open, known);
}

/// All scopes of a kind, as `apex key create` takes them.
fn scopes(choose: impl Fn(&str, bool) -> bool) -> String {
    let scopes = METHODS.iter().filter_map(|spec| spec.scope);
    let chosen = scopes.filter(|scope| choose(scope.product, scope.write));
    let words: BTreeSet<String> = chosen.map(|scope| scope.to_string()).collect();
    words.into_iter().collect::<Vec<_>>().join(",")
}

async fn key(world: &World, scopes: &str) -> Caller {
    let made = world.server.key(&world.owner.organization, scopes);
    let text = made["key"].as_str().unwrap().to_owned();
    world.stranger().await.who(Credential::Key(text))
}

/// Calls in every way and expects the same refusal of each.
async fn refused(who: &str, caller: &Caller, spec: &'static MethodSpec, kind: Kind) {
    for way in ways(spec) {
        let outcome = caller.call(spec, way, &json!({})).await;
        assert!(outcome.failed(kind), "{who} on {}: {outcome}", spec.path);
    }
}

/// Calls in every way and expects to be let in, whatever comes then.
async fn let_in(who: &str, caller: &Caller, spec: &'static MethodSpec) {
    for way in ways(spec) {
        let outcome = caller.call(spec, way, &json!({})).await;
        let denied =
            outcome.failed(Kind::PermissionDenied) || outcome.failed(Kind::Unauthenticated);
        assert!(!denied, "{who} on {}: {outcome}", spec.path);
    }
}

#[tokio::test]
async fn keys_do_what_their_scopes_say() {
    let world = World::start().await;
    let reader = key(&world, &scopes(|_, write| !write)).await;
    let writer = key(&world, &scopes(|_, write| write)).await;
    let before = world.owner.snapshot().await;
    for spec in served() {
        match (spec.auth, spec.scope) {
            (Auth::ApiKey | Auth::SessionOrApiKey, Some(scope)) if scope.write => {
                refused("a key that reads", &reader, spec, Kind::PermissionDenied).await;
            }
            (Auth::ApiKey | Auth::SessionOrApiKey, _) => {
                refused("a key that writes", &writer, spec, Kind::PermissionDenied).await;
                let_in("a key that reads", &reader, spec).await;
            }
            (Auth::Session, _) => {
                refused("a key", &world.owner.key, spec, Kind::Unauthenticated).await;
            }
            (Auth::Operator, _) => {
                for caller in [&world.owner.key, &world.owner.session] {
                    refused("an owner", caller, spec, Kind::PermissionDenied).await;
                }
            }
            (Auth::Public | Auth::ProjectKey, _) => {}
        }
    }
    assert_eq!(world.owner.snapshot().await, before);
}

#[tokio::test]
async fn a_scope_is_for_one_product() {
    let world = World::start().await;
    let products = METHODS.iter().filter_map(|spec| spec.scope);
    let products: BTreeSet<&str> = products.map(|scope| scope.product).collect();
    for product in products {
        let others = key(&world, &scopes(|own, _| own != product)).await;
        for spec in served().filter(|spec| spec.scope.is_some_and(|own| own.product == product)) {
            if takes_keys(spec) {
                refused(
                    "a key of other products",
                    &others,
                    spec,
                    Kind::PermissionDenied,
                )
                .await;
            }
        }
    }
}

#[tokio::test]
async fn strangers_and_public_keys_are_refused() {
    let world = World::start().await;
    let before = world.owner.snapshot().await;
    let stranger = world.stranger().await;
    let public = Credential::Key(world.owner.organization.project_key.clone());
    let public = stranger.who(public);
    let unknown = stranger.who(Credential::Key("pk_live_000000000000000000000000".into()));
    for spec in served() {
        match spec.auth {
            Auth::Public | Auth::ProjectKey => continue,
            Auth::Operator => refused("a stranger", &stranger, spec, Kind::PermissionDenied).await,
            _ => refused("a stranger", &stranger, spec, Kind::Unauthenticated).await,
        }
        if takes_keys(spec) {
            // It is known, it says where events of pages go, and opens nothing.
            refused("a project key", &public, spec, Kind::PermissionDenied).await;
            refused("an unknown key", &unknown, spec, Kind::Unauthenticated).await;
        }
    }
    assert_eq!(world.owner.snapshot().await, before);
}

/// A session of somebody with a role, and the user's id.
async fn member(world: &World, role: &str) -> (Caller, Value) {
    let email = format!("{role}@example.com");
    let id = world.owner.add_member(&email, role).await;
    let token = sign_in(&world.server, &email).await;
    (world.stranger().await.who(Credential::Session(token)), id)
}

const ROLES: [(&str, Role); 3] = [
    ("viewer", Role::Viewer),
    ("member", Role::Member),
    ("admin", Role::Admin),
];

#[tokio::test]
async fn sessions_do_what_their_role_says() {
    let world = World::start().await;
    for (word, role) in ROLES {
        let (caller, id) = member(&world, word).await;
        let before = world.owner.snapshot().await;
        for spec in served().filter(|spec| spec.scope.is_some()) {
            if !takes_sessions(spec) {
                refused(word, &caller, spec, Kind::Unauthenticated).await;
            } else if role < spec.role {
                refused(word, &caller, spec, Kind::PermissionDenied).await;
            } else if !writes(spec) {
                let_in(word, &caller, spec).await;
            }
        }
        for (method, least, request) in CHECKED_INSIDE {
            if role < least {
                inside(&world.owner, &caller, method, request, &id).await;
            }
        }
        assert_eq!(
            world.owner.snapshot().await,
            before,
            "a {word} changed something"
        );
    }
}

async fn inside(owner: &Tenant, caller: &Caller, method: &str, request: &str, own: &Value) {
    let spec = find(method);
    let members = format!("/api/organizations/{}/members", owner.organization.id);
    let members = owner.get(&members).await;
    let first = &members[0]["userId"];
    // Others, and for a change of role also oneself; everybody may leave.
    let mut targets = vec![first];
    if spec.name == "UpdateMember" {
        targets.push(own);
    }
    for user in targets {
        let text = request.replace("\"$organization\"", &owner.organization.id.to_string());
        let text = text.replace("\"$user\"", &user.to_string());
        let request: Value = serde_json::from_str(&text).unwrap();
        for way in ways(spec) {
            let outcome = caller.call(spec, way, &request).await;
            assert!(
                outcome.failed(Kind::PermissionDenied),
                "{method}: {outcome}"
            );
        }
    }
}

#[tokio::test]
async fn admins_make_no_owners() {
    let world = World::start().await;
    let (admin, id) = member(&world, "admin").await;
    let own = world.owner.organization.id;
    let members = world
        .owner
        .get(&format!("/api/organizations/{own}/members"))
        .await;
    let owner = &members[0]["userId"];
    let before = world.owner.snapshot().await;
    for (method, request) in [
        (
            "UpdateMember",
            json!({"organizationId": own, "userId": id, "role": "owner"}),
        ),
        (
            "UpdateMember",
            json!({"organizationId": own, "userId": owner, "role": "viewer"}),
        ),
        (
            "RemoveMember",
            json!({"organizationId": own, "userId": owner}),
        ),
        (
            "AddMember",
            json!({"organizationId": own, "email": "x@example.com", "role": "owner"}),
        ),
    ] {
        let spec = find(&format!("apex.account.v1.OrganizationService/{method}"));
        for way in ways(spec) {
            let outcome = admin.call(spec, way, &request).await;
            assert!(
                outcome.failed(Kind::PermissionDenied),
                "{method}: {outcome}"
            );
        }
    }
    assert_eq!(world.owner.snapshot().await, before);
}

/// A key of one project has its organization for nothing but that project, and
/// so cannot make somebody who has more.
#[tokio::test]
async fn a_key_of_one_project_manages_that_project_alone() {
    let world = World::start().await;
    let owner = &world.owner;
    let own = owner.post("/api/projects", json!({"name": "Own"})).await;
    let body = json!({"name": "Bound", "projectId": own["id"]});
    let bound = owner.post("/api/api-keys", body).await;
    let text = bound["key"].as_str().unwrap().to_owned();
    let caller = world.stranger().await.who(Credential::Key(text));
    let other = owner.post("/api/api-keys", json!({"name": "Other"})).await;
    let (organization, first) = (owner.organization.id, &owner.organization.project);
    let user = owner.add_member("second@example.com", "viewer").await;
    let before = owner.snapshot().await;
    let organizations = "apex.account.v1.OrganizationService";
    let (projects, keys) = (
        "apex.account.v1.ProjectService",
        "apex.account.v1.ApiKeyService",
    );
    let member = json!({"organizationId": organization, "userId": user, "role": "admin"});
    let gone = json!({"organizationId": organization, "userId": user});
    let added = json!({"organizationId": organization, "email": "x@example.com"});
    for (service, method, request, kind) in [
        (
            organizations,
            "UpdateOrganization",
            json!({"id": organization, "name": "x"}),
            Kind::PermissionDenied,
        ),
        (organizations, "AddMember", added, Kind::PermissionDenied),
        (
            organizations,
            "UpdateMember",
            member,
            Kind::PermissionDenied,
        ),
        (organizations, "RemoveMember", gone, Kind::PermissionDenied),
        (
            projects,
            "CreateProject",
            json!({"name": "x"}),
            Kind::PermissionDenied,
        ),
        (
            projects,
            "UpdateProject",
            json!({"id": first, "name": "x"}),
            Kind::NotFound,
        ),
        (
            projects,
            "DeleteProject",
            json!({"id": first}),
            Kind::NotFound,
        ),
        (
            projects,
            "RotateProjectKey",
            json!({"id": first}),
            Kind::NotFound,
        ),
        (
            keys,
            "CreateApiKey",
            json!({"name": "x", "projectId": first}),
            Kind::NotFound,
        ),
        (
            keys,
            "UpdateApiKey",
            json!({"id": other["id"], "name": "x"}),
            Kind::NotFound,
        ),
        (
            keys,
            "DeleteApiKey",
            json!({"id": other["id"]}),
            Kind::NotFound,
        ),
    ] {
        let spec = find(&format!("{service}/{method}"));
        for way in ways(spec) {
            let outcome = caller.call(spec, way, &request).await;
            assert!(outcome.failed(kind), "{method}: {outcome}");
        }
    }
    assert_eq!(owner.snapshot().await, before);
    // It sees and manages what is its own.
    let list = find(&format!("{keys}/ListApiKeys"));
    let rename = find(&format!("{keys}/UpdateApiKey"));
    for way in ways(list) {
        let seen = caller.call(list, way, &json!({})).await.json();
        let seen = seen.get("apiKeys").unwrap_or(&seen);
        let ids: Vec<_> = seen
            .as_array()
            .unwrap()
            .iter()
            .map(|key| &key["id"])
            .collect();
        assert_eq!(ids, [&bound["id"]]);
    }
    let request = json!({"id": bound["id"], "name": "Renamed"});
    let way = ways(rename)[0];
    let renamed = caller.call(rename, way, &request).await.json();
    assert_eq!(renamed["apiKey"]["name"], "Renamed");
}
