//! Links by e-mail and by events, which are refused, and which can be taken back.

use serde_json::{Value, json};

use super::world;

#[tokio::test]
async fn an_email_stitches() {
    let world = world();
    let first = world.stitch("v_1", " Ada@Example.com ").await;
    assert_eq!(first["created"], true);
    let lead = first["leadId"].as_str().unwrap().to_owned();
    assert!(lead.starts_with("lead_"), "{lead}");
    let members: Vec<_> = first.as_object().unwrap().keys().collect();
    assert_eq!(members, ["visitorId", "leadId", "created"]);
    // The same again, and from another device.
    for visitor in ["v_1", "v_2"] {
        let again = world.stitch(visitor, "ada@example.com").await;
        assert_eq!(
            again,
            json!({"visitorId": visitor, "leadId": lead, "created": false})
        );
    }
    let leads = world.http.get("/api/leads").await.expect(200);
    assert_eq!(leads.as_array().unwrap().len(), 1);
    assert_eq!(leads[0]["email"], "ada@example.com");
    assert_eq!(leads[0]["source"], "stitch");
    let by_email = world
        .http
        .get("/api/leads?email=ADA@example.com")
        .await
        .expect(200);
    assert_eq!(by_email, leads);
}

#[tokio::test]
async fn traits_are_added_and_bounded() {
    let world = world();
    let body = |traits: Value| {
        json!({
            "visitorId": "v", "email": "ada@example.com", "traits": traits,
            "projectKey": world.own.project_key,
        })
    };
    let stitch = |traits| {
        let (http, body) = (world.server.http(), body(traits));
        async move { http.post("/api/identity/stitch", &body).await }
    };
    stitch(json!({"plan": "free", "name": "Ada"}))
        .await
        .expect(200);
    stitch(json!({"plan": "pro"})).await.expect(200);
    // What is too much for one lead is not kept, and the link is made nevertheless.
    stitch(json!({"a": "x".repeat(20_000)})).await.expect(200);
    stitch(json!({"b": "x".repeat(20_000)})).await.expect(200);
    let leads = world.http.get("/api/leads").await.expect(200);
    let traits = &leads[0]["traits"];
    assert_eq!(traits["plan"], "pro");
    assert_eq!(traits["name"], "Ada");
    assert!(traits.get("a").is_some() && traits.get("b").is_none());
    assert_eq!(world.refusals().await[0].0, "traits_too_large");
    let whole = stitch(json!({"a": "x".repeat(70_000)})).await;
    assert_eq!(whole.status, 413, "{}", whole.text);
    assert_eq!(stitch(json!([1])).await.status, 400);
}

#[tokio::test]
async fn ids_that_stand_for_nobody_are_refused_and_recorded() {
    let world = world();
    for id in [
        "null",
        "undefined",
        "anonymous",
        "ANONYMOUS",
        "0",
        "[object Object]",
    ] {
        let link = json!({"visitorId": id, "leadId": "lead_1"});
        let answer = world.http.post("/api/identity", &link).await.expect(400);
        assert_eq!(answer["error"], "visitorId stands for nobody");
        let link = json!({"visitorId": "v", "leadId": id});
        let answer = world.http.post("/api/identity", &link).await.expect(400);
        assert_eq!(answer["error"], "leadId stands for nobody");
        let refusals = world.refusals().await;
        for refusal in [
            ("blocked_id".to_owned(), id.to_owned(), String::new()),
            ("blocked_id".to_owned(), "v".to_owned(), id.to_owned()),
        ] {
            assert!(refusals.contains(&refusal), "{refusals:?}");
        }
    }
    for id in ["", "  "] {
        let link = json!({"visitorId": id, "leadId": "lead_1"});
        let answer = world.http.post("/api/identity", &link).await.expect(400);
        assert_eq!(answer["error"], "visitorId is required");
    }
    let again = json!({"visitorId": "null", "leadId": "lead_1"});
    world.http.post("/api/identity", &again).await.expect(400);
    let all = world.http.get("/api/identity/refusals").await.expect(200);
    let null = all
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["visitorId"] == "null");
    assert_eq!(null.unwrap()["times"], 2);
    let leads = world.http.get("/api/leads").await.expect(200);
    assert_eq!(leads, json!([]));
}

#[tokio::test]
async fn the_first_email_keeps_the_visitor() {
    let world = world();
    let first = world.stitch("v", "ada@example.com").await;
    let second = world.stitch("v", "bob@example.com").await;
    // Whoever fills in a form is a lead; the visitor's history moves to nobody.
    assert_eq!(second["created"], true);
    assert_ne!(first["leadId"], second["leadId"]);
    let identity = world.identity("v").await;
    assert_eq!(identity["leadId"], first["leadId"]);
    assert_eq!(
        identity["leadIds"],
        json!([first["leadId"], second["leadId"]])
    );
    let refusals = world.refusals().await;
    let name = second["leadId"].as_str().unwrap().to_owned();
    let refusal = ("already_identified".to_owned(), "v".to_owned(), name);
    assert_eq!(refusals, [refusal]);
    // By hand it is moved.
    let link = json!({"visitorId": "v", "leadId": second["leadId"]});
    let moved = world.http.post("/api/identity", &link).await.expect(200);
    assert_eq!(moved["leadId"], second["leadId"]);
    assert_eq!(moved["leadIds"], json!([second["leadId"], first["leadId"]]));
}

