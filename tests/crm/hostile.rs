//! Files and bulk calls of those who mean no good: other organizations' records, members
//! the server sets, and SQL where names are expected.

use reqwest::Method;
use serde_json::{Value, json};

use super::imports::{csv, rows, send};
use super::{client, make};

#[tokio::test]
async fn other_organizations_stay_out_of_files_and_rows() {
    let (server, http, _own) = client();
    let other = server.organization("Other");
    let others = server.http().with("x-api-key", &other.key);
    let firm = make(
        &others,
        "/companies",
        json!({"name": "Far", "external_id": "x"}),
    )
    .await;
    let person = json!({"first_name": "Far", "email": "far@example.com"});
    make(&others, "/contacts", person).await;
    let words = format!("No record found for id '{}'", firm["id"]);
    // A row that names another's record is told what it would be told of none at all.
    let file = format!("email,company_id\na@example.com,{}\n", firm["id"]);
    let import = csv(&http, "", &file).await;
    assert_eq!(import["failed_count"], 1);
    assert_eq!(rows(&http, &import).await[0]["errors"][0]["message"], words);
    let upsert = http.with("x-service-method", "upsert");
    let body = json!({"contacts": [{"email": "a@example.com", "company_id": firm["id"]}]});
    let answer = upsert.post("/contacts", &body).await.expect(200);
    assert_eq!(answer["results"][0]["errors"][0]["message"], words);
    // Keys are an organization's own.
    let import = csv(&http, "", "email,first_name\nfar@example.com,Near\n").await;
    assert_eq!(import["created_count"], 1);
    let body = json!({"companies": [{"external_id": "x", "name": "Near"}]});
    let answer = upsert.post("/companies", &body).await.expect(200);
    assert_eq!(answer["created_count"], 1);
    let theirs = others
        .get("/contacts?email=far@example.com")
        .await
        .expect(200);
    assert_eq!(theirs["data"][0]["first_name"], "Far");
    // Nobody's export has another's records, whatever it filters by.
    for query in [
        "",
        "?organization_id=",
        "?$or[0][id][$gt]=0&$or[1][id][$gt]=0",
    ] {
        let query = match query.strip_suffix('=') {
            Some(query) => format!("{query}={}", other.id),
            None => query.to_owned(),
        };
        let file = http.get(&format!("/exports/contacts{query}")).await;
        assert_eq!(file.status, 200, "{}", file.text);
        assert!(!file.text.contains(",Far,"), "{query}: {}", file.text);
    }
}

#[tokio::test]
async fn members_the_server_sets_are_passed_over_in_files() {
    let (_server, http, own) = client();
    let file = "id,email,organization_id,created_by_user_id,created_at,deleted_at,merged_into_id,system_type\n\
                77,a@example.com,999,999,2001-01-01T00:00:00Z,2001-01-01T00:00:00Z,5,robot\n";
    let import = csv(&http, "", file).await;
    assert_eq!(import["created_count"], 1, "{import}");
    let made = http.get("/contacts?email=a@example.com").await.expect(200)["data"][0].clone();
    assert_ne!(made["id"], 77);
    assert_eq!(made["organization_id"], own.id);
    assert_ne!(made["created_by_user_id"], 999);
    assert_eq!(made["deleted_at"], Value::Null);
    assert_eq!(made["system_type"], "contact");
    assert!(made.get("merged_into_id").is_none());
    assert!(!made["created_at"].as_str().unwrap().starts_with("2001"));
    let upsert = http.with("x-service-method", "upsert");
    for member in ["organization_id", "created_by_user_id", "merged_into_id"] {
        let body = json!({"contacts": [{"email": "a@example.com", member: 999}]});
        let answer = upsert.post("/contacts", &body).await.expect(200);
        assert_eq!(answer["failed_count"], 1, "{member}: {answer}");
    }
    assert_eq!(
        http.get("/contacts?email=a@example.com").await.expect(200)["data"][0],
        made
    );
}

#[tokio::test]
async fn names_in_files_are_names() {
    let (_server, http, _own) = client();
    let wicked = "email; DROP TABLE crm_contact; --";
    for (query, file) in [
        ("", format!("\"{wicked}\"\na@example.com\n")),
        (
            &*format!(
                "?mapping={{\"email\":\"{}\"}}",
                wicked.replace(' ', "%20").replace(';', "%3B")
            ),
            "email\na@example.com\n".to_owned(),
        ),
        ("?by=email)%20OR%201=1", "email\na@example.com\n".to_owned()),
        ("?resource=crm_contact", "email\na@example.com\n".to_owned()),
    ] {
        let answer = send(&http, query, "text/csv", &file).await;
        assert_eq!(answer.status, 400, "{query}: {}", answer.text);
    }
    for path in [
        "/exports/crm_contact",
        "/exports/contacts%20WHERE%201=1",
        "/contact-duplicates?email=%27%20OR%20%271%27=%271",
    ] {
        let answer = http.get(path).await;
        assert!(
            matches!(answer.status, 200 | 400 | 404),
            "{path}: {}",
            answer.text
        );
        assert!(
            !answer.text.contains('@') || answer.status == 404,
            "{}",
            answer.text
        );
    }
    let body = Some(vec![0xff, 0xfe, b'\n', 0x00, 0x80]);
    let http = http.with("content-type", "application/x-ndjson");
    let answer = http.send(Method::POST, "/imports", body).await;
    let path = format!("/imports/{}", answer.expect(201)["id"]);
    assert_eq!(http.get(&path).await.expect(200)["total_rows"], 2);
}

/// What somebody wrote comes back as what it is, and no browser takes it for a page.
#[tokio::test]
async fn scripts_stay_text() {
    let (server, http, _own) = client();
    let script = "<script>alert(1)</script>";
    let made = make(&http, "/contacts", json!({"first_name": script})).await;
    let one = format!("/contacts/{}", made["id"]);
    let wrong = format!("/contacts?{script}=1");
    let page = http.with("accept", "text/html");
    for (answer, status) in [
        (page.get(&one).await, 200),
        (page.get("/contacts").await, 200),
        (page.get("/exports/contacts").await, 200),
        (page.get(&wrong).await, 400),
        (page.get("/contacts/<script>").await, 400),
        (page.get(&format!("/{script}")).await, 404),
        (page.post(&one, &json!({"first_name": script})).await, 201),
        (page.send(Method::TRACE, &one, None).await, 405),
        (server.http().get(&one).await, 401),
        (server.http().get("/docs").await, 200),
    ] {
        assert_eq!(answer.status, status, "{}", answer.text);
        let header = answer.header("x-content-type-options");
        assert_eq!(header, Some("nosniff"), "{}", answer.text);
        let kind = answer.header("content-type").unwrap();
        assert!(!kind.starts_with("text/html") || status == 200, "{kind}");
        assert!(!kind.starts_with("text/html") || !answer.text.contains(script));
    }
}
