//! Every example of the documentation, as it stands there.

use serde_json::json;

use super::{client, make};

/// The documented curl commands, on the first organization of a deployment.
#[tokio::test]
async fn list_and_create_contacts() {
    let (_server, http, own) = client();
    assert_eq!(own.id, 101, "organizations count from 101");
    let http = http.with("content-type", "application/json");
    let empty = http.get("/contacts").await;
    assert_eq!(empty.status, 200);
    assert_eq!(empty.text, r#"{"total":0,"limit":10,"skip":0,"data":[]}"#);
    let kind = Some("application/json; charset=utf-8");
    assert_eq!(empty.header("content-type"), kind);
    let body = json!({
        "first_name": "Jane",
        "last_name": "Doe",
        "email": "jane@example.com",
        "organization_id": 101,
    });
    let made = http.post("/contacts", &body).await;
    let contact = made.expect(201);
    let (id, at, user) = (
        &contact["id"],
        contact["created_at"].as_str().unwrap(),
        &contact["created_by_user_id"],
    );
    assert_eq!(at.len(), "2025-03-15T10:45:20.391Z".len(), "{at}");
    assert!(user.is_i64());
    let shown = format!(
        r#"{{"id":{id},"first_name":"Jane","last_name":"Doe","email":"jane@example.com","phone":null,"phone_country_code":null,"phone_country_iso":null,"organization_id":101,"created_at":"{at}","updated_at":"{at}","deleted_at":null,"created_by_user_id":{user},"owned_by_user_id":null,"company_id":null,"channel_whatsapp_wa_id":null,"channel_instagram_user_id":null,"system_type":"contact","avatar_url":null,"custom_fields_by_name":{{}}}}"#
    );
    assert_eq!(made.text, shown);
    let listed = http.get("/contacts").await.text;
    let page = format!(r#"{{"total":1,"limit":10,"skip":0,"data":[{shown}]}}"#);
    assert_eq!(listed, page);
    let path = format!("/contacts/{id}");
    assert_eq!(http.get(&path).await.text, shown);
    let changed = http
        .patch(&path, &json!({"phone": "1234567890"}))
        .await
        .expect(200);
    assert_eq!(changed["phone"], "1234567890");
    assert_eq!(changed["first_name"], "Jane");
    let gone = http.delete(&path).await.expect(200);
    assert_eq!(gone["id"], *id);
    assert!(gone["deleted_at"].is_string());
    assert_eq!(http.get(&path).await.status, 404);
    assert_eq!(http.get("/contacts").await.json()["total"], 0);
}

/// What is joined to a contact, where that is asked for.
#[tokio::test]
async fn contacts_with_owner_and_company() {
    let (_server, http, _own) = client();
    let company = make(&http, "/companies", json!({"name": "X", "size": "Medium"})).await;
    assert_eq!(company["custom_fields_by_name"], json!({}));
    let user = &company["created_by_user_id"];
    let body = json!({"first_name": "Ada", "company_id": company["id"], "owned_by_user_id": user});
    make(&http, "/contacts", body).await;
    let plain = http.get("/contacts").await.json();
    assert!(plain["data"][0].get("company").is_none());
    let path = "/contacts?$limit=25&fastJoinForContactList=true";
    let joined = http.get(path).await.json();
    let contact = &joined["data"][0];
    assert_eq!(
        contact["company"],
        json!({"id": company["id"], "name": "X"})
    );
    assert_eq!(contact["owner"]["id"], *user);
    assert!(contact["owner"].get("first_name").is_some());
    let path = "/companies?fastJoinForCompanyList=true";
    let joined = http.get(path).await.json();
    assert_eq!(joined["data"][0]["creator"]["id"], *user);
    assert!(joined["data"][0].get("owner").is_none());
}

#[tokio::test]
async fn organizations_and_their_users() {
    let (server, http, own) = client();
    server.organization("Other");
    let page = http.get("/organizations").await.json();
    assert_eq!(page["total"], 1);
    let shown = &page["data"][0];
    assert_eq!(shown["id"], own.id);
    assert_eq!(shown["name"], "Acme");
    assert_eq!(shown["subscription_status"], "active");
    let members = [
        "id",
        "name",
        "subscription_status",
        "created_at",
        "updated_at",
    ];
    let names: Vec<_> = shown.as_object().unwrap().keys().collect();
    assert_eq!(names, members);
    let path = format!("/organizations/{}", own.id);
    assert_eq!(http.get(&path).await.expect(200), *shown);
    assert_eq!(
        http.get("/organizations?searchTerm=acm").await.json()["total"],
        1
    );
    assert_eq!(
        http.get("/organizations?searchTerm=other").await.json()["total"],
        0
    );
    assert_eq!(http.get("/organizations/102").await.status, 404);
    let users = http.get("/organization-users").await.json();
    assert_eq!(users["total"], 1);
    assert_eq!(users["data"][0]["role"], "owner");
    assert_eq!(users["data"][0]["user"]["email"], json!(own.email));
    let answer = http.post("/organizations", &json!({})).await;
    let words = "Method `create` is not supported by this endpoint.";
    assert_eq!(answer.expect(405)["message"], words);
}

/// The body the older pages send with a GET.
#[tokio::test]
async fn a_query_in_the_body_of_a_get() {
    let (_server, http, _own) = client();
    super::contacts(&http, &["Ann", "Bob", "Cyd"]).await;
    let http = http.with("content-type", "application/json");
    let ask = async |path: &str, body: &str| {
        let body = Some(body.as_bytes().to_vec());
        http.send(reqwest::Method::GET, path, body).await
    };
    let body = r#"{"query": {"organization_id": 101, "$limit": 2, "$sort": {"id": -1}}}"#;
    let page = ask("/contacts", body).await.expect(200);
    assert_eq!(page["limit"], 2);
    assert_eq!(super::names(&page), ["Cyd", "Bob"]);
    // What the URL says wins.
    let page = ask("/contacts?$limit=1", body).await.expect(200);
    assert_eq!(super::names(&page), ["Cyd"]);
    let refused = ask("/contacts", r#"{"nope": 1}"#).await.expect(400);
    assert_eq!(refused["message"], "nope is not known");
}
