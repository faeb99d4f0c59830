//! The documented requests, answers and errors.

use serde_json::{Value, json};

use super::{PATH, Site, new};

/// Takes a member out.
fn take(value: &mut Value, name: &str) -> Value {
    value
        .as_object_mut()
        .unwrap()
        .remove(name)
        .unwrap_or_default()
}

#[tokio::test]
async fn an_experiment_is_created_listed_and_changed() {
    let site = Site::start();
    let created = site.create(json!({})).await;
    let mut shown = created.clone();
    let id = take(&mut shown, "id");
    assert!(id.as_str().unwrap().starts_with("exp_"), "{id}");
    let (at, updated) = (take(&mut shown, "createdAt"), take(&mut shown, "updatedAt"));
    assert_eq!(at, updated);
    assert!(at.as_str().unwrap().ends_with('Z'));
    let expected = json!({
        "name": "Plans page CTA", "targetUrl": "/plans", "status": "draft", "mode": "ab",
        "trafficSplit": 100, "beliefId": null, "goal": null,
        "variants": [
            {"id": "control", "name": "Control", "buckets": [{"from": 0, "to": 50}]},
            {
                "id": "variant_b", "name": "Green button", "css": ".cta{background:#2a4}",
                "buckets": [{"from": 50, "to": 100}],
            },
        ],
        "delivery": "snippet", "bucketing": "murmur3",
    });
    assert_eq!(shown, expected);
    let text = site.http.get(PATH).await.text;
    assert!(text.starts_with("[{\"id\":\"exp_"), "{text}");
    assert_eq!(
        serde_json::from_str::<Value>(&text).unwrap(),
        json!([created])
    );

    let changes = json!({"id": id, "status": "running"});
    let mut running = site.http.patch(PATH, &changes).await.expect(200);
    assert_eq!(running["status"], "running");
    assert!(running["startedAt"].as_str().unwrap() >= at.as_str().unwrap());
    assert_eq!(running["createdAt"], at);
    take(&mut running, "startedAt");
    let mut plain = created.clone();
    plain["status"] = json!("running");
    plain["updatedAt"] = running["updatedAt"].clone();
    assert_eq!(running, plain);
}

