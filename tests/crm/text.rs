//! Texts that mean something elsewhere: patterns, operators, markup and formulas. Here
//! they are texts.

use reqwest::Method;
use serde_json::{Value, json};

use super::imports::csv;
use super::{client, contacts, make, names};
use crate::support::Http;

async fn found(http: &Http, query: &str) -> Vec<String> {
    let page = http.get(&format!("/contacts?{query}")).await.expect(200);
    names(&page).into_iter().map(str::to_owned).collect()
}

/// Short words and long ones are found in different ways, on two databases.
#[tokio::test]
async fn wildcards_are_letters_in_searches() {
    let (_server, http, _) = client();
    let all = ["100%_pure", "100xxpure", "a_c_d", "abcxd", r"\back", "%"];
    contacts(&http, &all).await;
    for name in all {
        make(&http, "/companies", json!({ "name": name })).await;
        make(&http, "/product-categories", json!({ "name": name })).await;
    }
    for (term, expected) in [
        ("%25", "%"),
        ("_", ""),
        ("%25_", ""),
        ("0%25_", "100%_pure"),
        ("%25%25%25", ""),
        ("___", ""),
        ("a_c", "a_c_d"),
        ("a_c%20_", "a_c_d"),
        ("%5Cba", r"\back"),
        ("%5C", r"\back"),
        ("%5C%25", ""),
        ("*", ""),
        ("a*c", ""),
        ("%22a_c%22%20OR%20abc", ""),
    ] {
        let contacts = found(&http, &format!("searchTerm={term}")).await;
        assert_eq!(contacts.join(" "), expected, "{term}");
    }
    for (term, expected) in [("a_c", "a_c_d"), ("%25_", "100%_pure"), ("%5C", r"\back")] {
        for (path, parameter) in [
            ("/companies", "searchTerm"),
            ("/product-categories", "name"),
        ] {
            let page = http.get(&format!("{path}?{parameter}={term}")).await;
            let page = page.expect(200);
            assert_eq!(page["total"], 1, "{path} {term}: {page}");
            assert_eq!(page["data"][0]["name"], expected);
        }
    }
    // Of patterns the two wildcards mean something, and nothing else does.
    for (query, expected) in [
        ("first_name[$like]=a_c_d", "a_c_d abcxd"),
        ("first_name[$ilike]=%25%5C%25", r"\back"),
        ("first_name[$like]=%5C", ""),
        ("first_name[$ilike]=back%5C", ""),
        ("first_name[$like]=%5C%25", r"\back"),
        ("first_name[$like]=[a]_c_d", ""),
        ("first_name[$like]=*", ""),
    ] {
        assert_eq!(found(&http, query).await.join(" "), expected, "{query}");
    }
    let person = http.get("/contacts?$limit=1").await.json()["data"][0]["id"].clone();
    for text in ["say a_c now", "say abc now"] {
        let new = json!({"direction": "incoming", "contact_id": person, "message_text": text});
        make(&http, "/conversation-messages-whatsapp", new).await;
    }
    for (term, total) in [("a_c", 1), ("abc", 1), ("___", 0), ("%25%25%25", 0)] {
        let path = format!("/conversations?messageSearchTerm={term}");
        assert_eq!(http.get(&path).await.expect(200)["total"], total, "{term}");
    }
}

/// What FeathersJS does not know is not known here, wherever a question stands.
#[tokio::test]
async fn operators_there_are_none_of() {
    let (_server, http, _) = client();
    let json = http.with("content-type", "application/json");
    for (wrong, named) in [
        (json!({"first_name": {"$regex": "x"}}), "$regex"),
        (json!({"$or": [{"first_name": {"$where": "1"}}]}), "$where"),
        (json!({"$and": [{"$expr": 1}]}), "$expr"),
        (json!({"id": {"$gt; DROP TABLE x": 1}}), "$gt; DROP TABLE x"),
    ] {
        let words = format!("Invalid query parameter {named}");
        let body = json!({ "query": wrong }).to_string().into_bytes();
        let said = json.send(Method::GET, "/contacts", Some(body)).await;
        assert_eq!(said.expect(400)["message"], words);
        let view = json!({"name": "View", "filter": wrong});
        let said = http.post("/conversation-views", &view).await.expect(400);
        assert!(said["message"].as_str().unwrap().contains(named), "{said}");
    }
    let many: Vec<Value> = (0..101).map(|n| json!({"id": n})).collect();
    let mut deep = json!({"id": 1});
    for _ in 0..10 {
        deep = json!({ "$or": [deep] });
    }
    for (wrong, words) in [
        (
            json!({ "$or": many }),
            "The query compares more than 100 times",
        ),
        (deep, "The query is nested too deeply"),
    ] {
        let body = json!({ "query": wrong }).to_string().into_bytes();
        let said = json.send(Method::GET, "/contacts", Some(body)).await;
        assert_eq!(said.expect(400)["message"], words);
    }
}

