//! What others have is found by no question, and what the server sets stays as it is,
//! whatever is sent and wherever it stands.

use apex::api::apex::crm::v1 as crm;
use crm::contact_service_client::ContactServiceClient;
use prost_types::FieldMask;
use serde_json::{Value, json};
use tonic::Code;

use super::{client, make, put, with};
use crate::support::records::{BODIES, body, make as record};
use crate::support::{Http, grpc};

/// Resources whose records anybody makes by one request.
fn resources() -> impl Iterator<Item = &'static str> {
    let paths = BODIES.iter().map(|(path, _)| *path);
    // Keys are made by people, and lists of messages are of a conversation.
    paths.filter(|path| *path != "/api-keys" && !path.contains("messages-"))
}

async fn found(http: &Http, path: &str) -> Value {
    http.get(path).await.expect(200)["total"].clone()
}

#[tokio::test]
async fn no_question_finds_what_others_have() {
    let (server, http, own) = with(&[("APEX_LIMITS_CRM_LIMIT", "1000000")]);
    let other = server.organization("Other");
    let others = server.http().with("x-api-key", &other.key);
    for path in resources() {
        let id = record(&others, path).await["id"].clone();
        assert_eq!(found(&others, &format!("{path}?id={id}")).await, 1);
        for query in [
            format!("id={id}"),
            format!("id[$in][]={id}"),
            format!("$or[0][id]={id}&$or[1][id][$lt]=0"),
            format!("organization_id={}", other.id),
            format!("organization_id[$ne]={}", own.id),
            format!("$or[0][organization_id]={}&$or[1][id]={id}", other.id),
        ] {
            let path = format!("{path}?{query}");
            assert_eq!(found(&http, &path).await, 0, "{path}");
        }
        // Nobody goes on after another's record.
        let after = http.get(&format!("{path}?$after={id}")).await;
        let words = format!("No record found for id '{id}'");
        assert_eq!(after.expect(404)["message"], words, "{path}");
    }
    let talk = record(&others, "/conversation-messages-whatsapp").await;
    let messages = "/conversation-messages-whatsapp?conversation_id";
    let talk = &talk["conversation_id"];
    assert_eq!(found(&others, &format!("{messages}={talk}")).await, 1);
    assert_eq!(found(&http, &format!("{messages}={talk}")).await, 0);
    for path in ["/audit-log", "/webhook-deliveries", "/imports"] {
        let path = format!("{path}?organization_id={}", other.id);
        assert_eq!(found(&http, &path).await, 0, "{path}");
    }
}

#[tokio::test]
async fn what_others_have_narrows_nothing_down() {
    let (server, http, _) = client();
    let other = server.organization("Other");
    let others = server.http().with("x-api-key", &other.key);
    let link = record(&others, "/contact-tags").await;
    let view = record(&others, "/conversation-views").await;
    let field = json!({"entity_type": "contact", "name": "Shoe", "type": "text"});
    make(&others, "/custom-fields", field).await;
    let ada = json!({"first_name": "Ada", "custom_fields_by_name": {"Shoe": "7"}});
    make(&others, "/contacts", ada).await;
    make(&http, "/contacts", json!({"first_name": "Ada"})).await;
    for path in ["/contacts", "/conversations"] {
        let path = format!("{path}?tag_id={}", link["tag_id"]);
        assert_eq!(found(&http, &path).await, 0, "{path}");
    }
    let viewed = http
        .get(&format!("/conversations?view_id={}", view["id"]))
        .await;
    viewed.expect(404);
    // A field of another's is none, to ask for and to sort by.
    for (name, query) in [
        ("Shoe", "custom_fields_by_name[Shoe]=7"),
        ("Boot", "custom_fields_by_name[Boot]=7"),
        ("Shoe", "$sort[custom_fields_by_name][Shoe]=1"),
        ("Boot", "$sort[custom_fields_by_name][Boot]=1"),
    ] {
        let said = http.get(&format!("/contacts?{query}")).await.expect(400);
        let words = said["message"].as_str().unwrap().replace(name, "…");
        assert!(!words.contains("7") && words.contains('…'), "{said}");
    }
    for query in ["searchTerm=ada", "first_name=Ada", "$sort[first_name]=1"] {
        let path = format!("/contacts?{query}");
        assert_eq!(found(&http, &path).await, 1, "{path}");
    }
    let same = http.get("/contact-duplicates?first_name=Ada").await;
    assert_eq!(same.expect(200)["total"], 1);
}

