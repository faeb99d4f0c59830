//! What roles may do, by default and as their organization says, and the keys that act
//! for users.

use serde_json::{Value, json};

use super::{client, make};
use crate::support::server::PASSWORD;
use crate::support::{Http, Organization, Server};

/// Signs somebody in.
pub(super) async fn session(server: &Server, email: &str, password: &str) -> Http {
    let body = json!({"email": email, "password": password});
    let signed = server.http().post("/api/auth/sign-in", &body).await;
    let cookie = signed.header("set-cookie").unwrap();
    let cookie = cookie.split(';').next().unwrap();
    server.http().with("cookie", cookie)
}

/// A user with a role, signed in.
pub(super) async fn member(server: &Server, own: &Organization, role: &str) -> Http {
    let email = format!("{role}@example.com");
    let body = json!({"email": email, "role": role});
    let path = format!("/api/organizations/{}/members", own.id);
    let owner = server.http().bearer(&own.key);
    let added = owner.post(&path, &body).await.expect(200);
    session(server, &email, added["password"].as_str().unwrap()).await
}

pub(super) fn denied(action: &str) -> Value {
    json!({
        "name": "Forbidden",
        "message": format!(
            "Access denied: You do not have permission to {action}. \
             Please contact your organization administrator."
        ),
        "code": 403,
        "className": "forbidden",
    })
}

#[tokio::test]
async fn viewers_view_and_members_write() {
    let (server, http, own) = client();
    let deal = json!({"name": "Deal", "pipeline_id": 1});
    make(&http, "/pipelines", json!({"name": "Sales"})).await;
    make(&http, "/deals", deal.clone()).await;
    let viewer = member(&server, &own, "viewer").await;
    viewer.get("/deals/1").await.expect(200);
    let said = viewer.post("/deals", &deal).await.expect(403);
    assert_eq!(said, denied("create deals"));
    let said = viewer
        .patch("/deals/1", &json!({"name": "x"}))
        .await
        .expect(403);
    assert_eq!(said, denied("update deals"));
    assert_eq!(
        viewer.delete("/deals/1").await.expect(403),
        denied("delete deals")
    );
    let restoring = viewer.with("x-service-method", "restore");
    let said = restoring
        .post("/deals", &json!({"id": 1}))
        .await
        .expect(403);
    assert_eq!(said, denied("update deals"));
    let person = member(&server, &own, "member").await;
    make(&person, "/deals", deal).await;
    let said = person.post("/role-grants", &json!({})).await.expect(403);
    assert_eq!(said, denied("create role grants"));
    assert_eq!(
        person.get("/api-keys").await.expect(403),
        denied("view api keys")
    );
}

