//! A request of every operation of the platform that succeeds: services, groups, teams and
//! databases that are there, and others that may go.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::requests::Requests;
use crate::support::Http;

const SERVICE: &str = "/api/services/{id}";
const TEAM: &str = "/api/teams/{id}";
const DATABASE: &str = "/api/databases/{id}";
const GROUP: &str = "/api/env-groups/{id}";

/// Waits until something runs; answers it.
async fn running(http: &Http, path: &str, id: &Value) -> Value {
    let path = format!("{path}/{}", id.as_str().unwrap());
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let own = http.get(&path).await.expect(200);
        if own["status"] == "RUNNING" {
            return own;
        }
        assert!(Instant::now() < deadline, "{own}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn service(http: &Http, name: &str) -> Value {
    let new = json!({"name": name, "image": "nginx"});
    let made = http.post("/api/deploy", &new).await.expect(200);
    running(http, "/api/services", &made["id"]).await;
    made["id"].clone()
}

async fn group(http: &Http, name: &str) -> Value {
    let new = json!({"name": name, "variables": {"A": "b"}});
    http.post("/api/env-groups", &new).await.expect(200)["id"].clone()
}

async fn database(http: &Http, name: &str) -> Value {
    let new = json!({"name": name, "type": "redis", "size": "small"});
    let made = http.post("/api/databases", &new).await.expect(200);
    running(http, "/api/databases", &made["id"]).await;
    made["id"].clone()
}

fn of(id: &Value) -> Value {
    json!({"path_parameters": {"id": id}})
}

fn with(id: &Value, body: &Value) -> Value {
    json!({"path_parameters": {"id": id}, "body": body})
}

fn pair(id: &Value, name: &str, other: &Value) -> Value {
    json!({"path_parameters": {"id": id, name: other}})
}

/// Adds them. `http` is the owner's.
pub(super) async fn of_platform(requests: &mut Requests, http: &Http, organization: i64) {
    of_services(requests, http).await;
    of_sources(requests, http).await;
    of_groups(requests, http).await;
    of_teams(requests, http, organization).await;
    of_databases(requests, http).await;
    let token = http.post("/api/account/token", &json!({})).await;
    let token = token.expect(200);
    requests.add(
        "DELETE /api/account/tokens/{id}".to_owned(),
        of(&token["id"]),
    );
}

async fn of_services(requests: &mut Requests, http: &Http) {
    let new = json!({"body": {"name": "another", "image": "nginx"}});
    requests.add("POST /api/deploy".to_owned(), new);
    let kept = service(http, "kept").await;
    for read in [
        "",
        "/events",
        "/deployments",
        "/metrics",
        "/domains",
        "/logs",
    ] {
        requests.add(format!("GET {SERVICE}{read}"), of(&kept));
    }
    requests.add(format!("PATCH {SERVICE}"), with(&kept, &json!({})));
    for (what, body) in [
        ("redeploy", json!({})),
        ("pause", json!({"pause": true})),
        ("scale", json!({"replicas": 2})),
    ] {
        let own = service(http, what).await;
        requests.add(format!("POST {SERVICE}/{what}"), with(&own, &body));
    }
    let gone = service(http, "gone").await;
    requests.add(format!("DELETE {SERVICE}"), of(&gone));
    let back = service(http, "back").await;
    let before = running(http, "/api/services", &back).await;
    let path = format!("/api/services/{}", back.as_str().unwrap());
    http.patch(&path, &json!({"image": "nginx:2"}))
        .await
        .expect(200);
    running(http, "/api/services", &back).await;
    let body = json!({"deploymentId": before["currentDeploymentId"]});
    requests.add(format!("POST {SERVICE}/rollback"), with(&back, &body));
    let host = json!({"host": "www.example.com"});
    requests.add(format!("POST {SERVICE}/domains"), with(&kept, &host));
    let path = format!("/api/services/{}/domains", kept.as_str().unwrap());
    let host = json!({"host": "old.example.com"});
    http.post(&path, &host).await.expect(200);
    let gone = pair(&kept, "host", &host["host"]);
    requests.add(format!("DELETE {SERVICE}/domains/{{host}}"), gone);
}

async fn of_sources(requests: &mut Requests, http: &Http) {
    let body = json!({"repository": "octocat/hello-world"});
    let sent = http.with("content-type", "application/json");
    for (verb, name) in [("GET", "bound"), ("DELETE", "unbound")] {
        let own = service(http, name).await;
        let path = format!("/api/services/{}/source", own.as_str().unwrap());
        let bound = sent.send(Method::PUT, &path, Some(body.to_string().into_bytes()));
        bound.await.expect(200);
        requests.add(format!("{verb} {SERVICE}/source"), of(&own));
    }
    let own = service(http, "binds").await;
    requests.add(format!("PUT {SERVICE}/source"), with(&own, &body));
}

async fn of_groups(requests: &mut Requests, http: &Http) {
    let new = json!({"body": {"name": "new-group", "variables": {"A": "b"}}});
    requests.add("POST /api/env-groups".to_owned(), new);
    let kept = group(http, "kept-group").await;
    requests.add(format!("GET {GROUP}"), of(&kept));
    let renamed = json!({"name": "renamed-group"});
    requests.add(format!("PATCH {GROUP}"), with(&kept, &renamed));
    let gone = group(http, "gone-group").await;
    requests.add(format!("DELETE {GROUP}"), of(&gone));
    let one = format!("{SERVICE}/attach-group/{{group_id}}");
    let bare = service(http, "bare").await;
    requests.add(format!("POST {one}"), pair(&bare, "group_id", &kept));
    let dressed = service(http, "dressed").await;
    let ids = (dressed.as_str().unwrap(), kept.as_str().unwrap());
    let path = format!("/api/services/{}/attach-group/{}", ids.0, ids.1);
    http.post(&path, &json!({})).await.expect(200);
    requests.add(format!("DELETE {one}"), pair(&dressed, "group_id", &kept));
}

async fn of_teams(requests: &mut Requests, http: &Http, organization: i64) {
    let new = json!({"body": {"name": "New team"}});
    requests.add("POST /api/teams".to_owned(), new);
    let mut teams = Vec::new();
    for name in ["Kept", "Gone"] {
        let made = http.post("/api/teams", &json!({"name": name})).await;
        teams.push(made.expect(200)["id"].clone());
    }
    let [kept, gone] = &teams[..] else {
        unreachable!("two teams")
    };
    requests.add(format!("DELETE {TEAM}"), of(gone));
    let mut people = Vec::new();
    for name in ["joins", "changes", "leaves"] {
        let email = format!("{name}@example.com");
        let user = json!({"email": email, "role": "member", "password": super::PASSWORD});
        let path = format!("/api/organizations/{organization}/members");
        people.push(http.post(&path, &user).await.expect(200)["userId"].clone());
    }
    let path = format!("/api/teams/{}", kept.as_str().unwrap());
    for person in &people[1..] {
        let member = json!({"userId": person});
        let members = format!("{path}/members");
        http.post(&members, &member).await.expect(200);
    }
    requests.add(format!("GET {TEAM}/members"), of(kept));
    let member = json!({"userId": people[0]});
    requests.add(format!("POST {TEAM}/members"), with(kept, &member));
    let mut changed = pair(kept, "user_id", &people[1]);
    changed["body"] = json!({"role": "viewer"});
    requests.add(format!("PATCH {TEAM}/members/{{user_id}}"), changed);
    let left = pair(kept, "user_id", &people[2]);
    requests.add(format!("DELETE {TEAM}/members/{{user_id}}"), left);
    let invitations = format!("{path}/invitations");
    let guest = |name: &str| json!({"email": format!("{name}@example.com")});
    requests.add(format!("GET {TEAM}/invitations"), of(kept));
    requests.add(
        format!("POST {TEAM}/invitations"),
        with(kept, &guest("guest")),
    );
    let taken_back = http.post(&invitations, &guest("nobody")).await.expect(200);
    let taken_back = pair(kept, "invitation_id", &taken_back["id"]);
    let one = format!("DELETE {TEAM}/invitations/{{invitation_id}}");
    requests.add(one, taken_back);
}

async fn of_databases(requests: &mut Requests, http: &Http) {
    let new = json!({"body": {"name": "store", "type": "redis", "size": "small"}});
    requests.add("POST /api/databases".to_owned(), new);
    let kept = database(http, "kept-store").await;
    for read in ["", "/backups"] {
        requests.add(format!("GET {DATABASE}{read}"), of(&kept));
    }
    let gone = database(http, "gone-store").await;
    requests.add(format!("DELETE {DATABASE}"), of(&gone));
    let saved = database(http, "saved-store").await;
    requests.add(format!("POST {DATABASE}/backups"), with(&saved, &json!({})));
    for (operation, name) in [
        (
            format!("DELETE {DATABASE}/backups/{{backup_id}}"),
            "old-store",
        ),
        (format!("POST {DATABASE}/restore"), "lost-store"),
    ] {
        let own = database(http, name).await;
        let path = format!("/api/databases/{}/backups", own.as_str().unwrap());
        let backup = http.post(&path, &json!({})).await.expect(200);
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let all = http.get(&path).await.expect(200);
            let first = all.as_array().map_or(&all["backups"][0], |all| &all[0]);
            if first["status"] != "PENDING" {
                break;
            }
            assert!(Instant::now() < deadline, "{all}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        running(http, "/api/databases", &own).await;
        let request = match operation.starts_with("DELETE") {
            true => pair(&own, "backup_id", &backup["id"]),
            false => with(&own, &json!({"backupId": backup["id"]})),
        };
        requests.add(operation, request);
    }
}
