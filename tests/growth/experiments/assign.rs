//! What a visitor sees, as the server says it.

use serde_json::{Value, json};

use super::{PATH, Site};

async fn assigned(site: &Site, visitor: &str, more: Value) -> Value {
    let mut body = json!({"visitorId": visitor});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    let answer = site.http.post(&format!("{PATH}/assign"), &body).await;
    answer.expect(200)
}

/// MurmurHash3, written down once more from its description.
fn murmur3(text: &str) -> u32 {
    let bytes = text.as_bytes();
    let scramble = |k: u32| {
        k.wrapping_mul(0xcc9e_2d51)
            .rotate_left(15)
            .wrapping_mul(0x1b87_3593)
    };
    let mut h = 0_u32;
    let mut at = 0;
    while at + 4 <= bytes.len() {
        let k = u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        h = (h ^ scramble(k))
            .rotate_left(13)
            .wrapping_mul(5)
            .wrapping_add(0xe654_6b64);
        at += 4;
    }
    let mut k = 0;
    for (shift, byte) in bytes[at..].iter().enumerate() {
        k |= u32::from(*byte) << (8 * shift);
    }
    h ^= scramble(k);
    h ^= bytes.len() as u32;
    h ^= h >> 16;
    h = h.wrapping_mul(0x85eb_ca6b);
    h ^= h >> 13;
    h = h.wrapping_mul(0xc2b2_ae35);
    h ^ (h >> 16)
}

#[tokio::test]
async fn assignment_is_the_documented_rule() {
    let site = Site::start();
    let id = site.run(json!({"trafficSplit": 70})).await;
    let mut inside = 0;
    for number in 0..200 {
        let visitor = format!("v_é{number}");
        let part = murmur3(&format!("{visitor}{id}:in")) % 100;
        let bucket = murmur3(&format!("{visitor}{id}")) % 100;
        let expected = match (part < 70, bucket < 50) {
            (false, _) => {
                json!({"experimentId": id, "variant": "control", "included": false, "reason": "traffic"})
            }
            (true, first) => {
                let variant = if first { "control" } else { "variant_b" };
                json!({"experimentId": id, "variant": variant, "included": true, "reason": "bucket", "bucket": bucket})
            }
        };
        inside += i32::from(part < 70);
        assert_eq!(
            assigned(&site, &visitor, json!({})).await,
            json!([expected]),
            "{visitor}"
        );
    }
    assert!((100..180).contains(&inside), "{inside}");
}

#[tokio::test]
async fn who_takes_no_part_is_told_why() {
    let site = Site::start();
    let reason = async |more: Value, visitor: &str, attributes: Value| {
        let id = site.run(more).await;
        let asked = json!({"experimentIds": [id], "attributes": attributes});
        let answer = assigned(&site, visitor, asked).await[0].clone();
        (
            answer["reason"].as_str().unwrap().to_owned(),
            answer["variant"].as_str().unwrap().to_owned(),
            answer["included"] == true,
        )
    };
    let told =
        |reason: &str, variant: &str, included| (reason.to_owned(), variant.to_owned(), included);
    let germany = json!({"condition": {"country": "DE"}});
    let b_alone = json!([{"name": "A", "weight": 0}, {"name": "B"}]);
    let only_b = |mut more: Value| {
        more["variants"] = b_alone.clone();
        more
    };
    assert_eq!(
        reason(only_b(germany.clone()), "v", json!({"country": "DE"})).await,
        told("bucket", "variant_b", true)
    );
    assert_eq!(
        reason(only_b(germany.clone()), "v", json!({"country": "AT"})).await,
        told("condition", "control", false)
    );
    assert_eq!(
        reason(only_b(germany), "v", json!({})).await,
        told("condition", "control", false)
    );
    let by_id = json!({"condition": {"id": "v"}});
    assert_eq!(
        reason(only_b(by_id), "v", json!({})).await,
        told("bucket", "variant_b", true)
    );
    let held = json!({"holdout": {"percent": 100}});
    assert_eq!(
        reason(only_b(held), "v", json!({})).await,
        told("holdout", "control", false)
    );
    let nobody = json!({"trafficSplit": 0});
    assert_eq!(
        reason(only_b(nobody), "v", json!({})).await,
        told("traffic", "control", false)
    );
    let forced = json!({"trafficSplit": 0, "forcedVisitors": [{"visitorId": "v_qa", "variant": "variant_b"}]});
    assert_eq!(
        reason(forced, "v_qa", json!({})).await,
        told("forced", "variant_b", false)
    );
    let share = json!({"namespace": {"name": "n", "from": 0.999, "to": 1}});
    assert_eq!(
        reason(only_b(share), "v", json!({})).await,
        told("namespace", "control", false)
    );
    let draft = site.create(json!({})).await;
    let answer = assigned(&site, "v", json!({"experimentIds": [draft["id"]]})).await;
    assert_eq!(answer[0]["reason"], "not_running");
}

#[tokio::test]
async fn errors_name_what_is_wrong() {
    let site = Site::start();
    let path = format!("{PATH}/assign");
    let missing = site.http.post(&path, &json!({})).await.expect(400);
    assert_eq!(
        missing,
        json!({"error": "visitorId is required", "code": "VALIDATION_ERROR", "status": 400})
    );
    let unknown = json!({"visitorId": "v", "experimentIds": ["exp_0"]});
    assert_eq!(
        site.http.post(&path, &unknown).await.expect(404)["code"],
        "NOT_FOUND"
    );
    let wrong = json!({"visitorId": "v", "attributes": []});
    assert_eq!(
        site.http.post(&path, &wrong).await.expect(400)["error"],
        "attributes must be an object"
    );
    let public = site.server.http().with("x-api-key", &site.own.project_key);
    let body = json!({"visitorId": "v"});
    assert_eq!(
        public.post(&path, &body).await.expect(403)["code"],
        "FORBIDDEN"
    );
    assert_eq!(
        site.server.http().post(&path, &body).await.expect(401)["code"],
        "UNAUTHORIZED"
    );
}
