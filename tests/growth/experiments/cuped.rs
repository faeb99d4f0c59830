//! What visitors did before they saw a variant explains part of what they do after.

use serde_json::{Value, json};

use super::Site;
use super::results::{event, viewed};

/// What a visitor paid after and before.
type Paid = (f64, f64);

/// Two hundred visitors, by variant: every second one bought before, and who did comes
/// back more often and pays more.
fn visitors() -> [Vec<Paid>; 2] {
    [0, 1].map(|arm| {
        let visitor = |number: u32| {
            let was_there = number.is_multiple_of(2);
            let then = if was_there { 10 + number % 5 } else { 0 };
            let comes_back = number.is_multiple_of(if was_there { 3 } else { 7 });
            let now = if comes_back { 20 + then + arm } else { 0 };
            (f64::from(now), f64::from(then))
        };
        (0..100).map(visitor).collect()
    })
}

fn events(id: &str, arms: &[Vec<Paid>; 2]) -> Vec<Value> {
    let mut events = Vec::new();
    for (variant, visitors) in ["control", "variant_b"].iter().zip(arms) {
        for (number, (now, then)) in visitors.iter().enumerate() {
            let visitor = format!("{variant}_{number}");
            let buy = |day: i64, value: f64| {
                let data = json!({"value": value, "currency": "EUR"});
                event("purchase", &visitor, day, &data)
            };
            events.push(viewed(id, &visitor, variant));
            // What was four weeks ago or more explains nothing.
            events.push(buy(-29, 1000.0));
            events.extend((*then > 0.0).then(|| buy(-7, *then)));
            events.extend((*now > 0.0).then(|| buy(3, *now)));
        }
    }
    events
}

/// The sums of a metric, which is of both what came after and what was before.
fn sums(arms: &[Vec<Paid>; 2], of: fn(f64) -> f64) -> Value {
    let ids = ["control", "variant_b"].iter().zip(arms);
    let sums = ids.map(|(id, visitors)| {
        let own: Vec<Paid> = visitors.iter().map(|(a, b)| (of(*a), of(*b))).collect();
        let sum = |part: fn(&Paid) -> f64| own.iter().map(part).sum::<f64>();
        json!({
            "id": id, "weight": 50, "users": own.len(),
            "sum": sum(|own| own.0), "sum_squares": sum(|own| own.0 * own.0),
            "pre_sum": sum(|own| own.1), "pre_sum_squares": sum(|own| own.1 * own.1),
            "sum_product": sum(|own| own.0 * own.1),
        })
    });
    sums.collect()
}

#[tokio::test]
async fn what_was_before_is_taken_out_of_what_came_after() {
    let site = Site::start();
    let id = site.run(json!({})).await;
    let arms = visitors();
    site.send(&events(&id, &arms)).await;
    let shown = site.results(&id, "").await;
    let metric = |name: &str| {
        let mut all = shown["metrics"].as_array().unwrap().iter();
        all.find(|metric| metric["name"] == name).unwrap()
    };
    let flags: fn(f64) -> f64 = |paid| f64::from(u8::from(paid > 0.0));
    let amounts: fn(f64) -> f64 = |paid| paid;
    for (name, plain, of) in [
        ("conversion_cuped", "conversion", flags),
        ("revenue_cuped", "revenue", amounts),
    ] {
        let own = metric(name);
        assert_eq!(own["kind"], "cuped", "{name}");
        let request = json!({"kind": "cuped", "variations": sums(&arms, of)});
        let analysis = site.http.post("/api/experiments/analyze", &request).await;
        assert_eq!(own["analysis"], analysis.expect(200), "{name}");
        let error = |metric: &Value| {
            let absolute = &metric["analysis"]["comparisons"][0]["frequentist"]["absolute"];
            absolute["standard_error"].as_f64().unwrap()
        };
        assert!(error(own) < error(metric(plain)), "{name} explains nothing");
    }
}

/// Without a time before there is nothing to explain.
#[tokio::test]
async fn new_visitors_have_no_time_before() {
    let site = Site::start();
    let id = site.run(json!({})).await;
    let mut arms = visitors();
    for (_, then) in arms.iter_mut().flatten() {
        *then = 0.0;
    }
    site.send(&events(&id, &arms)).await;
    let shown = site.results(&id, "").await;
    let names = shown["metrics"].as_array().unwrap().iter();
    let names: Vec<_> = names.map(|metric| metric["name"].clone()).collect();
    assert_eq!(names, ["conversion", "revenue", "revenue_per_order"]);
}
