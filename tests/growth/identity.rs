//! Identities over HTTP: every example of the contract, what is refused and recorded,
//! and what can be taken back.

use std::time::{Duration, Instant};

use apex::api::apex::growth::v1 as growth;
use apex::api::apex::growth::v1::identity_service_client::IdentityServiceClient;
use serde_json::{Value, json};

use crate::support::{Http, Organization, Server, grpc, web};

struct World {
    server: Server,
    own: Organization,
    http: Http,
}

fn world() -> World {
    let server = Server::start();
    let own = server.organization("Acme");
    let http = server.http().bearer(&own.key);
    World { server, own, http }
}

impl World {
    async fn stitch(&self, visitor: &str, email: &str) -> Value {
        let body = json!({
            "visitorId": visitor, "email": email, "projectKey": self.own.project_key,
        });
        let answer = self.server.http().post("/api/identity/stitch", &body).await;
        answer.expect(200)
    }

    async fn event(&self, name: &str, visitor: &str, at: &str, more: Value) {
        let mut metadata = json!({"url": "https://shop.example/plans?utm_source=x"});
        if let (Value::Object(all), Value::Object(more)) = (&mut metadata, more) {
            all.extend(more);
        }
        let event = json!({
            "event_name": name, "visitor_id": visitor, "timestamp": at, "metadata": metadata,
        });
        self.http.post("/api/v1/events", &event).await.expect(200);
    }

    async fn identity(&self, visitor: &str) -> Value {
        let path = format!("/api/identity?visitorId={visitor}");
        self.http.get(&path).await.expect(200)
    }

