//! Leads: lists of them, and two that become one.

use serde_json::{Value, json};

use super::world;

#[tokio::test]
async fn leads_are_merged_and_parted() {
    let world = world();
    let mut leads = Vec::new();
    for (visitor, email) in [
        ("a", "a@x.example"),
        ("b", "b@x.example"),
        ("c", "c@x.example"),
    ] {
        leads.push(world.stitch(visitor, email).await["leadId"].clone());
    }
    let who = || async {
        let mut all = Vec::new();
        for visitor in ["a", "b", "c"] {
            all.push(world.identity(visitor).await["leadId"].clone());
        }
        all
    };
    let before = who().await;
    assert_eq!(before, leads);
    let merge = |into: &Value, from: &Value| {
        let (http, body) = (world.http.clone(), json!({"id": into, "from": from}));
        async move { http.post("/api/leads/merge", &body).await }
    };
    let first = merge(&leads[0], &leads[1]).await.expect(200);
    assert_eq!(first["leadId"], leads[0]);
    assert_eq!(first["fromLeadId"], leads[1]);
    // The second merges what is one already, named by either of its ids.
    let second = merge(&leads[2], &leads[1]).await.expect(200);
    assert_eq!(second["fromLeadId"], leads[0]);
    let all = [&leads[2], &leads[2], &leads[2]].map(Clone::clone);
    assert_eq!(who().await, all);
    let shown = world.http.get("/api/leads").await.expect(200);
    assert_eq!(shown.as_array().unwrap().len(), 1);
    // Their names are names of the one.
    assert_eq!(world.stitch("d", "b@x.example").await["leadId"], leads[2]);
    for (into, from) in [(0, 2), (2, 0), (1, 1)] {
        let circle = merge(&leads[into], &leads[from]).await.expect(400);
        assert_eq!(circle["code"], "VALIDATION_ERROR");
    }
    let refusals = world.refusals().await;
    assert!(
        refusals.iter().all(|(reason, ..)| reason == "cycle"),
        "{refusals:?}"
    );
    assert!(!refusals.is_empty());
    assert_eq!(merge(&leads[0], &json!("nobody's")).await.status, 404);
    for (merge, visitors) in [(&second, [0, 0, 2]), (&first, [0, 1, 2])] {
        let body = json!({"id": merge["id"]});
        let undone = world
            .http
            .post("/api/leads/unmerge", &body)
            .await
            .expect(200);
        assert!(undone["undoneAt"].is_string());
        assert_eq!(who().await, visitors.map(|at: usize| leads[at].clone()));
        let again = world.http.post("/api/leads/unmerge", &body).await;
        assert_eq!(again.status, 400);
    }
    assert_eq!(who().await, before);
    let journal = world.http.get("/api/leads/merges").await.expect(200);
    let ids: Vec<_> = journal
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["id"])
        .collect();
    assert_eq!(ids, [&second["id"], &first["id"]]);
}

#[tokio::test]
async fn leads_come_page_by_page() {
    let world = world();
    for number in 0..7 {
        world
            .stitch(&format!("v{number}"), &format!("{number}@x.example"))
            .await;
    }
    let all = world.http.get("/api/leads").await.expect(200);
    let (mut pages, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = world
            .http
            .get(&format!("/api/leads?limit=3{cursor}"))
            .await
            .expect(200);
        let page = page.as_array().unwrap().clone();
        let Some(last) = page.last() else { break };
        cursor = format!("&cursor={}", last["id"].as_str().unwrap());
        pages.extend(page);
    }
    assert_eq!(Value::Array(pages), all);
    assert_eq!(
        world.http.get("/api/leads?cursor=nobody's").await.status,
        400
    );
    assert_eq!(world.http.get("/api/leads?limit=0").await.status, 400);
}
