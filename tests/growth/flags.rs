//! Experiments as flags, for clients that others have written.

use serde_json::{Value, json};

use crate::growth::experiments::Site;

const ONE: &str = "/ofrep/v1/evaluate/flags";

#[tokio::test]
async fn growthbook_s_sdks_find_features() {
    let site = Site::start();
    let path = format!("/api/features/{}", site.own.project_key);
    let page = site.server.http();
    let none = page.get(&path).await.expect(200);
    assert_eq!(none, json!({"status": 200, "features": {}}));
    let id = site.run(json!({
        "delivery": "sdk", "bucketing": "growthbook", "trafficSplit": 50,
        "variants": [
            {"name": "Control", "weight": 3, "value": false}, {"name": "On", "weight": 1, "value": true},
        ],
        "condition": {"country": "DE"},
        "namespace": {"name": "checkout", "from": 0, "to": 0.5},
        "holdout": {"percent": 10},
        "forcedVisitors": [{"visitorId": "v_qa", "variant": "variant_b"}],
    })).await;
    let answer = page.get(&path).await;
    let features = answer.expect(200);
    assert_eq!(features["status"], 200);
    assert!(features["dateUpdated"].is_string());
    assert_eq!(
        features["features"],
        json!({id.clone(): {
            "defaultValue": false,
            "rules": [
                {"condition": {"id": {"$in": ["v_qa"]}}, "force": true},
                {
                    "key": id, "variations": [false, true], "weights": [0.75, 0.25], "coverage": 0.5,
                    "hashAttribute": "id", "hashVersion": 2,
                    "meta": [{"key": "control"}, {"key": "variant_b"}],
                    "filters": [
                        {"seed": "default:holdout", "hashVersion": 2, "attribute": "id", "ranges": [[0.1, 1.0]]},
                        {"seed": "__checkout", "hashVersion": 1, "attribute": "id", "ranges": [[0.0, 0.5]]},
                    ],
                    "condition": {"country": "DE"},
                },
            ],
        }})
    );
    assert_eq!(answer.header("cache-control"), Some("public, max-age=60"));
    let tag = answer.header("etag").unwrap();
    assert_eq!(page.with("if-none-match", tag).get(&path).await.status, 304);
    assert_eq!(
        page.get("/api/features/pk_live_0").await.expect(400)["code"],
        "VALIDATION_ERROR"
    );
}

#[tokio::test]
async fn openfeature_s_clients_evaluate_flags() {
    let site = Site::start();
    let forced = json!([{"visitorId": "v_qa", "variant": "variant_b"}]);
    let id = site.run(json!({
        "delivery": "sdk", "forcedVisitors": forced,
        "variants": [{"name": "Off", "value": {"n": 1}}, {"name": "On", "value": {"n": 2}, "weight": 0}],
    })).await;
    let path = format!("{ONE}/{id}");
    let context = |visitor: &str| json!({"context": {"targetingKey": visitor, "country": "DE"}});
    let flag = site.http.post(&path, &context("v_1")).await.expect(200);
    let expected = json!({
        "key": id, "reason": "SPLIT", "variant": "control", "value": {"n": 1},
        "metadata": {"included": true, "reason": "bucket"},
    });
    assert_eq!(flag, expected);
    let forced = site.http.post(&path, &context("v_qa")).await.expect(200);
    assert_eq!(
        forced,
        json!({
            "key": id, "reason": "TARGETING_MATCH", "variant": "variant_b", "value": {"n": 2},
            "metadata": {"included": false, "reason": "forced"},
        })
    );
    let all = site.http.post(ONE, &context("v_1")).await;
    assert_eq!(all.expect(200), json!({"flags": [expected]}));
    let tag = all.header("etag").unwrap();
    let known = site.http.with("if-none-match", tag);
    assert_eq!(known.post(ONE, &context("v_1")).await.status, 304);
    assert_eq!(known.post(ONE, &context("v_qa")).await.status, 200);
    // A text without a value of its own is the variant's id.
    let plain = site
        .run(json!({"variants": [{"name": "A"}, {"name": "B", "weight": 0}], "trafficSplit": 0}))
        .await;
    let flag = site
        .http
        .post(&format!("{ONE}/{plain}"), &context("v_1"))
        .await
        .expect(200);
    assert_eq!(
        (&flag["value"], &flag["reason"]),
        (&json!("control"), &json!("DEFAULT"))
    );
}

