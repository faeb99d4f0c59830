//! What experiments show, of events that were sent.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::Site;
use crate::clients::kit;
use crate::support::skip::{program, skip};

const SCRIPTS: &str = "tests/data/events";

impl Site {
    /// Sends events as pages do, a thousand at a time.
    pub async fn send(&self, events: &[Value]) {
        let page = self.server.http();
        for some in events.chunks(1000) {
            let body = json!({"projectKey": self.own.project_key, "events": some});
            let answer = page.post("/api/events", &body).await.expect(200);
            assert_eq!(answer["received"], some.len(), "{answer}");
        }
    }

    pub async fn results(&self, id: &str, more: &str) -> Value {
        let path = format!("/api/experiments/results?id={id}{more}");
        self.http.get(&path).await.expect(200)
    }
}

pub fn event(kind: &str, visitor: &str, day: i64, data: &Value) -> Value {
    let start: jiff::Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
    let at = start + jiff::SignedDuration::from_hours(24 * day);
    json!({
        "type": kind, "visitorId": visitor, "url": "https://shop.example/plans",
        "timestamp": at.to_string(), "data": data,
    })
}

pub fn viewed(id: &str, visitor: &str, variant: &str) -> Value {
    event(
        "experiment_viewed",
        visitor,
        0,
        &json!({"experimentId": id, "variant": variant}),
    )
}

/// 300 visitors, of whom control converts one in ten and the variant one in two.
fn visitors(id: &str) -> Vec<Value> {
    let mut events = Vec::new();
    for number in 0..300 {
        let visitor = format!("v_{number}");
        let (variant, every) = match number % 2 {
            0 => ("control", 10),
            _ => ("variant_b", 2),
        };
        events.push(viewed(id, &visitor, variant));
        if number / 2 % every == 0 {
            events.push(event("signup", &visitor, 1, &json!({})));
        }
    }
    events
}

#[tokio::test]
async fn a_clear_winner_is_told() {
    let site = Site::start();
    let goal = json!({"type": "custom_event", "eventName": "signup"});
    let id = site.run(json!({"goal": goal})).await;
    let mut events = visitors(&id);
    // What does not count: before the exposure, long after it, by who saw both, by
    // nobody in particular, and twice.
    events.push(event("signup", "v_2", -1, &json!({})));
    events.push(event("signup", "v_4", 91, &json!({})));
    events.push(event("signup", "v_1", 2, &json!({})));
    events.extend(["control", "variant_b"].map(|variant| viewed(&id, "v_both", variant)));
    events.push(event("signup", "v_both", 1, &json!({})));
    events.push(event("signup", "v_stranger", 1, &json!({})));
    site.send(&events).await;
    let shown = site.results(&id, "").await;
    assert_eq!(
        (&shown["experimentId"], &shown["status"]),
        (&json!(id), &json!("running"))
    );
    let figures = |at: usize| {
        let own = &shown["variants"][at];
        ["id", "name", "visitors", "conversions"].map(|name| own[name].clone())
    };
    assert_eq!(
        figures(0),
        [json!("control"), json!("Control"), json!(150), json!(15)]
    );
    assert_eq!(
        figures(1),
        [
            json!("variant_b"),
            json!("Green button"),
            json!(150),
            json!(75)
        ]
    );
    assert_eq!(shown["variants"][0]["conversionRate"], 0.1);
    assert_eq!(shown["variants"][0]["lift"], Value::Null);
    assert_eq!(shown["variants"][1]["conversionRate"], 0.5);
    assert!((shown["variants"][1]["lift"].as_f64().unwrap() - 4.0).abs() < 1e-9);
    assert!(shown["variants"][1]["confidence"].as_f64().unwrap() > 0.95);
    assert_eq!(shown["variants"][0]["difference"], Value::Null);
    assert!((shown["variants"][1]["difference"].as_f64().unwrap() - 0.4).abs() < 1e-9);
    // What is beyond doubt is seen in the interval of the same test.
    let least = shown["variants"][1]["differenceInterval"][0].as_f64();
    assert!(least.unwrap() > 0.0, "{shown}");
    assert!(shown["variants"][1]["chanceToWin"].as_f64().unwrap() > 0.95);
    assert_eq!(
        (&shown["winner"], &shown["significant"]),
        (&json!("variant_b"), &json!(true))
    );
    assert_eq!(shown["verdict"], "winner");
    assert_eq!(shown["multiExposedVisitors"], 1);
    assert_eq!(shown["windowDays"], 90);
    assert_eq!(shown["srm"]["flagged_at_0_001"], false);
    assert_eq!(shown["warnings"], json!([]));
    // The metric's own figures are those of the engine, for these sums.
    let metric = &shown["metrics"][0];
    assert_eq!(
        (&metric["name"], &metric["kind"]),
        (&json!("conversion"), &json!("proportion"))
    );
    let request = json!({"kind": metric["kind"], "variations": metric["variations"]});
    let analysis = site
        .http
        .post("/api/experiments/analyze", &request)
        .await
        .expect(200);
    assert_eq!(metric["analysis"], analysis);
    // A longer window, and those who saw several.
    let longer = site
        .results(&id, "&windowDays=120&multiExposed=first")
        .await;
    assert_eq!(longer["variants"][0]["conversions"], 17);
    assert_eq!(longer["variants"][0]["visitors"], 151);
    let shorter = site.results(&id, "&windowDays=1").await;
    assert_eq!(shorter["variants"][0]["conversions"], 0);
    assert_eq!(shorter["verdict"], "not_enough_data");
    assert_eq!(shorter["reason"], "Nobody who saw control has converted");
}

