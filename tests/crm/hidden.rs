//! What a role may not view it does not see: not by changing it, not by being told of it,
//! and not where other records show it.

use serde_json::{Value, json};

use super::grants::{denied, member};
use super::{client, make, put};
use crate::support::Http;

/// Takes a right from members, or from viewers; answers where the grant is.
async fn take(admin: &Http, role: &str, resource: &str, right: &str) -> String {
    let grant = json!({"role": role, "resource": resource, right: false});
    let made = make(admin, "/role-grants", grant).await;
    format!("/role-grants/{}", made["id"])
}

#[tokio::test]
async fn webhooks_of_what_is_hidden_are_left_alone() {
    let (server, http, own) = client();
    let person = member(&server, &own, "member").await;
    let hook = |event: &str| json!({"url": "https://93.184.215.14/h", "events": [event]});
    let deals = make(&http, "/webhooks", hook("deals.created")).await;
    let notes = make(&http, "/webhooks", hook("notes.created")).await;
    let sent = make(&http, "/webhooks", hook("conversation-messages.outgoing")).await;
    take(&http, "member", "deals", "can_view").await;
    take(&http, "member", "conversation-messages", "can_view").await;
    let rotate = person.with("x-service-method", "rotateSecret");
    for (webhook, what) in [(&deals, "deals"), (&sent, "conversation messages")] {
        let one = format!("/webhooks/{}", webhook["id"]);
        for answer in [
            person
                .patch(&one, &json!({"url": "https://93.184.215.14/evil"}))
                .await,
            person.patch(&one, &json!({"status": "disabled"})).await,
            person.patch(&one, &json!({"skip_own": true})).await,
            person
                .patch(&one, &json!({"events": ["notes.created"]}))
                .await,
            put(&person, &one, &hook("notes.created")).await,
            rotate
                .post("/webhooks", &json!({"id": webhook["id"]}))
                .await,
            person.delete(&one).await,
        ] {
            assert_eq!(answer.expect(403), denied(&format!("view {what}")));
        }
        let kept = http.get(&one).await.expect(200);
        for member in ["url", "events", "status", "skip_own", "updated_at"] {
            assert_eq!(kept[member], webhook[member], "{member}");
        }
    }
    // Others are the member's to change, but not to what is hidden.
    let one = format!("/webhooks/{}", notes["id"]);
    let off = json!({"status": "disabled"});
    person.patch(&one, &off).await.expect(200);
    rotate
        .post("/webhooks", &json!({"id": notes["id"]}))
        .await
        .expect(200);
    let more = json!({"events": ["notes.created", "deals.created"]});
    person.patch(&one, &more).await.expect(403);
    person.delete(&one).await.expect(200);
}

#[tokio::test]
async fn what_is_hidden_is_not_changed() {
    let (server, http, own) = client();
    let person = member(&server, &own, "member").await;
    let ada = json!({"first_name": "Ada", "email": "ada@example.com"});
    let ada = make(&http, "/contacts", ada).await;
    let bob = make(&http, "/contacts", json!({"first_name": "Bob"})).await;
    let grant = take(&http, "member", "contacts", "can_view").await;
    let one = format!("/contacts/{}", ada["id"]);
    let named = |method: &str| person.with("x-service-method", method);
    let merge = json!({"target_id": ada["id"], "source_ids": [bob["id"]], "dry_run": true});
    let upsert = json!({"contacts": [{"email": "ada@example.com"}]});
    for (answer, action) in [
        (person.patch(&one, &json!({})).await, "update contacts"),
        (put(&person, &one, &ada).await, "update contacts"),
        (
            named("restore")
                .post("/contacts", &json!({"id": ada["id"]}))
                .await,
            "update contacts",
        ),
        (
            named("upsert").post("/contacts", &upsert).await,
            "update contacts",
        ),
        (
            named("merge").post("/contacts", &merge).await,
            "delete contacts",
        ),
        (person.delete(&one).await, "delete contacts"),
        (
            person.post("/contacts?$duplicates=refuse", &ada).await,
            "view contacts",
        ),
    ] {
        assert_eq!(answer.expect(403), denied(action));
    }
    // What one makes one knows.
    make(&person, "/contacts", json!({"first_name": "Cyd"})).await;
    // The rest of a grant holds again with the view.
    let view = json!({"can_view": true});
    http.patch(&grant, &view).await.expect(200);
    person.patch(&one, &json!({})).await.expect(200);
}

