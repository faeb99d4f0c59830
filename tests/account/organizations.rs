//! Organizations: which one a call acts in, who may change one, what it uses.

use serde_json::{Value, json};

use super::{key, member, refused, session};
use crate::support::{Server, grpc};

const NOT_THERE: &str = "Organization not found";
const NOT_ALLOWED: &str = "Your role does not allow this";

#[tokio::test]
async fn a_session_chooses_among_its_own() {
    let server = Server::start();
    let first = server.organization("First");
    let foreign = server.organization("Foreign");
    let http = session(&server, &first.email).await;
    let body = json!({"name": "Second"});
    let second = http.post("/api/organizations", &body).await.expect(200);
    assert_eq!(second["plan"], "scale");
    let second = second["id"].as_i64().unwrap();
    let listed = http.get("/api/organizations").await.expect(200);
    let expected = json!([
        {"id": first.id, "name": "First", "plan": "scale", "role": "owner"},
        {"id": second, "name": "Second", "plan": "scale", "role": "owner"},
    ]);
    assert_eq!(listed, expected);
    let current = async |choice: Option<i64>| {
        let http = match choice {
            Some(id) => http.with("x-organization", &id.to_string()),
            None => http.clone(),
        };
        let me = http.get("/api/me").await.expect(200);
        assert_eq!(me["organizations"], expected);
        me["organization"]["id"].as_i64().unwrap()
    };
    // The oldest when it names none.
    assert_eq!(current(None).await, first.id);
    assert_eq!(current(Some(first.id)).await, first.id);
    assert_eq!(current(Some(second)).await, second);
    // What is made is made where the call acts.
    let there = http.with("x-organization", &second.to_string());
    let body = json!({"name": "Shop"});
    there.post("/api/projects", &body).await.expect(200);
    let names = |projects: Value| {
        let list = projects.as_array().unwrap().clone();
        let name = |project: Value| project["name"].as_str().unwrap().to_owned();
        list.into_iter().map(name).collect::<Vec<_>>()
    };
    let projects =
        async |http: &crate::support::Http| names(http.get("/api/projects").await.expect(200));
    assert_eq!(projects(&http).await, ["Default"]);
    assert_eq!(projects(&there).await, ["Default", "Shop"]);

    for unknown in [foreign.id, 99, i64::MAX, -1] {
        let http = http.with("x-organization", &unknown.to_string());
        for path in ["/api/me", "/api/projects", "/api/api-keys", "/api/usage"] {
            refused(&http.get(path).await, 404, "NOT_FOUND", NOT_THERE);
        }
    }
    for nonsense in ["x", "", "1.5", "tn_first_01"] {
        let http = http.with("x-organization", nonsense);
        let message = "X-Organization must be an organization's id";
        let answer = http.get("/api/me").await;
        refused(&answer, 400, "VALIDATION_ERROR", message);
    }
}

