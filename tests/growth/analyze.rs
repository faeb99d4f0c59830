//! Statistics of experiments, against figures that this project did not make.

use serde_json::{Value, json};

use crate::support::{Http, Server};

const PATH: &str = "/api/experiments/analyze";
/// Published answers; a member of an answer that is not there says something more.
const CASES: &str = include_str!("../data/experiments/stats.json");

fn client() -> (Server, Http) {
    let server = Server::start();
    let key = server.organization("Acme").key;
    let http = server.http().bearer(&key);
    (server, http)
}

/// Whether a figure is near enough; chances are given to nine places.
fn near(name: &str, ours: f64, published: f64) -> bool {
    let off = (ours - published).abs();
    match name {
        "p_value" | "holm" | "benjamini_hochberg" => off <= 1e-9,
        _ => off <= 1e-9 || off <= 1e-6 * published.abs(),
    }
}

/// Compares what was published with what is answered, and says where they differ.
fn compare(path: &str, name: &str, published: &Value, ours: &Value, figures: &mut usize) {
    match published {
        Value::Object(members) => {
            for (name, value) in members {
                // Why there is no answer is worded by each for itself.
                if name != "reason" && name != "family" {
                    compare(&format!("{path}.{name}"), name, value, &ours[name], figures);
                }
            }
        }
        Value::Array(items) => {
            let answered = ours.as_array().map(Vec::len);
            assert_eq!(answered, Some(items.len()), "{path}: {ours}");
            for (index, value) in items.iter().enumerate() {
                let path = format!("{path}[{index}]");
                compare(&path, name, value, &ours[index], figures);
            }
        }
        Value::Number(number) => {
            let (number, own) = (number.as_f64().unwrap(), ours.as_f64());
            let own = own.unwrap_or_else(|| panic!("{path}: no number, but {ours}"));
            assert!(near(name, own, number), "{path}: {own} instead of {number}");
            *figures += 1;
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {
            assert_eq!(ours, published, "{path}");
        }
    }
}

#[tokio::test]
async fn figures_are_those_of_an_independent_computation() {
    let (_server, http) = client();
    let published: Value = serde_json::from_str(CASES).unwrap();
    let mut figures = 0;
    for case in published["cases"].as_array().unwrap() {
        let id = case["id"].as_str().unwrap();
        let body = json!({
            "kind": case["kind"],
            "settings": case["settings"],
            "variations": case["variations"],
        });
        let answer = http.post(PATH, &body).await;
        let ours = answer.expect(200);
        for part in ["srm", "comparisons", "multiple_comparisons"] {
            let expected = &case["expected"][part];
            if !expected.is_null() {
                compare(
                    &format!("{id}.{part}"),
                    part,
                    expected,
                    &ours[part],
                    &mut figures,
                );
            }
        }
        for word in ["NaN", "Infinity", "inf"] {
            assert!(!answer.text.contains(word), "{id}: {}", answer.text);
        }
    }
    assert!(figures > 1000, "only {figures} figures were compared");
}

#[tokio::test]
async fn no_answer_has_a_reason() {
    let (_server, http) = client();
    let reason = async |kind: &str, variations: Value| {
        let body = json!({"kind": kind, "variations": variations});
        let answer = http.post(PATH, &body).await.expect(200);
        let relative = &answer["comparisons"][0]["frequentist"]["relative"];
        assert_eq!(relative["computable"], false);
        let members = relative.as_object().unwrap().len();
        assert_eq!(members, 2, "nothing but the reason: {relative}");
        let belief = &answer["comparisons"][0]["bayesian_normal_prior"]["absolute"];
        assert_eq!(belief["reason"], relative["reason"]);
        relative["reason"].as_str().unwrap().to_owned()
    };
    let two = |a: Value, b: Value| {
        let (mut a, mut b) = (a, b);
        (a["id"], b["id"]) = (json!("control"), json!("variant_b"));
        json!([a, b])
    };
    let none = two(json!({"users": 0}), json!({"users": 9, "conversions": 3}));
    assert_eq!(reason("proportion", none).await, "TOO_FEW_USERS");
    let zero = two(json!({"users": 9}), json!({"users": 9, "conversions": 3}));
    assert_eq!(reason("proportion", zero).await, "ZERO_BASELINE");
    let same = json!({"users": 4, "sum": 8, "sum_squares": 16});
    assert_eq!(
        reason("mean", two(same.clone(), same)).await,
        "ZERO_VARIANCE"
    );
    let nothing_below = json!({"users": 4, "sum": 8, "sum_squares": 20});
    let ratio = two(nothing_below.clone(), nothing_below);
    assert_eq!(reason("ratio", ratio).await, "TOO_FEW_USERS");
    let huge = json!({"users": 4, "sum": 1e300, "sum_squares": 1e308});
    assert_eq!(
        reason("mean", two(huge.clone(), huge)).await,
        "ZERO_VARIANCE"
    );
}

#[tokio::test]
async fn sums_that_cannot_be_are_refused_by_name() {
    let (server, http) = client();
    let good = json!({"id": "control", "users": 10, "conversions": 1});
    let refused = async |body: Value| {
        let answer = http.post(PATH, &body).await.expect(400);
        assert_eq!(answer["code"], "VALIDATION_ERROR");
        assert_eq!(answer["status"], 400);
        answer["error"].as_str().unwrap().to_owned()
    };
    let with = |other: Value| json!({"kind": "proportion", "variations": [good, other]});
    let cases = [
        (json!({"variations": [good, good]}), "kind"),
        (
            json!({"kind": "median", "variations": [good, good]}),
            "kind",
        ),
        (json!({"kind": "proportion"}), "variations"),
        (
            json!({"kind": "proportion", "variations": [good]}),
            "variations",
        ),
        (with(json!({"users": 1})), "id"),
        (with(json!({"id": "b", "users": -1})), "users"),
        (with(json!({"id": "b", "users": 1.5})), "users"),
        (
            with(json!({"id": "b", "users": 1, "conversions": 2})),
            "variations[1].conversions",
        ),
        (
            with(json!({"id": "b", "users": 1, "sum_squares": -1})),
            "sum_squares",
        ),
        (with(json!({"id": "b", "users": 1, "sum": "NaN"})), "sum"),
    ];
    for (body, field) in cases {
        let error = refused(body.clone()).await;
        assert!(error.contains(field), "{body}: {error}");
    }
    for alpha in [0.0, 1.0, -1.0] {
        let mut body = with(good.clone());
        body["settings"] = json!({"alpha": alpha});
        assert!(refused(body).await.contains("alpha"));
    }
    let answer = server
        .http()
        .post(PATH, &with(good.clone()))
        .await
        .expect(401);
    assert_eq!(answer["code"], "UNAUTHORIZED");
}
