//! Another tenant's organization and project, named by header or parameter.

use std::collections::BTreeSet;

use apex::error::Kind;
use serde_json::{Value, json};

use super::{World, tables};
use crate::security::catalogue::{find, served, takes_keys, takes_sessions};
use crate::security::wire::{Way, ways};

#[tokio::test]
async fn another_organization_is_not_there() {
    let world = World::start().await;
    let (owner, intruder) = (&world.owner, &world.intruder);
    for spec in served().filter(|spec| takes_keys(spec) || takes_sessions(spec)) {
        for (credential, caller) in intruder.callers(spec) {
            for id in [owner.organization.id, 999_999] {
                let named = caller.with("x-organization", &id.to_string());
                for way in ways(spec) {
                    let outcome = named.call(spec, way, &json!({})).await;
                    let what = format!("{} with a {credential} for {id}", spec.path);
                    assert!(outcome.failed(Kind::NotFound), "{what}: {outcome}");
                }
            }
        }
    }
    let me = find("apex.account.v1.SessionService/GetMe");
    for (_, caller) in intruder.callers(me) {
        let own = caller.with("x-organization", &intruder.organization.id.to_string());
        let answer = own.call(me, Way::Grpc, &json!({})).await.json();
        assert_eq!(answer["organization"]["id"], intruder.organization.id);
        for wrong in ["", "-", "1e3", "0x65", "101 102", "99999999999999999999"] {
            let named = caller.with("x-organization", wrong);
            let outcome = named.call(me, Way::Grpc, &json!({})).await;
            assert!(
                outcome.failed(Kind::InvalidArgument),
                "`{wrong}`: {outcome}"
            );
        }
    }
}

#[tokio::test]
async fn another_project_is_not_there() {
    let world = World::start().await;
    let (owner, intruder) = (&world.owner.organization, &world.intruder);
    let own = [
        &intruder.organization.project,
        &intruder.organization.project_key,
    ];
    let foreign = [&owner.project, &owner.project_key];
    let absent = ["prj_00000000000000000000000000000000", "", " "];
    for (method, request) in tables().into_iter().flat_map(|table| table.on_projects) {
        let spec = find(method);
        let request: Value = serde_json::from_str(request).unwrap();
        for (credential, caller) in intruder.callers(spec) {
            for header in ["x-project", "x-apex-project"] {
                for way in ways(spec) {
                    let what = format!("{method} with a {credential} and {header}");
                    let mut told = BTreeSet::new();
                    for name in foreign.map(String::as_str).into_iter().chain(absent) {
                        let named = caller.with(header, name);
                        let outcome = named.call(spec, way, &request).await;
                        assert!(outcome.failed(Kind::NotFound), "{what} {name}: {outcome}");
                        told.insert(outcome.text);
                    }
                    assert_eq!(told.len(), 1, "{what} tells that it exists: {told:?}");
                    for name in own {
                        let named = caller.with(header, name);
                        let outcome = named.call(spec, way, &request).await;
                        assert!(outcome.succeeded(), "{what}: {outcome}");
                    }
                }
            }
        }
    }
    let analytics = world.owner.get("/api/v1/analytics?metrics=events").await;
    assert_eq!(analytics["data"]["events"], 0);
    for name in foreign {
        let path = format!("/api/v1/analytics?project={name}");
        assert_eq!(intruder.http.get(&path).await.status, 404);
    }
}

/// A header that is no text names a project nobody has, rather than none.
#[tokio::test]
async fn a_name_that_is_no_text_is_not_passed_over() {
    let world = World::start().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/api/v1/analytics", world.server.url);
    for header in ["x-project", "x-apex-project"] {
        let bytes = reqwest::header::HeaderValue::from_bytes(b"prj_\xff").unwrap();
        let request = client.get(&url).header(header, bytes);
        let request = request.bearer_auth(&world.intruder.organization.key);
        assert_eq!(request.send().await.unwrap().status(), 404, "{header}");
    }
}

/// Who asks who it is in a project gets the same answer for another's project as
/// for one that nobody has.
#[tokio::test]
async fn who_am_i_tells_nothing_of_another_project() {
    let world = World::start().await;
    let me = find("apex.account.v1.SessionService/GetMe");
    for (_, caller) in world.intruder.callers(me) {
        for way in ways(me) {
            let mut told = BTreeSet::new();
            for name in [
                &world.owner.organization.project,
                &world.owner.organization.project_key,
                "prj_00000000000000000000000000000000",
            ] {
                let named = caller.with("x-project", name);
                let outcome = named.call(me, way, &json!({})).await;
                assert!(outcome.failed(Kind::NotFound), "{name}: {outcome}");
                told.insert(outcome.text);
            }
            assert_eq!(told.len(), 1, "{told:?}");
        }
    }
}

#[test]
fn every_method_of_events_says_which_project() {
    // Services of events, which belong to projects.
    const OF_PROJECTS: [&str; 2] = [
        "apex.growth.v1.EventService",
        "apex.metrics.v1.MetricsService",
    ];
    let of_events = served().filter(|spec| OF_PROJECTS.contains(&spec.service.name));
    let keyed = of_events.filter(|spec| takes_keys(spec) || takes_sessions(spec));
    let methods: BTreeSet<&str> = keyed.map(|spec| &spec.path[1..]).collect();
    let known = tables().into_iter().flat_map(|table| table.on_projects);
    let known: BTreeSet<&str> = known.map(|(method, _)| *method).collect();
    assert_eq!(methods, known);
}