#[tokio::test]
async fn lists_are_filtered_by_status_and_read_in_pages() {
    let site = Site::start();
    let mut ids = Vec::new();
    for name in ["One", "Two", "Three"] {
        let made = site.create(json!({"name": name})).await;
        ids.push(made["id"].as_str().unwrap().to_owned());
    }
    site.change(&ids[1], json!({"status": "running"})).await;
    let listed = async |query: &str| {
        let all = site.http.get(&format!("{PATH}{query}")).await.expect(200);
        let all = all.as_array().unwrap().clone();
        all.iter()
            .map(|one| one["id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(listed("").await, ids);
    assert_eq!(
        listed("?status=draft").await,
        [ids[0].clone(), ids[2].clone()]
    );
    assert_eq!(listed("?status=running").await, ids[1..2]);
    assert!(listed("?status=paused").await.is_empty());
    assert!(listed("?status=completed").await.is_empty());
    assert_eq!(listed("?limit=2").await, ids[..2]);
    assert_eq!(
        listed(&format!("?limit=2&cursor={}", ids[1])).await,
        ids[2..]
    );
    assert_eq!(
        listed(&format!("?status=draft&cursor={}", ids[0])).await,
        ids[2..]
    );
    let other = site.server.organization("Other");
    let http = site.server.http().bearer(&other.key);
    for id in [ids[0].as_str(), "exp_0"] {
        let answer = http.get(&format!("{PATH}?cursor={id}")).await.expect(404);
        assert_eq!(
            answer,
            json!({"error": "Experiment not found", "code": "NOT_FOUND", "status": 404})
        );
    }
}

#[tokio::test]
async fn an_experiment_is_deleted_by_query_or_body() {
    let site = Site::start();
    let [first, second] = [site.create(json!({})).await, site.create(json!({})).await];
    let path = format!("{PATH}?id={}", first["id"].as_str().unwrap());
    assert_eq!(
        site.http.delete(&path).await.expect(200),
        json!({"success": true})
    );
    let body = json!({"id": second["id"]}).to_string().into_bytes();
    let json = site.http.with("content-type", "application/json");
    let answer = json.send(reqwest::Method::DELETE, PATH, Some(body)).await;
    assert_eq!(answer.expect(200), json!({"success": true}));
    assert_eq!(site.http.get(PATH).await.expect(200), json!([]));
    site.http.delete(&path).await.expect(404);
}

/// A refused request and what the error says.
async fn refused(site: &Site, more: Value, error: &str) {
    let answer = site.http.post(PATH, &new(&more)).await;
    assert_eq!(answer.status, 400, "{more}: {}", answer.text);
    let body = answer.json();
    let expected = json!({"error": error, "code": "VALIDATION_ERROR", "status": 400});
    assert_eq!(body, expected, "{more}");
}

#[tokio::test]
async fn what_is_missing_or_cannot_be_is_named() {
    let site = Site::start();
    for split in [json!(101), json!(-1), json!(100.01)] {
        let error = "trafficSplit must be between 0 and 100";
        refused(&site, json!({"trafficSplit": split}), error).await;
    }
    let one = json!([{"name": "Control"}]);
    let change =
        |change: Value| json!({"variants": [{"name": "A"}, {"name": "B", "changes": [change]}]});
    let goal = |goal: Value| json!({"goal": goal});
    let cases = [
        (json!({"name": ""}), "name is required"),
        (json!({"name": "   "}), "name is required"),
        (json!({"name": null}), "name is required"),
        (
            json!({"name": "n".repeat(201)}),
            "name must have at most 200 bytes",
        ),
        (json!({"targetUrl": null}), "targetUrl is required"),
        (
            json!({"variants": one}),
            "variants must have at least 2 elements",
        ),
        (
            json!({"variants": [{"name": "A"}, {"css": "b{}"}]}),
            "name is required",
        ),
        (
            json!({"variants": [{"name": "A", "weight": 0}, {"name": "B", "weight": 0}]}),
            "variants must have a weight that is more than 0",
        ),
        (
            json!({"variants": [{"name": "A", "weight": -1}, {"name": "B"}]}),
            "weight must be between 0 and 1000000",
        ),
        (
            json!({"mode": "abc"}),
            "mode must be one of ab, multivariate, bandit",
        ),
        (
            json!({"delivery": "mail"}),
            "delivery must be one of snippet, sdk",
        ),
        (
            json!({"bucketing": "md5"}),
            "bucketing must be one of murmur3, growthbook",
        ),
        (
            json!({"bucketing": "growthbook"}),
            "bucketing can be growthbook only with delivery sdk",
        ),
        (
            change(json!({"type": "html"})),
            "variants[1].changes[0].type must be one of text, redirect, code",
        ),
        (
            change(json!({"type": "text", "selector": "h1"})),
            "variants[1].changes[0].value is required",
        ),
        (
            change(json!({"type": "redirect"})),
            "variants[1].changes[0].url is required",
        ),
        (
            change(json!({"type": "redirect", "url": "javascript:alert(1)"})),
            "variants[1].changes[0].url must be a path or an http or https URL",
        ),
        (
            change(json!({"type": "redirect", "url": "//evil.example"})),
            "variants[1].changes[0].url must be a path or an http or https URL",
        ),
        (
            change(json!({"type": "code"})),
            "variants[1].changes[0].js is required",
        ),
        (
            goal(json!({"type": "wish"})),
            "goal.type must be one of form_submit, page_visit, click, custom_event",
        ),
        (
            goal(json!({"type": "custom_event"})),
            "goal.eventName is required",
        ),
        (
            goal(json!({"type": "page_visit"})),
            "goal.urlPattern is required",
        ),
        (goal(json!({"type": "click"})), "goal.selector is required"),
        (
            json!({"condition": {"a": {"$where": 1}}}),
            "condition has an operator $where that is not known",
        ),
        (
            json!({"namespace": {"name": "n", "from": 0.5, "to": 0.5}}),
            "namespace.to must be more than namespace.from",
        ),
        (
            json!({"forcedVisitors": [{"visitorId": "v", "variant": "variant_c"}]}),
            "forcedVisitors[0].variant is no variant of the experiment",
        ),
        (
            json!({"startAt": "2030-01-02T00:00:00Z", "stopAt": "2030-01-01T00:00:00Z"}),
            "stopAt must be after startAt",
        ),
    ];
    for (more, error) in cases {
        refused(&site, more, error).await;
    }
    let many = vec![json!({"name": "V"}); 21];
    refused(
        &site,
        json!({"variants": many}),
        "variants must have at most 20 elements",
    )
    .await;
    let large = json!([{"name": "A", "js": "x".repeat(65_000)}, {"name": "B", "css": "x".repeat(65_000)},
        {"name": "C", "js": "x".repeat(5_000)}]);
    refused(
        &site,
        json!({"variants": large}),
        "The experiment is larger than 131072 bytes",
    )
    .await;
    assert_eq!(site.http.get(PATH).await.expect(200), json!([]));
    let unknown = site
        .http
        .get(&format!("{PATH}?status=lost"))
        .await
        .expect(400);
    assert_eq!(
        unknown["error"],
        "status must be one of draft, running, paused, completed"
    );
}

#[tokio::test]
async fn everything_that_can_be_said_is_kept() {
    let site = Site::start();
    let said = json!({
        "name": "All", "targetUrl": "https://www.example.com/plans#hero", "trafficSplit": 12.5,
        "beliefId": "bel_3", "mode": "multivariate", "delivery": "sdk", "bucketing": "growthbook",
        "goal": {"type": "page_visit", "urlPattern": "/thanks", "value": 9.5},
        "condition": {"country": {"$in": ["DE", "AT"]}},
        "namespace": {"name": "checkout", "from": 0.25, "to": 0.75},
        "holdout": {"name": "all", "percent": 5},
        "forcedVisitors": [{"visitorId": "v_tester", "variant": "variant_c"}],
        "startAt": "2099-01-01T00:00:00Z", "stopAt": "2099-02-01T00:00:00.5Z",
        "variants": [
            {"name": "Control", "weight": 0.5, "value": {"color": "blue"}},
            {"name": "B", "weight": 0.25, "js": "go()", "value": false},
            {"name": "C", "weight": 0.25, "changes": [
                {"type": "text", "selector": "h1.title", "originalValue": "Old", "value": "New"},
                {"type": "redirect", "url": "/other"},
                {"type": "code", "js": "go()", "css": "b{}"},
            ]},
        ],
    });
    let made = site.http.post(PATH, &said).await.expect(200);
    for (name, value) in said.as_object().unwrap() {
        if name != "variants" && name != "stopAt" {
            assert_eq!(made[name], *value, "{name}");
        }
    }
    assert_eq!(made["stopAt"], "2099-02-01T00:00:00.500Z");
    let ids: Vec<_> = made["variants"]
        .as_array()
        .unwrap()
        .iter()
        .map(|own| &own["id"])
        .collect();
    assert_eq!(ids, ["control", "variant_b", "variant_c"]);
    for (own, said) in made["variants"]
        .as_array()
        .unwrap()
        .iter()
        .zip(said["variants"].as_array().unwrap())
    {
        for (name, value) in said.as_object().unwrap() {
            assert_eq!(own[name], *value, "{name}");
        }
    }
    assert_eq!(
        made["variants"][2]["buckets"],
        json!([{"from": 75, "to": 100}])
    );
}
