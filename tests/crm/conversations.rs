//! Conversations: what their list is asked, how they change, one or many at once.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{client, make};
use crate::support::Http;

/// A contact with a name, and what it wrote over a channel; answers the conversation.
async fn talk(http: &Http, name: &str, channel: &str, text: &str) -> Value {
    let contact = make(http, "/contacts", json!({"first_name": name})).await;
    let body = json!({"direction": "incoming", "contact_id": contact["id"], "message_text": text});
    let message = make(http, &format!("/conversation-messages-{channel}"), body).await;
    let path = format!("/conversations/{}", message["conversation_id"]);
    http.get(&path).await.expect(200)
}

/// The names of the contacts of a page.
async fn found(http: &Http, query: &str) -> Vec<String> {
    let page = http
        .get(&format!("/conversations?{query}"))
        .await
        .expect(200);
    let data = page["data"].as_array().unwrap();
    assert_eq!(page["total"], data.len(), "{query}");
    let name = |one: &Value| one["contact"]["first_name"].as_str().unwrap().to_owned();
    data.iter().map(name).collect()
}

#[tokio::test]
async fn lists_find_what_is_asked() {
    let (_server, http, own) = client();
    let ann = talk(&http, "Ann", "whatsapp", "Where is my order?").await;
    let bob = talk(&http, "Bob", "instagram", "Thank you, Zoë").await;
    talk(&http, "Cyd", "playground", "Testing the order").await;
    for (name, value) in [
        ("status", json!("open")),
        ("channel", json!("whatsapp")),
        ("unread_count", json!(1)),
        ("waiting_response", json!(true)),
        ("blocked", json!(false)),
        ("ai_auto_assignment_disabled", json!(false)),
        ("assigned_user_id", Value::Null),
        ("pipeline_id", Value::Null),
        ("organization_id", json!(own.id)),
    ] {
        assert_eq!(ann[name], value, "{name}");
    }
    assert_eq!(ann["contact"]["first_name"], "Ann");
    assert_eq!(ann["contact"]["id"], ann["contact_id"]);
    let path = |id: &Value| format!("/conversations/{id}");
    let user = http.get("/organization-users").await.json()["data"][0]["user_id"].clone();
    let body =
        json!({"assigned_user_id": user, "unread_count": 0, "assigned_ai_assistant_id": "bot"});
    let read = http.patch(&path(&ann["id"]), &body).await.expect(200);
    assert_eq!(read["assigned_ai_assistant_id"], "bot");
    http.patch(&path(&bob["id"]), &json!({"status": "closed"}))
        .await
        .expect(200);
    let tag = make(&http, "/tags", json!({"name": "VIP"})).await;
    let tagged = json!({"contact_id": bob["contact_id"], "tag_id": tag["id"]});
    make(&http, "/contact-tags", tagged).await;
    let view = json!({"name": "Mine", "filter": {"assigned_user_id": user, "status": "open"}});
    let view = make(&http, "/conversation-views", view).await;
    let all = ["Ann", "Bob", "Cyd"].as_slice();
    for (query, names) in [
        (String::new(), all),
        (format!("organization_id={}", own.id), all),
        ("organization_id=999999".to_owned(), &[]),
        ("status=open".to_owned(), &["Ann", "Cyd"]),
        ("status=closed".to_owned(), &["Bob"]),
        ("channel[$ne]=playground".to_owned(), &["Ann", "Bob"]),
        ("unread_count[$gt]=0".to_owned(), &["Bob", "Cyd"]),
        ("assigned_user_id=".to_owned(), &["Bob", "Cyd"]),
        (format!("assigned_user_id={user}"), &["Ann"]),
        ("assigned_ai_assistant_id=bot".to_owned(), &["Ann"]),
        ("waitingResponseOnly=true".to_owned(), &["Ann", "Cyd"]),
        ("waitingResponseOnly=false".to_owned(), all),
        ("searchTerm=ann".to_owned(), &["Ann"]),
        ("searchTerm=an".to_owned(), &["Ann"]),
        ("messageSearchTerm=ORDER".to_owned(), &["Ann", "Cyd"]),
        ("messageSearchTerm=zo%C3%AB".to_owned(), &["Bob"]),
        ("messageSearchTerm=%25%25%25".to_owned(), &[]),
        (
            "messageSearchTerm=order&searchTerm=cyd".to_owned(),
            &["Cyd"],
        ),
        (format!("tag_id={}", tag["id"]), &["Bob"]),
        (format!("view_id={}", view["id"]), &["Ann"]),
        (format!("view_id={}&channel=sms", view["id"]), &[]),
        ("created_at[$gte]=2020-01-01T00:00:00.000Z".to_owned(), all),
        ("created_at[$lte]=2020-01-01T00:00:00.000Z".to_owned(), &[]),
        (
            "$sort[last_interaction_at]=-1".to_owned(),
            &["Cyd", "Bob", "Ann"],
        ),
        (
            "$sort[created_at]=-1&status=open".to_owned(),
            &["Cyd", "Ann"],
        ),
    ] {
        assert_eq!(found(&http, &query).await, names, "{query}");
    }
    let only = http
        .get("/conversations?$select[]=id&$limit=1")
        .await
        .json();
    assert_eq!(only["data"], json!([{"id": ann["id"]}]));
    let short = http
        .get("/conversations?messageSearchTerm=or")
        .await
        .expect(400);
    assert_eq!(
        short["message"],
        "messageSearchTerm must have at least 3 letters"
    );
    let missing = http.get("/conversations?view_id=999").await.expect(404);
    assert_eq!(missing["message"], "No record found for id '999'");
    for filter in [
        json!({"view_id": 1}),
        json!({"$limit": 5}),
        json!({"nonsense": 1}),
        json!({"status": {"$where": 1}}),
        json!({"$sort": {"nonsense": 1}}),
    ] {
        let body = json!({"name": "Bad", "filter": filter});
        http.post("/conversation-views", &body).await.expect(400);
    }
    http.get("/contacts?waitingResponseOnly=true")
        .await
        .expect(400);
}

