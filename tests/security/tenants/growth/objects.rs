//! What there is of the growth product, and how its owner makes and sees it.

use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::FutureExt as _;
use serde_json::{Value, json};

use crate::security::tenants::Object;
use crate::security::world::Tenant;

static COUNT: AtomicU32 = AtomicU32::new(0);

/// An address that is nobody's here.
const HOOK: &str = "https://93.184.215.14/hook";

fn fresh(prefix: &str) -> String {
    format!("{prefix}_{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// The element of a list with this id.
async fn of_list(tenant: &Tenant, path: &str, id: &Value) -> Value {
    let all = tenant.get(path).await;
    let found = all.as_array().expect("a list").iter();
    let mut found = found.filter(|one| one["id"] == *id);
    found.next().cloned().unwrap_or_default()
}

/// A lead and a visitor of it.
async fn linked(tenant: &Tenant) -> (String, String) {
    let (visitor, lead) = (fresh("visitor"), fresh("lead"));
    let link = json!({"visitorId": visitor, "leadId": lead});
    tenant.post("/api/identity", link).await;
    (visitor, lead)
}

/// A running experiment.
pub(super) const EXPERIMENT: Object = Object {
    make: |tenant| {
        async move {
            let variants = json!([{"name": "Control"}, {"name": "Green"}]);
            let new = json!({"name": "Plans", "targetUrl": "/plans", "variants": variants});
            let made = tenant.post("/api/experiments", new).await;
            let run = json!({"id": made["id"], "status": "running"});
            tenant
                .http
                .patch("/api/experiments", &run)
                .await
                .expect(200)
        }
        .boxed()
    },
    read: |tenant, id| {
        async move {
            let all = tenant.get("/api/experiments").await;
            let mut all = all.as_array().expect("a list").iter();
            all.find(|one| one["id"] == *id)
                .cloned()
                .unwrap_or(Value::Null)
        }
        .boxed()
    },
    absent: "\"exp_00000000000000000000000000000000\"",
};

pub(super) const VISITOR: Object = Object {
    make: |tenant| async move { json!({"id": linked(tenant).await.0}) }.boxed(),
    read: |tenant, id| {
        async move {
            let path = format!("/api/identity?visitorId={}", id.as_str().unwrap());
            tenant.get(&path).await
        }
        .boxed()
    },
    absent: "\"nobody\"",
};

pub(super) const LEAD: Object = Object {
    make: |tenant| {
        async move {
            let (visitor, lead) = linked(tenant).await;
            json!({"id": lead, "visitor": visitor, "other": linked(tenant).await.1})
        }
        .boxed()
    },
    read: |tenant, id| async move { of_list(tenant, "/api/leads", id).await }.boxed(),
    absent: "\"nobody\"",
};

pub(super) const MERGE: Object = Object {
    make: |tenant| {
        async move {
            let (one, other) = (linked(tenant).await.1, linked(tenant).await.1);
            let leads = json!({"id": one, "from": other});
            tenant.post("/api/leads/merge", leads).await
        }
        .boxed()
    },
    read: |tenant, id| async move { of_list(tenant, "/api/leads/merges", id).await }.boxed(),
    absent: "\"merge_0\"",
};

pub(super) const GOAL: Object = Object {
    make: |tenant| {
        async move {
            let goal = json!({"metric": "nps", "target": 50, "deadline": "2030-06-30"});
            tenant.post("/api/goals", goal).await
        }
        .boxed()
    },
    read: |tenant, id| async move { of_list(tenant, "/api/goals", id).await }.boxed(),
    absent: "\"goal_0\"",
};

pub(super) const CONVERSION_GOAL: Object = Object {
    make: |tenant| {
        async move {
            let goal = json!({"name": "Paid", "type": "custom_event", "eventName": "paid"});
            tenant.post("/api/conversion-goals", goal).await
        }
        .boxed()
    },
    read: |tenant, id| async move { of_list(tenant, "/api/conversion-goals", id).await }.boxed(),
    absent: "\"cg_0\"",
};

/// One that an experiment follows.
pub(super) const FOLLOWED: Object = Object {
    make: |tenant| {
        async move {
            let goal = (CONVERSION_GOAL.make)(tenant).await;
            json!({"id": goal["id"], "experiment": (EXPERIMENT.make)(tenant).await["id"]})
        }
        .boxed()
    },
    ..CONVERSION_GOAL
};

pub(super) const WEBHOOK: Object = Object {
    make: |tenant| {
        async move {
            let hook = json!({"url": HOOK, "events": ["goal.reached"]});
            tenant.post("/api/webhooks", hook).await
        }
        .boxed()
    },
    read: |tenant, id| async move { of_list(tenant, "/api/webhooks", id).await }.boxed(),
    absent: "\"wh_0\"",
};

/// Something a webhook was told, and was given up.
pub(super) const DELIVERY: Object = Object {
    make: |tenant| {
        async move {
            let hook = json!({"url": HOOK, "events": ["goal.reached"]});
            let hook = tenant.post("/api/webhooks", hook).await;
            let goal =
                json!({"metric": "nps", "target": 1, "deadline": "2030-06-30", "current": 1});
            tenant.post("/api/goals", goal).await;
            let off = json!({"id": hook["id"], "status": "disabled"});
            tenant.http.patch("/api/webhooks", &off).await.expect(200);
            let path = format!(
                "/api/webhooks/deliveries?id={}",
                hook["id"].as_str().unwrap()
            );
            json!({"id": tenant.get(&path).await[0]["id"]})
        }
        .boxed()
    },
    read: |tenant, id| {
        async move {
            for hook in tenant.get("/api/webhooks").await.as_array().unwrap() {
                let path = format!(
                    "/api/webhooks/deliveries?id={}",
                    hook["id"].as_str().unwrap()
                );
                let found = of_list(tenant, &path, id).await;
                if !found.is_null() {
                    return json!([found["id"], found["status"]]);
                }
            }
            Value::Null
        }
        .boxed()
    },
    absent: "\"whd_0\"",
};
