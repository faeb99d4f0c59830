//! Members that are not the caller's to set: whose a record is, who made it and
//! when, what its key is. They are refused or passed over, wherever they stand.

use apex::api::SCHEMA;
use apex::api::apex::account::v1::UpdateProjectRequest;
use apex::error::Kind;
use apex::policy::{Auth, Body, Dialect, Profile};
use apex::transcode::errors::Words;
use apex::transcode::schema::{Kind as Type, Message};
use serde_json::{Value, json};

use super::catalogue::{find, served};
use super::rest;
use super::wire::{Caller, Way};
use super::world::World;
use crate::support::grpc;

/// What an attacker would try, whatever the method.
const MEMBERS: [&str; 24] = [
    "id",
    "ids",
    "number",
    "slug",
    "tenantId",
    "tenant_id",
    "organizationId",
    "organization_id",
    "ownerId",
    "owner_id",
    "userId",
    "user_id",
    "role",
    "roles",
    "isAdmin",
    "scopes",
    "plan",
    "trialEndsAt",
    "createdAt",
    "created_at",
    "disabled",
    "key",
    "hash",
    "passwordHash",
];

/// Callers that know of each method: a key, or a session where a key may not.
fn caller<'w>(world: &'w World, spec: &apex::policy::MethodSpec) -> &'w Caller {
    let callers = world.owner.callers(spec);
    callers
        .first()
        .map_or(&world.owner.key, |(_, caller)| caller)
}

/// What a body's members are of: the request, or its items where it may be one of them.
fn body_of(spec: &apex::policy::MethodSpec) -> &'static Message {
    let row = SCHEMA.message(SCHEMA.find(spec.input).unwrap());
    let item = spec.one_or_many.and_then(|name| row.position(name, 0));
    match item.map(|at| row.fields[usize::from(at)].kind) {
        Some(Type::Message(item)) => SCHEMA.message(item),
        Some(_) | None => row,
    }
}

/// The record whose members a query may compare, of a method that reads one itself.
fn filters_of(spec: &apex::policy::MethodSpec) -> Option<&'static Message> {
    let input = SCHEMA.message(SCHEMA.find(spec.input).unwrap());
    input.fields.iter().find(|field| field.raw_query)?;
    let output = SCHEMA.message(SCHEMA.find(spec.output).unwrap());
    output.fields.iter().find_map(|field| match field.kind {
        Type::Message(record) => Some(SCHEMA.message(record)),
        _ => None,
    })
}

#[tokio::test]
async fn members_a_method_does_not_have_are_refused() {
    let world = World::with(&[("APEX_SIGNUP", "open")]).await;
    let before = world.owner.snapshot().await;
    let strict = served().filter(|spec| spec.profile == Profile::Strict);
    for spec in strict {
        let row = body_of(spec);
        let filters = filters_of(spec);
        let alien = MEMBERS
            .iter()
            .filter(|name| row.position(name, usize::MAX).is_none());
        let alien: Vec<&&str> = alien.collect();
        for binding in spec
            .bindings
            .iter()
            .filter(|binding| binding.body == Body::Whole)
        {
            for name in &alien {
                let request = json!({**name: "1"});
                let outcome = caller(&world, spec)
                    .call(spec, Way::Rest(binding), &request)
                    .await;
                if spec.until_set_up {
                    // It is gone, whatever is sent to it.
                    assert!(outcome.failed(Kind::NotFound), "{name}: {outcome}");
                    continue;
                }
                assert!(outcome.failed(Kind::InvalidArgument), "{name}: {outcome}");
                assert!(
                    outcome.text.contains(&format!("{name} is not known")),
                    "{outcome}"
                );
            }
        }
        // Nor does a query add to a body, or to a path.
        for binding in spec.bindings {
            let path = rest::request(spec, binding, &json!({})).path;
            let http = &world.owner.http;
            let verb = binding.verb.parse().unwrap();
            let body = (binding.body == Body::Whole).then(|| b"{}".to_vec());
            let http = http.with("content-type", "application/json");
            let asked = |name: &&&&str| filters.is_none_or(|row| row.position(name, 0).is_none());
            for name in alien.iter().filter(|name| ***name != "key").filter(asked) {
                let path = format!("{path}?{name}=1");
                let answer = http
                    .send(reqwest::Method::clone(&verb), &path, body.clone())
                    .await;
                let plain = spec.service.product == "operations";
                let refused = match spec.auth {
                    _ if spec.until_set_up => answer.status == 404,
                    // The owner's key is known, and no session.
                    Auth::Session => answer.status == 403,
                    _ => [400, 401].contains(&answer.status),
                };
                assert!(
                    refused || plain,
                    "{path}: {} {}",
                    answer.status,
                    answer.text
                );
            }
        }
    }
    assert_eq!(world.owner.snapshot().await, before);
}

