//! Teams: what belongs to one is there for its members alone, and roles hold.

use serde_json::{Value, json};

use super::Platform;
use crate::support::server::PASSWORD;
use crate::support::{Http, Server};

/// Signs somebody in who is new in an organization; answers a client and the user's id.
async fn joined(server: &Server, organization: i64, owner: &Http, email: &str) -> (Http, i64) {
    let body = json!({"email": email, "role": "member", "password": PASSWORD});
    let path = format!("/api/organizations/{organization}/members");
    let made = owner.post(&path, &body).await.expect(200);
    let body = json!({"email": email, "password": PASSWORD});
    let signed = server.http().post("/api/auth/sign-in", &body).await;
    let cookie = signed.header("set-cookie").unwrap().to_owned();
    let cookie = cookie.split(';').next().unwrap();
    let http = server.http().with("cookie", cookie);
    let http = http.with("sec-fetch-site", "same-origin");
    (http, made["userId"].as_i64().unwrap())
}

fn of_team(team: &Value, rest: &str) -> String {
    format!("/api/teams/{}{rest}", team["id"].as_str().unwrap())
}

#[tokio::test]
async fn roles_hold() {
    let platform = Platform::start();
    let server = &platform.server;
    let own = server.organization("Team");
    let owner = server.http().bearer(&own.key);
    let (ada, ada_id) = joined(server, own.id, &owner, "ada@example.com").await;
    let (bob, bob_id) = joined(server, own.id, &owner, "bob@example.com").await;
    let (eve, _) = joined(server, own.id, &owner, "eve@example.com").await;
    let team = ada
        .post("/api/teams", &json!({"name": "Engineering"}))
        .await
        .expect(200);
    assert_eq!(team["role"], "owner");
    let body = json!({"name": "api", "image": "nginx", "teamId": team["id"]});
    // It is not there for who is not in it.
    for stranger in [&bob, &eve] {
        assert_eq!(stranger.get("/api/teams").await.text, "[]");
        let answer = stranger.get(&of_team(&team, "/members")).await;
        assert_eq!(answer.expect(404)["error"], "Team not found");
        assert_eq!(stranger.post("/api/deploy", &body).await.status, 404);
    }
    let viewer = json!({"email": "bob@example.com", "role": "viewer"});
    ada.post(&of_team(&team, "/members"), &viewer)
        .await
        .expect(200);
    let service = ada.post("/api/deploy", &body).await.expect(200);
    assert_eq!(service["teamId"], team["id"]);
    let path = format!("/api/services/{}", service["id"].as_str().unwrap());
    // A viewer sees and changes nothing; an admin of the organization does all.
    assert_eq!(bob.get(&path).await.status, 200);
    assert_eq!(bob.get("/api/teams").await.json()[0]["role"], "viewer");
    for (path, body) in [
        (format!("{path}/redeploy"), json!({})),
        (format!("{path}/pause"), json!({"pause": true})),
        (
            "/api/deploy".to_owned(),
            json!({"name": "x", "image": "nginx", "teamId": team["id"]}),
        ),
        (of_team(&team, "/members"), json!({"userId": bob_id})),
    ] {
        let answer = bob.post(&path, &body).await;
        let told = answer.expect(403);
        assert_eq!(
            told["error"], "Your role in the team does not allow this",
            "{path}"
        );
    }
    assert_eq!(bob.delete(&path).await.status, 403);
    assert_eq!(eve.get(&path).await.status, 404);
    assert_eq!(eve.get("/api/services").await.text, "[]");
    assert_eq!(owner.get(&path).await.status, 200);
    // Admins make no owners, and the last owner stays.
    let member = of_team(&team, &format!("/members/{bob_id}"));
    ada.patch(&member, &json!({"role": "admin"}))
        .await
        .expect(200);
    let answer = bob.patch(&member, &json!({"role": "owner"})).await;
    assert_eq!(answer.status, 403);
    let last = of_team(&team, &format!("/members/{ada_id}"));
    for answer in [
        ada.delete(&last).await,
        ada.patch(&last, &json!({"role": "member"})).await,
    ] {
        let told = answer.expect(400);
        assert_eq!(told["error"], "The last owner of a team stays its owner");
    }
    // Who leaves sees nothing any more.
    bob.delete(&member).await.expect(200);
    assert_eq!(bob.get(&path).await.status, 404);
    assert_eq!(bob.delete(&of_team(&team, "")).await.status, 404);
    ada.delete(&of_team(&team, "")).await.expect(200);
    // Without its team it is the organization's.
    assert_eq!(eve.get(&path).await.status, 200);
}

