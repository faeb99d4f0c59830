//! What there is of the platform, and how its owner makes and sees it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use reqwest::Method;
use serde_json::{Value, json};

use crate::security::tenants::Object;
use crate::security::world::Tenant;

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A UUID that is nobody's.
const ABSENT: &str = "\"00000000-0000-0000-0000-000000000000\"";

fn fresh(prefix: &str) -> String {
    format!("{prefix}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}

/// Waits until something runs; answers it.
async fn running(tenant: &Tenant, path: &str) -> Value {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let own = tenant.get(path).await;
        if own["status"] == "RUNNING" {
            return own;
        }
        assert!(Instant::now() < deadline, "{own}");
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

async fn group(tenant: &Tenant) -> Value {
    let body = json!({"name": fresh("group"), "variables": {"A": "b"}});
    tenant.post("/api/env-groups", body).await["id"].clone()
}

/// A service that runs, with a group and a repository.
async fn service(tenant: &Tenant) -> Value {
    let body = json!({"name": fresh("service"), "image": "nginx"});
    let made = tenant.post("/api/deploy", body).await;
    let (path, group) = (
        format!("/api/services/{}", text(&made["id"])),
        group(tenant).await,
    );
    running(tenant, &path).await;
    let attach = format!("{path}/attach-group/{}", text(&group));
    tenant.post(&attach, json!({})).await;
    let source = json!({"repository": "octocat/own"})
        .to_string()
        .into_bytes();
    let http = tenant.http.with("content-type", "application/json");
    let bind = format!("{path}/source");
    http.send(Method::PUT, &bind, Some(source))
        .await
        .expect(200);
    let host = format!("{}.example.com", fresh("www"));
    tenant
        .post(&format!("{path}/domains"), json!({"host": host}))
        .await;
    let own = running(tenant, &path).await;
    json!({
        "id": made["id"], "group": group, "deployment": own["currentDeploymentId"], "host": host,
    })
}

async fn person(tenant: &Tenant) -> Value {
    let email = format!("{}@example.com", fresh("person"));
    tenant.add_member(&email, "member").await
}

async fn team(tenant: &Tenant) -> Value {
    let team = tenant
        .post("/api/teams", json!({"name": fresh("team")}))
        .await;
    let path = format!("/api/teams/{}", text(&team["id"]));
    let member = person(tenant).await;
    tenant
        .post(&format!("{path}/members"), json!({"userId": member}))
        .await;
    let invited = json!({"email": format!("{}@example.com", fresh("guest"))});
    let invitation = tenant.post(&format!("{path}/invitations"), invited).await;
    json!({
        "id": team["id"], "member": member, "outsider": person(tenant).await,
        "invitation": invitation["id"],
    })
}

/// Everything that is seen of a team.
async fn team_seen(tenant: &Tenant, id: &Value) -> Value {
    let all = tenant.get("/api/teams").await;
    let mut all = all.as_array().expect("a list").iter();
    if !all.any(|own| own["id"] == *id) {
        return Value::Null;
    }
    let path = format!("/api/teams/{}", text(id));
    let members = tenant.get(&format!("{path}/members")).await;
    json!([members, tenant.get(&format!("{path}/invitations")).await])
}

/// An answer, or nothing when there is none.
async fn seen(tenant: &Tenant, path: &str) -> Value {
    let answer = tenant.http.get(path).await;
    match answer.status {
        200 => answer.json(),
        _ => Value::Null,
    }
}

/// A request in which what the caller needs besides is the caller's own.
pub async fn owned(template: &str, tenant: &Tenant) -> String {
    let mut text = template.replace("\"$word\"", &json!(fresh("word")).to_string());
    if text.contains("$own_service") {
        let own = service(tenant).await["id"].to_string();
        text = text.replace("\"$own_service\"", &own);
    }
    if text.contains("$own_team") {
        let own = team(tenant).await["id"].to_string();
        text = text.replace("\"$own_team\"", &own);
    }
    if text.contains("$own_group") {
        text = text.replace("\"$own_group\"", &group(tenant).await.to_string());
    }
    text
}

pub(super) const SERVICE: Object = Object {
    make: |tenant| service(tenant).boxed(),
    read: |tenant, id| {
        async move {
            let path = format!("/api/services/{}", text(id));
            let own = seen(tenant, &path).await;
            match own.is_null() {
                true => own,
                false => json!([own, seen(tenant, &format!("{path}/source")).await]),
            }
        }
        .boxed()
    },
    absent: ABSENT,
};

pub(super) const DEPLOYMENT: Object = Object {
    make: |tenant| {
        async move {
            let own = service(tenant).await;
            json!({"id": own["deployment"], "its_service": own["id"]})
        }
        .boxed()
    },
    // It never changes.
    read: |_, id| async move { id.clone() }.boxed(),
    absent: ABSENT,
};

pub(super) const GROUP: Object = Object {
    make: |tenant| {
        async move {
            let own = service(tenant).await;
            json!({"id": own["group"], "service": own["id"]})
        }
        .boxed()
    },
    read: |tenant, id| {
        async move { seen(tenant, &format!("/api/env-groups/{}", text(id))).await }.boxed()
    },
    absent: ABSENT,
};

pub(super) const TEAM: Object = Object {
    make: |tenant| team(tenant).boxed(),
    read: |tenant, id| team_seen(tenant, id).boxed(),
    absent: ABSENT,
};

pub(super) const INVITATION: Object = Object {
    make: |tenant| {
        async move {
            let own = team(tenant).await;
            json!({"id": own["invitation"], "its_team": own["id"]})
        }
        .boxed()
    },
    read: |_, id| async move { id.clone() }.boxed(),
    absent: ABSENT,
};

/// Somebody of the organization who is in no team.
pub(super) const PERSON: Object = Object {
    make: |tenant| {
        async move {
            let own = team(tenant).await;
            json!({"id": own["outsider"]})
        }
        .boxed()
    },
    read: |_, id| async move { id.clone() }.boxed(),
    absent: "999999",
};

pub(super) const TEAMMATE: Object = Object {
    make: |tenant| {
        async move {
            let own = team(tenant).await;
            json!({"id": own["member"], "its_team": own["id"]})
        }
        .boxed()
    },
    read: |_, id| async move { id.clone() }.boxed(),
    absent: "999999",
};

/// A database that runs, with a backup.
async fn database(tenant: &Tenant) -> Value {
    let body = json!({"name": fresh("database"), "type": "redis", "size": "small"});
    let made = tenant.post("/api/databases", body).await;
    let path = format!("/api/databases/{}", text(&made["id"]));
    running(tenant, &path).await;
    let backup = tenant.post(&format!("{path}/backups"), json!({})).await;
    running(tenant, &path).await;
    json!({"id": made["id"], "backup": backup["id"]})
}

pub(super) const DATABASE: Object = Object {
    make: |tenant| database(tenant).boxed(),
    read: |tenant, id| {
        async move {
            let path = format!("/api/databases/{}", text(id));
            let own = seen(tenant, &path).await;
            match own.is_null() {
                true => own,
                false => json!([own, seen(tenant, &format!("{path}/backups")).await]),
            }
        }
        .boxed()
    },
    absent: ABSENT,
};

pub(super) const BACKUP: Object = Object {
    make: |tenant| {
        async move {
            let own = database(tenant).await;
            json!({"id": own["backup"], "its_database": own["id"]})
        }
        .boxed()
    },
    read: |_, id| async move { id.clone() }.boxed(),
    absent: ABSENT,
};

/// A host name of a service.
pub(super) const DOMAIN: Object = Object {
    make: |tenant| {
        async move {
            let own = service(tenant).await;
            json!({"id": own["host"], "its_service": own["id"]})
        }
        .boxed()
    },
    read: |_, id| async move { id.clone() }.boxed(),
    absent: "\"nobody.example.com\"",
};

pub(super) const TOKEN: Object = Object {
    make: |tenant| {
        async move {
            let made = tenant.post("/api/account/token", json!({})).await;
            json!({"id": made["id"]})
        }
        .boxed()
    },
    read: |tenant, id| {
        async move {
            let all = tenant.get("/api/account/tokens").await;
            let mut all = all.as_array().expect("a list").iter();
            all.find(|own| own["id"] == *id)
                .cloned()
                .unwrap_or_default()
        }
        .boxed()
    },
    absent: "\"key_00000000000000000000000000000000\"",
};
