//! Imports act for whoever sent them, and one that cannot be written is nobody else's
//! trouble.

use sea_orm::{ConnectionTrait as _, Database};
use serde_json::{Value, json};

use super::grants::member;
use super::imports::{csv, rows, send, until};
use super::{client, make};
use crate::support::Server;
use crate::support::database::is_postgres;

/// Has the database refuse contacts with a first name.
async fn refuse(server: &Server, name: &str) {
    let statements = match is_postgres() {
        true => vec![
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION 'refused'; END $$"
                .to_owned(),
            format!(
                "CREATE TRIGGER refuse BEFORE INSERT ON crm_contact FOR EACH ROW \
                 WHEN (new.first_name = '{name}') EXECUTE FUNCTION refuse()"
            ),
        ],
        false => vec![format!(
            "CREATE TRIGGER refuse BEFORE INSERT ON crm_contact \
             WHEN new.first_name = '{name}' BEGIN SELECT RAISE(ABORT, 'refused'); END"
        )],
    };
    let connection = Database::connect(server.database_url()).await.unwrap();
    for statement in statements {
        connection.execute_unprepared(&statement).await.unwrap();
    }
    connection.close().await.unwrap();
}

#[tokio::test]
async fn an_import_that_cannot_be_written_stops_no_other() {
    let (server, http, _own) = client();
    let other = server.organization("Other");
    let others = server.http().with("x-api-key", &other.key);
    refuse(&server, "Poison").await;
    let file = "first_name,email\nPoison,a@example.com\nBob,b@example.com\n";
    let import = send(&http, "", "text/csv", file).await.expect(201);
    let fine = csv(&others, "", "first_name,email\nAnn,ann@example.com\n").await;
    assert_eq!(fine["created_count"], 1);
    let import = until(&http, &import, "done").await;
    assert_eq!(import["failed_count"], 2, "{import}");
    let told = rows(&http, &import).await;
    assert_eq!(told.len(), 2);
    let why = json!([{"path": "", "message": "The row could not be written"}]);
    assert_eq!(told[0]["errors"], why);
    assert_eq!(http.get("/contacts").await.json()["total"], 0);
    // It is over, and what comes after it is written.
    let next = csv(&http, "", "first_name,email\nCyd,c@example.com\n").await;
    assert_eq!(next["created_count"], 1);
}

#[tokio::test]
async fn imports_are_of_who_sent_them() {
    let (server, http, own) = client();
    let hook = json!({"url": "https://93.184.215.14/h", "skip_own": true,
        "events": ["contacts.created", "contacts.removed"]});
    make(&http, "/webhooks", hook).await;
    let person = member(&server, &own, "member").await;
    let file = "first_name,email\nAnn,ann@example.com\n";
    let import = csv(&http, "", file).await;
    // Its own key's is not told.
    let told = async || http.get("/webhook-deliveries").await.expect(200)["total"].clone();
    assert_eq!(told().await, 0);
    let log = |action: &'static str| {
        let http = &http;
        async move {
            let path = format!("/audit-log?entity=contacts&action={action}");
            http.get(&path).await.expect(200)["data"][0].clone()
        }
    };
    let made = log("created").await;
    assert!(made["api_key_id"].as_str().unwrap().starts_with("key_"));
    assert!(made["request_id"].is_string(), "{made}");
    // Somebody else undoes it, and is known for that.
    let path = format!("/imports/{}", import["id"]);
    person.delete(&path).await.expect(200);
    until(&http, &import, "undone").await;
    let gone = log("removed").await;
    assert_eq!(gone["api_key_id"], Value::Null);
    assert_ne!(gone["user_id"], made["user_id"]);
    assert_ne!(gone["request_id"], made["request_id"]);
    assert_eq!(told().await, 1);
}
