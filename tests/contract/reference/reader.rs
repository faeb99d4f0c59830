//! A reader of the reference page, who runs its examples on what is the reader's own.

use std::process::Command;

use serde_json::{Value, json};

use crate::contract::readme::path;
use crate::support::{Http, Organization, Server, records};

/// Who reads the page, with something to change and to delete.
pub struct Reader {
    /// The server whose page is read.
    pub server: Server,
    /// The reader's organization.
    pub own: Organization,
    /// The reader's password at the moment.
    pub password: &'static str,
    /// Where commands run.
    pub folder: tempfile::TempDir,
}

impl Reader {
    /// A client with the reader's key.
    pub fn http(&self) -> Http {
        self.server.http().bearer(&self.own.key)
    }

    async fn made(&self, path: &str, body: Value, id: &str) -> String {
        let made = self.http().post(path, &body).await.expect(200);
        made[id].to_string().trim_matches('"').to_owned()
    }

    /// Values of the variables in an example: things of its own, which it may delete.
    pub async fn variables(&self, example: &str, number: usize) -> Vec<(&'static str, String)> {
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
        if example.contains("/keys/rotate") {
            // The key that is used to call is over then.
            let key = self
                .made("/api/api-keys", json!({"name": "k"}), "key")
                .await;
            return vec![("KEY", key)];
        }
        let user = if example.contains("/suppressions") {
            let path = "/api/v1/users/user_001/suppressions";
            let topic = json!({"topic": "divorce"});
            self.memory().post(path, &topic).await.expect(201);
            "user_001".to_owned()
        } else if example.contains("$USER_ID") {
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
            ("NODE_ID", self.node(example).await),
            ("RESOURCE", "contacts".to_owned()),
            ("FLAG_KEY", self.experiment(example, "FLAG_KEY").await),
            ("EMAIL", self.own.email.clone()),
            ("PASSWORD", self.password.to_owned()),
        ]
    }

    /// A client for memories.
    fn memory(&self) -> Http {
        self.server.http().with("x-api-key", &self.own.key)
    }

    /// A memory of its own, if an example speaks of one.
    async fn node(&self, example: &str) -> String {
        if !example.contains("$NODE_ID") {
            return String::new();
        }
        let said = json!({"user_id": "user_001", "content": "My dog is called Biscuit."});
        let made = self
            .memory()
            .post("/api/v1/ingest", &said)
            .await
            .expect(201);
        made["node_id"].as_str().unwrap().to_owned()
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
    pub async fn own(&self, example: &str) -> String {
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
    pub async fn growth(&self, example: &str) -> String {
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

    /// An example of files with what is the reader's own, which the page only hints at.
    pub async fn files(&self, example: &str) -> String {
        if !example.contains("/conversation-files") {
            return example.to_owned();
        }
        let http = self.http();
        let text = example.replace("101/…/plan.pdf", &records::sent(&http).await);
        let url = regex::Regex::new(r#"\$URL/conversation-files/\$ORG[^"]*"#).unwrap();
        if !url.is_match(&text) {
            return text;
        }
        // What curl sends as, if it is not told.
        let kind = "application/x-www-form-urlencoded";
        let mine = match text.contains("-X PUT") {
            true => records::signed(&http, kind).await.0,
            false => records::file(&http).await["download_url"]
                .as_str()
                .unwrap()
                .to_owned(),
        };
        url.replace(&text, mine.as_str()).into_owned()
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
        if own == "conversation-files" {
            let file = records::file(&self.http()).await;
            return Some(file["_id"].as_str().unwrap().to_owned());
        }
        let kept = own.strip_prefix("conversation-messages-")?;
        let kept = kept.trim_start_matches("transform-outgoing-");
        Some(self.conversation(kept).await.1)
    }

    /// A record of the CRM that an example changes or names. It names the first ones.
    async fn record(&self, example: &str) -> Option<String> {
        const NAMED: [&str; 6] = [
            "/pipelines",
            "/contacts",
            "/products",
            "/deals",
            "/tags",
            "/support-tickets",
        ];
        let http = self.http();
        if example.contains("/imports/$ID") {
            return Some(records::import(&http).await["id"].to_string());
        }
        if let Some(id) = self.talk(example).await {
            return Some(id);
        }
        if example.contains("/organization-users/$ID") {
            let users = http.get("/organization-users").await.expect(200);
            return Some(users["data"][0]["id"].to_string());
        }
        if example.contains("/webhook-deliveries/$ID") {
            return Some(records::delivery(&http).await["id"].to_string());
        }
        if example.contains("$URL/api-keys/$ID") {
            return Some(self.key());
        }
        if example.contains("/audit-log/$ID") {
            let log = http.get("/audit-log").await.expect(200);
            return Some(log["data"][0]["id"].to_string());
        }
        let path = example.split_once("$URL")?.1;
        let own = path.split(['/', '"', '?']).nth(1)?;
        let own = format!("/{own}");
        // API keys are made by people: an example does so itself.
        let mut known = records::BODIES.iter();
        let (_, body) = known.find(|(path, _)| *path == own && own != "/api-keys")?;
        self.remove_named().await;
        if own == "/role-grants" && !example.contains("$ID") {
            return Some(String::new());
        }
        for needed in NAMED.into_iter().filter(|needed| *needed != own) {
            records::make(&http, needed).await;
        }
        // It names the first ones too, but a tag that nobody has.
        let mut body = (*body).to_owned();
        for (named, _) in records::BODIES.iter().filter(|(path, _)| *path != "/tags") {
            body = body.replace(&format!("\"${named}\""), "1");
        }
        let body = records::filled(&http, body).await;
        Some(records::made(&http, &own, &body).await["id"].to_string())
    }

    /// Removes what there is one of by its name, so that an example may make it.
    async fn remove_named(&self) {
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
    }

    /// Runs a command; answers whether it succeeded, and what it said.
    pub fn run(&self, command: &str, variables: Vec<(&'static str, String)>) -> (bool, String) {
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

    /// Signs the reader in, as examples with a jar for cookies expect.
    pub fn sign_in(&self) {
        let body = json!({"email": self.own.email, "password": self.password});
        let json = "content-type: application/json";
        let command =
            format!("curl -s -f -o /dev/null -c jar $URL/api/auth/sign-in -H '{json}' -d '{body}'");
        let (done, said) = self.run(&command, Vec::new());
        assert!(done, "{said}");
    }
}
