//! Lost races, repeats and many at once.

use serde_json::{Value, json};

use super::{client, make, put};

#[tokio::test]
async fn tags_of_states() {
    let (_server, http, _own) = client();
    let made = make(&http, "/companies", json!({"name": "A"})).await;
    let path = format!("/companies/{}", made["id"]);
    let read = http.get(&path).await;
    let tag = read.header("etag").unwrap().to_owned();
    let same = http.with("if-none-match", &tag).get(&path).await;
    assert_eq!((same.status, same.text.as_str()), (304, ""));
    let mine = http.with("if-match", &tag);
    let changed = mine.patch(&path, &json!({"name": "B"})).await;
    let now = changed.header("etag").unwrap().to_owned();
    changed.expect(200);
    assert_ne!(now, tag);
    assert_eq!(http.get(&path).await.header("etag"), Some(now.as_str()));
    for lost in [
        mine.patch(&path, &json!({"name": "C"})).await,
        put(&mine, &path, &json!({"name": "C"})).await,
        mine.delete(&path).await,
    ] {
        let lost = lost.expect(409);
        assert_eq!(lost["name"], "Conflict");
        assert_eq!(lost["className"], "conflict");
    }
    assert_eq!(http.get(&path).await.json()["name"], "B");
    let fresh = http.with("if-none-match", &tag).get(&path).await;
    assert_eq!(fresh.status, 200);
    http.with("if-match", "*")
        .patch(&path, &json!({"name": "D"}))
        .await
        .expect(200);
    let now = http.get(&path).await.header("etag").unwrap().to_owned();
    http.with("if-match", &now).delete(&path).await.expect(200);
}

#[tokio::test]
async fn repeats_do_nothing_again() {
    let (_server, http, _own) = client();
    let keyed = http.with("idempotency-key", "once");
    let body = json!({"first_name": "Jane"});
    let first = keyed.post("/contacts", &body).await;
    let again = keyed.post("/contacts", &body).await;
    assert_eq!((again.status, &again.text), (201, &first.text));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    let other = keyed
        .post("/contacts", &json!({"first_name": "Joan"}))
        .await;
    assert_eq!(other.expect(409)["className"], "conflict");
    assert_eq!(http.get("/contacts").await.json()["total"], 1);
}

#[tokio::test]
async fn many_at_once() {
    let (_server, http, _own) = client();
    let all: Vec<Value> = (0..100)
        .map(|n| json!({"first_name": format!("N{n}")}))
        .collect();
    let made = make(&http, "/contacts", json!(all)).await;
    assert_eq!(made.as_array().unwrap().len(), 100);
    assert_eq!(made[99]["first_name"], "N99");
    assert_eq!(make(&http, "/contacts", json!([])).await, json!([]));
    let one = make(&http, "/contacts", json!([{"first_name": "One"}])).await;
    assert_eq!(one[0]["first_name"], "One");
    let more: Vec<Value> = (0..101)
        .map(|n| json!({"first_name": format!("N{n}")}))
        .collect();
    let refused = http.post("/contacts", &json!(more)).await.expect(400);
    assert_eq!(
        refused["message"],
        "contacts must have at most 100 elements"
    );
    let mixed = json!([{"first_name": "A"}, {"first_name": "B", "company_id": 999}]);
    let refused = http.post("/contacts", &mixed).await.expect(404);
    assert_eq!(refused["message"], "No record found for id '999'");
    assert_eq!(http.get("/contacts").await.json()["total"], 101);
}

/// What is put is all there is afterwards.
#[tokio::test]
async fn replaced_and_merged() {
    let (_server, http, _own) = client();
    let body = json!({"name": "A", "industry": "Tech", "size": "Medium"});
    let made = make(&http, "/companies", body).await;
    let path = format!("/companies/{}", made["id"]);
    let patched = http
        .patch(&path, &json!({"size": null, "website": "https://a.test"}))
        .await;
    let patched = patched.expect(200);
    assert_eq!(
        [&patched["industry"], &patched["size"]],
        [&json!("Tech"), &json!(null)]
    );
    assert_eq!(patched["website"], "https://a.test");
    // A client may send back what it was shown.
    let mut shown = patched.clone();
    shown["name"] = json!("B");
    shown.as_object_mut().unwrap().shift_remove("industry");
    let replaced = put(&http, &path, &shown).await.expect(200);
    assert_eq!(
        [&replaced["name"], &replaced["industry"]],
        [&json!("B"), &json!(null)]
    );
    assert_eq!(replaced["created_at"], made["created_at"]);
    assert_eq!(replaced["created_by_user_id"], made["created_by_user_id"]);
    assert_eq!(
        put(&http, &path, &json!({})).await.expect(400)["message"],
        "name is required"
    );
    let undone = http.patch(&path, &json!({"name": null})).await;
    assert_eq!(undone.expect(400)["message"], "name is required");
    let nothing = http.patch(&path, &json!({})).await.expect(200);
    assert_eq!(nothing, replaced);
}
