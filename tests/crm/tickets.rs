//! Support tickets: their numbers, what they copy, and their messages.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{client, make};

/// The year tickets are counted in, as the server's stamps have it.
fn year(ticket: &Value) -> String {
    ticket["created_at"].as_str().unwrap()[..4].to_owned()
}

#[tokio::test]
async fn a_ticket_follows_who_asks() {
    let (_server, http, own) = client();
    let jane = json!({"first_name": "Jane", "last_name": "Doe", "email": "jane@doe.test"});
    let jane = make(&http, "/contacts", jane).await;
    let joe = make(&http, "/contacts", json!({"first_name": "Joe"})).await;
    let inbox = json!({"channel": "gmail", "name": "Help", "email": "help@acme.test"});
    let inbox = make(&http, "/inbox-channels", inbox).await;
    let body = json!({
        "organization_id": own.id, "subject": "Cannot sign in", "contact_id": jane["id"],
        "inbox_channel_id": inbox["id"], "tags": ["login", "urgent"], "priority": "high",
    });
    let made = make(&http, "/support-tickets", body).await;
    assert_eq!(made["reference_number"], format!("TK-{}-001", year(&made)));
    for (name, value) in [
        ("status", json!("open")),
        ("priority", json!("high")),
        ("tags", json!(["login", "urgent"])),
        ("channel", json!("gmail")),
        ("meta_inbox_channel_email", json!("help@acme.test")),
        ("meta_contact_first_name", json!("Jane")),
        ("meta_contact_last_name", json!("Doe")),
        ("meta_contact_email", json!("jane@doe.test")),
        ("assigned_user_id", Value::Null),
        ("assigned_ai_assistant_id", Value::Null),
        ("last_message_at", Value::Null),
        ("deleted_at", Value::Null),
    ] {
        assert_eq!(made[name], value, "{name}");
    }
    let path = format!("/support-tickets/{}", made["id"]);
    let user = &jane["created_by_user_id"];
    let body =
        json!({"assigned_user_id": user, "assigned_ai_assistant_id": 7, "status": "pending"});
    let assigned = http.patch(&path, &body).await.expect(200);
    assert_eq!(assigned["assigned_user_id"], *user);
    assert_eq!(assigned["assigned_ai_assistant_id"], 7);
    for query in [
        format!("assigned_user_id={user}"),
        "assigned_ai_assistant_id=7".to_owned(),
        "status[$in][]=pending&status[$in][]=closed".to_owned(),
        format!("organization_id={}&$sort[created_at]=-1", own.id),
    ] {
        let page = http.get(&format!("/support-tickets?{query}")).await;
        assert_eq!(page.expect(200)["total"], 1, "{query}");
    }
    let body = json!({"assigned_user_id": null, "assigned_ai_assistant_id": null,
        "contact_id": joe["id"]});
    let other = http.patch(&path, &body).await.expect(200);
    assert_eq!(other["assigned_user_id"], Value::Null);
    assert_eq!(other["assigned_ai_assistant_id"], Value::Null);
    assert_eq!(other["meta_contact_first_name"], "Joe");
    assert_eq!(other["meta_contact_email"], Value::Null);
    assert_eq!(
        http.get("/support-tickets?assigned_user_id=").await.json()["total"],
        1
    );
    // What only an address is known of.
    let body = json!({"subject": "Hello", "meta_contact_email": "who@ever.test"});
    let second = make(&http, "/support-tickets", body).await;
    assert_eq!(
        second["reference_number"],
        format!("TK-{}-002", year(&second))
    );
    for (body, message) in [
        (
            json!({"subject": "x"}),
            "A ticket needs a contact_id or a meta_contact_email",
        ),
        (
            json!({"meta_contact_email": "a@b.c"}),
            "subject is required",
        ),
        (
            json!({"subject": "x", "meta_contact_email": "a"}),
            "meta_contact_email is no e-mail address",
        ),
        (
            json!({"subject": "x", "meta_contact_email": "a@b.c", "status": "lost"}),
            "status must be one of open, pending, resolved, closed",
        ),
        (
            json!({"subject": "x", "meta_contact_email": "a@b.c", "reference_number": "TK-1"}),
            "reference_number cannot be set",
        ),
        (
            json!({"subject": "x", "meta_contact_email": "a@b.c", "assigned_ai_assistant_id": {}}),
            "assigned_ai_assistant_id must be a whole number or a text",
        ),
    ] {
        let refused = http.post("/support-tickets", &body).await.expect(400);
        assert_eq!(refused["message"], message, "{body}");
    }
    let third = json!({"subject": "Third", "meta_contact_email": "who@ever.test"});
    let third = make(&http, "/support-tickets", third).await;
    assert_eq!(
        third["reference_number"],
        format!("TK-{}-003", year(&third))
    );
}

