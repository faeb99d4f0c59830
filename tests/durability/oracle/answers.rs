//! Compares what the server answers with what is right.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::Http;

/// All days of the traffic, and more.
const PERIOD: &str = "start_date=2025-02-01&end_date=2025-04-15";
/// The names metrics events have where the scripts speak of kinds.
const KINDS: [(&str, &str); 5] = [
    ("page_view", "page_view"),
    ("exposure", "experiment_viewed"),
    ("goal", "goal"),
    ("identify", "identify"),
    ("purchase", "revenue:purchased"),
];

/// The server's answers and the right ones.
#[derive(Debug)]
pub struct Answers<'a> {
    http: &'a Http,
    expected: &'a Value,
}

impl<'a> Answers<'a> {
    pub fn new(http: &'a Http, expected: &'a Value) -> Self {
        Self { http, expected }
    }

    /// Compares everything.
    pub async fn check(&self) {
        self.totals().await;
        self.names().await;
        for zone in ["UTC", "Europe/Berlin"] {
            self.series(zone, "day", "daily").await;
            self.series(zone, "hour", "hourly").await;
        }
        for (group, top) in [
            ("path", "pages"),
            ("referrer", "referrers_by_page_views"),
            ("utm_source", "utm_source_by_page_views"),
        ] {
            self.top(group, top).await;
        }
    }

    async fn ask(&self, question: &str) -> Value {
        let path = format!("/api/v1/analytics?{PERIOD}&{question}");
        self.http.get(&path).await.expect(200)
    }

    async fn totals(&self) {
        let right = &self.expected["totals"]["all"];
        let told = self
            .ask("metrics=page_views,unique_visitors,events,revenue")
            .await;
        let data = &told["data"];
        assert_eq!(data["page_views"], right["page_views"]);
        assert_eq!(data["unique_visitors"], right["unique_visitors"]);
        let events = right["events"].as_i64().unwrap() - right["page_views"].as_i64().unwrap();
        assert_eq!(data["events"], events);
        let told: BTreeMap<_, _> = data["revenue"]
            .as_array()
            .unwrap()
            .iter()
            .map(revenue)
            .collect();
        let right = right["revenue"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(currency, own)| {
                let figures = (
                    own["orders"].clone(),
                    own["units"].clone(),
                    cents(&own["gross"]),
                );
                (currency.clone(), figures)
            });
        assert_eq!(told, right.collect());
    }

    async fn names(&self) {
        let all = &self.expected["totals"]["all"];
        let custom = all["custom_events"].as_object().unwrap();
        let mut right: BTreeMap<String, i64> = BTreeMap::new();
        right.extend(
            custom
                .iter()
                .map(|(name, n)| (name.clone(), n.as_i64().unwrap())),
        );
        for (kind, name) in KINDS {
            right.insert(name.to_owned(), all["kinds"][kind].as_i64().unwrap());
        }
        let told = self
            .ask("group_by=event_name&limit=1000&metrics=page_views,events")
            .await;
        let count =
            |data: &Value| data["page_views"].as_i64().unwrap() + data["events"].as_i64().unwrap();
        let told = told["groups"].as_array().unwrap().iter().map(|group| {
            let name = group["key"].as_str().unwrap().to_owned();
            (name, count(&group["data"]))
        });
        assert_eq!(told.collect::<BTreeMap<_, _>>(), right);
    }

    /// Rows of start, label, events, page views, visitors with a page view; what
    /// is not in them is zero.
    async fn series(&self, zone: &str, interval: &str, name: &str) {
        let question = format!("timezone={zone}&interval={interval}");
        let all = self
            .ask(&format!("{question}&metrics=page_views,events"))
            .await;
        let views = self
            .ask(&format!(
                "{question}&event_name=page_view&metrics=unique_visitors"
            ))
            .await;
        let points = all["series"].as_array().unwrap().iter();
        let points = points.zip(views["series"].as_array().unwrap());
        let rows = points.filter_map(|(all, views)| {
            assert_eq!(all["start"], views["start"]);
            let page_views = all["data"]["page_views"].as_i64().unwrap();
            let events = page_views + all["data"]["events"].as_i64().unwrap();
            let visitors = &views["data"]["unique_visitors"];
            (events > 0).then(|| json!([all["start"], all["date"], events, page_views, visitors]))
        });
        let told: Vec<_> = rows.collect();
        let right = self.expected["series"][zone][name]
            .as_array()
            .unwrap()
            .iter();
        let right: Vec<_> = right
            .map(|row| json!(row.as_array().unwrap()[..5]))
            .collect();
        assert_eq!(told, right, "{name} in {zone}");
    }

    async fn top(&self, group: &str, name: &str) {
        let question = format!("group_by={group}&event_name=page_view&limit=11");
        let told = self
            .ask(&format!("{question}&metrics=page_views,unique_visitors"))
            .await;
        let groups = told["groups"].as_array().unwrap().iter();
        // Those that have none are a group of their own, which is left out here.
        let rows = groups.filter(|own| own["key"] != "").map(|own| {
            json!([
                own["key"],
                own["data"]["page_views"],
                own["data"]["unique_visitors"]
            ])
        });
        let told: Vec<_> = rows.take(10).collect();
        assert_eq!(json!(told), self.expected["top"][name], "{name}");
    }
}

type Figures = (Value, Value, i128);

fn revenue(told: &Value) -> (String, Figures) {
    let currency = told["currency"].as_str().unwrap().to_owned();
    let figures = (
        told["purchases"].clone(),
        told["units"].clone(),
        cents(&told["amount"]),
    );
    (currency, figures)
}

/// Decimal text as hundredths; there are never more than two places.
fn cents(text: &Value) -> i128 {
    let text = text.as_str().unwrap();
    let (whole, places) = text.split_once('.').unwrap_or((text, ""));
    assert!(places.len() <= 2, "{text}");
    format!("{whole}{places:0<2}").parse().unwrap()
}
