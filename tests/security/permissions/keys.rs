//! What API keys, public project keys and strangers may do.

use std::collections::BTreeSet;

use apex::api::METHODS;
use apex::error::Kind;
use apex::policy::Auth;
use serde_json::json;

use super::{let_in, refused};
use crate::security::catalogue::{find, served, takes_keys};
use crate::security::wire::{Caller, Credential, ways};
use crate::security::world::World;

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
                refused("a key", &world.owner.key, spec, Kind::PermissionDenied).await;
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
