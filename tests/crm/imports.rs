//! Files of records: into the CRM as a job that survives whatever happens to the server,
//! and out of it.

use std::fmt::Write as _;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use super::{client, make, names};
use crate::support::{Answer, Http, Server, attacker};

/// Sends a file.
pub async fn send(http: &Http, query: &str, kind: &str, file: &str) -> Answer {
    let http = http.with("content-type", kind);
    let path = format!("/imports{query}");
    http.send(Method::POST, &path, Some(file.as_bytes().to_vec()))
        .await
}

/// Waits until an import stands as it should.
pub async fn until(http: &Http, import: &Value, status: &str) -> Value {
    let path = format!("/imports/{}", import["id"]);
    for _ in 0..600 {
        let now = http.get(&path).await.expect(200);
        if now["status"] == status {
            return now;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{} is not {status}", http.get(&path).await.text);
}

pub async fn csv(http: &Http, query: &str, file: &str) -> Value {
    let import = send(http, query, "text/csv", file).await.expect(201);
    until(http, &import, "done").await
}

fn counts(import: &Value) -> [i64; 4] {
    [
        "created_count",
        "updated_count",
        "unchanged_count",
        "failed_count",
    ]
    .map(|name| import[name].as_i64().expect(name))
}

/// What became of the rows.
pub async fn rows(http: &Http, import: &Value) -> Vec<Value> {
    let answer = http.get(&format!("/imports/{}/rows", import["id"])).await;
    let lines = answer.text.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().expect("lines of JSON")
}

#[tokio::test]
async fn a_file_is_imported_row_by_row() {
    let (_server, http, _own) = client();
    let field = json!({"entity_type": "contact", "name": "Size", "type": "number"});
    make(&http, "/custom-fields", field).await;
    make(
        &http,
        "/contacts",
        json!({"first_name": "Ada", "email": "ada@example.com"}),
    )
    .await;
    let file = "\u{feff}First Name;Last name;Mail;Size;Whatever;created_at\r\n\
                Ada;Lovelace;ADA@example.com;007;x;\r\n\
                \"Gra\"\"ce\n\";Hopper;grace@example.com;;x;2020-01-01\r\n\
                Nobody;;nope;;x;\r\n\
                Ada;Lovelace;ada@example.com;many;x;\r\n\
                Too;many;cells@example.com;1;x;;;\r\n\
                Bob;;;'-5;x;";
    let mapping = r#"?name=people.csv&mapping={"Mail":"email","Whatever":null}"#;
    let import = csv(&http, mapping, file).await;
    assert_eq!(counts(&import), [2, 1, 0, 3]);
    assert_eq!(import["total_rows"], 6);
    assert_eq!(import["processed_rows"], 6);
    assert_eq!(import["name"], "people.csv");
    assert_eq!(import["format"], "csv");
    let told = rows(&http, &import).await;
    let outcomes: Vec<&str> = told
        .iter()
        .map(|row| row["outcome"].as_str().unwrap())
        .collect();
    assert_eq!(
        outcomes,
        [
            "updated", "created", "failed", "failed", "failed", "created"
        ]
    );
    assert_eq!(told[2]["row"], 3);
    assert_eq!(
        told[2]["errors"],
        json!([{"path": "email", "message": "email is no e-mail address"}])
    );
    assert_eq!(told[3]["errors"][0]["path"], "custom_fields_by_name.Size");
    let failed = http
        .get(&format!("/imports/{}/rows?failed=true", import["id"]))
        .await;
    assert_eq!(failed.text.lines().count(), 3);
    let page = http.get("/contacts").await.expect(200);
    assert_eq!(names(&page), ["Ada", "Gra\"ce\n", "Bob"]);
    assert_eq!(page["total"], 3);
    assert_eq!(page["data"][0]["last_name"], "Lovelace");
    assert_eq!(page["data"][0]["custom_fields_by_name"]["Size"], 7);
    assert_eq!(page["data"][2]["custom_fields_by_name"]["Size"], -5);
    // The search finds them, as it finds others.
    let found = http.get("/contacts?searchTerm=hopper").await.expect(200);
    assert_eq!(found["total"], 1);
    // The same file again is the same import.
    let again = send(&http, mapping, "text/csv", file).await.expect(200);
    assert_eq!(again["id"], import["id"]);
    assert_eq!(http.get("/imports").await.expect(200)["total"], 1);
    // Another file with the same people makes none of them twice.
    let file =
        "email,first_name\nADA@example.com,Ada\ngrace@example.com,Grace\nnew@example.com,New\n";
    let import = csv(&http, "", file).await;
    assert_eq!(counts(&import), [1, 1, 1, 0]);
    // What is there may be left alone.
    let file = "email,first_name\nada@example.com,Augusta\n";
    let import = csv(&http, "?keep=true", file).await;
    assert_eq!(counts(&import), [0, 0, 1, 0]);
    assert_eq!(http.get("/contacts").await.expect(200)["total"], 4);
}

#[tokio::test]
async fn lines_of_json_are_imported_too() {
    let (_server, http, _own) = client();
    let file = "{\"name\":\"Acme\",\"external_id\":\"1\",\"id\":77}\n\n{\"name\":\"Beta\"}\n[]\n\
                {\"name\":\"Acme 2\",\"external_id\":\"1\"}\n{\"shoe\":1}";
    let import = send(&http, "?resource=companies", "application/x-ndjson", file).await;
    let import = until(&http, &import.expect(201), "done").await;
    assert_eq!(counts(&import), [2, 1, 0, 2]);
    let told = rows(&http, &import).await;
    let numbers: Vec<i64> = told
        .iter()
        .map(|row| row["row"].as_i64().unwrap())
        .collect();
    assert_eq!(numbers, [1, 3, 4, 5, 6]);
    assert_eq!(told[4]["errors"][0]["message"], "shoe is not known");
    let page = http.get("/companies").await.expect(200);
    assert_eq!(page["data"][0]["name"], "Acme 2");
    assert_ne!(page["data"][0]["id"], 77);
}

#[tokio::test]
async fn what_cannot_be_imported_is_refused_before_anything_is_written() {
    let (_server, http, _own) = client();
    for (query, file, path) in [
        ("", "first_name,Shoe\nAda,7\n", "mapping"),
        ("", "email,E-Mail\na@example.com,b@example.com\n", "mapping"),
        ("?mapping=7", "email\na@example.com\n", "mapping"),
        ("?resource=deals", "name\nDeal\n", "resource"),
        ("?by=shoe", "email\na@example.com\n", "by"),
        ("?format=xls", "email\na@example.com\n", "format"),
        ("", "", "file"),
        ("", "\n\n", "file"),
    ] {
        let answer = send(&http, query, "text/csv", file).await;
        let refused = answer.expect(400);
        assert_eq!(refused["errors"][0]["path"], path, "{query}: {refused}");
    }
    let long = format!("email\n{}", "x".repeat(2 * 1024 * 1024));
    let refused = send(&http, "", "text/csv", &long).await.expect(400);
    assert_eq!(refused["errors"][0]["path"], "file");
    assert_eq!(http.get("/imports").await.expect(200)["total"], 0);
    assert_eq!(http.get("/contacts").await.expect(200)["total"], 0);
}

#[tokio::test]
async fn an_import_is_undone_but_for_what_was_changed_since() {
    let (_server, http, _own) = client();
    let field = json!({"entity_type": "contact", "name": "Size", "type": "number"});
    make(&http, "/custom-fields", field).await;
    let ada = json!({"first_name": "Ada", "email": "ada@example.com",
        "custom_fields_by_name": {"Size": 1}});
    let ada = make(&http, "/contacts", ada).await;
    let file = "email,first_name,Size\nada@example.com,Augusta,2\nbob@example.com,Bob,3\n\
                eve@example.com,Eve,4\nbob@example.com,Bobby,5\n";
    let import = csv(&http, "", file).await;
    assert_eq!(counts(&import), [2, 2, 0, 0]);
    let page = http.get("/contacts").await.expect(200);
    assert_eq!(names(&page), ["Augusta", "Bobby", "Eve"]);
    let eve = format!("/contacts/{}", page["data"][2]["id"]);
    http.patch(&eve, &json!({"last_name": "Kept"}))
        .await
        .expect(200);
    let undone = http.delete(&format!("/imports/{}", import["id"])).await;
    let undone = until(&http, &undone.expect(200), "undone").await;
    assert_eq!(undone["undone_count"], 2);
    let page = http.get("/contacts").await.expect(200);
    assert_eq!(names(&page), ["Ada", "Eve"]);
    assert_eq!(page["total"], 2);
    assert_eq!(
        page["data"][0]["custom_fields_by_name"],
        ada["custom_fields_by_name"]
    );
    // Then it may be imported again.
    let import = csv(&http, "", file).await;
    assert_eq!(counts(&import), [1, 2, 1, 0]);
}

/// A file of so many people.
fn people(count: usize) -> String {
    let mut file = "first_name,last_name,email,phone\n".to_owned();
    for number in 0..count {
        let _ = writeln!(
            file,
            "First{number},Last{number},person{number}@example.com,555{number:07}"
        );
    }
    file
}

#[tokio::test]
async fn a_killed_server_goes_on_where_it_was() {
    const PEOPLE: usize = 20_000;
    let mut server = Server::start();
    let own = server.organization("Acme");
    let http = |server: &Server| server.http().with("x-api-key", &own.key);
    let file = people(PEOPLE);
    let import = send(&http(&server), "", "text/csv", &file)
        .await
        .expect(201);
    let path = format!("/imports/{}", import["id"]);
    let mut kills = 0;
    loop {
        let now = http(&server).get(&path).await.expect(200);
        if now["status"] == "done" {
            break;
        }
        let processed = now["processed_rows"].as_u64().unwrap();
        if kills < 3 && processed > kills * 5000 {
            server.kill();
            server.run();
            kills += 1;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(kills > 0, "it was done before anybody could kill it");
    let http = http(&server);
    let done = http.get(&path).await.expect(200);
    assert_eq!(counts(&done), [PEOPLE as i64, 0, 0, 0]);
    assert_eq!(http.get("/contacts").await.expect(200)["total"], PEOPLE);
    // Counted one by one, too.
    let page = http
        .get("/contacts?$limit=0&first_name[$like]=First%25")
        .await;
    assert_eq!(page.expect(200)["total"], PEOPLE);
    let told = rows(&http, &done).await;
    assert_eq!(told.len(), PEOPLE);
    // A second run has nothing to do.
    let again = send(&http, "", "text/csv", &file).await.expect(200);
    assert_eq!(again["id"], import["id"]);
    assert_eq!(http.get("/contacts").await.expect(200)["total"], PEOPLE);
}

#[tokio::test]
async fn an_export_has_everything_once() {
    let (_server, http, _own) = client();
    let field = json!({"entity_type": "contact", "name": "Size", "type": "number"});
    make(&http, "/custom-fields", field).await;
    csv(&http, "", &people(1200)).await;
    let risky = json!({"first_name": "=1+1", "last_name": "a,\"b\"", "phone": "+1 555",
        "email": "@x.io".replacen('@', "a@", 1), "custom_fields_by_name": {"Size": -5}});
    make(&http, "/contacts", risky).await;
    // While it goes out, records go and others come.
    let (file, ()) = tokio::join!(http.get("/exports/contacts"), async {
        for number in 1..=20 {
            let path = format!("/contacts/{}", number * 3);
            let change = json!({"last_name": "Changed"});
            http.patch(&path, &change).await.expect(200);
        }
    });
    assert_eq!(file.status, 200);
    assert_eq!(file.header("content-type"), Some("text/csv; charset=utf-8"));
    let lines: Vec<&str> = file
        .text
        .split("\r\n")
        .filter(|line| !line.is_empty())
        .collect();
    assert_eq!(lines.len(), 1202);
    assert!(lines[0].starts_with("id,first_name,last_name,email,phone,"));
    assert!(lines[0].ends_with("custom_fields_by_name.Size"));
    let last = lines[1201];
    assert!(
        last.contains("'=1+1,\"a,\"\"b\"\"\",a@x.io,'+1 555,"),
        "{last}"
    );
    assert!(last.ends_with(",-5"), "{last}");
    // It comes in again as it went out.
    let import = csv(&http, "", &file.text).await;
    assert_eq!(import["failed_count"], 0);
    assert_eq!(import["created_count"], 0);
    let found = http
        .get("/exports/contacts?$format=ndjson&email=a@x.io")
        .await;
    let one: Value = serde_json::from_str(found.text.trim()).expect("a line");
    assert_eq!(one["first_name"], "=1+1");
    let selected = http
        .get("/exports/contacts?first_name=First7&$select[]=first_name&$select[]=email")
        .await;
    assert_eq!(
        selected.text,
        "id,first_name,email\r\n8,First7,person7@example.com\r\n"
    );
    http.get("/exports/shoes").await.expect(404);
    http.get("/exports/contacts?$limit=5").await.expect(400);
    http.get("/exports/contacts?$format=xls").await.expect(400);
    http.get("/exports/contacts?shoe=1").await.expect(400);
    let empty = http.get("/exports/tags").await;
    assert!(empty.text.starts_with("id,organization_id,name,color,"));
    assert_eq!(empty.text.matches("\r\n").count(), 1);
}

#[tokio::test]
async fn the_command_imports_undoes_and_exports() {
    let server = Server::start();
    let own = server.organization("Acme");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("people.csv");
    std::fs::write(
        &file,
        "Mail,first_name\na@example.com,Ada\nb@example.com,Bob\n",
    )
    .unwrap();
    let (file, id) = (file.to_str().unwrap(), own.id.to_string());
    let run = [
        "crm",
        "import",
        file,
        "--organization",
        &id,
        "--map",
        "Mail=email",
    ];
    let told = server.apex_json(&run);
    assert_eq!(
        told,
        json!({"import": told["import"], "rows": 2, "created": 2, "updated": 0, "unchanged": 0,
            "failed": 0, "known": false})
    );
    let again = server.apex_json(&run);
    assert_eq!(again["known"], true);
    let printed = server.apex(&["crm", "export", "contacts", "--organization", &id]);
    assert!(printed.contains("Ada,"), "{printed}");
    let import = told["import"].to_string();
    let undone = server.apex_json(&["crm", "undo", &import, "--organization", &id]);
    assert_eq!(undone["undone"], 2);
    let http = server.http().with("x-api-key", &own.key);
    assert_eq!(http.get("/contacts").await.expect(200)["total"], 0);
    // Rows that are refused are told, and the exit code says so.
    std::fs::write(file, "email,first_name\nnope,Ada\n").unwrap();
    let refused = server.try_apex(&["crm", "import", file, "--organization", &id]);
    assert_eq!(refused.status.code(), Some(1));
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(told.contains("row 1: email is no e-mail address"), "{told}");
}

/// A file whose upload breaks off is forgotten rather than taken for a shorter one.
#[tokio::test]
async fn half_a_file_is_no_import() {
    let (server, http, own) = client();
    let mut half = attacker::Attacker::connect(&server.url).await;
    let rows = "email\na@example.com\nb@example.com\n";
    let head = format!(
        "POST /imports HTTP/1.1\r\nhost: apex\r\nx-api-key: {}\r\ncontent-type: text/csv\r\n\
         transfer-encoding: chunked\r\n\r\n{:x}\r\n{rows}\r\n",
        own.key,
        rows.len()
    );
    half.stream.write_all(head.as_bytes()).await.unwrap();
    let total = || async { http.get("/imports").await.expect(200)["total"].clone() };
    attacker::until("it is coming", || async { total().await == 1 }).await;
    drop(half);
    attacker::until("it is forgotten", || async { total().await == 0 }).await;
    assert_eq!(http.get("/contacts").await.expect(200)["total"], 0);
}
