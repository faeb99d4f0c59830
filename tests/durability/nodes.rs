//! Two servers that write events to one PostgreSQL database.

use serde_json::json;

use super::stored;
use crate::support::Server;
use crate::support::database::is_postgres;
use crate::support::skip::elsewhere;

#[tokio::test]
async fn visitors_of_repeats_do_not_confuse_the_other_node() {
    if !is_postgres() {
        return elsewhere(
            "visitors_of_repeats_do_not_confuse_the_other_node",
            "SQLite has one process and one process only",
        );
    }
    let here = Server::start();
    let key = here.organization("Acme").key;
    let there = here.beside();
    let (here_http, there_http) = (here.http().bearer(&key), there.http().bearer(&key));
    let event = |id: &str, visitor: &str| json!({"event_name": "page_view", "event_id": id, "visitor_id": visitor});
    let path = "/api/v1/events";
    here_http.post(path, &event("1", "a")).await.expect(200);
    there_http.post(path, &event("2", "b")).await.expect(200);
    // The same event again, by a visitor nobody has seen.
    here_http.post(path, &event("1", "c")).await.expect(200);
    for (id, visitor) in [("3", "d"), ("4", "c"), ("5", "e")] {
        there_http.post(path, &event(id, visitor)).await.expect(200);
        here_http.post(path, &event(id, visitor)).await.expect(200);
    }
    assert_eq!(stored::events(&here.url, &key).await.len(), 5);
    let data = there_http.get("/api/v1/analytics").await.expect(200)["data"].clone();
    assert_eq!(data["unique_visitors"], 5);
}