#[tokio::test]
async fn a_key_has_one_organization() {
    let server = Server::start();
    let first = server.organization("First");
    let http = session(&server, &first.email).await;
    let body = json!({"name": "Second"});
    let second = http.post("/api/organizations", &body).await.expect(200);
    let key = server.http().bearer(&first.key);
    let own = key.with("x-organization", &first.id.to_string());
    let me = own.get("/api/me").await.expect(200);
    assert_eq!(me["organizations"].as_array().unwrap().len(), 1);
    let listed = key.get("/api/organizations").await.expect(200);
    assert_eq!(listed.as_array().unwrap().len(), 1);
    // Its user has another; the key has not, by header or by path.
    let other = second["id"].to_string();
    let named = key.with("x-organization", &other);
    refused(&named.get("/api/me").await, 404, "NOT_FOUND", NOT_THERE);
    let body = json!({"name": "Shop"});
    let answer = named.post("/api/projects", &body).await;
    refused(&answer, 404, "NOT_FOUND", NOT_THERE);
    let by_path = key.get(&format!("/api/organizations/{other}")).await;
    refused(&by_path, 404, "NOT_FOUND", NOT_THERE);
    let projects = key.get("/api/projects").await.expect(200);
    assert_eq!(projects.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn only_owners_change_it_and_only_members_see_it() {
    let server = Server::start();
    let own = server.organization("Acme");
    let foreign = server.organization("Foreign");
    let owner = session(&server, &own.email).await;
    let stranger = session(&server, &foreign.email).await;
    let path = format!("/api/organizations/{}", own.id);
    let change = json!({"name": "Changed"});
    for role in ["viewer", "member", "admin"] {
        let (http, _) = member(&owner, &server, own.id, role).await;
        assert_eq!(http.get(&path).await.expect(200)["name"], "Acme");
        let answer = http.patch(&path, &change).await;
        refused(&answer, 403, "FORBIDDEN", NOT_ALLOWED);
    }
    let by_key = server.http().bearer(&foreign.key);
    for http in [&stranger, &by_key] {
        let members = format!("{path}/members");
        for answer in [
            http.get(&path).await,
            http.patch(&path, &change).await,
            http.get(&members).await,
            http.post(&members, &json!({"email": "x@example.com"}))
                .await,
            http.patch(&format!("{members}/1"), &json!({"role": "viewer"}))
                .await,
            http.delete(&format!("{members}/1")).await,
        ] {
            refused(&answer, 404, "NOT_FOUND", NOT_THERE);
        }
    }
    assert_eq!(owner.get(&path).await.expect(200)["name"], "Acme");
    // What is not sent stays; what nobody may set is refused.
    let answer = owner
        .patch(&path, &json!({"plan": "starter"}))
        .await
        .expect(200);
    assert_eq!(
        (&answer["name"], &answer["plan"]),
        (&json!("Acme"), &json!("starter"))
    );
    let answer = owner.patch(&path, &json!({})).await.expect(200);
    assert_eq!(answer["plan"], "starter");
    for body in [
        json!({"name": ""}),
        json!({"name": "  "}),
        json!({"name": null}),
        json!({"name": "x".repeat(201)}),
        json!({"plan": "enterprise"}),
        json!({"slug": "tn_other_01"}),
        json!({"createdAt": "2020-01-01T00:00:00Z"}),
        json!({"trialEndsAt": "2099-01-01T00:00:00Z"}),
    ] {
        let answer = owner.patch(&path, &body).await;
        assert_eq!(answer.expect(400)["code"], "VALIDATION_ERROR", "{body}");
    }
    let after = owner.get(&path).await.expect(200);
    assert_eq!(
        (&after["name"], &after["slug"]),
        (&json!("Acme"), &json!("tn_acme_01"))
    );
}

#[tokio::test]
async fn slugs_count_up_whoever_asks_at_once() {
    let server = Server::start();
    let first = server.organization("First");
    let http = session(&server, &first.email).await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let http = http.clone();
        let body = json!({"name": "Acme & Söhne"});
        tasks.spawn(async move { http.post("/api/organizations", &body).await.expect(200) });
    }
    let made = tasks.join_all().await;
    let mut slugs: Vec<_> = made
        .iter()
        .map(|own| own["slug"].as_str().unwrap())
        .collect();
    slugs.sort_unstable();
    let expected: Vec<_> = (1..9).map(|n| format!("tn_acme_s_hne_{n:02}")).collect();
    assert_eq!(slugs, expected);
}

#[tokio::test]
async fn usage_counts_what_the_organization_does() {
    let server = Server::start();
    let own = server.organization("Acme");
    let other = server.organization("Other");
    let owner = session(&server, &own.email).await;
    let usage = async |http: &crate::support::Http| http.get("/api/usage").await.expect(200);
    let before = usage(&owner).await["requestsToday"].as_i64().unwrap();
    let sends = server.http().bearer(&own.key);
    for name in ["a", "b", "c"] {
        let body = json!({"event_name": name});
        sends.post("/api/v1/events", &body).await.expect(200);
    }
    let after = usage(&owner).await;
    assert_eq!(after["events"], 3);
    assert_eq!(after["requests30Days"], after["requestsToday"]);
    // The three events and the request that asks.
    let counted = after["requestsToday"].as_i64().unwrap() - before;
    assert!((3..=4).contains(&counted), "{counted}");
    let of_other = usage(&server.http().bearer(&other.key)).await;
    assert_eq!(of_other["events"], 0);
    // Limits are the caller's own: each key has its own bucket.
    let remaining = |usage: &Value, group: &str| {
        let limits = usage["limits"].as_array().unwrap();
        let found = limits.iter().find(|limit| limit["group"] == group);
        found.unwrap()["remaining"].as_i64().unwrap()
    };
    let (fresh, _) = key(&owner, &server, json!({"name": "fresh"})).await;
    for left in [199, 198] {
        assert_eq!(remaining(&usage(&fresh).await, "account_read"), left);
    }
    assert_eq!(remaining(&usage(&fresh).await, "metrics_events"), 1000);
    assert_eq!(remaining(&usage(&sends).await, "metrics_events"), 997);
}

#[tokio::test]
async fn over_grpc() {
    use apex::api::apex::account::v1 as pb;
    use pb::organization_service_client::OrganizationServiceClient;
    let server = Server::start();
    let own = server.organization("Acme");
    let foreign = server.organization("Foreign");
    let calls = grpc::with_key(&server.url, &own.key).await;
    let mut client = OrganizationServiceClient::new(calls);
    // Without a mask nothing changes; what the mask names does.
    let mut request = pb::UpdateOrganizationRequest {
        id: own.id,
        name: "Changed".to_owned(),
        plan: pb::Plan::Trial.into(),
        update_mask: None,
    };
    let answer = client.update_organization(request.clone()).await.unwrap();
    assert_eq!(answer.into_inner().organization.unwrap().name, "Acme");
    request.update_mask = Some(prost_types::FieldMask {
        paths: vec!["name".to_owned()],
    });
    let answer = client.update_organization(request).await.unwrap();
    let changed = answer.into_inner().organization.unwrap();
    assert_eq!(changed.name, "Changed");
    assert_eq!(changed.plan(), pb::Plan::Scale);
    let request = pb::GetOrganizationRequest { id: foreign.id };
    let status = client.get_organization(request).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::NotFound);
    assert_eq!(grpc::reason(&status), "NOT_FOUND");
}
