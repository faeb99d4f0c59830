//! What the growth product holds: the events of a project, what senders name in them,
//! and experiments. An analysis is of what it is sent.

use futures_util::FutureExt as _;
use serde_json::{Value, json};

use super::{Entry, Object, Table};

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

const OWN_NAME: &str = "a name the sender chooses, known within the project alone";
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
    ],
    exempt: &[
        (
            "apex.growth.v1.ExperimentService/AnalyzeExperiment",
            "variations.id",
            "names a comparison of the answer; nothing is looked up or stored",
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
    ],
    on_projects: &[],
};
