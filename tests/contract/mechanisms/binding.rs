//! Paths and queries: which method, and which fields.

use serde_json::json;

use super::{Running, start, told};

#[tokio::test]
async fn paths_fill_fields() {
    let host = start().await;
    for (path, expected) in [
        ("/things/7", json!({"id": "7"})),
        // One segment decodes everything, several keep reserved characters.
        ("/things/a%2Fb%20c+d", json!({"id": "a/b c+d"})),
        ("/things/%C3%A9%25", json!({"id": "é%"})),
        ("/things/a:b", json!({"id": "a:b"})),
        (
            "/owners/ann/things/7",
            json!({"id": "7", "owner": {"name": "ann", "age": 0}}),
        ),
        (
            "/v1/shelves/1/books/2/3:read",
            json!({"id": "shelves/1/books/2/3"}),
        ),
        (
            "/v1/shelves/1/books/a%2Fb%20c:read",
            json!({"id": "shelves/1/books/a%2Fb c"}),
        ),
        ("/v1/shelves/1/books:read", json!({"id": "shelves/1/books"})),
        // What a path has one value for is fixed by it.
        ("/fixed/it", json!({"id": "fixed"})),
        ("/other/one/it", json!({"id": "other/one"})),
        // A verb nobody registered is data.
        ("/v1/shelves/1:write", json!({"id": "shelves/1:write"})),
    ] {
        let answer = host.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        assert_eq!(told(&answer), expected, "{path}");
    }
}

#[tokio::test]
async fn a_literal_beats_a_variable() {
    let host = start().await;
    assert_eq!(told(&host.get("/things/special").await), json!({}));
    // Per verb: the special path exists for GET alone.
    let put = host.send("PUT", "/things/special", "{}").await;
    assert_eq!(put.status, 201);
    assert_eq!(told(&put), json!({"id": "special"}));
}

#[tokio::test]
async fn what_is_not_there() {
    let host = start().await;
    for path in [
        "/nothing",
        "/things",
        "/things/",
        "/things/1/2",
        "//things/1",
        "/v1/shelves/1/2",
        "/other/it",
        "/any/it",
    ] {
        assert_eq!(host.get(path).await.status, 404, "{path}");
    }
    let answer = host.send("POST", "/things/1", "{}").await;
    assert_eq!(answer.status, 405);
    assert_eq!(answer.header("allow"), Some("GET, PUT, HEAD"));
    assert_eq!(
        answer.json(),
        json!({
            "error": "Method not allowed; use GET, PUT, HEAD",
            "code": "METHOD_NOT_ALLOWED",
            "status": 405
        })
    );
    let overridden = host.http.with("x-http-method-override", "PUT");
    assert_eq!(told(&overridden.get("/things/1").await), json!({"id": "1"}));
}

#[tokio::test]
async fn queries_fill_fields() {
    let host = start().await;
    for (query, expected) in [
        ("name=a+b%2Bc", json!({"name": "a b+c"})),
        ("tags=a&tags=b", json!({"tags": ["a", "b"]})),
        ("numbers=1&numbers=-2", json!({"numbers": [1, -2]})),
        (
            "owner.name=ann&owner.age=7",
            json!({"owner": {"name": "ann", "age": 7}}),
        ),
        (
            "count=9007199254740993",
            json!({"count": 9007199254740993_i64}),
        ),
        ("active=true", json!({"active": true})),
        ("active=True", json!({"active": true})),
        ("active=False", json!({})),
        ("colour=red", json!({"colour": "red"})),
        ("colour=COLOUR_LIGHT_BLUE", json!({"colour": "light_blue"})),
        ("colour=1", json!({"colour": "red"})),
        ("colour=7", json!({"colour": 7})),
        (
            "at=2024-01-15T10:30:00%2B01:00",
            json!({"at": "2024-01-15T09:30:00Z"}),
        ),
        ("ratio=1.5e3", json!({"ratio": 1500})),
        ("blob=_-8", json!({"blob": "/+8="})),
        ("left=x", json!({"left": "x"})),
        ("note=", json!({"note": ""})),
        // Names that belong to no method are passed over.
        ("utm_source=x&key=k&$alt=json&project=p", json!({})),
        ("", json!({})),
        ("&&", json!({})),
    ] {
        let answer = host.get(&format!("/things/special?{query}")).await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.text);
        let expected = match query {
            // Present and empty is not absent.
            "note=" => {
                assert_eq!(answer.json()["note"], "");
                json!({})
            }
            _ => expected,
        };
        assert_eq!(told(&answer), expected, "{query}");
    }
}

