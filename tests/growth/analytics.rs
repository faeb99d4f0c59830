//! Analytics of visits whose answers can be counted by hand.

use serde_json::{Value, json};

use crate::support::{Http, Server};

const PERIOD: &str = "period=custom&from=2026-02-01&to=2026-02-14";

/// Three visitors: one comes by an ad, comes back and buys; one leaves at once; one
/// looks around twice.
async fn visited() -> (Server, Http) {
    let server = Server::start();
    let http = server.http().bearer(&server.organization("Acme").key);
    let view = |visitor: &str, time: &str, url: &str, referrer: &str| {
        let page = json!({"url": format!("https://shop.example{url}"), "referrer": referrer});
        json!({"event_name": "page_view", "visitor_id": visitor, "timestamp": time,
               "metadata": page})
    };
    let other = |name: &str, visitor: &str, time: &str| json!({"event_name": name, "visitor_id": visitor, "timestamp": time});
    let google = "https://www.google.com/";
    let events = json!([
        view("a", "2026-02-02T10:00:00Z", "/?utm_source=google&utm_medium=cpc&utm_campaign=spring", google),
        view("a", "2026-02-02T10:01:00Z", "/pricing", "https://shop.example/"),
        other("signup", "a", "2026-02-02T10:02:00Z"),
        view("a", "2026-02-09T10:00:00Z", "/pricing", ""),
        {"price": 1999, "currency": "EUR", "product_name": "Mug", "quantity": 2,
         "visitor_id": "a", "timestamp": "2026-02-09T10:01:00Z"},
        other("goal_conversion", "a", "2026-02-09T10:01:01Z"),
        view("b", "2026-02-03T12:00:00Z", "/pricing", google),
        view("c", "2026-02-04T12:00:00Z", "/", ""),
        view("c", "2026-02-04T12:30:01Z", "/pricing", "https://shop.example/"),
    ]);
    let sent = http
        .post("/api/v1/events/batch", &json!({"events": events}))
        .await;
    assert_eq!(sent.expect(200)["received"], 9);
    (server, http)
}

/// A number as it is written: whole ones without a point.
fn number(number: f64) -> Value {
    match number.fract() == 0.0 {
        true => json!(number as i64),
        false => json!(number),
    }
}

async fn ask(http: &Http, path: &str, more: &str) -> Value {
    http.get(&format!("{path}?{PERIOD}{more}"))
        .await
        .expect(200)
}

#[tokio::test]
async fn a_summary_tells_who_came_and_from_where() {
    let (_server, http) = visited().await;
    let summary = ask(&http, "/api/analytics/summary", "").await;
    let channel = |name: &str, conversions: i64| json!({"channel": name, "visitors": 1, "conversions": conversions});
    let expected = json!({
        "visitors": 3, "leads": 0, "conversions": 1, "conversionRate": 0,
        "topChannels": [channel("direct", 0), channel("organic_search", 0), channel("paid_search", 1)],
        "period": {"from": "2026-02-01", "to": "2026-02-14"},
    });
    assert_eq!(summary, expected);
    let filtered = ask(&http, "/api/analytics/summary", "&utmSource=google").await;
    assert_eq!(filtered["visitors"], 1);
    assert_eq!(filtered["conversions"], 1);
    let bots = ask(&http, "/api/analytics/summary", "&bots=only").await;
    assert_eq!(bots["visitors"], 0);
    // Part of a day, and a day somewhere else.
    let part =
        "/api/analytics/summary?period=custom&from=2026-02-02T09:00:00Z&to=2026-02-02T10:00:30Z";
    let part = http.get(part).await.expect(200);
    assert_eq!(part["topChannels"], json!([channel("paid_search", 0)]));
    let zone = "/api/analytics/summary?period=custom&from=2026-02-02&to=2026-02-02&timezone=Pacific/Auckland";
    let zone = http.get(zone).await.expect(200);
    assert_eq!(zone["visitors"], 1, "10:00 in London is 23:00 in Auckland");
    let usual = http.get("/api/analytics/summary").await.expect(200);
    assert_eq!(usual["conversionRate"], 0);
}