#[tokio::test]
async fn invitations_are_for_who_they_are_sent_to() {
    let server = Server::with(&[("APEX_RATE_LIMIT_ENABLED", "false")]);
    let own = server.organization("Acme");
    let owner = server.http().bearer(&own.key);
    let (ada, _) = joined(&server, own.id, &owner, "ada@example.com").await;
    let (bob, _) = joined(&server, own.id, &owner, "bob@example.com").await;
    let team = owner
        .post("/api/teams", &json!({"name": "Engineering"}))
        .await
        .expect(200);
    let path = of_team(&team, "/invitations");
    let body = json!({"email": "Ada@example.com", "role": "admin"});
    let made = owner.post(&path, &body).await.expect(200);
    let token = made["token"].as_str().unwrap();
    let listed = owner.get(&path).await;
    assert_eq!(listed.json()[0]["email"], "ada@example.com");
    assert!(!listed.text.contains(token));
    let accept = json!({"token": token});
    let answer = bob.post("/api/invitations/accept", &accept).await;
    assert_eq!(answer.expect(404)["error"], "Invitation not found");
    let joined = ada
        .post("/api/invitations/accept", &accept)
        .await
        .expect(200);
    assert_eq!(
        (&joined["id"], &joined["role"]),
        (&team["id"], &json!("admin"))
    );
    assert_eq!(
        ada.post("/api/invitations/accept", &accept).await.status,
        404,
        "once"
    );
    // One that is taken back is none.
    let body = json!({"email": "bob@example.com"});
    let made = owner.post(&path, &body).await.expect(200);
    let taken = format!("{path}/{}", made["id"].as_str().unwrap());
    owner.delete(&taken).await.expect(200);
    let accept = json!({"token": made["token"]});
    assert_eq!(
        bob.post("/api/invitations/accept", &accept).await.status,
        404
    );
    let wrong = owner
        .post(&path, &json!({"email": "nobody"}))
        .await
        .expect(400);
    assert_eq!(wrong["error"], "email must be an e-mail address");
}

/// Who changes a group changes what runs in the containers it is attached to.
#[tokio::test]
async fn groups_of_a_teams_services_are_the_teams() {
    let platform = Platform::start();
    let server = &platform.server;
    let own = server.organization("Team");
    let owner = server.http().bearer(&own.key);
    let (ada, _) = joined(server, own.id, &owner, "ada@example.com").await;
    let (eve, eve_id) = joined(server, own.id, &owner, "eve@example.com").await;
    let team = ada.post("/api/teams", &json!({"name": "Red"})).await;
    let team = team.expect(200);
    let body = json!({"name": "red", "image": "nginx", "teamId": team["id"]});
    let service = ada.post("/api/deploy", &body).await.expect(200);
    let body = json!({"name": "shared", "variables": {"A": "one"}});
    let group = eve.post("/api/env-groups", &body).await.expect(200);
    let group = format!("/api/env-groups/{}", group["id"].as_str().unwrap());
    // Attached to nothing, it is everybody's.
    let change = json!({"variables": {"B": "two"}});
    eve.patch(&group, &change).await.expect(200);
    let id = group.rsplit('/').next().unwrap();
    let attach = format!(
        "/api/services/{}/attach-group/{id}",
        service["id"].as_str().unwrap()
    );
    ada.post(&attach, &json!({})).await.expect(200);
    let change = json!({"variables": {"LD_PRELOAD": "/evil"}});
    for answer in [eve.patch(&group, &change).await, eve.delete(&group).await] {
        let told = answer.expect(403);
        assert_eq!(told["error"], "Your role in the team does not allow this");
    }
    ada.patch(&group, &change).await.expect(200);
    // Who leaves the organization leaves its teams, and is a stranger when back.
    let admin = json!({"userId": eve_id, "role": "admin"});
    ada.post(&of_team(&team, "/members"), &admin)
        .await
        .expect(200);
    let member = format!("/api/organizations/{}/members/{eve_id}", own.id);
    owner.delete(&member).await.expect(200);
    let members = format!("/api/organizations/{}/members", own.id);
    let back = json!({"email": "eve@example.com", "role": "member"});
    owner.post(&members, &back).await.expect(200);
    let listed = ada.get(&of_team(&team, "/members")).await.expect(200);
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(eve.get("/api/teams").await.text, "[]");
}
