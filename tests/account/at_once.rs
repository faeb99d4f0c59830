//! Changes that meet: whatever is changed at the same moment, by keys and
//! sessions, nothing fails but for what it says.

use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{key, session};
use crate::support::Server;
use crate::support::server::PASSWORD;

#[tokio::test]
async fn changes_of_the_same_things() {
    let server = Server::with(&[
        ("APEX_SIGNUP", "open"),
        ("APEX_LIMITS_SIGN_IN_LIMIT", "1000"),
        ("APEX_LIMITS_ACCOUNT_WRITE_LIMIT", "10000"),
    ]);
    let own = server.organization("Acme");
    let http = session(&server, &own.email).await;
    for round in 0..6 {
        let body = json!({"name": "Shop"});
        let project = http.post("/api/projects", &body).await.expect(200);
        let id = project["id"].as_str().unwrap();
        let body = json!({"name": "k", "projectId": id});
        let (_, made) = key(&http, &server, body).await;
        let (project, key) = (
            format!("/api/projects/{id}"),
            format!("/api/api-keys/{}", made["id"].as_str().unwrap()),
        );
        let rename = json!({"name": "Renamed"});
        let email = format!("new{round}@example.com");
        let joins = json!({"email": email, "password": PASSWORD});
        let signs = json!({"organization": "Acme", "email": email, "password": PASSWORD});
        let bound = json!({"name": "k", "projectId": id});
        let organization = format!("/api/organizations/{}", own.id);
        let members = format!("{organization}/members");
        let calls = [
            (Method::PATCH, &*project, &rename, &[200, 404][..]),
            (Method::PATCH, &*key, &rename, &[200, 404]),
            (Method::POST, "/api/api-keys", &bound, &[200, 404]),
            (Method::DELETE, &*project, &Value::Null, &[200, 404]),
            (Method::DELETE, &*key, &Value::Null, &[200, 404]),
            (Method::POST, &*members, &joins, &[200, 409]),
            (Method::POST, "/api/auth/sign-up", &signs, &[200, 409]),
            (
                Method::PATCH,
                &*organization,
                &json!({"name": "Acme"}),
                &[200],
            ),
            (
                Method::POST,
                "/api/organizations",
                &json!({"name": "Acme"}),
                &[200],
            ),
        ];
        let mut tasks = JoinSet::new();
        // The deletions in the midst of the rest.
        for (method, path, body, expected) in calls.iter().chain(&calls) {
            let http = http.with("content-type", "application/json");
            let (method, path) = (method.clone(), (*path).to_owned());
            let body = (!body.is_null()).then(|| body.to_string().into_bytes());
            let expected = expected.to_vec();
            tasks.spawn(async move {
                let answer = http.send(method.clone(), &path, body).await;
                let known = expected.contains(&answer.status);
                assert!(known, "{method} {path}: {} {}", answer.status, answer.text);
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        // Once each: one user of that e-mail, and the project and its keys are gone.
        let users = server.apex_json(&["user", "list"]);
        let users = users.as_array().unwrap().iter();
        assert_eq!(users.filter(|user| user["email"] == email).count(), 1);
        let keys = http.get("/api/api-keys").await.expect(200);
        assert_eq!(keys.as_array().unwrap().len(), 1, "{keys}");
    }
}
