//! Every call of the account API by its documented form: what is sent, and the
//! answer byte for byte but for ids, keys and times.

use regex::Regex;
use reqwest::Method;
use serde_json::json;

use super::{names, refused, session, sign_in, with_session};
use crate::support::server::PASSWORD;
use crate::support::{Answer, Http, Organization, Server};

/// The answer's text with what differs from run to run replaced by its form.
fn form(text: &str) -> String {
    let mut text = text.to_owned();
    for (pattern, name) in [
        (r#""\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z""#, "TIME"),
        (r#""prj_[0-9a-f]{32}""#, "PROJECT"),
        (r#""pk_live_[0-9A-Za-z_-]{24}""#, "PUBLIC"),
        (r#""key_[0-9a-f]{32}""#, "ID"),
        (r#""apex_key_[0-9A-Za-z_-]{43}""#, "KEY"),
        (r#""apex_key_[0-9A-Za-z_-]{4}""#, "PREFIX"),
        (
            r#""password":"[0-9A-Za-z_-]{20}""#,
            r#""password":PASSWORD"#,
        ),
        (r#""reset":\d+"#, r#""reset":AT"#),
    ] {
        text = Regex::new(pattern)
            .unwrap()
            .replace_all(&text, name)
            .into_owned();
    }
    text
}

#[track_caller]
fn golden(answer: &Answer, expected: &str) {
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(form(&answer.text), expected);
    let json = Some("application/json; charset=utf-8");
    assert_eq!(answer.header("content-type"), json);
}

const USER: &str = r#"{"id":1,"email":"acme@example.com","name":"acme@example.com","createdAt":TIME,"disabled":false}"#;
const MEMBERSHIP: &str = r#"{"id":101,"name":"Acme","plan":"scale","role":"owner"}"#;
const ORGANIZATION: &str = r#"{"id":101,"name":"Acme","slug":"tn_acme_01","plan":"scale","trialEndsAt":null,"createdAt":TIME}"#;
const PROJECT: &str = r#"{"id":PROJECT,"name":"Default","key":PUBLIC,"timezone":"UTC","allowedOrigins":[],"consentMode":"off","createdAt":TIME}"#;

/// A server with one organization, and its owner's session.
async fn owner() -> (Server, Organization, Http) {
    let server = Server::start();
    let organization = server.organization("Acme");
    let http = session(&server, &organization.email).await;
    (server, organization, http)
}

#[tokio::test]
async fn setup() {
    let server = Server::start();
    let log = server.log();
    let token = log.split("one-time token ").nth(1).unwrap();
    let token = token.split(' ').next().unwrap();
    let body = json!({
        "token": token, "organization": "Acme", "email": "acme@example.com", "password": PASSWORD,
    });
    let answer = server.http().post("/api/setup", &body).await;
    golden(
        &answer,
        &format!(r#"{{"user":{USER},"organization":{ORGANIZATION},"project":{PROJECT}}}"#),
    );
    let answer = server.http().post("/api/setup", &body).await;
    refused(&answer, 404, "NOT_FOUND", "There is no such path");
}

#[tokio::test]
async fn signing_up() {
    let server = Server::with(&[("APEX_SIGNUP", "open")]);
    let body = json!({
        "organization": "Acme", "name": "", "email": "acme@example.com", "password": PASSWORD,
    });
    let answer = server.http().post("/api/auth/sign-up", &body).await;
    golden(
        &answer,
        &format!(r#"{{"user":{USER},"organizations":[{MEMBERSHIP}]}}"#),
    );
    assert!(answer.header("set-cookie").is_some());
}

#[tokio::test]
async fn signing_in_and_out() {
    let (server, organization, _) = owner().await;
    let answer = sign_in(&server.http(), &organization.email, PASSWORD).await;
    golden(
        &answer,
        &format!(r#"{{"user":{USER},"organizations":[{MEMBERSHIP}]}}"#),
    );
    let http = with_session(&server, &answer);
    golden(
        &http.post("/api/auth/sign-out", &json!({})).await,
        r#"{"success":true}"#,
    );
    // Without a body it does the same.
    let again = session(&server, &organization.email).await;
    let out = again.send(Method::POST, "/api/auth/sign-out", None).await;
    golden(&out, r#"{"success":true}"#);
    let over = "The session is over; sign in again";
    refused(&http.get("/api/me").await, 401, "UNAUTHORIZED", over);
    let answer = sign_in(&server.http(), &organization.email, "another one").await;
    let wrong = "The e-mail or the password is wrong";
    refused(&answer, 401, "UNAUTHORIZED", wrong);
    assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
}

#[tokio::test]
async fn the_password() {
    let (_server, _, http) = owner().await;
    let body = json!({"current": PASSWORD, "new": "an even better one"});
    golden(
        &http.post("/api/auth/password", &body).await,
        r#"{"success":true}"#,
    );
}

#[tokio::test]
async fn me() {
    let (server, organization, http) = owner().await;
    let me = format!(
        r#"{{"user":{USER},"organizations":[{MEMBERSHIP}],"organization":{MEMBERSHIP},"project":{PROJECT}}}"#
    );
    golden(&http.get("/api/me").await, &me);
    let by_key = server.http().bearer(&organization.key);
    golden(&by_key.get("/api/me").await, &me);
    for name in ["x-project", "x-apex-project"] {
        let http = http.with(name, &organization.project);
        golden(
            &http.with("x-organization", "101").get("/api/me").await,
            &me,
        );
    }
}

#[tokio::test]
async fn organizations() {
    let (_server, _, http) = owner().await;
    golden(
        &http.get("/api/organizations").await,
        &format!("[{MEMBERSHIP}]"),
    );
    golden(&http.get("/api/organizations/101").await, ORGANIZATION);
    let body = json!({"name": "Other", "plan": "trial"});
    golden(
        &http.post("/api/organizations", &body).await,
        r#"{"id":102,"name":"Other","slug":"tn_other_01","plan":"trial","trialEndsAt":null,"createdAt":TIME}"#,
    );
    let body = json!({"name": "Acme", "plan": "starter"});
    let starter = ORGANIZATION.replace("scale", "starter");
    golden(&http.patch("/api/organizations/101", &body).await, &starter);
}

#[tokio::test]
async fn members() {
    let (_server, _, http) = owner().await;
    let path = "/api/organizations/101/members";
    let ada = r#"{"userId":1,"email":"acme@example.com","name":"acme@example.com","role":"owner","createdAt":TIME}"#;
    let bob = |role: &str| {
        format!(
            r#"{{"userId":2,"email":"bob@example.com","name":"Bob","role":"{role}","createdAt":TIME}}"#
        )
    };
    golden(&http.get(path).await, &format!("[{ada}]"));
    let body = json!({"email": "Bob@example.com", "name": "Bob", "role": "viewer"});
    let made = bob("viewer").replace('}', r#","password":PASSWORD}"#);
    golden(&http.post(path, &body).await, &made);
    let one = "/api/organizations/101/members/2";
    let body = json!({"role": "admin"});
    golden(&http.patch(one, &body).await, &bob("admin"));
    let both = format!("[{ada},{}]", bob("admin"));
    golden(&http.get(path).await, &both);
    golden(&http.delete(one).await, r#"{"success":true}"#);
    golden(&http.get(path).await, &format!("[{ada}]"));
}

#[tokio::test]
async fn projects() {
    let (_server, _, http) = owner().await;
    golden(&http.get("/api/projects").await, &format!("[{PROJECT}]"));
    let body = json!({
        "name": "Shop", "timezone": "Europe/Berlin", "consentMode": "required",
        "allowedOrigins": ["https://shop.example.com", "http://localhost:8080"],
    });
    let shop = r#"{"id":PROJECT,"name":"Shop","key":PUBLIC,"timezone":"Europe/Berlin","allowedOrigins":["https://shop.example.com","http://localhost:8080"],"consentMode":"required","createdAt":TIME}"#;
    let made = http.post("/api/projects", &body).await;
    golden(&made, shop);
    let made = made.json();
    let path = format!("/api/projects/{}", made["id"].as_str().unwrap());
    let answer = http.patch(&path, &json!({"name": "Store"})).await;
    golden(&answer, &shop.replace("Shop", "Store"));
    let answer = http.post(&format!("{path}/rotate-key"), &json!({})).await;
    golden(&answer, &shop.replace("Shop", "Store"));
    assert_ne!(answer.json()["key"], made["key"]);
    golden(&http.delete(&path).await, r#"{"success":true}"#);
    golden(&http.get("/api/projects").await, &format!("[{PROJECT}]"));
}

#[tokio::test]
async fn api_keys() {
    let (_server, organization, http) = owner().await;
    let body = json!({
        "name": "Reports", "scopes": ["metrics.read", "account.read"],
        "projectId": organization.project, "expiresAt": "2999-12-31T23:59:59Z",
    });
    let made = http.post("/api/api-keys", &body).await;
    let key = |secret: &str| {
        format!(
            r#"{{"id":ID,"name":"Reports","prefix":PREFIX,{secret}"scopes":["metrics.read","account.read"],"projectId":PROJECT,"userId":1,"createdAt":TIME,"expiresAt":TIME,"lastUsedAt":null,"active":true}}"#
        )
    };
    golden(&made, &key(r#""key":KEY,"#));
    let made = made.json();
    assert_eq!(made["projectId"], organization.project);
    assert_eq!(made["expiresAt"], "2999-12-31T23:59:59Z");
    let default = r#"{"id":ID,"name":"Default","prefix":PREFIX,"scopes":["*"],"projectId":null,"userId":1,"createdAt":TIME,"expiresAt":null,"lastUsedAt":null,"active":true}"#;
    let listed = http.get("/api/api-keys").await;
    golden(&listed, &format!("[{default},{}]", key("")));
    let path = format!("/api/api-keys/{}", made["id"].as_str().unwrap());
    let body = json!({"name": "Figures", "scopes": ["metrics.read"], "expiresAt": null});
    let changed = http.patch(&path, &body).await;
    golden(
        &changed,
        r#"{"id":ID,"name":"Figures","prefix":PREFIX,"scopes":["metrics.read"],"projectId":PROJECT,"userId":1,"createdAt":TIME,"expiresAt":null,"lastUsedAt":null,"active":true}"#,
    );
    golden(&http.delete(&path).await, r#"{"success":true}"#);
    golden(&http.get("/api/api-keys").await, &format!("[{default}]"));
}

#[tokio::test]
async fn usage() {
    let (_server, _, http) = owner().await;
    let usage = http.get("/api/usage").await.expect(200);
    assert_eq!(
        names(&usage),
        ["requestsToday", "requests30Days", "events", "limits"]
    );
    let limits = usage["limits"].as_array().unwrap();
    let of = |group: &str| limits.iter().find(|limit| limit["group"] == group).unwrap();
    assert_eq!(
        names(of("account_read")),
        ["group", "limit", "remaining", "reset"]
    );
    // Read 200 and write 100 a minute.
    assert_eq!(of("account_read")["limit"], 200);
    assert_eq!(of("account_write")["limit"], 100);
    assert_eq!(of("account_write")["remaining"], 100);
}

/// What takes a session takes nothing else, and nothing takes no credential.
#[tokio::test]
async fn who_may_call() {
    let (server, organization, _) = owner().await;
    let key = server.http().bearer(&organization.key);
    let needed = "Authentication is required";
    let body = json!({"current": PASSWORD, "new": PASSWORD, "name": "x"});
    for path in [
        "/api/auth/sign-out",
        "/api/auth/password",
        "/api/organizations",
    ] {
        let answer = server.http().post(path, &body).await;
        refused(&answer, 401, "UNAUTHORIZED", needed);
        // A key says who calls, and that is nobody who signed in.
        let by_header = server.http().with("x-api-key", &organization.key);
        for http in [&key, &by_header] {
            let answer = http.post(path, &body).await;
            refused(&answer, 403, "FORBIDDEN", "This needs a signed-in user");
        }
        let nonsense = server.http().bearer("apex_key_nonsense");
        let answer = nonsense.post(path, &body).await;
        refused(&answer, 401, "UNAUTHORIZED", needed);
    }
    for path in [
        "/api/me",
        "/api/organizations",
        "/api/organizations/101",
        "/api/organizations/101/members",
        "/api/projects",
        "/api/api-keys",
        "/api/usage",
    ] {
        let answer = server.http().get(path).await;
        refused(&answer, 401, "UNAUTHORIZED", needed);
        assert_eq!(key.get(path).await.status, 200, "{path}");
    }
    let answer = server.http().get("/api/nothing").await;
    refused(&answer, 404, "NOT_FOUND", "There is no such path");
}
