//! Records that are known by more than their numbers: upsert, duplicates and merge.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{client, make, names};
use crate::support::Http;

/// Calls a method of a service that is none of the usual six.
async fn custom(http: &Http, method: &str, path: &str, body: &Value) -> Value {
    let http = http.with("x-service-method", method);
    http.post(path, body).await.expect(200)
}

fn outcomes(answer: &Value) -> Vec<&str> {
    let results = answer["results"].as_array().expect("results").iter();
    results
        .map(|one| one["outcome"].as_str().unwrap_or("?"))
        .collect()
}

#[tokio::test]
async fn upsert_makes_or_changes_and_tells_of_every_row() {
    let (_server, http, _own) = client();
    let there = make(
        &http,
        "/contacts",
        json!({"first_name": "Ada", "email": "Ada@Example.com", "phone": "555 0100"}),
    )
    .await;
    let rows = json!({"contacts": [
        {"email": "ada@example.com ".trim(), "last_name": "Lovelace"},
        {"external_id": "crm-7", "first_name": "Grace", "phone": "+1 (555) 0101"},
        {"email": "nope", "first_name": "Nobody"},
        {"first_name": "Nobody"},
        {"email": "x@example.com", "company_id": 999},
        {"phone": "5550101", "phone_country_code": "+1", "last_name": "Hopper"},
        {"email": "ada@example.com", "last_name": "Lovelace"},
        {"email": "long@example.com", "first_name": "x".repeat(300)},
    ]});
    let answer = custom(&http, "upsert", "/contacts", &rows).await;
    assert_eq!(
        outcomes(&answer),
        [
            "updated",
            "created",
            "failed",
            "failed",
            "failed",
            "updated",
            "unchanged",
            "failed"
        ]
    );
    let results = &answer["results"];
    assert_eq!(results[0]["contact"]["id"], there["id"]);
    assert_eq!(results[0]["contact"]["first_name"], "Ada");
    assert_eq!(results[0]["contact"]["last_name"], "Lovelace");
    // What an earlier row made, a later one changes.
    assert_eq!(results[5]["contact"]["id"], results[1]["contact"]["id"]);
    assert_eq!(results[5]["contact"]["external_id"], "crm-7");
    assert_eq!(
        results[2]["errors"],
        json!([{"path": "email", "message": "email is no e-mail address"}])
    );
    assert_eq!(
        results[3]["errors"][0]["message"],
        "external_id or email or phone is required, to find it again"
    );
    assert_eq!(
        results[4]["errors"],
        json!([{"path": "", "message": "No record found for id '999'"}])
    );
    assert_eq!(results[7]["errors"][0]["path"], "first_name");
    assert_eq!(
        [
            &answer["created_count"],
            &answer["updated_count"],
            &answer["unchanged_count"],
            &answer["failed_count"]
        ],
        [1, 2, 1, 4]
    );
    assert_eq!(http.get("/contacts").await.expect(200)["total"], 2);
    // A key that is said is the one that counts.
    let by = json!({"by": "phone", "contacts": [{"email": "ada@example.com", "phone": "5550100"}]});
    let answer = custom(&http, "upsert", "/contacts", &by).await;
    assert_eq!(outcomes(&answer), ["updated"]);
    let by = json!({"by": "shoe", "contacts": [{"email": "ada@example.com"}]});
    let http = http.with("x-service-method", "upsert");
    let refused = http.post("/contacts", &by).await.expect(400);
    assert_eq!(
        refused["message"],
        "by must be one of external_id, email, phone"
    );
}