#[tokio::test]
async fn pipelines_of_conversations() {
    let (_server, http, _own) = client();
    let conversation = talk(&http, "Ann", "sms", "Hello").await;
    let path = format!("/conversations/{}", conversation["id"]);
    let own = make(
        &http,
        "/pipelines",
        json!({"name": "Care", "type": "conversation"}),
    )
    .await;
    let deals = make(&http, "/pipelines", json!({"name": "Sales"})).await;
    let stages = http
        .get(&format!("/pipeline-stages?pipeline_id={}", own["id"]))
        .await
        .json();
    let stage = |at: usize| stages["data"][at]["id"].clone();
    let both = |answer: &Value| {
        (
            answer["pipeline_id"].clone(),
            answer["pipeline_stage_id"].clone(),
        )
    };
    let moved = http
        .patch(&path, &json!({"pipeline_stage_id": stage(1)}))
        .await
        .expect(200);
    assert_eq!(both(&moved), (own["id"].clone(), stage(1)));
    let cleared = http
        .patch(&path, &json!({"pipeline_stage_id": null}))
        .await
        .expect(200);
    assert_eq!(both(&cleared), (Value::Null, Value::Null));
    let begun = http
        .patch(&path, &json!({"pipeline_id": own["id"]}))
        .await
        .expect(200);
    assert_eq!(both(&begun), (own["id"].clone(), stage(0)));
    let wrong = http
        .patch(&path, &json!({"pipeline_id": deals["id"]}))
        .await
        .expect(400);
    assert_eq!(
        wrong["message"],
        "pipeline_id is no pipeline of conversations"
    );
    let gone = http
        .patch(&path, &json!({"pipeline_id": null}))
        .await
        .expect(200);
    assert_eq!(both(&gone), (Value::Null, Value::Null));
    for body in [
        json!({"last_interaction_at": "2020-01-01T00:00:00.000Z"}),
        json!({"contact_id": 999}),
        json!({"channel": "whatsapp"}),
        json!({"unread_count": -1}),
        json!({"status": "won"}),
        json!({"contact": {"id": 1}}),
    ] {
        http.patch(&path, &body).await.expect(400);
    }
    let cut = json!({"ai_context_cut": "2024-01-31T12:00:00.000Z", "blocked": true,
        "ai_auto_assignment_disabled": true, "ai_auto_assignment_disabled_reason": "asked"});
    let cut = http.patch(&path, &cut).await.expect(200);
    assert_eq!(cut["ai_context_cut"], "2024-01-31T12:00:00.000Z");
    assert_eq!(
        [&cut["blocked"], &cut["ai_auto_assignment_disabled"]],
        [true, true]
    );
}