#[tokio::test]
async fn numbers_have_no_gaps() {
    let (server, http, _own) = client();
    let other = server.organization("Other");
    let other = server.http().with("x-api-key", &other.key);
    let ticket = json!({"subject": "Help", "meta_contact_email": "who@ever.test"});
    let lost = json!({"subject": "Help", "contact_id": 999});
    // Of each five, one is refused, and one array that fails at its end.
    let calls = (0..100).map(|at| {
        let (http, ticket, lost) = (&http, &ticket, &lost);
        async move {
            match at % 5 {
                0 => drop(http.post("/support-tickets", lost).await.expect(404)),
                1 => {
                    let all = json!([ticket, ticket, lost]);
                    http.post("/support-tickets", &all).await.expect(404);
                }
                _ => drop(http.post("/support-tickets", ticket).await.expect(201)),
            }
        }
    });
    futures_util::future::join_all(calls).await;
    let mut numbers = BTreeSet::new();
    for skip in [0, 50] {
        let path = format!("/support-tickets?$limit=50&$skip={skip}");
        let page = http.get(&path).await.expect(200);
        assert_eq!(page["total"], 60);
        for one in page["data"].as_array().unwrap() {
            numbers.insert(one["reference_number"].as_str().unwrap().to_owned());
        }
    }
    let made = make(&other, "/support-tickets", ticket).await;
    let expected: BTreeSet<String> = (1..=60)
        .map(|number| format!("TK-{}-{number:03}", year(&made)))
        .collect();
    assert_eq!(numbers, expected);
    assert_eq!(made["reference_number"], format!("TK-{}-001", year(&made)));
}

#[tokio::test]
async fn messages_of_tickets() {
    let (server, http, _own) = client();
    let ticket = json!({"subject": "Help", "meta_contact_email": "who@ever.test"});
    let ticket = make(&http, "/support-tickets", ticket).await;
    let id = &ticket["id"];
    let body = json!({"support_ticket_id": id, "message_text": "Hello", "direction": "incoming"});
    let first = make(&http, "/support-ticket-messages", body).await;
    assert_eq!(first["message_type"], "text");
    assert_eq!(first["sent_by_user_id"], Value::Null);
    let body = json!({"support_ticket_id": id, "message_text": "Secret", "message_type": "note"});
    let second = make(&http, "/support-ticket-messages", body).await;
    assert_eq!(second["direction"], "outgoing");
    assert!(second["sent_by_user_id"].is_i64());
    let now = http.get(&format!("/support-tickets/{id}")).await.json();
    assert_eq!(now["last_message_at"], second["created_at"]);
    let query = format!("/support-ticket-messages?support_ticket_id={id}&$sort[id]=-1");
    let page = http.get(&query).await.expect(200);
    assert_eq!(page["data"], json!([second, first]));
    let empty = json!({"support_ticket_id": id, "message_text": " "});
    let refused = http.post("/support-ticket-messages", &empty).await;
    assert_eq!(refused.expect(400)["message"], "message_text is required");
    // Nobody writes into another organization's ticket.
    let other = server.organization("Other");
    let other = server.http().with("x-api-key", &other.key);
    let alien = json!({"support_ticket_id": id, "message_text": "Mine"});
    other
        .post("/support-ticket-messages", &alien)
        .await
        .expect(404);
    let removed = http
        .delete(&format!("/support-ticket-messages/{}", first["id"]))
        .await;
    assert!(removed.expect(200)["deleted_at"].is_string());
    assert_eq!(http.get(&query).await.json()["total"], 1);
}