#[tokio::test]
async fn another_programs_number_is_one_records() {
    let (_server, http, _own) = client();
    let one = make(
        &http,
        "/contacts",
        json!({"external_id": "1", "email": "a@example.com"}),
    )
    .await;
    let again = json!({"external_id": "1", "email": "b@example.com"});
    assert_eq!(http.post("/contacts", &again).await.status, 409);
    // The same e-mail with another number is somebody else.
    let rows = json!({"contacts": [{"external_id": "2", "email": "a@example.com"}]});
    let answer = custom(&http, "upsert", "/contacts", &rows).await;
    assert_eq!(outcomes(&answer), ["created"]);
    // Then the e-mail alone tells nobody.
    let rows = json!({"contacts": [
        {"email": "a@example.com", "first_name": "Who"},
        {"external_id": "2", "first_name": "Two"},
    ]});
    let answer = custom(&http, "upsert", "/contacts", &rows).await;
    assert_eq!(outcomes(&answer), ["failed", "updated"]);
    assert_eq!(
        answer["results"][0]["errors"][0]["message"],
        "2 records have this email: merge them first"
    );
    // A number of what was removed is free again.
    let path = format!("/contacts/{}", one["id"]);
    http.delete(&path).await.expect(200);
    make(
        &http,
        "/contacts",
        json!({"external_id": "1", "first_name": "New"}),
    )
    .await;
}

#[tokio::test]
async fn callers_who_send_the_same_at_once_make_one() {
    let (_server, http, _own) = client();
    let row = json!({"contacts": [{"email": "ada@example.com", "first_name": "Ada"}]});
    let calls = (0..16).map(|_| custom(&http, "upsert", "/contacts", &row));
    let answers = join_all(calls).await;
    let made = answers.iter().filter(|one| one["created_count"] == 1);
    assert_eq!(made.count(), 1);
    assert_eq!(http.get("/contacts").await.expect(200)["total"], 1);
    // So do those who make it and ask that doubles are refused.
    let row = json!({"email": "bob@example.com"});
    let calls = (0..16).map(|_| http.post("/contacts?$duplicates=refuse", &row));
    let answers = join_all(calls).await;
    let made = answers.iter().filter(|answer| answer.status == 201);
    assert_eq!(made.count(), 1);
    let refused = answers.iter().find(|answer| answer.status == 409).unwrap();
    let refused = refused.expect(409);
    assert_eq!(refused["message"], "There is such a record already");
    assert_eq!(refused["className"], "conflict");
    assert_eq!(
        refused["data"]["duplicates"][0]["matched"],
        json!(["email"])
    );
    let twins = json!([{"email": "eve@example.com"}, {"email": "EVE@example.com"}]);
    let answer = http.post("/contacts?$duplicates=refuse", &twins).await;
    assert_eq!(answer.status, 409);
    let wrong = http.post("/contacts?$duplicates=perhaps", &row).await;
    assert_eq!(wrong.expect(400)["errors"][0]["path"], "$duplicates");
    // Without the wish there may be doubles.
    make(&http, "/contacts", row).await;
}

#[tokio::test]
async fn duplicates_are_found_by_what_they_share() {
    let (server, http, _own) = client();
    let other = server.organization("Other");
    let others = server.http().with("x-api-key", &other.key);
    let jane = json!({"first_name": "Jane", "last_name": "Doe", "email": "jane@example.com",
        "phone": "555-0100", "phone_country_code": "+1"});
    let own = make(&http, "/contacts", jane.clone()).await;
    make(&others, "/contacts", jane).await;
    make(
        &http,
        "/contacts",
        json!({"first_name": "JANE", "last_name": "doe"}),
    )
    .await;
    make(
        &http,
        "/contacts",
        json!({"first_name": "J", "phone": "+1 555 0100", "email": "Jane@example.com"}),
    )
    .await;
    make(&http, "/contacts", json!({"first_name": "Bob"})).await;
    let path = format!("/contact-duplicates?contact_id={}", own["id"]);
    let found = http.get(&path).await.expect(200);
    assert_eq!(found["total"], 2);
    assert_eq!(found["data"][0]["matched"], json!(["email", "phone"]));
    assert_eq!(found["data"][0]["contact"]["first_name"], "J");
    assert_eq!(found["data"][1]["matched"], json!(["name"]));
    let found = http.get("/contact-duplicates?email=jane@example.com").await;
    assert_eq!(found.expect(200)["total"], 2);
    let answer = http.get("/contact-duplicates").await.expect(400);
    assert_eq!(
        answer["message"],
        "Give an id, or any of external_id, email, phone, name"
    );
    others.get(&path).await.expect(404);
    make(
        &http,
        "/companies",
        json!({"name": "Acme", "website": "https://www.acme.com/x"}),
    )
    .await;
    let found = http.get("/company-duplicates?website=acme.com").await;
    assert_eq!(found.expect(200)["data"][0]["matched"], json!(["website"]));
}

