//! Stored events, page by page.

use serde_json::{Value, json};

use super::Site;

/// Twelve events, one a minute, of two kinds and two visitors; two at a time.
async fn filled() -> Site {
    let site = Site::start();
    let events: Vec<_> = (0..12)
        .map(|n| {
            json!({
                "type": if n % 3 == 0 { "click" } else { "pageview" },
                "url": format!("/{n}"),
                "visitorId": format!("v_{}", n % 2),
                "timestamp": format!("2024-02-03T09:{:02}:00Z", n / 2),
            })
        })
        .collect();
    site.send(&site.batch(json!(events))).await.expect(200);
    site
}

fn urls(events: &[Value]) -> Vec<&str> {
    events
        .iter()
        .filter_map(|event| event["url"].as_str())
        .collect()
}

#[tokio::test]
async fn what_happened_last_comes_first() {
    let site = filled().await;
    let all: Vec<_> = (0..12).rev().map(|n| format!("/{n}")).collect();
    assert_eq!(urls(&site.list("").await), all);
    for (query, expected) in [
        ("type=click", vec!["/9", "/6", "/3", "/0"]),
        ("visitorId=v_1&limit=2", vec!["/11", "/9"]),
        ("visitorId=v_1&type=click", vec!["/9", "/3"]),
        ("visitorId=v_7", vec![]),
        ("type=nothing", vec![]),
        ("from=2024-02-03T09:05:00Z", vec!["/11", "/10"]),
        ("to=2024-02-03T09:01:00Z", vec!["/1", "/0"]),
        (
            "from=2024-02-03T09:01:00Z&to=2024-02-03T09:02:00Z",
            vec!["/3", "/2"],
        ),
    ] {
        assert_eq!(urls(&site.list(query).await), expected, "{query}");
    }
}

#[tokio::test]
async fn pages_follow_each_other() {
    let site = filled().await;
    for (filter, count) in [("", 12), ("type=pageview&", 8), ("visitorId=v_0&", 6)] {
        let mut seen = Vec::new();
        let mut cursor = String::new();
        loop {
            let path = format!("/api/events?{filter}limit=5&cursor={cursor}");
            let answer = site.owner.get(&path).await;
            let next = answer.header("x-next-cursor").map(str::to_owned);
            let page = answer.expect(200).as_array().unwrap().clone();
            seen.extend(urls(&page).into_iter().map(str::to_owned));
            // An event that comes in meanwhile belongs to no page that follows.
            site.send(&site.event(json!({"visitorId": "v_0"})))
                .await
                .expect(200);
            match next {
                Some(next) => cursor = next,
                None => break,
            }
        }
        // Those of the pages before, and of the filters before.
        seen.retain(|url| url.starts_with('/'));
        let expected = urls(&site.list(&format!("{filter}to=2024-03-01T00:00:00Z")).await)
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>();
        assert_eq!(seen, expected, "{filter}");
        assert_eq!(seen.len(), count, "{filter}");
    }
}

#[tokio::test]
async fn what_is_asked_for_is_checked() {
    let site = filled().await;
    let first = site.owner.get("/api/events?limit=1").await;
    let cursor = first.header("x-next-cursor").unwrap();
    let other = site.server.organization("Other");
    let other = site.server.http().bearer(&other.key);
    // Another tenant's place is no place.
    let theirs = other.get(&format!("/api/events?cursor={cursor}")).await;
    assert_eq!(theirs.expect(400)["error"], "cursor is not known");
    for (query, words) in [
        ("limit=0", "limit must be between 1 and 1000"),
        ("limit=1001", "limit must be between 1 and 1000"),
        ("cursor=x", "cursor is not known"),
        (
            "from=yesterday",
            "from must be a time such as 2024-01-15T10:30:00Z",
        ),
    ] {
        let answer = site.owner.get(&format!("/api/events?{query}")).await;
        assert_eq!(answer.expect(400), super::invalid(words), "{query}");
    }
    assert_eq!(
        site.page.get("/api/events").await.expect(401)["status"],
        401
    );
}