#[tokio::test]
async fn too_little_is_no_answer_and_has_a_reason() {
    let site = Site::start();
    let id = site.run(json!({})).await;
    let shown = site.results(&id, "").await;
    let none = json!({
        "experimentId": id, "status": "running", "winner": null, "significant": false,
        "verdict": "not_enough_data", "reason": "Nobody has seen the experiment yet", "warnings": [],
        "multiExposedVisitors": 0, "windowDays": 90,
    });
    for (name, value) in none.as_object().unwrap() {
        assert_eq!(shown[name], *value, "{name}");
    }
    assert_eq!(shown["variants"][1]["conversionRate"], 0);
    site.send(&visitors(&id)[..60]).await;
    let shown = site.results(&id, "").await;
    assert_eq!(
        (&shown["verdict"], &shown["winner"]),
        (&json!("not_enough_data"), &Value::Null)
    );
    let reason = shown["reason"].as_str().unwrap();
    assert!(
        reason.ends_with("visitors; every variant needs 100"),
        "{reason}"
    );
    let text = shown.to_string();
    for word in ["NaN", "Infinity", "inf\""] {
        assert!(!text.contains(word), "{text}");
    }
}

#[tokio::test]
async fn a_split_that_cannot_be_an_accident_is_told() {
    let site = Site::start();
    let id = site.run(json!({})).await;
    let mut events = visitors(&id);
    for number in 0..200 {
        events.push(viewed(&id, &format!("w_{number}"), "control"));
    }
    site.send(&events).await;
    let shown = site.results(&id, "").await;
    assert_eq!(shown["srm"]["flagged_at_0_001"], true);
    assert!(shown["warnings"][0].as_str().unwrap().contains("not split"));
    assert_eq!(
        (&shown["winner"], &shown["significant"]),
        (&Value::Null, &json!(false))
    );
}

#[tokio::test]
async fn requests_that_cannot_be_are_refused() {
    let site = Site::start();
    let id = site.run(json!({})).await;
    let refused = async |query: &str, status: u16| {
        let path = format!("/api/experiments/results{query}");
        let answer = site.http.get(&path).await.expect(status);
        answer["error"].as_str().unwrap().to_owned()
    };
    assert_eq!(refused("", 400).await, "id is required");
    assert_eq!(refused("?id=exp_0", 404).await, "Experiment not found");
    let own = format!("?id={id}");
    for (more, error) in [
        ("&windowDays=0", "windowDays must be between 1 and 365"),
        ("&windowDays=366", "windowDays must be between 1 and 365"),
        (
            "&multiExposed=last",
            "multiExposed must be one of exclude, first",
        ),
        ("&bots=some", "bots must be one of exclude, include, only"),
        ("&currency=usd", "currency is not valid"),
    ] {
        assert_eq!(refused(&format!("{own}{more}"), 400).await, error);
    }
}

