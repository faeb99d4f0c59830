//! What the growth product holds: experiments, visitors and leads, goals, webhooks. Ids of visitors
//! and leads are chosen by callers, and known within a project alone.

use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::FutureExt as _;
use serde_json::{Value, json};

use super::{Entry, Object, Table};
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
const EXPERIMENT: Object = Object {
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

const VISITOR: Object = Object {
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

const LEAD: Object = Object {
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

const MERGE: Object = Object {
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

const GOAL: Object = Object {
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

const CONVERSION_GOAL: Object = Object {
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

const WEBHOOK: Object = Object {
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
const DELIVERY: Object = Object {
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

const OWN_NAME: &str = "a name the caller chooses, known within the project alone";

const CREATE: &str = "apex.growth.v1.ExperimentService/CreateExperiment";
const UPDATE: &str = "apex.growth.v1.ExperimentService/UpdateExperiment";
const DELETE: &str = "apex.growth.v1.ExperimentService/DeleteExperiment";
const ASSIGN: &str = "apex.growth.v1.ExperimentService/AssignExperiments";
const IN_ITSELF: &str = "names something of the very experiment";
const LATER: &str = "is kept as it is told: there are no beliefs yet";

pub(super) const TABLE: Table = Table {
    product: "growth",
    entries: &[
        Entry {
            method: UPDATE,
            field: "id",
            object: &EXPERIMENT,
            request: r#"{"id": "$id", "name": "Taken", "status": "completed"}"#,
        },
        Entry {
            method: DELETE,
            field: "id",
            object: &EXPERIMENT,
            request: r#"{"id": "$id"}"#,
        },
        Entry {
            method: ASSIGN,
            field: "experiment_ids",
            object: &EXPERIMENT,
            request: r#"{"visitorId": "v", "experimentIds": ["$id"]}"#,
        },
        Entry {
            method: "apex.growth.v1.ResultService/GetExperimentResults",
            field: "id",
            object: &EXPERIMENT,
            request: r#"{"id": "$id"}"#,
        },
        Entry {
            method: "apex.growth.v1.IdentityService/GetIdentity",
            field: "visitor_id",
            object: &VISITOR,
            request: r#"{"visitorId": "$id"}"#,
        },
        Entry {
            method: "apex.growth.v1.IdentityService/UnlinkIdentity",
            field: "visitor_id",
            object: &VISITOR,
            request: r#"{"visitorId": "$id"}"#,
        },
        Entry {
            method: "apex.growth.v1.IdentityService/UnlinkIdentity",
            field: "lead_id",
            object: &LEAD,
            request: r#"{"visitorId": "$visitor", "leadId": "$id"}"#,
        },
        Entry {
            method: "apex.growth.v1.IdentityService/MergeLeads",
            field: "id",
            object: &LEAD,
            request: r#"{"id": "$id", "from": "$other"}"#,
        },
        Entry {
            method: "apex.growth.v1.IdentityService/UndoMerge",
            field: "id",
            object: &MERGE,
            request: r#"{"id": "$id"}"#,
        },
        Entry {
            method: "apex.growth.v1.GoalService/UpdateGoal",
            field: "id",
            object: &GOAL,
            request: r#"{"id": "$id", "target": 1}"#,
        },
        Entry {
            method: "apex.growth.v1.GoalService/DeleteGoal",
            field: "id",
            object: &GOAL,
            request: r#"{"id": "$id"}"#,
        },
        Entry {
            method: "apex.growth.v1.ConversionGoalService/UpdateConversionGoal",
            field: "id",
            object: &CONVERSION_GOAL,
            request: r#"{"id": "$id", "name": "Taken"}"#,
        },
        Entry {
            method: "apex.growth.v1.ConversionGoalService/DeleteConversionGoal",
            field: "id",
            object: &CONVERSION_GOAL,
            request: r#"{"id": "$id"}"#,
        },
        Entry {
            method: "apex.growth.v1.WebhookService/UpdateWebhook",
            field: "id",
            object: &WEBHOOK,
            request: r#"{"id": "$id", "url": "https://93.184.215.14/taken"}"#,
        },
        Entry {
            method: "apex.growth.v1.WebhookService/DeleteWebhook",
            field: "id",
            object: &WEBHOOK,
            request: r#"{"id": "$id"}"#,
        },
        Entry {
            method: "apex.growth.v1.WebhookService/RotateWebhookSecret",
            field: "id",
            object: &WEBHOOK,
            request: r#"{"id": "$id"}"#,
        },
        Entry {
            method: "apex.growth.v1.WebhookService/ListWebhookDeliveries",
            field: "id",
            object: &WEBHOOK,
            request: r#"{"id": "$id"}"#,
        },
        Entry {
            method: "apex.growth.v1.WebhookService/ReplayWebhookDelivery",
            field: "id",
            object: &DELIVERY,
            request: r#"{"id": "$id"}"#,
        },
    ],
    exempt: &[
        (
            "apex.growth.v1.ExperimentService/AnalyzeExperiment",
            "variations.id",
            "names a comparison of the answer; nothing is looked up or stored",
        ),
        (
            "apex.growth.v1.IdentityService/LinkIdentity",
            "visitor_id",
            OWN_NAME,
        ),
        (
            "apex.growth.v1.IdentityService/LinkIdentity",
            "lead_id",
            OWN_NAME,
        ),
        (
            "apex.growth.v1.IdentityService/StitchIdentity",
            "visitor_id",
            OWN_NAME,
        ),
        (CREATE, "variants.id", IN_ITSELF),
        (UPDATE, "variants.id", IN_ITSELF),
        (CREATE, "belief_id", LATER),
        (UPDATE, "belief_id", LATER),
        (
            CREATE,
            "forced_visitors.visitor_id",
            "is hashed and compared, not looked up",
        ),
        (
            UPDATE,
            "forced_visitors.visitor_id",
            "is hashed and compared, not looked up",
        ),
        (
            ASSIGN,
            "visitor_id",
            "is hashed and compared, not looked up",
        ),
        (
            "apex.growth.v1.FlagService/EvaluateFlag",
            "flag_key",
            "is said again in the failure, so that texts differ: `growth::flags` has a test",
        ),
        (
            "apex.growth.v1.EventService/TrackEvent",
            "visitor_id",
            OWN_NAME,
        ),
        (
            "apex.growth.v1.EventService/TrackEvent",
            "event_id",
            OWN_NAME,
        ),
        (
            "apex.growth.v1.EventService/TrackEvent",
            "user_id",
            OWN_NAME,
        ),
        (
            "apex.growth.v1.EventService/TrackEvents",
            "visitor_id",
            OWN_NAME,
        ),
        (
            "apex.growth.v1.EventService/TrackEvents",
            "user_id",
            OWN_NAME,
        ),
        (
            "apex.growth.v1.EventService/TrackEvents",
            "events.visitor_id",
            OWN_NAME,
        ),
        (
            "apex.growth.v1.EventService/TrackEvents",
            "events.event_id",
            OWN_NAME,
        ),
        (
            "apex.growth.v1.EventService/TrackEvents",
            "events.user_id",
            OWN_NAME,
        ),
        (
            "apex.growth.v1.SnippetService/GetSnippet",
            "key",
            "is in the source of a site for all to read, and opens nothing",
        ),
        (
            "apex.growth.v1.EventService/SendServerEvents",
            "events.visitor_id",
            OWN_NAME,
        ),
        (
            "apex.growth.v1.EventService/SendServerEvents",
            "events.event_id",
            OWN_NAME,
        ),
        (
            "apex.growth.v1.EventService/SendServerEvents",
            "events.user_id",
            OWN_NAME,
        ),
        (
            "apex.growth.v1.EventService/StreamEvents",
            "events.visitor_id",
            OWN_NAME,
        ),
        (
            "apex.growth.v1.EventService/StreamEvents",
            "events.event_id",
            OWN_NAME,
        ),
        (
            "apex.growth.v1.EventService/StreamEvents",
            "events.user_id",
            OWN_NAME,
        ),
        (
            "apex.growth.v1.EventService/ListEvents",
            "visitor_id",
            OWN_NAME,
        ),
    ],
    on_projects: &[
        (
            "apex.growth.v1.EventService/SendServerEvents",
            r#"{"events": [{"type": "sent"}]}"#,
        ),
        (
            "apex.growth.v1.EventService/StreamEvents",
            r#"{"events": [{"type": "sent"}]}"#,
        ),
        ("apex.growth.v1.EventService/ListEvents", "{}"),
    ],
};