    /// Waits until a visitor is linked by what events said.
    async fn linked(&self, visitor: &str) -> Value {
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            let identity = self.identity(visitor).await;
            if !identity["leadId"].is_null() {
                return identity;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{visitor} is not linked: {}", self.server.log());
    }

    async fn refusals(&self) -> Vec<(String, String, String)> {
        let all = self.http.get("/api/identity/refusals").await.expect(200);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let all = all.as_array().unwrap().iter();
        all.map(|one| {
            (
                text(&one["reason"]),
                text(&one["visitorId"]),
                text(&one["name"]),
            )
        })
        .collect()
    }
}

#[tokio::test]
async fn a_journey_is_read() {
    let world = world();
    world
        .event("pageview", "v_demo", "2026-01-30T10:00:00Z", json!({}))
        .await;
    world
        .event(
            "click",
            "v_demo",
            "2026-02-03T09:05:00Z",
            json!({"elementId": "buy"}),
        )
        .await;
    world
        .event("pageview", "v_demo", "2026-02-03T09:00:00Z", json!({}))
        .await;
    world
        .event("pageview", "v_other", "2026-02-03T09:00:00Z", json!({}))
        .await;
    let before = world.identity("v_demo").await;
    assert_eq!(before["leadId"], Value::Null);
    let link = json!({"visitorId": "v_demo", "leadId": "lead_77", "source": "hubspot_webhook"});
    let linked = world.http.post("/api/identity", &link).await.expect(200);
    assert_eq!(linked["leadId"], "lead_77");
    assert_eq!(linked.get("events"), None);
    let identity = world.identity("v_demo").await;
    assert_eq!(identity["visitorId"], "v_demo");
    assert_eq!(identity["leadId"], "lead_77");
    assert_eq!(identity["leadIds"], json!(["lead_77"]));
    assert_eq!(identity["firstSeen"], "2026-01-30T10:00:00Z");
    assert_eq!(identity["lastSeen"], "2026-02-03T09:05:00Z");
    let events = identity["events"].as_array().unwrap();
    let times: Vec<_> = events
        .iter()
        .map(|event| event["timestamp"].as_str().unwrap())
        .collect();
    assert_eq!(
        times,
        [
            "2026-02-03T09:05:00Z",
            "2026-02-03T09:00:00Z",
            "2026-01-30T10:00:00Z"
        ]
    );
    assert_eq!(events[0]["type"], "click");
    assert_eq!(events[0]["data"]["elementId"], "buy");
    assert_eq!(events[1]["type"], "pageview");
    assert_eq!(events[1]["url"], "https://shop.example/plans");
    assert_eq!(
        identity["attribution"],
        json!({"channel": "referral", "source": "x", "landingPage": "/plans"})
    );
}

#[tokio::test]
async fn a_journey_is_read_page_by_page() {
    let world = world();
    // Months, days and quarters of an hour apart, some at the same time.
    for (day, minute) in [
        (1, 0),
        (1, 0),
        (1, 1),
        (1, 20),
        (3, 0),
        (40, 5),
        (40, 6),
        (90, 0),
    ] {
        let date = jiff::civil::date(2025, 1, 1).checked_add(jiff::Span::new().days(day));
        let at = format!("{}T12:{minute:02}:00Z", date.unwrap());
        world.event("pageview", "v", &at, json!({})).await;
        world.event("pageview", "other", &at, json!({})).await;
    }
    let whole = world.identity("v").await;
    let all = whole["events"].as_array().unwrap();
    assert_eq!(all.len(), 8);
    for limit in 1..=8 {
        let mut cursor = String::new();
        let mut pages = Vec::new();
        loop {
            let path = format!("/api/identity?visitorId=v&limit={limit}{cursor}");
            let page = world.http.get(&path).await.expect(200);
            let events = page["events"].as_array().unwrap();
            assert!(events.len() <= limit);
            pages.extend(events.clone());
            assert_eq!(page["lastSeen"], whole["lastSeen"]);
            match page["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(&pages, all, "{limit} at once");
    }
    let wrong = world.http.get("/api/identity?visitorId=v&cursor=x").await;
    assert_eq!(wrong.expect(400)["code"], "VALIDATION_ERROR");
}

#[tokio::test]
async fn what_is_wrong_is_told() {
    let world = world();
    let unknown = world.http.get("/api/identity?visitorId=nobody").await;
    assert_eq!(
        unknown.text,
        r#"{"error":"Visitor not found","code":"NOT_FOUND","status":404}"#
    );
    let missing = world.http.get("/api/identity").await;
    assert_eq!(
        missing.text,
        r#"{"error":"visitorId is required","code":"VALIDATION_ERROR","status":400}"#
    );
    let key = &world.own.project_key;
    for (path, body, words) in [
        (
            "/api/identity",
            json!({"visitorId": "v"}),
            "leadId is required",
        ),
        (
            "/api/identity",
            json!({"leadId": "l"}),
            "visitorId is required",
        ),
        (
            "/api/identity/stitch",
            json!({"visitorId": "v", "projectKey": key}),
            "email is required",
        ),
        (
            "/api/identity/stitch",
            json!({"visitorId": "v", "email": "ada", "projectKey": key}),
            "email is not valid",
        ),
        (
            "/api/identity/stitch",
            json!({"email": "ada@example.com", "projectKey": key}),
            "visitorId is required",
        ),
        (
            "/api/identity/stitch",
            json!({"visitorId": "v", "email": "ada@example.com"}),
            "projectKey is required",
        ),
        (
            "/api/identity/stitch",
            json!({"visitorId": "v", "email": "ada@example.com", "projectKey": "pk_live_no"}),
            "projectKey is not known",
        ),
    ] {
        let answer = world.http.post(path, &body).await.expect(400);
        assert_eq!(
            answer,
            json!({"error": words, "code": "VALIDATION_ERROR", "status": 400})
        );
    }
    for path in [
        "/api/identity?visitorId=v",
        "/api/leads",
        "/api/identity/refusals",
    ] {
        let answer = world.server.http().get(path).await.expect(401);
        assert_eq!(answer["code"], "UNAUTHORIZED");
    }
}

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
async fn leads_are_merged_and_parted() {
    let world = world();
    let mut leads = Vec::new();
    for (visitor, email) in [
        ("a", "a@x.example"),
        ("b", "b@x.example"),
        ("c", "c@x.example"),
    ] {
        leads.push(world.stitch(visitor, email).await["leadId"].clone());
    }
    let who = || async {
        let mut all = Vec::new();
        for visitor in ["a", "b", "c"] {
            all.push(world.identity(visitor).await["leadId"].clone());
        }
        all
    };
    let before = who().await;
    assert_eq!(before, leads);
    let merge = |into: &Value, from: &Value| {
        let (http, body) = (world.http.clone(), json!({"id": into, "from": from}));
        async move { http.post("/api/leads/merge", &body).await }
    };
    let first = merge(&leads[0], &leads[1]).await.expect(200);
    assert_eq!(first["leadId"], leads[0]);
    assert_eq!(first["fromLeadId"], leads[1]);
    // The second merges what is one already, named by either of its ids.
    let second = merge(&leads[2], &leads[1]).await.expect(200);
    assert_eq!(second["fromLeadId"], leads[0]);
    let all = [&leads[2], &leads[2], &leads[2]].map(Clone::clone);
    assert_eq!(who().await, all);
    let shown = world.http.get("/api/leads").await.expect(200);
    assert_eq!(shown.as_array().unwrap().len(), 1);
    // Their names are names of the one.
    assert_eq!(world.stitch("d", "b@x.example").await["leadId"], leads[2]);
    for (into, from) in [(0, 2), (2, 0), (1, 1)] {
        let circle = merge(&leads[into], &leads[from]).await.expect(400);
        assert_eq!(circle["code"], "VALIDATION_ERROR");
    }
    let refusals = world.refusals().await;
    assert!(
        refusals.iter().all(|(reason, ..)| reason == "cycle"),
        "{refusals:?}"
    );
    assert!(!refusals.is_empty());
    assert_eq!(merge(&leads[0], &json!("nobody's")).await.status, 404);
    for (merge, visitors) in [(&second, [0, 0, 2]), (&first, [0, 1, 2])] {
        let body = json!({"id": merge["id"]});
        let undone = world
            .http
            .post("/api/leads/unmerge", &body)
            .await
            .expect(200);
        assert!(undone["undoneAt"].is_string());
        assert_eq!(who().await, visitors.map(|at: usize| leads[at].clone()));
        let again = world.http.post("/api/leads/unmerge", &body).await;
        assert_eq!(again.status, 400);
    }
    assert_eq!(who().await, before);
    let journal = world.http.get("/api/leads/merges").await.expect(200);
    let ids: Vec<_> = journal
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["id"])
        .collect();
    assert_eq!(ids, [&second["id"], &first["id"]]);
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

#[tokio::test]
async fn leads_come_page_by_page() {
    let world = world();
    for number in 0..7 {
        world
            .stitch(&format!("v{number}"), &format!("{number}@x.example"))
            .await;
    }
    let all = world.http.get("/api/leads").await.expect(200);
    let (mut pages, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = world
            .http
            .get(&format!("/api/leads?limit=3{cursor}"))
            .await
            .expect(200);
        let page = page.as_array().unwrap().clone();
        let Some(last) = page.last() else { break };
        cursor = format!("&cursor={}", last["id"].as_str().unwrap());
        pages.extend(page);
    }
    assert_eq!(Value::Array(pages), all);
    assert_eq!(
        world.http.get("/api/leads?cursor=nobody's").await.status,
        400
    );
    assert_eq!(world.http.get("/api/leads?limit=0").await.status, 400);
}

#[tokio::test]
async fn grpc_does_the_same() {
    let world = world();
    let url = &world.server.url;
    let mut client = IdentityServiceClient::new(grpc::with_key(url, &world.own.key).await);
    let stitch = growth::StitchIdentityRequest {
        visitor_id: "v".to_owned(),
        email: "ADA@example.com".to_owned(),
        project_key: world.own.project_key.clone(),
        traits: String::new(),
    };
    let stitched = client
        .stitch_identity(stitch.clone())
        .await
        .unwrap()
        .into_inner();
    assert!(stitched.created);
    let again = world.stitch("v", "ada@example.com").await;
    assert_eq!(again["leadId"], stitched.lead_id.as_str());
    let method = "apex.growth.v1.IdentityService/StitchIdentity";
    let by_web: growth::StitchIdentityResponse = web::call(&world.server.http(), method, &stitch)
        .await
        .unwrap();
    assert_eq!(by_web.lead_id, stitched.lead_id);
    assert!(!by_web.created);
    let ask = growth::GetIdentityRequest {
        visitor_id: "v".to_owned(),
        ..Default::default()
    };
    let identity = client.get_identity(ask).await.unwrap().into_inner();
    assert_eq!(identity.lead_id, Some(stitched.lead_id));
    let nobody = growth::GetIdentityRequest {
        visitor_id: "nobody".to_owned(),
        ..Default::default()
    };
    let status = client.get_identity(nobody).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::NotFound);
    assert_eq!(grpc::reason(&status), "NOT_FOUND");
    let blocked = growth::LinkIdentityRequest {
        visitor_id: "null".to_owned(),
        lead_id: "l".to_owned(),
        source: String::new(),
    };
    let status = client.link_identity(blocked).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::InvalidArgument);
    assert_eq!(grpc::reason(&status), "VALIDATION_ERROR");
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