/// What an attacker would set.
fn wishes(other: i64) -> Vec<(&'static str, Value)> {
    let then = json!("2001-01-01T00:00:00.000Z");
    vec![
        ("id", json!(987_654)),
        ("organization_id", json!(other)),
        ("created_by_user_id", json!(987_654)),
        ("user_id", json!(987_654)),
        ("created_at", then.clone()),
        ("updated_at", then.clone()),
        ("deleted_at", then.clone()),
        ("merged_into_id", json!(1)),
        ("system_type", json!("robot")),
        ("reference_number", json!("TK-1")),
        ("last_message_at", then),
        ("total", json!("0.01")),
        ("role", json!("owner")),
        ("update_mask", json!("created_by_user_id")),
        ("updateMask", json!("created_by_user_id")),
    ]
}

#[tokio::test]
async fn what_the_server_sets_stays() {
    let (server, http, _) = with(&[("APEX_LIMITS_CRM_LIMIT", "1000000")]);
    let other = server.organization("Other");
    for path in resources().filter(|path| *path != "/contact-tags") {
        let made = record(&http, path).await;
        let one = format!("{path}/{}", made["id"]);
        let before = http.get(&one).await.expect(200);
        for (name, wish) in wishes(other.id) {
            // A grant is of a role, which is its own to say.
            if (path, name) == ("/role-grants", "role") {
                continue;
            }
            let text = wish.to_string().replace('"', "");
            let body = json!({ name: wish });
            let asked = format!("{one}?{name}={text}");
            let mut whole = before.clone();
            whole[name] = wish.clone();
            for answer in [
                http.patch(&one, &body).await,
                put(&http, &one, &whole).await,
                http.patch(&asked, &json!({})).await,
                http.patch(&asked, &body).await,
            ] {
                let known = [200, 400, 403, 404, 405].contains(&answer.status);
                assert!(known, "{path} {name}: {}", answer.text);
            }
            let mut after = http.get(&one).await.expect(200);
            // What is put writes again, and says when.
            after["updated_at"] = before["updated_at"].clone();
            assert_eq!(after, before, "{path} {name}");
        }
    }
}

#[tokio::test]
async fn what_the_server_sets_is_not_made_either() {
    let (server, http, own) = with(&[("APEX_LIMITS_CRM_LIMIT", "1000000")]);
    let other = server.organization("Other");
    for path in resources() {
        for (name, wish) in wishes(other.id) {
            if path == "/role-grants" {
                break;
            }
            let mut new = body(&http, path).await;
            new[name] = wish.clone();
            let answer = http.post(path, &new).await;
            match answer.status {
                201 => {
                    let made = answer.json();
                    assert_ne!(made[name], wish, "{path} {name}");
                    assert_eq!(made["organization_id"], own.id, "{path} {name}");
                }
                status => assert!([400, 403].contains(&status), "{path} {name}: {status}"),
            }
        }
    }
    assert_eq!(
        server
            .http()
            .with("x-api-key", &other.key)
            .get("/contacts")
            .await
            .json()["total"],
        0
    );
}

/// A mask reaches nothing else over gRPC.
#[tokio::test]
async fn a_mask_names_what_is_the_caller_s() {
    let (server, http, own) = client();
    let made = make(&http, "/contacts", json!({"first_name": "Ada"})).await;
    let one = format!("/contacts/{}", made["id"]);
    let mut client = ContactServiceClient::new(grpc::with_key(&server.url, &own.key).await);
    for (path, code) in [
        ("id", None),
        ("created_at", None),
        ("updated_at", None),
        ("deleted_at", None),
        ("organization_id", Some(Code::PermissionDenied)),
        ("created_by_user_id", Some(Code::InvalidArgument)),
        ("merged_into_id", Some(Code::InvalidArgument)),
        ("system_type", Some(Code::InvalidArgument)),
        ("owner", Some(Code::InvalidArgument)),
        ("owner.name", Some(Code::InvalidArgument)),
        ("shown", Some(Code::InvalidArgument)),
        ("*", Some(Code::InvalidArgument)),
        ("", Some(Code::InvalidArgument)),
        ("nope", Some(Code::InvalidArgument)),
    ] {
        let wish = prost_types::Timestamp {
            seconds: 1,
            nanos: 0,
        };
        let contact = crm::Contact {
            id: 987_654,
            organization_id: Some(987_654),
            created_by_user_id: Some(987_654),
            merged_into_id: Some(1),
            system_type: Some("robot".to_owned()),
            created_at: Some(wish),
            updated_at: Some(wish),
            deleted_at: Some(wish),
            ..Default::default()
        };
        let request = crm::UpdateContactRequest {
            id: made["id"].as_i64().unwrap(),
            contact: Some(contact),
            update_mask: Some(FieldMask {
                paths: vec![path.to_owned()],
            }),
            ..Default::default()
        };
        let answer = client.update_contact(request).await;
        assert_eq!(answer.err().map(|status| status.code()), code, "{path}");
        assert_eq!(http.get(&one).await.expect(200), made, "{path}");
    }
}
