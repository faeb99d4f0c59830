//! The log of changes, and bringing back what was removed.

use apex::api::apex::crm::v1 as crm;
use apex::api::apex::crm::v1::audit_log_service_client::AuditLogServiceClient;
use apex::api::apex::crm::v1::contact_service_client::ContactServiceClient;
use serde_json::{Value, json};
use tonic::Code;

use super::{client, make, names, put, with};
use crate::support::server::PASSWORD;
use crate::support::{Http, grpc};

/// The changes of a record, oldest first.
async fn log(http: &Http, entity: &str, id: &Value) -> Vec<Value> {
    let path = format!("/audit-log?entity={entity}&entity_id={id}");
    let page = http.get(&path).await.expect(200);
    assert_eq!(page["total"], page["data"].as_array().unwrap().len());
    page["data"].as_array().unwrap().clone()
}

async fn restore(http: &Http, path: &str, id: &Value) -> crate::support::Answer {
    let http = http.with("x-service-method", "restore");
    http.post(path, &json!({ "id": id })).await
}

#[tokio::test]
async fn every_write_is_in_the_log() {
    let (server, http, own) = client();
    let field = json!({"entity_type": "contact", "name": "Industry", "type": "text"});
    make(&http, "/custom-fields", field).await;
    let asked = http.post("/contacts", &json!({"first_name": "Ada"})).await;
    let request = asked.header("x-request-id").unwrap().to_owned();
    let made = asked.expect(201);
    let one = format!("/contacts/{}", made["id"]);
    let body = json!({"email": "ada@example.com", "custom_fields_by_name": {"Industry": "Tech"}});
    http.patch(&one, &body).await.expect(200);
    // What says what is there already is no change.
    http.patch(&one, &json!({"first_name": "Ada"}))
        .await
        .expect(200);
    put(&http, &one, &json!({"first_name": "Ada"}))
        .await
        .expect(200);
    http.delete(&one).await.expect(200);
    let log = log(&http, "contacts", &made["id"]).await;
    let actions: Vec<_> = log
        .iter()
        .map(|one| one["action"].as_str().unwrap())
        .collect();
    assert_eq!(actions, ["created", "updated", "updated", "removed"]);
    assert_eq!(
        log[0]["changes"]["first_name"],
        json!({"before": null, "after": "Ada"})
    );
    assert_eq!(log[0]["changes"].get("email"), None);
    assert_eq!(log[0]["request_id"], request);
    assert_eq!(log[0]["user_id"], made["created_by_user_id"]);
    assert!(log[0]["api_key_id"].as_str().unwrap().starts_with("key_"));
    assert_eq!(log[0]["created_at"], made["created_at"]);
    assert_eq!(log[0]["organization_id"], own.id);
    let expected = json!({
        "email": {"before": null, "after": "ada@example.com"},
        "custom_fields_by_name.Industry": {"before": null, "after": "Tech"},
    });
    assert_eq!(log[1]["changes"], expected);
    assert_eq!(
        log[2]["changes"]["email"],
        json!({"before": "ada@example.com", "after": null})
    );
    let gone = json!({"before": "Tech", "after": null});
    assert_eq!(log[2]["changes"]["custom_fields_by_name.Industry"], gone);
    let removed = log[3]["changes"].as_object().unwrap();
    assert_eq!(removed.keys().collect::<Vec<_>>(), ["deleted_at"]);
    let entry = http
        .get(&format!("/audit-log/{}", log[1]["id"]))
        .await
        .expect(200);
    assert_eq!(entry, log[1]);
    // The same over gRPC.
    let mut client = AuditLogServiceClient::new(grpc::with_key(&server.url, &own.key).await);
    let read = crm::GetAuditLogEntryRequest {
        id: log[1]["id"].as_i64().unwrap(),
        ..Default::default()
    };
    let entry = client.get_audit_log_entry(read).await.unwrap().into_inner();
    let entry = entry.audit_log_entry.unwrap();
    assert_eq!(entry.action.as_deref(), Some("updated"));
    let changes: Value = serde_json::from_str(&entry.changes.unwrap()).unwrap();
    assert_eq!(changes, log[1]["changes"]);
}

