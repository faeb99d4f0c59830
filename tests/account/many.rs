//! Lists of more than one message holds: a caller asks for them in pages, and the
//! commands do.

use sea_orm::{ConnectionTrait as _, Database};
use serde_json::{Value, json};

use super::{key, refused, session};
use crate::support::Server;
use crate::support::database::is_postgres;

/// So many rows with long names are more than 4 MiB.
const MANY: usize = 25_000;

#[tokio::test]
async fn commands_list_more_than_a_message_holds() {
    let mut server = Server::start();
    let own = server.organization("Acme");
    assert_eq!(server.terminate(), Some(0));
    let (name, hash) = match is_postgres() {
        true => ("repeat('x', 200)", "convert_to('hash ' || n, 'UTF8')"),
        false => (
            "replace(hex(zeroblob(100)), '0', 'x')",
            "CAST('hash ' || n AS BLOB)",
        ),
    };
    let rows = format!(
        "WITH RECURSIVE rows (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM rows WHERE n < {MANY}) "
    );
    let database = Database::connect(server.database_url()).await.unwrap();
    for sql in [
        format!(
            "INSERT INTO api_key (id, organization_id, user_id, name, prefix, hash, scopes, \
             created_at) {rows} SELECT 'key_' || n, {}, 1, {name}, 'apex_key_', {hash}, '*', n \
             FROM rows",
            own.id
        ),
        format!(
            "INSERT INTO account_user (email, name, password_hash, sessions_from, created_at) \
             {rows} SELECT 'u' || n || '@example.com', {name}, '', 0, n FROM rows"
        ),
    ] {
        database.execute_unprepared(&sql).await.unwrap();
    }
    database.close().await.unwrap();
    for list in [["key", "list"], ["user", "list"]] {
        let all = server.apex_json(&list);
        let all = all.as_array().unwrap();
        assert_eq!(all.len(), MANY + 1, "{list:?}");
        let mut ids: Vec<_> = all.iter().map(|row| row["id"].to_string()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), MANY + 1, "{list:?}");
    }
}

#[tokio::test]
async fn keys_in_pages() {
    let server = Server::start();
    let own = server.organization("Acme");
    let http = session(&server, &own.email).await;
    for name in ["a", "b", "c"] {
        key(&http, &server, json!({"name": name})).await;
    }
    let all = http.get("/api/api-keys").await.expect(200);
    let all = all.as_array().unwrap();
    assert_eq!(all.len(), 4);
    let page = async |query: &str| http.get(&format!("/api/api-keys?{query}")).await;
    let first = page("limit=2").await.expect(200);
    assert_eq!(first, Value::from(all[..2].to_vec()));
    let last = all[1]["id"].as_str().unwrap();
    // One that is revoked between two pages still says where they meet.
    let answer = http.delete(&format!("/api/api-keys/{last}")).await;
    answer.expect(200);
    let second = page(&format!("limit=2&after={last}")).await.expect(200);
    assert_eq!(second, Value::from(all[2..].to_vec()));
    let last = all[3]["id"].as_str().unwrap();
    assert_eq!(page(&format!("after={last}")).await.expect(200), json!([]));
    for limit in ["0", "-1", "1001"] {
        let answer = page(&format!("limit={limit}")).await.expect(400);
        assert_eq!(answer["code"], "VALIDATION_ERROR");
    }
    // Another organization's key is no key's id.
    let other = server.organization("Other");
    let theirs = session(&server, &other.email).await;
    let theirs = theirs.get("/api/api-keys").await.expect(200);
    let answer = page(&format!("after={}", theirs[0]["id"].as_str().unwrap())).await;
    refused(&answer, 400, "VALIDATION_ERROR", "after is no key's id");
}