#[tokio::test]
async fn queries_that_are_refused_name_the_parameter() {
    let host = start().await;
    let refusals = [
        ("colr=red", "colr is no parameter of this method"),
        ("owner.nme=x", "owner.nme is no parameter of this method"),
        ("count=1&count=2", "count is given twice"),
        (
            "left=1&right=2",
            "right cannot be combined with another parameter",
        ),
        ("labels=x", "labels cannot be given in the query"),
        (
            "labels%5Ba%5D=x",
            "labels[a] is no parameter of this method",
        ),
        ("owner=x", "owner cannot be given in the query"),
        ("id=2", "id is part of the path"),
        ("active=1", "active must be true or false"),
        ("active=yes", "active must be true or false"),
        ("count=x", "count must be a number"),
        ("count=1.5", "count must be a whole number"),
        (
            "count=9223372036854775808",
            "count must be between -9223372036854775808 and 9223372036854775807",
        ),
        (
            "numbers=2147483648",
            "numbers must be between -2147483648 and 2147483647",
        ),
        ("colour=mauve", "colour must be one of red, light_blue"),
        (
            "at=yesterday",
            "at must be a time such as 2024-01-15T10:30:00Z",
        ),
        ("name=%ZZ", "name is not valid percent-encoding"),
        ("name=%FF", "name is not valid percent-encoding"),
    ];
    let mut answers = Vec::new();
    for (query, _) in refusals {
        let answer = host.get(&format!("/things/1?{query}")).await;
        answers.push((
            query,
            answer.expect(400)["error"].as_str().unwrap().to_owned(),
        ));
    }
    assert_eq!(
        answers,
        refusals.map(|(query, message)| (query, message.to_owned()))
    );
    // A whole-body method has no query parameters at all.
    let answer = host.send("PUT", "/things/1?name=x", "{}").await;
    Running::refused(&answer, "name is no parameter of this method");
}

#[tokio::test]
async fn the_path_wins_over_the_body() {
    let host = start().await;
    let answer = host
        .send("PUT", "/things/7", r#"{"id": "8", "name": "n"}"#)
        .await;
    assert_eq!(told(&answer), json!({"id": "7", "name": "n"}));
}

#[tokio::test]
async fn a_query_grammar_of_its_own() {
    let host = start().await;
    let answer = host
        .get("/find/cats?age[$gt]=3&$sort[name]=1&x=%5B+a")
        .await;
    assert_eq!(
        answer.text,
        r#"{"kind":"cats","query":"age[$gt]=3&$sort[name]=1&x=%5B+a"}"#
    );
    assert_eq!(
        host.get("/find/cats").await.text,
        r#"{"kind":"cats","query":""}"#
    );
}

/// The query fills messages that are there once and have members of their own.
#[tokio::test]
async fn what_a_query_does_not_reach_into() {
    let host = start().await;
    let deep = format!("{}name", "inner.".repeat(32));
    let deepest = format!("{}name=n", "inner.".repeat(31));
    for (path, name) in [
        ("/things/special", "labels.key"),
        ("/things/special", "at.seconds"),
        ("/listed", "things.name"),
        ("/nested", deep.as_str()),
    ] {
        let answer = host.get(&format!("{path}?{name}=1")).await;
        Running::refused(&answer, &format!("{name} is no parameter of this method"));
    }
    let answer = host.get(&format!("/nested?{deepest}")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}