/// As the reference has it: what converts are visitors into leads; conversions are what
/// the project says they are.
#[tokio::test]
async fn a_summary_counts_leads_and_what_the_project_defines() {
    let server = Server::start();
    let own = server.organization("Acme");
    let http = server.http().bearer(&own.key);
    let page = server.http();
    let event = |kind: &str, visitor: &str| json!({"type": kind, "visitorId": visitor, "url": "https://shop.example/plans?utm_medium=email"});
    let events = [
        event("pageview", "a"),
        event("pageview", "b"),
        event("pageview", "c"),
        event("page_view", "d"),
        event("trial", "a"),
        event("trial", "a"),
        event("purchase", "b"),
    ];
    let batch = json!({"projectKey": own.project_key, "events": events});
    page.post("/api/events", &batch).await.expect(200);
    let stitch =
        json!({"projectKey": own.project_key, "visitorId": "a", "email": "ada@example.com"});
    page.post("/api/identity/stitch", &stitch).await.expect(200);
    let summary = async || http.get("/api/analytics/summary?period=7d").await;
    let usual = summary().await;
    let today = usual.json()["period"]["to"].as_str().unwrap().to_owned();
    let first = today.parse::<jiff::civil::Date>().unwrap();
    let first = first.checked_sub(jiff::Span::new().days(6)).unwrap();
    let expected = format!(
        r#"{{"visitors":4,"leads":1,"conversions":1,"conversionRate":0.25,"topChannels":[{{"channel":"email","visitors":4,"conversions":1}}],"period":{{"from":"{first}","to":"{today}"}}}}"#
    );
    assert_eq!(usual.text, expected);
    let goal = json!({"name": "Trial", "type": "custom_event", "eventName": "trial"});
    http.post("/api/conversion-goals", &goal).await.expect(200);
    let defined = summary().await.expect(200);
    assert_eq!(defined["conversions"], 2);
    assert_eq!(defined["topChannels"][0]["conversions"], 2);
    assert_eq!(defined["conversionRate"], 0.25);
}

#[tokio::test]
async fn conversions_are_credited_by_each_model() {
    let (_server, http) = visited().await;
    let credit = |channel: &str, conversions: f64, revenue: f64| {
        json!({"channel": channel, "creditedConversions": number(conversions),
               "revenue": number(revenue)})
    };
    let ask = async |more: &str| {
        let more = format!("&type=revenue:purchased{more}");
        ask(&http, "/api/attribution/summary", &more).await
    };
    let usual = ask("").await;
    assert_eq!(usual["model"], "position_based");
    let half = json!([
        credit("direct", 0.5, 19.99),
        credit("paid_search", 0.5, 19.99)
    ]);
    assert_eq!(usual["channels"], half);
    assert_eq!(ask("&model=linear").await["channels"], half);
    let paid = json!([credit("paid_search", 1.0, 39.98)]);
    assert_eq!(ask("&model=first_touch").await["channels"], paid);
    assert_eq!(ask("&model=last_non_direct").await["channels"], paid);
    let direct = json!([credit("direct", 1.0, 39.98)]);
    assert_eq!(ask("&model=last_touch").await["channels"], direct);
    assert_eq!(
        ask("&model=first_touch&lookbackDays=5").await["channels"],
        direct
    );
    let spring = ask("&model=first_touch&by=campaign&revenues=true&currency=usd").await;
    assert_eq!(
        spring["channels"],
        json!([{
            "channel": "spring", "creditedConversions": 1, "revenue": 0,
            "revenues": [{"currency": "EUR", "amount": "39.98"}],
        }])
    );
    let source = ask("&model=last_touch&by=source").await;
    assert_eq!(source["channels"][0]["channel"], "(direct)");
}

#[tokio::test]
async fn funnels_sessions_and_retention_follow_visitors() {
    let (_server, http) = visited().await;
    let mut funnel = json!({
        "steps": [
            {"type": "pageview", "match": {"path": "/pricing"}},
            {"type": "signup", "name": "Signed up"},
            {"type": "revenue:purchased"},
        ],
        "period": "custom", "from": "2026-02-01", "to": "2026-02-14",
    });
    let step = |name: &str, count: i64, rate: f64| json!({"name": name, "count": count, "conversionRate": number(rate)});
    let third = 1.0 / 3.0;
    let answer = http
        .post("/api/analytics/funnel", &funnel)
        .await
        .expect(200);
    let expected = json!([
        step("pageview /pricing", 3, 1.0),
        step("Signed up", 1, third),
        step("revenue:purchased", 1, third),
    ]);
    assert_eq!(answer["steps"], expected);
    // Seven days are until 10:01:00, inclusive.
    funnel["windowSeconds"] = json!(7 * 86_400 - 1);
    let answer = http
        .post("/api/analytics/funnel", &funnel)
        .await
        .expect(200);
    assert_eq!(answer["steps"][2]["count"], 0);
    let sessions = ask(&http, "/api/analytics/sessions", "").await;
    assert_eq!(sessions["sessions"], 5);
    assert_eq!(sessions["sessionsWithPageView"], 5);
    assert_eq!(
        sessions["bounces"],
        json!({"singlePageView": 4, "singleEvent": 3})
    );
    assert_eq!(
        sessions["bounceRate"],
        json!({"singlePageView": 0.8, "singleEvent": 0.6})
    );
    assert_eq!(sessions["durationSeconds"], 181);
    let weeks = ask(&http, "/api/analytics/retention", "").await;
    let cohort = json!([{"cohort": "2026-02-02", "size": 3, "weeks": [3, 1]}]);
    assert_eq!(weeks["cohorts"], cohort);
    let rolling = ask(&http, "/api/analytics/retention", "&mode=rolling").await;
    assert_eq!(rolling["cohorts"], cohort);
}

