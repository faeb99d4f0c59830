//! Generated traffic with known answers, sent as pages send it while the server is
//! killed twice. `EVENTS` and `EVENTS_SEED` make other traffic.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::{PATH, Site};
use crate::durability::oracle::data::generated;
use crate::support::seed::setting;

const BATCH: usize = 100;

#[tokio::test]
async fn every_event_is_counted_once_after_two_kills() {
    let test = "every_event_is_counted_once_after_two_kills";
    let (events, seed) = (setting("EVENTS", 3000), setting("EVENTS_SEED", 7));
    let Some(folder) = generated(test, events, seed, "apex") else {
        return;
    };
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let mut site = Site::with(&[("APEX_RATE_LIMIT_ENABLED", "false")]);
    let text = read("apex.ndjson");
    let lines: Vec<&str> = text.lines().collect();
    let batches: Vec<String> = lines
        .chunks(BATCH)
        .map(|lines| {
            let (key, events) = (&site.own.project_key, lines.join(","));
            format!(r#"{{"projectKey":"{key}","events":[{events}]}}"#)
        })
        .collect();
    let kills = [batches.len() / 3, 2 * batches.len() / 3];
    for (at, batch) in batches.iter().enumerate() {
        if kills.contains(&at) {
            let page = site.page.with("content-type", "application/json");
            let body = Some(batch.clone().into_bytes());
            let sending = tokio::spawn(async move {
                let _ = page.try_send(reqwest::Method::POST, PATH, body).await;
            });
            // About when it is stored; whether it is, nobody knows.
            tokio::time::sleep(Duration::from_millis(at as u64 % 7)).await;
            site.restart();
            sending.await.unwrap();
        }
        let page = site.page.with("content-type", "application/json");
        let body = Some(batch.clone().into_bytes());
        let answer = page
            .send(reqwest::Method::POST, PATH, body)
            .await
            .expect(200);
        let size = BATCH.min(lines.len() - at * BATCH);
        assert_eq!(answer, json!({"received": size}));
    }
    site.restart();

    let expected: Value = serde_json::from_str(&read("expected.json")).unwrap();
    let all = &expected["totals"]["all"];
    let figures = site.figures().await;
    for name in ["page_views", "unique_visitors"] {
        assert_eq!(figures[name], all[name], "{name}");
    }
    let number = |value: &Value| value.as_i64().unwrap();
    let others = number(&all["events"]) - number(&all["page_views"]);
    assert_eq!(number(&figures["events"]), others);
    let told = figures["revenue"].as_array().unwrap().iter();
    let told: BTreeMap<_, _> = told
        .map(|own| {
            let paid = (
                own["purchases"].clone(),
                own["units"].clone(),
                cents(&own["amount"]),
            );
            (own["currency"].as_str().unwrap().to_owned(), paid)
        })
        .collect();
    let right = all["revenue"].as_object().unwrap().iter();
    let right = right.map(|(currency, own)| {
        let paid = (
            own["orders"].clone(),
            own["units"].clone(),
            cents(&own["gross"]),
        );
        (currency.clone(), paid)
    });
    assert_eq!(told, right.collect());
    let humans = number(&expected["totals"]["no_bots"]["events"]);
    assert_eq!(site.bots().await, number(&all["events"]) - humans);
}

/// Hundredths of an amount in decimal text.
fn cents(amount: &Value) -> i64 {
    let text = amount.as_str().unwrap();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{fraction:0<2}").parse().unwrap()
}

impl Site {
    /// How many events machines caused.
    async fn bots(&self) -> i64 {
        let (mut bots, mut cursor) = (0, String::new());
        loop {
            let path = format!("{PATH}?limit=1000&cursor={cursor}");
            let answer = self.owner.get(&path).await;
            let next = answer.header("x-next-cursor").map(str::to_owned);
            let page = answer.expect(200);
            let page = page.as_array().unwrap().iter();
            bots += page.filter(|event| event["bot"] == true).count() as i64;
            match next {
                Some(next) => cursor = next,
                None => return bots,
            }
        }
    }
}