/// What stands in the path is what is changed.
#[tokio::test]
async fn an_id_in_the_body_does_not_win_over_the_path() {
    let world = World::start().await;
    let (owner, intruder) = (&world.owner, &world.intruder);
    let own = owner.post("/api/projects", json!({"name": "Own"})).await;
    let (id, other) = (own["id"].as_str().unwrap(), &owner.organization.project);
    let path = format!("/api/projects/{id}");
    let body = json!({"id": other, "name": "Renamed"});
    let renamed = owner.http.patch(&path, &body).await.expect(200);
    assert_eq!(renamed["id"], id);
    assert_eq!(renamed["name"], "Renamed");
    let query = owner
        .http
        .patch(&format!("{path}?id={other}"), &json!({"name": "x"}))
        .await;
    assert_eq!(query.status, 400, "{}", query.text);
    let all = owner.get("/api/projects").await;
    assert_eq!([&all[0]["name"], &all[1]["name"]], ["Default", "Renamed"]);
    // A member goes where the path says.
    let foreign = intruder.organization.id;
    let members = format!("/api/organizations/{}/members", owner.organization.id);
    let body = json!({"organizationId": foreign, "email": "new@example.com"});
    let added = owner.post(&members, body).await;
    let count = |list: Value| list.as_array().unwrap().len();
    assert_eq!(count(owner.get(&members).await), 2);
    let others = format!("/api/organizations/{foreign}/members");
    assert_eq!(count(intruder.get(&others).await), 1);
    let first = owner.get(&members).await[0]["userId"].clone();
    let path = format!("{members}/{}", added["userId"]);
    let body = json!({"organizationId": foreign, "userId": first, "role": "viewer"});
    let changed = owner.http.patch(&path, &body).await.expect(200);
    assert_eq!(changed["userId"], added["userId"]);
    assert_eq!(owner.get(&members).await[0]["role"], "owner");
}

/// A mask picks among what a caller may change and adds nothing to it.
#[tokio::test]
async fn a_mask_reaches_nothing_else() {
    const PATHS: &str = "id,number,organizationId,userId,key,prefix,hash,slug,role,createdAt,\
                         revokedAt,deletedAt,lastUsedAt,projectId,trialEndsAt,updateMask";
    let world = World::start().await;
    let owner = &world.owner;
    let key = owner.post("/api/api-keys", json!({"name": "Robot"})).await;
    let own = owner.organization.id;
    let targets = [
        (
            "OrganizationService/UpdateOrganization",
            json!({"id": own, "plan": "trial"}),
        ),
        (
            "ProjectService/UpdateProject",
            json!({"id": owner.organization.project, "timezone": "Europe/Berlin"}),
        ),
        (
            "ApiKeyService/UpdateApiKey",
            json!({"id": key["id"], "scopes": ["account.read"]}),
        ),
    ];
    let before = owner.snapshot().await;
    for (method, request) in targets {
        let spec = find(&format!("apex.account.v1.{method}"));
        for way in super::wire::ways(spec) {
            for mask in PATHS.split(',').chain(["", "name.x", "name,nope"]) {
                let mut request = request.clone();
                request["name"] = json!("Taken");
                request["updateMask"] = json!(mask);
                let outcome = owner.key.call(spec, way, &request).await;
                let refused = outcome.failed(Kind::InvalidArgument);
                // A mask that names nothing changes nothing.
                assert!(refused != mask.is_empty(), "{method} `{mask}`: {outcome}");
                assert!(refused || outcome.succeeded(), "{method}: {outcome}");
            }
        }
    }
    // gRPC sends what JSON would not even write.
    let mut client = grpc::projects(&world.server.url, &owner.organization.key).await;
    for path in [
        "*",
        "",
        "_",
        "name.*",
        "NAME",
        "Name",
        "project.name",
        "name,timezone",
    ] {
        let request = UpdateProjectRequest {
            id: owner.organization.project.clone(),
            name: "Taken".to_owned(),
            update_mask: Some(prost_types::FieldMask {
                paths: vec![path.to_owned()],
            }),
            ..Default::default()
        };
        let status = client.update_project(request).await.expect_err(path);
        assert_eq!(status.code(), tonic::Code::InvalidArgument, "{path}");
        assert_eq!(grpc::reason(&status), "VALIDATION_ERROR");
        assert!(status.message().contains("updateMask names"), "{status:?}");
    }
    assert_eq!(owner.snapshot().await, before);
    let path = format!("/api/projects/{}", owner.organization.project);
    let body = json!({"name": "Both", "timezone": "Asia/Tokyo", "updateMask": "timezone"});
    let changed = owner.http.patch(&path, &body).await.expect(200);
    assert_eq!(
        [&changed["name"], &changed["timezone"]],
        ["Default", "Asia/Tokyo"]
    );
}

