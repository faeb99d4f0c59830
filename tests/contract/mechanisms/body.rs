//! Bodies of requests and of answers.

use std::io::Write as _;

use reqwest::Method;
use serde_json::json;

use super::{Running, start, told};

#[tokio::test]
async fn the_whole_body_one_field_or_none() {
    let host = start().await;
    let whole = host
        .send("PUT", "/things/1", r#"{"name":"n","owner":{"age":3}}"#)
        .await;
    assert_eq!(whole.status, 201);
    assert_eq!(
        told(&whole),
        json!({"id": "1", "name": "n", "owner": {"name": "", "age": 3}})
    );
    // One field is the body; the rest is query.
    let field = host
        .send("POST", "/owners/1?name=n", r#"{"name":"ann"}"#)
        .await;
    assert_eq!(
        told(&field),
        json!({"id": "1", "name": "n", "owner": {"name": "ann", "age": 0}})
    );
    let inside = host.send("POST", "/owners/1?owner=x", "{}").await;
    Running::refused(&inside, "owner is the body");
    let member = host.send("POST", "/owners/1?owner.name=x", "{}").await;
    Running::refused(&member, "owner.name is in the body");
    let none = host.send("POST", "/empty/1?name=n", "").await;
    assert_eq!(told(&none), json!({"id": "1", "name": "n"}));
    let filled = host.send("POST", "/empty/1", "{}").await;
    Running::refused(&filled, "This method takes no body");
    // An empty body where one is expected is an empty message.
    let empty = host.send("PUT", "/things/1", "").await;
    assert_eq!(told(&empty), json!({"id": "1"}));
}

#[tokio::test]
async fn answers_have_stable_members_in_the_order_of_the_proto() {
    let host = start().await;
    let answer = host
        .send(
            "PUT",
            "/things/1",
            r#"{"data": {"b": 1, "a": [1.0e2, null]}}"#,
        )
        .await;
    assert_eq!(
        answer.text,
        concat!(
            r#"{"id":"1","name":"","tags":[],"numbers":[],"count":0,"active":false,"#,
            r#""colour":"COLOUR_UNSPECIFIED","labels":{},"note":null,"#,
            r#""data":{"b": 1, "a": [1.0e2, null]},"blob":"","ratio":0}"#
        )
    );
    assert_eq!(
        answer.header("content-type"),
        Some("application/json; charset=utf-8")
    );
}

#[tokio::test]
async fn one_field_is_the_answer() {
    let host = start().await;
    let body = r#"{"owner":{"name":"ann"},"tags":["a","b"],"count":7}"#;
    for (path, expected) in [
        ("/just/owner", r#"{"name":"ann","age":0}"#),
        ("/just/tags", r#"["a","b"]"#),
        ("/just/count", "7"),
        ("/just/note", "null"),
    ] {
        assert_eq!(host.send("POST", path, body).await.text, expected);
    }
}

#[tokio::test]
async fn bodies_that_are_refused() {
    let host = start().await;
    let refusals = [
        ("{", "The body is not valid JSON: unexpected end at byte 1"),
        ("[]", "The body must be an object"),
        (r#"{"nam":"x"}"#, "nam is not known"),
        (r#"{"owner":{"ag":1}}"#, "owner.ag is not known"),
        (r#"{"owner":{"age":"x"}}"#, "owner.age must be a number"),
        (r#"{"tags":["a",1]}"#, "tags[1] must be a string"),
        (r#"{"name":"a","name":"b"}"#, "name is given twice"),
        (
            r#"{"left":"a","right":"b"}"#,
            "right cannot be combined with the member before it",
        ),
        (r#"{"data":[1]}"#, "data must be an object"),
        (
            r#"{"colour":"mauve"}"#,
            "colour must be one of red, light_blue",
        ),
        (
            r#"{"name":"\ud800"}"#,
            "The body is not valid JSON: unpaired surrogate at byte 15",
        ),
    ];
    let mut answers = Vec::new();
    for (body, _) in refusals {
        let answer = host.send("PUT", "/things/1", body).await;
        answers.push((
            body,
            answer.expect(400)["error"].as_str().unwrap().to_owned(),
        ));
    }
    assert_eq!(
        answers,
        refusals.map(|(body, message)| (body, message.to_owned()))
    );
}

#[tokio::test]
async fn types_and_sizes_that_are_refused() {
    let host = start().await;
    let body = || Some(br#"{"name":"n"}"#.to_vec());
    for (kind, status) in [
        ("application/json", 201),
        ("application/json; charset=utf-8", 201),
        ("application/vnd.x+json", 201),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
    ] {
        let http = host.http.with("content-type", kind);
        let answer = http.send(Method::PUT, "/things/1", body()).await;
        assert_eq!(answer.status, status, "{kind}: {}", answer.text);
    }
    let bare = host.http.send(Method::PUT, "/things/1", body()).await;
    assert_eq!(bare.status, 201, "no type at all is taken as JSON");
    // The method's own limit, on decompressed bytes.
    let long = format!(r#"{{"name":"{}"}}"#, "n".repeat(5000));
    let answer = host.send("PUT", "/things/1", &long).await;
    assert_eq!(answer.status, 413);
    assert_eq!(answer.json()["code"], "PAYLOAD_TOO_LARGE");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(long.as_bytes()).unwrap();
    let small = gzip.finish().unwrap();
    assert!(small.len() < 200);
    let packed = host
        .http
        .with("content-type", "application/json")
        .with("content-encoding", "gzip");
    let answer = packed.send(Method::PUT, "/things/1", Some(small)).await;
    assert_eq!(answer.status, 413);
    let unknown = host.http.with("content-encoding", "br");
    let answer = unknown.send(Method::PUT, "/things/1", body()).await;
    assert_eq!(answer.status, 415);
}

#[tokio::test]
async fn compressed_bodies_of_several_members() {
    let host = start().await;
    let mut packed = Vec::new();
    for part in [r#"{"name":"#, r#""n"}"#] {
        let mut gzip = flate2::write::GzEncoder::new(&mut packed, flate2::Compression::fast());
        gzip.write_all(part.as_bytes()).unwrap();
        gzip.finish().unwrap();
    }
    let http = host.http.with("content-encoding", "gzip");
    let answer = http.send(Method::PUT, "/things/1", Some(packed)).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!(told(&answer), json!({"id": "1", "name": "n"}));
}

#[tokio::test]
async fn an_answer_of_nothing_has_no_body() {
    let host = start().await;
    for http in [host.http.clone(), crate::support::Http::http2(&host.url)] {
        let sent = http.send(Method::DELETE, "/forgotten/n", None).await;
        assert_eq!((sent.status, sent.text.as_str()), (204, ""));
        assert_eq!(sent.header("content-type"), None);
        assert_eq!(sent.header("content-length"), None);
    }
}

#[tokio::test]
async fn raw_bytes_both_ways() {
    let host = start().await;
    let bytes = vec![0, 159, 255, 10];
    let png = host.http.with("content-type", "image/png");
    let answer = png.send(Method::POST, "/raw", Some(bytes)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.header("content-type"), Some("image/png"));
    let part = host.http.with("content-type", "text/csv");
    let answer = part
        .send(Method::POST, "/raw/x", Some(b"a,b".to_vec()))
        .await;
    assert_eq!(answer.text, "a,b");
    assert_eq!(answer.header("content-type"), Some("text/csv"));
}

#[tokio::test]
async fn only_the_members_asked_for() {
    let host = start().await;
    let all = host.send("POST", "/select", r#"{"a":"1","b":"2"}"#).await;
    assert_eq!(all.text, r#"{"a":"1","b":"2","c":"","fields":[]}"#);
    // The handler answers the fields as the selection, which is itself no member.
    let body = r#"{"a":"1","b":"2","c":"3","fields":["c","a","x"]}"#;
    let some = host.send("POST", "/select", body).await;
    assert_eq!(some.text, r#"{"a":"1","c":"3"}"#);
    let chosen = host.send("POST", "/select", r#"{"chosen":["a"]}"#).await;
    Running::refused(&chosen, "chosen is not known");
}

#[tokio::test]
async fn one_object_or_an_array_is_answered_alike() {
    let host = start().await;
    let one = host.send("POST", "/store", r#"{"id":"1"}"#).await;
    assert_eq!(told(&one), json!({"id": "1"}));
    let many = host
        .send("POST", "/store", r#"[{"id":"1"},{"id":"2"}]"#)
        .await;
    let ids: Vec<_> = many
        .json()
        .as_array()
        .unwrap()
        .iter()
        .map(|t| t["id"].clone())
        .collect();
    assert_eq!(ids, ["1", "2"]);
    let empty = host.send("POST", "/store", "[]").await;
    assert_eq!(empty.text, "[]");
    let bad = host
        .send("POST", "/store", r#"[{"id":"1"},{"count":"x"}]"#)
        .await;
    Running::refused(&bad, "[1].count must be a number");
}

#[tokio::test]
async fn an_id_in_the_query_or_the_body() {
    let host = start().await;
    assert_eq!(
        host.send("DELETE", "/notes?name=a", "").await.text,
        r#"{"name":"a"}"#
    );
    let body = r#"{"name":"b"}"#;
    assert_eq!(host.send("DELETE", "/notes", body).await.text, body);
    // The query is the later one.
    assert_eq!(
        host.send("DELETE", "/notes?name=a", body).await.text,
        r#"{"name":"a"}"#
    );
}

#[tokio::test]
async fn a_patch_changes_what_was_sent() {
    let host = start().await;
    let answer = host
        .send(
            "PATCH",
            "/update/1",
            r#"{"note":null,"name":"","owner":{"age":1}}"#,
        )
        .await;
    let body = answer.expect(200);
    assert_eq!(body["updateMask"], "note,name,owner");
    assert_eq!(body["thing"]["id"], "1");
    let named = host
        .send(
            "PATCH",
            "/update/1?updateMask=name",
            r#"{"name":"n","note":null}"#,
        )
        .await;
    assert_eq!(named.expect(200)["updateMask"], "name");
    // What the path says is not changed by saying it again.
    let again = r#"{"id":"2","name":"n"}"#;
    let answer = host.send("PATCH", "/update/1", again).await.expect(200);
    assert_eq!(answer["updateMask"], "name");
    assert_eq!(answer["thing"]["id"], "1");
}

#[tokio::test]
async fn ingestion_ignores_what_it_does_not_know() {
    let host = start().await;
    let answer = host
        .send(
            "POST",
            "/ingest",
            r#"{"name":"n","x":{"y":[1]},"owner":{"z":1}}"#,
        )
        .await;
    assert_eq!(
        told(&answer),
        json!({"name": "n", "owner": {"name": "", "age": 0}})
    );
    let deep = format!(r#"{{"x":{}1{}}}"#, "[".repeat(40), "]".repeat(40));
    let answer = host.send("POST", "/ingest", &deep).await;
    assert_eq!(answer.status, 400, "{}", answer.text);
}
