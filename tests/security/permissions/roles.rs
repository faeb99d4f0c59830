//! What members of an organization may do by their role.

use apex::error::Kind;
use apex::policy::Role;
use serde_json::{Value, json};

use super::{CHECKED_INSIDE, let_in, refused};
use crate::security::catalogue::{find, served, takes_sessions, writes};
use crate::security::wire::{Caller, Credential, ways};
use crate::security::world::{Tenant, World, sign_in};

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