/// Two contacts with what hangs on them.
async fn pair(http: &Http) -> (Value, Value) {
    let field = json!({"entity_type": "contact", "name": "Size", "type": "number"});
    make(http, "/custom-fields", field).await;
    let field = json!({"entity_type": "contact", "name": "Industry", "type": "text"});
    make(http, "/custom-fields", field).await;
    let target = json!({"first_name": "Ada", "phone": "1",
        "custom_fields_by_name": {"Size": 1}});
    let target = make(http, "/contacts", target).await;
    let source = json!({"first_name": "Augusta", "email": "ada@example.com", "phone": "2",
        "phone_country_code": "+44", "external_id": "7",
        "custom_fields_by_name": {"Size": 2, "Industry": "Engines"}});
    let source = make(http, "/contacts", source).await;
    let pipeline = make(http, "/pipelines", json!({"name": "Sales"})).await;
    let id = &source["id"];
    make(
        http,
        "/deals",
        json!({"name": "Deal", "pipeline_id": pipeline["id"], "contact_id": id}),
    )
    .await;
    make(http, "/notes", json!({"content": "Note", "contact_id": id})).await;
    make(
        http,
        "/activities",
        json!({"subject": "Call", "contact_id": id}),
    )
    .await;
    for (name, both) in [("vip", true), ("new", false)] {
        let tag = make(http, "/tags", json!({"name": name})).await;
        let pair = |contact: &Value| json!({"tag_id": tag["id"], "contact_id": contact["id"]});
        make(http, "/contact-tags", pair(&source)).await;
        if both {
            make(http, "/contact-tags", pair(&target)).await;
        }
    }
    (target, source)
}

#[tokio::test]
async fn merging_moves_what_names_the_sources() {
    let (_server, http, _own) = client();
    let (target, source) = pair(&http).await;
    let (to, from) = (&target["id"], &source["id"]);
    let body = json!({"target_id": to, "source_ids": [from], "dry_run": true});
    let dry = custom(&http, "merge", "/contacts", &body).await;
    let moved = json!([{"resource": "deals", "count": 1}, {"resource": "activities", "count": 1},
        {"resource": "notes", "count": 1}, {"resource": "contact-tags", "count": 1}]);
    assert_eq!(dry["moved"], moved);
    assert_eq!(
        dry["filled"],
        json!(["email", "external_id", "custom_fields_by_name.Industry"])
    );
    assert_eq!(dry["dry_run"], true);
    assert_eq!(dry["contact"]["email"], "ada@example.com");
    // Nothing of it was written.
    let path = format!("/contacts/{to}");
    assert_eq!(http.get(&path).await.expect(200), target);
    assert_eq!(
        http.get(&format!("/deals?contact_id={from}"))
            .await
            .expect(200)["total"],
        1
    );

    let body = json!({"target_id": to, "source_ids": [from]});
    let merged = custom(&http, "merge", "/contacts", &body).await;
    assert_eq!(merged["merged_ids"], json!([from]));
    assert_eq!(merged["moved"], moved);
    let contact = http.get(&path).await.expect(200);
    assert_eq!(merged["contact"], contact);
    assert_eq!(contact["first_name"], "Ada");
    assert_eq!(contact["email"], "ada@example.com");
    assert_eq!(contact["external_id"], "7");
    // A phone is a whole: its country is not put to another one.
    assert_eq!(contact["phone"], "1");
    assert_eq!(contact["phone_country_code"], json!(null));
    assert_eq!(
        contact["custom_fields_by_name"],
        json!({"Size": 1, "Industry": "Engines"})
    );
    http.get(&format!("/contacts/{from}")).await.expect(404);
    assert_eq!(http.get("/contacts").await.expect(200)["total"], 1);
    for (path, total) in [
        ("deals", 1),
        ("notes", 1),
        ("activities", 1),
        ("contact-tags", 2),
    ] {
        let page = http.get(&format!("/{path}?contact_id={to}")).await;
        assert_eq!(page.expect(200)["total"], total, "{path}");
        let page = http.get(&format!("/{path}?contact_id={from}")).await;
        assert_eq!(page.expect(200)["total"], 0, "{path}");
    }
    let found = http
        .get("/contacts?custom_fields_by_name[Industry]=Engines")
        .await;
    assert_eq!(names(&found.expect(200)), ["Ada"]);
}

