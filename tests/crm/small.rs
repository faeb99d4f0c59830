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

/// Whoever lost a body, or writes a parameter there is none of, is told.
#[tokio::test]
async fn nothing_is_made_of_nothing() {
    let (_server, http, _own) = client();
    let http = http.with("content-type", "application/json");
    for path in ["/contacts", "/deals", "/notes"] {
        for body in [None, Some(Vec::new()), Some(b" ".to_vec())] {
            let answer = http.send(reqwest::Method::POST, path, body).await;
            assert_eq!(answer.expect(400)["className"], "bad-request");
        }
    }
    let ann = json!({"first_name": "Ann"});
    for (path, new) in [("/contacts", &ann), ("/tags", &json!({"name": "VIP"}))] {
        for query in ["$duplicate=refuse", "$foo=1", "$limit=5", "foo=1"] {
            let answer = http.post(&format!("{path}?{query}"), new).await;
            let name = query.split('=').next().unwrap();
            assert_eq!(answer.expect(400)["errors"][0]["path"], name, "{path}");
        }
    }
    assert_eq!(http.get("/contacts").await.json()["total"], 0);
    // Clients may say what is to be shown of what they make.
    let made = http.post("/contacts?$select[]=first_name", &ann).await;
    assert_eq!(made.expect(201)["first_name"], "Ann");
    let restore = http.with("x-service-method", "restore");
    let said = restore.post("/contacts", &json!({})).await.expect(400);
    assert_eq!(said["message"], "id is required");
}

#[tokio::test]
async fn what_does_not_go_together() {
    let (_server, http, _own) = client();
    let last = json!({"pipeline_id": 1, "name": "x", "position": i64::MAX});
    make(&http, "/pipelines", json!({"name": "Sales"})).await;
    make(&http, "/pipeline-stages", last).await;
    let next = json!({"pipeline_id": 1, "name": "y"});
    make(&http, "/pipeline-stages", next).await;
    make(&http, "/products", json!({"name": "Box"})).await;
    let own = http.patch("/products/1", &json!({"parent_id": 1})).await;
    assert_eq!(own.expect(400)["errors"][0]["path"], "parent_id");
    let days = json!({"subject": "x", "start_date": "2026-01-02", "end_date": "2026-01-01"});
    let said = http.post("/activities", &days).await.expect(400);
    assert_eq!(said["errors"][0]["path"], "end_date");
    for options in [json!(["a", "a"]), json!(["a", ""]), json!(["a", " a"])] {
        let field = json!({"entity_type": "deal", "name": "x", "type": "select",
            "options": options});
        let said = http.post("/custom-fields", &field).await.expect(400);
        assert_eq!(said["errors"][0]["path"], "options");
    }
}

#[tokio::test]
async fn custom_fields_have_bounds() {
    let (_server, http, _own) = client();
    let field = |name: usize| {
        let name = format!("f{name}");
        json!({"entity_type": "contact", "name": name, "type": "text"})
    };
    for begin in (0..500).step_by(100) {
        let some: Vec<_> = (begin..begin + 100).map(field).collect();
        make(&http, "/custom-fields", json!(some)).await;
    }
    http.post("/custom-fields", &field(500)).await.expect(400);
    let value = |letters: usize| {
        let letters: String = (0..letters)
            .map(|at| char::from(b'a' + (at * at % 23) as u8))
            .collect();
        json!({"first_name": "Ann", "custom_fields_by_name": {"f1": letters}})
    };
    let made = make(&http, "/contacts", value(2048)).await;
    let said = http.post("/contacts", &value(2049)).await.expect(400);
    assert_eq!(said["errors"][0]["path"], "custom_fields_by_name.f1");
    let one = format!("/contacts/{}", made["id"]);
    let change = json!({"custom_fields_by_name": {"f1": "x", "f499": "y"}});
    http.patch(&one, &change).await.expect(200);
}

/// What is wrong is called as in the body, however it is written.
#[tokio::test]
async fn members_are_called_alike() {
    let (_server, http, _own) = client();
    contacts(&http, &["Ann"]).await;
    for (member, value) in [
        ("first_name", "x".repeat(300)),
        ("email", "x".to_owned()),
        ("nope", "x".to_owned()),
    ] {
        let body = json!({"first_name": "Ann", member: value});
        for answer in [
            http.post("/contacts", &body).await,
            http.patch("/contacts/1", &body).await,
            super::put(&http, "/contacts/1", &body).await,
        ] {
            assert_eq!(answer.expect(400)["errors"][0]["path"], member);
        }
    }
}
