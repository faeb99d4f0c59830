//! Senders whose clocks are wrong.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::Site;

/// By how many seconds a time is kept later than it was told, by a sender whose clock
/// is ahead by some seconds.
async fn moved(site: &Site, ahead: i64) -> i64 {
    let clock = Timestamp::now() + SignedDuration::from_secs(ahead);
    let happened = clock - SignedDuration::from_secs(600);
    let event = json!({
        "timestamp": happened.to_string(), "sentAt": clock.to_string(), "eventId": ahead.to_string(),
    });
    site.send(&site.event(event)).await.expect(200);
    let events = site.list("").await;
    let own = events
        .iter()
        .find(|event| event["id"] == format!("evt_{ahead}"));
    let kept: Timestamp = own.unwrap()["timestamp"].as_str().unwrap().parse().unwrap();
    kept.as_second() - happened.as_second()
}

#[tokio::test]
async fn a_wrong_clock_is_put_right() {
    let site = Site::start();
    for ahead in [-20 * 3600, -3600, -60, 60, 3600, 20 * 3600] {
        let by = moved(&site, ahead).await;
        // What the test took is on top.
        assert!((-ahead..-ahead + 20).contains(&by), "{ahead}: {by}");
    }
}

/// A request takes a while, and a clock that is off by days is not believed.
#[tokio::test]
async fn within_bounds() {
    let site = Site::start();
    for ahead in [-3 * 86_400, 0, 5] {
        assert_eq!(moved(&site, ahead).await, 0, "{ahead}");
    }
    let far = Timestamp::now() + SignedDuration::from_hours(72);
    let event = json!({"timestamp": far.to_string(), "sentAt": far.to_string()});
    let refused = site.send(&site.event(event)).await.expect(400);
    let words = "timestamp must not be more than 24 hours in the future";
    assert_eq!(refused["error"], words);
}
