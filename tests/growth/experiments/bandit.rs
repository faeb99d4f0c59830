//! Bandits, whose weights follow what their variants earn.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::results::{event, viewed};
use super::{PATH, Site};
use crate::support::skip::skip;

/// What makes a program take another time for the machine's.
fn faketime() -> Option<String> {
    let folders = fs::read_dir("/usr/lib").ok()?.flatten();
    let mut libraries = folders.map(|own| own.path().join("faketime/libfaketimeMT.so.1"));
    let library = libraries.find(|file| file.exists())?;
    library.to_str().map(str::to_owned)
}

#[tokio::test]
async fn what_earns_more_is_shown_more() {
    let Some(library) = faketime() else {
        let test = "growth::experiments::bandit::what_earns_more_is_shown_more";
        return skip(test, "faketime is not installed");
    };
    let mut site = Site::start();
    let goal = json!({"type": "custom_event", "eventName": "signup"});
    let id = site.run(json!({"mode": "bandit", "goal": goal})).await;
    let mut events = Vec::new();
    for number in 0..500 {
        let visitor = format!("v_{number}");
        let (variant, every) = match number % 2 {
            0 => ("control", 20),
            _ => ("variant_b", 4),
        };
        events.push(viewed(&id, &visitor, variant));
        if number / 2 % every == 0 {
            events.push(event("signup", &visitor, 1, &json!({})));
        }
    }
    site.send(&events).await;
    let before = site.http.get(PATH).await.expect(200)[0].clone();
    assert_eq!(before["variants"][1]["weight"], Value::Null);
    assert_eq!(site.server.terminate(), Some(0));
    for (name, value) in [
        ("LD_PRELOAD", library.as_str()),
        ("FAKETIME", "+2h"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ] {
        site.server.set(name, value);
    }
    site.server.run();
    site.http = site.server.http().bearer(&site.own.key);
    let deadline = Instant::now() + Duration::from_secs(20);
    let after = loop {
        let now = site.http.get(PATH).await.expect(200)[0].clone();
        if now["weighedAt"].is_string() {
            break now;
        }
        assert!(Instant::now() < deadline, "{now}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    // As good as certain: all but the floor.
    let weight = |at: usize| after["variants"][at]["weight"].as_f64().unwrap();
    assert_eq!([weight(0), weight(1)], [5.0, 95.0]);
    // Who saw the better one sees it still.
    let control = json!([{"from": 0, "to": 5}]);
    assert_eq!(after["variants"][0]["buckets"], control);
    let page = site.server.http().get(&site.active()).await.expect(200);
    assert_eq!(page[0]["variants"][0]["buckets"], control);
    // Those whom it moved count for what they saw first.
    site.send(&[viewed(&id, "v_0", "variant_b")]).await;
    let shown = site.results(&id, "").await;
    assert_eq!(
        (&shown["windowDays"], &shown["multiExposedVisitors"]),
        (&json!(7), &json!(1))
    );
    assert_eq!(shown["variants"][0]["visitors"], 250);
    assert!(shown["warnings"][0].as_str().unwrap().contains("bandit"));
}