#[tokio::test]
async fn markup_is_text() {
    const MARKUP: &str = "<img src=x onerror=alert(1)>";
    let (_server, http, _) = client();
    let made = make(&http, "/contacts", json!({"first_name": MARKUP})).await;
    assert_eq!(made["first_name"], MARKUP);
    let one = format!("/contacts/{}", made["id"]);
    for path in [
        "/contacts",
        &*one,
        "/audit-log",
        "/contacts?searchTerm=onerror",
    ] {
        let answer = http.get(path).await;
        let kind = answer.header("content-type");
        assert_eq!(kind, Some("application/json; charset=utf-8"), "{path}");
        answer.json();
        assert!(answer.text.contains(MARKUP), "{path}");
    }
    // Failures that say again what was sent.
    for path in [
        "/contacts/<img src=x onerror=alert(1)>",
        "/contacts?<img src=x onerror=alert(1)>=1",
        "/exports/<img src=x onerror=alert(1)>",
    ] {
        let answer = http.get(path).await;
        assert!([400, 404].contains(&answer.status), "{path}");
        let kind = answer.header("content-type");
        assert_eq!(kind, Some("application/json; charset=utf-8"), "{path}");
        answer.json();
    }
    for (format, kind) in [
        ("csv", "text/csv; charset=utf-8"),
        ("ndjson", "application/x-ndjson"),
    ] {
        let file = http
            .get(&format!("/exports/contacts?$format={format}"))
            .await;
        assert_eq!(file.header("content-type"), Some(kind));
        assert!(file.text.contains(MARKUP), "{}", file.text);
    }
}

/// No cell begins a formula, and every text comes back as it was.
#[tokio::test]
async fn formulas_are_text() {
    let (_server, http, _) = client();
    let texts = [
        "=HYPERLINK(\"http://evil.example\")",
        "+1 555",
        "-2+3",
        "@SUM(A1)",
        "\tx",
        "\r=x",
        "'=1",
        "'-5",
        "'quoted'",
        "''",
        "-7",
    ];
    let all: Vec<Value> = texts
        .iter()
        .enumerate()
        .map(|(number, text)| json!({"last_name": text, "external_id": format!("n{number}")}))
        .collect();
    make(&http, "/contacts", json!(all)).await;
    let path = "/exports/contacts?$select[]=last_name&$select[]=external_id";
    let file = http.get(path).await.text;
    let mut reader = csv_of(&file);
    for (record, text) in reader.records().zip(texts) {
        let record = record.unwrap();
        let cell = &record[1];
        let risky = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
        assert!(!risky || text == "-7", "{cell}");
    }
    // As it went out it comes in, and changes nothing.
    let import = csv(&http, "", &file).await;
    assert_eq!(import["failed_count"], 0, "{import}");
    assert_eq!(import["unchanged_count"], texts.len(), "{import}");
}

fn csv_of(file: &str) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new().from_reader(file.as_bytes())
}

/// Pages beyond any bound, and places to go on from that are none.
#[tokio::test]
async fn pages_have_bounds() {
    let (_server, http, _) = client();
    contacts(&http, &["Ann", "Bob", "Cyd"]).await;
    for (query, limit, count) in [
        ("$limit=1000000000", 50, 3),
        ("$limit=0", 0, 0),
        ("$limit=-1", 10, 3),
        ("$limit=1e9", 10, 3),
        ("$limit=99999999999999999999", 10, 3),
        ("$limit[$gt]=1", 10, 3),
        ("$skip=1000000000", 10, 0),
        ("$skip=9223372036854775807", 10, 0),
        ("$skip=99999999999999999999", 10, 3),
    ] {
        let page = http.get(&format!("/contacts?{query}")).await.expect(200);
        assert_eq!(page["limit"], limit, "{query}");
        assert_eq!(
            (&page["total"], names(&page).len()),
            (&json!(3), count),
            "{query}"
        );
    }
    for (after, status) in [
        ("1x", 400),
        ("", 400),
        ("1.5", 400),
        ("99999999999999999999", 400),
        ("-1", 404),
        ("0", 404),
        ("9223372036854775807", 404),
    ] {
        let path = format!("/contacts?$after={after}");
        assert_eq!(http.get(&path).await.status, status, "{after}");
    }
    // A place is one record, whatever a question finds: it may be another's question.
    let bob = http.get("/contacts?first_name=Bob").await.json()["data"][0]["id"].clone();
    for (filter, expected) in [
        ("first_name[$ne]=Bob", "Cyd"),
        ("first_name=Ann", ""),
        ("searchTerm=cyd", "Cyd"),
    ] {
        let query = format!("{filter}&$after={bob}");
        assert_eq!(found(&http, &query).await.join(" "), expected, "{query}");
    }
    let other = make(&http, "/companies", json!({"name": "Acme"})).await;
    let beyond = other["id"].as_i64().unwrap() + 100;
    let path = format!("/companies?$after={beyond}");
    assert_eq!(http.get(&path).await.status, 404);
}