#[tokio::test]
async fn a_name_nobody_has_becomes_one_of_the_visitors_lead() {
    let world = world();
    let link = json!({"visitorId": "v", "leadId": "crm_5"});
    world.http.post("/api/identity", &link).await.expect(200);
    let stitched = world.stitch("v", "ada@example.com").await;
    assert_eq!(
        stitched,
        json!({"visitorId": "v", "leadId": "crm_5", "created": false})
    );
    // From now on the e-mail is that lead, wherever it is given.
    let other = world.stitch("phone", "ada@example.com").await;
    assert_eq!(other["leadId"], "crm_5");
    let leads = world.http.get("/api/leads").await.expect(200);
    assert_eq!(leads.as_array().unwrap().len(), 1);
    assert_eq!(leads[0]["email"], "ada@example.com");
}

#[tokio::test]
async fn a_link_is_taken_back() {
    let world = world();
    world
        .event("pageview", "v", "2026-01-30T10:00:00Z", json!({}))
        .await;
    let before = world.identity("v").await;
    let lead = world.stitch("v", "ada@example.com").await["leadId"].clone();
    assert_eq!(world.identity("v").await["leadId"], lead);
    let gone = world
        .http
        .delete("/api/identity?visitorId=v")
        .await
        .expect(200);
    assert_eq!(gone, json!({"success": true}));
    assert_eq!(world.identity("v").await, before);
    let again = world.http.delete("/api/identity?visitorId=v").await;
    assert_eq!(again.expect(404)["code"], "NOT_FOUND");
    // The lead stays, and a new stitch links it anew.
    assert_eq!(world.stitch("v", "ada@example.com").await["created"], false);
    assert_eq!(world.identity("v").await["leadId"], lead);
    // Of two, the one before is in its place again.
    let second = world.stitch("v", "bob@example.com").await["leadId"].clone();
    let link = json!({"visitorId": "v", "leadId": second});
    world.http.post("/api/identity", &link).await.expect(200);
    let body = json!({"visitorId": "v", "leadId": second}).to_string();
    let own = world.http.with("content-type", "application/json");
    let undone = own.send(reqwest::Method::DELETE, "/api/identity", Some(body.into()));
    undone.await.expect(200);
    assert_eq!(world.identity("v").await["leadIds"], json!([lead]));
    assert_eq!(world.identity("v").await["leadId"], lead);
}

#[tokio::test]
async fn events_say_who_somebody_is() {
    let mut world = world();
    let data = json!({"leadId": "lead-000001", "email": "One@mail.example"});
    world
        .event("pageview", "v_1", "2026-01-01T00:00:00Z", json!({}))
        .await;
    world
        .event("identify", "v_1", "2026-01-01T00:01:00Z", data)
        .await;
    let identity = world.linked("v_1").await;
    assert_eq!(identity["leadId"], "lead-000001");
    // Its names are known together.
    let stitched = world.stitch("v_2", "one@mail.example").await;
    assert_eq!(
        stitched,
        json!({"visitorId": "v_2", "leadId": "lead-000001", "created": false})
    );
    // Nobody is nobody.
    let data = json!({"userId": "undefined"});
    world
        .event("identify", "v_3", "2026-01-01T00:02:00Z", data)
        .await;
    // What was taken back is not made again by an event, and nothing is heard twice.
    world
        .http
        .delete("/api/identity?visitorId=v_1")
        .await
        .expect(200);
    world.server.kill();
    world.server.run();
    world.http = world.server.http().bearer(&world.own.key);
    let data = json!({"leadId": "lead-000001", "traits": {"plan": "pro"}});
    world
        .event("identify", "v_1", "2026-01-01T00:03:00Z", data)
        .await;
    world
        .event(
            "identify",
            "v_4",
            "2026-01-01T00:04:00Z",
            json!({"userId": 42}),
        )
        .await;
    assert_eq!(world.linked("v_4").await["leadId"], "42");
    assert_eq!(world.identity("v_1").await["leadId"], Value::Null);
    assert_eq!(world.identity("v_3").await["leadId"], Value::Null);
    let refusals = world.refusals().await;
    let nobody = (
        "blocked_id".to_owned(),
        "v_3".to_owned(),
        "undefined".to_owned(),
    );
    assert_eq!(refusals, [nobody]);
    let leads = world.http.get("/api/leads").await.expect(200);
    let ids: Vec<_> = leads
        .as_array()
        .unwrap()
        .iter()
        .map(|lead| &lead["id"])
        .collect();
    assert_eq!(ids, ["42", "lead-000001"]);
    assert_eq!(leads[1]["traits"]["plan"], "pro");
}

/// Pages call it from anywhere, with cookies that do not matter, as `text/plain` too.
#[tokio::test]
async fn pages_of_other_sites_may_stitch() {
    let world = world();
    let page = world.server.http().with("origin", "https://shop.example");
    let body = json!({
        "visitorId": "v", "email": "ada@example.com", "projectKey": world.own.project_key,
    });
    let answer = page
        .with("content-type", "text/plain;charset=UTF-8")
        .send(
            reqwest::Method::POST,
            "/api/identity/stitch",
            Some(body.to_string().into()),
        )
        .await;
    answer.expect(200);
    assert_eq!(
        answer.header("access-control-allow-origin"),
        Some("https://shop.example")
    );
    assert_eq!(
        answer.header("access-control-allow-credentials"),
        Some("true")
    );
    let preflight = page
        .with("access-control-request-method", "POST")
        .with("access-control-request-headers", "content-type")
        .send(reqwest::Method::OPTIONS, "/api/identity/stitch", None)
        .await;
    assert!(preflight.status < 300, "{}", preflight.status);
    assert_eq!(
        preflight.header("access-control-allow-origin"),
        Some("https://shop.example")
    );
}