fn generated(python: &Path, folder: &Path) -> Value {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join(SCRIPTS);
    for (script, arguments) in [
        (
            "make_events.py",
            vec!["--n", "8000", "--seed", "5", "--out", "."],
        ),
        ("expected.py", vec![".", "--shape", "apex", "--tz", "UTC"]),
    ] {
        let done = Command::new(python)
            .arg(scripts.join(script))
            .args(arguments)
            .current_dir(folder)
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{errors}");
    }
    let expected = std::fs::read_to_string(folder.join("expected.json")).unwrap();
    serde_json::from_str(&expected).unwrap()
}

/// Generated traffic, late, out of order and delivered twice, counted by others.
#[tokio::test]
async fn results_are_those_of_an_independent_count() {
    let test = "growth::experiments::results::results_are_those_of_an_independent_count";
    let imports = "import numpy, duckdb, pandas";
    let serves = |python: &std::path::PathBuf| {
        let tried = Command::new(python).args(["-c", imports]).output();
        tried.is_ok_and(|tried| tried.status.success())
    };
    let made = kit::folder().map(|folder| folder.join("venv/bin/python"));
    let Some(python) = made.into_iter().chain(program("python3")).find(serves) else {
        skip(
            test,
            "no python3 with numpy, duckdb, pandas: scripts/clients install",
        );
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let expected = generated(&python, folder.path());
    let site = Site::start();
    let mut text = std::fs::read_to_string(folder.path().join("apex.ndjson")).unwrap();
    let mut ids = Vec::new();
    for (name, weights) in [
        ("pricing-page", vec![1, 1]),
        ("checkout-button", vec![2, 1, 1]),
    ] {
        let variants: Vec<_> = weights
            .iter()
            .map(|own| json!({"name": "V", "weight": own}))
            .collect();
        let id = site.run(json!({"variants": variants})).await;
        text = text.replace(&format!("\"{name}\""), &format!("\"{id}\""));
        ids.push((name, id));
    }
    let events: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    site.send(&events).await;
    for (name, id) in ids {
        let right = &expected["experiments"][name];
        for (label, several) in [
            ("first_exposure", "first"),
            ("without_multi_exposed", "exclude"),
        ] {
            for goal in ["signup_completed", "order_placed"] {
                let more = format!(
                    "&windowDays=365&bots=include&currency=USD&multiExposed={several}&goal={goal}"
                );
                let shown = site.results(&id, &more).await;
                assert_eq!(
                    shown["multiExposedVisitors"], right["multi_exposed"],
                    "{name}"
                );
                let arms = right[label]["arms"].as_array().unwrap();
                assert_eq!(shown["variants"].as_array().unwrap().len(), arms.len());
                for (at, arm) in arms.iter().enumerate() {
                    let own = &shown["variants"][at];
                    let what = format!("{name} {label} {goal} {at}: {own}");
                    assert_eq!(own["visitors"], arm["visitors"], "{what}");
                    let converted = arm["goals"].get(goal).cloned().unwrap_or(json!(0));
                    assert_eq!(own["conversions"], converted, "{what}");
                    let money = &arm["revenue_usd"];
                    assert_eq!(own["buyers"], money["buyers"], "{what}");
                    let sum: f64 = money["sum"].as_str().unwrap().parse().unwrap();
                    assert!(
                        (own["revenue"].as_f64().unwrap() - sum).abs() < 0.005,
                        "{what}"
                    );
                }
                let chi = shown["srm"]["chi_square"].as_f64().unwrap();
                let right = right[label]["srm_chi_square"].as_f64().unwrap();
                assert!((chi - right).abs() < 1e-6, "{name} {label}: {chi} {right}");
            }
        }
    }
}