/// Of all who begin a conversation at once, one does; the others are told or join it.
#[tokio::test]
async fn one_is_open() {
    let (_server, http, _own) = client();
    let contact = make(&http, "/contacts", json!({"first_name": "Ann"})).await;
    let id = &contact["id"];
    let body = json!({"contact_id": id, "channel": "whatsapp"});
    let made = join_all((0..20).map(|_| http.post("/conversations", &body))).await;
    let made: Vec<u16> = made.iter().map(|answer| answer.status).collect();
    assert_eq!(
        made.iter().filter(|status| **status == 201).count(),
        1,
        "{made:?}"
    );
    assert_eq!(
        made.iter().filter(|status| **status == 409).count(),
        19,
        "{made:?}"
    );
    let written = json!({"direction": "incoming", "contact_id": id, "message_text": "Hi"});
    let written = (0..20).map(|_| http.post("/conversation-messages-instagram", &written));
    for answer in join_all(written).await {
        answer.expect(201);
    }
    let page = http.get("/conversations?channel=instagram").await.json();
    assert_eq!(
        (&page["total"], &page["data"][0]["unread_count"]),
        (&json!(1), &json!(20))
    );
    // Closed, it makes room for another; then it cannot be opened again.
    let first = http.get("/conversations?channel=whatsapp").await.json()["data"][0]["id"].clone();
    let path = format!("/conversations/{first}");
    http.patch(&path, &json!({"status": "closed"}))
        .await
        .expect(200);
    make(&http, "/conversations", body).await;
    let refused = http
        .patch(&path, &json!({"status": "open"}))
        .await
        .expect(409);
    assert_eq!(refused["className"], "conflict");
}