#[tokio::test]
async fn upsert_makes_what_may_be_made() {
    let (server, http, own) = client();
    let person = member(&server, &own, "member").await;
    for (path, rows) in [
        ("contacts", json!([{"email": "a@example.com"}])),
        ("companies", json!([{"name": "Acme"}])),
    ] {
        let grant = take(&http, "member", path, "can_create").await;
        let upsert = person.with("x-service-method", "upsert");
        let body = json!({ path: rows });
        let path = format!("/{path}");
        let said = upsert.post(&path, &body).await.expect(403);
        assert_eq!(said, denied(&format!("create {}", &path[1..])));
        assert_eq!(http.get(&path).await.expect(200)["total"], 0);
        http.delete(&grant).await.expect(200);
        upsert.post(&path, &body).await.expect(200);
    }
}

/// What members are null, and which are not.
fn said(record: &Value) -> Vec<&str> {
    let members = record.as_object().expect("a record").iter();
    let said = members.filter(|(_, value)| !value.is_null());
    said.map(|(name, _)| name.as_str()).collect()
}

#[tokio::test]
async fn others_show_names_alone() {
    let (server, http, own) = client();
    let viewer = member(&server, &own, "viewer").await;
    let person = member(&server, &own, "member").await;
    let ada = json!({"first_name": "Ada", "last_name": "L", "email": "ada@example.com",
        "phone": "5551234", "phone_country_code": "+1", "avatar_url": "/a.png"});
    let ada = make(&http, "/contacts", ada).await["id"].clone();
    let owner = http.get("/organization-users?role=owner").await.expect(200)["data"][0].clone();
    make(&http, "/pipelines", json!({"name": "Sales"})).await;
    let deal = json!({"name": "Deal", "pipeline_id": 1, "contact_id": ada,
        "owned_by_user_id": owner["user_id"]});
    make(&http, "/deals", deal).await;
    make(&http, "/products", json!({"name": "Box"})).await;
    let line = json!({"deal_id": 1, "product_id": 1, "quantity": 1, "price": 4321.5});
    make(&http, "/deal-products", line).await;
    let talk = json!({"contact_id": ada, "channel": "whatsapp"});
    make(&http, "/conversations", talk).await;
    for resource in ["contacts", "deal-products", "organization-users"] {
        take(&http, "viewer", resource, "can_view").await;
    }
    let seen = viewer.get("/deals/1").await.expect(200);
    assert_eq!(said(&seen["contact"]), ["id", "first_name", "last_name"]);
    assert_eq!(said(&seen["dealProducts"][0]), ["id", "name"]);
    assert!(!said(&seen["owner"]).contains(&"email"), "{seen}");
    let listed = viewer.get("/deals").await;
    let exported = viewer.get("/exports/deals?$format=ndjson").await;
    let talks = viewer.get("/conversations").await;
    for answer in [listed, exported, talks] {
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert!(answer.text.contains("Ada"), "{}", answer.text);
        for hidden in ["ada@example.com", "5551234", "a.png", "4321.5"] {
            assert!(!answer.text.contains(hidden), "{}", answer.text);
        }
    }
    // Whoever may view them sees them still.
    let whole = http.get("/deals/1").await.expect(200);
    assert_eq!(whole["contact"]["email"], "ada@example.com");
    assert_eq!(whole["dealProducts"][0]["price"], "4321.50");
    assert_eq!(whole["owner"]["email"], json!(own.email));
    // Nor is anything found by what is hidden.
    let view = json!({"name": "Ada", "filter": {"searchTerm": "ada"}});
    let view = make(&http, "/conversation-views", view).await;
    for query in ["searchTerm=5551234", &format!("view_id={}", view["id"])] {
        let path = format!("/conversations?{query}");
        let answer = viewer.get(&path).await.expect(403);
        assert_eq!(answer, denied("view contacts"));
        assert_eq!(http.get(&path).await.status, 200);
    }
    take(&http, "viewer", "conversation-messages", "can_view").await;
    let searched = viewer.get("/conversations?messageSearchTerm=hello").await;
    assert_eq!(searched.expect(403), denied("view conversation messages"));
    take(&http, "viewer", "contact-tags", "can_view").await;
    let tagged = viewer.get("/conversations?tag_id=1").await;
    assert_eq!(tagged.expect(403), denied("view contact tags"));
    // A ticket copies no more.
    take(&http, "member", "contacts", "can_view").await;
    let ticket = json!({"subject": "Help", "contact_id": ada});
    let ticket = make(&person, "/support-tickets", ticket).await;
    assert_eq!(ticket["meta_contact_first_name"], "Ada");
    assert_eq!(ticket["meta_contact_email"], Value::Null);
}