/// A record that nobody is told of may be written by one statement.
#[tokio::test]
async fn who_listens_makes_no_difference() {
    let (_server, http, own) = with(&[("APEX_WEBHOOKS_ALLOWED_NETWORKS", "127.0.0.0/8")]);
    let contact = json!({
        "first_name": "Ada", "last_name": "L'\"Étoile\\", "email": "Ada@example.com",
        "phone": "+49 30 1234", "external_id": "", "owned_by_user_id": null,
    });
    let company = json!({"name": "Acme {0}", "website": "https://www.acme.example/"});
    let mut logs = Vec::new();
    for events in [None, Some(json!(["contacts.created", "companies.created"]))] {
        if let Some(events) = events {
            let hook = json!({"url": "http://127.0.0.1:50999/", "events": events});
            make(&http, "/webhooks", hook).await;
        }
        for (entity, body) in [("contacts", &contact), ("companies", &company)] {
            let mut made = make(&http, &format!("/{entity}"), body.clone()).await;
            let one = format!("/{entity}/{}", made["id"]);
            assert_eq!(http.get(&one).await.expect(200), made);
            let log = log(&http, entity, &made["id"]).await;
            assert_eq!(log.len(), 1);
            let mut entry = log[0].clone();
            assert_eq!(entry["entity_id"], made["id"]);
            for (member, at) in [("id", "id"), ("created_at", "created_at")] {
                assert_eq!(entry["changes"][member]["after"], made[at]);
                entry["changes"][member]["after"] = Value::Null;
            }
            assert_eq!(entry["organization_id"], own.id);
            for own in ["id", "entity_id", "request_id", "created_at", "updated_at"] {
                entry[own] = Value::Null;
                made[own] = Value::Null;
            }
            logs.push((made.to_string(), entry.to_string()));
        }
    }
    assert_eq!(logs[..2], logs[2..]);
    for path in ["/contacts", "/companies"] {
        assert_eq!(http.get(path).await.expect(200)["total"], 2);
    }
    // What is refused by the database itself leaves nothing behind.
    let named = json!({"first_name": "Eve", "external_id": "7"});
    make(&http, "/contacts", named.clone()).await;
    http.post("/contacts", &named).await.expect(409);
    assert_eq!(http.get("/contacts").await.expect(200)["total"], 3);
}

#[tokio::test]
async fn what_brings_something_with_it_is_logged_too() {
    let (_server, http, _own) = client();
    let pipeline = make(&http, "/pipelines", json!({"name": "Sales"})).await;
    let page = http
        .get("/audit-log?entity=pipeline-stages")
        .await
        .expect(200);
    assert_eq!(page["total"], 3);
    let first = &page["data"][0]["changes"]["pipeline_id"]["after"];
    assert_eq!(*first, pipeline["id"]);
    let newest = http
        .get("/audit-log?$sort[id]=-1&$limit=1&$select[]=entity")
        .await
        .expect(200);
    assert_eq!(newest["total"], 4);
    assert_eq!(newest["data"][0]["entity"], "pipeline-stages");
    let wrong = http.get("/audit-log?color=red").await.expect(400);
    assert_eq!(wrong["name"], "BadRequest");
    assert_eq!(
        http.get("/audit-log/999").await.expect(404)["message"],
        "No record found for id '999'"
    );
}

#[tokio::test]
async fn people_are_named_and_failures_are_not_logged() {
    let (server, http, own) = client();
    let body = json!({"email": own.email, "password": PASSWORD});
    let signed = server.http().post("/api/auth/sign-in", &body).await;
    let cookie = signed
        .header("set-cookie")
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let person = server.http().with("cookie", &cookie);
    let made = make(&person, "/tags", json!({"name": "VIP"})).await;
    let log = log(&http, "tags", &made["id"]).await;
    assert!(log[0]["user_id"].is_i64());
    assert_eq!(log[0]["api_key_id"], Value::Null);
    http.post("/tags", &json!([{"name": "New"}, {"name": "VIP"}]))
        .await
        .expect(409);
    assert_eq!(http.get("/audit-log").await.expect(200)["total"], 1);
    // Another organization sees nothing of it.
    let other = server.organization("Other");
    let other = server.http().with("x-api-key", &other.key);
    assert_eq!(other.get("/audit-log").await.expect(200)["total"], 0);
    assert_eq!(
        other
            .get(&format!("/audit-log/{}", log[0]["id"]))
            .await
            .status,
        404
    );
}

/// What of support was removed comes back as well; of two open conversations the other
/// one stays.
#[tokio::test]
async fn support_comes_back() {
    let (_server, http, _own) = client();
    for path in [
        "/support-tickets",
        "/support-ticket-messages",
        "/inbox-channels",
        "/conversation-views",
        "/conversation-predefined-messages",
        "/conversations",
    ] {
        let made = crate::support::records::make(&http, path).await;
        let one = format!("{path}/{}", made["id"]);
        http.delete(&one).await.expect(200);
        http.get(&one).await.expect(404);
        let back = restore(&http, path, &made["id"]).await.expect(200);
        assert_eq!(back["deleted_at"], Value::Null, "{path}");
        assert_eq!(http.get(&one).await.expect(200), back);
    }
    let contact = make(&http, "/contacts", json!({"first_name": "Ann"})).await;
    let talk = json!({"contact_id": contact["id"], "channel": "sms"});
    let first = make(&http, "/conversations", talk.clone()).await;
    let one = format!("/conversations/{}", first["id"]);
    http.delete(&one).await.expect(200);
    make(&http, "/conversations", talk).await;
    let said = restore(&http, "/conversations", &first["id"]).await;
    assert_eq!(said.expect(409)["className"], "conflict");
}

