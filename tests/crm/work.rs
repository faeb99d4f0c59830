//! Activities with their types, and notes.

use serde_json::json;

use super::{client, make, names};

#[tokio::test]
async fn activities() {
    let (_server, http, _own) = client();
    let contact = make(
        &http,
        "/contacts",
        json!({"first_name": "Jane", "last_name": "Doe"}),
    )
    .await;
    let company = make(&http, "/companies", json!({"name": "Acme"})).await;
    let user = &contact["created_by_user_id"];
    let body = json!({
        "subject": "Call Jane", "activity_type": "Call", "start_date": "2024-01-31",
        "start_time": "14:30:00", "end_date": "2024-01-31", "end_time": "15:00:00",
        "contact_id": contact["id"], "company_id": company["id"], "assigned_to_user_id": user,
        "location_geocoded": {"lat": 52.5, "lng": 13.4, "address": "Berlin"},
    });
    let made = make(&http, "/activities", body).await;
    assert_eq!(made["duration"], 30);
    assert_eq!(
        [&made["activity_type"], &made["start_time"]],
        ["call", "14:30:00"]
    );
    assert_eq!(made["done"], false);
    assert_eq!(
        made["location_geocoded"],
        json!({"lat": 52.5, "lng": 13.4, "address": "Berlin"})
    );
    assert_eq!(
        made["contact"],
        json!({"id": contact["id"], "full_name": "Jane Doe"})
    );
    assert_eq!(
        made["company"],
        json!({"id": company["id"], "name": "Acme"})
    );
    assert_eq!(made["assigned_to_user"]["id"], *user);
    assert_eq!(made["deal"], json!(null));
    let path = format!("/activities/{}", made["id"]);
    let longer = http
        .patch(&path, &json!({"end_time": "15:45:00"}))
        .await
        .expect(200);
    assert_eq!(longer["duration"], 75);
    let said = http
        .patch(&path, &json!({"end_time": "16:00:00", "duration": 5}))
        .await;
    assert_eq!(said.expect(200)["duration"], 5);
    assert_eq!(
        http.patch(&path, &json!({"done": true})).await.expect(200)["done"],
        true
    );
    let past = http
        .patch(&path, &json!({"end_time": "10:00:00"}))
        .await
        .expect(400);
    assert_eq!(past["message"], "The end is before the beginning");
    make(
        &http,
        "/activities",
        json!({"subject": "Early", "start_date": "2024-01-30"}),
    )
    .await;
    let sorted = http
        .get("/activities?$sort[start_date]=1&$sort[start_time]=1")
        .await
        .json();
    assert_eq!(sorted["data"][0]["subject"], "Early");
    for (query, total) in [
        ("done=true", 1),
        ("done=false", 1),
        ("start_date[$gt]=2024-01-30", 1),
    ] {
        let page = http.get(&format!("/activities?{query}")).await.expect(200);
        assert_eq!(page["total"], total, "{query}");
    }
    let query = format!("/activities?assigned_to_user_id={user}&$select[]=subject");
    let only = http.get(&query).await.json();
    assert_eq!(
        only["data"],
        json!([{"id": made["id"], "subject": "Call Jane"}])
    );
}

#[tokio::test]
async fn types_and_notes() {
    let (_server, http, _own) = client();
    let kind = json!({"name": "Call", "color": "#10B981", "icon_key": "phone"});
    let made = make(&http, "/activity-types", kind).await;
    assert_eq!([&made["color"], &made["icon_key"]], ["#10B981", "phone"]);
    super::contacts(&http, &["Ann"]).await;
    let page = http.get("/contacts").await.json();
    assert_eq!(names(&page), ["Ann"]);
    let id = &page["data"][0]["id"];
    let note = make(
        &http,
        "/notes",
        json!({"content": "Likes tea", "contact_id": id}),
    )
    .await;
    assert_eq!(note["deal_id"], json!(null));
    let found = http.get(&format!("/notes?contact_id={id}")).await.json();
    assert_eq!(found["data"][0]["content"], "Likes tea");
    let empty = http
        .post("/notes", &json!({"content": " "}))
        .await
        .expect(400);
    assert_eq!(empty["message"], "content is required");
    let long = json!({"content": "x".repeat(65_537)});
    http.post("/notes", &long).await.expect(400);
}
