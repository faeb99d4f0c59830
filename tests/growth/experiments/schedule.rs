//! Experiments that start and end by themselves.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{PATH, Site};

async fn until(site: &Site, status: &str) -> Value {
    let deadline = Instant::now() + Duration::from_secs(15);
    loop {
        let all = site.http.get(PATH).await.expect(200);
        if all[0]["status"] == status {
            return all[0].clone();
        }
        assert!(Instant::now() < deadline, "{all}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_draft_starts_and_ends_when_told() {
    let site = Site::start();
    let page = site.server.http();
    assert_eq!(page.get(&site.active()).await.expect(200), json!([]));
    let made = site
        .create(json!({"startAt": "2026-01-01T00:00:00Z"}))
        .await;
    let running = until(&site, "running").await;
    assert!(running["startedAt"].as_str() >= made["createdAt"].as_str());
    let active = page.get(&site.active()).await.expect(200);
    assert_eq!(active[0]["id"], made["id"]);
    let id = made["id"].as_str().unwrap();
    site.change(id, json!({"stopAt": "2026-01-02T00:00:00Z"}))
        .await;
    let ended = until(&site, "completed").await;
    assert!(ended["completedAt"].as_str() >= running["startedAt"].as_str());
    assert_eq!(page.get(&site.active()).await.expect(200), json!([]));
}

#[tokio::test]
async fn what_is_to_come_does_not_happen_yet() {
    let site = Site::start();
    let later = json!({"startAt": "2099-01-01T00:00:00Z"});
    site.create(later).await;
    let now = site
        .create(json!({"startAt": "2026-01-01T00:00:00Z"}))
        .await;
    let deadline = Instant::now() + Duration::from_secs(15);
    while site
        .http
        .get(&format!("{PATH}?status=running"))
        .await
        .expect(200)[0]["id"]
        != now["id"]
    {
        assert!(Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(site.http.get(PATH).await.expect(200)[0]["status"], "draft");
}
