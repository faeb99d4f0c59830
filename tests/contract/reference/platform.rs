//! What the reader of the reference page has on the platform.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::reader::Reader;

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}

impl Reader {
    async fn own_new(&self, path: &str, body: Value) -> String {
        let made = self.http().post(path, &body).await.expect(200);
        text(&made["id"])
    }

    /// A user of the reader's organization.
    async fn colleague(&self, email: &str) -> Value {
        let members = format!("/api/organizations/{}/members", self.own.id);
        let body = json!({"email": email});
        self.http().post(&members, &body).await.expect(200)["userId"].clone()
    }

    async fn service(&self, number: usize) -> String {
        let body = json!({"name": format!("own-{number}"), "image": "nginx"});
        let id = self.own_new("/api/deploy", body).await;
        self.deployed(&id, 1).await;
        id
    }

    /// Waits until so many deployments of a service succeeded.
    async fn deployed(&self, id: &str, count: usize) {
        let path = format!("/api/services/{id}/deployments");
        loop {
            let all = self.http().get(&path).await.expect(200);
            let all = all.as_array().expect("a list").iter();
            if all.filter(|one| one["status"] == "SUCCEEDED").count() == count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// A database that runs, and its backup.
    async fn database(&self, number: usize) -> (String, String) {
        let body = json!({"name": format!("own-{number}"), "type": "redis"});
        let own = self.own_new("/api/databases", body).await;
        let path = format!("/api/databases/{own}");
        self.runs(&path).await;
        let backup = self.own_new(&format!("{path}/backups"), json!({})).await;
        self.runs(&path).await;
        (own, backup)
    }

    async fn runs(&self, path: &str) {
        while self.http().get(path).await.expect(200)["status"] != "RUNNING" {
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// An invitation of the reader to a team of a colleague's.
    async fn invitation(&self, number: usize) -> String {
        let http = self.http();
        let team = self
            .own_new("/api/teams", json!({"name": format!("invites {number}")}))
            .await;
        let path = format!("/api/teams/{team}");
        let colleague = self.colleague(&format!("owner{number}@example.com")).await;
        let owner = json!({"userId": colleague, "role": "owner"});
        http.post(&format!("{path}/members"), &owner)
            .await
            .expect(200);
        let all = http.get(&format!("{path}/members")).await.expect(200);
        let own = all
            .as_array()
            .unwrap()
            .iter()
            .find(|own| own["email"] == self.own.email);
        let invited = json!({"email": self.own.email});
        let made = http.post(&format!("{path}/invitations"), &invited).await;
        let leave = format!("{path}/members/{}", own.expect("the reader")["userId"]);
        http.delete(&leave).await.expect(200);
        text(&made.expect(200)["token"])
    }

    /// An example of the platform with what is the reader's own.
    pub async fn platform(&self, example: &str, number: usize) -> String {
        let mut example = example.to_owned();
        let http = self.http();
        if example.contains("inv_…") {
            let token = self.invitation(number).await;
            example = example.replace("inv_…", &token);
        }
        if example.contains("colleague@example.com") {
            self.colleague("colleague@example.com").await;
        }
        let names = |path: &str| example.contains(path);
        let (mut id, mut others) = (None, Vec::new());
        if names("/api/services/$ID") {
            let own = self.service(number).await;
            let path = format!("/api/services/{own}");
            if names("/rollback") {
                let again = format!("{path}/redeploy");
                http.post(&again, &json!({})).await.expect(200);
                self.deployed(&own, 2).await;
            }
            if names("/source") {
                let body = json!({"repository": "octocat/own"}).to_string();
                let json = http.with("content-type", "application/json");
                let bind = format!("{path}/source");
                json.send(Method::PUT, &bind, Some(body.into_bytes()))
                    .await
                    .expect(200);
            }
            if names("$HOST") {
                let host = format!("www{number}.example.com");
                let domains = format!("{path}/domains");
                http.post(&domains, &json!({"host": host}))
                    .await
                    .expect(200);
                others.push(("$HOST", host));
            }
            if names("$GROUP_ID") {
                let group = json!({"name": format!("group {number}")});
                let group = self.own_new("/api/env-groups", group).await;
                if names("-X DELETE") {
                    let attach = format!("{path}/attach-group/{group}");
                    http.post(&attach, &json!({})).await.expect(200);
                }
                others.push(("$GROUP_ID", group));
            }
            id = Some(own);
        } else if names("/api/env-groups/$ID") {
            let body = json!({"name": format!("group {number}"), "variables": {"A": "b"}});
            id = Some(self.own_new("/api/env-groups", body).await);
        } else if names("/api/databases/$ID") {
            let (own, backup) = self.database(number).await;
            others.push(("$BACKUP_ID", backup.clone()));
            others.push(("backup-…", backup));
            id = Some(own);
        } else if names("/api/account/tokens/$ID") {
            id = Some(self.own_new("/api/account/token", json!({})).await);
        } else if names("/api/teams/$ID") {
            let own = self
                .own_new("/api/teams", json!({"name": format!("team {number}")}))
                .await;
            if names("$USER_ID") {
                let user = self.colleague(&format!("mate{number}@example.com")).await;
                let members = format!("/api/teams/{own}/members");
                http.post(&members, &json!({"userId": user}))
                    .await
                    .expect(200);
                others.push(("$USER_ID", user.to_string()));
            }
            if names("$INVITATION_ID") {
                let guest = json!({"email": "guest@example.com"});
                let path = format!("/api/teams/{own}/invitations");
                others.push(("$INVITATION_ID", self.own_new(&path, guest).await));
            }
            id = Some(own);
        }
        for (name, value) in id.map(|id| ("$ID", id)).into_iter().chain(others) {
            example = example.replace(name, &value);
        }
        example
    }
}
