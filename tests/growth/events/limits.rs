//! How often a page may send, and how much.

use serde_json::json;

use super::Site;

/// Two requests a minute, so that three are too many.
fn start() -> Site {
    Site::with(&[("APEX_LIMITS_GROWTH_INGEST_LIMIT", "2")])
}

#[tokio::test]
async fn the_documented_figure_is_the_default() {
    let site = Site::start();
    let usage = site.owner.get("/api/usage").await.expect(200);
    let limits = usage["limits"].as_array().unwrap();
    let ingest = limits
        .iter()
        .find(|limit| limit["group"] == "growth_ingest");
    assert_eq!(ingest.unwrap()["limit"], 1000, "{usage}");
}

#[tokio::test]
async fn a_batch_counts_once() {
    let site = start();
    let event = json!({"type": "pageview", "url": "/a"});
    let batch = site.batch(json!(vec![&event; 500]));
    assert_eq!(site.send(&batch).await.status, 200);
    assert_eq!(site.send(&site.event(json!({}))).await.status, 200);
    let refused = site.send(&batch).await;
    let wait = refused.header("retry-after").map(str::to_owned).unwrap();
    assert!((1..=60).contains(&wait.parse::<i64>().unwrap()), "{wait}");
    let words = format!("Rate limit exceeded. Retry after {wait} seconds.");
    let expected = json!({"error": words, "code": "RATE_LIMITED", "status": 429});
    assert_eq!(refused.expect(429), expected);
    // A page's visitors do not lock its owner out, nor another project's.
    assert_eq!(site.figures().await["page_views"], 501);
    let other = site.server.organization("Other");
    let theirs = site.event(json!({"projectKey": other.project_key}));
    assert_eq!(site.send(&theirs).await.status, 200);
}

/// Wherever the requests claim to come from: the project is what is counted.
#[tokio::test]
async fn a_forged_address_changes_nothing() {
    let site = start();
    let event = site.event(json!({}));
    let mut answers = Vec::new();
    for n in 1..=4 {
        let forged = site
            .page
            .with("x-forwarded-for", &format!("203.0.113.{n}"))
            .with("forwarded", &format!("for=203.0.113.{n}"))
            .with("x-real-ip", &format!("203.0.113.{n}"));
        answers.push(forged.post(super::PATH, &event).await.status);
    }
    assert_eq!(answers, [200, 200, 429, 429]);
}

/// Without a project to count, the address is.
#[tokio::test]
async fn who_names_no_project_is_counted_too() {
    let site = Site::with(&[("APEX_LIMITS_PAGES_LIMIT", "3")]);
    let unknown = site.event(json!({"projectKey": "pk_live_nobodys"}));
    for _ in 0..3 {
        assert_eq!(site.send(&unknown).await.status, 400);
    }
    let refused = site.send(&unknown).await;
    assert!(refused.header("retry-after").is_some());
    assert_eq!(refused.expect(429)["code"], "RATE_LIMITED");
}

#[tokio::test]
async fn a_body_has_at_most_a_mebibyte() {
    let site = Site::start();
    let filler = "x".repeat(30_000);
    let event = json!({"type": "click", "url": "/a", "data": {"x": filler}});
    let of = |count: usize| site.batch(json!(vec![&event; count]));
    assert_eq!(site.send(&of(34)).await.text, r#"{"received":34}"#);
    let large = site.send(&of(36)).await;
    assert_eq!(large.expect(413)["code"], "PAYLOAD_TOO_LARGE");
    // A small body that is a large one once it is unpacked.
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, of(36).to_string().as_bytes()).unwrap();
    let packed = site.page.with("content-encoding", "gzip");
    let packed = packed.with("content-type", "application/json");
    let body = Some(encoder.finish().unwrap());
    let answer = packed.send(reqwest::Method::POST, super::PATH, body).await;
    assert_eq!(answer.status, 413);
}

/// Properties are refused at the door, or can be read back everywhere.
#[tokio::test]
async fn properties_are_not_too_deep() {
    let site = Site::start();
    let nested = |levels: usize| {
        let mut data = json!({"x": 1});
        for _ in 1..levels {
            data = json!({"x": data});
        }
        site.event(json!({"data": data}))
    };
    for levels in [1, 20, 32] {
        let answer = site.send(&nested(levels)).await;
        assert_eq!(answer.text, r#"{"received":1}"#, "{levels}");
    }
    for levels in [33, 64, 100, 130] {
        let refused = site.send(&nested(levels)).await.expect(400);
        let words = refused["error"].as_str().unwrap();
        assert!(words.ends_with("is nested too deeply"), "{refused}");
    }
    let exported = site
        .server
        .apex(&["events", "export", "--project", &site.own.project]);
    assert_eq!(exported.lines().count(), 3);
    let deepest = nested(32)["data"].to_string();
    assert!(exported.contains(&deepest), "{exported}");
}
