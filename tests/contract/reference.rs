//! The reference page: whole, safe to show, and true. Every example on it is run as a
//! reader would paste it.

use std::collections::BTreeSet;
use std::process::Command;

use apex::api::METHODS;
use apex::policy::Auth;
use serde_json::{Value, json};

use super::readme::path;
use crate::support::server::PASSWORD;
use crate::support::{Http, Organization, Server, skip};

/// What stands between two words, wherever they are.
fn between<'t>(text: &'t str, begin: &str, end: &str) -> Vec<&'t str> {
    let parts = text.split(begin).skip(1);
    parts
        .filter_map(|part| Some(part.split_once(end)?.0))
        .collect()
}

#[tokio::test]
async fn every_link_leads_somewhere() {
    let server = Server::start();
    let answer = server.http().get("/docs").await;
    assert_eq!(answer.status, 200);
    let page = answer.text;
    let ids = between(&page, " id=\"", "\"");
    let unique: BTreeSet<_> = ids.iter().copied().collect();
    assert_eq!(unique.len(), ids.len(), "an id stands twice: {ids:?}");
    for link in between(&page, " href=\"#", "\"") {
        assert!(unique.contains(link), "{link}");
    }
    let ours = METHODS
        .iter()
        .filter(|spec| spec.service.name.starts_with("apex."));
    for spec in ours {
        assert!(unique.contains(spec.name), "{} has no article", spec.path);
    }
    for subject in [
        "authentication",
        "organizations",
        "repeats",
        "limits",
        "errors",
        "apex.metrics.v1.EventItem",
        "apex.account.v1.Membership",
        "apex.account.v1.Role",
    ] {
        assert!(unique.contains(subject), "{subject}");
    }
    for header in [
        "x-api-key",
        "X-Organization",
        "X-Project",
        "Idempotency-Key",
        "Idempotent-Replayed",
        "X-RateLimit-Remaining",
        "Retry-After",
        "X-Request-Id",
    ] {
        assert!(page.contains(header), "{header}");
    }
    assert!(!page.contains('`'), "backticks are for comments");
}

#[tokio::test]
async fn nothing_on_it_comes_from_elsewhere() {
    let server = Server::start();
    let answer = server.http().get("/docs").await;
    let policy = answer.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none';"), "{policy}");
    assert!(!policy.contains("script"), "{policy}");
    let page = answer.text.to_lowercase();
    for never in [
        "<script",
        "<link",
        "<img",
        "<iframe",
        " src=",
        "javascript:",
        "@import",
        "url(",
    ] {
        assert!(!page.contains(never), "{never}");
    }
    for link in between(&page, " href=\"", "\"") {
        assert!(link.starts_with('#') || link == "/openapi.json", "{link}");
    }
}

/// A body of an error on the page is one the server answers.
#[tokio::test]
async fn its_error_bodies_are_the_server_s() {
    let server = Server::start();
    let key = server.organization("Acme").key;
    let http = server.http().bearer(&key);
    let page = unescaped(&http.get("/docs").await.text);
    for path in ["/api/api-keys?limit=0", "/api/v1/analytics?limit=0"] {
        let answer = http.get(path).await;
        assert_eq!(answer.status, 400);
        assert!(page.contains(&answer.text), "{}", answer.text);
    }
}