/// Whatever method has a mask says which of its names it does not know, in every way
/// it is reached, before it looks at what the request is for.
#[tokio::test]
async fn a_mask_names_what_there_is() {
    let world = World::start().await;
    let masked: Vec<_> = served().filter(|spec| spec.updatable.is_some()).collect();
    assert!(masked.len() >= 3, "projects, organizations, keys");
    for spec in masked {
        let words = Words {
            dialect: spec.dialect,
            invalid: spec.service.invalid_code,
        };
        for way in super::wire::ways(spec) {
            // Where the query is a language of its own, the body alone says it.
            if matches!(way, Way::Rest(_)) && filters_of(spec).is_some() {
                continue;
            }
            let request = json!({"updateMask": "nope"});
            let outcome = caller(&world, spec).call(spec, way, &request).await;
            assert!(outcome.failed(Kind::InvalidArgument), "{outcome}");
            let told = "updateMask names `nope`, which is no member to change";
            assert!(outcome.text.contains(told), "{outcome}");
            // FeathersJS has names of errors and no reasons beside them.
            let named = matches!(way, Way::Rest(_)) && spec.dialect == Dialect::Feathers;
            let reason = match named {
                true => "",
                false => words.word(Kind::InvalidArgument),
            };
            assert_eq!(outcome.reason, reason, "{outcome}");
        }
    }
}

/// Ingestion passes over what it does not know, and so over all of this.
#[tokio::test]
async fn events_are_whose_key_sent_them() {
    let world = World::start().await;
    let (owner, intruder) = (&world.owner, &world.intruder);
    let mut event = json!({"event_name": "x"});
    for name in MEMBERS {
        event[name] = json!(owner.organization.project);
    }
    for name in [
        "project",
        "project_id",
        "projectId",
        "projectKey",
        "received_at",
        "seq",
    ] {
        event[name] = json!(owner.organization.project);
    }
    intruder.post("/api/v1/events", event.clone()).await;
    let batch = json!({"events": [event], "project": owner.organization.project});
    intruder.post("/api/v1/events/batch", batch).await;
    let export = find("apex.metrics.v1.MetricsService/ExportEvents");
    for (tenant, count) in [(owner, 0), (intruder, 2)] {
        let counted = tenant.get("/api/v1/analytics?metrics=events").await;
        assert_eq!(counted["data"]["events"], count);
        let exported = tenant.key.call(export, Way::Grpc, &json!({})).await.json();
        let events = exported[0]["events"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        assert_eq!(events.len(), count);
        for event in events {
            assert_eq!(event["received_at"].as_str().unwrap()[..2], *"20");
            assert_ne!(event["event_id"], json!(owner.organization.project));
        }
    }
}
