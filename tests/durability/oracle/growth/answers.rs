//! Compares what analytics answers with what is right.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::ZONES;
use crate::support::Http;

/// All days of the traffic, and more.
const PERIOD: &str = "period=custom&from=2026-02-28&to=2026-04-16";
/// The types events have where the scripts speak of kinds.
const KINDS: [(&str, &str); 5] = [
    ("page_view", "pageview"),
    ("exposure", "experiment_viewed"),
    ("goal", "goal_conversion"),
    ("identify", "identify"),
    ("purchase", "purchase"),
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
        self.totals("all", "include").await;
        self.totals("no_bots", "exclude").await;
        self.types().await;
        self.tops().await;
        for zone in ["UTC"].into_iter().chain(ZONES) {
            self.series(zone, "day", "daily").await;
            self.series(zone, "hour", "hourly").await;
        }
        self.funnel("any", "any_start").await;
        self.funnel("first", "first_start").await;
        self.retention("calendar", "calendar_week").await;
        self.retention("rolling", "rolling_7d").await;
        self.people().await;
        for unit in ["visitor", "person"] {
            for model in ["first_touch", "last_touch", "last_non_direct"] {
                self.attribution(unit, model).await;
            }
        }
    }

    async fn ask(&self, what: &str, more: &str) -> Value {
        let bots = if more.contains("bots=") {
            ""
        } else {
            "&bots=include"
        };
        let path = format!("/api/{what}?{PERIOD}{bots}{more}");
        self.http.get(&path).await.expect(200)
    }

    async fn totals(&self, name: &str, bots: &str) {
        let right = &self.expected["totals"][name];
        let bots = format!("&bots={bots}");
        let series = self
            .ask("analytics/series", &format!("{bots}&interval=month"))
            .await;
        let told = &series["totals"];
        assert_eq!(told["events"], right["events"], "{name}");
        assert_eq!(told["pageViews"], right["page_views"], "{name}");
        assert_eq!(told["visitors"], right["unique_visitors"], "{name}");
        assert_eq!(told["sessions"], right["sessions"], "{name}");
        let revenue = told["revenue"].as_array().unwrap().iter().map(|own| {
            let figures = json!({"orders": own["purchases"], "units": own["units"],
                                 "gross": cents(&own["amount"])});
            (own["currency"].as_str().unwrap().to_owned(), figures)
        });
        let expected = right["revenue"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(code, own)| {
                let figures = json!({"orders": own["orders"], "units": own["units"],
                                 "gross": cents(&own["gross"])});
                (code.clone(), figures)
            });
        let revenue: BTreeMap<_, _> = revenue.collect();
        assert_eq!(revenue, expected.collect(), "{name}");
        let told = self.ask("analytics/sessions", &bots).await;
        assert_eq!(told["sessions"], right["sessions"], "{name}");
        let viewed = &right["sessions_with_page_view"];
        assert_eq!(&told["sessionsWithPageView"], viewed, "{name}");
        for (member, own) in [
            ("singlePageView", "single_page_view"),
            ("singleEvent", "single_event"),
        ] {
            assert_eq!(told["bounces"][member], right["bounces"][own], "{name}");
            let rate = told["bounceRate"][member].as_f64().unwrap();
            let off = rate - right["bounce_rate"][own].as_f64().unwrap();
            assert!(off.abs() < 1e-8, "{name}: {rate}");
        }
        let millis = (told["durationSeconds"].as_f64().unwrap() * 1000.0).round();
        let expected = right["session_duration_ms"].as_f64().unwrap();
        assert_eq!(millis, expected, "{name}");
        let summary = self.ask("analytics/summary", &bots).await;
        assert_eq!(summary["visitors"], right["unique_visitors"], "{name}");
    }

    async fn types(&self) {
        let all = &self.expected["totals"]["all"];
        let mut right: BTreeMap<String, Value> = BTreeMap::new();
        for (name, count) in all["custom_events"].as_object().unwrap() {
            right.insert(name.clone(), count.clone());
        }
        for (kind, name) in KINDS {
            right.insert(name.to_owned(), all["kinds"][kind].clone());
        }
        let told = self.ask("analytics/top", "&list=types&limit=1000").await;
        let told = told["rows"].as_array().unwrap().iter();
        let told = told.map(|row| {
            (
                row["key"].as_str().unwrap().to_owned(),
                row["count"].clone(),
            )
        });
        assert_eq!(told.collect::<BTreeMap<_, _>>(), right);
    }

    async fn tops(&self) {
        for (list, name) in [
            ("pages", "pages"),
            ("entry_pages", "entry_pages"),
            ("exit_pages", "exit_pages"),
            ("referrers", "referrers_by_page_views"),
            ("referrers&count=sessions", "referrers_by_sessions"),
            ("sources", "utm_source_by_page_views"),
            ("sources&count=sessions", "utm_source_by_sessions"),
            ("campaigns&count=sessions", "utm_campaign_by_sessions"),
        ] {
            let told = self.ask("analytics/top", &format!("&list={list}")).await;
            let rows = told["rows"].as_array().unwrap().iter().map(|row| {
                let mut own = vec![row["key"].clone(), row["count"].clone()];
                own.extend(row.get("visitors").cloned());
                Value::from(own)
            });
            let told: Vec<Value> = rows.collect();
            assert_eq!(json!(told), self.expected["top"][name], "{name}");
        }
    }

    /// Rows of start, label, events, page views, visitors with a page view, sessions;
    /// what is not in them is zero.
    async fn series(&self, zone: &str, interval: &str, name: &str) {
        let more = format!("&timezone={zone}&interval={interval}");
        let told = self.ask("analytics/series", &more).await;
        let points = told["points"].as_array().unwrap().iter();
        let points = points.filter(|point| point["events"] != 0);
        let rows = points.map(|point| {
            let members = [
                "start",
                "date",
                "events",
                "pageViews",
                "visitors",
                "sessions",
            ];
            Value::from(members.map(|member| point[member].clone()).to_vec())
        });
        let told: Vec<Value> = rows.collect();
        let right = self.expected["series"][zone][name].as_array().unwrap();
        assert_eq!(told.len(), right.len(), "{name} in {zone}");
        for (told, right) in told.iter().zip(right) {
            assert_eq!(told, right, "{name} in {zone}");
        }
    }

    async fn funnel(&self, start: &str, name: &str) {
        let body = json!({
            "steps": [
                {"type": "pageview", "match": {"path": "/pricing"}},
                {"type": "signup"},
                {"type": "purchase"},
            ],
            "period": "custom", "from": "2026-02-28", "to": "2026-04-16",
            "bots": "include", "windowSeconds": 7 * 86_400, "start": start,
        });
        let told = self
            .http
            .post("/api/analytics/funnel", &body)
            .await
            .expect(200);
        let counts = told["steps"].as_array().unwrap().iter();
        let counts: Vec<Value> = counts.map(|step| step["count"].clone()).collect();
        assert_eq!(json!(counts), self.expected["funnel"][name], "{name}");
    }

    async fn retention(&self, mode: &str, name: &str) {
        let told = self
            .ask("analytics/retention", &format!("&mode={mode}"))
            .await;
        assert_eq!(told["cohorts"], self.expected["retention"][name], "{name}");
    }

    async fn people(&self) {
        let told = self.ask("analytics/people", "").await;
        for (member, name) in [
            ("visitors", "visitors"),
            ("identifiedVisitors", "identified_visitors"),
            ("leads", "leads"),
            ("leadsWithSeveralVisitors", "leads_with_several_visitors"),
            ("people", "people"),
            ("eventsOfLeads", "events_of_leads_retroactive"),
            ("eventsSinceIdentified", "events_of_leads_from_identify_on"),
        ] {
            assert_eq!(told[member], self.expected["identity"][name], "{name}");
        }
    }

    async fn attribution(&self, unit: &str, model: &str) {
        let more = format!(
            "&unit={unit}&model={model}&by=source&type=purchase&lookbackDays=90&revenues=true"
        );
        let told = self.ask("attribution/summary", &more).await;
        let told = told["channels"].as_array().unwrap().iter().map(|channel| {
            let revenues = channel["revenues"].as_array().unwrap().iter();
            let revenue: Map<String, Value> = revenues
                .map(|own| {
                    let code = own["currency"].as_str().unwrap().to_owned();
                    (code, cents(&own["amount"]))
                })
                .collect();
            let figures =
                json!({"conversions": channel["creditedConversions"], "revenue": revenue});
            (channel["channel"].as_str().unwrap().to_owned(), figures)
        });
        let right = self.expected["attribution"][unit][model]
            .as_object()
            .unwrap();
        let right = right.iter().map(|(source, own)| {
            let revenue = own["revenue"].as_object().unwrap().iter();
            let revenue: Map<String, Value> = revenue
                .map(|(code, amount)| (code.clone(), cents(amount)))
                .collect();
            let figures = json!({"conversions": own["conversions"], "revenue": revenue});
            (source.clone(), figures)
        });
        let told: BTreeMap<String, Value> = told.collect();
        assert_eq!(told, right.collect(), "{model} of a {unit}");
    }
}

/// Decimal text as hundredths; there are never more than two places.
fn cents(text: &Value) -> Value {
    let text = text.as_str().unwrap();
    let (whole, places) = text.split_once('.').unwrap_or((text, ""));
    assert!(places.len() <= 2, "{text}");
    let cents: i64 = format!("{whole}{places:0<2}").parse().unwrap();
    json!(cents)
}