#[tokio::test]
async fn what_cannot_be_merged() {
    let (server, http, _own) = client();
    let other = server.organization("Other");
    let others = server.http().with("x-api-key", &other.key);
    let foreign = make(&others, "/contacts", json!({"first_name": "Far"})).await;
    let own = make(&http, "/contacts", json!({"first_name": "Near"})).await;
    let merge = http.with("x-service-method", "merge");
    for (body, status) in [
        (json!({"target_id": own["id"], "source_ids": []}), 400),
        (
            json!({"target_id": own["id"], "source_ids": [own["id"]]}),
            400,
        ),
        (
            json!({"target_id": own["id"], "source_ids": [foreign["id"]]}),
            404,
        ),
        (
            json!({"target_id": foreign["id"], "source_ids": [own["id"]]}),
            404,
        ),
    ] {
        let answer = merge.post("/contacts", &body).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text);
    }
    assert_eq!(http.get("/contacts").await.expect(200)["total"], 1);
    assert_eq!(others.get("/contacts").await.expect(200)["total"], 1);
    // Companies take along their people.
    let one = make(&http, "/companies", json!({"name": "One"})).await;
    let two = make(&http, "/companies", json!({"name": "Two"})).await;
    let path = format!("/contacts/{}", own["id"]);
    let of = json!({"company_id": two["id"]});
    http.patch(&path, &of).await.expect(200);
    let body = json!({"target_id": one["id"], "source_ids": [two["id"]]});
    let merged = custom(&http, "merge", "/companies", &body).await;
    assert_eq!(
        merged["moved"],
        json!([{"resource": "contacts", "count": 1}])
    );
    assert_eq!(http.get(&path).await.expect(200)["company_id"], one["id"]);
}

/// A dry run answers what the merge does, also where something is not moved but goes.
#[tokio::test]
async fn dry_runs_tell_what_merges_do() {
    let (_server, http, _own) = client();
    let tag = make(&http, "/tags", json!({"name": "VIP"})).await["id"].clone();
    let mut ids = Vec::new();
    for name in ["Ada", "Augusta", "Countess"] {
        let email = format!("{name}@example.com");
        let contact = json!({"first_name": name, "email": email});
        let id = make(&http, "/contacts", contact).await["id"].clone();
        make(
            &http,
            "/contact-tags",
            json!({"contact_id": id, "tag_id": tag}),
        )
        .await;
        let ticket = json!({"subject": name, "contact_id": id});
        make(&http, "/support-tickets", ticket).await;
        ids.push(id);
    }
    let mut body = json!({"target_id": ids[0], "source_ids": ids[1..], "dry_run": true});
    let dry = custom(&http, "merge", "/contacts", &body).await;
    let log = http.get("/audit-log").await.json()["total"].clone();
    body["dry_run"] = json!(false);
    let merged = custom(&http, "merge", "/contacts", &body).await;
    let moved = json!([{"resource": "support-tickets", "count": 2}]);
    for answer in [&dry, &merged] {
        assert_eq!(answer["moved"], moved);
        assert_eq!(answer["filled"], json!([]));
        assert_eq!(answer["contact"]["email"], "Ada@example.com");
    }
    // Two contacts and two tags went, two tickets moved.
    let after = http.get("/audit-log").await.json()["total"].clone();
    assert_eq!(after.as_i64().unwrap() - log.as_i64().unwrap(), 6);
    // Tickets say whose they are now.
    let tickets = http.get("/support-tickets").await.json()["data"].clone();
    for ticket in tickets.as_array().unwrap() {
        assert_eq!(ticket["contact_id"], ids[0]);
        assert_eq!(ticket["meta_contact_first_name"], "Ada");
        assert_eq!(ticket["meta_contact_email"], "Ada@example.com");
    }
    let missing = json!({"target_id": ids[0], "source_ids": [ids[1]], "dry_run": true});
    let merge = http.with("x-service-method", "merge");
    merge.post("/contacts", &missing).await.expect(404);
}
