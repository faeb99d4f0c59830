//! Members and their roles: who may do what, and that an owner always remains.

use serde_json::{Value, json};

use super::{key, member, refused, session, sign_in, with_session};
use crate::support::server::PASSWORD;
use crate::support::{Answer, Http, Organization, Server};

const NOT_ALLOWED: &str = "Your role does not allow this";
const LAST: &str = "The last owner cannot leave: make somebody else an owner first";

/// A server with an organization, its owner's session and the members' path.
async fn owner() -> (Server, Organization, Http, String) {
    let server = Server::start();
    let own = server.organization("Acme");
    let http = session(&server, &own.email).await;
    let path = format!("/api/organizations/{}/members", own.id);
    (server, own, http, path)
}

/// Adds somebody with a role; answers the user's id.
async fn add(owner: &Http, path: &str, email: &str, role: &str) -> i64 {
    let body = json!({"email": email, "role": role, "password": PASSWORD});
    let made = owner.post(path, &body).await.expect(200);
    made["userId"].as_i64().unwrap()
}

/// What each role may do, row by row: lists, writes, manages, owns.
#[tokio::test]
async fn what_each_role_may_do() {
    let (server, own, boss, path) = owner().await;
    let target = add(&boss, &path, "target@example.com", "member").await;
    let second = add(&boss, &path, "second@example.com", "owner").await;
    let one = |id: i64| format!("{path}/{id}");
    for (role, manages, owns) in [
        ("viewer", false, false),
        ("member", false, false),
        ("admin", true, false),
        ("owner", true, true),
    ] {
        let (http, _) = member(&boss, &server, own.id, role).await;
        let me = http.get("/api/me").await.expect(200);
        assert_eq!(me["organization"]["role"], role);
        for path in [
            path.as_str(),
            "/api/projects",
            "/api/api-keys",
            "/api/usage",
        ] {
            assert_eq!(http.get(path).await.status, 200, "{role} reads {path}");
        }
        let check = |may: bool, answer: Answer, what: &str| match may {
            true => assert_eq!(answer.status, 200, "{role} {what}: {}", answer.text),
            false => refused(&answer, 403, "FORBIDDEN", NOT_ALLOWED),
        };
        let adds = |as_what: &str| json!({"email": format!("{as_what}-by-{role}@example.com"), "role": as_what});
        for below in ["viewer", "member", "admin"] {
            check(manages, http.post(&path, &adds(below)).await, below);
        }
        check(
            owns,
            http.post(&path, &adds("owner")).await,
            "adds an owner",
        );
        for to in ["admin", "viewer", "member"] {
            let body = json!({"role": to});
            check(
                manages,
                http.patch(&one(target), &body).await,
                "changes a role",
            );
        }
        let up = http.patch(&one(target), &json!({"role": "owner"})).await;
        check(owns, up, "makes an owner");
        let down = json!({"role": "member"});
        if owns {
            http.patch(&one(target), &down).await.expect(200);
        }
        let unmade = http.patch(&one(second), &down).await;
        check(owns, unmade, "unmakes an owner");
        let gone = http.delete(&one(second)).await;
        // By now the owner's doing made this an ordinary member.
        check(owns, gone, "removes an owner");
        let body = json!({"name": "Shop"});
        check(manages, http.post("/api/projects", &body).await, "projects");
        let body = json!({"name": "k"});
        check(manages, http.post("/api/api-keys", &body).await, "keys");
    }
    // Nobody below an admin gets further with a key than by hand.
    let (admin, id) = {
        let email = "demoted@example.com";
        let id = add(&boss, &path, email, "admin").await;
        (session(&server, email).await, id)
    };
    let (by_key, _) = key(&admin, &server, json!({"name": "k"})).await;
    by_key
        .post("/api/projects", &json!({"name": "a"}))
        .await
        .expect(200);
    boss.patch(&one(id), &json!({"role": "viewer"}))
        .await
        .expect(200);
    for http in [&admin, &by_key] {
        let answer = http.post("/api/projects", &json!({"name": "b"})).await;
        refused(&answer, 403, "FORBIDDEN", NOT_ALLOWED);
        assert_eq!(http.get("/api/projects").await.status, 200);
    }
}