#[tokio::test]
async fn many_change_at_once() {
    let (server, http, own) = client();
    let ann = talk(&http, "Ann", "whatsapp", "One").await;
    let bob = talk(&http, "Bob", "whatsapp", "Two").await;
    talk(&http, "Cyd", "sms", "Three").await;
    let bulk = |body: Value| {
        let http = http.clone();
        async move { http.post("/conversations-bulk-actions", &body).await }
    };
    // As the documentation has it.
    let filter = json!({"organization_id": own.id, "status": "open", "channel": "whatsapp"});
    let body = json!({"action": "update_status", "status": "closed", "filter": filter});
    assert_eq!(
        bulk(body.clone()).await.expect(201),
        json!({"processed_count": 2})
    );
    assert_eq!(bulk(body).await.expect(201), json!({"processed_count": 0}));
    assert_eq!(found(&http, "status=open").await, ["Cyd"]);
    let user = http.get("/organization-users").await.json()["data"][0]["user_id"].clone();
    let these = json!([ann["id"], bob["id"], ann["id"]]);
    let body = json!({"action": "assign", "conversation_ids": these,
        "data": {"assigned_user_id": user}});
    assert_eq!(bulk(body).await.expect(201)["processed_count"], 2);
    assert_eq!(
        found(&http, &format!("assigned_user_id={user}")).await,
        ["Ann", "Bob"]
    );
    let view = json!({"name": "Mine", "filter": {"assigned_user_id": user}});
    let view = make(&http, "/conversation-views", view).await["id"].clone();
    let body =
        json!({"action": "assign_ai_assistant", "view_id": view, "assigned_ai_assistant_id": 5});
    assert_eq!(bulk(body).await.expect(201)["processed_count"], 2);
    assert_eq!(
        found(&http, "assigned_ai_assistant_id=5").await,
        ["Ann", "Bob"]
    );
    let line = make(
        &http,
        "/pipelines",
        json!({"name": "Care", "type": "conversation"}),
    )
    .await;
    let body = json!({"action": "move", "view_id": view, "pipeline_id": line["id"]});
    assert_eq!(bulk(body).await.expect(201)["processed_count"], 2);
    assert_eq!(
        found(&http, &format!("pipeline_id={}", line["id"])).await,
        ["Ann", "Bob"]
    );
    let other = server.organization("Other");
    let other = server.http().with("x-api-key", &other.key);
    let alien = talk(&other, "Eve", "sms", "Mine").await;
    for (body, status) in [
        (json!({"action": "assign", "assigned_user_id": user}), 400),
        (
            json!({"action": "assign", "view_id": view, "filter": {}}),
            400,
        ),
        (json!({"action": "assign", "view_id": 999}), 404),
        (json!({"action": "assign", "conversation_ids": []}), 400),
        (json!({"action": "explode", "filter": {}}), 400),
        (json!({"action": "update_status", "filter": {}}), 400),
        (
            json!({"action": "update_status", "status": "won", "filter": {}}),
            400,
        ),
        (json!({"action": "move", "filter": {}}), 400),
        (
            json!({"action": "assign", "assigned_user_id": 999, "filter": {}}),
            404,
        ),
        // All or none: what is another organization's is not there.
        (
            json!({"action": "update_status", "status": "open",
                "conversation_ids": [ann["id"], alien["id"]]}),
            404,
        ),
        (
            json!({"action": "assign", "conversation_ids": vec![1; 1001]}),
            400,
        ),
    ] {
        bulk(body).await.expect(status);
    }
    assert_eq!(found(&http, "status=open").await, ["Cyd"]);
    let nobody = json!({"action": "assign", "assigned_user_id": null, "view_id": view});
    assert_eq!(bulk(nobody).await.expect(201)["processed_count"], 2);
    assert_eq!(
        found(&http, "assigned_user_id=").await,
        ["Ann", "Bob", "Cyd"]
    );
}

#[tokio::test]
async fn a_merge_brings_conversations_along() {
    let (_server, http, _) = client();
    let kept = talk(&http, "Ada", "whatsapp", "Hello").await;
    let moved = talk(&http, "Eda", "whatsapp", "Hello again").await;
    let ticket = json!({"subject": "Help", "contact_id": 2});
    http.post("/support-tickets", &ticket).await.expect(201);
    let merge = json!({"target_id": 1, "source_ids": [2]});
    let own = http.with("x-service-method", "merge");
    own.post("/contacts", &merge).await.expect(200);
    let ticket = http.get("/support-tickets/1").await.expect(200);
    assert_eq!(ticket["contact_id"], 1);
    let all = http.get("/conversations?$sort[id]=1").await.expect(200);
    let shown = |at: usize| {
        (
            all["data"][at]["contact_id"].clone(),
            all["data"][at]["status"].clone(),
        )
    };
    // There is one that is open.
    assert_eq!(shown(0), (json!(1), json!("open")));
    assert_eq!(shown(1), (json!(1), json!("closed")));
    for talk in [kept, moved] {
        let path = format!(
            "/conversation-messages-whatsapp?conversation_id={}",
            talk["id"]
        );
        let page = http.get(&path).await.expect(200);
        assert_eq!(
            (&page["total"], &page["data"][0]["contact_id"]),
            (&json!(1), &json!(1))
        );
    }
}

#[tokio::test]
async fn an_export_keeps_to_a_view() {
    let (_server, http, _) = client();
    talk(&http, "Ada", "whatsapp", "Hello").await;
    talk(&http, "Bob", "sms", "Hello").await;
    let view = json!({"name": "SMS", "filter": {"channel": "sms"}});
    let view = make(&http, "/conversation-views", view).await;
    let path = format!(
        "/exports/conversations?$format=ndjson&view_id={}",
        view["id"]
    );
    let answer = http.get(&path).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let lines: Vec<&str> = answer.text.lines().collect();
    assert_eq!(lines.len(), 1, "{}", answer.text);
    assert!(lines[0].contains(r#""channel":"sms""#), "{}", answer.text);
}