#[tokio::test]
async fn an_organization_says_otherwise() {
    let (server, http, own) = client();
    make(&http, "/contacts", json!({"first_name": "Ada"})).await;
    let viewer = member(&server, &own, "viewer").await;
    let person = member(&server, &own, "member").await;
    let grant = json!({"role": "member", "resource": "contacts", "can_view": false});
    let grant = make(&http, "/role-grants", grant).await;
    assert_eq!(
        (&grant["can_create"], &grant["can_view"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(
        person.get("/contacts").await.expect(403),
        denied("view contacts")
    );
    assert_eq!(
        person.get("/contacts/1").await.expect(403),
        denied("view contacts")
    );
    make(&person, "/contacts", json!({"first_name": "Bob"})).await;
    viewer.get("/contacts").await.expect(200);
    person.get("/companies").await.expect(200);
    // What is hidden is so wherever it might be seen.
    let log = person.get("/audit-log?entity=contacts").await.expect(200);
    assert_eq!(log["total"], 0);
    let entry = http.get("/audit-log?entity=contacts").await.expect(200)["data"][0]["id"].clone();
    assert_eq!(person.get(&format!("/audit-log/{entry}")).await.status, 404);
    let hook = json!({"url": "https://93.184.215.14/h", "events": ["contacts.created"]});
    assert_eq!(
        person.post("/webhooks", &hook).await.expect(403),
        denied("view contacts")
    );
    // Files are no way around.
    assert_eq!(
        person.get("/exports/contacts").await.expect(403),
        denied("view contacts")
    );
    assert_eq!(person.get("/exports/companies").await.status, 200);
    // More than by default.
    let more = json!({"role": "viewer", "resource": "deal-products", "can_create": true});
    make(&http, "/role-grants", more).await;
    let said = viewer.post("/deal-products", &json!({})).await;
    assert_eq!(said.status, 400, "{}", said.text);
    // A key of that user does the same, and another organization knows nothing of it.
    let other = server.organization("Other");
    let others = server.http().with("x-api-key", &other.key);
    assert_eq!(others.get("/role-grants").await.expect(200)["total"], 0);
    others.get("/contacts").await.expect(200);
    let path = format!("/role-grants/{}", grant["id"]);
    let change = json!({"can_view": true, "can_delete": false});
    http.patch(&path, &change).await.expect(200);
    person.get("/contacts").await.expect(200);
    assert_eq!(
        person.delete("/contacts/1").await.expect(403),
        denied("delete contacts")
    );
    let less = json!({"can_create": false});
    http.patch(&path, &less).await.expect(200);
    let file = Some(b"email\nbob@example.com\n".to_vec());
    let csv = person.with("content-type", "text/csv");
    let sent = csv.send(reqwest::Method::POST, "/imports", file).await;
    assert_eq!(sent.expect(403), denied("create contacts"));
    http.delete(&path).await.expect(200);
    person.delete("/contacts/1").await.expect(200);
    assert_eq!(
        http.get("/audit-log?entity=role-grants").await.expect(200)["total"],
        5
    );
}

#[tokio::test]
async fn grants_are_checked() {
    let (_server, http, _) = client();
    for (body, path) in [
        (json!({"resource": "contacts"}), "role"),
        (json!({"role": "member"}), "resource"),
        (json!({"role": "owner", "resource": "contacts"}), "role"),
        (json!({"role": "member", "resource": "towns"}), "resource"),
        (
            json!({"role": "member", "resource": "role-grants"}),
            "resource",
        ),
    ] {
        let said = http.post("/role-grants", &body).await.expect(400);
        assert_eq!(said["errors"][0]["path"], path, "{said}");
    }
    let good = json!({"role": "member", "resource": "contacts"});
    make(&http, "/role-grants", good.clone()).await;
    http.post("/role-grants", &good).await.expect(409);
}

#[tokio::test]
async fn keys_are_shown_once_and_deactivated() {
    let (server, http, own) = client();
    let owner = session(&server, &own.email, PASSWORD).await;
    let made = make(&owner, "/api-keys", json!({"name": "reports"})).await;
    let secret = made["key"].as_str().unwrap().to_owned();
    assert!(made["key_id"].as_str().unwrap().starts_with("key_"));
    assert_eq!(
        (&made["active"], &made["scopes"]),
        (&json!(true), &json!(["*"]))
    );
    let one = format!("/api-keys/{}", made["id"]);
    let read = owner.get(&one).await;
    assert!(!read.text.contains(&secret));
    assert_eq!(read.json()["name"], "reports");
    let page = owner.get("/api-keys?name=reports&$limit=5").await;
    assert!(!page.text.contains(&secret));
    assert_eq!(page.json()["total"], 1);
    let keyed = server.http().with("x-api-key", &secret);
    keyed.get("/contacts").await.expect(200);
    // It is for people alone.
    assert_eq!(keyed.get("/api-keys").await.status, 403);
    let off = owner
        .patch(&one, &json!({"active": false}))
        .await
        .expect(200);
    assert_eq!(off["active"], false);
    let said = keyed.get("/contacts").await.expect(401);
    assert_eq!(said["message"], "Invalid API key");
    let on = json!({"active": true, "scopes": ["crm.read"], "id": 7, "created_at": null});
    let on = owner.patch(&one, &on).await.expect(200);
    assert_eq!(
        (&on["active"], &on["scopes"]),
        (&json!(true), &json!(["crm.read"]))
    );
    keyed.get("/contacts").await.expect(200);
    let said = keyed
        .post("/contacts", &json!({"first_name": "x"}))
        .await
        .expect(403);
    assert_eq!(said, denied("create contacts"));
    for (change, path) in [
        (json!({"name": ""}), "name"),
        (json!({"user_id": 99}), "user_id"),
        (json!({"key_id": "key_x"}), "key_id"),
        (json!({"scopes": ["towns.read"]}), "scopes"),
    ] {
        let said = owner.patch(&one, &change).await.expect(400);
        assert_eq!(said["errors"][0]["path"], path, "{said}");
    }
    for (new, path) in [
        (json!({}), "name"),
        (json!({"name": "k", "user_id": 99}), "user_id"),
        (json!({"name": "k", "key": "apex_key_mine"}), "key"),
    ] {
        let said = owner.post("/api-keys", &new).await.expect(400);
        assert_eq!(said["errors"][0]["path"], path, "{said}");
    }
    let gone = owner.delete(&one).await.expect(200);
    assert!(gone["deleted_at"].is_string());
    assert_eq!(owner.get(&one).await.status, 404);
    assert_eq!(keyed.get("/contacts").await.status, 401);
    drop(http);
}

/// A change of a key is made once, and only of the state that its caller saw.
#[tokio::test]
async fn changes_of_keys_are_repeated_and_conditional() {
    let (server, _, own) = client();
    let owner = session(&server, &own.email, PASSWORD).await;
    let made = make(&owner, "/api-keys", json!({"name": "reports"})).await;
    let one = format!("/api-keys/{}", made["id"]);
    let stale = owner.get(&one).await.header("etag").unwrap().to_owned();
    let naming = owner.with("idempotency-key", "naming");
    let change = json!({"name": "Reports"});
    let first = naming.patch(&one, &change).await;
    assert_eq!(first.json()["name"], "Reports", "{}", first.text);
    owner
        .patch(&one, &json!({"name": "Other"}))
        .await
        .expect(200);
    let again = naming.patch(&one, &change).await;
    assert_eq!((again.status, &again.text), (200, &first.text));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(owner.get(&one).await.json()["name"], "Other");
    let late = owner.with("if-match", &stale);
    late.patch(&one, &change).await.expect(409);
    late.delete(&one).await.expect(409);
    // Of those who saw the same, one is first.
    let now = owner.get(&one).await.header("etag").unwrap().to_owned();
    let racing = (0..8).map(|number| {
        let racer = owner.with("if-match", &now);
        let change = json!({"name": format!("racer {number}")});
        let one = &one;
        async move { racer.patch(one, &change).await.status }
    });
    let mut ends = futures_util::future::join_all(racing).await;
    ends.sort_unstable();
    assert_eq!(ends, [200, 409, 409, 409, 409, 409, 409, 409]);
    let now = owner.get(&one).await.header("etag").unwrap().to_owned();
    let going = owner
        .with("idempotency-key", "going")
        .with("if-match", &now);
    let first = going.delete(&one).await;
    assert!(first.json()["deleted_at"].is_string(), "{}", first.text);
    let again = going.delete(&one).await;
    assert_eq!((again.status, &again.text), (200, &first.text));
    assert_eq!(owner.delete(&one).await.status, 404);
}

/// What somebody may not view shows neither in what an import did nor in what webhooks
/// were told.
#[tokio::test]
async fn reports_ask_as_what_they_are_of() {
    let (server, http, own) = client();
    let person = member(&server, &own, "member").await;
    let import = crate::support::records::import(&person).await;
    let told = crate::support::records::delivery(&http).await;
    assert_eq!(told["event"], "contacts.created");
    let rows = format!("/imports/{}/rows", import["id"]);
    let delivery = format!("/webhook-deliveries/{}", told["id"]);
    assert_eq!(person.get(&rows).await.status, 200);
    person.get(&delivery).await.expect(200);
    let hidden = json!({"role": "member", "resource": "contacts", "can_view": false,
        "can_delete": false});
    let grant = make(&http, "/role-grants", hidden).await;
    assert_eq!(person.get(&rows).await.expect(403), denied("view contacts"));
    let undone = person.delete(&format!("/imports/{}", import["id"])).await;
    assert_eq!(undone.expect(403), denied("delete contacts"));
    for (reader, total) in [(&person, 0), (&http, 1)] {
        let log = reader.get("/webhook-deliveries").await.expect(200);
        assert_eq!(log["total"], total);
    }
    let again = json!({"status": "pending"});
    for answer in [
        person.get(&delivery).await,
        person.patch(&delivery, &again).await,
    ] {
        answer.expect(404);
    }
    let state = http.get(&delivery).await.expect(200);
    assert_eq!(state["status"], told["status"]);
    let path = format!("/role-grants/{}", grant["id"]);
    http.delete(&path).await.expect(200);
    assert_eq!(person.get(&rows).await.status, 200);
}
