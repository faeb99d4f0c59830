//! Records of the CRM, for tests that need one of every resource.

use serde_json::{Value, json};

use super::Http;

/// What each resource needs to be made, those first that others name: `"$/deals"` is the
/// id of a deal that is made for it, `"$fresh"` a text nobody else has.
pub const BODIES: [(&str, &str); 24] = [
    ("/contacts", r#"{"first_name": "Jane"}"#),
    ("/companies", r#"{"name": "Acme"}"#),
    ("/pipelines", r#"{"name": "Sales"}"#),
    (
        "/pipeline-stages",
        r#"{"name": "Last", "pipeline_id": "$/pipelines"}"#,
    ),
    (
        "/deals",
        r#"{"name": "Deal", "pipeline_id": "$/pipelines"}"#,
    ),
    ("/products", r#"{"name": "Box"}"#),
    ("/product-categories", r#"{"name": "Boxes"}"#),
    (
        "/deal-products",
        r#"{"deal_id": "$/deals", "product_id": "$/products", "quantity": 1, "price": 1}"#,
    ),
    ("/activity-types", r#"{"name": "Call"}"#),
    ("/activities", r#"{"subject": "Call"}"#),
    (
        "/custom-fields",
        r#"{"entity_type": "contact", "name": "$fresh", "type": "text"}"#,
    ),
    ("/tags", r#"{"name": "$fresh"}"#),
    (
        "/contact-tags",
        r#"{"contact_id": "$/contacts", "tag_id": "$/tags"}"#,
    ),
    (
        "/notes",
        r#"{"content": "Note", "contact_id": "$/contacts"}"#,
    ),
    (
        "/webhooks",
        r#"{"url": "https://93.184.215.14/h", "events": ["contacts.created"]}"#,
    ),
    ("/role-grants", r#"{"role": "member", "resource": "deals"}"#),
    ("/api-keys", r#"{"name": "Robot"}"#),
    (
        "/support-tickets",
        r#"{"subject": "Help", "meta_contact_email": "a@example.com"}"#,
    ),
    (
        "/support-ticket-messages",
        r#"{"support_ticket_id": "$/support-tickets", "message_text": "Hi", "direction": "incoming"}"#,
    ),
    ("/inbox-channels", r#"{"channel": "gmail", "name": "Help"}"#),
    (
        "/conversations",
        r#"{"contact_id": "$/contacts", "channel": "whatsapp"}"#,
    ),
    ("/conversation-views", r#"{"name": "Open"}"#),
    (
        "/conversation-predefined-messages",
        r#"{"title": "Hours", "content": "Always"}"#,
    ),
    (
        "/conversation-messages-whatsapp",
        r#"{"direction": "incoming", "contact_id": "$/contacts", "message_text": "Hello"}"#,
    ),
];

/// What makes a record; what it names is there when this returns.
pub async fn body(http: &Http, path: &str) -> Value {
    let known = BODIES.iter().find(|(known, _)| *known == path);
    filled(http, known.expect(path).1.to_owned()).await
}

/// The same, of a text that is no resource's own.
pub async fn filled(http: &Http, mut body: String) -> Value {
    for (need, _) in BODIES {
        let mark = format!("\"${need}\"");
        if body.contains(&mark) {
            let made = Box::pin(make(http, need)).await;
            body = body.replace(&mark, &made["id"].to_string());
        }
    }
    let fresh = uuid::Uuid::new_v4().to_string();
    serde_json::from_str(&body.replace("$fresh", &fresh)).expect("JSON")
}

/// Makes a record. Its `id` is also there where its channel calls it `_id`.
pub async fn make(http: &Http, path: &str) -> Value {
    let body = body(http, path).await;
    made(http, path, &body).await
}

/// Makes a record of a body.
pub async fn made(http: &Http, path: &str, body: &Value) -> Value {
    let mut made = http.post(path, body).await.expect(201);
    if let Some(id) = made.get("_id") {
        made["id"] = id.clone();
    }
    made
}

/// Something a webhook was told, which was given up.
pub async fn delivery(http: &Http) -> Value {
    let hook = make(http, "/webhooks").await;
    make(http, "/contacts").await;
    let off = json!({"status": "disabled"});
    let one = format!("/webhooks/{}", hook["id"]);
    http.patch(&one, &off).await.expect(200);
    let log = format!("/webhook-deliveries?webhook_id={}", hook["id"]);
    http.get(&log).await.expect(200)["data"][0].clone()
}

/// Imports a file that nobody imported before, and waits for that.
pub async fn import(http: &Http) -> Value {
    let file = format!("email\n{}@example.com\n", uuid::Uuid::new_v4());
    let csv = http.with("content-type", "text/csv");
    let sent = csv.send(reqwest::Method::POST, "/imports", Some(file.into()));
    let path = format!("/imports/{}", sent.await.expect(201)["id"]);
    loop {
        let now = http.get(&path).await.expect(200);
        if now["status"] == "done" {
            return now;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// A URL that takes a file of a type, and the key the file has then.
pub async fn signed(http: &Http, kind: &str) -> (String, String) {
    let new = json!({"file_name": "a.pdf", "file_type": kind});
    let signed = http.post("/s3-url-signing", &new).await.expect(201);
    let text = |name: &str| signed[name].as_str().expect(name).to_owned();
    (text("signedUrl"), text("s3PathWithoutBucket"))
}

/// The key of a file that was sent.
pub async fn sent(http: &Http) -> String {
    let kind = "application/pdf";
    let (url, key) = signed(http, kind).await;
    let path = &url[url.find("/conversation-files").expect("a path")..];
    let typed = http.with("content-type", kind);
    let sent = typed.send(reqwest::Method::PUT, path, Some(b"%PDF".to_vec()));
    sent.await.expect(200);
    key
}

/// What records a file that was sent.
pub async fn of_file(http: &Http) -> Value {
    let talk = make(http, "/conversations").await;
    json!({"conversation_id": talk["id"], "file_name": "a.pdf", "s3_key": sent(http).await})
}

/// A file of a conversation.
pub async fn file(http: &Http) -> Value {
    let body = of_file(http).await;
    made(http, "/conversation-files", &body).await
}
