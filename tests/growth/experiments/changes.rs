//! Changes of an experiment: which there are, and whom they move.

use serde_json::{Value, json};

use super::Site;

#[tokio::test]
async fn states_change_as_documented_and_in_no_other_way() {
    let site = Site::start();
    let all = ["draft", "running", "paused", "completed"];
    let ways = [
        ("draft", "running"),
        ("running", "paused"),
        ("running", "completed"),
        ("paused", "running"),
        ("paused", "completed"),
        ("paused", "draft"),
    ];
    // How an experiment gets into a state.
    let path = |state: &str| match state {
        "draft" => vec![],
        "running" => vec!["running"],
        "paused" => vec!["running", "paused"],
        _ => vec!["running", "completed"],
    };
    for from in all {
        for to in all {
            let made = site.create(json!({})).await;
            let id = made["id"].as_str().unwrap();
            for state in path(from) {
                site.change(id, json!({"status": state})).await;
            }
            let answer = site.try_change(id, json!({"status": to})).await;
            if from == to || ways.contains(&(from, to)) {
                assert_eq!(answer.expect(200)["status"], to, "{from} to {to}");
            } else {
                let error = format!("status cannot change from {from} to {to}");
                let body = json!({"error": error, "code": "VALIDATION_ERROR", "status": 400});
                assert_eq!(answer.expect(400), body);
            }
        }
    }
    let made = site.create(json!({})).await;
    for wrong in [json!("stopped"), json!(""), json!(null)] {
        let answer = site
            .try_change(made["id"].as_str().unwrap(), json!({"status": wrong}))
            .await;
        let error = "status must be one of draft, running, paused, completed";
        assert_eq!(answer.expect(400)["error"], error);
    }
}

#[tokio::test]
async fn times_tell_when_it_began_and_ended() {
    let site = Site::start();
    let id = site.run(json!({})).await;
    let paused = site.change(&id, json!({"status": "paused"})).await;
    let again = site.change(&id, json!({"status": "running"})).await;
    assert_eq!(paused["startedAt"], again["startedAt"]);
    assert_eq!(again["completedAt"], Value::Null);
    let ended = site.change(&id, json!({"status": "completed"})).await;
    assert_eq!(ended["startedAt"], again["startedAt"]);
    assert!(ended["completedAt"].as_str() >= ended["startedAt"].as_str());
    // Of what is over only the name changes.
    let renamed = site.change(&id, json!({"name": "Old"})).await;
    assert_eq!(renamed["name"], "Old");
    let answer = site
        .try_change(&id, json!({"trafficSplit": 10}))
        .await
        .expect(400);
    let error = "trafficSplit cannot be changed once the experiment is completed";
    assert_eq!(answer["error"], error);
}

#[tokio::test]
async fn only_what_is_sent_changes() {
    let site = Site::start();
    let goal = json!({"type": "form_submit"});
    let made = site.create(json!({"goal": goal, "trafficSplit": 40})).await;
    let id = made["id"].as_str().unwrap();
    let renamed = site.change(id, json!({"name": "New"})).await;
    let mut expected = made.clone();
    expected["name"] = json!("New");
    expected["updatedAt"] = renamed["updatedAt"].clone();
    assert_eq!(renamed, expected);
    let cleared = site.change(id, json!({"goal": null})).await;
    assert_eq!(cleared["goal"], Value::Null);
    let refused = site
        .try_change(id, json!({"name": "x", "trafficSplit": 101}))
        .await
        .expect(400);
    assert_eq!(refused["error"], "trafficSplit must be between 0 and 100");
    let all = site.http.get(super::PATH).await.expect(200);
    assert_eq!(all[0], cleared, "nothing changed");
    // What was read may be sent back as a whole.
    let mut whole = cleared.clone();
    whole["name"] = json!("Whole");
    let sent = site.http.patch(super::PATH, &whole).await.expect(200);
    assert_eq!(sent["name"], "Whole");
    assert_eq!(sent["createdAt"], made["createdAt"]);
}

#[tokio::test]
async fn a_rule_does_not_change_while_visitors_see_it() {
    let site = Site::start();
    let id = site.run(json!({"delivery": "sdk"})).await;
    for (name, value) in [
        ("mode", "bandit"),
        ("delivery", "snippet"),
        ("bucketing", "growthbook"),
    ] {
        let answer = site.try_change(&id, json!({name: value})).await.expect(400);
        let error = format!("{name} cannot be changed once the experiment is running");
        assert_eq!(answer["error"], error);
    }
}

/// Who has seen an experiment cannot be made not to have.
#[tokio::test]
async fn an_experiment_somebody_saw_is_no_draft_any_more() {
    let site = Site::start();
    let id = site.run(json!({})).await;
    site.change(&id, json!({"status": "paused"})).await;
    let draft = site.change(&id, json!({"status": "draft"})).await;
    assert_eq!(draft["startedAt"], Value::Null);
    site.change(&id, json!({"status": "running"})).await;
    let event = json!({
        "event_name": "experiment_viewed", "visitor_id": "v_1",
        "metadata": {"experimentId": id, "variant": "variant_b"},
    });
    site.http.post("/api/v1/events", &event).await.expect(200);
    site.change(&id, json!({"status": "paused"})).await;
    let answer = site
        .try_change(&id, json!({"status": "draft"}))
        .await
        .expect(400);
    let error = "status cannot change from paused to draft: visitors have seen the experiment";
    assert_eq!(answer["error"], error);
}

#[tokio::test]
async fn other_weights_move_buckets_and_no_more_than_needed() {
    let site = Site::start();
    let variants =
        |weights: [f64; 3]| json!(weights.map(|weight| json!({"name": "V", "weight": weight})));
    let id = site
        .run(json!({"variants": variants([1.0, 1.0, 1.0])}))
        .await;
    let buckets = |experiment: &Value| {
        let mut owners = [usize::MAX; 100];
        for (at, variant) in experiment["variants"]
            .as_array()
            .unwrap()
            .iter()
            .enumerate()
        {
            for range in variant["buckets"].as_array().unwrap() {
                let [from, to] = ["from", "to"].map(|end| range[end].as_u64().unwrap() as usize);
                owners[from..to].fill(at);
            }
        }
        assert!(owners.iter().all(|own| *own < 3), "{owners:?}");
        owners
    };
    let mut before = buckets(&site.change(&id, json!({})).await);
    // 34, 33 and 33 buckets at first; how many must move by how many a variant gains.
    for (weights, least) in [
        ([50.0, 25.0, 25.0], 16),
        ([25.0, 50.0, 25.0], 25),
        ([25.0, 25.0, 50.0], 25),
    ] {
        let after = buckets(
            &site
                .change(&id, json!({"variants": variants(weights)}))
                .await,
        );
        let moved = before.iter().zip(&after).filter(|(b, a)| b != a).count();
        assert_eq!(moved, least, "{weights:?}");
        before = after;
    }
}
