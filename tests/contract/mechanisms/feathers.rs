//! What FeathersJS clients say and expect: their words for verbs there are none of, a
//! slash at the end, methods by name, decimals as numbers or text, and milliseconds.

use super::start;

/// FeathersJS passes over the id of something new.
#[tokio::test]
async fn an_id_of_something_new_is_passed_over() {
    let host = start().await;
    let plain = host.send("POST", "/bills", "{}").await;
    for path in ["/bills/1", "/bills/1/"] {
        let answer = host.send("POST", path, "{}").await;
        assert_eq!(answer.status, plain.status, "{path}: {}", answer.text);
        assert_eq!(answer.text, plain.text);
    }
    assert_eq!(host.send("POST", "/bills/1/2", "{}").await.status, 404);
}

#[tokio::test]
async fn verbs_there_are_none_of() {
    let host = start().await;
    for (verb, path, status, words) in [
        ("PATCH", "/bills", 405, "Can not patch multiple entries"),
        ("DELETE", "/bills", 405, "Can not remove multiple entries"),
        (
            "PUT",
            "/bills",
            400,
            "You can not replace multiple instances. Did you mean 'patch'?",
        ),
        (
            "GET",
            "/bills/1",
            405,
            "Method `find` is not supported by this endpoint.",
        ),
        (
            "TRACE",
            "/bills",
            405,
            "Method `trace` is not supported by this endpoint.",
        ),
    ] {
        let answer = host.send(verb, path, "{}").await;
        assert_eq!(answer.expect(status)["message"], words, "{verb} {path}");
    }
}

#[tokio::test]
async fn slashes_and_methods_by_name() {
    let host = start().await;
    assert_eq!(host.get("/bills/").await.expect(200)["id"], 0);
    let patched = host.send("PATCH", "/bills/7/", r#"{"amount": "1"}"#).await;
    assert_eq!(patched.expect(200)["id"], 7);
    // Other dialects do not pass over it.
    assert_eq!(host.get("/things/1/").await.status, 404);
    let named = host.http.with("x-service-method", "explode");
    let answer = named.post("/bills", &serde_json::json!({})).await;
    let words = "The method of X-Service-Method is not supported by this endpoint.";
    assert_eq!(answer.expect(405)["message"], words);
    // Only a POST has methods by name.
    assert_eq!(named.get("/bills").await.status, 200);
}

#[tokio::test]
async fn decimals_and_milliseconds() {
    let host = start().await;
    for (sent, answered) in [
        (r#"{"amount": 25000}"#, r#"{"id":0,"amount":"25000"}"#),
        (
            r#"{"amount": "25000.00"}"#,
            r#"{"id":0,"amount":"25000.00"}"#,
        ),
        (r#"{"amount": null}"#, r#"{"id":0}"#),
        (r#"{"price": 999.99}"#, r#"{"id":0,"price":999.99}"#),
        (r#"{"price": "999.99"}"#, r#"{"id":0,"price":999.99}"#),
        (
            r#"{"paid": "2024-01-31T12:00:00Z"}"#,
            r#"{"id":0,"paid":"2024-01-31T12:00:00.000Z"}"#,
        ),
        (
            r#"{"paid": "2024-01-31T12:00:00.123456Z"}"#,
            r#"{"id":0,"paid":"2024-01-31T12:00:00.123Z"}"#,
        ),
        (
            r#"{"paid": "2024-01-31T12:00:00.5+01:00"}"#,
            r#"{"id":0,"paid":"2024-01-31T11:00:00.500Z"}"#,
        ),
    ] {
        let answer = host.send("POST", "/bills", sent).await;
        assert_eq!(
            (answer.status, answer.text.as_str()),
            (200, answered),
            "{sent}"
        );
    }
    for (sent, words) in [
        (r#"{"amount": true}"#, "amount must be a string"),
        (r#"{"price": "dear"}"#, "price must be a number"),
        (r#"{"id": "7"}"#, "id must be a number"),
    ] {
        let answer = host.send("POST", "/bills", sent).await;
        assert_eq!(answer.expect(400)["message"], words);
    }
}
