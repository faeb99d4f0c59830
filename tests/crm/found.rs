//! What lists find: in any case of any script, of everything that is asked at once.

use serde_json::{Value, json};

use super::{client, contacts, make, names};
use crate::support::Http;

async fn total(http: &Http, path: &str) -> Value {
    http.get(path).await.expect(200)["total"].clone()
}

#[tokio::test]
async fn capitals_of_any_script() {
    let (_server, http, _own) = client();
    make(&http, "/companies", json!({"name": "Österreich GmbH"})).await;
    make(&http, "/tags", json!({"name": "ÜBER"})).await;
    make(&http, "/product-categories", json!({"name": "Öfen & Öle"})).await;
    make(
        &http,
        "/contacts",
        json!({"first_name": "Ann", "last_name": "Öl"}),
    )
    .await;
    let field = json!({"entity_type": "company", "name": "Ort", "type": "text"});
    make(&http, "/custom-fields", field).await;
    let firm = json!({"name": "ΑΒΓ", "custom_fields_by_name": {"Ort": "Ärmel"}});
    make(&http, "/companies", firm).await;
    for (path, expected) in [
        ("/companies?searchTerm=Österr", 1),
        ("/companies?searchTerm=österr", 1),
        ("/companies?searchTerm=ÖSTERREICH%20gmbh", 1),
        ("/companies?searchTerm=οsterr", 0),
        ("/companies?searchTerm=αβ", 1),
        ("/tags?searchTerm=über", 1),
        ("/tags?searchTerm=Ü", 1),
        ("/contacts?searchTerm=öl", 1),
        ("/contacts?searchTerm=Öl", 1),
        ("/contacts?searchTerm=ö", 1),
        ("/contacts?searchTerm=ol", 0),
        ("/contacts?last_name[$ilike]=öl", 1),
        ("/contacts?last_name[$like]=öl", 0),
        ("/companies?name[$ilike]=%25ÖSTER%25", 1),
        ("/companies?custom_fields_by_name[Ort][$ilike]=äR%25", 1),
        ("/product-categories?name=öf", 1),
        ("/product-categories?name=Öle", 1),
        ("/product-categories?name=äf", 0),
    ] {
        assert_eq!(total(&http, path).await, expected, "{path}");
    }
}

#[tokio::test]
async fn every_word_is_looked_for() {
    let (_server, http, _own) = client();
    make(&http, "/companies", json!({"name": "a b c d e f g h i j"})).await;
    let words =
        |last: &str| format!("/companies?searchTerm=a%20b%20c%20d%20e%20f%20g%20h%20{last}");
    assert_eq!(total(&http, &words("j")).await, 1);
    assert_eq!(total(&http, &words("z")).await, 0);
    let many = format!("/companies?searchTerm={}", "a%20".repeat(33));
    let said = http.get(&many).await.expect(400);
    assert_eq!(said["errors"][0]["path"], "searchTerm");
}

#[tokio::test]
async fn removed_tags_find_nobody() {
    let (_server, http, _own) = client();
    contacts(&http, &["Ann"]).await;
    let tag = make(&http, "/tags", json!({"name": "VIP"})).await["id"].clone();
    make(
        &http,
        "/contact-tags",
        json!({"contact_id": 1, "tag_id": tag}),
    )
    .await;
    let path = format!("/contacts?tag_id={tag}");
    assert_eq!(total(&http, &path).await, 1);
    http.delete(&format!("/tags/{tag}")).await.expect(200);
    assert_eq!(total(&http, &path).await, 0);
    let restore = http.with("x-service-method", "restore");
    restore.post("/tags", &json!({"id": tag})).await.expect(200);
    assert_eq!(total(&http, &path).await, 1);
}

#[tokio::test]
async fn conditions_are_as_deep_in_a_url_as_elsewhere() {
    let (_server, http, _own) = client();
    contacts(&http, &["Ann"]).await;
    let deep = |most: usize| {
        format!("/contacts?{}[first_name][$in][0]=Ann", {
            let rest = "[0][$or]".repeat(most - 1);
            format!("$or{rest}[0]")
        })
    };
    assert_eq!(names(&http.get(&deep(8)).await.expect(200)), ["Ann"]);
    http.get(&deep(9)).await.expect(400);
}

#[tokio::test]
async fn numbers_are_compared_with_numbers() {
    let (_server, http, _own) = client();
    let field = json!({"entity_type": "contact", "name": "Age", "type": "number"});
    make(&http, "/custom-fields", field).await;
    let ann = json!({"first_name": "Ann", "custom_fields_by_name": {"Age": 41}});
    make(&http, "/contacts", ann).await;
    for query in [
        "=abc",
        "[$lt]=abc",
        "[$in][]=NaN",
        "[$gt]=inf",
        "[$like]=4%25",
        "[$like]=41",
    ] {
        let path = format!("/contacts?custom_fields_by_name[Age]{query}");
        let said = http.get(&path).await.expect(400);
        let path = "custom_fields_by_name.Age";
        assert_eq!(said["errors"][0]["path"], path, "{query}");
    }
    assert_eq!(
        total(&http, "/contacts?custom_fields_by_name[Age]=41").await,
        1
    );
}

/// What a view asks holds beside what its caller asks.
#[tokio::test]
async fn views_hold_beside_the_rest() {
    let (_server, http, _own) = client();
    for (name, text) in [
        ("Alpha One", "hello"),
        ("Alpha Two", "hello"),
        ("Beta", "bye"),
    ] {
        let contact = make(&http, "/contacts", json!({"first_name": name})).await;
        let message = json!({"direction": "incoming", "contact_id": contact["id"],
            "message_text": text});
        make(&http, "/conversation-messages-webchat", message).await;
    }
    let answer = json!({"conversation_id": 1, "message_text": "Hi"});
    let sends = "/conversation-messages-transform-outgoing-webchat";
    make(&http, sends, answer).await;
    let view = async |filter: Value| {
        let view = json!({"name": "View", "filter": filter});
        make(&http, "/conversation-views", view).await["id"].clone()
    };
    let alpha = view(json!({"searchTerm": "alpha"})).await;
    let waits = view(json!({"waitingResponseOnly": true})).await;
    let hello = view(json!({"messageSearchTerm": "hello"})).await;
    for (query, expected) in [
        (format!("view_id={alpha}"), 2),
        (format!("view_id={alpha}&searchTerm=beta"), 0),
        (format!("view_id={alpha}&searchTerm=two"), 1),
        (format!("view_id={waits}"), 2),
        (format!("view_id={waits}&waitingResponseOnly=false"), 2),
        (format!("view_id={waits}&searchTerm=alpha"), 1),
        (format!("view_id={hello}&messageSearchTerm=hello"), 2),
    ] {
        let path = format!("/conversations?{query}");
        assert_eq!(total(&http, &path).await, expected, "{query}");
    }
    let path = format!("/conversations?view_id={hello}&messageSearchTerm=bye");
    let said = http.get(&path).await.expect(400);
    assert_eq!(said["errors"][0]["path"], "messageSearchTerm");
}
