//! What FeathersJS' clients and organizations that begin find as the documentation says.

use serde_json::{Value, json};

use super::{client, contacts, make, names};

#[tokio::test]
async fn an_id_of_something_new_is_passed_over() {
    let (_server, http, _own) = client();
    let made = http
        .post("/contacts/5", &json!({"first_name": "Ada"}))
        .await;
    let made = made.expect(201);
    assert_ne!(made["id"], 5);
    let made = http
        .post("/contacts/5/", &json!({"first_name": "Bob"}))
        .await;
    made.expect(201);
    let page = http.get("/contacts").await.expect(200);
    assert_eq!(names(&page), ["Ada", "Bob"]);
    // Where nothing is made there is nothing to pass over.
    let refused = http.post("/organizations/5", &json!({})).await.expect(405);
    assert_eq!(
        refused["message"],
        "Method `create` is not supported by this endpoint."
    );
}

#[tokio::test]
async fn an_organization_begins_with_kinds_of_activities() {
    let (server, http, _own) = client();
    let page = http.get("/activity-types").await.expect(200);
    assert_eq!(page["total"], 5);
    let kinds: Vec<[&Value; 3]> = page["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|kind| [&kind["name"], &kind["color"], &kind["icon_key"]])
        .collect();
    assert_eq!(kinds[0], ["Call", "#10B981", "phone"]);
    assert_eq!(kinds[1], ["Email", "#3B82F6", "mail"]);
    assert_eq!(kinds[2], ["Meeting", "#F59E0B", "users"]);
    // Nobody made them.
    let log = http.get("/audit-log?entity=activity-types").await;
    for entry in log.json()["data"].as_array().unwrap() {
        assert_eq!([&entry["user_id"], &entry["api_key_id"]], [&Value::Null; 2]);
    }
    // They are its own: what is removed stays so.
    for kind in page["data"].as_array().unwrap() {
        let path = format!("/activity-types/{}", kind["id"]);
        http.delete(&path).await.expect(200);
    }
    assert_eq!(http.get("/activity-types").await.expect(200)["total"], 0);
    let other = server.organization("Other");
    let others = server.http().with("x-api-key", &other.key);
    // Whoever asks at the same time finds the same five.
    let asked = (0..8).map(|_| others.get("/activity-types"));
    for page in futures_util::future::join_all(asked).await {
        assert_eq!(page.expect(200)["total"], 5);
    }
}

#[tokio::test]
async fn the_shortest_words_find_what_begins_with_them() {
    let (_server, http, _own) = client();
    contacts(&http, &["Lina", "Alina", "Ök"]).await;
    make(
        &http,
        "/contacts",
        json!({"first_name": "Wei", "last_name": "Li"}),
    )
    .await;
    make(
        &http,
        "/contacts",
        json!({"first_name": "Bob", "email": "liz@example.com", "phone": "12345"}),
    )
    .await;
    for (term, found) in [
        ("li", vec!["Lina", "Wei", "Bob"]),
        ("LI", vec!["Lina", "Wei", "Bob"]),
        ("ök", vec!["Ök"]),
        ("12", vec!["Bob"]),
        ("%25", vec![]),
        ("wei li", vec!["Wei"]),
        ("lina li", vec!["Lina", "Alina"]),
    ] {
        let page = http.get(&format!("/contacts?searchTerm={term}")).await;
        let page = page.expect(200);
        assert_eq!(names(&page), found, "{term}");
        assert_eq!(page["total"], found.len(), "{term}");
    }
}

#[tokio::test]
async fn the_document_tells_what_is_always_there_and_who_writes_it() {
    let (server, _http, _own) = client();
    let document = server.http().get("/openapi.json").await.expect(200);
    let schemas = &document["components"]["schemas"];
    let answer = schemas["apex.crm.v1.Company.Output"]
        .as_object()
        .or(schemas["apex.crm.v1.Company"].as_object())
        .expect("a company");
    assert_eq!(answer["properties"]["name"]["type"], "string");
    assert_eq!(
        answer["properties"]["website"]["type"],
        json!(["string", "null"])
    );
    for name in ["id", "created_at", "owner", "creator"] {
        assert_eq!(answer["properties"][name]["readOnly"], true, "{name}");
    }
}
