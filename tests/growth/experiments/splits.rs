//! How visitors were split, and whether that can be believed.

use serde_json::{Value, json};

use super::Site;
use super::results::{event, viewed};

/// Visitors of control and of the other variant, of whom every so many convert.
fn split(id: &str, arms: [(u32, u32); 2]) -> Vec<Value> {
    let mut events = Vec::new();
    for (variant, (count, every)) in ["control", "variant_b"].iter().zip(arms) {
        for number in 0..count {
            let visitor = format!("{variant}_{number}");
            events.push(viewed(id, &visitor, variant));
            if number % every == 0 {
                events.push(event("goal_conversion", &visitor, 1, &json!({"goal": "g"})));
            }
        }
    }
    events
}

#[tokio::test]
async fn nothing_is_believed_of_a_split_that_cannot_be_an_accident() {
    let site = Site::start();
    let id = site.run(json!({})).await;
    site.send(&split(&id, [(350, 10), (150, 2)])).await;
    let shown = site.results(&id, "").await;
    assert_eq!(shown["srm"]["flagged_at_0_001"], true);
    assert_eq!(shown["verdict"], "invalid_split");
    assert_eq!(
        (&shown["winner"], &shown["significant"]),
        (&Value::Null, &json!(false))
    );
    assert!(shown["warnings"][0].as_str().unwrap().contains("not split"));
}

/// Its shares are not ones that were settled: it is not judged by them anywhere.
#[tokio::test]
async fn a_bandit_is_judged_by_no_split() {
    let site = Site::start();
    let id = site.run(json!({"mode": "bandit"})).await;
    site.send(&split(&id, [(350, 10), (150, 2)])).await;
    let shown = site.results(&id, "").await;
    assert_eq!(shown["srm"]["flagged_at_0_001"], true);
    assert_eq!(
        (&shown["verdict"], &shown["winner"]),
        (&json!("winner"), &json!("variant_b"))
    );
    let warnings = shown["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].as_str().unwrap().contains("bandit"));
}

#[tokio::test]
async fn weights_that_changed_while_it_ran_are_judged_by_no_split() {
    let site = Site::start();
    let id = site.run(json!({})).await;
    site.send(&split(&id, [(150, 10), (150, 2)])).await;
    assert_eq!(site.results(&id, "").await["verdict"], "winner");
    let weights = |own: [u32; 2]| {
        let named = |weight: &u32| json!({"name": "V", "weight": weight});
        json!({"variants": own.iter().map(named).collect::<Vec<_>>()})
    };
    // The same shares in other words change nothing.
    let same = site.change(&id, weights([50, 50])).await;
    assert_eq!(same.get("weighedAt"), None);
    let changed = site.change(&id, weights([80, 20])).await;
    assert!(changed["weighedAt"].is_string(), "{changed}");
    let shown = site.results(&id, "").await;
    assert_eq!(shown["srm"]["flagged_at_0_001"], true);
    assert_eq!(shown["verdict"], "winner");
    let warning = shown["warnings"][0].as_str().unwrap();
    assert!(warning.contains("weights changed"), "{warning}");
}

/// However often it is told that somebody saw a variant, it is one visitor.
#[tokio::test]
async fn told_again_and_again_an_exposure_is_one() {
    let site = Site::start();
    let id = site.run(json!({})).await;
    site.send(&vec![viewed(&id, "v_spam", "control"); 3000])
        .await;
    site.send(&[viewed(&id, "v_other", "variant_b")]).await;
    let shown = site.results(&id, "").await;
    let visitors = [0, 1].map(|at| shown["variants"][at]["visitors"].clone());
    assert_eq!(visitors, [json!(1), json!(1)]);
    assert_eq!(shown["multiExposedVisitors"], 0);
}