#[tokio::test]
async fn failures_have_the_protocol_s_form() {
    let site = Site::start();
    let id = site.run(json!({})).await;
    let draft = site.create(json!({})).await;
    let other = site.server.organization("Other");
    let other = site.server.http().bearer(&other.key);
    let context = json!({"context": {"targetingKey": "v"}});
    let unknown = |key: &str| {
        json!({
            "key": key, "errorCode": "FLAG_NOT_FOUND", "errorDetails": "There is no such flag",
        })
    };
    for (http, key) in [
        (&site.http, "exp_0"),
        (&site.http, draft["id"].as_str().unwrap()),
        (&other, &id),
    ] {
        let answer = http.post(&format!("{ONE}/{key}"), &context).await;
        assert_eq!(answer.expect(404), unknown(key));
    }
    for (body, code) in [
        (json!({}), "TARGETING_KEY_MISSING"),
        (json!({"context": {}}), "TARGETING_KEY_MISSING"),
        (
            json!({"context": {"targetingKey": 1}}),
            "TARGETING_KEY_MISSING",
        ),
        (json!({"context": {"targetingKey": ""}}), "INVALID_CONTEXT"),
        (
            json!({"context": {"targetingKey": "v".repeat(256)}}),
            "INVALID_CONTEXT",
        ),
        (json!({"context": []}), "INVALID_CONTEXT"),
    ] {
        let one = site
            .http
            .post(&format!("{ONE}/{id}"), &body)
            .await
            .expect(400);
        let all = site.http.post(ONE, &body).await.expect(400);
        for answer in [&one, &all] {
            assert_eq!(answer["errorCode"], code, "{body}: {answer}");
            assert!(!answer["errorDetails"].as_str().unwrap().is_empty());
        }
    }
    let stranger = site.server.http().post(ONE, &context).await.expect(401);
    assert_eq!(stranger["errorCode"], "UNAUTHORIZED");
    // What is no flag at all is answered as everywhere in the product.
    let nothing: Value = site.http.get("/ofrep/v2").await.expect(404);
    assert_eq!(
        (&nothing["code"], &nothing["status"]),
        (&json!("NOT_FOUND"), &json!(404))
    );
}

/// An SDK of GrowthBook and this server agree where an experiment says they should.
#[tokio::test]
async fn this_server_buckets_as_growthbook_where_told() {
    let site = Site::start();
    let id = site
        .run(json!({"delivery": "sdk", "bucketing": "growthbook", "trafficSplit": 50}))
        .await;
    let fnv = |text: &str| {
        text.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        })
    };
    for number in 0..100 {
        let visitor = format!("v_{number}");
        let bucket =
            f64::from(fnv(&fnv(&format!("{id}{visitor}")).to_string()) % 10_000) / 10_000.0;
        let expected = match bucket {
            low if low < 0.25 => ("control", "SPLIT"),
            mid if (0.5..0.75).contains(&mid) => ("variant_b", "SPLIT"),
            _ => ("control", "DEFAULT"),
        };
        let body = json!({"context": {"targetingKey": visitor}});
        let flag = site
            .http
            .post(&format!("{ONE}/{id}"), &body)
            .await
            .expect(200);
        let own = (
            flag["variant"].as_str().unwrap(),
            flag["reason"].as_str().unwrap(),
        );
        assert_eq!(own, expected, "{visitor} at {bucket}");
    }
}