#[tokio::test]
async fn an_owner_always_remains() {
    let (server, own, boss, path) = owner().await;
    let one = |id: i64| format!("{path}/{id}");
    let id = boss.get("/api/me").await.expect(200)["user"]["id"]
        .as_i64()
        .unwrap();
    let stays = |answer: &Answer| refused(answer, 400, "LAST_OWNER", LAST);
    stays(&boss.delete(&one(id)).await);
    for role in ["admin", "member", "viewer"] {
        stays(&boss.patch(&one(id), &json!({"role": role})).await);
    }
    // The operator may not either.
    let key = server.http().bearer(&own.key);
    stays(&key.delete(&one(id)).await);
    let second = add(&boss, &path, "second@example.com", "owner").await;
    let heir = session(&server, "second@example.com").await;
    boss.delete(&one(id)).await.expect(200);
    stays(&heir.delete(&one(second)).await);
    let left = heir.get(&path).await.expect(200);
    assert_eq!(left.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn two_owners_do_not_leave_at_once() {
    let (server, _, boss, path) = owner().await;
    for round in 0..6 {
        let emails = [
            format!("a{round}@example.com"),
            format!("b{round}@example.com"),
        ];
        let body = json!({"name": format!("Round {round}")});
        let made = boss.post("/api/organizations", &body).await.expect(200);
        let path = path.replace("101", &made["id"].to_string());
        let mut owners = Vec::new();
        for email in &emails {
            let id = add(&boss, &path, email, "owner").await;
            let http = session(&server, email).await;
            owners.push((http, format!("{path}/{id}")));
        }
        let me = boss.get("/api/me").await.expect(200)["user"]["id"].to_string();
        boss.delete(&format!("{path}/{me}")).await.expect(200);
        let [(a, one), (b, other)] = owners.try_into().ok().unwrap();
        let (first, second) = tokio::join!(a.delete(&one), b.delete(&other));
        let mut answers = [first, second];
        answers.sort_by_key(|answer| answer.status);
        assert_eq!(answers[0].status, 200, "round {round}: {}", answers[0].text);
        refused(&answers[1], 400, "LAST_OWNER", LAST);
    }
}

#[tokio::test]
async fn leaving_ends_what_the_user_could_do() {
    let (server, own, boss, path) = owner().await;
    let (admin, id) = member(&boss, &server, own.id, "admin").await;
    let (by_key, _) = key(&admin, &server, json!({"name": "k"})).await;
    assert_eq!(by_key.get("/api/me").await.status, 200);
    // Everybody may leave.
    let left = admin.delete(&format!("{path}/{id}")).await;
    assert_eq!(left.expect(200), json!({"success": true}));
    refused(
        &by_key.get("/api/me").await,
        401,
        "UNAUTHORIZED",
        "Invalid API key",
    );
    refused(
        &admin.get(&path).await,
        404,
        "NOT_FOUND",
        "Organization not found",
    );
    // The user is still there, belongs nowhere, and may begin anew.
    let me = admin.get("/api/me").await.expect(200);
    assert_eq!(me["user"]["id"], id);
    assert_eq!(me["organizations"], json!([]));
    assert_eq!(
        (&me["organization"], &me["project"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(admin.get("/api/organizations").await.expect(200), json!([]));
    for path in ["/api/projects", "/api/api-keys", "/api/usage"] {
        let answer = admin.get(path).await;
        let message = "Name an organization with X-Organization";
        refused(&answer, 400, "VALIDATION_ERROR", message);
    }
    for path in ["/api/projects", "/api/api-keys"] {
        let answer = admin.post(path, &json!({"name": "x"})).await;
        refused(&answer, 403, "FORBIDDEN", NOT_ALLOWED);
    }
    let body = json!({"name": "Mine"});
    let mine = admin.post("/api/organizations", &body).await.expect(200);
    let me = admin.get("/api/me").await.expect(200);
    assert_eq!(me["organization"]["id"], mine["id"]);
    assert_eq!(me["project"]["name"], "Default");
}

#[tokio::test]
async fn adding_somebody() {
    let (server, _, boss, path) = owner().await;
    // Made with a password that is shown once.
    let made = boss
        .post(&path, &json!({"email": "New@Example.com"}))
        .await
        .expect(200);
    assert_eq!(
        (&made["email"], &made["role"]),
        (&json!("new@example.com"), &json!("member"))
    );
    let password = made["password"].as_str().unwrap();
    let answer = sign_in(&server.http(), "new@example.com", password).await;
    let own = with_session(&server, &answer);
    assert_eq!(own.get("/api/me").await.status, 200);
    let listed = boss.get(&path).await;
    assert!(!listed.text.contains("password"), "{}", listed.text);
    let again = boss.post(&path, &json!({"email": "new@example.com"})).await;
    refused(&again, 409, "CONFLICT", "The user is a member already");
    // Somebody who is there already keeps name and password.
    let other = server.organization("Other");
    let body =
        json!({"email": other.email, "role": "viewer", "password": "taken over", "name": "Eve"});
    let added = boss.post(&path, &body).await.expect(200);
    assert_eq!(added["name"], other.email.as_str());
    assert_eq!(added["password"], Value::Null);
    assert_eq!(
        sign_in(&server.http(), &other.email, "taken over")
            .await
            .status,
        401
    );
    let http = session(&server, &other.email).await;
    let me = http.get("/api/me").await.expect(200);
    assert_eq!(me["organizations"].as_array().unwrap().len(), 2);
    for (body, message) in [
        (json!({}), "email is required"),
        (json!({"email": "nobody"}), "email is not valid"),
        (json!({"email": "x@example.com", "role": "king"}), ""),
        (
            json!({"email": "x@example.com", "password": "short"}),
            "password must have 8 to 1024 bytes",
        ),
        (json!({"email": "x@example.com", "userId": 7}), ""),
    ] {
        let answer = boss.post(&path, &body).await.expect(400);
        assert_eq!(answer["code"], "VALIDATION_ERROR");
        if !message.is_empty() {
            assert_eq!(answer["error"], message);
        }
    }
    let one = format!("{path}/{}", made["userId"]);
    let answer = boss.patch(&one, &json!({})).await;
    refused(&answer, 400, "VALIDATION_ERROR", "role is required");
    for id in ["9999", "-1"] {
        let one = format!("{path}/{id}");
        let body = json!({"role": "viewer"});
        for answer in [boss.patch(&one, &body).await, boss.delete(&one).await] {
            refused(&answer, 404, "NOT_FOUND", "Member not found");
        }
    }
}