fn unescaped(html: &str) -> String {
    html.replace("&#39;", "'")
        .replace("&quot;", "\"")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

/// Examples by the method they call.
fn examples(page: &str) -> Vec<(&'static str, String)> {
    let articles = between(page, "<article id=\"", "</article>");
    let example = |article: &&str| {
        let (name, rest) = article.split_once('"')?;
        let (_, code) = rest.split_once("<pre><code>")?;
        let spec = METHODS.iter().find(|spec| spec.name == name)?;
        Some((spec.path, unescaped(code.split_once("</code>")?.0)))
    };
    articles.iter().filter_map(example).collect()
}

/// Who reads the page, with something to change and to delete.
struct Reader {
    server: Server,
    own: Organization,
    password: &'static str,
    folder: tempfile::TempDir,
}

impl Reader {
    fn http(&self) -> Http {
        self.server.http().bearer(&self.own.key)
    }

    async fn made(&self, path: &str, body: Value, id: &str) -> String {
        let made = self.http().post(path, &body).await.expect(200);
        made[id].to_string().trim_matches('"').to_owned()
    }

    /// Values of the variables in an example: things of its own, which it may delete.
    async fn variables(&self, example: &str, number: usize) -> Vec<(&'static str, String)> {
        let organization = self.own.id.to_string();
        let id = if let Some(id) = self.record(example).await {
            id
        } else if example.contains("/api/projects/$ID") {
            self.made("/api/projects", json!({"name": "p"}), "id").await
        } else if example.contains("/api/api-keys/$ID") {
            self.made("/api/api-keys", json!({"name": "k"}), "id").await
        } else {
            organization.clone()
        };
        let user = if example.contains("$USER_ID") {
            let members = format!("/api/organizations/{organization}/members");
            let user = json!({"email": format!("m{number}@example.com")});
            self.made(&members, user, "userId").await
        } else {
            String::new()
        };
        vec![
            ("ID", id),
            ("ORGANIZATION_ID", organization),
            ("USER_ID", user),
            ("RESOURCE", "contacts".to_owned()),
            ("FLAG_KEY", self.experiment(example, "FLAG_KEY").await),
        ]
    }

    /// A running experiment of its own, if an example speaks of one.
    async fn experiment(&self, example: &str, word: &str) -> String {
        if !example.contains(word) {
            return String::new();
        }
        let variants = json!([{"name": "Control"}, {"name": "Other"}]);
        let new = json!({"name": "e", "targetUrl": "/", "variants": variants});
        let id = self.made("/api/experiments", new, "id").await;
        let run = json!({"id": id, "status": "running"});
        self.http()
            .patch("/api/experiments", &run)
            .await
            .expect(200);
        id
    }

    /// An example with what is the reader's own, which the page only hints at.
    async fn own(&self, example: &str) -> String {
        let experiment = self.experiment(example, "exp_…").await;
        let text = example.replace("exp_…", &experiment);
        let sends = text
            .split_once("$URL/conversation-messages-")
            .and_then(|(_, rest)| rest.split_once('"'));
        match sends {
            Some((channel, _)) if text.contains("\"conversation_id\"") => {
                let channel = channel.trim_start_matches("transform-outgoing-");
                let (id, _) = self.conversation(channel).await;
                let first = regex::Regex::new(r#""conversation_id": ?1"#).unwrap();
                let mine = format!("\"conversation_id\": {id}");
                first.replace(&text, mine.as_str()).into_owned()
            }
            Some(_) | None => text,
        }
    }

    /// An example of growth with what is the reader's own, which the page only hints at.
    async fn growth(&self, example: &str) -> String {
        let mut text = example.to_owned();
        let hook = json!({"url": "https://93.184.215.14/hook", "events": ["goal.reached"]});
        let goal = json!({"metric": "nps", "target": 1, "deadline": "2030-06-30", "current": 1});
        let conversion = json!({"name": "Paid", "type": "custom_event", "eventName": "paid"});
        if text.contains("wh_…") {
            let id = self.made("/api/webhooks", hook.clone(), "id").await;
            text = text.replace("wh_…", &id);
        }
        if text.contains("whd_…") {
            let id = self.made("/api/webhooks", hook, "id").await;
            self.made("/api/goals", goal.clone(), "id").await;
            let off = json!({"id": id, "status": "disabled"});
            let own = self.http();
            own.patch("/api/webhooks", &off).await.expect(200);
            let log = own.get(&format!("/api/webhooks/deliveries?id={id}")).await;
            text = text.replace("whd_…", log.json()[0]["id"].as_str().unwrap());
        }
        if text.contains("goal_…") {
            let id = self.made("/api/goals", goal, "id").await;
            text = text.replace("goal_…", &id);
        }
        if text.contains("cg_…") {
            let id = self.made("/api/conversion-goals", conversion, "id").await;
            text = text.replace("cg_…", &id);
        }
        if text.contains("merge_…") {
            let leads = [("m_1", "merged_1"), ("m_2", "merged_2")];
            for (visitor, lead) in leads {
                let link = json!({"visitorId": visitor, "leadId": lead});
                self.made("/api/identity", link, "leadId").await;
            }
            let merge = json!({"id": "merged_1", "from": "merged_2"});
            let id = self.made("/api/leads/merge", merge, "id").await;
            text = text.replace("merge_…", &id);
        }
        if text.contains("v_demo") || text.contains("lead_78") {
            for (visitor, lead) in [("v_demo", "lead_77"), ("v_other", "lead_78")] {
                let link = json!({"visitorId": visitor, "leadId": lead});
                self.made("/api/identity", link, "leadId").await;
            }
        }
        text
    }

    /// The open conversation of the first contact over a channel, in which it wrote.
    async fn conversation(&self, channel: &str) -> (String, String) {
        let http = self.http();
        let first = json!({"first_name": "Jane"});
        http.post("/contacts", &first).await.expect(201);
        let text = json!({"direction": "incoming", "contact_id": 1, "message_text": "Hi"});
        let path = format!("/conversation-messages-{channel}");
        let made = http.post(&path, &text).await.expect(201);
        let name = made.get("_id").or(made.get("id")).unwrap().to_string();
        let name = name.trim_matches('"').to_owned();
        (made["conversation_id"].to_string(), name)
    }

    /// A conversation, or a message in one, that an example names.
    async fn talk(&self, example: &str) -> Option<String> {
        let path = example.split_once("$URL/")?.1;
        let (own, _) = path.split_once(['/', '"', '?'])?;
        if own == "conversations" {
            let (id, _) = self.conversation("whatsapp").await;
            if !path.contains("$ID") {
                // Another one can be begun.
                let closed = json!({"status": "closed"});
                let path = format!("/conversations/{id}");
                self.http().patch(&path, &closed).await.expect(200);
            }
            return Some(id);
        }
        let kept = own.strip_prefix("conversation-messages-")?;
        let kept = kept.trim_start_matches("transform-outgoing-");
        Some(self.conversation(kept).await.1)
    }

    /// A record of the CRM that an example changes or names. It names the first ones.
    async fn record(&self, example: &str) -> Option<String> {
        const BODIES: [(&str, &str); 21] = [
            ("pipelines", r#"{"name": "Sales"}"#),
            ("contacts", r#"{"first_name": "Jane"}"#),
            ("products", r#"{"name": "Box"}"#),
            ("deals", r#"{"name": "Deal", "pipeline_id": 1}"#),
            ("companies", r#"{"name": "Acme"}"#),
            ("pipeline-stages", r#"{"name": "Last", "pipeline_id": 1}"#),
            ("product-categories", r#"{"name": "Boxes"}"#),
            (
                "deal-products",
                r#"{"deal_id": 1, "product_id": 1, "quantity": 1, "price": 1}"#,
            ),
            ("activity-types", r#"{"name": "Call"}"#),
            ("activities", r#"{"subject": "Call"}"#),
            (
                "custom-fields",
                r#"{"entity_type": "contact", "name": "$fresh", "type": "text"}"#,
            ),
            ("tags", r#"{"name": "$fresh"}"#),
            ("contact-tags", r#"{"contact_id": 1, "tag_id": $tag}"#),
            ("notes", r#"{"content": "Note"}"#),
            (
                "webhooks",
                r#"{"url": "https://93.184.215.14/h", "events": ["tags.created"]}"#,
            ),
            ("role-grants", r#"{"role": "member", "resource": "deals"}"#),
            (
                "support-tickets",
                r#"{"subject": "Help", "meta_contact_email": "a@example.com"}"#,
            ),
            (
                "support-ticket-messages",
                r#"{"support_ticket_id": 1, "message_text": "Hi", "direction": "incoming"}"#,
            ),
            ("inbox-channels", r#"{"channel": "gmail", "name": "Help"}"#),
            ("conversation-views", r#"{"name": "Open"}"#),
            (
                "conversation-predefined-messages",
                r#"{"title": "Hours", "content": "Always"}"#,
            ),
        ];
        if example.contains("/imports/$ID") {
            let file = Some(b"email\nbob@example.com\n".to_vec());
            let http = self.http();
            let made = http.send(reqwest::Method::POST, "/imports", file).await;
            return Some(made.json()["id"].to_string());
        }
        if let Some(id) = self.talk(example).await {
            return Some(id);
        }
        if example.contains("/organization-users/$ID") {
            let users = self.http().get("/organization-users").await.expect(200);
            return Some(users["data"][0]["id"].to_string());
        }
        if example.contains("/webhook-deliveries/$ID") {
            let hook = json!({"url": "https://93.184.215.14/h", "events": ["tags.created"]});
            let hook = self.http().post("/webhooks", &hook).await.expect(201);
            let tag = json!({"name": uuid::Uuid::new_v4()});
            self.http().post("/tags", &tag).await.expect(201);
            let one = format!("/webhooks/{}", hook["id"]);
            let off = json!({"status": "disabled"});
            self.http().patch(&one, &off).await.expect(200);
            let log = format!("/webhook-deliveries?webhook_id={}", hook["id"]);
            let log = self.http().get(&log).await.expect(200);
            return Some(log["data"][0]["id"].to_string());
        }
        if example.contains("$URL/api-keys/$ID") {
            return Some(self.key());
        }
        if example.contains("/audit-log/$ID") {
            let note = json!({"content": "Note"});
            self.http().post("/notes", &note).await.expect(201);
            let log = self.http().get("/audit-log").await.expect(200);
            return Some(log["data"][0]["id"].to_string());
        }
        let path = example.split_once("$URL/")?.1;
        let own = path.split(['/', '"', '?']).next()?;
        BODIES.iter().find(|(name, _)| *name == own)?;
        // There is one of a name.
        for named in [
            "tags?name=VIP",
            "custom-fields?name=Industry",
            "role-grants",
        ] {
            let found = self.http().get(&format!("/{named}")).await.expect(200);
            for record in found["data"].as_array().unwrap() {
                let path = format!("/{}/{}", named.split('?').next().unwrap(), record["id"]);
                self.http().delete(&path).await.expect(200);
            }
        }
        let mut made = String::new();
        if own == "role-grants" && !example.contains("$ID") {
            // There is one of a role and a resource.
            return Some(made);
        }
        for (name, body) in BODIES {
            let needed = [
                "pipelines",
                "contacts",
                "products",
                "deals",
                "tags",
                "support-tickets",
            ]
            .contains(&name);
            if name != own && !needed {
                continue;
            }
            let fresh = uuid::Uuid::new_v4().to_string();
            let mut body = body.replace("$fresh", &fresh);
            if body.contains("$tag") {
                let tag = json!({ "name": fresh });
                let tag = self.http().post("/tags", &tag).await.expect(201);
                body = body.replace("$tag", &tag["id"].to_string());
            }
            let body: Value = serde_json::from_str(&body).unwrap();
            let record = self
                .http()
                .post(&format!("/{name}"), &body)
                .await
                .expect(201);
            if name == own {
                made = record["id"].to_string();
            }
        }
        Some(made)
    }

    fn run(&self, command: &str, variables: Vec<(&'static str, String)>) -> (bool, String) {
        let done = Command::new("sh")
            .args(["-c", command])
            .current_dir(self.folder.path())
            .env("URL", &self.server.url)
            .env("KEY", &self.own.key)
            .env("PROJECT_KEY", &self.own.project_key)
            .env("PATH", path())
            .envs(variables)
            .output()
            .unwrap();
        let said = [done.stdout, done.stderr].concat();
        (done.status.success(), String::from_utf8(said).unwrap())
    }

    /// The number of an API key that was just made.
    fn key(&self) -> String {
        let json = "content-type: application/json";
        let body = json!({"name": "k"});
        let command = format!("curl -s -f -b jar $URL/api-keys -H '{json}' -d '{body}'");
        let (done, said) = self.run(&command, Vec::new());
        assert!(done, "{said}");
        let made: Value = serde_json::from_str(&said).unwrap();
        made["id"].to_string()
    }

    fn sign_in(&self) {
        let body = json!({"email": self.own.email, "password": self.password});
        let json = "content-type: application/json";
        let command =
            format!("curl -s -f -o /dev/null -c jar $URL/api/auth/sign-in -H '{json}' -d '{body}'");
        let (done, said) = self.run(&command, Vec::new());
        assert!(done, "{said}");
    }
}

#[tokio::test]
async fn every_example_works() {
    let test = "contract::reference::every_example_works";
    let server = Server::with(&[
        ("APEX_SIGNUP", "open"),
        ("APEX_LIMITS_SIGN_IN_LIMIT", "1000"),
        ("APEX_LIMITS_CRM_LIMIT", "100000"),
    ]);
    let own = server.organization("You");
    let mut reader = Reader {
        server,
        own,
        password: PASSWORD,
        folder: tempfile::tempdir().unwrap(),
    };
    let page = reader.http().get("/docs").await.text;
    let mut examples = examples(&page);
    // While there is one project, no call need name it.
    examples.sort_by_key(|(method, _)| method.starts_with("/apex.account."));
    let callable = METHODS
        .iter()
        .filter(|spec| spec.service.name.starts_with("apex.") && spec.auth != Auth::Operator);
    assert_eq!(examples.len(), callable.count());
    for (number, (method, example)) in examples.into_iter().enumerate() {
        let program = example.split(' ').next().unwrap();
        let (there, _) = reader.run(&format!("command -v {program}"), Vec::new());
        if !there {
            skip::skip(test, &format!("{program} is not installed"));
            continue;
        }
        if example.contains("-b jar") {
            reader.sign_in();
        }
        let example = reader.own(&example).await;
        let example = reader.growth(&example).await;
        let variables = reader.variables(&example, number).await;
        if program == "buf" {
            let (done, said) = reader.run(&example, variables);
            assert!(done, "{example}\n{said}");
            continue;
        }
        let spec = METHODS.iter().find(|spec| spec.path == method);
        // What goes on until somebody ends it is ended.
        let most = match spec.is_some_and(|spec| spec.server_streaming) {
            true => "-m 2",
            false => "",
        };
        let command = format!("{example} -s {most} -w '\\n%{{http_code}}'");
        let (_, said) = reader.run(&command, variables);
        let status = said.rsplit('\n').next().unwrap_or_default();
        let expected = match method {
            // There is an organization already, and the owner.
            "/apex.account.v1.SessionService/CompleteSetup" => 404,
            "/apex.account.v1.SessionService/SignUp" => 409,
            _ => spec.unwrap().success_status,
        };
        assert_eq!(status, expected.to_string(), "{example}\n{said}");
        if method.ends_with("/ChangePassword") {
            reader.password = "a better password";
        }
    }
}

#[tokio::test]
async fn the_document_names_the_headers_there_are() {
    let server = Server::start();
    let own = server.organization("Acme");
    let document = server.http().get("/openapi.json").await.expect(200);
    let headers = |path: &str, verb: &str, status: &str| {
        let answer = &document["paths"][path][verb]["responses"][status]["headers"];
        let names = answer.as_object().expect("headers").keys();
        names.cloned().collect::<BTreeSet<String>>()
    };
    let events = headers("/api/v1/events", "post", "200");
    let keyed = server.http().bearer(&own.key).with("idempotency-key", "k");
    keyed
        .post("/api/v1/events", &json!({"event_name": "x"}))
        .await
        .expect(200);
    let again = keyed
        .post("/api/v1/events", &json!({"event_name": "x"}))
        .await;
    for name in [
        "X-Request-Id",
        "X-RateLimit-Limit",
        "X-RateLimit-Remaining",
        "X-RateLimit-Reset",
        "Idempotent-Replayed",
    ] {
        assert!(events.contains(name), "{name}: {events:?}");
        assert!(again.headers.contains_key(name), "{name}");
    }
    assert!(headers("/api/v1/events", "post", "429").contains("Retry-After"));
    assert!(headers("/api/projects", "post", "200").contains("Idempotent-Replayed"));
    let projects = headers("/api/projects", "get", "200");
    assert_eq!(projects, BTreeSet::from(["X-Request-Id".to_owned()]));
    let told = document["info"]["description"].as_str().expect("text");
    for subject in ["## Authentication", "`X-Project: prj_…`", "## Errors"] {
        assert!(told.contains(subject), "{subject}: {told}");
    }
}
