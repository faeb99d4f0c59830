//! What the growth product holds: experiments, visitors and leads, goals, webhooks. Ids of visitors
//! and leads are chosen by callers, and known within a project alone.

mod objects;

use super::{Entry, Table};
use objects::{
    CONVERSION_GOAL, DELIVERY, EXPERIMENT, FOLLOWED, GOAL, LEAD, MERGE, VISITOR, WEBHOOK,
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
            method: CREATE,
            field: "goal.conversion_goal_id",
            object: &FOLLOWED,
            request: r#"{"name": "Plans", "targetUrl": "/plans", "variants": [{"name": "A"},
                {"name": "B"}], "goal": {"conversionGoalId": "$id"}}"#,
        },
        Entry {
            method: UPDATE,
            field: "goal.conversion_goal_id",
            object: &FOLLOWED,
            request: r#"{"id": "$experiment", "goal": {"conversionGoalId": "$id"}}"#,
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