#[tokio::test]
async fn what_was_removed_comes_back() {
    let (server, http, own) = client();
    let field = json!({"entity_type": "contact", "name": "Industry", "type": "text"});
    make(&http, "/custom-fields", field).await;
    let new = json!({
        "first_name": "Ada", "last_name": "Byron",
        "custom_fields_by_name": {"Industry": "Tech"},
    });
    let made = make(&http, "/contacts", new).await;
    make(&http, "/contacts", json!({"first_name": "Bob"})).await;
    let one = format!("/contacts/{}", made["id"]);
    http.delete(&one).await.expect(200);
    let asked = [
        "/contacts?custom_fields_by_name[Industry]=Tech",
        "/contacts?searchTerm=byron",
        "/contacts?first_name=Ada",
    ];
    for query in asked {
        assert_eq!(http.get(query).await.expect(200)["total"], 0, "{query}");
    }
    assert_eq!(http.get("/contacts").await.expect(200)["total"], 1);
    let restored = restore(&http, "/contacts", &made["id"]).await;
    let tag = restored.header("etag").unwrap().to_owned();
    let restored = restored.expect(200);
    assert_eq!(restored["deleted_at"], Value::Null);
    assert_eq!(restored["created_at"], made["created_at"]);
    assert_eq!(
        restored["custom_fields_by_name"],
        json!({"Industry": "Tech"})
    );
    let read = http.get(&one).await;
    assert_eq!(read.header("etag"), Some(tag.as_str()));
    assert_eq!(read.json(), restored);
    for query in asked {
        assert_eq!(
            names(&http.get(query).await.expect(200)),
            ["Ada"],
            "{query}"
        );
    }
    assert_eq!(http.get("/contacts").await.expect(200)["total"], 2);
    let log = log(&http, "contacts", &made["id"]).await;
    assert_eq!(log[2]["action"], "restored");
    assert_eq!(log[2]["changes"]["deleted_at"]["after"], Value::Null);
    // Once more changes nothing.
    assert_eq!(
        restore(&http, "/contacts", &made["id"]).await.expect(200),
        restored
    );
    assert_eq!(http.get("/contacts").await.expect(200)["total"], 2);
    assert_eq!(
        http.get("/audit-log?action=restored").await.expect(200)["total"],
        1
    );
    let missing = restore(&http, "/contacts", &json!(999)).await.expect(404);
    assert_eq!(missing["message"], "No record found for id '999'");
    // Another organization's is none.
    let other = server.organization("Other");
    let other = server.http().with("x-api-key", &other.key);
    http.delete(&one).await.expect(200);
    assert_eq!(restore(&other, "/contacts", &made["id"]).await.status, 404);
    assert_eq!(http.get(&one).await.status, 404);
    // The same over gRPC.
    let mut client = ContactServiceClient::new(grpc::with_key(&server.url, &own.key).await);
    let id = made["id"].as_i64().unwrap();
    let back = client
        .restore_contact(crm::RestoreContactRequest { id })
        .await
        .unwrap();
    assert_eq!(back.into_inner().contact.unwrap().deleted_at, None);
    let status = client
        .restore_contact(crm::RestoreContactRequest { id: 999 })
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
}

#[tokio::test]
async fn what_stands_in_its_place_is_in_the_way() {
    let (_server, http, _own) = client();
    let first = make(&http, "/tags", json!({"name": "VIP"})).await;
    http.delete(&format!("/tags/{}", first["id"]))
        .await
        .expect(200);
    let second = make(&http, "/tags", json!({"name": "VIP"})).await;
    let refused = restore(&http, "/tags", &first["id"]).await.expect(409);
    assert_eq!(refused["className"], "conflict");
    assert_eq!(http.get("/tags").await.expect(200)["total"], 1);
    http.delete(&format!("/tags/{}", second["id"]))
        .await
        .expect(200);
    restore(&http, "/tags", &first["id"]).await.expect(200);
    assert_eq!(
        http.get("/tags").await.expect(200)["data"][0]["id"],
        first["id"]
    );
}