#[tokio::test]
async fn lists_and_series_count_views_and_sessions() {
    let (_server, http) = visited().await;
    let top = async |more: &str| {
        let answer = ask(&http, "/api/analytics/top", &format!("&list={more}")).await;
        let rows = answer["rows"].as_array().unwrap().iter();
        let row = |row: &Value| {
            (
                row["key"].as_str().unwrap().to_owned(),
                row["count"].as_i64().unwrap(),
            )
        };
        rows.map(row).collect::<Vec<_>>()
    };
    let of = |rows: &[(&str, i64)]| {
        let own = rows.iter().map(|(key, count)| ((*key).to_owned(), *count));
        own.collect::<Vec<_>>()
    };
    assert_eq!(top("pages").await, of(&[("/pricing", 4), ("/", 2)]));
    assert_eq!(top("pages&limit=1").await, of(&[("/pricing", 4)]));
    assert_eq!(top("entry_pages").await, of(&[("/pricing", 3), ("/", 2)]));
    assert_eq!(top("exit_pages").await, of(&[("/pricing", 4), ("/", 1)]));
    assert_eq!(top("referrers").await, of(&[("www.google.com", 2)]));
    assert_eq!(top("campaigns&count=sessions").await, of(&[("spring", 1)]));
    let channels = [("direct", 3), ("organic_search", 1), ("paid_search", 1)];
    assert_eq!(top("channels&count=sessions").await, of(&channels));
    assert_eq!(top("types&limit=1").await, of(&[("page_view", 6)]));
    let series = ask(&http, "/api/analytics/series", "&interval=week").await;
    let totals = json!({
        "events": 9, "pageViews": 6, "visitors": 3, "sessions": 5,
        "revenue": [{"currency": "EUR", "purchases": 1, "units": 2, "amount": "39.98"}],
    });
    assert_eq!(series["totals"], totals);
    let points = series["points"].as_array().unwrap();
    let sessions = points
        .iter()
        .map(|point| point["sessions"].as_i64().unwrap());
    assert_eq!(sessions.collect::<Vec<_>>(), [0, 4, 1]);
    let first = &points[1];
    assert_eq!(first["date"], "2026-02-02");
    assert_eq!(
        (&first["events"], &first["pageViews"], &first["visitors"]),
        (&json!(6), &json!(5), &json!(3))
    );
}

#[tokio::test]
async fn whoever_is_there_now_is_counted() {
    let (_server, http) = visited().await;
    let now = json!({"event_name": "page_view", "visitor_id": "d",
                     "metadata": {"url": "https://shop.example/now"}});
    http.post("/api/v1/events", &now).await.expect(200);
    let there = http.get("/api/analytics/realtime").await.expect(200);
    assert_eq!(there["visitors5Minutes"], 1);
    assert_eq!(there["visitors30Minutes"], 1);
    assert_eq!(there["pages"], json!([{"path": "/now", "visitors": 1}]));
}

#[tokio::test]
async fn questions_that_make_no_sense_are_refused_by_name() {
    let (_server, http) = visited().await;
    for (path, member) in [
        ("summary?period=1y", "period"),
        ("summary?period=custom", "from"),
        ("summary?period=custom&from=2026-01-01", "to"),
        (
            "summary?period=custom&from=2026-01-02&to=2026-01-01",
            "from",
        ),
        ("summary?period=custom&from=yesterday&to=2026-01-01", "from"),
        ("summary?from=2026-01-01", "from"),
        ("summary?timezone=Mars/Olympus", "timezone"),
        ("summary?bots=maybe", "bots"),
        ("summary?environment=moon", "environment"),
        ("retention?mode=yearly", "mode"),
        (
            "retention?period=custom&from=2020-01-01&to=2026-01-01",
            "period",
        ),
        ("series?interval=second", "interval"),
        (
            "series?period=custom&from=2020-01-01&to=2026-01-01&interval=hour",
            "interval",
        ),
        ("top?list=secrets", "list"),
        ("top?list=pages&count=likes", "count"),
        ("../attribution/summary?model=magic", "model"),
        ("../attribution/summary?by=moon", "by"),
        ("../attribution/summary?unit=family", "unit"),
    ] {
        let path = match path.strip_prefix("../") {
            Some(other) => format!("/api/{other}"),
            None => format!("/api/analytics/{path}"),
        };
        let answer = http.get(&path).await.expect(400);
        assert_eq!(answer["code"], "VALIDATION_ERROR", "{path}");
        assert_eq!(answer["status"], 400);
        let error = answer["error"].as_str().unwrap().to_lowercase();
        assert!(error.contains(member), "{path}: {error}");
    }
    let empty = http
        .post("/api/analytics/funnel", &json!({"steps": []}))
        .await;
    assert_eq!(empty.expect(400)["code"], "VALIDATION_ERROR");
    let untyped = json!({"steps": [{"match": {"path": "/"}}]});
    http.post("/api/analytics/funnel", &untyped)
        .await
        .expect(400);
}
